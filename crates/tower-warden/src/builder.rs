//! Building a layer, and what can be wrong with it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Extensions;
use uma_client::{Clock, SystemClock};

use crate::answers::{AnswerLimits, Answers, MAX_CACHE_TTL};
use crate::audit::AuditQueue;
use crate::engine::{OwnAccess, Shared};
use crate::gate::{GateLimits, Gates, Rate};
use crate::guard::{Guard, GuardError, Guards};
use crate::peer::SourceBudgets;
use crate::protection::ErasedProtection;
use crate::refusal::OnReject;
use crate::{
    AuditSink, CanonicalPath, Engine, Mode, OwnerId, Protection, Rejection, ResourceMaps, Site,
    Unmapped, WardenLayer,
};

/// Where readers of paths cut segments off: parameters (RFC 3986 section 3.3), and what a second reading takes for a query, a
/// fragment or an escape.
const STRIPPED: [char; 4] = [';', '?', '#', '%'];

/// Builds a [`WardenLayer`].
///
/// Maps, protection and at least one guard must be named; there is no default that lets anything through.
///
/// ```
/// use tower_warden::{BuildErrorKind, MemoryMaps, WardenLayer};
///
/// let error = WardenLayer::builder().maps(MemoryMaps::new()).build().unwrap_err();
/// assert_eq!(error.kind(), BuildErrorKind::NoProtection);
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct WardenBuilder {
    maps: Option<Arc<dyn ResourceMaps>>,
    protection: Option<Arc<dyn ErasedProtection>>,
    guards: Vec<(String, Unmapped, Mode)>,
    site: Site,
    realm: String,
    host_id: String,
    limits: AnswerLimits,
    gate: GateLimits,
    source_budget: Option<Rate>,
    own_access: Option<Box<OwnAccess>>,
    on_reject: Option<Box<OnReject>>,
    audit: Option<AuditQueue>,
    preflight: bool,
    outermost: bool,
    legacy_tokens: bool,
    keep_authorization: bool,
    min_epoch: bool,
    clock: Arc<dyn Clock>,
}

impl WardenBuilder {
    pub(crate) fn new() -> Self {
        Self {
            maps: None,
            protection: None,
            guards: Vec::new(),
            site: Site::default(),
            realm: String::from("warden"),
            host_id: String::new(),
            limits: AnswerLimits::default(),
            gate: GateLimits::default(),
            source_budget: None,
            own_access: None,
            on_reject: None,
            audit: None,
            preflight: false,
            outermost: false,
            legacy_tokens: false,
            keep_authorization: false,
            min_epoch: false,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Names where the maps are found.
    pub fn maps(mut self, maps: impl ResourceMaps) -> Self {
        self.maps = Some(Arc::new(maps));
        self
    }

    /// Names who asks the AMs.
    pub fn protection(mut self, protection: impl Protection) -> Self {
        self.protection = Some(Arc::new(protection));
        self
    }

    /// Puts a path and all below it under Warden, and says what a path there gets that nobody has mapped. Of several
    /// guards the one with the longest prefix counts. A prefix must have one reading, and none of `;`, `?`, `#` and `%` in it
    /// once it is decoded.
    pub fn guard(self, prefix: impl Into<String>, unmapped: Unmapped) -> Self {
        self.guard_in_mode(prefix, unmapped, Mode::Enforce)
    }

    /// As [`WardenBuilder::guard`], in a mode in which refusals may not take effect. Building the layer reports such
    /// guards as a warning.
    pub fn guard_in_mode(
        mut self,
        prefix: impl Into<String>,
        unmapped: Unmapped,
        mode: Mode,
    ) -> Self {
        self.guards.push((prefix.into(), unmapped, mode));
        self
    }

    /// Sets the site that the maps are looked up on.
    pub fn site(mut self, site: Site) -> Self {
        self.site = site;
        self
    }

    /// Sets the realm that challenges name: 1 to 128 visible ASCII characters or blanks, without `"` and `\`. The default
    /// is `warden`.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// Sets the name of this host in dialects whose challenges name it (`host_id` of
    /// [`Dialect::Draft03`](uma_client::Dialect::Draft03)); without it such a challenge can't be written, and requesters get
    /// 403 with no way on.
    pub fn host_id(mut self, host_id: impl Into<String>) -> Self {
        self.host_id = host_id.into();
        self
    }

    /// Sets the longest life of a cached answer of an AM: at most 60 s; 10 s by default. What an owner changes at her AM
    /// holds here after that time.
    pub fn cache_ttl(mut self, ttl: Duration) -> Self {
        self.limits.ttl = ttl;
        self
    }

    /// Sets how many answers on active tokens are kept; 100 000 by default.
    pub fn cache_capacity(mut self, answers: u64) -> Self {
        self.limits.active = answers;
        self
    }

    /// Sets what each AM may be asked.
    pub fn gate(mut self, limits: GateLimits) -> Self {
        self.gate = limits;
        self
    }

    /// Gives each source of requests a budget for calls to AMs: introspections of new tokens, and tickets. It applies where
    /// the host sets a [`Peer`](crate::Peer) as an extension of the request, outside Warden. Over budget, the answer is 429.
    pub fn source_budget(mut self, rate: Rate) -> Self {
        self.source_budget = Some(rate);
        self
    }

    /// Hands every decision to a sink, through a queue of `capacity` decisions; what finds it full is dropped and counted
    /// ([`Engine::audit_dropped`]).
    pub fn audit(mut self, sink: impl AuditSink, capacity: usize) -> Self {
        self.audit = Some(AuditQueue::new(sink, capacity));
        self
    }

    /// Lets the host replace the bodies of refusals and add fields to them.
    pub fn on_reject(mut self, hook: impl Fn(&mut Rejection<'_>) + Send + Sync + 'static) -> Self {
        self.on_reject = Some(Box::new(hook));
        self
    }

    /// Opens the owner's own door: `own_access` says whether the request comes from the map's owner, and must lean on
    /// nothing but a typed extension that the host's own sign-in has set. For verbs that change something, the sign-in
    /// must have made sure that the owner meant it (CSRF).
    pub fn own_access(
        mut self,
        own_access: impl Fn(&Extensions, &OwnerId) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.own_access = Some(Box::new(own_access));
        self
    }

    /// Lets CORS preflights through to the handlers of mapped paths. Not needed where a CORS layer outside Warden answers
    /// them.
    pub fn pass_preflights(mut self) -> Self {
        self.preflight = true;
        self
    }

    /// Says that Warden is outermost: around everything that routes or changes paths. Without the feature `axum` a layer
    /// can't be built without it, since a nested service sees a path without its prefix.
    pub fn outermost(mut self) -> Self {
        self.outermost = true;
        self
    }

    /// Takes a requester's token also from where the dialect of a path's AM looks besides `Authorization: Bearer`
    /// ([`Dialect::legacy_token`](uma_client::Dialect::legacy_token)): requesters of 2012 may put it into a
    /// `WWW-Authenticate` field. Other dialects are not touched by it, and a request with two tokens is refused.
    pub fn accept_legacy_tokens(mut self) -> Self {
        self.legacy_tokens = true;
        self
    }

    /// Leaves the `Authorization` field on granted requests. It is taken off otherwise: a handler has no need for the
    /// requester's token, and [`Grant`](crate::Grant) tells what it carries.
    pub fn keep_authorization(mut self) -> Self {
        self.keep_authorization = true;
        self
    }

    /// Lets requests demand maps of a certain epoch, by the field [`MIN_EPOCH_HEADER`](crate::MIN_EPOCH_HEADER): a node that
    /// has not come so far catches up first, and answers 503 where it can't. So who has changed something on one node finds
    /// it in force on another.
    pub fn accept_min_epoch(mut self) -> Self {
        self.min_epoch = true;
        self
    }

    /// Sets the clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Builds the layer.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that says what is missing or wrong.
    pub fn build(self) -> Result<WardenLayer, BuildError> {
        let kind = BuildError::from;
        let maps = self.maps.ok_or_else(|| kind(BuildErrorKind::NoMaps))?;
        let protection = self
            .protection
            .ok_or_else(|| kind(BuildErrorKind::NoProtection))?;
        if !(cfg!(feature = "axum") || self.outermost) {
            return Err(BuildErrorKind::NotOutermost.into());
        }
        let realm_fits = (1..=128).contains(&self.realm.len())
            && self
                .realm
                .bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
        if !realm_fits {
            return Err(BuildErrorKind::Realm.into());
        }
        if self.limits.ttl > MAX_CACHE_TTL {
            return Err(BuildErrorKind::CacheTtl.into());
        }
        let mut guards = Vec::new();
        for (prefix, unmapped, mode) in self.guards {
            let prefix = CanonicalPath::parse(&prefix)
                .map_err(|error| BuildError {
                    kind: BuildErrorKind::Guard,
                    detail: format!("`{prefix}`: {error}"),
                })?
                .into_owned();
            if let Some(odd) = prefix.as_key().chars().find(|odd| STRIPPED.contains(odd)) {
                return Err(BuildError {
                    kind: BuildErrorKind::Guard,
                    detail: format!(
                        "`{prefix}` holds a `{odd}`, at which some readers of paths cut a segment off: guard what stands before it"
                    ),
                });
            }
            if mode != Mode::Enforce {
                tracing::warn!(target: "tower_warden", %prefix, mode = mode.as_str(), "this guard does not enforce");
            }
            guards.push(Guard {
                prefix,
                unmapped,
                mode,
            });
        }
        let guards = Guards::new(guards).map_err(|error| BuildError {
            kind: match error {
                GuardError::None => BuildErrorKind::NoGuard,
                GuardError::Repeated(_) => BuildErrorKind::Guard,
            },
            detail: error.to_string(),
        })?;
        let shared = Shared {
            guards,
            site: self.site,
            realm: self.realm,
            host_id: self.host_id,
            maps,
            protection,
            answers: Arc::new(Answers::new(self.limits, self.clock.clone())),
            gates: Gates::new(self.gate, self.clock.clone()),
            sources: self.source_budget.map(SourceBudgets::new),
            own_access: self.own_access,
            on_reject: self.on_reject,
            audit: self.audit,
            preflight: self.preflight,
            outermost: self.outermost,
            keep_authorization: self.keep_authorization,
            min_epoch: self.min_epoch,
            legacy_tokens: self.legacy_tokens,
            clock: self.clock,
        };
        let engine = Engine {
            shared: Arc::new(shared),
        };
        Ok(WardenLayer::new(engine))
    }
}

impl fmt::Debug for WardenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WardenBuilder")
            .field("guards", &self.guards)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// A layer can't be built as it was described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError {
    kind: BuildErrorKind,
    detail: String,
}

impl BuildError {
    /// What is missing or wrong.
    #[must_use]
    pub fn kind(&self) -> BuildErrorKind {
        self.kind
    }
}

impl From<BuildErrorKind> for BuildError {
    fn from(kind: BuildErrorKind) -> Self {
        Self {
            kind,
            detail: String::new(),
        }
    }
}

/// What can be wrong with a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildErrorKind {
    /// No maps were named.
    NoMaps,
    /// No protection was named.
    NoProtection,
    /// Nothing is guarded: such a layer would let everything through.
    NoGuard,
    /// A guard's prefix is ambiguous, holds what readers of paths strip, or is guarded twice.
    Guard,
    /// The realm can't stand in a challenge.
    Realm,
    /// The life of cached answers is longer than 60 s.
    CacheTtl,
    /// The feature `axum` is off, and the builder was not told that Warden is outermost.
    NotOutermost,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            BuildErrorKind::NoMaps => "no maps are named: call `maps`",
            BuildErrorKind::NoProtection => "no protection is named: call `protection`",
            BuildErrorKind::NoGuard => "nothing is guarded: call `guard` with a prefix and what unmapped paths get",
            BuildErrorKind::Guard => "a guard can't be used",
            BuildErrorKind::Realm => "the realm must be 1 to 128 visible ASCII characters without `\"` and `\\`",
            BuildErrorKind::CacheTtl => "cached answers may live for 60 s at most: call `cache_ttl` with less",
            BuildErrorKind::NotOutermost => {
                "without the feature `axum` a nested service sees a path without its prefix: call `outermost` if Warden is around everything"
            }
        })?;
        if self.kind == BuildErrorKind::Guard {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::World;

    #[test]
    fn a_guard_with_what_readers_strip_is_refused_in_every_mode() {
        let world = World::new();
        for mode in [Mode::Enforce, Mode::Shadow, Mode::Off] {
            for prefix in ["/a;b", "/a%3Bb", "/x/a;", "/a%3Fb", "/a%23b", "/50%25"] {
                let built = world
                    .builder()
                    .guard_in_mode(prefix, Unmapped::Deny, mode)
                    .build();
                let error = built.unwrap_err();
                assert_eq!(error.kind(), BuildErrorKind::Guard, "{prefix}");
                assert!(error.to_string().contains("cut a segment off"), "{error}");
            }
        }
        assert!(
            world
                .builder()
                .guard("/a,b=c:d@e", Unmapped::Deny)
                .build()
                .is_ok()
        );
    }
}
