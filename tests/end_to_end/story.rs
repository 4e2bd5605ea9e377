//! The whole story over sockets: share, guard, ticket, policy, RPT, access, stop.

use serde_json::Value;
use uma_client::{Exchange, Ticket, TicketExchange};

use crate::am::Am;
use crate::app::{claim, requester};
use crate::host::{HostOne, run};
use crate::person::{ALBUM, PHOTO, Person};
use warden_am::{Endpoint, PolicySpec};

#[tokio::test]
async fn an_owner_shares_and_her_manager_decides() {
    let host = HostOne::embedded(&[]).await;
    let photo = host.at(PHOTO);
    let (alice, bob, app) = (Person::new("alice"), Person::new("bob"), Person::new("app"));

    // Nothing is shared: the host's own rules.
    let own = app.get(&photo).await.expect(403);
    assert_eq!(
        own.handler(),
        Some("/api/people/{person}/albums/{album}/photos/{photo}")
    );
    alice.sign_in(&host).await;
    bob.sign_in(&host).await;
    alice.get(&photo).await.expect(200);
    bob.get(&photo).await.expect(403);

    let back = alice.connect(&host).await.expect(303);
    assert_eq!(back.location().path(), "/uma/resources");
    let shared = alice.share(&host, PHOTO).await.expect(303);
    assert_eq!(shared.location().as_str(), host.at("/?notice=shared"));
    let list = alice.shared(&host).await;
    let [resource] = list.as_slice() else {
        panic!("{list:?}")
    };
    assert_eq!(resource["uri"], PHOTO);
    assert_eq!(resource["am"], host.am.as_str());
    assert_eq!(resource["state"], "active");
    assert_eq!(resource["subtree"], false);
    assert_eq!(
        resource["scopes"],
        serde_json::json!(["delete", "edit", "view"])
    );

    // The owner still gets in, all others are up to her AM.
    alice.get(&photo).await.expect(200);
    let refused = bob.get(&photo).await;
    assert_eq!(refused.handler(), None);
    let first = refused.ticket(&host.am);
    let second = app.get(&photo).await.ticket(&host.am);
    assert_ne!(first, second, "tickets are never shared");
    app.get(&host.at(ALBUM)).await.expect(403);

    // No policy yet: the AM asks the owner. With one, it grants.
    let requester = requester(&host.am);
    let (token, format) = claim(&app, &host.am, "bob").await;
    let exchange = |ticket: String| {
        TicketExchange::new(Ticket::parse(&ticket).unwrap())
            .claim_token(token.clone(), format.clone())
    };
    let outcome = requester.exchange(exchange(first)).await.unwrap();
    assert!(matches!(outcome, Exchange::Submitted { .. }), "{outcome:?}");
    let policy = resource["policy_uri"].as_str().unwrap();
    let rule = [
        ("subject_kind", "user"),
        ("subject", "bob"),
        ("client", ""),
        ("scope", "view"),
        ("until", ""),
    ];
    alice
        .post(&format!("{policy}/add"), &rule)
        .await
        .expect(303);
    let Exchange::Granted(grant) = requester.exchange(exchange(second)).await.unwrap() else {
        panic!("not granted");
    };
    let rpt = grant.rpt.expose();
    let seen = app.call("GET", &photo, Some(rpt)).await.expect(200);
    assert_eq!(seen.header("cache-control"), Some("private"));
    assert_eq!(seen.json()["value"], "summer: the beach");
    app.call("HEAD", &photo, Some(rpt)).await.expect(200);
    app.call("PUT", &photo, Some(rpt)).await.ticket(&host.am);
    app.call("DELETE", &photo, Some(rpt)).await.ticket(&host.am);
    app.call("PATCH", &photo, Some(rpt)).await.ticket(&host.am);
    app.call("OPTIONS", &photo, Some(rpt)).await.expect(403);

    // Stop: the path is the host's own again, at once.
    alice.stop(&host, PHOTO).await.expect(303);
    app.call("GET", &photo, Some(rpt)).await.expect(403);
    assert!(app.call("GET", &photo, Some(rpt)).await.handler().is_some());
    alice.get(&photo).await.expect(200);
    assert!(alice.shared(&host).await.is_empty());

    let (code, log, _) = host.end().await;
    assert_eq!(code, Some(0), "{log}");
    for secret in [rpt, token.expose()] {
        assert!(!log.contains(secret), "a secret in the log");
    }
}

#[tokio::test]
async fn an_am_may_upgrade_the_same_token_in_place() {
    let am = Am::start().await;
    let host = HostOne::with_am(&am.issuer, &["--cache-ttl", "10s"]).await;
    let (alice, app) = (Person::new("alice"), Person::new("app"));
    alice.connect(&host).await.expect(303);
    alice.share(&host, PHOTO).await.expect(303);
    let id = alice.shared(&host).await[0]["resource_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let rpt = am
        .script
        .issue_rpt("bob", "app", &[(&id, &["view"])])
        .unwrap();
    let photo = host.at(PHOTO);

    am.script.reset_calls();
    for _ in 0..5 {
        app.call("GET", &photo, Some(&rpt)).await.expect(200);
    }
    assert_eq!(am.script.calls(Endpoint::Introspect), 1);
    app.call("PUT", &photo, Some(&rpt)).await.ticket(&am.issuer);
    am.script
        .upgrade_rpt_in_place(&rpt, &id, &["edit"])
        .unwrap();
    app.call("PUT", &photo, Some(&rpt)).await.expect(200);
    assert_eq!(
        app.call("GET", &photo, Some(&rpt)).await.json()["value"],
        "changed"
    );
}

#[tokio::test]
async fn a_subtree_covers_what_lies_below_and_an_exact_map_goes_before_it() {
    let am = Am::start().await;
    let host = HostOne::with_am(&am.issuer, &[]).await;
    let (alice, app) = (Person::new("alice"), Person::new("app"));
    alice.connect(&host).await.expect(303);
    let form = [
        ("uri", ALBUM),
        ("resource_name", "Summer"),
        ("subtree", "on"),
        ("scopes", "view"),
    ];
    alice
        .post(&host.at("/uma/register-resource"), &form)
        .await
        .expect(303);
    let id = |list: &[Value], uri: &str| {
        let found = list.iter().find(|resource| resource["uri"] == uri).unwrap();
        found["resource_id"].as_str().unwrap().to_owned()
    };
    let album = id(&alice.shared(&host).await, ALBUM);
    let rpt = am
        .script
        .issue_rpt("bob", "app", &[(&album, &["view"])])
        .unwrap();
    app.call("GET", &host.at(ALBUM), Some(&rpt))
        .await
        .expect(200);
    app.call("GET", &host.at(PHOTO), Some(&rpt))
        .await
        .expect(200);
    // `edit` is not registered for the album, so that no token can hold it.
    app.call("PUT", &host.at(PHOTO), Some(&rpt))
        .await
        .expect(403);
    // A photo shared by itself is decided by its own map.
    alice.share(&host, PHOTO).await.expect(303);
    app.call("GET", &host.at(PHOTO), Some(&rpt))
        .await
        .ticket(&am.issuer);
    app.call("GET", &host.at(&PHOTO.replace("/1", "/2")), Some(&rpt))
        .await
        .expect(200);
}

#[tokio::test]
async fn each_owner_has_her_own_resources_and_no_other() {
    let am = Am::start().await;
    let host = HostOne::with_am(&am.issuer, &["--unmapped", "deny"]).await;
    let (alice, bob, app) = (Person::new("alice"), Person::new("bob"), Person::new("app"));
    let bobs = PHOTO.replace("alice", "bob");
    app.get(&host.at(PHOTO)).await.expect(404);
    alice.connect(&host).await.expect(303);
    bob.connect(&host).await.expect(303);
    alice.share(&host, PHOTO).await.expect(303);
    bob.share(&host, &bobs).await.expect(303);
    let id = alice.shared(&host).await[0]["resource_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let rpt = am
        .script
        .issue_rpt("carol", "app", &[(&id, &["view"])])
        .unwrap();
    app.call("GET", &host.at(PHOTO), Some(&rpt))
        .await
        .expect(200);
    app.call("GET", &host.at(&bobs), Some(&rpt))
        .await
        .ticket(&am.issuer);
    alice.get(&host.at(&bobs)).await.ticket(&am.issuer);
    am.script
        .add_policy("alice", &id, PolicySpec::anyone(["view"]))
        .unwrap();
    alice.stop(&host, &bobs).await.expect(403);
    assert_eq!(bob.shared(&host).await.len(), 1);
}

#[tokio::test]
async fn the_tour_tells_the_whole_story() {
    for (dialect, challenge) in [
        ("uma2", "UMA realm=\"host-one\",as_uri="),
        ("draft03", "UMA realm=\"host-one\",host_id="),
    ] {
        let told = run(&["tour", "--dialect", dialect]).await;
        assert_eq!(told.code, Some(0), "{}", told.stderr);
        let went = told.stdout.contains("The story went as it should");
        assert!(went, "{}", told.stdout);
        let refused = format!("www-authenticate: {challenge}");
        assert!(told.stdout.contains(&refused), "{}", told.stdout);
    }
}
