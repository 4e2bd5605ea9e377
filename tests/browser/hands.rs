//! How a person works a page: with a mouse, or with a keyboard alone.

use thirtyfour::TypingData;

use crate::browser::Browser;
use crate::focus::Key;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hands {
    Mouse,
    Keyboard,
}

impl Hands {
    /// Follows a link, presses a button, chooses an option.
    #[track_caller]
    pub(crate) fn take<'a>(
        self,
        browser: &'a Browser,
        role: &'a str,
        name: &'a str,
    ) -> impl Future<Output = ()> + 'a {
        let (click, reach) = (browser.click(role, name), browser.tab_to(role, name));
        async move {
            match self {
                Self::Mouse => click.await,
                Self::Keyboard => {
                    reach.await;
                    browser.press(pressed(role)).await;
                }
            }
        }
    }

    /// The same in a frame.
    pub(crate) async fn take_in_frame(
        self,
        browser: &Browser,
        frame: &str,
        role: &str,
        name: &str,
    ) {
        match self {
            Self::Mouse => {
                browser.enter_frame(frame).await;
                browser.click(role, name).await;
            }
            Self::Keyboard => {
                browser.tab_to_in_frame(frame, role, name).await;
                browser.press(pressed(role)).await;
            }
        }
        browser.leave_frames().await;
    }

    #[track_caller]
    pub(crate) fn fill<'a>(
        self,
        browser: &'a Browser,
        label: &'a str,
        text: &'a str,
    ) -> impl Future<Output = ()> + 'a {
        let (fill, type_into) = (browser.fill(label, text), browser.type_into(label, text));
        async move {
            match self {
                Self::Mouse => fill.await,
                Self::Keyboard => type_into.await,
            }
        }
    }
}

/// What a keyboard does to a thing that has the focus.
fn pressed(role: &str) -> TypingData {
    match role {
        "radio" | "checkbox" => TypingData::from(" "),
        _ => TypingData::from(Key::Enter),
    }
}
