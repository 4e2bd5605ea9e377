use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::form_urlencoded;

use crate::error::{Error, ErrorKind};
use crate::secret::Secret;

/// A client's registration at one AM. Client ids mean something only together with the AM.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCredentials {
    /// The client id.
    pub client_id: String,
    /// The secret, if there is one.
    pub secret: Option<Secret>,
    /// How the client authenticates.
    pub auth: ClientAuth,
}

/// How a client authenticates at the token endpoint and its like (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientAuth {
    /// `client_secret_basic`.
    #[default]
    Basic,
    /// `client_secret_post`.
    Post,
    /// `none`: a public client says its id alone.
    None,
}

impl ClientAuth {
    /// The method's registered name (RFC 7591 section 2).
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::None => "none",
        }
    }

    /// The method with this name, if this crate speaks it.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Basic, Self::Post, Self::None]
            .into_iter()
            .find(|method| method.as_str() == name)
    }
}

impl ClientCredentials {
    /// A client with a secret, sent by HTTP Basic.
    pub fn basic(client_id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::new(client_id, Some(secret.into()), ClientAuth::Basic)
    }

    /// A client with a secret, sent in the form.
    pub fn post(client_id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::new(client_id, Some(secret.into()), ClientAuth::Post)
    }

    /// A client without a secret.
    pub fn public(client_id: impl Into<String>) -> Self {
        Self::new(client_id, None, ClientAuth::None)
    }

    /// A client as a store holds it.
    pub fn new(client_id: impl Into<String>, secret: Option<Secret>, auth: ClientAuth) -> Self {
        Self {
            client_id: client_id.into(),
            secret,
            auth,
        }
    }

    /// Puts these credentials into a form request: what comes back is a value for `Authorization`, if there is to be one.
    pub(crate) fn authenticate(
        &self,
        method: ClientAuth,
        form: &mut form_urlencoded::Serializer<'_, String>,
    ) -> Result<Option<HeaderValue>, Error> {
        let secret = || {
            self.secret
                .as_ref()
                .ok_or_else(|| Error::new(ErrorKind::Config, "the client has no secret"))
        };
        match method {
            ClientAuth::Basic => {
                // RFC 6749 section 2.3.1: both parts are form-encoded first.
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let pair = format!("{}:{}", encode(&self.client_id), encode(secret()?.expose()));
                let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
                    .map_err(|_| {
                    Error::new(ErrorKind::Config, "the client's credentials cannot be sent")
                })?;
                value.set_sensitive(true);
                Ok(Some(value))
            }
            ClientAuth::Post => {
                form.append_pair("client_id", &self.client_id);
                form.append_pair("client_secret", secret()?.expose());
                Ok(None)
            }
            ClientAuth::None => {
                form.append_pair("client_id", &self.client_id);
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_form_encodes_both_parts() {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let credentials = ClientCredentials::basic("a:b c", "p+q%");
        let value = credentials
            .authenticate(credentials.auth, &mut form)
            .unwrap()
            .unwrap();
        assert!(value.is_sensitive());
        let decoded = STANDARD
            .decode(value.to_str().unwrap().strip_prefix("Basic ").unwrap())
            .unwrap();
        assert_eq!(String::from_utf8(decoded).unwrap(), "a%3Ab+c:p%2Bq%25");
        assert_eq!(form.finish(), "");
    }

    #[test]
    fn post_and_none_go_into_the_form() {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let post = ClientCredentials::post("a", "s");
        assert!(
            post.authenticate(ClientAuth::Post, &mut form)
                .unwrap()
                .is_none()
        );
        assert_eq!(form.finish(), "client_id=a&client_secret=s");
        let mut form = form_urlencoded::Serializer::new(String::new());
        let public = ClientCredentials::public("a");
        assert!(
            public
                .authenticate(ClientAuth::None, &mut form)
                .unwrap()
                .is_none()
        );
        assert_eq!(form.finish(), "client_id=a");
        let mut form = form_urlencoded::Serializer::new(String::new());
        assert!(public.authenticate(ClientAuth::Basic, &mut form).is_err());
        assert!(!format!("{:?}", ClientCredentials::basic("a", "canary")).contains("canary"));
    }
}
