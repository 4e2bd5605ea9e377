//! Recent access in words, and the wishes that may be behind it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::{Kind, actions};
use crate::web::date::{Day, Moment};
use crate::web::{resource, text};
use crate::{Outcome, RecentAccess};

/// From how many refusals on somebody may want access: one or two are how every access begins.
const WISH_FROM: u64 = 3;

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessRow {
    pub(crate) when: Moment,
    pub(crate) times: Option<String>,
    pub(crate) who: Option<String>,
    pub(crate) app: Option<String>,
    pub(crate) what: String,
    pub(crate) method: String,
    pub(crate) name: Option<String>,
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) outcome: &'static str,
}

impl AccessRow {
    /// The path in pieces between which a line may break.
    pub(crate) fn path_parts(&self) -> impl Iterator<Item = &str> {
        self.path.split_inclusive('/')
    }

    pub(crate) fn of(access: &RecentAccess) -> Self {
        Self {
            when: Moment::of(access.last),
            times: (access.times > 1).then(|| text::times(access.times)),
            who: access.who.clone(),
            app: access.app.clone(),
            what: actions(&access.scopes),
            method: access.method.clone(),
            name: access.resource.clone(),
            path: access.path.clone(),
            kind: match access.outcome {
                Outcome::Allowed => Kind::Protected,
                Outcome::Asked => Kind::Pending,
                _ => Kind::Problem,
            },
            outcome: text::outcome(access.outcome),
        }
    }
}

/// That somebody may want access to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) text: String,
}

struct Asked {
    name: Option<String>,
    path: String,
    times: u64,
    since: SystemTime,
    apps: Vec<String>,
    answered: bool,
}

/// Who may want access, from accesses with the latest first: what was refused since somebody was let in last.
pub(crate) fn wishes(accesses: &[RecentAccess]) -> Vec<Wish> {
    let mut asked: BTreeMap<_, Asked> = BTreeMap::new();
    for access in accesses {
        let entry = asked.entry(access.map).or_insert_with(|| Asked {
            name: access.resource.clone(),
            path: access.path.clone(),
            times: 0,
            since: access.first,
            apps: Vec::new(),
            answered: false,
        });
        if access.outcome == Outcome::Allowed {
            entry.answered = true;
        }
        if entry.answered || !access.outcome.is_wish() {
            continue;
        }
        entry.times = entry.times.saturating_add(access.times);
        entry.since = entry.since.min(access.first);
        if let Some(app) = &access.app
            && !entry.apps.contains(app)
        {
            entry.apps.push(app.clone());
        }
    }
    asked
        .into_values()
        .filter(|asked| asked.times >= WISH_FROM)
        .map(|asked| Wish {
            text: text::wish(asked.times, &Day::of(asked.since).words, &asked.apps),
            href: format!("{}&covering=on", resource::href(&asked.path)),
            name: asked.name.unwrap_or(asked.path),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use tower_warden::MapId;

    use super::*;

    fn access(map: u64, at: u64, outcome: Outcome, times: u64, app: Option<&str>) -> RecentAccess {
        let at = UNIX_EPOCH + Duration::from_secs(at * 86_400);
        RecentAccess {
            map: MapId::new(map),
            resource: Some(format!("Thing {map}")),
            path: format!("/api/{map}"),
            method: "GET".to_owned(),
            scopes: vec!["view".to_owned()],
            first: at,
            last: at,
            times,
            outcome,
            reason: String::new(),
            who: None,
            app: app.map(str::to_owned),
        }
    }

    #[test]
    fn a_wish_is_what_was_refused_and_not_followed_by_access() {
        use Outcome::{Allowed, Asked, Closed, Refused};
        let wishes = wishes(&[
            access(1, 9, Refused, 4, Some("viewer")),
            access(2, 8, Allowed, 1, Some("viewer")),
            access(2, 7, Asked, 50, None),
            access(3, 6, Asked, 2, None),
            access(1, 5, Asked, 10, None),
            access(4, 5, Closed, 99, None),
            access(1, 4, Allowed, 1, None),
            access(1, 3, Asked, 1000, None),
        ]);
        assert_eq!(wishes.len(), 1, "{wishes:?}");
        assert_eq!(wishes[0].name, "Thing 1");
        assert!(
            wishes[0]
                .text
                .starts_with("It was asked for 14 times with viewer since 6 January 1970"),
            "{}",
            wishes[0].text
        );
        assert!(!wishes[0].text.contains("nobody is allowed"));
    }

    #[test]
    fn a_row_says_what_was_done() {
        let row = AccessRow::of(&access(1, 1, Outcome::Allowed, 3, None));
        assert_eq!((row.what.as_str(), row.outcome), ("see", "Let in"));
        assert_eq!(row.times.as_deref(), Some("3 times"));
        assert_eq!(row.kind, Kind::Protected);
    }
}
