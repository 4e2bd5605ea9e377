//! What the pages say of recent access: what this site has enforced, never what the manager's rules are.

use crate::Outcome;

pub(crate) const ACCESS_HEADING: &str = "Recent access";
pub(crate) const ACCESS_INTRO: &str = "What this site has let in and turned away. It knows who asked only where your manager says so, and it does not know your rules there.";
pub(crate) const ACCESS_NONE: &str = "Nobody has asked for it of late.";
pub(crate) const ACCESS_NONE_AT_ALL: &str = "Nobody has asked for anything of yours of late.";
pub(crate) const ACCESS_NO_MATCH: &str = "There is nothing of that kind.";
pub(crate) const ACCESS_ALL: &str = "All recent access";
pub(crate) const ACCESS_OF_THIS: &str = "All recent access to this";
pub(crate) const ACCESS_FILTER: &str = "Show";
pub(crate) const ACCESS_FILTER_ALL: &str = "All";
pub(crate) const ACCESS_FILTER_IN: &str = "Let in";
pub(crate) const ACCESS_FILTER_OUT: &str = "Not let in";
pub(crate) const ACCESS_WHEN: &str = "When";
pub(crate) const ACCESS_WHO: &str = "Who";
pub(crate) const ACCESS_WHAT: &str = "What";
pub(crate) const ACCESS_RESULT: &str = "Result";
pub(crate) const ACCESS_WITH: &str = "with";
pub(crate) const ACCESS_UNKNOWN: &str = "Not known";
pub(crate) const ACCESS_CSV: &str = "Download as CSV";
pub(crate) const ACCESS_JSON: &str = "Download as JSON";
pub(crate) const ACCESS_WISHES: &str = "Somebody may want access";
pub(crate) const ACCESS_TIMES_UTC: &str = "All times are UTC.";

pub(crate) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "Let in",
        Outcome::Asked => "Asked, was sent to your manager",
        Outcome::Refused => "Refused: no permission for this",
        Outcome::Closed => "Refused: it was closed just then",
        Outcome::Unknown => "Refused: your manager could not be asked",
    }
}

pub(crate) fn times(times: u64) -> String {
    format!("{times} times")
}

/// A wish that somebody may have; only the owner knows whether to grant it.
pub(crate) fn wish(times: u64, since: &str, apps: &[String]) -> String {
    let by = match apps {
        [] => String::new(),
        [app] => format!(" with {app}"),
        [app, rest @ ..] => format!(" with {app} and {} more", rest.len()),
    };
    format!(
        "It was asked for {times} times{by} since {since}, and nobody was let in after that. If you want to let somebody in, do so at your manager; if not, there is nothing to do."
    )
}
