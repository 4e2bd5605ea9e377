//! Dynamic client registration (RFC 7591) and its management (RFC 7592).

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Response, StatusCode};
use serde::Serialize;
use url::Url;

use crate::answer::{self, Credential};
use crate::client::endpoints::is_trusted;
use crate::client::{AmClient, ClientAuth, ClientCredentials, expect, request, with_body};
use crate::clock::epoch_seconds;
use crate::error::{Error, ErrorKind};
use crate::ids;
use crate::profile::RegistrationForm;
use crate::secret::Secret;
use crate::wire::{ClientInformation, ClientMetadata};

mod keycloak;

const REGISTER: &str = "POST registration";
const READ: &str = "GET registration";
const UPDATE: &str = "PUT registration";
const DELETE: &str = "DELETE registration";

/// A client as the AM has registered it. Store all of it, in one step: an AM may replace any part at any answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registration {
    /// What the client says who it is with.
    pub credentials: ClientCredentials,
    /// When the client's secret dies; `None` is never.
    pub secret_expires_at: Option<SystemTime>,
    /// The token for this registration itself.
    pub registration_token: Option<Secret>,
    /// Where this registration is read, changed and deleted.
    pub registration_uri: Option<Url>,
    /// What is registered.
    pub metadata: ClientMetadata,
}

impl Registration {
    /// A registration as a store holds it.
    pub fn new(credentials: ClientCredentials) -> Self {
        Self {
            credentials,
            secret_expires_at: None,
            registration_token: None,
            registration_uri: None,
            metadata: ClientMetadata::default(),
        }
    }

    /// Adds what the registration is managed with.
    #[must_use]
    pub fn with_management(mut self, uri: Option<Url>, token: Option<Secret>) -> Self {
        self.registration_uri = uri;
        self.registration_token = token;
        self
    }
}

/// Client registration. It needs no credentials of this client.
impl AmClient {
    /// Registers a client (RFC 7591 section 3), and checks what came back against what was asked: the redirect URIs are the
    /// same, grant and response types no wider, the authentication method one that this crate speaks, not weaker than asked,
    /// and with a secret where it needs one.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the AM offers no registration or an authentication method that is not spoken here,
    /// [`ErrorKind::Malformed`] when what came back is not what was asked, [`ErrorKind::Refused`] with the AM's code. After
    /// an error with [`outcome_unknown`](Error::outcome_unknown) the AM may hold a registration that nobody uses.
    pub async fn register(
        &self,
        asked: &ClientMetadata,
        initial_access_token: Option<&Secret>,
    ) -> Result<Registration, Error> {
        let discovered = self.discovered().await?;
        let at = |error| self.at(REGISTER, error);
        let named = discovered.endpoints.registration().map_err(at)?;
        let asked = &self.with_grant_types(asked);
        let (url, asked_for) = match self.profile().registration_form {
            RegistrationForm::Rfc7591 => (named.clone(), body(asked)),
            RegistrationForm::KeycloakDefault => {
                let asked_for = body(&keycloak::Asked::new(asked, None));
                (keycloak::endpoint(named), asked_for)
            }
        };
        let url = &url;
        let mut request = request(Method::POST, url).header(CONTENT_TYPE, "application/json");
        if let Some(token) = initial_access_token {
            request = request.header(AUTHORIZATION, ids::bearer(token).map_err(at)?);
        }
        let request = with_body(request, asked_for.map_err(at)?).map_err(at)?;
        let response = self.send(REGISTER, request, self.limits()).await?;
        let information = self.information(REGISTER, &response, url, Some(asked))?;
        self.check(asked, information, None, url)
            .map_err(|error| at(answer::unreadable(&response, error)))
    }

    /// Reads the registration (RFC 7592 section 2.1). The AM may have replaced secret and token: store what comes back.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when `registration` has no URI or no token, [`ErrorKind::Refused`] when the token is dead, and as
    /// [`register`](Self::register).
    pub async fn read_registration(
        &self,
        registration: &Registration,
    ) -> Result<Registration, Error> {
        let at = |error| self.at(READ, error);
        let (url, token) = manage(registration).map_err(at)?;
        let request =
            request(Method::GET, url).header(AUTHORIZATION, ids::bearer(token).map_err(at)?);
        let request = with_body(request, Bytes::new()).map_err(at)?;
        let response = self.send(READ, request, self.limits()).await?;
        let information = self.information(READ, &response, url, None)?;
        let asked = information.metadata.clone();
        self.check(&asked, information, Some(registration), url)
            .map_err(|error| at(answer::unreadable(&response, error)))
    }

    /// Replaces the registration (RFC 7592 section 2.2); checked as [`register`](Self::register) does. The AM may have
    /// replaced secret and token: store what comes back.
    ///
    /// # Errors
    /// As [`read_registration`](Self::read_registration).
    pub async fn update_registration(
        &self,
        registration: &Registration,
        asked: &ClientMetadata,
    ) -> Result<Registration, Error> {
        #[derive(Serialize)]
        struct Update<'a> {
            client_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_secret: Option<&'a str>,
            #[serde(flatten)]
            metadata: &'a ClientMetadata,
        }
        let at = |error| self.at(UPDATE, error);
        let (url, token) = manage(registration).map_err(at)?;
        let client_id = &registration.credentials.client_id;
        let asked = &self.with_grant_types(asked);
        let asked_for = match self.profile().registration_form {
            RegistrationForm::Rfc7591 => body(&Update {
                client_id,
                client_secret: registration.credentials.secret.as_ref().map(Secret::expose),
                metadata: asked,
            }),
            RegistrationForm::KeycloakDefault => {
                body(&keycloak::Asked::new(asked, Some(client_id)))
            }
        };
        let request = request(Method::PUT, url)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, ids::bearer(token).map_err(at)?);
        let request = with_body(request, asked_for.map_err(at)?).map_err(at)?;
        let response = self.send(UPDATE, request, self.limits()).await?;
        let information = self.information(UPDATE, &response, url, Some(asked))?;
        self.check(asked, information, Some(registration), url)
            .map_err(|error| at(answer::unreadable(&response, error)))
    }

    /// Deletes the registration (RFC 7592 section 2.3).
    ///
    /// # Errors
    /// As [`read_registration`](Self::read_registration).
    pub async fn delete_registration(&self, registration: &Registration) -> Result<(), Error> {
        let at = |error| self.at(DELETE, error);
        let (url, token) = manage(registration).map_err(at)?;
        let request =
            request(Method::DELETE, url).header(AUTHORIZATION, ids::bearer(token).map_err(at)?);
        let request = with_body(request, Bytes::new()).map_err(at)?;
        let response = self.send(DELETE, request, self.limits()).await?;
        match response.status() {
            StatusCode::NO_CONTENT | StatusCode::OK => Ok(()),
            _ => Err(at(answer::refusal(
                self.profile(),
                Credential::Other,
                &response,
            ))),
        }
    }

    fn information(
        &self,
        operation: &'static str,
        response: &Response<Bytes>,
        url: &Url,
        asked: Option<&ClientMetadata>,
    ) -> Result<ClientInformation, Error> {
        let due = [StatusCode::CREATED, StatusCode::OK];
        match self.profile().registration_form {
            RegistrationForm::Rfc7591 => expect(self.profile(), Credential::Other, &due, response),
            RegistrationForm::KeycloakDefault => keycloak::information(self, response, url, asked),
        }
        .map_err(|error| self.at(operation, error))
    }

    /// What is asked for, with the grant types that the AM wants to see besides.
    fn with_grant_types(&self, asked: &ClientMetadata) -> ClientMetadata {
        let mut asked = asked.clone();
        for grant in &self.profile().registration_grant_types {
            if !asked.grant_types.contains(grant) {
                asked.grant_types.push(grant.clone());
            }
        }
        asked
    }

    fn check(
        &self,
        asked: &ClientMetadata,
        got: ClientInformation,
        before: Option<&Registration>,
        endpoint: &Url,
    ) -> Result<Registration, Error> {
        let refuse = |why: &'static str| Err(Error::new(ErrorKind::Malformed, why));
        if got.client_id.is_empty()
            || before.is_some_and(|before| before.credentials.client_id != got.client_id)
        {
            return refuse("member `client_id` is empty, or not the client's");
        }
        if sorted(&asked.redirect_uris) != sorted(&got.metadata.redirect_uris) {
            return refuse("member `redirect_uris` is not what was asked");
        }
        // RFC 7591 section 2: what is left out in the question has a default.
        if !within(
            &got.metadata.grant_types,
            &asked.grant_types,
            "authorization_code",
        ) {
            return refuse("member `grant_types` is wider than what was asked");
        }
        if !within(&got.metadata.response_types, &asked.response_types, "code") {
            return refuse("member `response_types` is wider than what was asked");
        }
        let unusable = |grant: &String| {
            // Without a refresh token the owner is asked more often; without any other grant nothing works.
            grant != "refresh_token" && !got.metadata.grant_types.contains(grant)
        };
        if !got.metadata.grant_types.is_empty() && asked.grant_types.iter().any(unusable) {
            return refuse("member `grant_types` leaves out what was asked");
        }
        let now = u64::try_from(epoch_seconds(self.shared.clock.now())).unwrap_or(0);
        if got
            .client_secret_expires_at
            .is_some_and(|end| end > 0 && end <= now)
        {
            return refuse("member `client_secret_expires_at` is over already");
        }
        let auth = method(asked, &got)?;
        let secret = got
            .client_secret
            .filter(|secret| !secret.expose().is_empty());
        // A read or an update need not say a secret that stays.
        let secret = secret.or_else(|| before.and_then(|before| before.credentials.secret.clone()));
        if auth != ClientAuth::None && secret.is_none() {
            return refuse("member `client_secret` is missing");
        }
        let settings = &self.shared.settings;
        let uri = got.registration_client_uri.as_deref().and_then(|text| {
            let url = Url::parse(text).ok()?;
            // The registration token goes there.
            is_trusted(&url, settings.allow_http, &[endpoint, self.issuer().url()]).then_some(url)
        });
        Ok(Registration {
            credentials: ClientCredentials::new(got.client_id, secret, auth),
            secret_expires_at: got
                .client_secret_expires_at
                .filter(|seconds| *seconds > 0)
                .and_then(|seconds| {
                    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
                }),
            registration_token: got
                .registration_access_token
                .or_else(|| before.and_then(|before| before.registration_token.clone())),
            registration_uri: uri
                .or_else(|| before.and_then(|before| before.registration_uri.clone())),
            metadata: got.metadata,
        })
    }
}

/// How the registered client authenticates.
fn method(asked: &ClientMetadata, got: &ClientInformation) -> Result<ClientAuth, Error> {
    let name = got.metadata.token_endpoint_auth_method.as_deref();
    let asked = asked.token_endpoint_auth_method.as_deref();
    let Some(auth) = ClientAuth::from_name(name.or(asked).unwrap_or("client_secret_basic")) else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "member `token_endpoint_auth_method` is not one that is spoken here",
        ));
    };
    if auth == ClientAuth::None && asked != Some("none") {
        return Err(Error::new(
            ErrorKind::Malformed,
            "member `token_endpoint_auth_method` is weaker than what was asked",
        ));
    }
    Ok(auth)
}

fn manage(registration: &Registration) -> Result<(&Url, &Secret), Error> {
    match (
        &registration.registration_uri,
        &registration.registration_token,
    ) {
        (Some(url), Some(token)) => Ok((url, token)),
        _ => Err(Error::new(
            ErrorKind::Config,
            "the registration has no URI or no token of its own: the AM does not let it be managed",
        )),
    }
}

fn body(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| {
        Error::new(ErrorKind::Config, "the registration cannot be written").with_source(error)
    })
}

fn sorted(texts: &[String]) -> Vec<&str> {
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// The response type `none` gives nothing to anybody.
fn within(got: &[String], asked: &[String], default: &str) -> bool {
    got.iter()
        .all(|one| asked.contains(one) || one == "none" || (asked.is_empty() && one == default))
}

#[cfg(test)]
mod tests;
