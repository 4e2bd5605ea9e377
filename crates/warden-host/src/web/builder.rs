//! Putting the router together.

use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use http::request::Parts;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use url::Url;

use super::current::{AnyCurrent, CurrentOwner};
use super::failure::{self, Failure};
use super::forms::MAX_FORM_BYTES;
use super::look::{Look, Slot};
use super::pages::Pages;
use super::{
    access, assets, connect, connection, edit, headers, list, panel, problems, resource, scopes,
    share, stop, text, undo,
};
use crate::{Host, ReturnPath};

/// How long a page waits for other nodes.
const PATIENCE: Duration = Duration::from_secs(3);

/// The pages of a host, still to be set up; [`build`](Self::build) makes the router.
#[must_use]
pub struct WebBuilder {
    host: Host,
    current: Box<dyn AnyCurrent>,
    title: String,
    home: String,
    stylesheet: Option<String>,
    header: Slot,
    footer: Slot,
    unprotected: String,
    frame_ancestors: Vec<String>,
    trusted_origins: Vec<String>,
}

impl WebBuilder {
    pub(crate) fn new(host: Host, current: impl CurrentOwner) -> Self {
        Self {
            host,
            current: Box::new(current),
            title: text::DEFAULT_TITLE.to_owned(),
            home: "/".to_owned(),
            stylesheet: None,
            header: Slot::default(),
            footer: Slot::default(),
            unprotected: text::UNPROTECTED_MEANS.to_owned(),
            frame_ancestors: vec!["'self'".to_owned()],
            trusted_origins: Vec::new(),
        }
    }

    /// Sets the name of the site, as it stands at the head and in the title of each page.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets where the name of the site leads: a path of this site, `/` by default.
    pub fn home(mut self, path: impl Into<String>) -> Self {
        self.home = path.into();
        self
    }

    /// Adds a stylesheet of the host's own behind that of the pages: a path of this site, or an https URL.
    ///
    /// The pages take their colours and measures from the CSS variables at the head of `/uma/assets/warden.css`, so that
    /// a few lines give them another look.
    pub fn stylesheet(mut self, href: impl Into<String>) -> Self {
        self.stylesheet = Some(href.into());
        self
    }

    /// Puts HTML of the host's own above the pages, such as who is signed in and how to sign out. It is made for each
    /// request and goes out as it is: escape what people wrote. Scripts and inline styles in it do not run, by the pages'
    /// `Content-Security-Policy`. The mini panel goes without.
    pub fn header(mut self, html: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        self.header = Slot::new(html);
        self
    }

    /// Puts HTML of the host's own below the pages; as [`header`](Self::header).
    pub fn footer(mut self, html: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        self.footer = Slot::new(html);
        self
    }

    /// Says what it means at this host that something is not shared, as a sentence for owners: who gets at it then. Without,
    /// it is "It follows this site’s own rules."
    pub fn unprotected_means(mut self, sentence: impl Into<String>) -> Self {
        self.unprotected = sentence.into();
        self
    }

    /// Sets which pages may hold the mini panel in a frame: `'self'` (the default), or origins such as
    /// `https://portal.example`. None at all forbids framing. All other pages can never be framed.
    ///
    /// A session cookie that is `SameSite=Lax` or stricter reaches the panel on pages of the same site alone.
    pub fn frame_ancestors<S: Into<String>>(
        mut self,
        sources: impl IntoIterator<Item = S>,
    ) -> Self {
        self.frame_ancestors = sources.into_iter().map(Into::into).collect();
        self
    }

    /// Lets pages of another origin, such as `https://portal.example`, send the forms.
    pub fn trusted_origin(mut self, origin: impl Into<String>) -> Self {
        self.trusted_origins.push(origin.into());
        self
    }

    /// Makes the router. It is to be merged into the host's own router (`Router::merge`), not nested: its paths are
    /// absolute.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that names the setting at fault.
    pub fn build(self) -> Result<Router, BuildError> {
        if ReturnPath::parse(&self.home).is_none() {
            return Err(BuildError::new(
                "home",
                &self.home,
                "is no path of this site",
            ));
        }
        if let Some(href) = &self.stylesheet
            && ReturnPath::parse(href).is_none()
            && !Url::parse(href).is_ok_and(|url| url.scheme() == "https")
        {
            let problem = "is neither a path of this site nor an https URL";
            return Err(BuildError::new("stylesheet", href, problem));
        }
        let frame_ancestors = ancestors(&self.frame_ancestors)?;
        let mut csrf = CsrfLayer::new();
        for origin in &self.trusted_origins {
            csrf = csrf
                .add_trusted_origin(origin)
                .map_err(|_| BuildError::new("trusted_origin", origin, "is no origin"))?;
        }
        let look = Look {
            title: self.title,
            home: self.home,
            stylesheet: self.stylesheet,
            header: self.header,
            footer: self.footer,
            unprotected: self.unprotected,
            frame_ancestors,
        };
        // Who waits for a page is better told that something is under way.
        let host = self.host.with_patience(PATIENCE);
        let pages = Pages::new(host, self.current, look);
        let for_csrf = pages.clone();
        let csrf = csrf.with_rejection_response(move |_: ProtectionError| -> Response {
            failure::page(&for_csrf, None, &Failure::cross_site())
        });
        let for_headers = pages.clone();
        let protect = middleware::from_fn(move |request: Request, next: Next| {
            let pages = for_headers.clone();
            async move {
                let response = next.run(request).await;
                headers::protect(response, pages.look().stylesheet.as_deref())
            }
        });
        // Layers on routes leave the host's own fallback alone. The last one is the outermost.
        let router = Router::new()
            .route("/uma/connect", get(connect::choose).post(connect::connect))
            .route(
                "/uma/callback/{am_key}",
                get(connect::callback).head(connect::callback_head),
            )
            .route("/uma/share", get(share::form))
            .route("/uma/register-resource", post(share::register))
            .route("/uma/stop-sharing", get(stop::ask).post(stop::stop))
            .route("/uma/share-again", post(undo::share_again))
            .route("/uma/edit", get(edit::edit))
            .route("/uma/resources", get(list::list))
            .route("/uma/resource", get(resource::resource))
            .route("/uma/access", get(access::access))
            .route("/uma/access.csv", get(access::csv))
            .route("/uma/access.json", get(access::json))
            .route("/uma/connection", get(connection::connection))
            .route(
                "/uma/disconnect",
                get(connection::ask).post(connection::disconnect),
            )
            .route(
                "/uma/move",
                get(connect::choose_move).post(connect::begin_move),
            )
            .route("/uma/move/cancel", post(connection::cancel))
            .route("/uma/problems", get(problems::problems))
            .route("/internal/uma_mini_panel", get(panel::panel))
            .route_layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
            .route_layer(csrf)
            .route_layer(protect)
            .route(assets::CSS_PATH, get(assets::css))
            .route(scopes::PATH, get(scopes::document))
            .with_state(pages);
        Ok(router)
    }
}

impl fmt::Debug for WebBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebBuilder")
            .field("title", &self.title)
            .field("home", &self.home)
            .field("stylesheet", &self.stylesheet)
            .field("header", &self.header)
            .field("footer", &self.footer)
            .field("frame_ancestors", &self.frame_ancestors)
            .field("trusted_origins", &self.trusted_origins)
            .finish_non_exhaustive()
    }
}

/// The sources as one directive: each is `'self'` or a plain origin, so that none can smuggle in another directive.
fn ancestors(sources: &[String]) -> Result<String, BuildError> {
    for source in sources {
        let is_origin = || {
            Url::parse(source).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.origin().ascii_serialization() == source.as_str()
            })
        };
        if source != "'self'" && !is_origin() {
            let problem = "is neither 'self' nor an origin such as https://portal.example";
            return Err(BuildError::new("frame_ancestors", source, problem));
        }
    }
    Ok(if sources.is_empty() {
        "'none'".to_owned()
    } else {
        sources.join(" ")
    })
}

/// A setting of the pages that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError {
    setting: &'static str,
    text: String,
}

impl BuildError {
    fn new(setting: &'static str, value: &str, problem: &str) -> Self {
        Self {
            setting,
            text: format!("{value:?} {problem}"),
        }
    }

    /// The setting at fault, by the name of the [`WebBuilder`] method.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.text)
    }
}

impl std::error::Error for BuildError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_may_frame() {
        let of = |sources: &[&str]| {
            let sources: Vec<String> = sources.iter().map(|&source| source.to_owned()).collect();
            ancestors(&sources)
        };
        assert_eq!(of(&[]).unwrap(), "'none'");
        assert_eq!(
            of(&["'self'", "https://portal.example"]).unwrap(),
            "'self' https://portal.example"
        );
        for bad in [
            "*",
            "https:",
            "https://a.example/",
            "https://a; script-src *",
            "javascript:x",
        ] {
            let error = of(&[bad]).unwrap_err();
            assert_eq!(error.setting(), "frame_ancestors", "{bad}");
        }
    }
}
