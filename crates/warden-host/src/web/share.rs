//! Sharing: the form, and what it asks for.

use std::borrow::Cow;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use tower_warden::{CanonicalPath, MapState, OwnerId};

use super::failure::Failure;
use super::forms::{FieldError, Fields};
use super::look::Shell;
use super::lookup::{self, Found};
use super::model::{Kind, ResourceView, Standing};
use super::pages::{Pages, Visit, html, see_other};
use super::{resource, returns, text};
use crate::{Connection, ConnectionState, ErrorKind, ReturnPath, ShareRequest, Spread};

/// Says that the check boxes were shown, so that none ticked means none, not "all that the host knows".
const CHOSEN: &str = "chosen";

/// The field that says what the form was drawn from.
pub(crate) const GENERATION: &str = "generation";

/// The share form as filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ShareForm {
    pub(crate) uri: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) icon_uri: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) chosen: bool,
    pub(crate) subtree: bool,
    pub(crate) return_to: Option<ReturnPath>,
    /// What it was drawn from: 0 for a path that was not shared; `None` if that does not matter.
    pub(crate) generation: Option<i64>,
}

/// A check box of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) scope: String,
    pub(crate) word: String,
    pub(crate) ticked: bool,
}

/// A message beside a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) field: &'static str,
    pub(crate) text: Cow<'static, str>,
}

impl ShareForm {
    /// Reads the form from the fields of a link (`name`) or of a form (`resource_name`).
    pub(crate) fn read(fields: &Fields) -> Result<Self, FieldError> {
        let name = match fields.optional("resource_name")? {
            Some(name) => Some(name),
            None => fields.optional("name")?,
        };
        let owned = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Ok(Self {
            uri: owned(fields.optional("uri")?),
            name: owned(name),
            description: owned(fields.optional("description")?),
            icon_uri: owned(fields.optional("icon_uri")?),
            scopes: fields
                .all("scopes")
                .filter(|scope| !scope.is_empty())
                .map(ToOwned::to_owned)
                .collect(),
            chosen: fields.flag(CHOSEN)?,
            subtree: fields.flag("subtree")?,
            return_to: returns::asked(fields),
            generation: fields
                .optional(GENERATION)?
                .and_then(|generation| generation.parse().ok()),
        })
    }

    /// Names the resource by the last segment of its path if it has no name.
    pub(crate) fn with_usual_name(mut self) -> Self {
        if self.name.is_empty()
            && let Ok(path) = CanonicalPath::parse(&self.uri)
            && let Some(last) = path.segments().next_back()
        {
            last.clone_into(&mut self.name);
        }
        self
    }

    /// What is missing, and the status that says so.
    fn complaints(&self) -> Option<(StatusCode, Vec<Complaint>)> {
        let missing: Vec<Complaint> = [
            ("uri", self.uri.is_empty(), text::SHARE_URI_EMPTY),
            (
                "resource_name",
                self.name.is_empty(),
                text::SHARE_NAME_EMPTY,
            ),
        ]
        .into_iter()
        .filter(|(_, is_missing, _)| *is_missing)
        .map(|(field, _, text)| Complaint {
            field,
            text: text.into(),
        })
        .collect();
        if !missing.is_empty() {
            return Some((StatusCode::BAD_REQUEST, missing));
        }
        let none_ticked = self.chosen && self.scopes.is_empty();
        none_ticked.then(|| {
            let complaint = Complaint {
                field: "scopes",
                text: text::SHARE_SCOPES_NONE.into(),
            };
            (StatusCode::UNPROCESSABLE_ENTITY, vec![complaint])
        })
    }

    /// The check boxes: those that the form offers, then what else was asked for. Unless chosen before, all are ticked, as
    /// that is what sharing without a choice means, and nobody gets in by it.
    pub(crate) fn choices(&self) -> Vec<Choice> {
        let all = self.scopes.is_empty() && !self.chosen;
        let others = self
            .scopes
            .iter()
            .map(String::as_str)
            .filter(|scope| !text::ACTIONS.contains(scope));
        text::ACTIONS
            .into_iter()
            .chain(others)
            .map(|scope| Choice {
                scope: scope.to_owned(),
                word: text::action(scope).to_owned(),
                ticked: all || self.scopes.iter().any(|asked| asked == scope),
            })
            .collect()
    }

    /// The link to the form, filled in like this; a description too long for a link is left behind.
    pub(crate) fn href(&self) -> String {
        let whole = self.href_with(&self.description);
        if ReturnPath::parse(&whole).is_some() {
            whole
        } else {
            self.href_with("")
        }
    }

    fn href_with(&self, description: &str) -> String {
        let mut pairs = vec![
            ("uri", self.uri.as_str()),
            ("name", self.name.as_str()),
            ("description", description),
            ("icon_uri", self.icon_uri.as_str()),
            (
                "return_to",
                self.return_to.as_ref().map_or("", ReturnPath::as_str),
            ),
        ];
        pairs.extend(self.scopes.iter().map(|scope| ("scopes", scope.as_str())));
        pairs.push((CHOSEN, if self.chosen { "on" } else { "" }));
        pairs.push(("subtree", if self.subtree { "on" } else { "" }));
        pairs.retain(|(_, value)| !value.is_empty());
        returns::with_query("/uma/share", pairs)
    }

    fn request(&self) -> ShareRequest {
        let request = ShareRequest::new(self.uri.as_str(), self.name.as_str())
            .description(self.description.as_str())
            .icon_uri(self.icon_uri.as_str())
            .scopes(self.scopes.iter().map(String::as_str))
            .subtree(self.subtree);
        match self.generation {
            Some(generation) => request.if_generation(generation),
            None => request,
        }
    }

    /// Whether it changes what is shared already.
    pub(crate) fn edits(&self) -> bool {
        self.generation.is_some_and(|generation| generation > 0)
    }
}

/// What there is to know before sharing, from the owner's connection.
pub(crate) fn connect_hint(connection: Option<&Connection>) -> Option<&'static str> {
    match connection.map(|connection| connection.state) {
        None => Some(text::SHARE_CONNECT_FIRST),
        Some(ConnectionState::NeedsConsent | ConnectionState::Disconnected) => {
            Some(text::SHARE_RECONNECT_FIRST)
        }
        Some(ConnectionState::Connected) => None,
    }
}

#[derive(Template)]
#[template(path = "share.html")]
struct SharePage<'a> {
    shell: Shell<'a>,
    form: &'a ShareForm,
    showing: Showing,
}

impl SharePage<'_> {
    fn complaint(&self, field: &str) -> Option<&str> {
        self.showing
            .complaints
            .iter()
            .find(|complaint| complaint.field == field)
            .map(|complaint| complaint.text.as_ref())
    }

    /// Where one gets to without sending the form.
    fn leave(&self) -> &str {
        self.form
            .return_to
            .as_ref()
            .map_or(returns::LIST_PATH, ReturnPath::as_str)
    }
}

/// What stands around the form.
#[derive(Debug, Clone)]
pub(crate) struct Showing {
    status: StatusCode,
    hint: Option<&'static str>,
    complaints: Vec<Complaint>,
    /// What went wrong that is about no field.
    trouble: Option<Cow<'static, str>>,
    standing: Option<Standing>,
    covered_by: Option<String>,
    /// How it is now, where it was changed since the form was drawn.
    now: Option<Box<ResourceView>>,
}

impl Showing {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self {
            status,
            hint: None,
            complaints: Vec::new(),
            trouble: None,
            standing: None,
            covered_by: None,
            now: None,
        }
    }
}

/// The form, filled in, with what stands around it.
pub(crate) fn page(pages: &Pages, visit: &Visit, form: &ShareForm, showing: Showing) -> Response {
    let heading = if form.edits() {
        text::edit_heading(&form.name)
    } else {
        heading(form)
    };
    let mut shell = visit.shell(pages, &heading, "");
    shell.erroneous = showing.status.is_client_error() || showing.status.is_server_error();
    let status = showing.status;
    html(
        status,
        &SharePage {
            shell,
            form,
            showing,
        },
    )
}

/// `GET /uma/share`
pub(crate) async fn form(State(pages): State<Pages>, request: Request) -> Response {
    let visit = pages.visit(request).await;
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(&pages, None);
    };
    match show_form(&pages, &visit, &me.owner).await {
        Ok(response) => response,
        Err(failure) => visit.refuse(&pages, &failure),
    }
}

async fn show_form(pages: &Pages, visit: &Visit, owner: &OwnerId) -> Result<Response, Failure> {
    visit.fields.required("uri")?;
    let mut form = ShareForm::read(&visit.fields)?.with_usual_name();
    form.return_to = visit.wish();
    let found = lookup::at(pages.host(), owner, &form.uri).await?;
    let connection = visit.connection()?;
    let mut showing = Showing::new(StatusCode::OK);
    match &found {
        Found::Exact(shared) => {
            let own = resource::href(&shared.uri);
            let notice = visit.fields.optional(returns::NOTICE)?;
            return Ok(see_other(&match notice {
                Some(code) if super::notice_text(code).is_some() => {
                    returns::with_notice(&own, code)
                }
                _ => own,
            }));
        }
        Found::Covered(shared) => {
            let covering = ResourceView::of(shared, connection);
            showing.standing = Some(covering.standing);
            showing.covered_by = Some(text::covered_by(&covering.uri));
        }
        Found::Nothing => {
            showing.standing = Some(Standing::unprotected(&pages.look().unprotected));
        }
    }
    form.generation = Some(0);
    showing.hint = connect_hint(connection);
    Ok(page(pages, visit, &form, showing))
}

fn heading(form: &ShareForm) -> String {
    format!("{} {}", text::SHARE_HEADING, form.name)
        .trim_end()
        .to_owned()
}

/// `POST /uma/register-resource`
pub(crate) async fn register(State(pages): State<Pages>, request: Request) -> Response {
    let visit = match pages.visit_with_form(request).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let mut form = match ShareForm::read(&visit.fields) {
        Ok(form) => form,
        Err(error) => return visit.refuse(&pages, &error.into()),
    };
    form.return_to = visit.wish();
    let Some(me) = &visit.signed_in else {
        return visit.sign_in_first(&pages, Some(&form.href()));
    };
    if let Some((status, complaints)) = form.complaints() {
        let mut showing = Showing::new(status);
        showing.complaints = complaints;
        return again(&pages, &visit, &form, showing);
    }
    match pages.host().share(&me.owner, form.request()).await {
        Ok(resource) => {
            let code = match (resource.state, resource.spread) {
                (MapState::Active, Spread::Everywhere) if form.edits() => "saved",
                (MapState::Active, Spread::Everywhere) => "shared",
                (MapState::Active, _) => "spreading",
                _ => "pending",
            };
            let back = form
                .return_to
                .as_ref()
                .map_or(returns::LIST_PATH, ReturnPath::as_str);
            see_other(&returns::with_notice(back, code))
        }
        Err(error) if error.wants_connection() && !visit.wants_json => see_other(
            &returns::with_query("/uma/connect", [("return_to", form.href().as_str())]),
        ),
        Err(error) if error.kind() == ErrorKind::Changed && !visit.wants_json => {
            match changed(&pages, &visit, &me.owner, form).await {
                Ok(response) => response,
                Err(failure) => visit.refuse(&pages, &failure),
            }
        }
        Err(error) => refuse(&pages, &visit, &form, &error.into()),
    }
}

/// Another window was first: how it is now, and what was entered, to be sent once more.
async fn changed(
    pages: &Pages,
    visit: &Visit,
    owner: &OwnerId,
    mut form: ShareForm,
) -> Result<Response, Failure> {
    let found = lookup::at(pages.host(), owner, &form.uri).await?;
    let mut showing = Showing::new(StatusCode::CONFLICT);
    if let Found::Exact(shared) = &found {
        form.generation = Some(shared.generation);
        showing.now = Some(Box::new(ResourceView::of(shared, visit.connection()?)));
        showing.trouble = Some(text::CHANGED_TEXT.into());
    } else {
        form.generation = Some(0);
        showing.trouble = Some(text::CHANGED_GONE.into());
    }
    Ok(page(pages, visit, &form, showing))
}

fn refuse(pages: &Pages, visit: &Visit, form: &ShareForm, failure: &Failure) -> Response {
    if visit.wants_json || !failure.is_about_the_form() {
        return visit.refuse(pages, failure);
    }
    let mut showing = Showing::new(failure.status);
    match failure.field {
        Some(field) => showing.complaints.push(Complaint {
            field,
            text: failure.text.clone(),
        }),
        None => showing.trouble = Some(failure.text.clone()),
    }
    again(pages, visit, form, showing)
}

/// The form once more, filled in as it was, with what is wrong.
fn again(pages: &Pages, visit: &Visit, form: &ShareForm, showing: Showing) -> Response {
    if visit.wants_json {
        let mut failure = Failure::new(showing.status, text::SUMMARY_HEADING, text::FORM_HEADING);
        if let Some(complaint) = showing.complaints.into_iter().next() {
            failure.field = Some(complaint.field);
            failure.text = complaint.text;
        }
        return visit.refuse(pages, &failure);
    }
    page(pages, visit, form, showing)
}
