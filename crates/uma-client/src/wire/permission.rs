use serde::{Deserialize, Serialize};

use crate::secret::Secret;

use super::object::object_only;

/// One permission that a host asks a ticket for (UMA Federated Authorization 1.0 section 4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct PermissionRequest {
    /// A registered resource.
    pub resource_id: String,
    /// Scopes of that resource; may be empty.
    pub resource_scopes: Vec<String>,
}

impl PermissionRequest {
    /// Asks for these scopes on this resource.
    pub fn new<I>(resource_id: impl Into<String>, scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            resource_id: resource_id.into(),
            resource_scopes: scopes.into_iter().map(Into::into).collect(),
        }
    }
}

/// The AM's answer to a permission request (UMA Federated Authorization 1.0 section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct TicketResponse {
    /// The ticket.
    #[serde(with = "super::secret")]
    pub ticket: Secret,
}

object_only!(TicketResponse);
