use std::sync::Mutex;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use uma_client::{AmProfile, ClientCredentials, Http, Issuer, TransportError};

use super::*;
use crate::{ActiveToken, Permission};

/// An AM whose policies permit `permitted`, and that does not know the resource `gone`.
fn am(
    permitted: &[(&'static str, &'static [&'static str])],
) -> (AmClient, Arc<Mutex<Vec<Vec<String>>>>) {
    let permitted = permitted.to_vec();
    let calls: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
    let seen = calls.clone();
    let http = Http::new(move |request: Request<Bytes>| {
        let (status, body) = answer(&request, &permitted, &seen);
        let response = Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        async move { Ok::<_, TransportError>(response) }
    });
    let client = AmClient::builder(Issuer::parse("https://am.example").unwrap())
        .http(http)
        .profile(AmProfile::keycloak())
        .credentials(ClientCredentials::basic("host", "s"))
        .build()
        .unwrap();
    (client, calls)
}

fn answer(
    request: &Request<Bytes>,
    permitted: &[(&str, &[&str])],
    seen: &Mutex<Vec<Vec<String>>>,
) -> (u16, Value) {
    if request.uri().path().contains("/.well-known/") {
        let metadata =
            json!({"issuer": "https://am.example", "token_endpoint": "https://am.example/token"});
        return (200, metadata);
    }
    let body = std::str::from_utf8(request.body()).unwrap();
    let asked: Vec<String> = body
        .split('&')
        .filter_map(|pair| pair.strip_prefix("permission="))
        .map(|value| value.replace("%23", "#").replace("%2C", ","))
        .collect();
    seen.lock().unwrap().push(asked.clone());
    if asked.iter().any(|one| one.starts_with("gone#")) {
        return (400, json!({"error": "invalid_resource"}));
    }
    if asked.iter().any(|one| one.starts_with("broken#")) {
        return (500, json!({}));
    }
    let granted: Vec<Value> = permitted
        .iter()
        .filter(|(id, _)| asked.iter().any(|one| one.starts_with(&format!("{id}#"))))
        .map(|(id, scopes)| json!({"rsid": id, "scopes": scopes}))
        .collect();
    if granted.is_empty() {
        return (
            403,
            json!({"error": "access_denied", "error_description": "not_authorized"}),
        );
    }
    (200, Value::from(granted))
}

fn evidence(permissions: &[(&str, &[&str])]) -> Evidence {
    let permissions = permissions.iter().map(|(id, scopes)| {
        Permission::new(
            ResourceId::parse(id).unwrap(),
            scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        )
    });
    Evidence::Active(ActiveToken::new(permissions.collect()))
}

fn held(evidence: &Evidence) -> Vec<(&str, Vec<&str>)> {
    let Evidence::Active(token) = evidence else {
        panic!("{evidence:?}")
    };
    token
        .permissions
        .iter()
        .map(|one| {
            let scopes = one.scopes.iter().map(String::as_str).collect();
            (one.resource_id.as_str(), scopes)
        })
        .collect()
}

fn rpt() -> Rpt {
    Rpt::new("t")
}

#[tokio::test]
async fn it_only_takes_away() {
    let (client, calls) = am(&[("a", &["view", "delete"]), ("c", &["view"])]);
    let before = evidence(&[("a", &["view", "edit"]), ("b", &["view"]), ("a", &["view"])]);
    let live = LiveDecisions::always();
    let after = live.confirm(&client, &rpt(), before).await.unwrap();
    // `delete` and all of `c` are permitted by policy, but the token was not given them.
    assert_eq!(held(&after), [("a", vec!["view"]), ("a", vec!["view"])]);
    assert!(matches!(&after, Evidence::Active(token) if token.source == Source::LiveDecision));
    assert_eq!(
        *calls.lock().unwrap(),
        [["a#edit,view", "b#view"]],
        "one call for all"
    );
    let dead = live
        .confirm(&client, &rpt(), Evidence::Inactive)
        .await
        .unwrap();
    assert_eq!(dead, Evidence::Inactive);
    assert_eq!(calls.lock().unwrap().len(), 1, "and none for a dead token");
}

#[tokio::test]
async fn only_what_is_chosen_is_asked_for() {
    let (client, calls) = am(&[]);
    let before = evidence(&[("a", &["view"]), ("b", &["view"])]);
    let never = LiveDecisions::never();
    let after = never
        .confirm(&client, &rpt(), before.clone())
        .await
        .unwrap();
    assert_eq!(after, before);
    let other = LiveDecisions::only(|id| id.as_str() == "z");
    let after = other
        .confirm(&client, &rpt(), before.clone())
        .await
        .unwrap();
    assert_eq!(after, before);
    assert!(calls.lock().unwrap().is_empty());
    let one = LiveDecisions::only(|id| id.as_str() == "b");
    let after = one.confirm(&client, &rpt(), before).await.unwrap();
    assert_eq!(held(&after), [("a", vec!["view"])]);
    assert_eq!(*calls.lock().unwrap(), [["b#view"]]);
}

#[tokio::test]
async fn a_resource_that_is_gone_takes_no_other_with_it() {
    let (client, calls) = am(&[("a", &["view"])]);
    let live = LiveDecisions::always();
    let before = evidence(&[("gone", &["view"]), ("a", &["view"])]);
    let after = live.confirm(&client, &rpt(), before).await.unwrap();
    assert_eq!(held(&after), [("a", vec!["view"])]);
    assert_eq!(calls.lock().unwrap().len(), 3);
    let after = live
        .confirm(&client, &rpt(), evidence(&[("gone", &["view"])]))
        .await
        .unwrap();
    assert!(held(&after).is_empty());
    assert_eq!(calls.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_not_confirmed_does_not_count() {
    let (client, _) = am(&[("a", &["view"])]);
    let live = LiveDecisions::always();
    let before = evidence(&[("a", &["view"]), ("broken", &["view"])]);
    let error = live.confirm(&client, &rpt(), before).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
