//! UMA 2.0.

use url::Url;

use crate::error::{Error, ErrorKind};
use crate::issuer::Issuer;
use crate::profile::AmProfile;

mod exchange;
mod permission;
mod refusal;
mod resources;

pub(super) use exchange::{exchange, exchanged, own_token};
pub(super) use permission::{ask, asked, introspect, introspected};
pub(super) use refusal::refusal;
pub(super) use resources::{
    create, created, delete, deleted, list, listed, read, read_back, update, updated,
};

/// The append rule (UMA 2.0 Grant section 2): the issuer without one trailing slash, and the well-known path behind it.
/// An explicit URL takes the place of the first document.
pub(super) fn metadata_urls(
    issuer: &Issuer,
    explicit: Option<&Url>,
    profile: &AmProfile,
) -> Result<Vec<Url>, Error> {
    let base = issuer.as_str().strip_suffix('/').unwrap_or(issuer.as_str());
    let mut urls = Vec::with_capacity(profile.metadata_documents.len());
    for (i, name) in profile.metadata_documents.iter().enumerate() {
        match explicit {
            Some(url) if i == 0 => urls.push(url.clone()),
            _ => {
                let url = Url::parse(&format!("{base}/.well-known/{name}"));
                urls.push(url.map_err(|_| {
                    Error::new(
                        ErrorKind::Config,
                        "the profile's metadata document has no URL",
                    )
                })?);
            }
        }
    }
    Ok(urls)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D1: the path is appended, not inserted, and one slash is stripped.
    #[test]
    fn append_rule() {
        let urls = |issuer: &str, profile: &AmProfile| {
            let urls = metadata_urls(&Issuer::parse(issuer).unwrap(), None, profile).unwrap();
            urls.into_iter().map(String::from).collect::<Vec<_>>()
        };
        let uma2 = AmProfile::uma2();
        assert_eq!(
            urls("https://am.example", &uma2),
            ["https://am.example/.well-known/uma2-configuration"]
        );
        assert_eq!(
            urls("https://am.example/", &uma2),
            ["https://am.example/.well-known/uma2-configuration"]
        );
        assert_eq!(
            urls("https://am.example/realms/x/", &uma2),
            ["https://am.example/realms/x/.well-known/uma2-configuration"]
        );
        assert_eq!(
            urls("https://am.example/x//", &uma2),
            ["https://am.example/x//.well-known/uma2-configuration"]
        );
        assert_eq!(
            urls("https://am.example/realms/x", &AmProfile::keycloak()),
            [
                "https://am.example/realms/x/.well-known/uma2-configuration",
                "https://am.example/realms/x/.well-known/openid-configuration"
            ]
        );
    }
}
