//! A person who has a keyboard and no mouse.

use std::time::Duration;

use thirtyfour::TypingData;
use thirtyfour::prelude::*;

use crate::browser::Browser;

/// More than any page has.
const MOST_STOPS: usize = 150;

/// What has the focus.
#[derive(Debug, Clone)]
pub(crate) struct Focus {
    pub(crate) element: WebElement,
    /// The title of the frame that it is in.
    pub(crate) frame: Option<String>,
    pub(crate) role: String,
    pub(crate) name: String,
}

impl Browser {
    /// Sends keys to what has the focus.
    pub(crate) async fn press(&self, keys: impl Into<TypingData>) {
        let keys = self
            .page
            .action_chain_with_delay(Some(Duration::ZERO), Some(Duration::ZERO))
            .send_keys(keys);
        keys.perform().await.unwrap();
    }

    /// What has the focus; none when that is the page itself.
    pub(crate) async fn focus(&self) -> Option<Focus> {
        self.leave_frames().await;
        let mut element = self.page.active_element().await.ok()?;
        let mut frame = None;
        if element.tag_name().await.ok()? == "iframe" {
            frame = element.attr("title").await.ok()?;
            element.enter_frame().await.ok()?;
            element = self.page.active_element().await.ok()?;
        }
        if matches!(element.tag_name().await.ok()?.as_str(), "body" | "html") {
            return None;
        }
        Some(Focus {
            role: self.computed(&element, "role").await.ok()?,
            name: self.computed(&element, "label").await.ok()?,
            element,
            frame,
        })
    }

    /// Presses Tab until a thing of a role and a name has the focus; with a star at its end, the name begins so. Every
    /// stop on the way must be seen.
    #[track_caller]
    pub(crate) fn tab_to<'a>(
        &'a self,
        role: &'a str,
        name: &'a str,
    ) -> impl Future<Output = ()> + 'a {
        self.tab_until(role, name, None)
    }

    /// As [`Self::tab_to`], in the frame of a title.
    #[track_caller]
    pub(crate) fn tab_to_in_frame<'a>(
        &'a self,
        frame: &'a str,
        role: &'a str,
        name: &'a str,
    ) -> impl Future<Output = ()> + 'a {
        self.tab_until(role, name, Some(frame))
    }

    #[track_caller]
    fn tab_until<'a>(
        &'a self,
        role: &'a str,
        name: &'a str,
        frame: Option<&'a str>,
    ) -> impl Future<Output = ()> + 'a {
        let place = std::panic::Location::caller();
        let fits = move |focus: &Focus| {
            let by_name = match name.strip_suffix('*') {
                Some(start) => focus.name.starts_with(start),
                None => focus.name == name,
            };
            by_name && focus.role == role && focus.frame.as_deref() == frame
        };
        async move {
            let mut stops = Vec::new();
            for _ in 0..MOST_STOPS {
                self.press(Key::Tab).await;
                let Some(focus) = self.focus().await else {
                    continue;
                };
                self.must_be_seen(&focus).await;
                if fits(&focus) {
                    return;
                }
                stops.push(format!("{} {:?}", focus.role, focus.name));
            }
            let url = self.url().await;
            panic!(
                "{place}: Tab never reaches the {role} {name:?} of {frame:?} at {url}, but: {stops:#?}"
            );
        }
    }

    /// The focus has an outline (WCAG 2.4.7), a name, and is no bigger surprise than where it stands.
    async fn must_be_seen(&self, focus: &Focus) {
        let css = async |property: &str| focus.element.css_value(property).await.unwrap();
        let (style, width) = (css("outline-style").await, css("outline-width").await);
        assert!(style != "none" && width != "0px", "no outline: {focus:?}");
        assert!(!focus.name.is_empty(), "no name: {focus:?}");
        let rect = focus.element.rect().await.unwrap();
        assert!(
            rect.width >= 1.0 && rect.height >= 1.0,
            "too small: {focus:?}"
        );
    }

    /// Fills a field in: Tab to it, then type over what stands there.
    #[track_caller]
    pub(crate) fn type_into<'a>(
        &'a self,
        label: &'a str,
        text: &'a str,
    ) -> impl Future<Output = ()> + 'a {
        let reached = self.tab_to("textbox", label);
        async move {
            reached.await;
            self.press(text).await;
        }
    }

    /// Walks all stops of the page and insists that each is seen, that they come in the order in which they stand in the
    /// document, and that none is left out.
    pub(crate) async fn walk_with_tab(&self) {
        let in_order = "
            const all = 'a[href], button, input:not([type=hidden]), select, textarea, summary';
            const seen = [...document.querySelectorAll(all)].filter(e => e.checkVisibility() && !e.disabled);
            // Of the buttons of one choice, one is a stop.
            const stop = e => e.type !== 'radio' || e.checked
                || (![...document.getElementsByName(e.name)].some(o => o.checked) && document.getElementsByName(e.name)[0] === e);
            seen.forEach((e, i) => { e.dataset.stop = i; });
            return seen.filter(stop).map(e => e.dataset.stop);";
        let expected: Vec<String> = serde_json::from_value(self.evaluate(in_order).await).unwrap();
        self.evaluate("document.activeElement.blur(); window.scrollTo(0, 0);")
            .await;
        let mut reached = Vec::new();
        for _ in 0..MOST_STOPS {
            self.press(Key::Tab).await;
            let Some(focus) = self.focus().await else {
                break;
            };
            self.must_be_seen(&focus).await;
            if focus.frame.is_some() {
                continue;
            }
            if let Some(stop) = focus.element.attr("data-stop").await.unwrap() {
                if reached.first() == Some(&stop) {
                    break;
                }
                reached.push(stop);
            }
        }
        let url = self.url().await;
        assert_eq!(reached, expected, "the order of the stops at {url}");
    }
}
