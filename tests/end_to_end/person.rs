//! A person with a browser's cookies, or an application with a token.

use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{Client, RequestBuilder, redirect};
use serde_json::Value;
use url::Url;

use crate::host::HostOne;

pub(crate) const PHOTO: &str = "/api/people/alice/albums/summer/photos/1";
pub(crate) const ALBUM: &str = "/api/people/alice/albums/summer";
pub(crate) const WARNING: &str = r#"199 - "UMA Authorization Server Unreachable""#;

#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) client: Client,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> Url {
        let location = self
            .headers
            .get(LOCATION)
            .unwrap_or_else(|| panic!("no location: {self:?}"));
        self.url.join(location.to_str().unwrap()).unwrap()
    }

    /// The route of the handler that made it; none if Warden did.
    pub(crate) fn handler(&self) -> Option<&str> {
        self.header("host-one-handler")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {}", self.url, self.body);
        self
    }

    /// The ticket of a challenge of exactly the one shape.
    #[track_caller]
    pub(crate) fn ticket(&self, am: &str) -> String {
        assert_eq!(self.status, 401, "{}", self.body);
        let challenge = self.header("www-authenticate").unwrap();
        let head = format!("UMA realm=\"host-one\",as_uri=\"{am}\",ticket=\"");
        let ticket = challenge
            .strip_prefix(&head)
            .and_then(|rest| rest.strip_suffix('"'));
        ticket
            .unwrap_or_else(|| panic!("another shape: {challenge}"))
            .to_owned()
    }
}

impl Person {
    pub(crate) fn new(name: &'static str) -> Self {
        let client = Client::builder()
            .cookie_store(true)
            // A connection that the host is about to close would fail the next request.
            .pool_max_idle_per_host(0)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { name, client }
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        Answer {
            url: response.url().clone(),
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.unwrap(),
        }
    }

    pub(crate) async fn get(&self, url: &str) -> Answer {
        self.send(self.client.get(url)).await
    }

    pub(crate) async fn post(&self, url: &str, form: &[(&str, &str)]) -> Answer {
        self.send(self.client.post(url).form(form)).await
    }

    pub(crate) async fn call(&self, method: &str, url: &str, rpt: Option<&str>) -> Answer {
        let mut request = self.client.request(method.parse().unwrap(), url);
        if let Some(rpt) = rpt {
            request = request.header(AUTHORIZATION, format!("Bearer {rpt}"));
        }
        if method == "PUT" {
            request = request.body("changed");
        }
        self.send(request).await
    }

    pub(crate) async fn sign_in(&self, host: &HostOne) {
        let form = [("username", self.name), ("password", self.name)];
        self.post(&host.at("/login"), &form).await.expect(303);
    }

    pub(crate) async fn sign_in_at(&self, am: &str) {
        let form = [
            ("username", self.name),
            ("password", self.name),
            ("return_to", "/policies"),
        ];
        self.post(&format!("{am}/signin"), &form).await.expect(303);
    }

    /// Signs in at the host, names the AM, and consents there. What came of the callback.
    pub(crate) async fn connect(&self, host: &HostOne) -> Answer {
        self.connect_to(host, &host.am).await
    }

    /// As [`Self::connect`], at a certain AM.
    pub(crate) async fn connect_to(&self, host: &HostOne, am: &str) -> Answer {
        self.sign_in(host).await;
        let connecting = self.post(&host.at("/uma/connect"), &[("am", am)]).await;
        let back = self.decide(connecting.expect(303), am, "allow").await;
        self.get(back.as_str()).await
    }

    /// As far as the AM's answer: where it sends the browser.
    pub(crate) async fn consent(&self, host: &HostOne, decision: &str) -> Url {
        let connecting = self
            .post(&host.at("/uma/connect"), &[("am", &host.am)])
            .await
            .expect(303);
        self.decide(connecting, &host.am, decision).await
    }

    /// Signs in at an AM to which the host has led, and answers there.
    pub(crate) async fn decide(&self, connecting: Answer, am: &str, decision: &str) -> Url {
        let asked = connecting.location();
        assert!(asked.as_str().starts_with(am), "{asked}");
        let page = self.get(asked.as_str()).await;
        if page.status == 303 {
            self.sign_in_at(am).await;
        }
        self.get(asked.as_str()).await.expect(200);
        let mut form: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
        form.push(("owner".into(), self.name.into()));
        form.push(("decision".into(), decision.into()));
        let form: Vec<(&str, &str)> = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.post(&format!("{am}/consent"), &form)
            .await
            .expect(303)
            .location()
    }

    pub(crate) async fn share(&self, host: &HostOne, uri: &str) -> Answer {
        let form = [
            ("uri", uri),
            ("resource_name", "Something of mine"),
            ("return_to", "/"),
        ];
        self.post(&host.at("/uma/register-resource"), &form).await
    }

    pub(crate) async fn stop(&self, host: &HostOne, uri: &str) -> Answer {
        self.post(
            &host.at("/uma/stop-sharing"),
            &[("uri", uri), ("return_to", "/")],
        )
        .await
    }

    /// What the person shares.
    pub(crate) async fn shared(&self, host: &HostOne) -> Vec<Value> {
        let request = self
            .client
            .get(host.at("/uma/resources"))
            .header("accept", "application/json");
        self.send(request)
            .await
            .expect(200)
            .json()
            .as_array()
            .unwrap()
            .clone()
    }
}
