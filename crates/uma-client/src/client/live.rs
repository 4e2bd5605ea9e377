//! The live decision: what the AM's policies permit at this moment. No part of UMA; Keycloak answers it.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use url::form_urlencoded;

use crate::answer::{self, Credential};
use crate::client::{AmClient, expect, request, with_body};
use crate::dialect::Context;
use crate::error::{Error, ErrorKind};
use crate::ids::ResourceId;
use crate::secret::Secret;
use crate::wire::PermissionRequest;

const OPERATION: &str = "POST token (live decision)";
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:uma-ticket";

/// What an AM's policies permit to the holder of a token at the moment of asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveDecision {
    /// What of that which was asked for is permitted. Empty: nothing is.
    pub permitted: Vec<PermissionRequest>,
}

impl LiveDecision {
    /// Whether a scope on a resource is permitted.
    pub fn permits(&self, resource: &ResourceId, scope: &str) -> bool {
        self.permitted
            .iter()
            .filter(|one| one.resource_id == resource.as_str())
            .any(|one| one.resource_scopes.iter().any(|granted| granted == scope))
    }
}

/// An element of the answer with `response_mode=permissions`.
#[derive(Deserialize)]
struct Granted {
    rsid: String,
    #[serde(default)]
    scopes: Vec<String>,
}

impl AmClient {
    /// Asks what the AM's policies permit to the holder of `token` **now**, of these permissions. An introspection answers
    /// what the token was given once; at AMs that do not take that back when an owner changes her mind, this does. Made with
    /// the client's credentials, in one call, within the deadline of introspection (2 s). It registers no request with the
    /// owner. The token need not be an RPT, so that a yes alone proves less than an introspection: use it to take away.
    ///
    /// A token that is dead is permitted nothing. A resource or scope whose name can't be asked for is left out.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the profile has no [live decisions](crate::AmProfile::live_decision),
    /// [`ErrorKind::Config`] without credentials, [`ErrorKind::InvalidResourceId`] and [`ErrorKind::InvalidScope`] when the AM
    /// does not know one of several resources or scopes: ask for fewer; and what any call may end with.
    pub async fn live_decision(
        &self,
        token: &Secret,
        permissions: &[PermissionRequest],
    ) -> Result<LiveDecision, Error> {
        let asked: Vec<String> = permissions.iter().filter_map(parameter).collect();
        if asked.is_empty() {
            return Ok(LiveDecision::default());
        }
        self.run(
            OPERATION,
            self.shared.settings.introspection,
            |context| build(context, token, &asked),
            read,
        )
        .await
    }
}

/// `id#scope,scope`; none where that would be read differently.
fn parameter(permission: &PermissionRequest) -> Option<String> {
    let scopes: Vec<&str> = permission
        .resource_scopes
        .iter()
        .map(String::as_str)
        .filter(|scope| !scope.is_empty() && !scope.contains([',', '#']))
        .collect();
    let id = &permission.resource_id;
    if scopes.is_empty() || id.is_empty() || id.contains('#') {
        return None;
    }
    Some(format!("{id}#{}", scopes.join(",")))
}

fn build(context: &Context<'_>, token: &Secret, asked: &[String]) -> Result<Request<Bytes>, Error> {
    if !context.profile.live_decision {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the AM's profile has no live decisions",
        ));
    }
    let credentials = context.credentials.ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            "a live decision needs the client's credentials",
        )
    })?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", GRANT_TYPE)
        .append_pair("response_mode", "permissions")
        .append_pair("audience", &credentials.client_id)
        .append_pair("subject_token", token.expose());
    for permission in asked {
        form.append_pair("permission", permission);
    }
    let authorization = credentials.authenticate(credentials.auth, &mut form)?;
    let mut request = request(Method::POST, context.endpoints.token()?)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    with_body(request, form.finish())
}

fn read(context: &Context<'_>, response: &Response<Bytes>) -> Result<LiveDecision, Error> {
    let code = answer::error_code(response);
    match (response.status(), code.as_deref()) {
        (StatusCode::FORBIDDEN, Some("access_denied" | "not_authorized"))
        // The token is dead; credentials of ours that are wrong are 401.
        | (
            StatusCode::BAD_REQUEST,
            Some("unauthorized_client" | "invalid_grant" | "invalid_token"),
        ) => return Ok(LiveDecision::default()),
        (StatusCode::BAD_REQUEST, Some("invalid_resource")) => {
            let refusal = answer::refusal(context.profile, Credential::Other, response);
            return Err(refusal.with_kind(ErrorKind::InvalidResourceId));
        }
        _ => {}
    }
    let granted: Vec<Granted> = expect(
        context.profile,
        Credential::Other,
        &[StatusCode::OK],
        response,
    )?;
    let permitted = granted.into_iter().map(|one| PermissionRequest {
        resource_id: one.rsid,
        resource_scopes: one.scopes,
    });
    Ok(LiveDecision {
        permitted: permitted.collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::profile::AmProfile;
    use crate::testing::{Reply, Script, answer, builder, script};

    fn am(reply: Reply) -> (Script, AmClient) {
        let (script, http) = script(move |_| reply.clone());
        let am = builder(&http).profile(AmProfile::keycloak());
        (script, am.build().unwrap())
    }

    fn asked(id: &str, scopes: &[&str]) -> PermissionRequest {
        PermissionRequest {
            resource_id: id.to_owned(),
            resource_scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        }
    }

    #[tokio::test]
    async fn one_call_asks_for_all() {
        let (script, am) = am(answer(
            200,
            json!([{"rsid": "r1", "rsname": "x", "scopes": ["view"]}, {"rsid": "r2"}]),
        ));
        let asked = [
            asked("r1", &["view", "edit"]),
            asked("r2", &["view"]),
            // Not to be asked for without asking for something else.
            asked("r#3", &["view"]),
            asked("r4", &["a,b"]),
        ];
        let token = Secret::new("canary");
        let decision = am.live_decision(&token, &asked).await.unwrap();
        let id = |id| ResourceId::parse(id).unwrap();
        assert!(decision.permits(&id("r1"), "view"));
        assert!(!decision.permits(&id("r1"), "edit"));
        assert!(!decision.permits(&id("r2"), "view"), "no scope is none");
        let seen = script.last();
        assert_eq!(seen.uri, "https://am.example/token");
        assert!(seen.header("authorization").starts_with("Basic "));
        assert_eq!(seen.form("audience").as_deref(), Some("h"));
        assert_eq!(seen.form("subject_token").as_deref(), Some("canary"));
        assert_eq!(seen.form("response_mode").as_deref(), Some("permissions"));
        let permissions: Vec<String> = form_urlencoded::parse(seen.body.as_bytes())
            .filter(|(name, _)| name == "permission")
            .map(|(_, value)| value.into_owned())
            .collect();
        assert_eq!(permissions, ["r1#view,edit", "r2#view"]);
    }

    #[tokio::test]
    async fn a_no_is_no_error_and_an_error_is_no_no() {
        let token = Secret::new("t");
        let asked = [asked("r1", &["view"])];
        for (status, code) in [
            (403, "access_denied"),
            (400, "unauthorized_client"),
            (400, "invalid_grant"),
        ] {
            let (_, am) = am(answer(status, json!({ "error": code })));
            let decision = am.live_decision(&token, &asked).await.unwrap();
            assert!(decision.permitted.is_empty(), "{code}");
        }
        for (status, code, kind) in [
            (401, "unauthorized_client", ErrorKind::Refused),
            (400, "invalid_resource", ErrorKind::InvalidResourceId),
            (400, "invalid_scope", ErrorKind::InvalidScope),
            (500, "server_error", ErrorKind::Unavailable),
        ] {
            let (_, am) = am(answer(status, json!({ "error": code })));
            let error = am.live_decision(&token, &asked).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{code}");
        }
        let (_, am) = am(answer(200, json!({"result": true})));
        let error = am.live_decision(&token, &asked).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }

    #[tokio::test]
    async fn it_is_asked_only_where_the_profile_has_it() {
        let (script, http) = script(|_| answer(200, json!([])));
        let am = builder(&http).build().unwrap();
        let error = am
            .live_decision(&Secret::new("t"), &[asked("r1", &["view"])])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(script.calls().is_empty());
    }
}
