//! The dialect through the client, against an AM in memory.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use crate::client::{AmClient, AmClientBuilder, ClientCredentials};
use crate::error::{Error, ErrorKind};
use crate::ids::{Pat, ResourceId};
use crate::issuer::Issuer;
use crate::testing::{ISSUER, Reply, Script, Seen, raw_script, typed};
use crate::transport::Http;
use crate::{Dialect, Secret};

mod hat;
mod metadata;
mod requester;
mod resources;
mod status;

/// The discovery document of the SMART AM: its member names, and the four addresses below `/api/uma`, are the ones that are
/// known; the draft's other members complete it.
const SEED: &str = include_str!("../../../fixtures/smartam-uma-configuration.json");

const STATUS: &str = "application/uma-status+json";
const CANARY: &str = "canary-pat";

/// The seed's document, as an AM of today would serve it.
fn document() -> Value {
    let text = SEED.replace("http://www.smartam.net", ISSUER);
    serde_json::from_str(&text).unwrap()
}

/// A builder for a client of an AM that serves `document`, and the rest by `handler`.
fn am_with(
    document: Value,
    handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Script, AmClientBuilder) {
    let handler = Arc::new(handler);
    let (script, http): (Script, Http) = raw_script(move |seen| {
        let reply = if seen.uri.ends_with("/.well-known/uma-configuration") {
            let kind = "application/uma-configuration+json";
            Ok(typed(200, kind, &document.to_string()))
        } else {
            handler(&seen)
        };
        async move { reply }
    });
    let builder = AmClient::builder(Issuer::parse(ISSUER).unwrap())
        .dialect(Dialect::Draft03)
        .http(http)
        .credentials(ClientCredentials::basic("h", "s3cret"));
    (script, builder)
}

fn am(reply: Reply) -> (Script, AmClient) {
    let (script, builder) = am_with(document(), move |_| reply.clone());
    (script, builder.build().unwrap())
}

fn pat() -> Pat {
    Pat::new(CANARY)
}

fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).unwrap()
}

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap())
}

/// Nothing secret, and nothing of a body, is in an error.
#[track_caller]
fn clear(error: &Error, kind: ErrorKind, word: &str) {
    let shown = format!("{error} {error:?}");
    assert_eq!(error.kind(), kind, "{shown}");
    assert!(error.to_string().contains(word), "{word}: {shown}");
    assert!(error.to_string().contains(ISSUER), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}
