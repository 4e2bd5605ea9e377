//! What the pages show of a resource and of a connection: the host's facts, put into words.

mod access;
mod connection;
mod problem;

use tower_warden::MapState;
use url::Url;

use super::date::Day;
use super::text;
use crate::{Connection, ConnectionState, SharedResource, Spread, Trouble, Withdrawal};

pub(crate) use access::{AccessRow, Wish, wishes};
pub(crate) use connection::{Banner, ConnectionView, MoveView, Validity};
pub(crate) use problem::{Act, Facts, Problem};

/// How things stand with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Unprotected,
    Protected,
    Pending,
    Problem,
}

impl Kind {
    /// The word for the state in a query and in a class name.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Unprotected => "unprotected",
            Self::Protected => "protected",
            Self::Pending => "pending",
            Self::Problem => "problem",
        }
    }
}

/// How things stand, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) kind: Kind,
    pub(crate) words: String,
    pub(crate) means: String,
}

impl Standing {
    /// Nothing is shared; `means` says what that is here.
    pub(crate) fn unprotected(means: &str) -> Self {
        Self {
            kind: Kind::Unprotected,
            words: text::UNPROTECTED.to_owned(),
            means: means.to_owned(),
        }
    }

    fn problem(means: impl Into<String>) -> Self {
        Self {
            kind: Kind::Problem,
            words: text::PROBLEM.to_owned(),
            means: means.into(),
        }
    }

    fn of(resource: &SharedResource, connection: Option<&Connection>) -> Self {
        let consent_is_gone = consent_is_gone(resource, connection);
        let problem = resource.problem.as_deref().map(text::sentence);
        match resource.state {
            MapState::Active | MapState::Pending if consent_is_gone => {
                Self::problem(text::PROBLEM_CONSENT)
            }
            MapState::Active => match problem {
                Some(problem) => Self::problem(problem),
                None if resource.spread != Spread::Everywhere => Self {
                    kind: Kind::Pending,
                    words: text::PENDING.to_owned(),
                    means: text::SPREADING_MEANS.to_owned(),
                },
                None => Self {
                    kind: Kind::Protected,
                    words: text::protected_by(&resource.am_name),
                    means: text::protected_means(&resource.am_name),
                },
            },
            MapState::Pending => Self {
                kind: Kind::Pending,
                words: text::PENDING.to_owned(),
                means: problem.unwrap_or_else(|| text::PENDING_MEANS.to_owned()),
            },
            // Suspect, lost, and states that these pages do not know yet: enforcement refuses all of them.
            _ => Self::problem(problem.unwrap_or_else(|| text::PROBLEM_CLOSED.to_owned())),
        }
    }
}

/// A shared resource as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResourceView {
    pub(crate) uri: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) subtree: bool,
    pub(crate) actions: String,
    pub(crate) standing: Standing,
    pub(crate) manager: String,
    pub(crate) settings: Settings,
    pub(crate) resource_id: Option<String>,
    pub(crate) since: Day,
    /// How long withdrawing at the AM takes, where that is long.
    pub(crate) withdrawal: Option<String>,
    /// Whether having it registered once more helps.
    pub(crate) again: bool,
    /// Whether the owner's consent is what is missing.
    pub(crate) needs_consent: bool,
    pub(crate) generation: i64,
}

/// Where the owner sets the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settings {
    /// The page at the AM for this resource.
    Page(String),
    /// The AM itself, as it named no page.
    Home(String),
    /// The AM gave none, and there is nothing that a link may lead to.
    Nowhere,
    /// The AM does not have the resource yet.
    NotYet,
}

impl ResourceView {
    pub(crate) fn of(resource: &SharedResource, connection: Option<&Connection>) -> Self {
        Self {
            uri: resource.uri.clone(),
            name: resource.name.clone(),
            description: resource.description.clone(),
            subtree: resource.subtree,
            actions: actions(&resource.scopes),
            standing: Standing::of(resource, connection),
            manager: resource.am_name.clone(),
            settings: settings(resource),
            resource_id: resource.resource_id.clone(),
            since: Day::of(resource.since),
            withdrawal: (resource.withdrawal == Withdrawal::WithTheToken)
                .then(|| text::withdrawal_takes(&resource.am_name)),
            again: matches!(resource.trouble, Some(Trouble::Lost | Trouble::Failing)),
            needs_consent: matches!(resource.state, MapState::Active | MapState::Pending)
                && consent_is_gone(resource, connection),
            generation: resource.generation,
        }
    }

    /// The link to its own page.
    pub(crate) fn href(&self) -> String {
        super::resource::href(&self.uri)
    }

    /// The link to the form that changes it.
    pub(crate) fn edit(&self) -> String {
        super::edit::href(&self.uri)
    }
}

fn consent_is_gone(resource: &SharedResource, connection: Option<&Connection>) -> bool {
    connection.is_some_and(|connection| {
        connection.issuer == resource.am && connection.state == ConnectionState::NeedsConsent
    })
}

pub(crate) fn actions(scopes: &[String]) -> String {
    let mut scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    // What the pages have no word for comes last, as it came.
    scopes.sort_by_key(|scope| {
        let known = text::ACTIONS.iter().position(|action| action == scope);
        known.unwrap_or(text::ACTIONS.len())
    });
    let words: Vec<&str> = scopes.into_iter().map(text::action).collect();
    words.join(", ")
}

/// The link to the rules: on the AM's own origin alone, and https unless the AM itself is met over http, as its setting
/// allows for development.
fn settings(resource: &SharedResource) -> Settings {
    let issuer = resource.am.url();
    let may = |url: &Url| {
        matches!(url.scheme(), "https" | "http")
            && url.origin() == issuer.origin()
            && url.username().is_empty()
            && url.password().is_none()
    };
    match &resource.policy_uri {
        Some(url) if may(url) => Settings::Page(url.as_str().to_owned()),
        _ if resource.resource_id.is_none() => Settings::NotYet,
        _ if may(issuer) => Settings::Home(issuer.as_str().to_owned()),
        _ => Settings::Nowhere,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::UNIX_EPOCH;

    use uma_client::Issuer;

    use super::*;

    pub(super) fn resource(am: &str, policy: Option<&str>) -> SharedResource {
        SharedResource {
            uri: "/api/a".to_owned(),
            name: "A".to_owned(),
            description: None,
            icon_uri: None,
            resource_id: Some("r1".to_owned()),
            am: Issuer::parse(am).unwrap(),
            am_name: "Example AM".to_owned(),
            scopes: ["https://x.example/print", "delete", "view"]
                .map(str::to_owned)
                .to_vec(),
            state: MapState::Active,
            problem: None,
            subtree: false,
            policy_uri: policy.map(|policy| policy.parse().unwrap()),
            since: UNIX_EPOCH,
            withheld: false,
            epoch: crate::Epoch::default(),
            spread: Spread::Everywhere,
            withdrawal: Withdrawal::Soon,
            map: tower_warden::MapId::new(1),
            trouble: None,
            generation: 1,
        }
    }

    #[test]
    fn a_slow_withdrawal_is_told() {
        let mut shared = resource("https://am.example", None);
        assert_eq!(ResourceView::of(&shared, None).withdrawal, None);
        shared.withdrawal = Withdrawal::WithTheToken;
        let told = ResourceView::of(&shared, None).withdrawal.unwrap();
        assert!(told.contains(&shared.am_name) && told.contains("stop sharing"));
    }

    #[test]
    fn settings_lead_to_safe_places_alone() {
        let of = |am: &str, policy: &str| settings(&resource(am, Some(policy)));
        let page = |href: &str| Settings::Page(href.to_owned());
        let home = |href: &str| Settings::Home(href.to_owned());
        assert_eq!(
            of("https://am.example", "https://am.example/p"),
            page("https://am.example/p")
        );
        let local = "http://127.0.0.1:8081";
        assert_eq!(
            of(local, "http://127.0.0.1:8081/p"),
            page("http://127.0.0.1:8081/p")
        );
        assert_eq!(
            of(local, "http://127.0.0.1:9999/p"),
            home("http://127.0.0.1:8081/")
        );
        for bad in [
            "https://evil.example/p",
            "https://am.example:8443/p",
            "http://am.example/p",
            "javascript:alert(1)",
            "https://u:p@am.example/p",
            "data:,x",
        ] {
            assert_eq!(
                of("https://am.example", bad),
                home("https://am.example/"),
                "{bad}"
            );
        }
        let mut unregistered = resource("https://am.example", None);
        unregistered.resource_id = None;
        assert_eq!(settings(&unregistered), Settings::NotYet);
    }

    #[test]
    fn each_state_has_its_words() {
        let connection = |state| Connection {
            issuer: Issuer::parse("https://am.example").unwrap(),
            name: "Example AM".to_owned(),
            since: UNIX_EPOCH,
            state,
            ends: None,
        };
        let works = connection(ConnectionState::Connected);
        let ended = connection(ConnectionState::NeedsConsent);
        let of = |state, problem: Option<&str>, connection| {
            let mut resource = resource("https://am.example", None);
            resource.state = state;
            resource.trouble = (state == MapState::Lost).then_some(Trouble::Lost);
            resource.problem = problem.map(str::to_owned);
            ResourceView::of(&resource, Some(connection))
        };
        let active = of(MapState::Active, None, &works);
        assert_eq!(active.standing.words, "Protected by Example AM");
        assert_eq!(active.actions, "see, delete, https://x.example/print");
        assert!(!active.again);
        let pending = of(MapState::Pending, Some("it is under way"), &works);
        assert_eq!(pending.standing.kind, Kind::Pending);
        assert_eq!(pending.standing.means, "It is under way.");
        let mut spreading = resource("https://am.example", None);
        spreading.spread = Spread::BeingProtected;
        let spreading = ResourceView::of(&spreading, Some(&works));
        assert_eq!(spreading.standing.kind, Kind::Pending);
        assert_eq!(spreading.standing.words, "Being protected");
        let lost = of(MapState::Lost, Some("it is gone"), &ended);
        assert_eq!(
            (lost.standing.kind, lost.needs_consent),
            (Kind::Problem, false)
        );
        assert!(lost.again);
        assert_eq!(
            of(MapState::Suspect, None, &works).standing.kind,
            Kind::Problem
        );
        let ended = of(MapState::Active, None, &ended);
        assert_eq!(
            (ended.standing.kind, ended.needs_consent),
            (Kind::Problem, true)
        );
    }
}
