//! Reading bodies whose shape says what they mean: an array is one thing, an object another.

use bytes::Bytes;
use http::Response;
use serde::de::DeserializeOwned;

use crate::answer;
use crate::error::{Error, ErrorKind};

/// What a JSON body is, by its first character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Array,
    Object,
    Other,
}

/// The shape of an answer that calls itself JSON.
pub(super) fn shape(response: &Response<Bytes>) -> Result<Shape, Error> {
    answer::expect_json(response)?;
    let first = response
        .body()
        .iter()
        .find(|byte| !byte.is_ascii_whitespace());
    Ok(match first {
        Some(b'[') => Shape::Array,
        Some(b'{') => Shape::Object,
        _ => Shape::Other,
    })
}

/// Reads an object.
pub(super) fn object<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T, Error> {
    match shape(response)? {
        Shape::Object => answer::json(response),
        Shape::Array => Err(malformed(
            response,
            "the body is an array, and an object is due",
        )),
        Shape::Other => Err(malformed(response, "the body is no JSON object")),
    }
}

/// Reads an array.
pub(super) fn array<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<Vec<T>, Error> {
    match shape(response)? {
        Shape::Array => answer::json(response),
        Shape::Object => Err(malformed(
            response,
            "the body is an object, and an array is due",
        )),
        Shape::Other => Err(malformed(response, "the body is no JSON array")),
    }
}

pub(super) fn malformed(response: &Response<Bytes>, why: &'static str) -> Error {
    answer::unreadable(response, Error::new(ErrorKind::Malformed, why))
}
