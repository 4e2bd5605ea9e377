//! Every sentence that the pages show, in one place, so that they can be read, changed and translated together.
//!
//! The pages never claim to know whom the owner let in: only the AM knows that. They say what the host knows.

mod access;
mod connection;
mod problems;

use std::borrow::Cow;

pub(crate) use access::*;
pub(crate) use connection::*;
pub(crate) use problems::*;

pub(crate) const DEFAULT_TITLE: &str = "Sharing";
pub(crate) const SKIP: &str = "Skip to content";
pub(crate) const NAV_LABEL: &str = "Sharing";
pub(crate) const NAV_RESOURCES: &str = "My shared resources";
pub(crate) const NAV_ACCESS: &str = "Recent access";
pub(crate) const NAV_CONNECTION: &str = "Connection";
pub(crate) const NAV_PROBLEMS: &str = "Problems";
pub(crate) const LANG: &str = "en";
pub(crate) const NEW_TAB: &str = "(opens in a new tab)";
pub(crate) const CANCEL: &str = "Cancel";
pub(crate) const SUMMARY_HEADING: &str = "Please check this";
pub(crate) const ERROR_PREFIX: &str = "Error: ";
pub(crate) const DETAILS: &str = "Details";
pub(crate) const FIELD_PATH: &str = "Path";
pub(crate) const FIELD_RESOURCE_ID: &str = "Id at the manager";
pub(crate) const FIELD_MANAGER: &str = "Manager";
pub(crate) const AND_BELOW: &str = "and everything below it";

// States.
pub(crate) const UNPROTECTED: &str = "Not protected";
pub(crate) const UNPROTECTED_MEANS: &str = "It follows this site’s own rules.";
pub(crate) const PENDING: &str = "Being protected";
pub(crate) const PROBLEM: &str = "Problem";
pub(crate) const PENDING_MEANS: &str = "Nobody else gets in until that is done.";
/// What it means while not every node has said that it enforces it.
pub(crate) const SPREADING_MEANS: &str =
    "Not all machines of this site have confirmed it yet. That takes a few seconds.";
pub(crate) const PROBLEM_CLOSED: &str = "Nobody else gets in.";
pub(crate) const PROBLEM_CONSENT: &str = "This site may no longer speak to your manager for you, so others are refused. Reconnect to put that right.";

pub(crate) fn protected_by(manager: &str) -> String {
    format!("Protected by {manager}")
}

pub(crate) fn protected_means(manager: &str) -> String {
    format!(
        "Your rules at {manager} decide who gets in. Without a rule there, nobody else gets in."
    )
}

pub(crate) fn covered_by(path: &str) -> String {
    format!("It is covered by what you shared at {path}.")
}

// Links and buttons of a resource.
pub(crate) const SHARE: &str = "Share";
pub(crate) const SHARE_AGAIN: &str = "Share again";
pub(crate) const TRY_NOW: &str = "Try again now";
pub(crate) const SHARE_MORE: &str = "More choices";
pub(crate) const STOP: &str = "Stop sharing";
pub(crate) const OPEN_COVERING: &str = "See all that I share";
pub(crate) const OPEN_RESOURCE: &str = "Details and recent access";
pub(crate) const EDIT: &str = "Change name or actions";
pub(crate) const RESOURCE_SHARED: &str = "What is shared";
pub(crate) const FIELD_DESCRIPTION: &str = "Description";
pub(crate) const FIELD_SINCE: &str = "Shared since";
pub(crate) const ONLY_THIS: &str = "only exactly this path";
pub(crate) const UNDO: &str = "Share again";
pub(crate) const UNDO_HINT: &str = "Changed your mind? It can be shared again as it was. Your rules for it at the manager went with it; you set them anew.";
pub(crate) const AGAIN_NONE: &str = "Say which path is to be shared again (\"uri\").";
pub(crate) const AGAIN_GONE: &str = "This site no longer knows how it was shared. Share it anew.";

pub(crate) fn panel_title(name: &str) -> String {
    format!("Sharing of {name}")
}

pub(crate) fn settings_at(manager: &str) -> String {
    format!("Settings at {manager}")
}

pub(crate) fn no_settings_link(manager: &str) -> String {
    format!("{manager} gave no page for this resource. Sign in there and look for it by name.")
}

/// The scopes that the pages have words for, in the order in which they are shown.
pub(crate) const ACTIONS: [&str; 3] = ["view", "edit", "delete"];

/// The action that a scope stands for, in a person's words.
pub(crate) fn action(scope: &str) -> &str {
    match scope {
        "view" => "see",
        "edit" => "change",
        "delete" => "delete",
        other => other,
    }
}

// The share form.
pub(crate) const SHARE_HEADING: &str = "Share";
pub(crate) const SHARE_NAME: &str = "Name";
pub(crate) const SHARE_NAME_HINT: &str = "How it is called at your manager.";
pub(crate) const SHARE_DESCRIPTION: &str = "Description (optional)";
pub(crate) const SHARE_ACTIONS: &str = "What can be allowed";
pub(crate) const SHARE_ACTIONS_HINT: &str = "Nobody gets in until you allow it at your manager. An action that is not ticked cannot be allowed there.";
pub(crate) const SHARE_SUBTREE: &str = "This path and everything below it";
pub(crate) const SHARE_SUBTREE_HINT: &str = "Not ticked: only exactly this path.";
pub(crate) const SHARE_SUBTREE_SHORT: &str = "And everything below";
pub(crate) const SHARE_ICON: &str = "Address of an icon (optional)";
pub(crate) const SHARE_SCOPES_NONE: &str = "Tick at least one action.";
pub(crate) const SHARE_NAME_EMPTY: &str = "Give it a name.";
pub(crate) fn edit_heading(name: &str) -> String {
    format!("Change {name}")
}

pub(crate) const EDIT_SAVE: &str = "Save";
pub(crate) const EDIT_HINT: &str = "If you change the actions, your manager is told first; nobody else gets in until it has answered. The rules that you set there stay.";
pub(crate) const CHANGED_TEXT: &str = "It was changed in another window or on another device since this page was drawn. Nothing was done yet. Above you see how it is now; below is what you entered.";
pub(crate) const CHANGED_GONE: &str = "It was changed in another window or on another device since this page was drawn, and is not shared now. Nothing was done. Below is what you entered.";
pub(crate) const CHANGED_NOW: &str = "How it is now";
pub(crate) const CHANGED_YOURS: &str = "What you entered";
pub(crate) const CHANGED_STOP: &str = "Some of this was changed in another window or on another device since this page was drawn. Nothing was stopped. Below you see how it is now.";
pub(crate) const SHARE_URI_EMPTY: &str = "Say which path is to be shared.";
pub(crate) const SHARE_CHANGED: &str = "From then on, your manager decides who else gets in.";
pub(crate) const SHARE_CONNECT_FIRST: &str =
    "You have not chosen a manager yet. You will be asked for one, and then come back here.";
pub(crate) const SHARE_RECONNECT_FIRST: &str = "This site needs your consent at your manager once more. You will be asked for it, and then come back here.";

// Stop sharing.
pub(crate) const STOP_HEADING: &str = "Stop sharing?";
pub(crate) const STOP_EFFECT_LOSE: &str =
    "People and apps that you let in at your manager lose that access at once.";
pub(crate) const STOP_EFFECT_RULES: &str =
    "From then on this site’s own rules decide who gets in, as before you shared it.";
pub(crate) const STOP_EFFECT_FORGET: &str =
    "Your manager is told to forget it, and your rules for it there go with it.";
pub(crate) const STOP_BELOW: &str = "This covers everything below the path, too.";
pub(crate) const STOP_NOTHING: &str = "This is not shared, so there is nothing to stop.";
pub(crate) const STOP_NONE: &str =
    "Nothing was selected. Say which paths are no longer to be shared (\"uri\").";
pub(crate) const STOP_TOO_MANY: &str = "That was more than 100 at once.";
pub(crate) const STOP_BACK: &str = "Keep sharing";
pub(crate) const STOP_UNDO: &str =
    "You can share it again afterwards, with one click. The rules are set anew then.";

pub(crate) fn stop_all(count: u64) -> String {
    format!("Everything that you share, which is {count} in all")
}

// The list.
pub(crate) const LIST_HEADING: &str = "My shared resources";
pub(crate) const LIST_EMPTY: &str = "You share nothing yet.";
pub(crate) const LIST_EMPTY_HINT: &str =
    "Where this site offers “Share” beside something of yours, use it, and it will show up here.";
pub(crate) const LIST_NO_MATCH: &str = "Nothing that you share fits this search.";
pub(crate) const LIST_SHOW_ALL: &str = "Show all";
pub(crate) const LIST_SEARCH_LABEL: &str = "Search";
pub(crate) const LIST_QUERY: &str = "Name or path";
pub(crate) const LIST_STATE: &str = "State";
pub(crate) const LIST_MANAGER: &str = "Manager";
pub(crate) const LIST_ANY: &str = "Any";
pub(crate) const LIST_SELECT: &str = "Select";
pub(crate) const LIST_STOP_SELECTED: &str = "Stop sharing what is selected";
pub(crate) const LIST_STOP_ALL: &str = "Stop sharing everything";
pub(crate) const LIST_TABLE: &str = "What you share";
pub(crate) const LIST_COLUMN_NAME: &str = "Name and path";
pub(crate) const LIST_COLUMN_STATE: &str = "State";
pub(crate) const LIST_COLUMN_DO: &str = "Actions";
pub(crate) const LIST_RULES: &str = "Rules";
pub(crate) const LIST_FIND: &str = "Search";
pub(crate) const LIST_PAGES: &str = "Pages";
pub(crate) const LIST_PREVIOUS: &str = "Previous";
pub(crate) const LIST_NEXT: &str = "Next";
pub(crate) const STATE_PROTECTED: &str = "Protected";

pub(crate) fn list_count(from: u64, to: u64, matching: u64, all: u64) -> String {
    if matching == all {
        format!("{from} to {to} of {all}")
    } else {
        format!("{from} to {to} of {matching} that fit, {all} in all")
    }
}

// Pages for what went wrong.
pub(crate) const SIGN_IN_HEADING: &str = "Please sign in";
pub(crate) const SIGN_IN_TEXT: &str = "You are not signed in, or not any more. Nothing was changed. Sign in, and you come back to where you were.";
pub(crate) const SIGN_IN_PANEL: &str = "Sign in to see and change how this is shared.";
pub(crate) const SIGN_IN: &str = "Sign in";
pub(crate) const FORBIDDEN_HEADING: &str = "This is not yours to share";
pub(crate) const FORBIDDEN_TEXT: &str = "What this path leads to does not belong to the account that you are signed in with. Nothing was changed.";
pub(crate) const UNGUARDED_HEADING: &str = "This cannot be shared";
pub(crate) const UNGUARDED_TEXT: &str =
    "This site cannot protect this path, so it cannot be shared.";
pub(crate) const BAD_PATH_HEADING: &str = "This is not a path of this site";
pub(crate) const CSRF_HEADING: &str = "That came from another site";
pub(crate) const CSRF_TEXT: &str = "The form was sent from a page of another site, so it was not carried out. If it was you, do it again on this site’s own page.";
pub(crate) const UNREACHABLE_HEADING: &str = "Your manager cannot be reached";
pub(crate) const REFUSED_HEADING: &str = "Your manager refused";
pub(crate) const STATE_HEADING: &str = "Please start again";
pub(crate) const STATE_TEXT: &str = "This answer does not belong to a connection that you began here in the last ten minutes, or it was used already. Nothing was changed.";
pub(crate) const DECLINED_HEADING: &str = "Not connected";
pub(crate) const CALLBACK_FAILED_TEXT: &str = "The manager reported that it could not finish. Nothing was changed. Start again, now or in a few minutes.";
pub(crate) const NOT_CONNECTED_HEADING: &str = "No manager chosen yet";
pub(crate) const CONSENT_HEADING: &str = "Your consent is needed";
pub(crate) const ELSEWHERE_HEADING: &str = "You share through another manager";
pub(crate) const CHANGED_HEADING: &str = "This was changed meanwhile";
pub(crate) const STORE_HEADING: &str = "Something went wrong here";
pub(crate) const STORE_TEXT: &str = "This site could not save or read what it needed. What you share stays guarded. Try again in a few minutes.";
pub(crate) const FORM_HEADING: &str = "Something is missing";
pub(crate) const TOO_LARGE_HEADING: &str = "That was too much";
pub(crate) const TOO_LARGE_TEXT: &str = "A form may hold at most 64 KiB.";
pub(crate) const MEDIA_TYPE_HEADING: &str = "Not a form";
pub(crate) const MEDIA_TYPE_TEXT: &str = "Send the fields as application/x-www-form-urlencoded.";
pub(crate) const BROKEN_BODY_TEXT: &str = "The form did not arrive whole. Please send it again.";
pub(crate) const BACK: &str = "Back";
pub(crate) const BACK_TO_LIST: &str = "My shared resources";

pub(crate) fn field_missing(field: &str) -> Cow<'static, str> {
    Cow::Owned(format!("The field {field:?} is missing."))
}

pub(crate) fn field_repeated(field: &str) -> Cow<'static, str> {
    Cow::Owned(format!("The field {field:?} was sent more than once."))
}

pub(crate) fn field_not_a_flag(field: &str) -> Cow<'static, str> {
    Cow::Owned(format!("The field {field:?} is either \"on\" or left out."))
}

/// A text of the host as a sentence: with a capital at its head and a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let mut sentence: String = characters
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    sentence.push_str(characters.as_str());
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// The sentence behind a notice code, as the pages put it into the `notice` parameter of the page that they return to.
///
/// A host's own pages can show it likewise. An unknown code has no text, so nothing that a link carries is ever shown.
///
/// ```
/// assert!(warden_host::web::notice_text("shared").is_some());
/// assert_eq!(warden_host::web::notice_text("<script>"), None);
/// ```
#[must_use]
pub fn notice_text(code: &str) -> Option<&'static str> {
    Some(match code {
        "shared" => "It is shared. Your manager now decides who else gets in.",
        "pending" => {
            "It is being shared. Until your manager has confirmed it, nobody else gets in."
        }
        "spreading" => {
            "It is shared. Not all machines of this site have confirmed it yet; that takes a few seconds."
        }
        "stopped" => "It is no longer shared. This site’s own rules decide again.",
        "stopped-several" => "They are no longer shared. This site’s own rules decide again.",
        "not-shared" => "It was not shared, so nothing had to be stopped.",
        "saved" => "It is saved. Your manager is told of it.",
        "disconnected" => {
            "You are disconnected. Nobody else gets at what you share until you decide about it."
        }
        "moving" => {
            "You are connected, and what you share is being registered there. Until that is done, your manager until now decides."
        }
        "moved" => "All that you share has moved. Your new manager decides from now on.",
        "stays" => "The move was given up. Your manager stays the one until now.",
        "not-moving" => "There was no move to give up.",
        "connected" => "You are connected to your authorization manager.",
        _ => return None,
    })
}

/// How long an owner's "no" at the AM takes, where tokens outlive what was granted.
pub(crate) fn withdrawal_takes(manager: &str) -> String {
    format!(
        "What you withdraw at {manager} goes on for those who were let in before, until their session there ends. To end it at once, stop sharing here."
    )
}
