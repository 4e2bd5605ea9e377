//! The AM of 2012: the UMA core draft 03, with the addresses of the SMART AM.

use axum::routing::{get, post, put};
use http::HeaderMap;

use crate::auth::{Authorization, Pat};
use crate::endpoints::Routes;
use crate::faults::Endpoint;
use crate::reply::ApiError;
use crate::state::State;

mod body;
mod metadata;
mod permission;
mod reply;
mod requester;
mod resources;
mod status;

/// Paths below the issuer.
mod paths {
    pub(super) const CONFIGURATION: &str = "/.well-known/uma-configuration";
    pub(super) const HOST_TOKEN: &str = "/api/oauth/host_token";
    pub(super) const PERMISSION: &str = "/api/uma/permissions_reg";
    pub(super) const PERMISSION_REQUEST: &str = "/api/uma/permissions_grant/ticket";
    pub(super) const REQUESTER_TOKEN: &str = "/api/oauth/requester_token";
    pub(super) const RESOURCES: &str = "/api/uma/resource_reg";
    pub(super) const STATUS: &str = "/api/uma/validation";
}

/// Marks the access tokens of requesters. It is no scope that can be asked for.
const REQUESTER_SCOPE: &str = "requester";

/// The endpoints of the draft.
pub(crate) fn endpoints(routes: Routes<'_>) -> Routes<'_> {
    let sets = format!("{}/resource_set", paths::RESOURCES);
    routes
        .at(
            paths::CONFIGURATION,
            Endpoint::Metadata,
            get(metadata::show),
        )
        .at(
            paths::HOST_TOKEN,
            Endpoint::Token,
            post(requester::host_token),
        )
        .at(
            paths::REQUESTER_TOKEN,
            Endpoint::Token,
            post(requester::own_token),
        )
        .at(
            paths::PERMISSION_REQUEST,
            Endpoint::Token,
            get(requester::by_query).post(requester::by_form),
        )
        .at(paths::STATUS, Endpoint::Introspect, post(status::ask))
        .at(
            paths::PERMISSION,
            Endpoint::Permission,
            post(permission::register),
        )
        .at(&sets, Endpoint::Resource, get(resources::list))
        .at(
            &format!("{sets}/{{id}}"),
            Endpoint::Resource,
            put(resources::write)
                .get(resources::read)
                .delete(resources::delete),
        )
}

/// The host's token of a call. It has no scope: every access token is one that is not a requester's.
fn hat(state: &State, headers: &HeaderMap, now_ms: i64) -> Result<Pat, ApiError> {
    let Authorization::Bearer(token) = Authorization::read(headers)? else {
        return Err(ApiError::invalid_token(false));
    };
    match state.access_tokens.get(&token, now_ms) {
        Some((token, _)) if !token.scopes.iter().any(|scope| scope == REQUESTER_SCOPE) => Ok(Pat {
            owner: token.party.clone(),
            host: token.client_id.clone(),
        }),
        _ => Err(ApiError::invalid_token(true)),
    }
}
