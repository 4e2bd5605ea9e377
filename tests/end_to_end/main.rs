//! The demo host as a process, authorization managers on sockets of their own, and plain HTTP clients with cookie jars.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod am;
mod app;
mod command_line;
mod cross_origin;
mod faults;
mod host;
mod old_am;
mod pages;
mod paths;
mod person;
mod restart;
mod story;
mod three_ams;
mod two_ams;
