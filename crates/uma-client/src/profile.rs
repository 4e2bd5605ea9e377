//! Profiles: what real AMs do differently within a dialect, as data.
//!
//! ```
//! use uma_client::{AmProfile, IntrospectionAuth};
//!
//! let mut profile = AmProfile::uma2();
//! profile.introspection_auth = IntrospectionAuth::ClientSecretBasic;
//! profile.pat_scope = None;
//! assert!(!AmProfile::keycloak().not_found_proves_absence);
//! ```

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Map, Value};

/// How an AM departs from the strict reading of its dialect. Begin with [`AmProfile::uma2`] or another preset and change
/// what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AmProfile {
    /// A short name, for people.
    pub name: Cow<'static, str>,
    /// Documents below `{issuer}/.well-known/` that are read; the first counts most, the others fill gaps.
    pub metadata_documents: Vec<Cow<'static, str>>,
    /// The scope that makes an access token a PAT; `None` sends no such scope.
    pub pat_scope: Option<String>,
    /// Scopes that are asked for besides, as `offline_access`.
    pub extra_pat_scopes: Vec<String>,
    /// Which answers say that the PAT is dead.
    pub pat_dead: Vec<PatDead>,
    /// With what the host introspects.
    pub introspection_auth: IntrospectionAuth,
    /// `token_type_hint` of an introspection.
    pub token_type_hint: Option<String>,
    /// How a single permission is sent.
    pub ticket_body: TicketBody,
    /// Whether one permission request may hold several permissions.
    pub several_permissions: bool,
    /// Whether a permission request that is answered with 200 or 204 and without a ticket means "none needed, serve it".
    /// Not in the specification; a failure unless switched on.
    pub accept_200_no_ticket: bool,
    /// Whether a 404 or `invalid_resource_id` proves that the AM no longer has the resource.
    pub not_found_proves_absence: bool,
    /// Value of the parameter `max` of a list request; `None` sends none.
    pub list_max: Option<i64>,
    /// Whether a list holds all of the owner's resources. Where not, absence from it means nothing.
    pub list_is_complete: bool,
    /// Whether resource descriptions may carry `description`. Where not, it is left out.
    pub sends_description: bool,
    /// Members that every resource description carries besides, unless it has them already.
    pub extra_resource_members: Map<String, Value>,
    /// The policy link for resources for which the AM names none; `{issuer}` and `{id}` (percent-encoded) are filled in.
    pub policy_uri_template: Option<String>,
}

impl AmProfile {
    /// UMA 2.0 to the letter.
    pub fn uma2() -> Self {
        Self {
            name: Cow::Borrowed("uma2"),
            metadata_documents: vec![Cow::Borrowed("uma2-configuration")],
            pat_scope: Some("uma_protection".to_owned()),
            extra_pat_scopes: Vec::new(),
            pat_dead: vec![PatDead::status(StatusCode::UNAUTHORIZED)],
            introspection_auth: IntrospectionAuth::Pat,
            token_type_hint: Some("access_token".to_owned()),
            ticket_body: TicketBody::Object,
            several_permissions: true,
            accept_200_no_ticket: false,
            not_found_proves_absence: true,
            list_max: None,
            list_is_complete: true,
            sends_description: true,
            extra_resource_members: Map::new(),
            policy_uri_template: None,
        }
    }

    /// Keycloak 26: a second metadata document, no PAT scope, introspection by the host's client, array tickets, a dead PAT
    /// shown as 403 `invalid_bearer_token`, and a 404 that proves nothing.
    pub fn keycloak() -> Self {
        let mut extra = Map::new();
        extra.insert("ownerManagedAccess".to_owned(), Value::Bool(true));
        Self {
            name: Cow::Borrowed("keycloak"),
            metadata_documents: vec![
                Cow::Borrowed("uma2-configuration"),
                Cow::Borrowed("openid-configuration"),
            ],
            pat_scope: None,
            pat_dead: vec![PatDead::code(StatusCode::FORBIDDEN, "invalid_bearer_token")],
            introspection_auth: IntrospectionAuth::ClientSecretBasic,
            token_type_hint: Some("requesting_party_token".to_owned()),
            ticket_body: TicketBody::Array,
            not_found_proves_absence: false,
            list_max: Some(-1),
            sends_description: false,
            extra_resource_members: extra,
            ..Self::uma2()
        }
    }

    /// Whether an answer to a call that was made with a PAT says that the PAT is dead.
    pub fn is_pat_dead(&self, status: StatusCode, code: Option<&str>) -> bool {
        self.pat_dead.iter().any(|rule| {
            rule.status == status
                && rule
                    .code
                    .as_deref()
                    .is_none_or(|expected| code == Some(expected))
        })
    }

    /// The scopes that a PAT is asked for with.
    pub fn pat_scopes(&self) -> impl Iterator<Item = &str> {
        self.pat_scope
            .iter()
            .chain(&self.extra_pat_scopes)
            .map(String::as_str)
    }
}

impl Default for AmProfile {
    /// [`AmProfile::uma2`].
    fn default() -> Self {
        Self::uma2()
    }
}

/// An answer that says that the PAT is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PatDead {
    /// The status of the answer.
    pub status: StatusCode,
    /// Its error code; `None` is any or none.
    pub code: Option<String>,
}

impl PatDead {
    /// Any answer with this status.
    pub fn status(status: StatusCode) -> Self {
        Self { status, code: None }
    }

    /// Answers with this status and this error code.
    pub fn code(status: StatusCode, code: impl Into<String>) -> Self {
        Self {
            status,
            code: Some(code.into()),
        }
    }
}

/// With what a host authenticates at the introspection endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IntrospectionAuth {
    /// The PAT of the resource's owner, as bearer token (UMA Federated Authorization 1.0 section 5.1).
    #[default]
    Pat,
    /// The host's client id and secret, by HTTP Basic (RFC 6749 section 2.3.1).
    ClientSecretBasic,
    /// The host's client id and secret, in the form.
    ClientSecretPost,
}

/// How a single permission is sent to the permission endpoint; several always go as an array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TicketBody {
    /// As an object.
    #[default]
    Object,
    /// As an array of one.
    Array,
}
