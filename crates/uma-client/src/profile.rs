//! Profiles: what real AMs do differently within a dialect, as data.
//!
//! To write one for another AM, begin with [`AmProfile::uma2`] and change what the AM does differently: nothing else in this
//! crate looks at an AM's name. `cargo run -p uma-client --example am-doctor -- ISSUER` goes through a live AM, prints what
//! it does, and says which profile fits. A strict UMA 2.0 AM that introspects for the host's client only, wants no PAT scope,
//! and lists at most fifty resources:
//!
//! ```
//! use uma_client::{AmProfile, IntrospectionAuth};
//!
//! let mut profile = AmProfile::uma2();
//! profile.name = "example-am".into();
//! profile.introspection_auth = IntrospectionAuth::ClientSecretBasic;
//! profile.pat_scope = None;
//! profile.list_is_complete = false;
//! profile.policy_uri_template = Some("{issuer}/my/rules/{id}".into());
//! assert!(profile.not_found_proves_absence && !profile.live_decision);
//! ```

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Map, Value};

mod advice;
mod recognise;

pub use advice::AmAdvice;

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
    /// Whether what was registered is read back before it counts, for AMs that drop what they do not like in silence.
    pub reads_back: bool,
    /// Whether resource descriptions may carry `description`. Where not, it is left out.
    pub sends_description: bool,
    /// Members that every resource description carries besides, unless it has them already.
    pub extra_resource_members: Map<String, Value>,
    /// What stands before a scope on the wire, in dialects whose scopes are URLs of scope documents: the host and its maps go
    /// on speaking of `view`, the AM hears `https://host.example/scopes/view`. A scope that is an absolute URL already goes
    /// as it is. Other dialects do not look at it.
    pub scope_base: Option<String>,
    /// The policy link for resources for which the AM names none; `{issuer}` and `{id}` (percent-encoded) are filled in.
    pub policy_uri_template: Option<String>,
    /// Whether the list of resources takes `name` with `exactName=true`, so that one is found by name in one call.
    pub finds_by_name: bool,
    /// The form in which clients register.
    pub registration_form: RegistrationForm,
    /// Grant types that a host registers with besides those that it uses.
    pub registration_grant_types: Vec<String>,
    /// Whether the AM says at any time, to the host and for any token, what its policies permit just then
    /// ([`AmClient::live_decision`](crate::AmClient::live_decision)).
    pub live_decision: bool,
    /// Whether a token goes on permitting what it did after the owner took the policy away: introspection follows the token, and
    /// the token its own life. Only a live decision tells then.
    pub tokens_outlive_policies: bool,
    /// Whether an introspection may call a token inactive only because it is not meant for the client that asks. The log
    /// then says so.
    pub inactive_may_mean_audience: bool,
    /// The `error_description` with which a denied exchange says that the owner was asked, and that the same ticket may be
    /// presented again.
    pub submitted_description: Option<Cow<'static, str>>,
    /// Whether a ticket exchange that is answered with 500 is worth one more try.
    pub retries_exchange: bool,
    /// Parameters of ticket exchanges in which the client speaks for itself alone.
    pub unattended_parameters: Vec<(String, String)>,
    /// What to change at the AM when it refuses; errors carry it.
    pub advice: Vec<AmAdvice>,
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
            reads_back: false,
            sends_description: true,
            extra_resource_members: Map::new(),
            scope_base: None,
            policy_uri_template: None,
            finds_by_name: false,
            registration_form: RegistrationForm::Rfc7591,
            registration_grant_types: Vec::new(),
            live_decision: false,
            tokens_outlive_policies: false,
            inactive_may_mean_audience: false,
            submitted_description: None,
            retries_exchange: false,
            unattended_parameters: Vec::new(),
            advice: Vec::new(),
        }
    }

    /// Keycloak 26: a second metadata document, no PAT scope, introspection by the host's client, array tickets, a dead PAT
    /// shown as 403 `invalid_bearer_token`, a 404 that proves nothing, a registration form of its own, tokens that outlive
    /// policies and live decisions, and its account console in place of policy links.
    ///
    /// Add `offline_access` to [`extra_pat_scopes`](Self::extra_pat_scopes) for connections that outlive the owner's session
    /// at Keycloak; owners need the realm role of that name.
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
            reads_back: true,
            sends_description: false,
            extra_resource_members: extra,
            policy_uri_template: Some("{issuer}/account/resources".to_owned()),
            finds_by_name: true,
            registration_form: RegistrationForm::KeycloakDefault,
            // Without both of them a client that registers by RFC 7591 is no resource server there.
            registration_grant_types: vec![
                "client_credentials".to_owned(),
                "urn:ietf:params:oauth:grant-type:uma-ticket".to_owned(),
            ],
            live_decision: true,
            tokens_outlive_policies: true,
            inactive_may_mean_audience: true,
            submitted_description: Some(Cow::Borrowed("request_submitted")),
            retries_exchange: true,
            // What a service account asks for can't be answered in the account console, and a second such request is a 500.
            unattended_parameters: vec![("submit_request".to_owned(), "false".to_owned())],
            advice: advice::keycloak(),
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

    /// What to do at the AM about a refusal with this status and this error code.
    pub fn advice(&self, status: StatusCode, code: Option<&str>) -> Option<&Cow<'static, str>> {
        self.advice
            .iter()
            .find(|advice| advice.status == status && Some(&*advice.code) == code)
            .map(|advice| &advice.text)
    }

    /// Whether a token with these scopes is a PAT. An AM that does not say granted what was asked (RFC 6749 section 5.1).
    pub fn grants_pat(&self, granted: Option<&str>) -> bool {
        let (Some(needed), Some(granted)) = (&self.pat_scope, granted) else {
            return true;
        };
        granted.split(' ').any(|scope| scope == needed)
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

/// The form in which clients register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegistrationForm {
    /// RFC 7591, at the registration endpoint. At Keycloak an administrator then has to give each owner the client role
    /// `uma_protection`.
    #[default]
    Rfc7591,
    /// Keycloak's own, at its provider `default` beside the registration endpoint: the client is a resource server, and its
    /// role `uma_protection` becomes one of the realm's default roles, so that every user can be an owner at once.
    KeycloakDefault,
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
