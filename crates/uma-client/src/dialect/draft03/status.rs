//! The token status, read as an introspection.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, EXPIRES};
use http::{HeaderMap, Method, Request, Response, StatusCode};

use super::resources::call;
use super::scopes_from_wire;
use super::shape::{self, Shape, malformed, shape};
use super::wire::{GrantedPermission, InvalidToken, TokenStatusRequest, media};
use crate::answer::{self, Credential};
use crate::client::{Introspection, IntrospectionCredential, with_body};
use crate::dialect::Context;
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use crate::wire::{IntrospectionResponse, MAX_EPOCH_SECONDS, Permission};

pub(in crate::dialect) fn introspect(
    context: &Context<'_>,
    credential: IntrospectionCredential<'_>,
    token: &Secret,
) -> Result<Request<Bytes>, Error> {
    let IntrospectionCredential::Pat(pat) = credential else {
        return Err(Error::new(
            ErrorKind::Config,
            "the token status is asked for with the host's token of an owner",
        ));
    };
    let question = TokenStatusRequest {
        token: token.clone(),
        resource_set_id: None,
        host_id: None,
        ipaddr: None,
    };
    let body = serde_json::to_vec(&question).map_err(|error| {
        Error::new(ErrorKind::Config, "the question cannot be written").with_source(error)
    })?;
    let url = context.endpoints.introspection()?;
    let request =
        call(Method::POST, url, pat, media::TOKEN_STATUS)?.header(CONTENT_TYPE, "application/json");
    with_body(request, body)
}

/// An array is a good token, an object a bad one; nothing else is either.
pub(in crate::dialect) fn introspected(
    context: &Context<'_>,
    response: &Response<Bytes>,
) -> Result<Introspection, Error> {
    if response.status() != StatusCode::OK {
        return Err(answer::refusal(context.profile, Credential::Pat, response));
    }
    if shape(response)? == Shape::Object {
        let invalid: InvalidToken = answer::json(response)?;
        return if invalid.token_status == "invalid" {
            Ok(Introspection::Inactive)
        } else {
            Err(malformed(
                response,
                "member `token_status` is not invalid, and the body is no array of permissions",
            ))
        };
    }
    let granted: Vec<GrantedPermission> = shape::array(response)?;
    let mut permissions = Vec::with_capacity(granted.len());
    for entry in granted {
        if !(0..=MAX_EPOCH_SECONDS).contains(&entry.exp) {
            return Err(malformed(
                response,
                "member `exp` is not a time in seconds since 1970",
            ));
        }
        permissions.push(Permission {
            resource_id: entry.resource_set_id,
            resource_scopes: scopes_from_wire(context, entry.scopes),
            exp: Some(entry.exp),
            ..Permission::default()
        });
    }
    Ok(Introspection::Active(IntrospectionResponse {
        active: true,
        permissions: Some(permissions),
        // The answer is made for the host whose token asked, and names no audience: it is this client's.
        aud: context
            .credentials
            .map(|credentials| credentials.client_id.clone())
            .into_iter()
            .collect(),
        fresh_for: fresh_for(response.headers()),
        ..IntrospectionResponse::default()
    }))
}

/// How long an answer may be used (RFC 9111 section 4.2): `max-age` less `Age`; not at all where the AM forbids it, or says
/// it in a way that is not read here (`Expires`). `None` where it says nothing.
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let mut max_age = None;
    let values = headers
        .get_all(CACHE_CONTROL)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    for directive in values.flat_map(|value| value.split(',')) {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(Duration::ZERO),
            "max-age" => {
                let seconds = argument.trim().trim_matches('"').parse().unwrap_or(0);
                max_age = Some(max_age.map_or(seconds, |least: u64| least.min(seconds)));
            }
            _ => {}
        }
    }
    match max_age {
        Some(seconds) => Some(Duration::from_secs(seconds.saturating_sub(age(headers)))),
        None if headers.contains_key(EXPIRES) => Some(Duration::ZERO),
        None => None,
    }
}

/// How old an answer is already.
fn age(headers: &HeaderMap) -> u64 {
    let Some(age) = headers.get(AGE) else {
        return 0;
    };
    let seconds = age.to_str().ok().and_then(|text| text.trim().parse().ok());
    seconds.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freshness_is_never_longer_than_the_am_says() {
        let fresh = |fields: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, value.parse().unwrap());
            }
            fresh_for(&headers).map(|life| life.as_secs())
        };
        assert_eq!(fresh(&[]), None);
        assert_eq!(fresh(&[("cache-control", "private")]), None);
        assert_eq!(fresh(&[("cache-control", "private, max-age=3")]), Some(3));
        assert_eq!(fresh(&[("cache-control", "Max-Age=\"3\"")]), Some(3));
        assert_eq!(
            fresh(&[
                ("cache-control", "max-age=30"),
                ("cache-control", "max-age=3")
            ]),
            Some(3)
        );
        assert_eq!(
            fresh(&[("cache-control", "max-age=30"), ("age", "20")]),
            Some(10)
        );
        assert_eq!(
            fresh(&[("cache-control", "max-age=30"), ("age", "40")]),
            Some(0)
        );
        for none in [
            "no-store",
            "no-cache",
            "max-age=30, no-store",
            "max-age=x",
            "max-age=-1",
        ] {
            assert_eq!(fresh(&[("cache-control", none)]), Some(0), "{none}");
        }
        assert_eq!(
            fresh(&[("cache-control", "max-age=30"), ("age", "x")]),
            Some(0)
        );
        assert_eq!(
            fresh(&[("expires", "Wed, 21 Oct 2065 07:28:00 GMT")]),
            Some(0)
        );
        assert_eq!(
            fresh(&[("expires", "0"), ("cache-control", "max-age=30")]),
            Some(30)
        );
    }
}
