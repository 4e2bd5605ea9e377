//! What comes in: forms, queries, JSON bodies, with errors that name the field.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::reply::ApiError;

/// The largest body that is read, in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// The parameters of a form or a query.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    pub(crate) fn query(query: Option<&str>) -> Self {
        Self::parse(query.unwrap_or_default().as_bytes())
    }

    /// The value of a parameter. One without a value counts as absent, one that is given twice is an error (RFC 6749 section 3.1).
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() {
            return Err(ApiError::invalid_request(&format!(
                "{name}: given more than once"
            )));
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name)?
            .ok_or_else(|| ApiError::invalid_request(&format!("{name}: missing")))
    }

    /// All values of a parameter that may be repeated.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A form body.
#[derive(Debug)]
pub(crate) struct FormBody(pub(crate) Params);

impl<S: Send + Sync> FromRequest<S> for FormBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        expect_type(request.headers(), "application/x-www-form-urlencoded")?;
        let bytes = read(request, state).await?;
        Ok(Self(Params::parse(&bytes)))
    }
}

/// A JSON body, not yet looked at.
#[derive(Debug)]
pub(crate) struct JsonBody(Bytes);

impl JsonBody {
    /// Reads the body; the error names the member that is wrong.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        axum::Json::<T>::from_bytes(&self.0)
            .map(|axum::Json(value)| value)
            .map_err(|rejection| ApiError::invalid_request(&rejection.body_text()))
    }

    /// True when the document is an array.
    pub(crate) fn is_array(&self) -> bool {
        self.0.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        expect_type(request.headers(), "application/json")?;
        read(request, state).await.map(Self)
    }
}

pub(crate) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| {
            let status = rejection.status();
            let what = if status == StatusCode::PAYLOAD_TOO_LARGE {
                "the body is larger than 64 KiB"
            } else {
                "the body could not be read"
            };
            ApiError::new(status, "invalid_request", what)
        })
}

fn expect_type(headers: &HeaderMap, expected: &str) -> Result<(), ApiError> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if given.trim().eq_ignore_ascii_case(expected) {
        Ok(())
    } else {
        Err(ApiError::invalid_request(&format!(
            "Content-Type: must be {expected}"
        )))
    }
}
