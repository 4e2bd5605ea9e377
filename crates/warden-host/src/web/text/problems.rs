//! What the pages say when something is wrong: what it means, what this site does about it, what the owner can do.

use crate::Trouble;

pub(crate) const PROBLEMS_HEADING: &str = "Problems";
pub(crate) const PROBLEMS_NONE: &str = "All is in order.";
pub(crate) const PROBLEMS_NONE_MEANS: &str =
    "Your connection works, and your manager has all that you share.";
pub(crate) const PROBLEMS_NOT_CONNECTED: &str =
    "You are connected to no manager, and share nothing.";
pub(crate) const PROBLEMS_RULE: &str = "Whenever this site is not sure, nobody but you gets in. Nothing that is shown here opens anything by itself.";
pub(crate) const PROBLEM_DO: &str = "What you can do";
pub(crate) const PROBLEM_ITSELF: &str = "What this site does";
pub(crate) const PROBLEM_AFFECTED: &str = "What it is about";
pub(crate) const SHOW_THEM: &str = "Show all of them";

/// A problem in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) title: String,
    pub(crate) means: String,
    pub(crate) itself: String,
    pub(crate) you: String,
}

fn words(title: &str, means: &str, itself: &str, you: &str) -> Words {
    Words {
        title: title.to_owned(),
        means: super::sentence(means),
        itself: itself.to_owned(),
        you: you.to_owned(),
    }
}

/// What is wrong with resources at a manager; `None` where it is only a matter of moments.
pub(crate) fn trouble(trouble: Trouble, manager: &str) -> Option<Words> {
    Some(match trouble {
        Trouble::Registering => return None,
        Trouble::Failing => words(
            "Being protected takes longer than it should",
            &format!(
                "{manager} has not confirmed it yet. It is protected already: nobody but you gets in until it has."
            ),
            "It tries again by itself, after a few seconds at first, then less often, at least every hour.",
            "Wait, or try again now. If the manager refuses it again and again, share it with other actions, or stop sharing it.",
        ),
        Trouble::Suspect => words(
            "Your manager does not know it",
            &format!("{manager} said that it does not know this. Nobody but you gets in."),
            "It looks whether it is there after all. If so, all is as before; if it is gone, you are told here.",
            "Wait a moment. If you have deleted it there on purpose, stop sharing it here.",
        ),
        Trouble::Lost => words(
            "It is gone at your manager",
            &format!("It was deleted at {manager}, or lost there. Nobody but you gets in."),
            "Nothing: it could be that you wanted it so.",
            "Share it again, and set your rules for it there anew; or stop sharing it.",
        ),
        Trouble::OutOfStep => words(
            "Your manager shows an older name",
            &format!(
                "Your rules at {manager} hold. It has not taken the latest name or description yet."
            ),
            "It tells the manager again by itself.",
            "Wait, or save the name once more.",
        ),
        Trouble::Withheld => words(
            "Closed since you have disconnected",
            &format!("You have disconnected from {manager}. Nobody but you gets in."),
            "Nothing: it may not speak for you there any more.",
            "Connect again, and all is as before; or move to another manager; or stop sharing.",
        ),
        Trouble::AmNotServed => words(
            "This site no longer works with your manager",
            &format!(
                "The people who run this site have ended working with {manager}. Nobody but you gets in."
            ),
            "Nothing, unless they take it back.",
            "Move to another manager, or stop sharing.",
        ),
        Trouble::Damaged => words(
            "What this site has stored is damaged",
            "It cannot be read any more. Nobody but you gets in.",
            "It leaves it alone, and has told the people who run this site.",
            "Stop sharing it, and share it anew.",
        ),
    })
}

pub(crate) fn consent_problem(manager: &str) -> Words {
    words(
        "Your consent is needed",
        &format!(
            "{manager} no longer lets this site speak for you. Others are refused, whatever your rules there say."
        ),
        "Nothing: only you can consent.",
        "Reconnect: you sign in there and allow it once more. What you share and your rules stay as they are.",
    )
}

pub(crate) fn disconnected_problem(manager: &str) -> Words {
    words(
        "You have disconnected",
        &format!(
            "This site no longer speaks for you at {manager}. Nobody but you gets at what you share."
        ),
        "Nothing.",
        "Connect again, and all is as before; or move to another manager; or stop sharing.",
    )
}

pub(crate) fn ending_problem(manager: &str, day: &str, left: &str) -> Words {
    words(
        "Your connection ends soon",
        &format!(
            "Your connection to {manager} ends on {day}, {left}. Until then all is well; after that nobody else gets in."
        ),
        "It cannot prolong this connection by itself.",
        "Reconnect before then.",
    )
}

pub(crate) fn away_problem(manager: &str) -> Words {
    words(
        "Your manager cannot be reached",
        &format!(
            "This site could not reach {manager} the last time it tried. Whoever was let in a moment ago may go on for a few seconds; all others are refused."
        ),
        "It tries again by itself, after a second at first, then less often, at least every five minutes.",
        "Wait. If it lasts, ask the people who run the manager.",
    )
}

pub(crate) fn move_problem(to: &str, why: &str) -> Words {
    words(
        "The move does not go on",
        &format!("{why} Your manager until now decides, as before."),
        "It tries again by itself.",
        &format!("Wait, or give up the move to {to}."),
    )
}

pub(crate) fn leftover_problem(manager: &str, count: u64) -> Words {
    words(
        "Something is left at a former manager",
        &super::leftover(manager, count, true),
        "Nothing: it may not speak for you there any more.",
        "Delete it there yourself, or leave it: it lets nobody in.",
    )
}
