use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::object_only;

/// The largest time that is taken for seconds since 1970: `10^11` (the year 5138). What is larger is milliseconds.
pub const MAX_EPOCH_SECONDS: i64 = 100_000_000_000;

/// The AM's answer to an introspection (RFC 7662 section 2.2, UMA Federated Authorization 1.0 section 5.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct IntrospectionResponse {
    /// Whether the token counts. Only a JSON boolean is read.
    pub active: bool,
    /// End of life, in seconds since 1970: a JSON integer from 0 to [`MAX_EPOCH_SECONDS`].
    #[serde(
        default,
        deserialize_with = "epoch::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub exp: Option<i64>,
    /// When it was issued, as `exp`.
    #[serde(
        default,
        deserialize_with = "epoch::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub iat: Option<i64>,
    /// Not before, as `exp`.
    #[serde(
        default,
        deserialize_with = "epoch::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub nbf: Option<i64>,
    /// What the token permits. `None`: the member is missing, the token is no RPT for this host. Never look at `scope`
    /// instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<Permission>>,
    /// Who issued the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// For whom: a string or an array on the wire; empty when missing.
    #[serde(
        default,
        with = "super::one_or_many",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub aud: Vec<String>,
    /// Whose token it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The requester.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The token's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The token's type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// What the token is bound to (RFC 7800), as it came. A `null` counts as missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Value>,
    /// OAuth scopes of a token that is no RPT. They permit nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// How long the AM lets this answer be used, in dialects whose answers carry HTTP freshness; `None`: it does not say.
    /// Not on the wire.
    #[serde(skip)]
    pub fresh_for: Option<Duration>,
}

/// One permission of an RPT (UMA Federated Authorization 1.0 section 5.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct Permission {
    /// The resource.
    pub resource_id: String,
    /// The granted scopes; none of them grants nothing.
    pub resource_scopes: Vec<String>,
    /// End of this permission, as in [`IntrospectionResponse::exp`].
    #[serde(
        default,
        deserialize_with = "epoch::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub exp: Option<i64>,
    /// When it was issued.
    #[serde(
        default,
        deserialize_with = "epoch::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub iat: Option<i64>,
    /// Not before.
    #[serde(
        default,
        deserialize_with = "epoch::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub nbf: Option<i64>,
}

/// Seconds since 1970 as JSON integers: no floats, no strings, nothing negative, no milliseconds.
mod epoch {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer};

    use super::MAX_EPOCH_SECONDS;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<i64>, D::Error> {
        match Option::<i64>::deserialize(deserializer)? {
            Some(seconds) if !(0..=MAX_EPOCH_SECONDS).contains(&seconds) => {
                Err(D::Error::custom("not a time in seconds since 1970"))
            }
            seconds => Ok(seconds),
        }
    }
}

object_only!(IntrospectionResponse);
object_only!(Permission);
