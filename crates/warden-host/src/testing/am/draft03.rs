//! The same AM, as one of 2012: under ids that hosts choose, with revisions.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::{AM, FakeAm, State, reply};

/// Where the host of the tests describes its scopes.
const SCOPES: &str = "https://host.example/uma/scopes/";

/// Where the AM says which revision a set has.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Tags {
    /// In header and body.
    #[default]
    Everywhere,
    /// Not where an answer has no body.
    InBodies,
    /// When it is read, and not when it is written.
    WhenRead,
    /// Nowhere.
    Nowhere,
}

#[derive(Clone, Default)]
pub(super) struct Old {
    revisions: BTreeMap<(String, String), u32>,
    tags: Tags,
    scopes: Vec<String>,
    by_http: bool,
}

impl FakeAm {
    /// The call that registers a resource.
    pub(crate) fn creates(&self) -> &'static str {
        match self.state().of_2012 {
            true => "PUT /sets",
            false => "POST /resources",
        }
    }

    /// How many tokens of a consent it takes back.
    pub(crate) fn takes_back(&self) -> usize {
        match self.state().of_2012 {
            true => 0,
            false => 2,
        }
    }

    pub(crate) fn tag(&self, tags: Tags) {
        self.state().old.tags = tags;
    }

    /// Its metadata name addresses without TLS, as those of the SMART AM did.
    pub(crate) fn by_http(&self, by_http: bool) {
        self.state().old.by_http = by_http;
    }

    /// Somebody else has changed it.
    pub(crate) fn revise(&self, owner: &str, id: &str) {
        let key = (owner.to_owned(), id.to_owned());
        *self.state().old.revisions.entry(key).or_insert(0) += 1;
    }

    /// The scopes of the last description, as they came.
    pub(crate) fn scopes_on_the_wire(&self) -> Vec<String> {
        self.state().old.scopes.clone()
    }
}

impl State {
    /// The answer of an AM of 2012, where it has one of its own.
    pub(super) fn answer_of_2012(
        &mut self,
        request: &Request<Bytes>,
        issuer: &str,
    ) -> Option<Response<Bytes>> {
        let path = request.uri().path();
        Some(match path {
            "/.well-known/uma-configuration" => {
                let mut metadata = metadata(issuer);
                if self.old.by_http {
                    let sets = issuer.replace("https:", "http:");
                    metadata["resource_set_registration_endpoint"] = json!(format!("{sets}/sets"));
                }
                reply(200, &metadata)
            }
            _ if path.starts_with("/.well-known/") => reply(404, &json!({})),
            "/status" => self.protected(request, |_, _| {
                reply(200, &json!({ "token_status": "invalid" }))
            }),
            "/permission" => self.protected(request, |state, owner| {
                let asked: Value = serde_json::from_slice(request.body()).unwrap();
                let id = asked["resource_set_id"].as_str().unwrap().to_owned();
                if !state.resources.contains_key(&(owner.to_owned(), id)) {
                    return reply(400, &json!({ "error": "invalid_resource_set_id" }));
                }
                state.numbered += 1;
                let ticket = format!("ticket-{}", state.numbered);
                reply(201, &json!({ "ticket": ticket }))
            }),
            _ => {
                let id = path.strip_prefix("/sets/resource_set")?;
                let id = id.trim_start_matches('/').to_owned();
                self.protected(request, |state, owner| state.set(request, owner, &id))
            }
        })
    }

    fn set(&mut self, request: &Request<Bytes>, owner: &str, id: &str) -> Response<Bytes> {
        let key = (owner.to_owned(), id.to_owned());
        if id.is_empty() {
            let of_owner = self.resources.keys().filter(|(of, _)| of == owner);
            return reply(200, &json!(of_owner.map(|(_, id)| id).collect::<Vec<_>>()));
        }
        let known = self.resources.contains_key(&key);
        let revision = self.revision(&key);
        let asked = request.headers().get("if-match");
        let asked = asked.map(|tag| tag.to_str().unwrap().to_owned());
        let error = |status, code| reply(status, &json!({ "status": "error", "error": code }));
        match (request.method(), asked) {
            (&Method::PUT, None) if known => error(400, "invalid_request"),
            (&Method::PUT, None) => {
                self.write(key.clone(), request);
                self.tagged(&key, 201, json!({ "status": "created", "_id": id }))
            }
            _ if !known => error(404, "not_found"),
            (&Method::GET, _) => {
                let has = &self.resources[&key];
                let scopes = has["resource_scopes"].as_array().unwrap().iter();
                let scopes: Vec<String> = scopes
                    .map(|scope| format!("{SCOPES}{}", scope.as_str().unwrap()))
                    .collect();
                let set = json!({ "_id": id, "name": has["name"], "scopes": scopes });
                self.tagged(&key, 200, set)
            }
            (_, None) => error(400, "invalid_request"),
            (_, Some(tag)) if tag != format!("\"{revision}\"") => error(412, "precondition_failed"),
            (&Method::PUT, _) => {
                self.write(key.clone(), request);
                self.tagged(&key, 204, Value::Null)
            }
            (&Method::DELETE, _) => {
                self.resources.remove(&key);
                reply(204, &Value::Null)
            }
            (method, _) => panic!("{method} {id}"),
        }
    }

    fn revision(&self, key: &(String, String)) -> u32 {
        self.old.revisions.get(key).copied().unwrap_or(0)
    }

    fn write(&mut self, key: (String, String), request: &Request<Bytes>) {
        let content_type = &request.headers()["content-type"];
        assert_eq!(content_type, "application/uma-resource-set+json");
        let set: Value = serde_json::from_slice(request.body()).unwrap();
        let scopes = set["scopes"].as_array().unwrap().iter();
        self.old.scopes = scopes
            .map(|scope| scope.as_str().unwrap().to_owned())
            .collect();
        let own: Vec<&str> = self
            .old
            .scopes
            .iter()
            .map(|scope| scope.strip_prefix(SCOPES).unwrap())
            .collect();
        let kept = json!({ "name": set["name"], "resource_scopes": own });
        self.resources.insert(key.clone(), kept);
        *self.old.revisions.entry(key).or_insert(0) += 1;
    }

    fn tagged(&self, key: &(String, String), status: u16, mut body: Value) -> Response<Bytes> {
        let revision = self.revision(key);
        let tags = self.old.tags;
        if body.is_object() {
            body["policy_uri"] = json!(format!("{AM}/policy/{}", key.1));
        }
        let says = match tags {
            Tags::Everywhere => true,
            Tags::InBodies => body.is_object(),
            Tags::WhenRead => status == 200,
            Tags::Nowhere => false,
        };
        if says && body.is_object() {
            body["_rev"] = json!(revision);
        }
        let mut response = reply(status, &body);
        if says && tags != Tags::InBodies {
            let tag = format!("\"{revision}\"");
            response.headers_mut().insert("etag", tag.parse().unwrap());
        }
        response
    }
}

fn metadata(issuer: &str) -> Value {
    json!({
        "version": "1.0",
        "issuer": issuer,
        "token_types_supported": ["artifact"],
        "host_grant_types_supported": ["authorization_code", "client_credentials"],
        "client_dynamic_registration_endpoint": format!("{issuer}/register"),
        "host_token_endpoint": format!("{issuer}/token"),
        "host_user_endpoint": format!("{issuer}/authorize"),
        "resource_set_registration_endpoint": format!("{issuer}/sets"),
        "token_status_endpoint": format!("{issuer}/status"),
        "permission_registration_endpoint": format!("{issuer}/permission"),
        "requester_token_endpoint": format!("{issuer}/requester"),
        "permission_request_endpoint": format!("{issuer}/grant"),
    })
}
