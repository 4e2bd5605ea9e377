//! The header fields that protect the pages.

use axum::response::Response;
use http::HeaderMap;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// Keeps the pages, and what can be downloaded, out of other sites' pages (Fetch standard).
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// What a page may load, where its forms may go, and who may frame it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    form_action: &'static str,
    frame_ancestors: String,
}

impl Policy {
    /// A page that nobody may frame and whose forms stay on this site.
    pub(crate) fn page() -> Self {
        Self {
            form_action: "'self'",
            frame_ancestors: "'none'".to_owned(),
        }
    }

    /// Lets the forms of the page end at an AM: browsers apply `form-action` to redirects, too, and where an AM's
    /// authorization endpoint lies is not known beforehand.
    pub(crate) fn leading_to_am(mut self, insecure: bool) -> Self {
        self.form_action = if insecure {
            "'self' https: http:"
        } else {
            "'self' https:"
        };
        self
    }

    /// Sets who may frame the page: source expressions of CSP, with blanks between them.
    pub(crate) fn framed_by(mut self, ancestors: &str) -> Self {
        ancestors.clone_into(&mut self.frame_ancestors);
        self
    }

    fn value(&self, stylesheet: Option<&str>) -> String {
        let styles = stylesheet.and_then(origin_of).unwrap_or_default();
        let space = if styles.is_empty() { "" } else { " " };
        format!(
            "default-src 'none'; style-src 'self'{space}{styles}; form-action {}; base-uri 'none'; frame-ancestors {}",
            self.form_action, self.frame_ancestors
        )
    }

    /// Writes the policy into a response, and for old browsers `X-Frame-Options` where that can say the same.
    pub(crate) fn apply(&self, response: &mut Response, stylesheet: Option<&str>) {
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::try_from(self.value(stylesheet)) {
            headers.insert(CONTENT_SECURITY_POLICY, value);
        }
        let legacy = match self.frame_ancestors.as_str() {
            "'none'" => "DENY",
            "'self'" => "SAMEORIGIN",
            _ => {
                headers.remove(X_FRAME_OPTIONS);
                return;
            }
        };
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static(legacy));
    }
}

/// The origin of an absolute URL; `None` for a path of this site.
fn origin_of(href: &str) -> Option<String> {
    let url = url::Url::parse(href).ok()?;
    Some(url.origin().ascii_serialization())
}

/// Sets on every answer what all answers have; a policy that a page set itself stays.
pub(crate) fn protect(mut response: Response, stylesheet: Option<&str>) -> Response {
    if !response.headers().contains_key(CONTENT_SECURITY_POLICY) {
        Policy::page().apply(&mut response, stylesheet);
    }
    let headers = response.headers_mut();
    put(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(headers, REFERRER_POLICY, "same-origin");
    put(headers, CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
    put(headers, CACHE_CONTROL, "no-store");
    response
}

/// Sets a field unless the page did.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers
        .entry(name)
        .or_insert(HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy_of(response: &Response) -> &str {
        response
            .headers()
            .get(CONTENT_SECURITY_POLICY)
            .unwrap()
            .to_str()
            .unwrap()
    }

    #[test]
    fn a_page_is_not_framed_unless_it_says_so() {
        let response = protect(Response::default(), None);
        assert!(policy_of(&response).ends_with("frame-ancestors 'none'"));
        assert_eq!(response.headers().get(X_FRAME_OPTIONS).unwrap(), "DENY");
        assert_eq!(response.headers().get(CACHE_CONTROL).unwrap(), "no-store");

        let mut response = Response::default();
        Policy::page()
            .framed_by("'self'")
            .apply(&mut response, None);
        let response = protect(response, None);
        assert!(policy_of(&response).ends_with("frame-ancestors 'self'"));
        assert_eq!(
            response.headers().get(X_FRAME_OPTIONS).unwrap(),
            "SAMEORIGIN"
        );
    }

    #[test]
    fn foreign_ancestors_go_without_the_old_field() {
        let mut response = Response::default();
        Policy::page()
            .framed_by("https://portal.example")
            .apply(&mut response, None);
        assert!(response.headers().get(X_FRAME_OPTIONS).is_none());
    }

    #[test]
    fn a_foreign_stylesheet_is_allowed_by_its_origin() {
        let response = protect(
            Response::default(),
            Some("https://cdn.example/look.css?v=1"),
        );
        assert!(policy_of(&response).contains("style-src 'self' https://cdn.example;"));
        let response = protect(Response::default(), Some("/look.css"));
        assert!(policy_of(&response).contains("style-src 'self';"));
    }

    #[test]
    fn only_connecting_lets_a_form_leave() {
        assert!(Policy::page().value(None).contains("form-action 'self';"));
        let to_am = Policy::page().leading_to_am(false).value(None);
        assert!(to_am.contains("form-action 'self' https:;"));
    }
}
