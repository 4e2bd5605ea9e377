//! A person whose browser also goes to Keycloak.

use std::sync::Arc;

use reqwest::cookie::{CookieStore, Jar};
use reqwest::header::HeaderValue;
use reqwest::{Client, redirect};
use url::Url;

use crate::host::HostOne;
use crate::person::{Answer, Person};

/// Browsers take loopback addresses for secure; Keycloak's cookies are `Secure` in any case.
#[derive(Default)]
struct LoopbackJar(Jar);

impl CookieStore for LoopbackJar {
    fn set_cookies(&self, headers: &mut dyn Iterator<Item = &HeaderValue>, url: &Url) {
        for header in headers {
            let kept: Vec<&str> = header
                .to_str()
                .unwrap()
                .split(';')
                .filter(|part| !part.trim().eq_ignore_ascii_case("secure"))
                .collect();
            self.0.add_cookie_str(&kept.join(";"), url);
        }
    }

    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        self.0.cookies(url)
    }
}

pub(crate) fn person(name: &'static str) -> Person {
    let client = Client::builder()
        .cookie_provider(Arc::new(LoopbackJar::default()))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    Person { name, client }
}

impl Person {
    /// Signs in at the host, names Keycloak, signs in there if it asks, and comes back. What came of the callback.
    pub(crate) async fn connect_keycloak(&self, host: &HostOne) -> Answer {
        self.sign_in(host).await;
        let back = self.at_keycloak(host).await;
        self.get(back.as_str()).await
    }

    /// As far as Keycloak's answer: where it sends the browser.
    pub(crate) async fn at_keycloak(&self, host: &HostOne) -> Url {
        let connecting = self
            .post(&host.at("/uma/connect"), &[("am", &host.am)])
            .await
            .expect(303);
        let asked = connecting.location();
        assert!(asked.as_str().starts_with(&host.am), "{asked}");
        let page = self.get(asked.as_str()).await;
        if page.status == 302 {
            // Signed in there already.
            return page.location();
        }
        let page = page.expect(200);
        let form = form_action(&page.body).unwrap_or_else(|| panic!("no form: {}", page.body));
        let fields = [
            ("username", self.name),
            ("password", self.name),
            ("credentialId", ""),
        ];
        self.post(&form, &fields).await.expect(302).location()
    }
}

/// Where the login form goes.
fn form_action(html: &str) -> Option<String> {
    let form = &html[html.find("id=\"kc-form-login\"")?..];
    let action = form.split_once("action=\"")?.1.split_once('"')?.0;
    Some(action.replace("&amp;", "&"))
}
