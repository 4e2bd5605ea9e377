//! The mini panel: how things stand with one resource, small enough to stand beside it.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

use super::failure::{Failure, Next};
use super::headers::Policy;
use super::look::Shell;
use super::lookup::{self, Found};
use super::model::{Kind, ResourceView, Settings, Standing};
use super::pages::{Pages, Visit, html};
use super::share::{ShareForm, connect_hint};
use super::{failure, returns, stop, text};
use crate::{Connection, ReturnPath};

/// What the panel shows.
enum Content {
    /// Not shared: the share form, and a link to the whole form.
    Share {
        form: ShareForm,
        hint: Option<&'static str>,
        more: String,
    },
    /// Shared: settings and stop.
    Shared {
        resource: Box<ResourceView>,
        stop: String,
        /// Where to go after sharing it again.
        back: String,
        /// Where to reconnect, if that is the problem.
        reconnect: Option<String>,
    },
    /// Covered by the share of an ancestor.
    Covered {
        resource: Box<ResourceView>,
        by: String,
        list: &'static str,
    },
    /// It cannot be shown.
    Refused { text: String, next: Option<Next> },
}

#[derive(Template)]
#[template(path = "panel.html")]
struct PanelPage<'a> {
    shell: Shell<'a>,
    standing: Option<Standing>,
    content: Content,
}

#[derive(Template)]
#[template(path = "panel_fragment.html")]
struct PanelFragment<'a> {
    shell: Shell<'a>,
    standing: Option<Standing>,
    content: Content,
}

/// `GET /internal/uma_mini_panel`
pub(crate) async fn panel(State(pages): State<Pages>, request: Request) -> Response {
    let visit = pages.visit(request).await;
    let (status, standing, content) = match fill(&pages, &visit).await {
        Ok((standing, content)) => (StatusCode::OK, Some(standing), content),
        Err(refusal) if visit.wants_json => return failure::problem(&refusal),
        Err(refusal) => {
            let content = Content::Refused {
                text: refusal.text.into_owned(),
                next: refusal.next,
            };
            (refusal.status, None, content)
        }
    };
    let heading = ShareForm::read(&visit.fields)
        .map(|form| form.with_usual_name().name)
        .ok()
        .filter(|name| !name.is_empty())
        .map_or_else(
            || text::DEFAULT_TITLE.to_owned(),
            |name| text::panel_title(&name),
        );
    let shell = visit.shell(&pages, &heading, "");
    let is_fragment = matches!(visit.fields.flag("fragment"), Ok(true));
    let mut response = if is_fragment {
        html(
            status,
            &PanelFragment {
                shell,
                standing,
                content,
            },
        )
    } else {
        html(
            status,
            &PanelPage {
                shell,
                standing,
                content,
            },
        )
    };
    Policy::page()
        .framed_by(&pages.look().frame_ancestors)
        .apply(&mut response, pages.look().stylesheet.as_deref());
    response
}

async fn fill(pages: &Pages, visit: &Visit) -> Result<(Standing, Content), Failure> {
    let back = visit.wish();
    let back_or_list = back.as_ref().map_or(returns::LIST_PATH, ReturnPath::as_str);
    let Some(me) = &visit.signed_in else {
        // Sign-in pages are not made for frames, so the panel itself stays and leads out of the frame.
        let mut failure = Failure::not_signed_in(pages.sign_in(back_or_list));
        failure.text = text::SIGN_IN_PANEL.into();
        return Err(failure);
    };
    visit.fields.required("uri")?;
    let mut form = ShareForm::read(&visit.fields)?.with_usual_name();
    form.return_to = back.clone();
    let found = lookup::at(pages.host(), &me.owner, &form.uri).await?;
    let connection = visit.connection()?;
    let unprotected = &pages.look().unprotected;
    Ok(content(
        form,
        &found,
        connection,
        back.as_ref(),
        unprotected,
    ))
}

fn content(
    mut form: ShareForm,
    found: &Found,
    connection: Option<&Connection>,
    back: Option<&ReturnPath>,
    unprotected: &str,
) -> (Standing, Content) {
    match found {
        Found::Exact(resource) => {
            let resource = ResourceView::of(resource, connection);
            let stop = stop::href(&resource.uri, back);
            let reconnect = resource
                .needs_consent
                .then(|| super::connect::href(back.map(ReturnPath::as_str)));
            (
                resource.standing.clone(),
                Content::Shared {
                    resource: Box::new(resource),
                    stop,
                    back: back
                        .map_or(returns::LIST_PATH, ReturnPath::as_str)
                        .to_owned(),
                    reconnect,
                },
            )
        }
        Found::Covered(resource) => {
            let resource = ResourceView::of(resource, connection);
            (
                resource.standing.clone(),
                Content::Covered {
                    by: text::covered_by(&resource.uri),
                    resource: Box::new(resource),
                    list: returns::LIST_PATH,
                },
            )
        }
        Found::Nothing => {
            form.generation = Some(0);
            (
                Standing::unprotected(unprotected),
                Content::Share {
                    hint: connect_hint(connection),
                    more: form.href(),
                    form,
                },
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shared_gets_a_form_that_comes_back() {
        let back = ReturnPath::parse("/albums").unwrap();
        let form = ShareForm {
            uri: "/api/a".to_owned(),
            name: "A".to_owned(),
            return_to: Some(back.clone()),
            ..ShareForm::default()
        };
        let (standing, content) = content(form, &Found::Nothing, None, Some(&back), "It is open.");
        assert_eq!(standing.words, text::UNPROTECTED);
        assert_eq!(standing.means, "It is open.");
        let Content::Share { hint, more, .. } = content else {
            panic!("no form");
        };
        assert_eq!(hint, Some(text::SHARE_CONNECT_FIRST));
        assert_eq!(more, "/uma/share?uri=%2Fapi%2Fa&name=A&return_to=%2Falbums");
    }
}
