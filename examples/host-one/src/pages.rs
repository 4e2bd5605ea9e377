//! The host's own pages: home, sign-in, sign-out.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRef, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use axum_extra::extract::cookie::{Key, PrivateCookieJar};
use serde::Deserialize;
use tower_warden::OwnerId;
use warden_host::{Host, ReturnPath, web};

use crate::notices::Notices;
use crate::people;
use crate::session::{self, SessionKey, SignedIn};

#[derive(Clone)]
struct PageState {
    host: Host,
    key: SessionKey,
    notices: Notices,
}

impl FromRef<PageState> for Key {
    fn from_ref(state: &PageState) -> Self {
        state.key.0.clone()
    }
}

/// Where the host's own stylesheet is.
pub(crate) const STYLE_PATH: &str = "/look.css";

pub(crate) fn router(host: Host, key: SessionKey, notices: Notices) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", get(login_page).post(login))
        .route("/logout", post(logout))
        .route(STYLE_PATH, get(style))
        .with_state(PageState { host, key, notices })
}

async fn style() -> impl IntoResponse {
    (
        [
            (CONTENT_TYPE, "text/css; charset=utf-8"),
            (CACHE_CONTROL, "public, max-age=300"),
        ],
        include_str!("../assets/look.css"),
    )
}

#[derive(Template)]
#[template(path = "bar.html")]
struct Bar<'a> {
    user: Option<&'a str>,
}

/// What stands above the sharing pages: who is signed in.
pub(crate) fn header(parts: &Parts) -> String {
    let signed_in: Option<&SignedIn> = parts.extensions.get();
    let bar = Bar {
        user: signed_in.map(SignedIn::user),
    };
    bar.render().unwrap_or_default()
}

/// What stands below them.
pub(crate) fn footer(_: &Parts) -> String {
    String::from("<footer class=\"host-foot\">Host One, a demo host under Warden</footer>")
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    user: Option<String>,
    notice: Option<&'static str>,
    /// What the host has told its user by [`Notices`].
    told: Option<String>,
    connected_to: Option<String>,
    items: Vec<Item>,
}

/// One thing of a person, with the panel that shares it.
struct Item {
    name: String,
    uri: String,
    panel: String,
}

impl Item {
    fn new(name: impl Into<String>, uri: String) -> Self {
        let name = name.into();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("uri", &uri)
            .append_pair("name", &name)
            .append_pair("return_to", "/")
            .finish();
        Self {
            panel: format!("/internal/uma_mini_panel?{query}"),
            name,
            uri,
        }
    }
}

#[derive(Deserialize)]
struct HomeQuery {
    notice: Option<String>,
}

async fn home(
    State(state): State<PageState>,
    Query(query): Query<HomeQuery>,
    signed_in: Option<SignedIn>,
) -> Response {
    let user = signed_in.map(|signed_in| signed_in.user().to_owned());
    let connected_to = match &user {
        None => None,
        Some(user) => match state.host.connection(&OwnerId::new(user.as_str())).await {
            Ok(connection) => connection.map(|connection| connection.name),
            Err(error) => {
                tracing::warn!(%error, "the connection could not be looked up");
                None
            }
        },
    };
    let items = user.as_deref().map(items).unwrap_or_default();
    render(
        StatusCode::OK,
        &Home {
            notice: query.notice.as_deref().and_then(web::notice_text),
            told: user.as_deref().and_then(|user| state.notices.take(user)),
            user,
            connected_to,
            items,
        },
    )
}

fn items(user: &str) -> Vec<Item> {
    let fields = crate::data::FIELDS.into_iter().map(|field| {
        Item::new(
            format!("My {field}"),
            format!("/api/people/{user}/personal/{field}"),
        )
    });
    let albums = ["summer", "winter"].into_iter().map(|album| {
        Item::new(
            format!("The album {album}"),
            format!("/api/people/{user}/albums/{album}"),
        )
    });
    fields.chain(albums).collect()
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    return_to: String,
    username: String,
    error: Option<&'static str>,
}

#[derive(Deserialize)]
struct LoginQuery {
    return_to: Option<String>,
}

async fn login_page(Query(query): Query<LoginQuery>) -> Response {
    render(
        StatusCode::OK,
        &LoginPage {
            return_to: query.return_to.unwrap_or_default(),
            username: String::new(),
            error: None,
        },
    )
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    return_to: String,
}

async fn login(jar: PrivateCookieJar, form: Result<Form<Login>, FormRejection>) -> Response {
    let form = match form {
        Ok(Form(form)) => form,
        Err(rejection) => {
            let page = LoginPage {
                return_to: String::new(),
                username: String::new(),
                error: Some("This was no sign-in form. Fill in name and password here."),
            };
            return render(rejection.status(), &page);
        }
    };
    let Some(person) = people::sign_in(&form.username, &form.password) else {
        return render(
            StatusCode::UNAUTHORIZED,
            &LoginPage {
                return_to: form.return_to,
                username: form.username,
                error: Some("No one is known by this name and password."),
            },
        );
    };
    let back = ReturnPath::parse(&form.return_to);
    let back = back.as_ref().map_or("/", ReturnPath::as_str);
    (session::begin(jar, person), Redirect::to(back)).into_response()
}

async fn logout(jar: PrivateCookieJar) -> Response {
    (session::end(jar), Redirect::to("/")).into_response()
}

/// The answer to a form that another site's page has sent.
pub(crate) fn foreign_form() -> impl IntoResponse {
    let detail =
        "A page of another site sent this. Open the page on this site and send it from there.";
    (
        StatusCode::FORBIDDEN,
        Json(serde_json::json!({ "detail": detail })),
    )
}

fn render(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => {
            let mut headers = HeaderMap::new();
            headers.insert(
                CACHE_CONTROL,
                const { HeaderValue::from_static("no-store") },
            );
            let policy = "default-src 'none'; style-src 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'";
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
            (status, headers, Html(html)).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
