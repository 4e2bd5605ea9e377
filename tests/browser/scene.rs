//! A host, its people, and a browser that one of them sits before.

use crate::browser::Browser;
use crate::host::HostOne;
use crate::person::{Answer, Person};

/// The things of a person, as the home page names them.
pub(crate) const NAME: &str = "/api/people/alice/personal/name";
pub(crate) const SUMMER: &str = "/api/people/alice/albums/summer";

pub(crate) struct Scene {
    pub(crate) host: HostOne,
    pub(crate) browser: Browser,
}

impl Scene {
    /// With two AMs; none where there is no browser.
    pub(crate) async fn new() -> Option<Self> {
        Some(Self::before(Browser::start().await?).await)
    }

    pub(crate) async fn before(browser: Browser) -> Self {
        let host = HostOne::two_ams(&["--database", "sqlite::memory:"]).await;
        Self { host, browser }
    }

    pub(crate) async fn end(self) {
        self.browser.end().await;
    }

    pub(crate) async fn open(&self, path: &str) {
        self.browser.goto(&self.host.at(path)).await;
    }

    /// Signs in at the host, and lands on the home page.
    pub(crate) async fn sign_in(&self, name: &str) {
        self.open("/login").await;
        self.browser.fill("Name", name).await;
        self.browser.fill("Password", name).await;
        self.browser.click("button", "Sign in").await;
        self.browser.shows("My data").await;
    }

    /// Signs in at an AM that has asked for it.
    pub(crate) async fn sign_in_at_am(&self, name: &str) {
        self.browser.shows("Authorization manager http://").await;
        self.browser.fill("Name", name).await;
        self.browser.fill("Password", name).await;
        self.browser.click("button", "Sign in").await;
    }

    /// The same person at another device, connected to the first AM: for what has happened before the test begins.
    pub(crate) async fn elsewhere(&self, name: &'static str) -> Person {
        let person = Person::new(name);
        person.connect(&self.host).await.expect(303);
        person
    }
}

/// Shares something in a person's own words.
pub(crate) async fn share(person: &Person, host: &HostOne, uri: &str, name: &str) -> Answer {
    let form = [("uri", uri), ("resource_name", name), ("return_to", "/")];
    person.post(&host.at("/uma/register-resource"), &form).await
}
