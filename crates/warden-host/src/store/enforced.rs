//! Rows as enforcement reads them: all of them at every start, so what is the same in many is read once.

use std::collections::HashMap;

use tower_warden::{MapId, OwnerId, Site};
use uma_client::{Issuer, ResourceId, Scope, Scopes};

use super::rows::scopes_from_json;
use crate::store::{EnforcedRecord, RowState};

/// A row, in the order of its columns. Borrowed, and read by position: a snapshot reads a million of them.
pub(super) struct RawEnforced<'r> {
    pub(super) id: i64,
    pub(super) site: &'r str,
    pub(super) path_key: &'r str,
    pub(super) subtree: bool,
    pub(super) owner: &'r str,
    pub(super) issuer: &'r str,
    pub(super) resource_id: Option<&'r str>,
    pub(super) scopes: &'r str,
    pub(super) state: &'r str,
    pub(super) withheld: bool,
}

/// Reads rows, and remembers what many of them have in common.
#[derive(Default)]
pub(super) struct Reader {
    sites: HashMap<String, Site>,
    owners: HashMap<String, OwnerId>,
    issuers: HashMap<String, Option<Issuer>>,
    scopes: HashMap<String, Option<Scopes>>,
}

/// The value for a text; made once.
fn known<T: Clone>(known: &mut HashMap<String, T>, text: &str, make: impl FnOnce(&str) -> T) -> T {
    if let Some(value) = known.get(text) {
        return value.clone();
    }
    let value = make(text);
    known.insert(text.to_owned(), value.clone());
    value
}

impl Reader {
    /// The record. What can't be understood is denied, and spoils no other. `None` would mean that a stand-in can't be
    /// read, which does not come about.
    pub(super) fn record(&mut self, row: &RawEnforced<'_>) -> Option<EnforcedRecord> {
        let issuer = known(&mut self.issuers, row.issuer, |text| {
            Issuer::parse(text).ok()
        });
        let scopes = known(&mut self.scopes, row.scopes, scopes_from_json);
        let state = RowState::parse(row.state);
        let resource_id = row.resource_id.map(ResourceId::parse);
        let broken = issuer.is_none()
            || scopes.is_none()
            || state.is_none()
            || matches!(resource_id, Some(Err(_)))
            || (state == Some(RowState::Active) && resource_id.is_none());
        if broken {
            tracing::error!(
                map = row.id,
                "a stored resource map can't be understood; its path is denied"
            );
        }
        let issuer = match issuer {
            Some(issuer) => issuer,
            None => Issuer::parse("https://unreadable.invalid").ok()?,
        };
        let scopes = match scopes {
            Some(scopes) => scopes,
            None => Scopes::from_scopes(vec![Scope::parse("unreadable").ok()?])?,
        };
        Some(EnforcedRecord {
            id: MapId::new(row.id.unsigned_abs()),
            site: known(&mut self.sites, row.site, |text| Site::new(text)),
            path_key: row.path_key.to_owned(),
            subtree: row.subtree,
            owner: known(&mut self.owners, row.owner, |text| OwnerId::new(text)),
            issuer,
            resource_id: resource_id.and_then(Result::ok),
            scopes,
            state: state.unwrap_or(RowState::Suspect),
            denied: broken || row.withheld,
        })
    }
}
