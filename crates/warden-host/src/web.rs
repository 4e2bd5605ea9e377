//! The pages: choose an AM, share, see what is shared, stop sharing, and a mini panel to stand beside a resource.
//!
//! They work without JavaScript, with a keyboard and with a screen reader, in light and dark, from 320 px up. They say what
//! the host knows, and never claim to know the owner's policy: that is kept at the AM.
//!
//! # Routes
//!
//! Forms are `application/x-www-form-urlencoded`, at most 64 KiB; unknown fields are ignored.
//!
//! | route | fields | done | not done |
//! |---|---|---|---|
//! | `GET /uma/connect` | `return_to` | 200 | - |
//! | `POST /uma/connect` | `am` (an issuer, or empty and `am_url`), `return_to` | 303 to the AM | 400 nothing chosen; 409 still sharing through another AM; 422 an AM that this host does not work with; 502 not reached or unfit, in one text |
//! | `GET /uma/callback/{am_key}` | `code`, `state`, `iss`, `error` | 303 back, `notice=connected` | 400 not an answer to what this owner and session began; 403 declined at the AM; 405 for `HEAD`; 502 the AM's trouble |
//! | `GET /uma/share` | `uri`, `name`, and those of the next row | 200 | 400 no `uri`; 403 not hers; 422 no path, or under no guard |
//! | `POST /uma/register-resource` | `uri`, `resource_name`; `description`, `icon_uri`, `scopes` (repeatable), `subtree=on`, `return_to` | 303 back, `notice=shared` or `pending` | 303 to `/uma/connect`, which leads back to the filled-in form, without a working connection (409 for JSON); 400 a field is missing; 403 not hers; 409 shared by somebody else; 422 a field cannot be used; 502 the AM did not answer or refused |
//! | `GET /uma/stop-sharing` | `uri` (repeatable), `return_to` | 200: what will happen | 404 not shared; 400, 403, 422 as above |
//! | `POST /uma/stop-sharing` | `uri` (repeatable), `return_to` | 303 back, `notice=stopped`, `stopped-several` or `not-shared` | 400 no `uri`, or more than 100; 403 not hers; 422 no path, or under no guard |
//! | `GET /uma/resources` | `q`, `state` (`protected`, `pending`, `problem`), `am`, `page` | 200: a page of 50, or with `Accept: application/json` all as an array | 400 a field repeated |
//! | `GET /internal/uma_mini_panel` | `uri`, `name`, `return_to`, `fragment=1` | 200 | 400, 403, 422 as above, in the panel |
//! | `GET /uma/assets/warden.css` | - | 200, 304 | - |
//! | `GET /uma/scopes/{scope}` | - | 200: the description of a scope, for AMs (`application/uma-scope+json`); nobody need be signed in | 404 no scope |
//!
//! All routes but the last two: 401 or 303 to the sign-in page when nobody is signed in (303 for pages; 401 for forms, for the mini panel
//! and for JSON), 403 for a form sent by another site's page, 413 and 415 for what is no such form, 503 and 500 when the
//! host's own store is in trouble. Forms come back filled in, with the message beside the field. Whoever prefers
//! `application/json` gets refusals as `application/problem+json` (RFC 9457) with a member `field`.
//!
//! "Back" is `return_to` if that is a path of this site, else the page of this site that the `Referer` names, else
//! `/uma/resources`. What was done is told there by a code in the query (`notice=shared`); [`notice_text`] gives its
//! sentence.
//!
//! # Protection
//!
//! * State changes by POST alone. A browser's POST must come from this site (`Sec-Fetch-Site`, else `Origin`); a script that
//!   sends neither may post. `uri` and `name` are never trusted: owner and guard are looked up on each action.
//! * No page may be framed, but for the mini panel by those that [`WebBuilder::frame_ancestors`] names. What it shares lies
//!   one click away, so name no site there that you do not trust; stopping leads out of the frame to a page that asks.
//! * `Cache-Control: no-store`, `X-Content-Type-Options: nosniff`, `Referrer-Policy: same-origin` and a
//!   `Content-Security-Policy` without scripts on all pages.
//! * Links to an AM are https (http only for an AM that is itself met over http), open a new tab, and pass no opener.
//!
//! # The mini panel
//!
//! ```html
//! <iframe src="/internal/uma_mini_panel?uri=%2Fapi%2Falbums%2F1&amp;name=Summer" title="Sharing of Summer"></iframe>
//! ```
//!
//! or, put into a page by the host itself, the answer to the same with `&fragment=1`, which is one `<section>` that is
//! styled by `/uma/assets/warden.css`. In a frame the panel learns from the `Referer` where to lead back to; give
//! `return_to` where the page's `Referrer-Policy` hides that, and always with a fragment.
//!
//! # Use
//!
//! ```
//! use http::request::Parts;
//! use tower_warden::OwnerId;
//! use warden_host::Host;
//! use warden_host::web::{self, CurrentOwner, SignedIn};
//!
//! /// Who is signed in, as the host's session layer has put it into the request.
//! #[derive(Clone)]
//! struct Session {
//!     user: String,
//!     id: String,
//! }
//!
//! #[derive(Clone)]
//! struct Sessions;
//!
//! impl CurrentOwner for Sessions {
//!     async fn current(&self, parts: &Parts) -> Option<SignedIn> {
//!         let session = parts.extensions.get::<Session>()?;
//!         Some(SignedIn::new(OwnerId::new(session.user.as_str()), session.id.as_str()))
//!     }
//!
//!     fn sign_in_path(&self) -> &str {
//!         "/login"
//!     }
//! }
//!
//! fn app(host: Host) -> Result<axum::Router, web::BuildError> {
//!     let pages = web::router(host, Sessions).title("Host One").build()?;
//!     Ok(axum::Router::new().merge(pages))
//! }
//! # let _ = app;
//! ```

mod access;
mod assets;
mod builder;
mod connect;
mod connection;
mod current;
mod date;
mod edit;
mod failure;
mod forms;
mod headers;
mod list;
mod look;
mod lookup;
mod model;
mod pages;
mod panel;
mod problems;
mod resource;
mod returns;
mod scopes;
mod share;
mod stop;
mod text;
mod undo;

pub use builder::{BuildError, WebBuilder};
pub use current::{CurrentOwner, SignedIn};
pub use text::notice_text;

use crate::Host;

/// Begins to set up the pages of `host`, for the people whom `current` knows.
pub fn router(host: Host, current: impl CurrentOwner) -> WebBuilder {
    WebBuilder::new(host, current)
}

#[cfg(test)]
mod tests;
