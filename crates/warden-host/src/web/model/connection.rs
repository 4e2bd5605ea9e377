//! A connection, and what its owner should know of it in time.

use std::time::{Duration, SystemTime};

use super::Kind;
use crate::web::connection;
use crate::web::date::Day;
use crate::web::text;
use crate::{Connection, ConnectionState, Move};

/// How long before its end a connection is said to end soon.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Until when a connection is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Validity {
    /// No end is known.
    Open,
    /// It ends, and only its owner can prolong it.
    Until {
        day: Day,
        /// How long that is from now.
        left: String,
        soon: bool,
    },
    /// It works no more.
    Ended,
}

impl Validity {
    fn of(connection: &Connection, now: SystemTime) -> Self {
        match (connection.state, connection.ends) {
            (ConnectionState::Connected, None) => Self::Open,
            (ConnectionState::Connected, Some(ends)) => match ends.duration_since(now) {
                Ok(left) => Self::Until {
                    day: Day::of(ends),
                    left: text::from_now(left),
                    soon: left <= SOON,
                },
                Err(_) => Self::Ended,
            },
            _ => Self::Ended,
        }
    }
}

/// A connection as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectionView {
    pub(crate) name: String,
    pub(crate) issuer: String,
    /// The AM's own page, where it may be linked to.
    pub(crate) home: Option<String>,
    pub(crate) since: Day,
    pub(crate) validity: Validity,
    pub(crate) kind: Kind,
    pub(crate) words: &'static str,
    pub(crate) means: Option<&'static str>,
    pub(crate) works: bool,
    pub(crate) disconnected: bool,
}

impl ConnectionView {
    pub(crate) fn of(connection: &Connection, now: SystemTime) -> Self {
        let validity = Validity::of(connection, now);
        let (kind, words, means) = match (connection.state, &validity) {
            (ConnectionState::Connected, Validity::Until { soon: true, .. }) => {
                (Kind::Pending, text::CONNECTION_ENDING, None)
            }
            (ConnectionState::Connected, Validity::Open | Validity::Until { .. }) => {
                (Kind::Protected, text::CONNECTION_OK, None)
            }
            (ConnectionState::Disconnected, _) => (
                Kind::Problem,
                text::CONNECTION_DISCONNECTED,
                Some(text::CONNECTION_DISCONNECTED_MEANS),
            ),
            _ => (
                Kind::Problem,
                text::CONNECTION_CONSENT,
                Some(text::PROBLEM_CONSENT),
            ),
        };
        let url = connection.issuer.url();
        Self {
            name: connection.name.clone(),
            issuer: connection.issuer.as_str().to_owned(),
            home: matches!(url.scheme(), "http" | "https").then(|| url.as_str().to_owned()),
            since: Day::of(connection.since),
            works: connection.state == ConnectionState::Connected && validity != Validity::Ended,
            disconnected: connection.state == ConnectionState::Disconnected,
            validity,
            kind,
            words,
            means,
        }
    }
}

/// What stands above all pages while it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Banner {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
}

impl Banner {
    /// What the owner should know of the connection before it bites, or while it does.
    pub(crate) fn of(connection: &Connection, now: SystemTime) -> Option<Self> {
        let name = &connection.name;
        let (kind, text) = match (connection.state, Validity::of(connection, now)) {
            (
                ConnectionState::Connected,
                Validity::Until {
                    day,
                    left,
                    soon: true,
                },
            ) => (Kind::Pending, text::ends_soon(name, &day.words, &left)),
            (ConnectionState::Connected, Validity::Open | Validity::Until { .. }) => return None,
            (ConnectionState::Disconnected, _) => (Kind::Problem, text::is_disconnected(name)),
            _ => (Kind::Problem, text::consent_is_gone(name)),
        };
        Some(Self {
            kind,
            text,
            href: connection::PATH,
            label: text::CONNECT_CHANGE,
        })
    }
}

/// A move as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MoveView {
    pub(crate) words: String,
    pub(crate) count: String,
    pub(crate) moved: u64,
    pub(crate) total: u64,
    pub(crate) since: Day,
    pub(crate) problem: Option<String>,
}

impl MoveView {
    pub(crate) fn of(moving: &Move) -> Self {
        Self {
            words: text::move_progress(&moving.from.name, &moving.to.name),
            count: text::move_count(moving.moved, moving.total),
            moved: moving.moved,
            total: moving.total.max(1),
            since: Day::of(moving.since),
            problem: moving.problem.as_deref().map(text::sentence),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use uma_client::Issuer;

    use super::*;

    fn view(state: ConnectionState, ends: Option<u64>) -> (ConnectionView, Option<Banner>) {
        let day = |days: u64| UNIX_EPOCH + Duration::from_secs(days * 86_400);
        let connection = Connection {
            issuer: Issuer::parse("https://am.example").unwrap(),
            name: "Example AM".to_owned(),
            since: day(1),
            state,
            ends: ends.map(day),
        };
        (
            ConnectionView::of(&connection, day(100)),
            Banner::of(&connection, day(100)),
        )
    }

    #[test]
    fn an_end_is_told_in_time() {
        let (open, none) = view(ConnectionState::Connected, None);
        assert_eq!((open.validity, none), (Validity::Open, None));
        let (far, none) = view(ConnectionState::Connected, Some(200));
        assert!(far.works && none.is_none());
        assert!(
            matches!(far.validity, Validity::Until { left, soon: false, .. } if left == "in 3 months")
        );
        let (near, banner) = view(ConnectionState::Connected, Some(103));
        assert!(near.works && near.kind == Kind::Pending);
        assert!(banner.unwrap().text.contains("14 April 1970, in 3 days"));
        let (over, banner) = view(ConnectionState::Connected, Some(99));
        assert!(!over.works && banner.unwrap().kind == Kind::Problem);
        let (consent, banner) = view(ConnectionState::NeedsConsent, None);
        assert_eq!(consent.words, text::CONNECTION_CONSENT);
        assert!(banner.unwrap().text.contains("has ended"));
        let (left, banner) = view(ConnectionState::Disconnected, None);
        assert!(left.disconnected && banner.unwrap().text.contains("disconnected"));
    }

    #[test]
    fn spans_are_told_in_their_own_unit() {
        for (seconds, words) in [
            (59, "in less than an hour"),
            (3600, "in an hour"),
            (7200, "in 2 hours"),
            (86_400, "tomorrow"),
            (14 * 86_400, "in 14 days"),
            (90 * 86_400, "in 3 months"),
        ] {
            assert_eq!(text::from_now(Duration::from_secs(seconds)), words);
        }
    }
}
