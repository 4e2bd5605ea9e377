//! A person's browser: finds things by what they are and what they are called, as people and screen readers do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::command::{Command, ExtensionCommand};
use thirtyfour::prelude::*;
use thirtyfour::{ChromiumLikeCapabilities, LoggingPrefsLogLevel};
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use crate::driver::{Driver, Programs};

/// How many browsers run at once, lest they starve each other.
static PLACES: Semaphore = Semaphore::const_new(3);
/// How long to wait for what a click leads to.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);

/// The window, in CSS pixels.
const DESKTOP: u32 = 1100;
const HEIGHT: u32 = 900;

pub(crate) struct Browser {
    pub(crate) page: WebDriver,
    driver: Option<Driver>,
    _home: TempDir,
    _place: SemaphorePermit<'static>,
}

impl Browser {
    /// A fresh browser; none where there is no Chromium.
    pub(crate) async fn start() -> Option<Self> {
        Self::with(&[]).await
    }

    /// A fresh browser that runs no script of any page.
    pub(crate) async fn without_scripts() -> Option<Self> {
        Self::with(&["--blink-settings=scriptEnabled=false"]).await
    }

    async fn with(more: &[&str]) -> Option<Self> {
        let programs = Programs::here()?;
        let place = PLACES.acquire().await.unwrap();
        let home = TempDir::new().unwrap();
        let driver = Driver::start(programs, home.path()).await;
        let mut wanted = DesiredCapabilities::chrome();
        wanted
            .set_binary(programs.chromium.to_str().unwrap())
            .unwrap();
        let profile = format!("--user-data-dir={}", home.path().join("profile").display());
        let window = format!("--window-size={DESKTOP},{HEIGHT}");
        let arguments = [
            "--headless=new",
            // As root, as CI is, there is none. The pages are our own.
            "--no-sandbox",
            // Chromium ends when its driver does.
            "--remote-debugging-pipe",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
            // The same picture on each run.
            "--force-device-scale-factor=1",
            "--hide-scrollbars",
            "--font-render-hinting=none",
            "--disable-lcd-text",
            "--lang=en",
            &profile,
            &window,
        ];
        for argument in arguments.iter().chain(more) {
            wanted.add_arg(argument).unwrap();
        }
        wanted
            .set_browser_log_level(LoggingPrefsLogLevel::All)
            .unwrap();
        let page = WebDriver::new(driver.url.as_str(), wanted).await.unwrap();
        Some(Self {
            page,
            driver: Some(driver),
            _home: home,
            _place: place,
        })
    }

    /// Ends the browser. One that is dropped ends, too, but may leave files behind.
    pub(crate) async fn end(mut self) {
        self.page.clone().quit().await.unwrap();
        if let Some(driver) = self.driver.take() {
            driver.end().await;
        }
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.page.goto(url).await.unwrap();
    }

    pub(crate) async fn url(&self) -> Url {
        self.page.current_url().await.unwrap()
    }

    /// What stands on the page.
    pub(crate) async fn text(&self) -> String {
        match self.page.find(By::Tag("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    pub(crate) async fn heading(&self) -> String {
        let heading = self.page.find(By::Tag("h1")).await.unwrap();
        heading.text().await.unwrap()
    }

    /// Waits until the page shows a text.
    #[track_caller]
    pub(crate) fn shows<'a>(&'a self, wanted: &'a str) -> impl Future<Output = ()> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            loop {
                let text = self.text().await;
                if text.contains(wanted) {
                    return;
                }
                let url = self.url().await;
                assert!(
                    begun.elapsed() < PATIENCE,
                    "{place}: {url} does not show {wanted:?}:\n{text}"
                );
                tokio::time::sleep(GLANCE).await;
            }
        }
    }

    /// The first thing of a role (`button`, `link`, `textbox`, ...) and a name, once it is there. With a star at its end, the
    /// name begins so.
    #[track_caller]
    pub(crate) fn named<'a>(
        &'a self,
        role: &'a str,
        name: &'a str,
    ) -> impl Future<Output = WebElement> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            loop {
                if let Some(found) = self.look_for(role, name).await {
                    return found;
                }
                let (url, text) = (self.url().await, self.text().await);
                assert!(
                    begun.elapsed() < PATIENCE,
                    "{place}: no {role} {name:?} at {url}:\n{text}"
                );
                tokio::time::sleep(GLANCE).await;
            }
        }
    }

    async fn look_for(&self, role: &str, name: &str) -> Option<WebElement> {
        let candidates = match role {
            "button" => "button, input[type=submit], summary",
            "link" => "a[href]",
            "checkbox" | "radio" => "input[type=checkbox], input[type=radio]",
            "combobox" => "select, input[list]",
            "Iframe" => "iframe",
            _ => "input, textarea, select, [role]",
        };
        for element in self.page.find_all(By::Css(candidates)).await.ok()? {
            // What goes away meanwhile is not what is looked for.
            let Ok(called) = self.computed(&element, "label").await else {
                return None;
            };
            if is_called(&called, name)
                && self
                    .computed(&element, "role")
                    .await
                    .is_ok_and(|is| is == role)
            {
                return Some(element);
            }
        }
        None
    }

    /// What the accessibility tree says: `label` or `role`.
    pub(crate) async fn computed(
        &self,
        element: &WebElement,
        what: &'static str,
    ) -> WebDriverResult<String> {
        let command = Computed {
            element: element.element_id().to_string(),
            what,
        };
        let answer = self
            .page
            .cmd(Command::ExtensionCommand(Box::new(command)))
            .await?;
        answer.value()
    }

    #[track_caller]
    pub(crate) fn click<'a>(
        &'a self,
        role: &'a str,
        name: &'a str,
    ) -> impl Future<Output = ()> + 'a {
        let found = self.named(role, name);
        async move { found.await.click().await.unwrap() }
    }

    #[track_caller]
    pub(crate) fn fill<'a>(
        &'a self,
        label: &'a str,
        text: &'a str,
    ) -> impl Future<Output = ()> + 'a {
        let found = self.named("textbox", label);
        async move {
            let field = found.await;
            field.clear().await.unwrap();
            field.send_keys(text).await.unwrap();
        }
    }

    /// Goes into the frame of a title; [`Self::leave_frames`] comes back.
    pub(crate) async fn enter_frame(&self, title: &str) {
        let frame = self.named("Iframe", title).await;
        frame.scroll_into_view().await.unwrap();
        frame.enter_frame().await.unwrap();
    }

    pub(crate) async fn leave_frames(&self) {
        self.page.enter_default_frame().await.unwrap();
    }

    /// Light or dark, as the person's system is set, and the width of the window in CSS pixels.
    pub(crate) async fn look(&self, scheme: &str, width: u32) {
        let cdp = self.page.cdp();
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        cdp.send_raw("Emulation.setEmulatedMedia", media)
            .await
            .unwrap();
        let size =
            json!({"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": false});
        cdp.send_raw("Emulation.setDeviceMetricsOverride", size)
            .await
            .unwrap();
    }

    /// What a script of the test's own gives. The pages' policy does not hold for it.
    pub(crate) async fn evaluate(&self, script: &str) -> Value {
        self.page
            .execute(script, Vec::new())
            .await
            .unwrap()
            .json()
            .clone()
    }

    /// Errors of the console since the last call: what a policy refused, what did not load.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.page.browser_log().await.unwrap();
        log.into_iter().map(|entry| format!("{entry:?}")).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its driver; a test that has failed does not wait for more.
        let _ = self.page.clone().leak();
    }
}

/// Whether a name is the wanted one, or begins so if a star ends that.
pub(crate) fn is_called(name: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == wanted,
    }
}

/// `GET /session/{id}/element/{id}/computedlabel` and `computedrole` (WebDriver section 12.4).
#[derive(Debug)]
struct Computed {
    element: String,
    what: &'static str,
}

impl ExtensionCommand for Computed {
    fn parameters_json(&self) -> Option<Value> {
        None
    }

    fn method(&self) -> http::Method {
        http::Method::GET
    }

    fn endpoint(&self) -> Arc<str> {
        format!("/element/{}/computed{}", self.element, self.what).into()
    }
}
