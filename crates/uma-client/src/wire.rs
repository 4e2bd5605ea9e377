//! What goes over the wire, as serde types that both sides use: a host and a requester here, an AM elsewhere.
//!
//! They mirror the published formats member for member. Reading ignores members that it does not know (UMA 2.0 Grant
//! section 1.3), is strict on types, and refuses a known member that is there twice. Secrets in them print as `[redacted]`.
//!
//! ```
//! use uma_client::wire::IntrospectionResponse;
//!
//! let answer: IntrospectionResponse = serde_json::from_str(
//!     r#"{"active":true,"exp":1256953732,"permissions":[{"resource_id":"112210f4","resource_scopes":["view"]}]}"#,
//! )?;
//! assert!(answer.active);
//! assert!(serde_json::from_str::<IntrospectionResponse>(r#"{"active":"true"}"#).is_err());
//! # Ok::<(), serde_json::Error>(())
//! ```
#![allow(
    clippy::exhaustive_structs,
    reason = "wire types mirror a published format, and both sides build them"
)]

mod introspection;
mod metadata;
mod object;
mod permission;
mod registration;
mod resource;
mod token;

pub use crate::dialect::draft03::wire as draft03;
pub use introspection::{IntrospectionResponse, MAX_EPOCH_SECONDS, Permission};
pub use metadata::Metadata;
pub use permission::{PermissionRequest, TicketResponse};
pub use registration::{ClientInformation, ClientMetadata};
pub use resource::{ResourceCreated, ResourceDescription};
pub use token::{ErrorBody, RequiredClaim, TokenResponse};

/// [`Secret`](crate::Secret)s as JSON strings: they have no `Serialize` of their own, so that none is written by chance.
pub(crate) mod secret {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::secret::Secret;

    pub(crate) fn serialize<S: Serializer>(
        value: &Secret,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }

    pub(super) mod option {
        use super::{Deserialize, Deserializer, Secret, Serializer};

        pub(in crate::wire) fn serialize<S: Serializer>(
            value: &Option<Secret>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => serializer.serialize_str(value.expose()),
                None => serializer.serialize_none(),
            }
        }

        pub(in crate::wire) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Secret>, D::Error> {
            Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
        }
    }
}

/// One string or an array of strings, read into a list.
mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }

    pub(super) fn serialize<S: Serializer>(
        values: &[String],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match values {
            [one] => serializer.serialize_str(one),
            many => many.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<String>, D::Error> {
        Ok(match Option::<OneOrMany>::deserialize(deserializer)? {
            None => Vec::new(),
            Some(OneOrMany::One(one)) => vec![one],
            Some(OneOrMany::Many(many)) => many,
        })
    }
}

/// An array that may also be `null` or missing.
mod list {
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de>,
    {
        Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
