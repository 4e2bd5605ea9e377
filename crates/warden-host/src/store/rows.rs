//! Rows as they stand in the database, and as records.

use tower_warden::{MapId, OwnerId, Site};
use uma_client::{Issuer, ResourceId, Scope, Scopes};
use url::Url;

use crate::maps::path_of_key;
use crate::store::{MapRecord, RowState};

/// The columns of [`RawMap`], for `SELECT … FROM warden_resource_map AS m JOIN warden_am AS a …`.
macro_rules! map_columns {
    () => {
        "m.id, m.site, m.path_key, m.subtree, m.owner, a.issuer, m.resource_id, m.marker, m.name, \
         m.registered_name, m.description, m.icon_uri, m.scopes, m.policy_uri, m.state, m.synced, \
         m.perhaps, m.problem, m.attempts, m.generation, m.changed_epoch, m.created, m.withheld, m.revision"
    };
}
pub(super) use map_columns;

/// `SELECT` of whole map rows, up to the conditions.
macro_rules! select_maps {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            $crate::store::rows::map_columns!(),
            " FROM warden_resource_map AS m JOIN warden_am AS a ON a.am_key = m.am_key ",
            $rest
        )
    };
}
pub(super) use select_maps;

#[derive(sqlx::FromRow)]
pub(super) struct RawMap {
    id: i64,
    site: String,
    path_key: String,
    subtree: bool,
    owner: String,
    issuer: String,
    resource_id: Option<String>,
    marker: String,
    name: String,
    registered_name: Option<String>,
    description: Option<String>,
    icon_uri: Option<String>,
    scopes: String,
    policy_uri: Option<String>,
    state: String,
    synced: bool,
    perhaps: bool,
    problem: Option<String>,
    attempts: i64,
    generation: i64,
    changed_epoch: i64,
    created: i64,
    withheld: bool,
    revision: Option<String>,
}

impl RawMap {
    /// The record. What can't be understood makes the record a broken one, not the reading an error. `None` would
    /// mean that a stand-in can't be read, which does not come about.
    pub(super) fn record(self) -> Option<MapRecord> {
        let mut broken = false;
        let issuer = if let Ok(issuer) = Issuer::parse(&self.issuer) {
            issuer
        } else {
            broken = true;
            Issuer::parse("https://unreadable.invalid").ok()?
        };
        let scopes = if let Some(scopes) = scopes_from_json(&self.scopes) {
            scopes
        } else {
            broken = true;
            Scopes::from_scopes(vec![Scope::parse("unreadable").ok()?])?
        };
        let resource_id = match self.resource_id.as_deref().map(ResourceId::parse) {
            Some(Ok(id)) => Some(id),
            None => None,
            Some(Err(_)) => {
                broken = true;
                None
            }
        };
        let state = RowState::parse(&self.state).unwrap_or_else(|| {
            broken = true;
            RowState::Suspect
        });
        let known_key = path_of_key(&self.path_key).is_some();
        if !known_key || (state == RowState::Active && resource_id.is_none()) {
            broken = true;
        }
        if broken {
            tracing::error!(
                map = self.id,
                "a stored resource map can't be understood; its path is denied"
            );
        }
        Some(MapRecord {
            id: MapId::new(self.id.unsigned_abs()),
            site: Site::new(self.site),
            path_key: self.path_key,
            subtree: self.subtree,
            owner: OwnerId::new(self.owner),
            issuer,
            resource_id,
            marker: self.marker,
            name: self.name,
            registered_name: self.registered_name,
            description: self.description,
            icon_uri: self.icon_uri,
            scopes,
            policy_uri: self.policy_uri.and_then(|uri| Url::parse(&uri).ok()),
            revision: self.revision,
            state,
            synced: self.synced,
            perhaps: self.perhaps,
            problem: self.problem,
            attempts: self.attempts,
            generation: self.generation,
            changed_epoch: self.changed_epoch,
            created: self.created,
            withheld: self.withheld,
            broken,
        })
    }
}

pub(super) fn scopes_from_json(json: &str) -> Option<Scopes> {
    let texts: Vec<String> = serde_json::from_str(json).ok()?;
    Scopes::parse(texts.iter().map(String::as_str)).ok()
}

pub(super) fn scopes_to_json(scopes: &Scopes) -> String {
    serde_json::Value::from(scopes.to_strings()).to_string()
}
