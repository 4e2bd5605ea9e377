//! Connecting an owner to an AM: the choice, and the way there.

mod callback;
mod client;

use std::fmt;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tower_warden::OwnerId;
use uma_client::Secret;

pub(crate) use callback::{callback, callback_head};
use client::by_client;

use super::failure::Failure;
use super::forms::{FieldError, FieldProblem, Fields};
use super::headers::Policy;
use super::look::Shell;
use super::model::{ConnectionView, Kind};
use super::pages::{Pages, Visit, html, see_other};
use super::share::Complaint;
use super::{connection, returns, text};
use crate::{AmChoice, ConnectBy, Error, ErrorKind, ReturnPath};

const PATH: &str = "/uma/connect";

/// The link to the connect page, to come back to `return_to` afterwards.
pub(crate) fn href(return_to: Option<&str>) -> String {
    returns::with_query(PATH, return_to.map(|path| ("return_to", path)))
}

/// What the owner wants of an AM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    Connect,
    Move,
}

impl Aim {
    const fn path(self) -> &'static str {
        match self {
            Self::Connect => PATH,
            Self::Move => connection::MOVE_PATH,
        }
    }
}

/// The connect form as filled in: a suggestion, or an address of the owner's own.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct ConnectForm {
    pub(crate) am: Option<String>,
    pub(crate) am_url: String,
    pub(crate) client_id: String,
    /// It is never shown again.
    client_secret: Option<Secret>,
}

impl fmt::Debug for ConnectForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectForm")
            .field("am", &self.am)
            .finish_non_exhaustive()
    }
}

impl ConnectForm {
    fn read(fields: &Fields) -> Result<Self, FieldError> {
        // Repeated or not, the radio button for "another one" sends an empty value.
        let mut chosen = fields.all("am");
        let am = chosen.next().map(ToOwned::to_owned);
        if chosen.next().is_some() {
            return Err(FieldError {
                field: "am",
                problem: FieldProblem::Repeated,
            });
        }
        let owned = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Ok(Self {
            am,
            am_url: owned(fields.optional("am_url")?),
            client_id: owned(fields.optional("client_id")?),
            client_secret: fields.optional("client_secret")?.map(Secret::new),
        })
    }

    /// The issuer that was chosen or typed.
    fn issuer(&self) -> Result<&str, Complaint> {
        let complaint = |field, text: &'static str| Complaint {
            field,
            text: text.into(),
        };
        match self.am.as_deref() {
            Some("") if self.am_url.is_empty() => {
                Err(complaint("am_url", text::CONNECT_URL_MISSING))
            }
            None if self.am_url.is_empty() => Err(complaint("am", text::CONNECT_MISSING)),
            Some("") | None => Ok(&self.am_url),
            Some(issuer) => Ok(issuer),
        }
    }
}

/// An AM among those suggested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suggestion {
    pub(crate) issuer: String,
    pub(crate) name: String,
    pub(crate) chosen: bool,
}

#[derive(Template)]
#[template(path = "connect.html")]
struct ConnectPage<'a> {
    shell: Shell<'a>,
    action: &'static str,
    /// The connection to connect again.
    connection: Option<ConnectionView>,
    /// What a move does, in words.
    moving: Option<String>,
    suggestions: Vec<Suggestion>,
    allows_any: bool,
    /// Whether there is anything to choose besides connecting again.
    has_choice: bool,
    other_chosen: bool,
    form: &'a ConnectForm,
    return_to: &'a str,
    /// The path that is going to be shared afterwards.
    then_share: Option<String>,
    complaint: Option<Complaint>,
}

impl ConnectPage<'_> {
    fn complaint(&self, field: &str) -> Option<&str> {
        self.complaint
            .as_ref()
            .filter(|complaint| complaint.field == field)
            .map(|complaint| complaint.text.as_ref())
    }
}

/// `GET /uma/connect`
pub(crate) async fn choose(State(pages): State<Pages>, request: Request) -> Response {
    ask(&pages, request, Aim::Connect).await
}

/// `GET /uma/move`
pub(crate) async fn choose_move(State(pages): State<Pages>, request: Request) -> Response {
    ask(&pages, request, Aim::Move).await
}

async fn ask(pages: &Pages, request: Request, aim: Aim) -> Response {
    let visit = pages.visit(request).await;
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(pages, None);
    };
    let form = match ConnectForm::read(&visit.fields) {
        Ok(form) => form,
        Err(error) => return visit.refuse(pages, &error.into()),
    };
    show(pages, &visit, &me.owner, &form, aim, None).await
}

/// `POST /uma/connect`
pub(crate) async fn connect(State(pages): State<Pages>, request: Request) -> Response {
    begin(&pages, request, Aim::Connect).await
}

/// `POST /uma/move`
pub(crate) async fn begin_move(State(pages): State<Pages>, request: Request) -> Response {
    begin(&pages, request, Aim::Move).await
}

async fn begin(pages: &Pages, request: Request, aim: Aim) -> Response {
    let visit = match pages.visit_with_form(request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let wish = match aim {
        Aim::Connect => visit.wish(),
        Aim::Move => ReturnPath::parse(connection::MOVE_BACK),
    };
    let Some(me) = &visit.signed_in else {
        let back = returns::with_query(
            aim.path(),
            wish.as_ref()
                .filter(|_| aim == Aim::Connect)
                .map(|path| ("return_to", path.as_str())),
        );
        return visit.sign_in_first(pages, Some(&back));
    };
    let form = match ConnectForm::read(&visit.fields) {
        Ok(form) => form,
        Err(error) => return visit.refuse(pages, &error.into()),
    };
    let issuer = match form.issuer() {
        Ok(issuer) => issuer,
        Err(complaint) => {
            let wrong = Some((StatusCode::BAD_REQUEST, complaint));
            return show(pages, &visit, &me.owner, &form, aim, wrong).await;
        }
    };
    let Some(back) = wish.or_else(|| ReturnPath::parse(returns::LIST_PATH)) else {
        return visit.refuse(pages, &Failure::broken_body());
    };
    let choices = pages.host().ams().await;
    let choice = choices
        .iter()
        .find(|choice| choice.issuer.as_str() == issuer);
    let how = choice.map_or(ConnectBy::Consent, |choice| choice.how);
    if let (ConnectBy::Credentials, Some(choice)) = (how, choice) {
        return by_client(pages, &visit, &me.owner, &form, aim, choice, &back).await;
    }
    let host = pages.host();
    let begun = match aim {
        Aim::Connect => {
            host.begin_connect(&me.owner, &me.session, issuer, &back)
                .await
        }
        Aim::Move => host.begin_move(&me.owner, &me.session, issuer, &back).await,
    };
    match begun {
        // Nobody had to be asked: the way back is the only way there is.
        Ok(_) if how == ConnectBy::Host => see_other(&arrived(pages, &me.owner, &back).await),
        Ok(url) => see_other(url.as_str()),
        Err(error) => not_begun(pages, &visit, &me.owner, &form, aim, error).await,
    }
}

async fn not_begun(
    pages: &Pages,
    visit: &Visit,
    owner: &OwnerId,
    form: &ConnectForm,
    aim: Aim,
    error: Error,
) -> Response {
    let kind = error.kind();
    let allows_any = pages.host().allows_any_am();
    let mut failure = Failure::from(error);
    match kind {
        // Of an AM that an owner brings, nothing is told that could find out what answers at an address.
        ErrorKind::AmRefused if !allows_any => {}
        ErrorKind::AmUnreachable | ErrorKind::AmRefused => {
            failure.text = text::CONNECT_UNREACHABLE.into();
        }
        ErrorKind::UnknownAm if !allows_any => {
            failure.text = text::CONNECT_UNKNOWN_AM.into();
        }
        // What is shared elsewhere can come along.
        ErrorKind::ConnectedElsewhere if !visit.wants_json => {
            let issuer = form.issuer().unwrap_or_default();
            let to = returns::with_query(connection::MOVE_PATH, [("am", issuer)]);
            return visit.refuse(pages, &failure.with_next(to, text::MOVE_THERE));
        }
        ErrorKind::UnknownAm
        | ErrorKind::ConnectedElsewhere
        | ErrorKind::AlreadyThere
        | ErrorKind::MoveUnderWay
        | ErrorKind::TooMany => {}
        _ => return visit.refuse(pages, &failure),
    }
    if visit.wants_json {
        failure.field = Some("am");
        return visit.refuse(pages, &failure);
    }
    let typed = form.am.as_deref().is_none_or(str::is_empty);
    let complaint = Complaint {
        field: if typed { "am_url" } else { "am" },
        text: failure.text,
    };
    let wrong = Some((failure.status, complaint));
    show(pages, visit, owner, form, aim, wrong).await
}

async fn show(
    pages: &Pages,
    visit: &Visit,
    owner: &OwnerId,
    form: &ConnectForm,
    aim: Aim,
    wrong: Option<(StatusCode, Complaint)>,
) -> Response {
    match fill(pages, visit, owner, form, aim, wrong).await {
        Ok(response) => response,
        Err(failure) => visit.refuse(pages, &failure),
    }
}

async fn fill(
    pages: &Pages,
    visit: &Visit,
    owner: &OwnerId,
    form: &ConnectForm,
    aim: Aim,
    wrong: Option<(StatusCode, Complaint)>,
) -> Result<Response, Failure> {
    let (status, complaint) = match wrong {
        Some((status, complaint)) if visit.wants_json => {
            let mut failure = Failure::new(status, text::SUMMARY_HEADING, complaint.text);
            failure.field = Some(complaint.field);
            return Err(failure);
        }
        Some((status, complaint)) => (status, Some(complaint)),
        None => (StatusCode::OK, None),
    };
    let host = pages.host();
    let connection = visit.connection()?;
    let moving = match (aim, connection) {
        (Aim::Connect, _) => None,
        (Aim::Move, None) => return Ok(see_other(PATH)),
        (Aim::Move, Some(connection)) => {
            let count = connection::shared(pages, owner).await?;
            Some(text::move_what(count, &connection.name))
        }
    };
    let current = connection.map(|connection| connection.issuer.as_str());
    let allows_any = host.allows_any_am();
    let known: Vec<AmChoice> = host
        .ams()
        .await
        .into_iter()
        // One does not move to where one is.
        .filter(|choice| aim == Aim::Connect || Some(choice.issuer.as_str()) != current)
        .collect();
    let insecure = connection::insecure(connection)
        || known
            .iter()
            .any(|choice| choice.issuer.url().scheme() == "http");
    let other_chosen = allows_any
        && (known.is_empty()
            || form.am.as_deref() == Some("")
            || (form.am.is_none() && !form.am_url.is_empty()));
    let only_one = known.len() == 1 && !other_chosen && (current.is_none() || aim == Aim::Move);
    let suggestions: Vec<Suggestion> = known
        .iter()
        .map(|choice| {
            let issuer = choice.issuer.as_str();
            Suggestion {
                issuer: issuer.to_owned(),
                name: choice.name.clone(),
                chosen: !other_chosen && (only_one || form.am.as_deref() == Some(issuer)),
            }
        })
        .collect();
    let others = suggestions
        .iter()
        .any(|suggestion| Some(suggestion.issuer.as_str()) != current);
    let wish = visit.wish();
    let heading = match (aim, connection) {
        (Aim::Move, _) => text::MOVE_HEADING,
        (Aim::Connect, Some(_)) => text::CONNECTION_HEADING,
        (Aim::Connect, None) => text::CONNECT_HEADING,
    };
    let mut shell = visit.shell(pages, heading, connection::PATH);
    shell.erroneous = complaint.is_some();
    let page = ConnectPage {
        shell,
        action: aim.path(),
        has_choice: allows_any || others || connection.is_none(),
        connection: connection
            .filter(|_| aim == Aim::Connect)
            .map(|connection| ConnectionView::of(connection, pages.now())),
        moving,
        suggestions,
        allows_any,
        other_chosen,
        form,
        return_to: wish
            .as_ref()
            .filter(|_| aim == Aim::Connect)
            .map_or("", ReturnPath::as_str),
        then_share: wish.as_ref().and_then(shared_afterwards),
        complaint,
    };
    let mut response = html(status, &page);
    Policy::page()
        .leading_to_am(insecure)
        .apply(&mut response, pages.look().stylesheet.as_deref());
    Ok(response)
}

/// Where an owner goes who is back from an AM, and what is said there.
async fn arrived(pages: &Pages, owner: &OwnerId, back: &ReturnPath) -> String {
    if back.as_str() != connection::MOVE_BACK {
        return returns::with_notice(back.as_str(), "connected");
    }
    let code = match pages.host().moving(owner).await {
        Ok(Some(_)) => "moving",
        _ => "moved",
    };
    returns::with_notice(connection::PATH, code)
}

/// The path that the share form at `wish` is about.
fn shared_afterwards(wish: &ReturnPath) -> Option<String> {
    let query = wish.as_str().strip_prefix("/uma/share?")?;
    let fields = Fields::parse(query.as_bytes());
    fields.optional("uri").ok().flatten().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(query: &str) -> Result<String, &'static str> {
        let form = ConnectForm::read(&Fields::parse(query.as_bytes())).unwrap();
        form.issuer()
            .map(str::to_owned)
            .map_err(|complaint| complaint.field)
    }

    #[test]
    fn chosen_or_typed() {
        assert_eq!(
            issuer("am=https://am.example").as_deref(),
            Ok("https://am.example")
        );
        assert_eq!(
            issuer("am=https://a&am_url=https://b").as_deref(),
            Ok("https://a")
        );
        assert_eq!(issuer("am=&am_url=https://b").as_deref(), Ok("https://b"));
        assert_eq!(issuer("am="), Err("am_url"));
        assert_eq!(issuer(""), Err("am"));
        assert!(ConnectForm::read(&Fields::parse(b"am=1&am=2")).is_err());
    }

    #[test]
    fn the_intention_is_read_from_where_one_returns_to() {
        let wish = ReturnPath::parse("/uma/share?uri=%2Fapi%2Fa&name=A").unwrap();
        assert_eq!(shared_afterwards(&wish).as_deref(), Some("/api/a"));
        let wish = ReturnPath::parse("/albums?uri=%2Fapi%2Fa").unwrap();
        assert_eq!(shared_afterwards(&wish), None);
    }
}
