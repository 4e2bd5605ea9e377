//! Reading forms and query strings: `application/x-www-form-urlencoded` with repeated fields, naming the field at fault.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use super::failure::Failure;
use super::text;

/// Largest form that is read, in bytes.
pub(crate) const MAX_FORM_BYTES: usize = 64 * 1024;

/// The fields of a form or query, in their order. Fields that nobody asks for are ignored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

/// A field that cannot be used as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) field: &'static str,
    pub(crate) problem: FieldProblem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldProblem {
    Missing,
    Repeated,
    NotAFlag,
}

impl FieldError {
    pub(crate) fn text(self) -> Cow<'static, str> {
        match self.problem {
            FieldProblem::Missing => text::field_missing(self.field),
            FieldProblem::Repeated => text::field_repeated(self.field),
            FieldProblem::NotAFlag => text::field_not_a_flag(self.field),
        }
    }
}

impl Fields {
    /// Reads pairs as the WHATWG URL standard does; octets that are not UTF-8 become U+FFFD.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The fields of the request's query.
    pub(crate) fn of_query(parts: &Parts) -> Self {
        Self::parse(parts.uri.query().unwrap_or_default().as_bytes())
    }

    /// The fields of the request's body.
    ///
    /// # Errors
    ///
    /// 415 for another content type, 413 for a body of more than [`MAX_FORM_BYTES`] (the router's limit), 400 for one that
    /// breaks off.
    pub(crate) async fn of_body(request: Request) -> Result<Self, Failure> {
        if !is_form(request.headers()) {
            return Err(Failure::media_type());
        }
        match Bytes::from_request(request, &()).await {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Failure::too_large())
            }
            Err(_) => Err(Failure::broken_body()),
        }
    }

    /// A field that may be left out; an empty one counts as left out.
    pub(crate) fn optional(&self, field: &'static str) -> Result<Option<&str>, FieldError> {
        let mut values = self.all(field);
        let value = values.next();
        if values.next().is_some() {
            return Err(FieldError {
                field,
                problem: FieldProblem::Repeated,
            });
        }
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// A field that must be there; an empty one counts as left out.
    pub(crate) fn required(&self, field: &'static str) -> Result<&str, FieldError> {
        self.optional(field)?.ok_or(FieldError {
            field,
            problem: FieldProblem::Missing,
        })
    }

    /// A check box: `on`, `true` or `1` when ticked, left out when not.
    pub(crate) fn flag(&self, field: &'static str) -> Result<bool, FieldError> {
        match self.optional(field)? {
            None => Ok(false),
            Some("on" | "true" | "1") => Ok(true),
            Some(_) => Err(FieldError {
                field,
                problem: FieldProblem::NotAFlag,
            }),
        }
    }

    /// All values of a field that may be repeated.
    pub(crate) fn all<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(name, _)| name == field)
            .map(|(_, value)| value.as_str())
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| {
            essence
                .trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_scopes_keep_their_order_and_unknown_fields_do_no_harm() {
        let fields = Fields::parse(b"uri=%2Fa+b&scopes=view&other=1&scopes=edit");
        assert_eq!(fields.required("uri"), Ok("/a b"));
        assert_eq!(fields.all("scopes").collect::<Vec<_>>(), ["view", "edit"]);
    }

    #[test]
    fn an_error_names_the_field() {
        let fields = Fields::parse(b"uri=&am=1&am=2&subtree=maybe");
        let missing = fields.required("uri").unwrap_err();
        assert_eq!(
            (missing.field, missing.problem),
            ("uri", FieldProblem::Missing)
        );
        assert!(missing.text().contains("\"uri\""));
        assert_eq!(
            fields.optional("am").unwrap_err().problem,
            FieldProblem::Repeated
        );
        assert_eq!(
            fields.flag("subtree").unwrap_err().problem,
            FieldProblem::NotAFlag
        );
    }

    #[test]
    fn flags_are_on_or_left_out() {
        assert_eq!(Fields::parse(b"subtree=on").flag("subtree"), Ok(true));
        assert_eq!(Fields::parse(b"subtree=").flag("subtree"), Ok(false));
        assert_eq!(Fields::parse(b"").flag("subtree"), Ok(false));
    }

    #[test]
    fn octets_that_are_not_utf8_are_replaced_not_refused() {
        assert_eq!(Fields::parse(b"uri=%ff").required("uri"), Ok("\u{fffd}"));
    }
}
