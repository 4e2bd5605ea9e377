//! The UMA core draft 03 of February 2012: what Puma and the SMART AM spoke.
//!
//! The host chooses the id of a resource set and puts it into the path; every set has a revision (`ETag`, `_rev`), without
//! which it is neither changed nor deleted. The token status is JSON for JSON. A requester shows a token of its own first, and
//! gets a ticket only for a token that is good and too weak. Bodies are sent with the types of [`wire::media`] and read from
//! any JSON type.

use std::borrow::Cow;

use oauth2::CsrfToken;
use url::Url;

use crate::dialect::{Context, TokenState};
use crate::error::{Error, ErrorKind};
use crate::ids::ResourceId;
use crate::issuer::Issuer;
use crate::profile::AmProfile;

mod bearer;
mod metadata;
mod permission;
mod refusal;
mod requester;
mod resources;
mod revision;
mod shape;
mod status;
pub mod wire;

pub(super) use bearer::legacy_token;
pub(super) use metadata::{member, read_metadata};
pub(super) use permission::{ask, asked};
pub(super) use refusal::refusal;
pub(super) use requester::{exchange, exchange_needs_token, exchanged, own_token, own_token_given};
pub(super) use resources::{
    create, created, delete, deleted, list, listed, read, read_back, update, updated,
};
pub(super) use status::{introspect, introspected};

/// Name of the metadata document below `/.well-known/`.
const DOCUMENT: &str = "uma-configuration";

/// The draft to the letter: the host's token has no scope, one permission for a ticket, name, icon and scopes of a resource.
pub(super) fn profile() -> AmProfile {
    AmProfile {
        name: Cow::Borrowed("draft03"),
        metadata_documents: vec![Cow::Borrowed(DOCUMENT)],
        pat_scope: None,
        token_type_hint: None,
        several_permissions: false,
        sends_description: false,
        ..AmProfile::uma2()
    }
}

/// Only a token that is good and too weak earns a ticket: who shows none, or a bad one, first fetches one.
pub(super) fn needs_ticket(token: TokenState) -> bool {
    token == TokenState::Insufficient
}

/// One document, at the AM's root in the draft; appended to the issuer here, which for an issuer without a path is the same.
pub(super) fn metadata_urls(issuer: &Issuer, explicit: Option<&Url>) -> Result<Vec<Url>, Error> {
    if let Some(url) = explicit {
        return Ok(vec![url.clone()]);
    }
    let base = issuer.as_str().strip_suffix('/').unwrap_or(issuer.as_str());
    let url = Url::parse(&format!("{base}/.well-known/{DOCUMENT}")).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            "the issuer has no URL for its metadata document",
        )
    })?;
    Ok(vec![url])
}

/// The host's id for a resource set, or 128 random bits.
pub(super) fn propose(proposed: Option<&ResourceId>) -> Result<ResourceId, Error> {
    match proposed {
        Some(id) => Ok(id.clone()),
        None => ResourceId::parse(CsrfToken::new_random_len(16).secret()),
    }
}

/// A scope as it goes to the AM: the URL of its document.
fn scope_to_wire(context: &Context<'_>, scope: &str) -> String {
    match &context.profile.scope_base {
        Some(base) if !is_web_url(scope) => format!("{base}{scope}"),
        _ => scope.to_owned(),
    }
}

/// A scope as the host knows it.
fn scope_from_wire(context: &Context<'_>, scope: String) -> String {
    let base = context.profile.scope_base.as_deref();
    let own = base
        .and_then(|base| scope.strip_prefix(base))
        .filter(|own| !own.is_empty() && !is_web_url(own))
        .map(str::to_owned);
    own.unwrap_or(scope)
}

fn scopes_from_wire(context: &Context<'_>, scopes: Vec<String>) -> Vec<String> {
    scopes
        .into_iter()
        .map(|scope| scope_from_wire(context, scope))
        .collect()
}

fn is_web_url(scope: &str) -> bool {
    scope.starts_with("https://") || scope.starts_with("http://")
}

#[cfg(test)]
mod tests;
