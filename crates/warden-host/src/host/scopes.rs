//! Descriptions of the host's scopes, for AMs that fetch them.

use std::collections::HashMap;

use uma_client::Scope;
use uma_client::wire::draft03::ScopeDocument;
use url::Url;

use super::Host;

/// What is told of scopes, and where.
#[derive(Debug)]
pub(crate) struct ScopeDocuments {
    base: Url,
    named: HashMap<String, ScopeDocument>,
}

impl ScopeDocuments {
    /// `base` ends with a slash.
    pub(super) fn new(base: Url, told: Vec<(String, ScopeDocument)>) -> Self {
        let usual = [("view", "View"), ("edit", "Edit"), ("delete", "Delete")]
            .map(|(scope, name)| (scope.to_owned(), ScopeDocument::new(name)));
        Self {
            base,
            named: usual.into_iter().chain(told).collect(),
        }
    }

    /// What stands before a scope at AMs to which scopes are URLs.
    pub(crate) fn base(&self) -> &str {
        self.base.as_str()
    }

    fn of(&self, scope: &str) -> Option<ScopeDocument> {
        let scope = Scope::parse(scope).ok()?;
        let named = self.named.get(scope.as_str()).cloned();
        Some(named.unwrap_or_else(|| ScopeDocument::new(scope.as_str())))
    }
}

impl Host {
    /// The description of a scope, for AMs that fetch it where the scope's URL is
    /// ([`HostBuilder::scope_base`](crate::HostBuilder::scope_base)); none for what is no scope. The router of
    /// `warden_host::web` serves it; a host without those pages serves it itself, outside every guard:
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Response, StatusCode};
    /// use warden_host::Host;
    ///
    /// /// `GET /uma/scopes/{scope}`
    /// fn scope(host: &Host, scope: &str) -> Response<Bytes> {
    ///     let document = host.scope_document(scope).and_then(|document| document.to_response().ok());
    ///     document.unwrap_or_else(|| {
    ///         let mut missing = Response::new(Bytes::new());
    ///         *missing.status_mut() = StatusCode::NOT_FOUND;
    ///         missing
    ///     })
    /// }
    /// # let _ = scope;
    /// ```
    #[must_use]
    pub fn scope_document(&self, scope: &str) -> Option<ScopeDocument> {
        self.inner.ams.scopes().of(scope)
    }
}
