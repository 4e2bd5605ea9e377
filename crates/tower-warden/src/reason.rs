//! Why a request was decided as it was.

use crate::{Insufficiency, MapState};

/// The reason of a decision: one stable code for each way through Warden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// No guard covers the path: passed untouched.
    NotGuarded,
    /// A guard covers the path, nobody has mapped it, and the guard lets such paths pass.
    Unmapped,
    /// The owner came through her own door.
    Owner,
    /// A CORS preflight, which the host lets pass.
    Preflight,
    /// The AM permits the request.
    Granted,
    /// The AM said that it wants no token for the resource.
    Open,
    /// The path can be read in more than one way, and one of them is guarded: 400.
    AmbiguousPath,
    /// The outermost router saw another path than Warden, which was said to be outermost: 400.
    RewrittenPath,
    /// There is more than one `Authorization` field: 400.
    RepeatedAuthorization,
    /// The `Authorization` field can't be read: 400.
    MalformedAuthorization,
    /// The request demands maps of an epoch that is no number: 400.
    MalformedMinEpoch,
    /// Nobody has mapped the path, and the guard hides such paths: 404.
    UnmappedDenied,
    /// More than one owner or AM could be meant: 403.
    AmbiguousMap,
    /// The map is not active: 403.
    MapNotActive(MapState),
    /// No registered scope covers the verb: 403.
    UncoveredVerb,
    /// The request bears no token: 401, or 403 where no ticket is to be had.
    NoToken,
    /// The token does not suffice: 401, or 403 where no ticket is to be had.
    Insufficient(Insufficiency),
    /// The token was issued by, or lately confirmed at, another AM, so this one was not asked: 401, or 403 where no
    /// ticket is to be had.
    TokenOfAnotherAm,
    /// A handler asked for a further scope when the answer that had let the request in no longer counted: 401, or 403 where
    /// no ticket is to be had.
    AnswerEnded,
    /// The maps could not be read: 503.
    MapsUnavailable,
    /// The AM could not say what the token is worth: 503.
    AmUnavailable,
    /// The budget of the request's source is spent: 429.
    SourceBusy,
    /// The budget for asking the AM is spent, or the AM failed lately and is left alone: 503.
    AmBusy,
}

impl Reason {
    /// Whether requests with this reason are let through.
    #[must_use]
    pub const fn allows(self) -> bool {
        matches!(
            self,
            Self::NotGuarded
                | Self::Unmapped
                | Self::Owner
                | Self::Preflight
                | Self::Granted
                | Self::Open
        )
    }

    /// The code, as it stands in events, problem documents and metrics. Codes do not change.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotGuarded => "not_guarded",
            Self::Unmapped => "unmapped",
            Self::Owner => "owner",
            Self::Preflight => "preflight",
            Self::Granted => "granted",
            Self::Open => "open",
            Self::AmbiguousPath => "ambiguous_path",
            Self::RewrittenPath => "rewritten_path",
            Self::RepeatedAuthorization => "repeated_authorization",
            Self::MalformedAuthorization => "malformed_authorization",
            Self::MalformedMinEpoch => "malformed_min_epoch",
            Self::UnmappedDenied => "unmapped_denied",
            Self::AmbiguousMap => "ambiguous_map",
            Self::MapNotActive(MapState::Pending) => "map_pending",
            Self::MapNotActive(MapState::Suspect) => "map_suspect",
            Self::MapNotActive(MapState::Lost) => "map_lost",
            Self::MapNotActive(_) => "map_not_active",
            Self::UncoveredVerb => "uncovered_verb",
            Self::NoToken => "no_token",
            Self::Insufficient(Insufficiency::Inactive) => "token_inactive",
            Self::Insufficient(Insufficiency::ForeignIssuer) => "foreign_issuer",
            Self::Insufficient(Insufficiency::ForeignAudience) => "foreign_audience",
            Self::Insufficient(Insufficiency::ProofRequired) => "proof_required",
            Self::Insufficient(Insufficiency::NotYetValid) => "token_not_yet_valid",
            Self::Insufficient(Insufficiency::Expired) => "token_expired",
            Self::Insufficient(Insufficiency::Scopes) => "insufficient_scope",
            Self::TokenOfAnotherAm => "token_of_another_am",
            Self::AnswerEnded => "answer_ended",
            Self::MapsUnavailable => "maps_unavailable",
            Self::AmUnavailable => "am_unavailable",
            Self::SourceBusy => "source_busy",
            Self::AmBusy => "am_busy",
        }
    }

    /// What the reader of a refusal can do about it. It tells nothing about the owner, the AM or the host.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::AmbiguousPath | Self::RewrittenPath => {
                "The path can be read in more than one way. Send each segment percent-encoded once, without empty or dot segments."
            }
            Self::RepeatedAuthorization => "Send exactly one Authorization field.",
            Self::MalformedAuthorization => {
                "Send `Authorization: Bearer TOKEN`, with one blank and a token of at most 8 KiB."
            }
            Self::MalformedMinEpoch => {
                "Send Warden-Min-Epoch once, with the number that a change was answered with, or leave it out."
            }
            Self::UnmappedDenied => "There is nothing here.",
            Self::UncoveredVerb => "No permission covers this method on this resource.",
            Self::MapNotActive(_) | Self::AmbiguousMap => {
                "The resource can't be reached at the moment. Its owner has been told what to do."
            }
            Self::NoToken => {
                "Take the ticket to the authorization server named in the challenge, and come back with the token that it gives."
            }
            Self::Insufficient(_) | Self::TokenOfAnotherAm => {
                "The token does not permit this. Take the ticket to the authorization server named in the challenge for one that does."
            }
            Self::AnswerEnded => {
                "What the authorization server said of the token has ended meanwhile. Send the request again, or take the ticket there."
            }
            Self::SourceBusy => {
                "Too many requests from here need the authorization server. Try again later."
            }
            Self::MapsUnavailable | Self::AmUnavailable | Self::AmBusy => {
                "It can't be found out at the moment whether this is permitted. Keep the token and try again later."
            }
            Self::NotGuarded
            | Self::Unmapped
            | Self::Owner
            | Self::Preflight
            | Self::Granted
            | Self::Open => "",
        }
    }
}
