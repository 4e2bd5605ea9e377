use oauth2::{AuthUrl, CsrfToken, PkceCodeChallenge, RedirectUrl};
use url::Url;

use crate::client::{AmClient, TokenSet};
use crate::error::{Error, ErrorKind};
use crate::scope::Scope;
use crate::secret::Secret;

const BEGIN: &str = "authorization request";
const END: &str = "authorization response";

/// Sends an owner to the AM (RFC 6749 section 4.1.1).
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthorizationRequest {
    redirect_uri: String,
    scopes: Option<Vec<Scope>>,
    extra: Vec<(String, String)>,
}

impl AuthorizationRequest {
    /// A request that comes back to `redirect_uri`: as registered, character by character. Asks for the scopes of the
    /// profile.
    pub fn new(redirect_uri: impl Into<String>) -> Self {
        Self {
            redirect_uri: redirect_uri.into(),
            scopes: None,
            extra: Vec::new(),
        }
    }

    /// Asks for these scopes instead of the profile's.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes = Some(scopes.into_iter().collect());
        self
    }

    /// Adds a parameter, as `prompt` or `login_hint`.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extra.push((name.into(), value.into()));
        self
    }
}

/// An authorization that has begun. Keep all but the URL in the owner's session, for one use and ten minutes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PendingAuthorization {
    /// Where the owner's browser goes.
    pub url: Url,
    /// What has to come back as `state`; 256 random bits.
    pub state: Secret,
    /// The PKCE verifier (RFC 7636).
    pub verifier: Secret,
    /// Where the AM sends the owner back to.
    pub redirect_uri: String,
}

/// An authorization that came back: everything that is checked before the code is used.
///
/// The caller checks what only it knows: that this is the browser session and the owner that the authorization began with,
/// and that it was not used before.
#[derive(Clone, Debug)]
#[must_use]
pub struct CodeExchange {
    redirect_uri: String,
    code: Secret,
    verifier: Option<Secret>,
    states: Option<(Secret, Secret)>,
    issuer: Option<String>,
}

impl CodeExchange {
    /// The code that came back, and the redirect URI that the authorization began with.
    pub fn new(redirect_uri: impl Into<String>, code: impl Into<Secret>) -> Self {
        Self {
            redirect_uri: redirect_uri.into(),
            code: code.into(),
            verifier: None,
            states: None,
            issuer: None,
        }
    }

    /// The PKCE verifier that the authorization began with. Required.
    pub fn verifier(mut self, verifier: impl Into<Secret>) -> Self {
        self.verifier = Some(verifier.into());
        self
    }

    /// The state that was sent, and the one that came back. Required.
    pub fn states(mut self, sent: impl Into<Secret>, returned: impl Into<Secret>) -> Self {
        self.states = Some((sent.into(), returned.into()));
        self
    }

    /// The parameter `iss` that came back, if one did (RFC 9207).
    pub fn issuer(mut self, returned: Option<&str>) -> Self {
        self.issuer = returned.map(str::to_owned);
        self
    }
}

/// The owner's consent: authorization code with PKCE.
impl AmClient {
    /// Begins an authorization: state and PKCE S256 are always there. Sends nothing but, where needed, the request for
    /// metadata.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the redirect URI is not an absolute URL without fragment; [`ErrorKind::Unsupported`] when
    /// the AM has no authorization endpoint, or says which PKCE methods it takes and S256 is not among them.
    pub async fn authorization(
        &self,
        request: AuthorizationRequest,
    ) -> Result<PendingAuthorization, Error> {
        let discovered = self.discovered().await?;
        let at = |error| self.at(BEGIN, error);
        let endpoint = discovered.endpoints.authorization().map_err(at)?;
        let methods = &discovered.metadata.code_challenge_methods_supported;
        if !methods.is_empty() && !methods.iter().any(|method| method == "S256") {
            return Err(at(Error::new(
                ErrorKind::Unsupported,
                "the AM does not take PKCE S256",
            )));
        }
        let redirect = RedirectUrl::new(request.redirect_uri.clone())
            .ok()
            .filter(|redirect| redirect.url().fragment().is_none())
            .ok_or_else(|| {
                at(Error::new(
                    ErrorKind::Config,
                    "the redirect URI is not an absolute URL without fragment",
                ))
            })?;
        let scopes = match request.scopes {
            Some(scopes) => scopes
                .iter()
                .map(|scope| oauth2::Scope::new(scope.as_str().to_owned()))
                .collect(),
            None => self
                .profile()
                .pat_scopes()
                .map(|scope| oauth2::Scope::new(scope.to_owned()))
                .collect::<Vec<_>>(),
        };
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self
            .oauth(BEGIN)?
            .set_auth_uri(AuthUrl::from_url(endpoint.clone()))
            .set_redirect_uri(redirect);
        let mut url = client
            .authorize_url(|| CsrfToken::new_random_len(32))
            .add_scopes(scopes)
            .set_pkce_challenge(challenge);
        for (name, value) in request.extra {
            url = url.add_extra_param(name, value);
        }
        let (url, state) = url.url();
        Ok(PendingAuthorization {
            url,
            state: Secret::new(state.into_secret()),
            verifier: Secret::new(verifier.into_secret()),
            redirect_uri: request.redirect_uri,
        })
    }

    /// Ends an authorization: redeems the code (RFC 6749 section 4.1.3).
    ///
    /// Before anything is sent with the code, the state is compared in constant time, `iss` is compared with the issuer
    /// (RFC 9207 section 2.4; a missing one is refused when the metadata promise it), and the verifier has to be there.
    ///
    /// # Errors
    /// [`ErrorKind::StateMismatch`], [`ErrorKind::IssuerMismatch`], [`ErrorKind::Config`] when state or verifier are not
    /// given, [`ErrorKind::Refused`] with the code `invalid_grant` when the AM does not take the code,
    /// [`ErrorKind::InsufficientScope`] when the AM says that it granted less than a PAT needs, and as
    /// [`client_credentials`](Self::client_credentials).
    pub async fn exchange_code(&self, exchange: CodeExchange) -> Result<TokenSet, Error> {
        let refuse = |kind, why: &'static str| Err(self.at(END, Error::new(kind, why)));
        match &exchange.states {
            None => {
                return refuse(
                    ErrorKind::Config,
                    "the state that was sent and the one that came back are needed",
                );
            }
            Some((sent, returned)) if sent.expose().is_empty() || sent != returned => {
                return refuse(ErrorKind::StateMismatch, "");
            }
            Some(_) => {}
        }
        let Some(verifier) = exchange.verifier.filter(is_verifier) else {
            return refuse(ErrorKind::Config, "a PKCE verifier is needed");
        };
        match exchange.issuer.as_deref() {
            Some(issuer) => {
                if issuer != self.issuer().as_str() {
                    return refuse(
                        ErrorKind::IssuerMismatch,
                        "parameter `iss` is not the issuer that was asked",
                    );
                }
            }
            None => {
                if self.metadata().await?.promises_iss() {
                    return refuse(
                        ErrorKind::IssuerMismatch,
                        "parameter `iss` is missing, and the AM promises it",
                    );
                }
            }
        }
        if exchange.code.expose().is_empty() {
            return refuse(ErrorKind::Config, "the code is empty");
        }
        let tokens = self
            .redeem(exchange.redirect_uri, &exchange.code, &verifier)
            .await?;
        if self.profile().grants_pat(tokens.scope.as_deref()) {
            Ok(tokens)
        } else {
            refuse(
                ErrorKind::InsufficientScope,
                "the AM granted less than the scope of a PAT",
            )
        }
    }
}

/// RFC 7636 section 4.1.
fn is_verifier(verifier: &Secret) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    (43..=128).contains(&verifier.expose().len()) && verifier.expose().bytes().all(legal)
}
