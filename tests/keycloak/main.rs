//! Host One against a real Keycloak, which `scripts/keycloak` starts and, when the tests have ended, stops.
//!
//! Where it can't be had (exit code 4 of the script) the tests are skipped, in one line. `WARDEN_KEYCLOAK_VERSION` chooses
//! another version than the default.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, reason = "shared with the end-to-end tests")]
#[path = "../end_to_end/host.rs"]
mod host;
#[allow(dead_code, reason = "shared with the end-to-end tests")]
#[path = "../end_to_end/person.rs"]
mod person;

mod browser;
mod realm;
mod server;
mod shared;
mod tools;

mod clients;
mod connection;
mod documented;
mod figures;
mod outage;
mod registration;
mod revocation;
mod story;
