//! The metadata document, read into the endpoints that all dialects share.

use bytes::Bytes;
use http::Response;

use super::shape;
use super::wire::{Configuration, TOKEN_TYPE, VERSION};
use crate::error::{Error, ErrorKind};
use crate::wire::Metadata;

pub(in crate::dialect) fn read_metadata(response: &Response<Bytes>) -> Result<Metadata, Error> {
    let document: Configuration = shape::object(response)?;
    let unsupported =
        |why: &'static str| Error::new(ErrorKind::Unsupported, why).with_status(response.status());
    if document.version != VERSION {
        return Err(unsupported("member `version` is not 1.0"));
    }
    if !document
        .token_types_supported
        .iter()
        .any(|kind| kind == TOKEN_TYPE)
    {
        return Err(unsupported(
            "member `token_types_supported` does not hold artifact",
        ));
    }
    let registers = match document.dynamic_client_registration_supported.as_deref() {
        None | Some("yes") => true,
        Some("no") => false,
        Some(_) => {
            return Err(shape::malformed(
                response,
                "member `dynamic_client_registration_supported` is neither yes nor no",
            ));
        }
    };
    Ok(Metadata {
        issuer: document.issuer,
        authorization_endpoint: document.host_user_endpoint,
        token_endpoint: document.host_token_endpoint,
        registration_endpoint: document
            .client_dynamic_registration_endpoint
            .filter(|_| registers),
        introspection_endpoint: document.token_status_endpoint,
        permission_endpoint: document.permission_registration_endpoint,
        resource_registration_endpoint: document.resource_set_registration_endpoint,
        requester_token_endpoint: document.requester_token_endpoint,
        permission_request_endpoint: document.permission_request_endpoint,
        grant_types_supported: document.host_grant_types_supported,
        ..Metadata::default()
    })
}

/// The draft's name of a metadata member of UMA 2.0.
pub(in crate::dialect) fn member(name: &'static str) -> &'static str {
    match name {
        "authorization_endpoint" => "host_user_endpoint",
        "introspection_endpoint" => "token_status_endpoint",
        "permission_endpoint" => "permission_registration_endpoint",
        "registration_endpoint" => "client_dynamic_registration_endpoint",
        "resource_registration_endpoint" => "resource_set_registration_endpoint",
        "token_endpoint" => "host_token_endpoint",
        other => other,
    }
}
