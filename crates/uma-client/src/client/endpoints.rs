use url::Url;

use crate::dialect::Dialect;
use crate::error::{Error, ErrorKind};
use crate::issuer::Issuer;
use crate::wire::Metadata;

/// The AM's endpoints, checked: absolute, `https` (or `http` where allowed), no user info, no fragment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    dialect: Dialect,
    authorization: Option<Url>,
    token: Option<Url>,
    registration: Option<Url>,
    introspection: Option<Url>,
    revocation: Option<Url>,
    permission: Option<Url>,
    resources: Option<Url>,
    claims: Option<Url>,
    requester_token: Option<Url>,
    permission_request: Option<Url>,
}

impl Endpoints {
    /// Checks the endpoints that a metadata document names. Errors name members as the document has them.
    pub(crate) fn vet(
        dialect: Dialect,
        metadata: &Metadata,
        issuer: &Issuer,
        allow_http: bool,
        same_origin: bool,
    ) -> Result<Self, Error> {
        let check = |name: &'static str, text: Option<&str>| -> Result<Option<Url>, Error> {
            let Some(text) = text else { return Ok(None) };
            let member = dialect.member(name);
            let refuse = |kind, why| Err(Error::new(kind, format!("member `{member}` {why}")));
            let Ok(url) = Url::parse(text) else {
                return refuse(ErrorKind::Malformed, "is not an absolute URL");
            };
            match url.scheme() {
                "https" => {}
                "http" if allow_http => {}
                "http" => return refuse(ErrorKind::Insecure, "is an http URL"),
                _ => return refuse(ErrorKind::Malformed, "is not an https URL"),
            }
            if !url.has_host()
                || !url.username().is_empty()
                || url.password().is_some()
                || url.fragment().is_some()
            {
                return refuse(
                    ErrorKind::Malformed,
                    "has no host, or has user info or a fragment",
                );
            }
            if same_origin && url.origin() != issuer.url().origin() {
                return refuse(
                    ErrorKind::IssuerMismatch,
                    "is on another origin than the issuer",
                );
            }
            Ok(Some(url))
        };
        check("jwks_uri", metadata.jwks_uri.as_deref())?;
        Ok(Self {
            dialect,
            authorization: check(
                "authorization_endpoint",
                metadata.authorization_endpoint.as_deref(),
            )?,
            token: check("token_endpoint", metadata.token_endpoint.as_deref())?,
            registration: check(
                "registration_endpoint",
                metadata.registration_endpoint.as_deref(),
            )?,
            introspection: check("introspection_endpoint", metadata.introspection())?,
            revocation: check(
                "revocation_endpoint",
                metadata.revocation_endpoint.as_deref(),
            )?,
            permission: check(
                "permission_endpoint",
                metadata.permission_endpoint.as_deref(),
            )?,
            resources: check(
                "resource_registration_endpoint",
                metadata.resource_registration_endpoint.as_deref(),
            )?,
            claims: check(
                "claims_interaction_endpoint",
                metadata.claims_interaction_endpoint.as_deref(),
            )?,
            requester_token: check(
                "requester_token_endpoint",
                metadata.requester_token_endpoint.as_deref(),
            )?,
            permission_request: check(
                "permission_request_endpoint",
                metadata.permission_request_endpoint.as_deref(),
            )?,
        })
    }

    pub(crate) fn authorization(&self) -> Result<&Url, Error> {
        self.offered(self.authorization.as_ref(), "authorization_endpoint")
    }

    pub(crate) fn token(&self) -> Result<&Url, Error> {
        self.offered(self.token.as_ref(), "token_endpoint")
    }

    pub(crate) fn registration(&self) -> Result<&Url, Error> {
        self.offered(self.registration.as_ref(), "registration_endpoint")
    }

    pub(crate) fn introspection(&self) -> Result<&Url, Error> {
        self.offered(self.introspection.as_ref(), "introspection_endpoint")
    }

    pub(crate) fn revocation(&self) -> Result<&Url, Error> {
        self.offered(self.revocation.as_ref(), "revocation_endpoint")
    }

    pub(crate) fn permission(&self) -> Result<&Url, Error> {
        self.offered(self.permission.as_ref(), "permission_endpoint")
    }

    pub(crate) fn resources(&self) -> Result<&Url, Error> {
        self.offered(self.resources.as_ref(), "resource_registration_endpoint")
    }

    pub(crate) fn claims(&self) -> Result<&Url, Error> {
        self.offered(self.claims.as_ref(), "claims_interaction_endpoint")
    }

    pub(crate) fn requester_token(&self) -> Result<&Url, Error> {
        self.offered(self.requester_token.as_ref(), "requester_token_endpoint")
    }

    pub(crate) fn permission_request(&self) -> Result<&Url, Error> {
        self.offered(
            self.permission_request.as_ref(),
            "permission_request_endpoint",
        )
    }

    fn offered<'a>(&self, url: Option<&'a Url>, name: &'static str) -> Result<&'a Url, Error> {
        url.ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                format!("the AM's metadata have no `{}`", self.dialect.member(name)),
            )
        })
    }
}

/// Whether a browser or a token may be sent to a URL that the AM named outside its metadata: `https` (or `http` where
/// allowed), on one of these origins.
pub(crate) fn is_trusted(url: &Url, allow_http: bool, origins: &[&Url]) -> bool {
    let scheme = url.scheme() == "https" || (allow_http && url.scheme() == "http");
    scheme
        && url.username().is_empty()
        && url.password().is_none()
        && origins.iter().any(|origin| origin.origin() == url.origin())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vet(token_endpoint: &str, allow_http: bool, same_origin: bool) -> Result<Endpoints, Error> {
        let metadata = Metadata {
            token_endpoint: Some(token_endpoint.to_owned()),
            ..Metadata::default()
        };
        Endpoints::vet(
            Dialect::Uma2,
            &metadata,
            &Issuer::parse("https://am.example").unwrap(),
            allow_http,
            same_origin,
        )
    }

    /// D3: http is refused, unless it is allowed.
    #[test]
    fn endpoints_are_https() {
        assert_eq!(
            vet("http://am.example/t", false, false).unwrap_err().kind(),
            ErrorKind::Insecure
        );
        assert!(vet("http://am.example/t", true, false).is_ok());
        for bad in [
            "/t",
            "t",
            "ftp://am.example/t",
            "https://u@am.example/t",
            "https://am.example/t#f",
            "javascript:x",
        ] {
            assert_eq!(
                vet(bad, true, false).unwrap_err().kind(),
                ErrorKind::Malformed,
                "{bad}"
            );
        }
        let error = vet("/t", false, false).unwrap_err();
        assert!(error.to_string().contains("`token_endpoint`"), "{error}");
    }

    #[test]
    fn other_origins_are_refused_on_demand() {
        assert!(vet("https://other.example/t", false, false).is_ok());
        assert!(vet("https://other.example/t", false, true).is_err());
        assert!(vet("https://am.example:443/t", false, true).is_ok());
    }

    #[test]
    fn what_is_not_offered_is_named() {
        let error = Endpoints::default().revocation().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("`revocation_endpoint`"));
    }
}
