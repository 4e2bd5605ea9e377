//! The API that Warden stands in front of.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Path, Request, State};
use axum::http::header::VARY;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tower_warden::Access;

use crate::data::{Data, FIELDS};
use crate::session::SignedIn;

/// Every answer of a handler carries its route here; an answer of Warden never does.
const HANDLER: HeaderName = HeaderName::from_static("host-one-handler");

const FIELD: &str = "/api/people/{person}/personal/{field}";
const ALBUM: &str = "/api/people/{person}/albums/{album}";
const PHOTO: &str = "/api/people/{person}/albums/{album}/photos/{photo}";

/// A path of each route, which must be found behind Warden before the host starts.
pub(crate) const EXAMPLES: [&str; 3] = [
    "/api/people/alice/personal/name",
    "/api/people/alice/albums/summer",
    "/api/people/alice/albums/summer/photos/1",
];

/// The routes, without Warden.
pub(crate) fn router(data: Arc<Data>) -> Router {
    Router::new()
        .route(FIELD, get(read_field).put(write_field).delete(delete_field))
        .route(ALBUM, get(read_album))
        .route(PHOTO, get(read_photo).put(write_photo).delete(delete_photo))
        .route_layer(middleware::from_fn(name_the_route))
        .with_state(data)
}

async fn name_the_route(route: MatchedPath, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(route) = HeaderValue::from_str(route.as_str()) {
        response.headers_mut().insert(HANDLER, route);
    }
    // The owner is known by her cookie.
    response
        .headers_mut()
        .append(VARY, HeaderValue::from_static("cookie"));
    response
}

/// What went wrong, as the API tells it.
enum Refusal {
    Private,
    Missing,
    Unreadable,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::Private => (
                StatusCode::FORBIDDEN,
                "Only its owner may do this while it is not shared. Sign in as the owner.",
            ),
            Self::Missing => (StatusCode::NOT_FOUND, "There is nothing here."),
            Self::Unreadable => (
                StatusCode::BAD_REQUEST,
                "The body must be text in UTF-8 of at most 10 000 bytes.",
            ),
        };
        (status, Json(json!({ "detail": detail }))).into_response()
    }
}

/// A request that may touch the data of a person: Warden has let it in, or the host's own rule does.
struct Permitted(String);

impl<S: Send + Sync> FromRequestParts<S> for Permitted {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let access = Access::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        let Path(names) = Path::<HashMap<String, String>>::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        let person = names.get("person").cloned().unwrap_or_default();
        let signed_in = parts.extensions.get::<SignedIn>();
        match access {
            Access::Granted(_) | Access::Owner(_) => Ok(Self(person)),
            _ if signed_in.is_some_and(|who| who.user() == person) => Ok(Self(person)),
            _ => Err(Refusal::Private.into_response()),
        }
    }
}

type Outcome = Result<Json<Value>, Refusal>;
type Shared = State<Arc<Data>>;

async fn read_field(
    Permitted(person): Permitted,
    State(data): Shared,
    Path((_, field)): Path<(String, String)>,
) -> Outcome {
    data.read(&person, |data| {
        data.personal
            .get(&field)
            .map(|value| described(&field, value))
    })
    .ok_or(Refusal::Missing)
}

async fn write_field(
    Permitted(person): Permitted,
    State(data): Shared,
    Path((_, field)): Path<(String, String)>,
    body: axum::body::Bytes,
) -> Outcome {
    let value = text(&body)?;
    if !FIELDS.contains(&field.as_str()) {
        return Err(Refusal::Missing);
    }
    data.write(&person, |data| {
        data.personal.insert(field.clone(), value.clone());
        Some(described(&field, &value))
    })
    .ok_or(Refusal::Missing)
}

async fn delete_field(
    Permitted(person): Permitted,
    State(data): Shared,
    Path((_, field)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    data.write(&person, |data| data.personal.remove(&field))
        .map(|_| StatusCode::NO_CONTENT)
        .ok_or(Refusal::Missing)
}

async fn read_album(
    Permitted(person): Permitted,
    State(data): Shared,
    Path((_, album)): Path<(String, String)>,
) -> Outcome {
    data.read(&person, |data| {
        let photos: Vec<&String> = data.albums.get(&album)?.keys().collect();
        Some(Json(json!({ "album": album, "photos": photos })))
    })
    .ok_or(Refusal::Missing)
}

type PhotoPath = Path<(String, String, String)>;

async fn read_photo(
    Permitted(person): Permitted,
    State(data): Shared,
    Path((_, album, photo)): PhotoPath,
) -> Outcome {
    data.read(&person, |data| {
        let caption = data.albums.get(&album)?.get(&photo)?;
        Some(described(&photo, caption))
    })
    .ok_or(Refusal::Missing)
}

async fn write_photo(
    Permitted(person): Permitted,
    State(data): Shared,
    Path((_, album, photo)): PhotoPath,
    body: axum::body::Bytes,
) -> Outcome {
    let caption = text(&body)?;
    data.write(&person, |data| {
        let photos = data.albums.get_mut(&album)?;
        photos.insert(photo.clone(), caption.clone());
        Some(described(&photo, &caption))
    })
    .ok_or(Refusal::Missing)
}

async fn delete_photo(
    Permitted(person): Permitted,
    State(data): Shared,
    Path((_, album, photo)): PhotoPath,
) -> Result<StatusCode, Refusal> {
    data.write(&person, |data| data.albums.get_mut(&album)?.remove(&photo))
        .map(|_| StatusCode::NO_CONTENT)
        .ok_or(Refusal::Missing)
}

fn described(name: &str, value: &str) -> Json<Value> {
    Json(json!({ "name": name, "value": value }))
}

fn text(body: &[u8]) -> Result<String, Refusal> {
    std::str::from_utf8(body)
        .ok()
        .filter(|text| text.len() <= 10_000)
        .map(str::to_owned)
        .ok_or(Refusal::Unreadable)
}
