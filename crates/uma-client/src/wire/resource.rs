use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A resource as the host describes it to the AM (UMA Federated Authorization 1.0 section 3.1).
///
/// The AM never learns the resource's URL: only the host knows which path belongs to which id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ResourceDescription {
    /// The scopes that can be granted: plain words or URIs.
    pub resource_scopes: Vec<String>,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An icon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon_uri: Option<String>,
    /// What kind of resource this is, often a URI.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// Everything else, as translated names (`name#fr`) and extensions.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ResourceDescription {
    /// A resource with these scopes, and nothing else said about it.
    pub fn new<I>(scopes: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            resource_scopes: scopes.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Sets the name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// The AM's answer to creating or updating a resource (UMA Federated Authorization 1.0 sections 3.2.1 and 3.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ResourceCreated {
    /// The AM's id of the resource.
    #[serde(rename = "_id")]
    pub id: String,
    /// Where the owner sets her policies for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_access_policy_uri: Option<String>,
}
