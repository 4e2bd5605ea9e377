//! A person's browser, as far as the story needs one: cookies, forms, and one redirect at a time.

use std::sync::Arc;

use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{Client, Method, RequestBuilder, StatusCode, redirect};
use url::Url;

use super::narrator::{Narrator, broken};
use crate::Failure;

/// Someone who sends requests: a person with cookies, or an application with a token.
pub(super) struct Browser {
    name: &'static str,
    client: Client,
    narrator: Arc<Narrator>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) url: Url,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Browser {
    pub(super) fn new(name: &'static str, narrator: Arc<Narrator>) -> Result<Self, Failure> {
        let client = Client::builder()
            .cookie_store(true)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            name,
            client,
            narrator,
        })
    }

    pub(super) async fn get(&self, url: &str) -> Result<Answer, Failure> {
        self.send(self.client.get(url)).await
    }

    pub(super) async fn get_json(&self, url: &str) -> Result<Answer, Failure> {
        self.send(self.client.get(url).header("accept", "application/json"))
            .await
    }

    pub(super) async fn post(&self, url: &str, form: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.send(self.client.post(url).form(form)).await
    }

    /// A request of an application, with its RPT if it has one.
    pub(super) async fn call(
        &self,
        method: Method,
        url: &str,
        rpt: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut request = self.client.request(method.clone(), url);
        if let Some(rpt) = rpt {
            request = request.header(AUTHORIZATION, format!("Bearer {rpt}"));
        }
        if method == Method::PUT {
            request = request.body("changed on the tour");
        }
        self.send(request).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let request = request.build()?;
        let method = request.method().clone();
        let url = request.url().clone();
        let response = self.client.execute(request).await?;
        let status = response.status();
        let headers = response.headers().clone();
        self.narrator
            .exchange(self.name, method.as_str(), url.as_str(), status, &headers);
        let body = response.text().await?;
        Ok(Answer {
            url,
            status,
            headers,
            body,
        })
    }

    /// Follows one redirect.
    pub(super) async fn follow(&self, answer: &Answer) -> Result<Answer, Failure> {
        let location = answer.location()?;
        self.get(location.as_str()).await
    }
}

impl Answer {
    /// Insists on a status.
    pub(super) fn expect(self, status: u16) -> Result<Self, Failure> {
        if self.status == status {
            return Ok(self);
        }
        let what = format!(
            "{} answered {} where {status} was to come",
            self.url.path(),
            self.status
        );
        Err(broken(what))
    }

    pub(super) fn location(&self) -> Result<Url, Failure> {
        let location = self
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let location =
            location.ok_or_else(|| broken(format!("{} did not lead on", self.url.path())))?;
        Ok(self.url.join(location)?)
    }
}
