//! A person who has a keyboard and no mouse.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use thirtyfour::TypingData;

use crate::browser::{Browser, is_called};

pub(crate) use thirtyfour::Key;

/// More than any page has.
const MOST_STOPS: usize = 150;

/// What has the focus; null when that is the page itself.
const FOCUS: &str = "
    const it = document.activeElement;
    if (!it || it === document.body || it === document.documentElement) return null;
    const style = getComputedStyle(it), box = it.getBoundingClientRect();
    return {
        it: it,
        markup: it.outerHTML.slice(0, 150),
        frame: it.tagName === 'IFRAME' ? it.title : null,
        // Of a date, the browser itself marks the part.
        outlined: (style.outlineStyle !== 'none' && style.outlineWidth !== '0px') || it.type === 'datetime-local',
        shown: box.width >= 1 && box.height >= 1,
        stop: it.dataset.stop ?? null,
    };";

#[derive(Debug, Deserialize)]
struct Focus {
    it: Value,
    markup: String,
    frame: Option<String>,
    outlined: bool,
    shown: bool,
    stop: Option<String>,
}

impl Focus {
    /// WCAG 2.4.7.
    fn must_be_seen(&self) {
        assert!(self.outlined, "no outline: {}", self.markup);
        assert!(self.shown, "too small to be seen: {}", self.markup);
    }
}

impl Browser {
    /// Sends keys to what has the focus.
    pub(crate) async fn press(&self, keys: impl Into<TypingData>) {
        let now = Some(Duration::ZERO);
        let keys = self.page.action_chain_with_delay(now, now).send_keys(keys);
        keys.perform().await.unwrap();
    }

    async fn focus(&self) -> Option<Focus> {
        serde_json::from_value(self.evaluate(FOCUS).await).unwrap()
    }

    /// Presses Tab until a thing of a role and a name has the focus. Every stop on the way must be seen.
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
        async move {
            let mut stops = Vec::new();
            for _ in 0..MOST_STOPS {
                self.leave_frames().await;
                self.press(Key::Tab).await;
                let Some(mut focus) = self.focus().await else {
                    continue;
                };
                let inside = focus.frame.clone();
                if inside.as_deref() != frame {
                    stops.push(focus.markup);
                    continue;
                }
                if let Some(title) = frame {
                    self.enter_frame(title).await;
                    match self.focus().await {
                        Some(within) => focus = within,
                        None => continue,
                    }
                }
                focus.must_be_seen();
                if self.is(&focus.it, role, name).await {
                    return;
                }
                stops.push(focus.markup);
            }
            let url = self.url().await;
            panic!(
                "{place}: Tab never reaches the {role} {name:?} of {frame:?} at {url}, but: {stops:#?}"
            );
        }
    }

    async fn is(&self, element: &Value, role: &str, name: &str) -> bool {
        let handle = self.page.handle().clone();
        let element = thirtyfour::WebElement::from_json(element.clone(), handle).unwrap();
        is_called(&self.computed(&element, "label").await.unwrap(), name)
            && self.computed(&element, "role").await.unwrap() == role
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
            document.activeElement.blur();
            window.scrollTo(0, 0);
            const all = 'a[href], button, input:not([type=hidden]), select, textarea, summary, iframe';
            const seen = [...document.querySelectorAll(all)].filter(e => e.checkVisibility() && !e.disabled);
            const choices = e => [...document.getElementsByName(e.name)].filter(o => o.type === 'radio' && o.form === e.form);
            // Of the buttons of one choice, one is a stop.
            const stop = e => e.type !== 'radio' || e.checked || (!choices(e).some(o => o.checked) && choices(e)[0] === e);
            seen.forEach((e, i) => { e.dataset.stop = i; });
            return seen.filter(stop).map(e => e.dataset.stop);";
        let expected: Vec<String> = serde_json::from_value(self.evaluate(in_order).await).unwrap();
        let mut reached: Vec<String> = Vec::new();
        for _ in 0..MOST_STOPS {
            self.press(Key::Tab).await;
            let Some(focus) = self.focus().await else {
                break;
            };
            // A frame and a date have stops within.
            if reached.last() == focus.stop.as_ref() {
                continue;
            }
            if focus.frame.is_none() {
                focus.must_be_seen();
            }
            if reached.first() == focus.stop.as_ref() {
                break;
            }
            reached.extend(focus.stop);
        }
        let url = self.url().await;
        assert_eq!(reached, expected, "the order of the stops at {url}");
    }
}
