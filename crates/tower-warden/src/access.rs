//! What a handler learns of the decision: typed values in the request's extensions, which only Warden can make.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use uma_client::{Issuer, ResourceId, Scopes};

use crate::answers::{Answer, AnswerKey};
use crate::decision::granted_scopes;
use crate::engine::Admitted;
use crate::event::RequestLine;
use crate::{ActiveToken, Engine, OwnerId, Reason, Refusal, Requirements, ResourceMap};

/// How a request came to pass a guard. It stands in the request's extensions; a request that no guard covers has none.
///
/// With the feature `axum` it is an extractor, too.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Access {
    /// The owner's AM permits it.
    Granted(Grant),
    /// The owner herself, by the host's own sign-in.
    Owner(OwnerId),
    /// Nobody has put the path under an AM: the host's own logic decides.
    Unmapped,
}

impl Access {
    /// The grant, if the AM permits the request.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Granted(grant) => Some(grant),
            _ => None,
        }
    }
}

/// What an AM permits to a request: whose resource, which scopes, to whom, until when.
#[derive(Clone)]
pub struct Grant {
    pub(crate) engine: Engine,
    pub(crate) requirements: Requirements,
    /// None where the AM wanted no token.
    pub(crate) answer: Option<Arc<Answer>>,
    pub(crate) token: Option<AnswerKey>,
    /// There where decisions are kept in records.
    pub(crate) request: Option<Arc<RequestLine>>,
    pub(crate) decided_at: i64,
    pub(crate) expires: Option<i64>,
}

impl Grant {
    /// Demands a further scope on the resource, for a check finer than the verb: the same decision, at this moment, with an
    /// event, a count and a record of its own.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] for the requester, with a ticket for this scope where one is to be had. With the feature `axum` it is
    /// a response, so that a handler can return it with `?`.
    ///
    /// A text that can't be a scope is a mistake of the handler's, and is refused as a scope that is not registered.
    pub async fn require(&self, scope: &str) -> Result<(), Refusal> {
        let Ok(scopes) = Scopes::parse([scope]) else {
            tracing::error!(target: "tower_warden", "a handler requires what can't be a scope");
            return Err(Refusal::plain(Reason::UncoveredVerb, StatusCode::FORBIDDEN));
        };
        let admitted = Admitted {
            map: self.requirements.first().map(),
            answer: self.answer.as_ref(),
            token: self.token,
            request: self.request.as_ref(),
        };
        self.engine.judge_further(admitted, scopes).await
    }

    /// Whose data it is.
    #[must_use]
    pub fn owner(&self) -> &OwnerId {
        self.requirements.owner()
    }

    /// The AM that permits it.
    #[must_use]
    pub fn am(&self) -> &Issuer {
        self.requirements.am().issuer()
    }

    /// The map that the request met.
    #[must_use]
    pub fn map(&self) -> &ResourceMap {
        self.requirements.first().map()
    }

    /// The resource's id at the AM.
    #[must_use]
    pub fn resource_id(&self) -> &ResourceId {
        self.map().resource_id()
    }

    /// Every scope that the token held on the resource when the request was decided, those beyond the required ones
    /// included. A scope may come more than once.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.token()
            .into_iter()
            .flat_map(|token| granted_scopes(self.requirements.first(), token, self.decided_at))
    }

    /// Whether the token held a scope on the resource, for checks finer than a verb.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|granted| granted == scope)
    }

    /// Who asks, if the AM says. For display: it plays no part in the decision.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.token()?.subject.as_deref()
    }

    /// The application that asks, if the AM says. For display: it plays no part in the decision.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.token()?.client_id.as_deref()
    }

    /// The second since the epoch from which on the same request would be refused, if the AM sets one. What outlives its
    /// request, such as a WebSocket, should end by then.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        self.expires
    }

    /// Whether the AM wanted no token at all.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.answer.is_none()
    }

    fn token(&self) -> Option<&ActiveToken> {
        self.answer.as_ref()?.token()
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("owner", self.owner())
            .field("am", self.am())
            .field("resource_id", self.resource_id())
            .field("scopes", &self.scopes().collect::<Vec<_>>())
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
