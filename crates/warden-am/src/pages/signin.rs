//! Signing in and out.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Frame, render};
use crate::auth;
use crate::endpoints::{Am, paths};
use crate::params::{FormBody, Params};
use crate::reply::{self, ApiError};
use crate::shared::Shared;

#[derive(Template)]
#[template(path = "signin.html")]
struct SignIn<'a> {
    frame: Frame,
    username: &'a str,
    return_to: &'a str,
    username_error: Option<&'a str>,
    password_error: Option<&'a str>,
}

/// Sends a browser to the sign-in page, and from there back to `return_to`.
pub(crate) fn first(am: &Shared, return_to: &str) -> Response {
    let target = reply::with_query(&am.local(paths::SIGN_IN), &[("return_to", return_to)]);
    reply::redirect(StatusCode::SEE_OTHER, &target)
}

pub(crate) async fn show(State(am): Am, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let params = Params::query(query.as_deref());
    let return_to = return_path(&am, &params);
    let user = auth::signed_in(&am, &headers);
    let page = SignIn {
        frame: Frame::new(&am, user.as_deref(), &return_to),
        username: "",
        return_to: &return_to,
        username_error: None,
        password_error: None,
    };
    render(StatusCode::OK, &page)
}

pub(crate) async fn submit(
    State(am): Am,
    headers: HeaderMap,
    FormBody(form): FormBody,
) -> Response {
    let username = form.get("username").ok().flatten().unwrap_or_default();
    let password = form.get("password").ok().flatten().unwrap_or_default();
    let return_to = return_path(&am, &form);
    let right = am.read(|state, _| state.password_is_right(username, password));
    if right {
        return match auth::sign_in(&am, &headers, username) {
            Ok(cookie) => with_cookie(reply::redirect(StatusCode::SEE_OTHER, &return_to), &cookie),
            Err(error) => ApiError::from(error).into_response(),
        };
    }
    let complete = !username.is_empty() && !password.is_empty();
    let page = SignIn {
        frame: Frame::new(&am, None, &return_to),
        username,
        return_to: &return_to,
        username_error: username.is_empty().then_some("Enter your name."),
        password_error: if complete {
            Some("This name and this password do not belong together.")
        } else {
            password.is_empty().then_some("Enter your password.")
        },
    };
    let status = if complete {
        StatusCode::FORBIDDEN
    } else {
        StatusCode::BAD_REQUEST
    };
    render(status, &page)
}

pub(crate) async fn sign_out(
    State(am): Am,
    headers: HeaderMap,
    FormBody(form): FormBody,
) -> Response {
    match auth::sign_out(&am, &headers) {
        Ok(cookie) => with_cookie(first(&am, &return_path(&am, &form)), &cookie),
        Err(error) => ApiError::from(error).into_response(),
    }
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// Where to go after signing in: a path of this AM, and nowhere else. Anything odd leads to the policies.
fn return_path(am: &Shared, params: &Params) -> String {
    let asked = params.get("return_to").ok().flatten().unwrap_or_default();
    let prefix = am.local("/");
    let own = asked.starts_with(&prefix) && !asked.starts_with("//");
    let plain = asked
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    // Dots could climb out of the AM's path, and a second slash would name another host.
    let path = asked.split(['?', '#']).next().unwrap_or_default();
    let direct = !path.contains("//") && !path.split('/').any(|part| part == "..");
    if own && plain && direct {
        asked.to_owned()
    } else {
        am.local(paths::POLICIES)
    }
}
