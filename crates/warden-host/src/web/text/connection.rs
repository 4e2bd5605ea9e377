//! What the pages say of connections: choosing, leaving, moving.

use std::time::Duration;

pub(crate) const CONNECTION_HEADING: &str = "Your authorization manager";
pub(crate) const CONNECTION_NONE: &str = "You have not chosen one yet. It is the place where you say who may see and change what you share.";
pub(crate) const CONNECTION_OK: &str = "Connected";
pub(crate) const CONNECTION_CONSENT: &str = "Needs your consent";
pub(crate) const CONNECTION_DISCONNECTED: &str = "Disconnected";
pub(crate) const CONNECTION_DISCONNECTED_MEANS: &str = "You have disconnected. Nobody else gets at what you share until you connect again, move to another manager, or stop sharing.";
pub(crate) const CONNECTION_ENDING: &str = "Ends soon";
pub(crate) const CONNECTION_SINCE: &str = "since";
pub(crate) const CONNECTION_SINCE_LABEL: &str = "Connected since";
pub(crate) const CONNECTION_UNTIL: &str = "Good until";
pub(crate) const CONNECTION_ADDRESS: &str = "Address";
pub(crate) const CONNECTION_OPEN: &str = "Open it";
pub(crate) const CONNECTION_NO_END: &str = "No end is known. This site keeps the connection alive by itself, also while you are away, for as long as your manager goes along with it.";
pub(crate) const CONNECTION_NOT_LONGER: &str =
    "This site cannot prolong it by itself: reconnect before then.";
pub(crate) const CONNECTION_BROKEN: &str = "It has ended.";
pub(crate) const CONNECT: &str = "Connect";
pub(crate) const CONNECT_CHOOSE: &str = "Choose a manager";
pub(crate) const RECONNECT: &str = "Reconnect";
pub(crate) const DISCONNECT: &str = "Disconnect";
pub(crate) const MOVE: &str = "Move to another manager";
pub(crate) const CONNECT_CHANGE: &str = "Manage the connection";

// The connect page.
pub(crate) const CONNECT_HEADING: &str = "Choose your authorization manager";
pub(crate) const CONNECT_ANOTHER: &str = "Choose another manager";
pub(crate) const CONNECT_INTRO: &str = "An authorization manager is where you say who may see and change what you share. You sign in there and allow this site to register what you share; then you come back here.";
pub(crate) const CONNECT_LEGEND: &str = "Manager";
pub(crate) const CONNECT_OTHER: &str = "Another one";
pub(crate) const CONNECT_URL: &str = "Its address";
pub(crate) const CONNECT_URL_HINT: &str =
    "A full address that starts with https://, as your manager gives it.";
pub(crate) const CONNECT_NO_AM: &str =
    "This site has no manager set up yet. Please tell the people who run it.";
pub(crate) const CONNECT_MISSING: &str = "Choose a manager.";
pub(crate) const CONNECT_URL_MISSING: &str = "Give the address of your manager.";
pub(crate) const CONNECT_THEN_SHARE: &str = "After that you come back to share";
pub(crate) const CONNECT_UNKNOWN_AM: &str =
    "This site does not work with that manager. Choose one of those shown.";
/// One text for every failure, so that the form tells nobody what else answers at an address.
pub(crate) const CONNECT_UNREACHABLE: &str = "This site could not reach an authorization manager there. Check the address, or try again in a few minutes. Nothing was changed.";
pub(crate) const CONNECT_AGAIN: &str = "Start again";
pub(crate) const CONNECT_CLIENT_ID: &str = "Client id";
pub(crate) const CONNECT_CLIENT_SECRET: &str = "Client secret";
pub(crate) const CONNECT_CLIENT_MISSING: &str = "Give the id and the secret of the client.";

pub(crate) fn connect_client(manager: &str) -> String {
    format!(
        "At {manager} you make a client for this site, and give its id and secret here. This site keeps them sealed, and shows them to nobody."
    )
}

// Disconnecting.
pub(crate) const DISCONNECT_ACCESS: &str =
    "People and apps that you let in there lose that access at once.";
pub(crate) const DISCONNECT_FORGET: &str = "This site forgets its permission to speak for you there, and tells the manager so, as far as it can be reached.";
pub(crate) const DISCONNECT_KEEPS: &str = "Your rules stay at the manager. Connect there again, and all is as it is now; or move, or stop sharing.";
pub(crate) const DISCONNECT_BACK: &str = "Stay connected";

pub(crate) fn disconnect_heading(manager: &str) -> String {
    format!("Disconnect from {manager}?")
}

pub(crate) fn disconnect_closed(count: u64) -> String {
    match count {
        0 => "You share nothing through it just now.".to_owned(),
        1 => "The one thing that you share is closed to everybody but you, until you decide about it.".to_owned(),
        count => format!(
            "The {count} things that you share are closed to everybody but you, until you decide about them."
        ),
    }
}

// Moving.
pub(crate) const MOVE_HEADING: &str = "Move to another manager";
pub(crate) const MOVE_LEGEND: &str = "Where to";
pub(crate) const MOVE_NEXT: &str = "Go on";
pub(crate) const MOVE_RULES: &str = "Your rules do not move: at the new manager nobody is let in until you say so there. Note down whom you let in before you move.";
pub(crate) const MOVE_ONE: &str = "At every moment exactly one of them decides: the one until now, until all is registered at the new one; then the new one.";
pub(crate) const MOVE_ASKED: &str =
    "You sign in at the new manager and allow this site to register what you share.";
pub(crate) const MOVE_GIVE_UP: &str = "Give up the move";
pub(crate) const MOVE_LOOK: &str = "Look again";
pub(crate) const MOVE_UNDER_WAY: &str = "A move is under way";
pub(crate) const MOVE_NOWHERE: &str = "There is no other manager that this site works with.";
pub(crate) const MOVE_THERE: &str = "Move there";
pub(crate) const MOVE_DECIDES: &str =
    "Until that is done, your manager until now decides. You can close this page.";

pub(crate) fn move_what(count: u64, manager: &str) -> String {
    match count {
        1 => format!(
            "The one thing that you share through {manager} is registered at the new one, then deleted at {manager}."
        ),
        count => format!(
            "All {count} things that you share through {manager} are registered at the new one, then deleted at {manager}."
        ),
    }
}

pub(crate) fn move_progress(from: &str, to: &str) -> String {
    format!("From {from} to {to}")
}

pub(crate) fn move_count(moved: u64, total: u64) -> String {
    format!("{moved} of {total} registered")
}

// Leftovers.
pub(crate) const LEFTOVERS: &str = "Still to be deleted elsewhere";

pub(crate) fn leftover(manager: &str, count: u64, stuck: bool) -> String {
    let still = if count == 1 {
        format!("{manager} still lists one thing that you no longer share. It lets nobody in.")
    } else {
        format!(
            "{manager} still lists {count} things that you no longer share. They let nobody in."
        )
    };
    let then = if stuck {
        "This site may not speak for you there any more, so only you can delete that there."
    } else {
        "This site is deleting that there."
    };
    super::sentence(&format!("{still} {then}"))
}

// Before it bites.
pub(crate) fn ends_soon(manager: &str, day: &str, left: &str) -> String {
    format!(
        "Your connection to {manager} ends on {day}, {left}. After that nobody else gets at what you share, until you reconnect."
    )
}

pub(crate) fn consent_is_gone(manager: &str) -> String {
    format!("Your connection to {manager} has ended, and nobody else gets at what you share.")
}

pub(crate) fn is_disconnected(manager: &str) -> String {
    format!(
        "You have disconnected from {manager}. What you share is closed until you decide about it."
    )
}

/// How long from now, in the largest unit that says something.
pub(crate) fn from_now(left: Duration) -> String {
    let hours = left.as_secs() / 3600;
    match (hours / 24, hours) {
        (0, 0) => "in less than an hour".to_owned(),
        (0, 1) => "in an hour".to_owned(),
        (0, hours) => format!("in {hours} hours"),
        (1, _) => "tomorrow".to_owned(),
        (days @ 2..=60, _) => format!("in {days} days"),
        (days, _) => format!("in {} months", days / 30),
    }
}
