//! Several Host Ones on one Postgres, with faults between and below them.
//!
//! `scripts/postgres` starts the servers and, when the tests have ended, stops them. Where there is no Postgres the tests
//! are skipped, in one line; with `WARDEN_POSTGRES=1` they fail instead. Names begin with the row of the fault plan
//! that a test is for.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, reason = "shared with the end-to-end tests")]
#[path = "../end_to_end/am.rs"]
mod am;
#[allow(dead_code, reason = "shared with the end-to-end tests")]
#[path = "../end_to_end/host.rs"]
mod host;
#[allow(dead_code, reason = "shared with the end-to-end tests")]
#[path = "../end_to_end/person.rs"]
mod person;

mod nodes;
mod pooler;
mod postgres;
mod proxy;
mod wire;

mod away;
mod listening;
mod once;
mod spreading;

mod soak;
