//! OAuth: how a PAT is had, kept and given back.
//!
//! What is plain OAuth is encoded by the `oauth2` crate, over this crate's transport.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AccessToken, AuthType, AuthorizationCode, ClientId, ClientSecret, HttpRequest, HttpResponse,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, RevocationUrl,
    StandardRevocableToken, StandardTokenResponse, TokenResponse, TokenUrl,
};
use serde::de::IgnoredAny;
use url::Url;

use crate::answer::{self, Credential};
use crate::client::{AmClient, ClientAuth};
use crate::error::{Error, ErrorKind};
use crate::ids;
use crate::secret::Secret;

mod authorization;

pub use authorization::{AuthorizationRequest, CodeExchange, PendingAuthorization};

/// Members of a token response that RFC 6749 does not have.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Extra {
    refresh_expires_in: Option<u64>,
}

impl oauth2::ExtraTokenFields for Extra {}

type Tokens = StandardTokenResponse<Extra, BasicTokenType>;
type OauthClient = oauth2::Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

type Sending = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send>>;

/// What is read of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    Tokens,
    /// The status alone.
    Nothing,
}

/// Tokens that the AM gave (RFC 6749 section 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenSet {
    /// The access token.
    pub access_token: Secret,
    /// Its life, as the AM says it; it may be absurd.
    pub expires_in: Option<Duration>,
    /// The refresh token. Missing after a refresh: the old one stays.
    pub refresh_token: Option<Secret>,
    /// The refresh token's life, where the AM says it.
    pub refresh_expires_in: Option<Duration>,
    /// The granted scopes, with blanks between them, where the AM says them.
    pub scope: Option<String>,
}

/// What kind of token is given back (RFC 7009 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenHint {
    /// An access token, as a PAT.
    AccessToken,
    /// A refresh token; the AM then drops the access tokens that came from it as well.
    RefreshToken,
}

/// OAuth. All of it needs credentials ([`AmClientBuilder::credentials`](crate::AmClientBuilder::credentials)).
impl AmClient {
    /// Fetches a PAT for this client itself: the host, or an organisation, is the owner (RFC 6749 section 4.4). Asks for the
    /// scopes of the profile.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for bad credentials, [`ErrorKind::InvalidScope`], [`ErrorKind::Unsupported`] for a token that
    /// is no bearer token, [`ErrorKind::Malformed`], and what any call may end with.
    pub async fn client_credentials(&self) -> Result<TokenSet, Error> {
        const OPERATION: &str = "POST token (client credentials)";
        let discovered = self.discovered().await?;
        let url = discovered
            .endpoints
            .token()
            .map_err(|error| self.at(OPERATION, error))?;
        let client = self
            .oauth(OPERATION)?
            .set_token_uri(TokenUrl::from_url(url.clone()));
        let scopes = self
            .profile()
            .pat_scopes()
            .map(|scope| oauth2::Scope::new(scope.to_owned()));
        let send = self.sender(OPERATION, url, Reads::Tokens);
        let tokens = client
            .exchange_client_credentials()
            .add_scopes(scopes)
            .request_async(&send)
            .await
            .map_err(|error| self.oauth_error(OPERATION, error))?;
        self.token_set(OPERATION, &tokens)
    }

    /// Refreshes a PAT (RFC 6749 section 6). Save what comes back before you use it: the old refresh token may be dead.
    ///
    /// # Errors
    /// [`ErrorKind::NeedsConsent`] when the AM no longer takes the refresh token (`invalid_grant`), and as
    /// [`client_credentials`](Self::client_credentials).
    pub async fn refresh(&self, refresh_token: &Secret) -> Result<TokenSet, Error> {
        const OPERATION: &str = "POST token (refresh)";
        let discovered = self.discovered().await?;
        let url = discovered
            .endpoints
            .token()
            .map_err(|error| self.at(OPERATION, error))?;
        let client = self
            .oauth(OPERATION)?
            .set_token_uri(TokenUrl::from_url(url.clone()));
        let refresh_token = RefreshToken::new(refresh_token.expose().to_owned());
        let send = self.sender(OPERATION, url, Reads::Tokens);
        let tokens = client
            .exchange_refresh_token(&refresh_token)
            .request_async(&send)
            .await
            .map_err(|error| {
                let error = self.oauth_error(OPERATION, error);
                match error.code() {
                    Some("invalid_grant") => error.with_kind(ErrorKind::NeedsConsent),
                    _ => error,
                }
            })?;
        self.token_set(OPERATION, &tokens)
    }

    /// Gives a token back (RFC 7009). An unknown or dead token is no error.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the AM offers no revocation, or not of such tokens, and what any call may end with.
    pub async fn revoke(&self, token: &Secret, hint: TokenHint) -> Result<(), Error> {
        const OPERATION: &str = "POST revocation";
        let discovered = self.discovered().await?;
        let url = discovered
            .endpoints
            .revocation()
            .map_err(|error| self.at(OPERATION, error))?;
        // The oauth2 crate refuses http here whatever this client allows; the URL that is called is `url`, which is checked.
        let mut as_https = url.clone();
        let set = as_https.set_scheme("https");
        debug_assert!(set.is_ok(), "http and https can be exchanged");
        let client = self
            .oauth(OPERATION)?
            .set_revocation_url(RevocationUrl::from_url(as_https));
        let text = token.expose().to_owned();
        let token = match hint {
            TokenHint::AccessToken => StandardRevocableToken::AccessToken(AccessToken::new(text)),
            TokenHint::RefreshToken => {
                StandardRevocableToken::RefreshToken(RefreshToken::new(text))
            }
        };
        let send = self.sender(OPERATION, url, Reads::Nothing);
        client
            .revoke_token(token)
            .map_err(|error| {
                self.at(
                    OPERATION,
                    Error::new(ErrorKind::Insecure, "").with_source(error),
                )
            })?
            .request_async(&send)
            .await
            .map_err(|error| self.oauth_error(OPERATION, error))
    }

    /// The code half of [`exchange_code`](Self::exchange_code), after all checks.
    async fn redeem(
        &self,
        redirect_uri: String,
        code: &Secret,
        verifier: &Secret,
    ) -> Result<TokenSet, Error> {
        const OPERATION: &str = "POST token (code)";
        let discovered = self.discovered().await?;
        let url = discovered
            .endpoints
            .token()
            .map_err(|error| self.at(OPERATION, error))?;
        let redirect = RedirectUrl::new(redirect_uri).map_err(|_| {
            self.at(
                OPERATION,
                Error::new(ErrorKind::Config, "the redirect URI is not an absolute URL"),
            )
        })?;
        let client = self
            .oauth(OPERATION)?
            .set_token_uri(TokenUrl::from_url(url.clone()))
            .set_redirect_uri(redirect);
        let send = self.sender(OPERATION, url, Reads::Tokens);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()))
            .request_async(&send)
            .await
            .map_err(|error| self.oauth_error(OPERATION, error))?;
        self.token_set(OPERATION, &tokens)
    }

    pub(crate) fn at(&self, operation: &'static str, error: Error) -> Error {
        error.at(operation, Some(self.issuer()))
    }

    fn oauth(&self, operation: &'static str) -> Result<OauthClient, Error> {
        let Some(credentials) = self.credentials() else {
            return Err(self.at(
                operation,
                Error::new(ErrorKind::Config, "this needs the client's credentials"),
            ));
        };
        let client = OauthClient::new(ClientId::new(credentials.client_id.clone()));
        let secret = match (credentials.auth, &credentials.secret) {
            (ClientAuth::None, _) => None,
            (_, Some(secret)) => Some(ClientSecret::new(secret.expose().to_owned())),
            (_, None) => {
                return Err(self.at(
                    operation,
                    Error::new(ErrorKind::Config, "the client has no secret"),
                ));
            }
        };
        let client = match secret {
            Some(secret) => client.set_client_secret(secret),
            None => client,
        };
        Ok(client.set_auth_type(match credentials.auth {
            ClientAuth::Basic => AuthType::BasicAuth,
            ClientAuth::Post | ClientAuth::None => AuthType::RequestBody,
        }))
    }

    /// What sends a request that the oauth2 crate wrote: to a checked URL, and letting only a readable 200 through. It owns
    /// all that it needs, or its futures would not be `Send` for all lifetimes.
    fn sender(
        &self,
        operation: &'static str,
        url: &Url,
        reads: Reads,
    ) -> impl Fn(HttpRequest) -> Sending + Send + Sync + 'static {
        let (client, url) = (self.clone(), url.clone());
        move |request| {
            let (client, url) = (client.clone(), url.clone());
            Box::pin(async move { client.oauth_call(operation, &url, request, reads).await })
        }
    }

    async fn oauth_call(
        &self,
        operation: &'static str,
        url: &Url,
        request: HttpRequest,
        reads: Reads,
    ) -> Result<HttpResponse, Error> {
        let (mut parts, body) = request.into_parts();
        parts.uri = url.as_str().parse().map_err(|_| {
            self.at(
                operation,
                Error::new(ErrorKind::Config, "the endpoint's URL cannot be sent"),
            )
        })?;
        if let Some(value) = parts.headers.get_mut(AUTHORIZATION) {
            value.set_sensitive(true);
        }
        let request = Request::from_parts(parts, Bytes::from(body));
        let response = self.send(operation, request, self.limits()).await?;
        if response.status() != StatusCode::OK {
            return Err(self.at(
                operation,
                answer::refusal(self.profile(), Credential::Other, &response),
            ));
        }
        if reads == Reads::Nothing {
            return Ok(http_response(response.status(), &Bytes::new()));
        }
        // The oauth2 crate looks neither at the end of the body nor at +json types.
        answer::json::<IgnoredAny>(&response).map_err(|error| self.at(operation, error))?;
        Ok(http_response(response.status(), response.body()))
    }

    fn oauth_error<T: oauth2::ErrorResponse + 'static>(
        &self,
        operation: &'static str,
        error: RequestTokenError<Error, T>,
    ) -> Error {
        match error {
            RequestTokenError::Request(error) => error,
            // The AM gave a token that is now lost.
            RequestTokenError::Parse(error, _) => self.at(
                operation,
                answer::describe(&error).with_outcome_unknown(true),
            ),
            RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_) => self.at(
                operation,
                Error::new(ErrorKind::Malformed, "the answer is no token response"),
            ),
        }
    }

    fn token_set(&self, operation: &'static str, tokens: &Tokens) -> Result<TokenSet, Error> {
        let refuse = |kind, why: &'static str| {
            Err(self.at(operation, Error::new(kind, why).with_outcome_unknown(true)))
        };
        if *tokens.token_type() != BasicTokenType::Bearer {
            return refuse(ErrorKind::Unsupported, "member `token_type` is not Bearer");
        }
        let access_token = tokens.access_token().secret();
        if !ids::is_token(access_token) {
            return refuse(
                ErrorKind::Malformed,
                "member `access_token` cannot be sent as a bearer token",
            );
        }
        let scope = tokens.scopes().map(|scopes| {
            let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            words.join(" ")
        });
        Ok(TokenSet {
            access_token: Secret::new(access_token.as_str()),
            expires_in: tokens.expires_in(),
            refresh_token: tokens
                .refresh_token()
                .map(|token| Secret::new(token.secret().as_str())),
            refresh_expires_in: tokens
                .extra_fields()
                .refresh_expires_in
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            scope: scope.filter(|scope| !scope.is_empty()),
        })
    }
}

fn http_response(status: StatusCode, body: &Bytes) -> HttpResponse {
    let mut response = Response::new(body.to_vec());
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests;
