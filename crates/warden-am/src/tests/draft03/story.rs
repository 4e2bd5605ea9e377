//! Both sides: the client of the dialect against the AM of the dialect, without a socket.

use std::time::Duration;

use uma_client::wire::{PermissionRequest, ResourceDescription};
use uma_client::{
    AmClient, AuthorizationRequest, ClientCredentials, CodeExchange, Dialect, Exchange, Http,
    Introspection, Issuer, Pat, PermissionOutcome, Requester, ResourceId, Secret, Ticket,
    TicketExchange, TransportError,
};

use super::*;
use crate::{Endpoint, Fault};

fn client(world: &World, id: &str, secret: &str) -> AmClient {
    let router = world.am.router();
    let http = Http::new(move |request: Request<Bytes>| {
        let router = router.clone();
        async move {
            let response = router.oneshot(request.map(Body::from)).await.unwrap();
            let (head, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            Ok::<_, TransportError>(http::Response::from_parts(head, body))
        }
    });
    let mut profile = Dialect::Draft03.profile();
    profile.scope_base = Some("https://host.example/scopes/".to_owned());
    AmClient::builder(Issuer::parse(ISSUER).unwrap())
        .dialect(Dialect::Draft03)
        .profile(profile)
        .allow_insecure_http()
        .http(http)
        .credentials(ClientCredentials::basic(id, secret))
        .build()
        .unwrap()
}

fn host(world: &World) -> AmClient {
    client(world, HOST, HOST_SECRET)
}

fn holiday() -> ResourceDescription {
    ResourceDescription::new(["view", "edit"]).with_name("Holiday")
}

async fn ticket(host: &AmClient, hat: &Pat, id: &ResourceId) -> Ticket {
    let wanted = [PermissionRequest::new(id.as_str(), ["view"])];
    match host.request_permission(hat, &wanted).await.unwrap() {
        PermissionOutcome::Ticket(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

async fn scopes(host: &AmClient, hat: &Pat, token: &Secret) -> Option<Vec<String>> {
    match host.introspect(hat, token).await.unwrap() {
        Introspection::Active(answer) => Some(
            answer
                .permissions
                .unwrap()
                .into_iter()
                .flat_map(|permission| permission.resource_scopes)
                .collect(),
        ),
        _ => None,
    }
}

/// Alice lets the host act for her, shares, and lets Bob see; Bob's app gets there the way of 2012.
#[tokio::test]
async fn the_story_of_2012() {
    let mut world = world();
    let host = host(&world);
    let begun = host
        .authorization(AuthorizationRequest::new(HOST_CALLBACK))
        .await
        .unwrap();
    let pairs: Vec<(String, String)> = begun.url.query_pairs().into_owned().collect();
    world.sign_in("alice").await;
    let mut form: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
    form.extend([("owner", "alice"), ("decision", "allow")]);
    let answer = world.submit("/consent", &form).await;
    let exchange = CodeExchange::new(HOST_CALLBACK, answer.sent("code").unwrap())
        .verifier(begun.verifier.clone())
        .states(begun.state.clone(), answer.sent("state").unwrap())
        .issuer(answer.sent("iss").as_deref());
    let tokens = host.exchange_code(exchange).await.unwrap();
    let hat = Pat::new(tokens.access_token);

    let id = ResourceId::parse("photo/1").unwrap();
    let made = host
        .create_resource_as(&hat, Some(&id), &holiday())
        .await
        .unwrap();
    assert_eq!(made.id, id);
    let page = made.policy_uri.unwrap();
    assert_eq!(world.get(page.path()).await.status, StatusCode::OK);
    let read = host.read_resource(&hat, &id).await.unwrap();
    assert_eq!(read.description.resource_scopes, ["view", "edit"]);
    assert_eq!(read.revision, made.revision);

    // Bob's app: its own token is good and permits nothing; with the ticket it says who asks.
    let requester = Requester::new(client(&world, APP, APP_SECRET));
    let own = requester.own_token().await.unwrap().rpt;
    assert_eq!(scopes(&host, &hat, &own).await, Some(Vec::new()));
    let ticket = ticket(&host, &hat, &id).await;
    let exchange = TicketExchange::new(ticket).bearer(own);
    let Exchange::NeedInfo { ticket, .. } = requester.exchange(exchange.clone()).await.unwrap()
    else {
        panic!("who asks is not known yet");
    };
    let bob = world.script().claim_token("bob", APP).unwrap();
    let mut exchange = exchange.claim_token(bob, CLAIM_TOKEN_FORMAT);
    assert_eq!(
        requester.exchange(exchange.clone()).await.unwrap(),
        Exchange::Denied
    );

    // Alice is asked, and agrees: the same ticket is good, and says who asks by now.
    let waiting = world.script().pending("alice");
    assert_eq!(waiting[0].subject, "bob");
    world.script().approve(&waiting[0].id, None).unwrap();
    exchange = TicketExchange::new(ticket);
    let Exchange::Granted(grant) = requester.exchange(exchange.clone()).await.unwrap() else {
        panic!("Alice said yes");
    };
    assert_eq!(
        scopes(&host, &hat, &grant.rpt).await,
        Some(vec!["view".to_owned()])
    );
    let error = requester.exchange(exchange).await.unwrap_err();
    assert_eq!(error.kind(), uma_client::ErrorKind::InvalidTicket);

    // A token that holds something gets more, and lives on in one.
    world.allow(
        "alice",
        "photo/1",
        "bob",
        &["https://host.example/scopes/edit"],
    );
    let wanted = [PermissionRequest::new("photo/1", ["edit"])];
    let PermissionOutcome::Ticket(more) = host.request_permission(&hat, &wanted).await.unwrap()
    else {
        panic!("a ticket");
    };
    let exchange = TicketExchange::new(more).rpt(grant.rpt.clone());
    let Exchange::Granted(upgraded) = requester.exchange(exchange).await.unwrap() else {
        panic!("allowed");
    };
    let mut both = scopes(&host, &hat, &upgraded.rpt).await.unwrap();
    both.sort();
    assert_eq!(both, ["edit", "view"]);
    assert_eq!(scopes(&host, &hat, &grant.rpt).await, None);

    // Alice stops sharing.
    let revision = made.revision.as_deref();
    host.delete_resource_at(&hat, &id, revision).await.unwrap();
    assert_eq!(scopes(&host, &hat, &upgraded.rpt).await, Some(Vec::new()));
}

/// Two writers: the second learns that it was too late, and nothing is lost.
#[tokio::test]
async fn of_two_writers_one_is_too_late() {
    let world = world();
    let host = host(&world);
    let hat = Pat::new(world.pat("alice"));
    let id = ResourceId::parse("photo").unwrap();
    let made = host
        .create_resource_as(&hat, Some(&id), &holiday())
        .await
        .unwrap();
    let revision = made.revision.as_deref();
    let renamed = holiday().with_name("Winter");
    let first = host
        .update_resource_at(&hat, &id, revision, &renamed)
        .await
        .unwrap();
    assert_ne!(first.revision, made.revision);
    let error = host
        .update_resource_at(&hat, &id, revision, &holiday())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), uma_client::ErrorKind::PreconditionFailed);
    let read = host.read_resource(&hat, &id).await.unwrap();
    assert_eq!(read.description.name.as_deref(), Some("Winter"));
    assert_eq!(read.revision, first.revision);
    let error = host
        .create_resource_as(&hat, Some(&id), &holiday())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("invalid_request"));
    assert_eq!(host.list_resources(&hat).await.unwrap().ids, [id]);
}

/// What the AM did and then answered badly can be found again under the id that the host chose.
#[tokio::test]
async fn a_lost_answer_is_found_again() {
    let world = world();
    let host = host(&world);
    let hat = Pat::new(world.pat("alice"));
    let id = ResourceId::parse("photo").unwrap();
    let mut answer = http::Response::new(Bytes::from_static(br#"{"_id":"photo"}"#));
    *answer.status_mut() = StatusCode::CREATED;
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, STATUS.parse().unwrap());
    world
        .script()
        .fault_once(Endpoint::Resource, Fault::Answer(Box::new(answer.clone())));
    let error = host
        .create_resource_as(&hat, Some(&id), &holiday())
        .await
        .unwrap_err();
    assert!(error.outcome_unknown());
    assert!(error.to_string().contains("`ETag`"), "{error}");
    let read = host.read_resource(&hat, &id).await.unwrap();

    // An update that is answered as the draft's example has it: 201, and the revision in the body alone.
    *answer.body_mut() = Bytes::from_static(br#"{"status":"updated","_id":"photo","_rev":"2"}"#);
    world
        .script()
        .fault_once(Endpoint::Resource, Fault::Answer(Box::new(answer)));
    let updated = host
        .update_resource_at(&hat, &id, read.revision.as_deref(), &holiday())
        .await
        .unwrap();
    assert_eq!(updated.revision.as_deref(), Some("\"2\""));
}

#[tokio::test]
async fn what_ends_at_the_am_is_told_by_its_end() {
    let world = world();
    let host = host(&world);
    let hat = Pat::new(world.pat("alice"));
    let id = ResourceId::parse("photo").unwrap();
    host.create_resource_as(&hat, Some(&id), &holiday())
        .await
        .unwrap();
    let view = "https://host.example/scopes/view";
    let rpt = world
        .script()
        .issue_rpt("bob", APP, &[("photo", &[view])])
        .unwrap();
    let Introspection::Active(answer) = host
        .introspect(&hat, &Secret::new(rpt.as_str()))
        .await
        .unwrap()
    else {
        panic!("live");
    };
    assert!(answer.permissions.unwrap()[0].exp.is_some());
    assert_eq!(answer.aud, [HOST]);
    assert_eq!(answer.fresh_for, Some(Duration::from_secs(10)));
}

#[test]
fn the_builder_says_what_it_speaks() {
    let shown = format!("{:?}", builder().dialect(Dialect::Draft03));
    assert!(shown.contains("Draft03"), "{shown}");
}
