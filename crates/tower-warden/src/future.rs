//! The future of a response.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::{CACHE_CONTROL, Entry, VARY};
use http::{HeaderMap, HeaderValue, Response};
use pin_project_lite::pin_project;

pin_project! {
    /// The response of a [`Warden`](crate::Warden): that of the service behind it, or a refusal.
    pub struct ResponseFuture<F, B, E> {
        #[pin]
        kind: Kind<F, B, E>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F, B, E> {
        Inner { #[pin] future: F, served: Served },
        Refused { response: Option<Response<B>> },
        Later { future: Pin<Box<dyn Future<Output = Result<Response<B>, E>> + Send>> },
    }
}

impl<F, B, E> ResponseFuture<F, B, E> {
    pub(crate) const fn inner(future: F, served: Served) -> Self {
        Self {
            kind: Kind::Inner { future, served },
        }
    }

    pub(crate) const fn refused(response: Response<B>) -> Self {
        Self {
            kind: Kind::Refused {
                response: Some(response),
            },
        }
    }

    pub(crate) fn later(
        future: Pin<Box<dyn Future<Output = Result<Response<B>, E>> + Send>>,
    ) -> Self {
        Self {
            kind: Kind::Later { future },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Inner { future, served } => {
                let response = ready!(future.poll(context));
                Poll::Ready(response.map(|response| served.finish(response)))
            }
            KindProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
            KindProjection::Later { future } => future.as_mut().poll(context),
        }
    }
}

impl<F, B, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// How an answer of the service behind is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    AsIs,
    /// It was for this requester alone: no shared cache may keep it.
    Privately,
}

impl Served {
    pub(crate) fn finish<B>(self, mut response: Response<B>) -> Response<B> {
        if self == Self::Privately {
            keep_private(response.headers_mut());
        }
        response
    }
}

/// Takes `public` and `s-maxage` out of `Cache-Control`, puts `private` in unless there is `no-store`, and merges
/// `Vary: Authorization` (RFC 9111 sections 3.5 and 5.2.2).
fn keep_private(headers: &mut HeaderMap) {
    merge_vary(headers);
    let private = const { HeaderValue::from_static("private") };
    if let Entry::Vacant(entry) = headers.entry(CACHE_CONTROL) {
        entry.insert(private);
        return;
    }
    let mut kept: Vec<String> = Vec::new();
    for field in headers.get_all(CACHE_CONTROL) {
        for directive in split_quoted(&String::from_utf8_lossy(field.as_bytes())) {
            let directive = directive.trim();
            let name = directive.split('=').next().unwrap_or_default().trim();
            let shared = ["public", "s-maxage", "private"];
            if !directive.is_empty() && !shared.iter().any(|word| name.eq_ignore_ascii_case(word)) {
                kept.push(directive.to_owned());
            }
        }
    }
    if !kept
        .iter()
        .any(|directive| directive.eq_ignore_ascii_case("no-store"))
    {
        kept.push(String::from("private"));
    }
    // What can't be written again is replaced by what is safest.
    let value = HeaderValue::from_str(&kept.join(", "));
    headers.insert(
        CACHE_CONTROL,
        value.unwrap_or(const { HeaderValue::from_static("no-store") }),
    );
}

fn merge_vary(headers: &mut HeaderMap) {
    let authorization = const { HeaderValue::from_static("authorization") };
    let named = |field: &HeaderValue| {
        field.as_bytes().split(|&byte| byte == b',').any(|name| {
            let name = name.trim_ascii();
            name == b"*" || name.eq_ignore_ascii_case(b"authorization")
        })
    };
    match headers.entry(VARY) {
        Entry::Vacant(entry) => {
            entry.insert(authorization);
        }
        Entry::Occupied(mut entry) => {
            if !entry.iter().any(named) {
                entry.append(authorization);
            }
        }
    }
}

/// Splits a list at its commas, but not at those inside quoted strings.
fn split_quoted(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    list.split(move |character| {
        let at_comma = character == ',' && !quoted;
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        at_comma
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(cache_control: &[&'static str], vary: &[&'static str]) -> (String, String) {
        let mut response = Response::new(());
        for value in cache_control {
            response
                .headers_mut()
                .append(CACHE_CONTROL, HeaderValue::from_static(value));
        }
        for value in vary {
            response
                .headers_mut()
                .append(VARY, HeaderValue::from_static(value));
        }
        let response = Served::Privately.finish(response);
        let all = |name| {
            let values: Vec<_> = response
                .headers()
                .get_all(name)
                .iter()
                .map(|value| value.to_str().unwrap())
                .collect();
            values.join("|")
        };
        (all(CACHE_CONTROL), all(VARY))
    }

    #[test]
    fn no_shared_cache_may_keep_what_was_granted() {
        for (before, after) in [
            (&[][..], "private"),
            (&["public, max-age=60"], "max-age=60, private"),
            (&["Public", "S-MaxAge=9 , immutable"], "immutable, private"),
            (&["no-store"], "no-store"),
            (&["public, No-Store"], "No-Store"),
            (
                &["private=\"set-cookie, x\", max-age=1"],
                "max-age=1, private",
            ),
            (
                &["no-cache=\"a, public\""],
                "no-cache=\"a, public\", private",
            ),
            (&["private"], "private"),
        ] {
            assert_eq!(private(before, &[]).0, after, "{before:?}");
        }
    }

    #[test]
    fn vary_is_merged() {
        assert_eq!(private(&[], &[]).1, "authorization");
        assert_eq!(private(&[], &["accept"]).1, "accept|authorization");
        assert_eq!(
            private(&[], &["accept, Authorization"]).1,
            "accept, Authorization"
        );
        assert_eq!(private(&[], &["*"]).1, "*");
    }
}
