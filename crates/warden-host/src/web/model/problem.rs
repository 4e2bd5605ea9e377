//! What is wrong for an owner, what it means, and what helps: facts in, words and buttons out.

use std::time::SystemTime;

use super::{Banner, Kind, ResourceView, Validity};
use crate::web::text::{self, Words};
use crate::web::{connection, stop, undo};
use crate::{Connection, ConnectionState, Leftover, Move, SharedResource, Trouble};

/// Most resources that are shown of one problem.
const MOST: usize = 20;

/// A button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Goes to a page.
    Go {
        href: String,
        label: String,
        /// Whether it leads to the AM, in a new tab.
        away: bool,
    },
    /// Sends a form with these fields.
    Send {
        path: &'static str,
        fields: Vec<(&'static str, String)>,
        label: &'static str,
    },
}

/// One problem, with all that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// For links and for tests.
    pub(crate) id: &'static str,
    pub(crate) kind: Kind,
    pub(crate) words: Words,
    pub(crate) acts: Vec<Act>,
    /// The resources that it is about, and what helps each.
    pub(crate) resources: Vec<(ResourceView, Vec<Act>)>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// All that is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) connection: Option<&'a Connection>,
    pub(crate) moving: Option<&'a Move>,
    /// Whether the AM could not be reached the last time.
    pub(crate) is_away: bool,
    pub(crate) leftovers: &'a [Leftover],
    /// Those that are not simply protected.
    pub(crate) resources: &'a [SharedResource],
    pub(crate) now: SystemTime,
}

impl Problem {
    fn new(id: &'static str, words: Words, acts: Vec<Act>) -> Self {
        Self {
            id,
            kind: Kind::Problem,
            words,
            acts,
            resources: Vec::new(),
            more: 0,
        }
    }

    /// What is wrong, the gravest first.
    pub(crate) fn all(facts: Facts<'_>) -> Vec<Self> {
        let mut problems = Vec::new();
        problems.extend(
            facts
                .connection
                .and_then(|one| of_connection(one, facts.now)),
        );
        if let Some(connection) = facts.connection.filter(|_| facts.is_away) {
            let words = text::away_problem(&connection.name);
            problems.push(Self::new("away", words, Vec::new()));
        }
        if let Some(moving) = facts.moving
            && let Some(why) = &moving.problem
        {
            let words = text::move_problem(&moving.to.name, &text::sentence(why));
            problems.push(Self::new("move", words, vec![give_up()]));
        }
        for trouble in [
            Trouble::Lost,
            Trouble::Damaged,
            Trouble::AmNotServed,
            Trouble::Withheld,
            Trouble::Failing,
            Trouble::Suspect,
            Trouble::OutOfStep,
        ] {
            problems.extend(of_resources(trouble, &facts));
        }
        for leftover in facts.leftovers.iter().filter(|leftover| leftover.stuck) {
            let url = leftover.am.issuer.url();
            let mut acts = Vec::new();
            if matches!(url.scheme(), "http" | "https") {
                acts.push(Act::Go {
                    href: url.as_str().to_owned(),
                    label: text::settings_at(&leftover.am.name),
                    away: true,
                });
            }
            let words = text::leftover_problem(&leftover.am.name, leftover.count);
            let mut problem = Self::new("leftover", words, acts);
            problem.kind = Kind::Pending;
            problems.push(problem);
        }
        problems
    }
}

fn of_connection(connection: &Connection, now: SystemTime) -> Option<Problem> {
    let banner = Banner::of(connection, now)?;
    let view = super::ConnectionView::of(connection, now);
    let reconnect = reconnect(connection);
    Some(match (connection.state, view.validity) {
        (ConnectionState::Disconnected, _) => Problem::new(
            "disconnected",
            text::disconnected_problem(&connection.name),
            vec![reconnect, go(connection::MOVE_PATH, text::MOVE)],
        ),
        (ConnectionState::Connected, Validity::Until { day, left, .. }) => {
            let words = text::ending_problem(&connection.name, &day.words, &left);
            let mut problem = Problem::new("ends", words, vec![reconnect]);
            problem.kind = banner.kind;
            problem
        }
        _ => Problem::new(
            "consent",
            text::consent_problem(&connection.name),
            vec![reconnect],
        ),
    })
}

fn of_resources(trouble: Trouble, facts: &Facts<'_>) -> Option<Problem> {
    let about: Vec<&SharedResource> = facts
        .resources
        .iter()
        .filter(|resource| resource.trouble == Some(trouble))
        .collect();
    let first = about.first()?;
    let words = text::trouble(trouble, &first.am_name)?;
    let id = match trouble {
        Trouble::Lost => "lost",
        Trouble::Damaged => "damaged",
        Trouble::AmNotServed => "not-served",
        Trouble::Withheld => "withheld",
        Trouble::Failing => "pending",
        Trouble::Suspect => "suspect",
        _ => "out-of-step",
    };
    let acts = match trouble {
        Trouble::Withheld => facts.connection.map(reconnect).into_iter().collect(),
        Trouble::AmNotServed => vec![go(connection::MOVE_PATH, text::MOVE)],
        _ => Vec::new(),
    };
    let mut problem = Problem::new(id, words, acts);
    if matches!(trouble, Trouble::Failing | Trouble::OutOfStep) {
        problem.kind = Kind::Pending;
    }
    problem.more = about.len().saturating_sub(MOST);
    problem.resources = about
        .into_iter()
        .take(MOST)
        .map(|resource| {
            let view = ResourceView::of(resource, facts.connection);
            let acts = helps(trouble, &view);
            (view, acts)
        })
        .collect();
    Some(problem)
}

/// What helps one resource.
fn helps(trouble: Trouble, resource: &ResourceView) -> Vec<Act> {
    let again = |label| Act::Send {
        path: undo::PATH,
        fields: vec![("uri", resource.uri.clone())],
        label,
    };
    let stop = go(stop::href(&resource.uri, None), text::STOP);
    match trouble {
        Trouble::Lost => vec![again(text::SHARE_AGAIN), stop],
        Trouble::Failing => vec![again(text::TRY_NOW), stop],
        Trouble::OutOfStep => vec![go(resource.edit(), text::EDIT)],
        _ => vec![stop],
    }
}

fn go(href: impl Into<String>, label: &str) -> Act {
    Act::Go {
        href: href.into(),
        label: label.to_owned(),
        away: false,
    }
}

fn reconnect(connection: &Connection) -> Act {
    Act::Send {
        path: "/uma/connect",
        fields: vec![("am", connection.issuer.as_str().to_owned())],
        label: text::RECONNECT,
    }
}

fn give_up() -> Act {
    Act::Send {
        path: connection::CANCEL_PATH,
        fields: Vec::new(),
        label: text::MOVE_GIVE_UP,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use uma_client::Issuer;

    use super::super::tests::resource;
    use super::*;
    use crate::{AmChoice, ConnectBy};

    fn am(name: &str) -> AmChoice {
        AmChoice {
            issuer: Issuer::parse("https://am.example").unwrap(),
            name: name.to_owned(),
            how: ConnectBy::Consent,
        }
    }

    fn connection(state: ConnectionState) -> Connection {
        Connection {
            issuer: am("x").issuer,
            name: "Example AM".to_owned(),
            since: UNIX_EPOCH,
            state,
            ends: None,
        }
    }

    fn facts(connection: &Connection) -> Facts<'_> {
        Facts {
            connection: Some(connection),
            moving: None,
            is_away: false,
            leftovers: &[],
            resources: &[],
            now: UNIX_EPOCH + Duration::from_secs(86_400),
        }
    }

    #[test]
    fn each_state_has_its_words_and_its_button() {
        let works = connection(ConnectionState::Connected);
        let mut found = Vec::new();
        for (trouble, id, acts) in [
            (Trouble::Lost, "lost", 2),
            (Trouble::Damaged, "damaged", 1),
            (Trouble::AmNotServed, "not-served", 1),
            (Trouble::Withheld, "withheld", 1),
            (Trouble::Failing, "pending", 2),
            (Trouble::Suspect, "suspect", 1),
            (Trouble::OutOfStep, "out-of-step", 1),
        ] {
            let mut about = resource("https://am.example", None);
            about.trouble = Some(trouble);
            let resources = vec![about; 22];
            let mut facts = facts(&works);
            facts.resources = &resources;
            let problems = Problem::all(facts);
            assert_eq!(problems.len(), 1, "{trouble:?}");
            assert_eq!(problems[0].id, id);
            assert_eq!((problems[0].resources.len(), problems[0].more), (20, 2));
            assert_eq!(problems[0].resources[0].1.len(), acts, "{trouble:?}");
            found.push(problems[0].words.title.clone());
        }
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 7, "each its own");
        let mut waits = resource("https://am.example", None);
        waits.trouble = Some(Trouble::Registering);
        let waits = [waits];
        let mut of_moments = facts(&works);
        of_moments.resources = &waits;
        assert!(Problem::all(of_moments).is_empty());
    }

    #[test]
    fn connections_moves_and_leftovers_come_with_what_helps() {
        for (state, id) in [
            (ConnectionState::NeedsConsent, "consent"),
            (ConnectionState::Disconnected, "disconnected"),
        ] {
            let problems = Problem::all(facts(&connection(state)));
            assert_eq!(problems[0].id, id);
            assert!(matches!(
                &problems[0].acts[0],
                Act::Send {
                    path: "/uma/connect",
                    ..
                }
            ));
        }
        let works = connection(ConnectionState::Connected);
        let moving = Move {
            from: am("Old"),
            to: am("New"),
            since: UNIX_EPOCH,
            moved: 1,
            total: 2,
            problem: Some("it is away".to_owned()),
        };
        let leftover = |stuck| Leftover {
            am: am("Old"),
            count: 3,
            stuck,
        };
        let leftovers = [leftover(true), leftover(false)];
        let mut facts = facts(&works);
        (facts.moving, facts.leftovers, facts.is_away) = (Some(&moving), &leftovers, true);
        let problems = Problem::all(facts);
        let ids: Vec<_> = problems.iter().map(|problem| problem.id).collect();
        assert_eq!(ids, ["away", "move", "leftover"]);
        assert!(problems[1].words.means.starts_with("It is away."));
        let soon = Connection {
            ends: Some(UNIX_EPOCH + Duration::from_secs(3 * 86_400)),
            ..works.clone()
        };
        facts.connection = Some(&soon);
        let problems = Problem::all(facts);
        assert_eq!((problems[0].id, problems[0].kind), ("ends", Kind::Pending));
    }
}
