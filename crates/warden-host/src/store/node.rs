//! The nodes of a host, as they know of each other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

/// Tells a node from every other that there is or was: a process that has ended is not known again.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// A new node.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string().into())
    }

    /// A new node with a name that operators know it by; the name need not be its alone. Only letters, digits, `.`, `_` and
    /// `-` of the name are kept, and the first 64 of these.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let name: String = name
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
            .take(64)
            .collect();
        if name.is_empty() {
            return Self::random();
        }
        Self(format!("{name}-{}", Uuid::new_v4()).into())
    }

    /// Reads what a store holds.
    pub(crate) fn stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeId").field(&self.as_str()).finish()
    }
}

/// A node that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeRecord {
    /// Which.
    pub node: NodeId,
    /// The epoch up to which it has applied everything.
    pub applied: i64,
    /// What is left of its lease.
    pub left: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_as_far_as_it_is_harmless() {
        let node = NodeId::named("blue 1\n.example");
        assert!(node.as_str().starts_with("blue1.example-"), "{node}");
        assert_ne!(node, NodeId::named("blue 1\n.example"));
        assert_eq!(NodeId::named("\u{e4} ").as_str().len(), 36);
    }
}
