//! The tower service.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, WWW_AUTHENTICATE};
use http::{Method, Request, Response};
use tower_service::Service;

use crate::coverage::Probe;
use crate::future::{ResponseFuture, Served};
use crate::{Access, Engine, Mode, RequestHead, Verdict};

/// Lets only those requests through to `S` that the owner of what they touch permits. See [`WardenLayer`].
///
/// Its error is that of `S`; every refusal, and every trouble of its own, is a response.
///
/// [`WardenLayer`]: crate::WardenLayer
#[derive(Debug, Clone)]
pub struct Warden<S> {
    inner: S,
    engine: Engine,
}

impl<S> Warden<S> {
    pub(crate) const fn new(inner: S, engine: Engine) -> Self {
        Self { inner, engine }
    }

    /// The engine that judges the requests.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The service behind it.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service behind it.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Warden<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: Send + 'static,
    ResBody: From<Bytes> + Send + 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        if let Some(answer) = Probe::answer(&self.engine, &request) {
            return ResponseFuture::refused(answer);
        }
        let judgement = self.engine.judge(&RequestHead::of(&request));
        let mode = judgement.mode();
        match judgement.into_ready() {
            Ok(verdict) => match self.admit(mode, verdict, &mut request) {
                Ok(served) => ResponseFuture::inner(self.inner.call(request), served),
                Err(response) => ResponseFuture::refused(response),
            },
            Err(judgement) if mode == Mode::Shadow => {
                tokio::spawn(judgement);
                ResponseFuture::inner(self.inner.call(request), Served::AsIs)
            }
            Err(judgement) => {
                // The one that was polled ready is used; its successor has to be polled anew.
                let successor = self.inner.clone();
                let mut warden = Self {
                    inner: std::mem::replace(&mut self.inner, successor),
                    engine: self.engine.clone(),
                };
                ResponseFuture::later(Box::pin(async move {
                    let verdict = judgement.await;
                    match warden.admit(mode, verdict, &mut request) {
                        Ok(served) => {
                            let response = warden.inner.call(request).await;
                            response.map(|response| served.finish(response))
                        }
                        Err(response) => Ok(response),
                    }
                }))
            }
        }
    }
}

impl<S> Warden<S> {
    /// Prepares a request for the service behind, or answers it.
    fn admit<ReqBody, ResBody: From<Bytes>>(
        &self,
        mode: Mode,
        verdict: Verdict,
        request: &mut Request<ReqBody>,
    ) -> Result<Served, Response<ResBody>> {
        if mode == Mode::Shadow {
            return Ok(Served::AsIs);
        }
        match verdict {
            Verdict::Pass(_) => Ok(Served::AsIs),
            Verdict::Allow(access) => {
                let served = match access {
                    Access::Unmapped => Served::AsIs,
                    _ => Served::Privately,
                };
                if !self.engine.shared.keep_authorization && access.grant().is_some() {
                    request.headers_mut().remove(AUTHORIZATION);
                    if self.engine.shared.legacy_tokens {
                        request.headers_mut().remove(WWW_AUTHENTICATE);
                    }
                }
                request.extensions_mut().insert(access);
                Ok(served)
            }
            Verdict::Refuse(refusal) => {
                let hook = self.engine.shared.on_reject.as_deref();
                let mut response: Response<Bytes> = refusal.into_response_with(hook);
                if request.method() == Method::HEAD {
                    // No server is sure to take it away, and over HTTP/2 it breaks the answer (RFC 9110 section 9.3.2).
                    let length = response.body().len().into();
                    response.headers_mut().insert(CONTENT_LENGTH, length);
                    response.body_mut().clear();
                }
                Err(response.map(ResBody::from))
            }
        }
    }
}

#[cfg(test)]
mod tests;
