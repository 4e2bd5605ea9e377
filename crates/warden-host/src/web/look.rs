//! How the pages look: what a host sets of it, and the frame around each page.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use super::model::Banner;

type Write = dyn Fn(&Parts) -> String + Send + Sync;

/// HTML of the host's own, above or below the pages.
#[derive(Clone, Default)]
pub(crate) struct Slot(Option<Arc<Write>>);

impl Slot {
    pub(crate) fn new(write: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(write)))
    }

    pub(crate) fn write(&self, parts: &Parts) -> String {
        self.0
            .as_ref()
            .map_or_else(String::new, |write| write(parts))
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Slot" } else { "none" })
    }
}

/// What a host sets about the look of the pages.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) title: String,
    pub(crate) home: String,
    pub(crate) stylesheet: Option<String>,
    pub(crate) header: Slot,
    pub(crate) footer: Slot,
    /// What it means here that something is not shared.
    pub(crate) unprotected: String,
    /// Who may frame the mini panel, as the directive's value.
    pub(crate) frame_ancestors: String,
}

/// What every whole page needs for its frame.
#[derive(Debug, Clone)]
pub(crate) struct Shell<'a> {
    pub(crate) look: &'a Look,
    /// The page's heading, which is also the first part of its title.
    pub(crate) heading: &'a str,
    /// What to say about what was just done.
    pub(crate) notice: Option<&'static str>,
    /// Paths that were just stopped and can be shared again.
    pub(crate) undo: &'a [String],
    /// This very page.
    pub(crate) here: String,
    /// What the owner should know before it bites.
    pub(crate) banner: Option<Banner>,
    /// Whether the title says that there is an error.
    pub(crate) erroneous: bool,
    /// The path of the page in the navigation.
    pub(crate) place: &'static str,
    /// The host's own HTML.
    pub(crate) header: &'a str,
    pub(crate) footer: &'a str,
}

impl<'a> Shell<'a> {
    pub(crate) fn new(look: &'a Look, heading: &'a str) -> Self {
        Self {
            look,
            heading,
            notice: None,
            undo: &[],
            here: String::new(),
            banner: None,
            erroneous: false,
            place: "",
            header: "",
            footer: "",
        }
    }

    /// The link to the pages' own stylesheet.
    #[allow(
        clippy::unused_self,
        reason = "templates reach functions by way of values"
    )]
    pub(crate) fn css(&self) -> &'static str {
        super::assets::css_href()
    }

    /// The banner, unless the page tells of it anyway.
    pub(crate) fn shown_banner(&self) -> Option<&Banner> {
        let tells = [super::connection::PATH, super::problems::PATH].contains(&self.place);
        self.banner.as_ref().filter(|_| !tells)
    }
}
