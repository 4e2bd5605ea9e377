//! The pages of Host One in Chromium, as people use them.
//!
//! Where Chromium and its driver are missing, the tests are skipped, in one line; `WARDEN_BROWSER=1` makes that an error.
//! `WARDEN_CHROMIUM` and `WARDEN_CHROMEDRIVER` name other programs than those in `PATH`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, reason = "shared with the end-to-end tests")]
#[path = "../end_to_end/app.rs"]
mod app;
#[allow(dead_code, reason = "shared with the end-to-end tests")]
#[path = "../end_to_end/host.rs"]
mod host;
#[allow(dead_code, reason = "shared with the end-to-end tests")]
#[path = "../end_to_end/person.rs"]
mod person;

mod axe;
mod browser;
mod driver;
mod focus;
mod gallery;
mod picture;
mod scene;

mod every_page;
mod frames;
mod haste;
mod screenshots;
mod story;
