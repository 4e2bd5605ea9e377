//! Connecting an owner to an AM: the choice, the way there, and the way back.

use askama::Template;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ALLOW, HeaderValue};
use tower_warden::OwnerId;

use super::failure::Failure;
use super::forms::{FieldError, FieldProblem, Fields};
use super::headers::Policy;
use super::model::{ConnectionView, Kind};
use super::pages::{Pages, Shell, Visit, html, see_other};
use super::share::Complaint;
use super::{returns, text};
use crate::{AuthorizationAnswer, ErrorKind, ReturnPath};

const PATH: &str = "/uma/connect";

/// The link to the connect page, to come back to `return_to` afterwards.
pub(crate) fn href(return_to: Option<&str>) -> String {
    returns::with_query(PATH, return_to.map(|path| ("return_to", path)))
}

/// The connect form as filled in: a suggestion, or an address of the owner's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConnectForm {
    pub(crate) am: Option<String>,
    pub(crate) am_url: String,
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
        Ok(Self {
            am,
            am_url: fields.optional("am_url")?.unwrap_or_default().to_owned(),
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
    connection: Option<ConnectionView>,
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
    let visit = pages.visit(request).await;
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(&pages, None);
    };
    let form = match ConnectForm::read(&visit.fields) {
        Ok(form) => form,
        Err(error) => return pages.refuse(visit.wants_json, &error.into()),
    };
    show(&pages, &visit, &me.owner, &form, StatusCode::OK, None).await
}

/// `POST /uma/connect`
pub(crate) async fn connect(State(pages): State<Pages>, request: Request) -> Response {
    let visit = match pages.visit_with_form(request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let wish = visit.wish();
    let Some(me) = &visit.signed_in else {
        let back = href(wish.as_ref().map(ReturnPath::as_str));
        return visit.sign_in_first(&pages, Some(&back));
    };
    let form = match ConnectForm::read(&visit.fields) {
        Ok(form) => form,
        Err(error) => return pages.refuse(visit.wants_json, &error.into()),
    };
    let issuer = match form.issuer() {
        Ok(issuer) => issuer,
        Err(complaint) => {
            let status = StatusCode::BAD_REQUEST;
            return show(&pages, &visit, &me.owner, &form, status, Some(complaint)).await;
        }
    };
    let Some(back) = wish.or_else(|| ReturnPath::parse(returns::LIST_PATH)) else {
        return pages.refuse(visit.wants_json, &Failure::broken_body());
    };
    let begun = pages
        .host()
        .begin_connect(&me.owner, &me.session, issuer, &back)
        .await;
    match begun {
        Ok(url) => see_other(url.as_str()),
        Err(error) => {
            let kind = error.kind();
            let mut failure = Failure::from(error);
            match kind {
                // Of an AM that an owner brings, nothing is told that could find out what answers at an address.
                ErrorKind::AmRefused if !pages.look().any_am => {}
                ErrorKind::AmUnreachable | ErrorKind::AmRefused => {
                    failure.text = text::CONNECT_UNREACHABLE.into();
                }
                ErrorKind::UnknownAm if !pages.look().any_am => {
                    failure.text = text::CONNECT_UNKNOWN_AM.into();
                }
                ErrorKind::UnknownAm | ErrorKind::ConnectedElsewhere => {}
                _ => return pages.refuse(visit.wants_json, &failure),
            }
            if visit.wants_json {
                failure.field = Some("am");
                return pages.refuse(true, &failure);
            }
            let typed = form.am.as_deref().is_none_or(str::is_empty);
            let complaint = Complaint {
                field: if typed { "am_url" } else { "am" },
                text: failure.text,
            };
            let status = failure.status;
            show(&pages, &visit, &me.owner, &form, status, Some(complaint)).await
        }
    }
}

async fn show(
    pages: &Pages,
    visit: &Visit,
    owner: &OwnerId,
    form: &ConnectForm,
    status: StatusCode,
    complaint: Option<Complaint>,
) -> Response {
    if let (true, Some(complaint)) = (visit.wants_json, &complaint) {
        let mut failure = Failure::new(status, text::SUMMARY_HEADING, complaint.text.clone());
        failure.field = Some(complaint.field);
        return pages.refuse(true, &failure);
    }
    let connection = match pages.host().connection(owner).await {
        Ok(connection) => connection.as_ref().map(ConnectionView::of),
        Err(error) => return pages.refuse(visit.wants_json, &error.into()),
    };
    let known = pages.host().ams().await;
    let allows_any = pages.look().any_am;
    let insecure = known
        .iter()
        .any(|choice| choice.issuer.url().scheme() == "http");
    let other_chosen = allows_any
        && (known.is_empty()
            || form.am.as_deref() == Some("")
            || (form.am.is_none() && !form.am_url.is_empty()));
    let current = connection
        .as_ref()
        .map(|connection| connection.issuer.as_str());
    let only_one = known.len() == 1 && !other_chosen && current.is_none();
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
    let mut shell = pages.shell(if connection.is_some() {
        text::CONNECTION_HEADING
    } else {
        text::CONNECT_HEADING
    });
    shell.notice = visit.notice();
    shell.erroneous = complaint.is_some();
    shell.place = PATH;
    let page = ConnectPage {
        shell,
        has_choice: allows_any || others || connection.is_none(),
        connection,
        suggestions,
        allows_any,
        other_chosen,
        form,
        return_to: wish.as_ref().map_or("", ReturnPath::as_str),
        then_share: wish.as_ref().and_then(shared_afterwards),
        complaint,
    };
    let mut response = html(status, &page);
    Policy::page()
        .leading_to_am(insecure)
        .apply(&mut response, pages.look().stylesheet.as_deref());
    response
}

/// The path that the share form at `wish` is about.
fn shared_afterwards(wish: &ReturnPath) -> Option<String> {
    let query = wish.as_str().strip_prefix("/uma/share?")?;
    let fields = Fields::parse(query.as_bytes());
    fields.optional("uri").ok().flatten().map(ToOwned::to_owned)
}

/// `GET /uma/callback/{am_key}`: what the AM answered, by way of the owner's browser.
///
/// Nothing of what came is shown: an error code picks one of our own texts.
pub(crate) async fn callback(
    State(pages): State<Pages>,
    Path(am_key): Path<String>,
    request: Request,
) -> Response {
    let visit = pages.visit(request).await;
    let Some(me) = &visit.signed_in else {
        // The code in this URL is good for the session that began, so the URL leads nowhere after another sign-in.
        let failure = Failure::not_signed_in(pages.sign_in(PATH));
        return pages.refuse(visit.wants_json, &failure);
    };
    let answer = match answer(&visit.fields) {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(field = error.field, "an answer of an AM repeats a field");
            return pages.refuse(visit.wants_json, &start_again(text::STATE_TEXT));
        }
    };
    let finished = pages
        .host()
        .finish_connect(&me.owner, &me.session, &am_key, answer)
        .await;
    match finished {
        Ok(back) => see_other(&returns::with_notice(back.as_str(), "connected")),
        Err(error) => {
            let kind = error.kind();
            let mut failure = Failure::from(error).with_next(PATH, text::CONNECT_AGAIN);
            if matches!(kind, ErrorKind::AmUnreachable | ErrorKind::AmRefused) {
                failure.text = text::CALLBACK_FAILED_TEXT.into();
            }
            pages.refuse(visit.wants_json, &failure)
        }
    }
}

/// `HEAD` on the callback: a preview must not use the answer up.
pub(crate) async fn callback_head() -> Response {
    let mut response = StatusCode::METHOD_NOT_ALLOWED.into_response();
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET"));
    response
}

fn start_again(text: &'static str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, text::STATE_HEADING, text)
        .with_next(PATH, text::CONNECT_AGAIN)
}

/// The answer (RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207).
fn answer(fields: &Fields) -> Result<AuthorizationAnswer, FieldError> {
    let mut answer = AuthorizationAnswer::new();
    if let Some(code) = fields.optional("code")? {
        answer = answer.with_code(code);
    }
    if let Some(state) = fields.optional("state")? {
        answer = answer.with_state(state);
    }
    if let Some(iss) = fields.optional("iss")? {
        answer = answer.with_iss(iss);
    }
    if let Some(error) = fields.optional("error")? {
        answer = answer.with_error(error);
    }
    Ok(answer)
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

    #[test]
    fn an_answer_with_two_codes_is_none() {
        assert!(answer(&Fields::parse(b"code=1&code=2&state=s")).is_err());
        let answer = answer(&Fields::parse(b"error=access_denied&state=s")).unwrap();
        assert_eq!(answer.error.as_deref(), Some("access_denied"));
    }
}
