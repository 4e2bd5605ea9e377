//! AMs that are away, slow, broken or hostile, at every door.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use warden_am::{Endpoint, Fault};

use crate::am::Am;
use crate::host::HostOne;
use crate::person::{PHOTO, Person, WARNING};

struct Scene {
    am: Am,
    host: HostOne,
    alice: Person,
    app: Person,
    id: String,
}

impl Scene {
    async fn new() -> Self {
        let am = Am::start().await;
        let host = HostOne::with_am(&am.issuer, &["--cache-ttl", "1s"]).await;
        let (alice, app) = (Person::new("alice"), Person::new("app"));
        alice.connect(&host).await.expect(303);
        alice.share(&host, PHOTO).await.expect(303);
        let id = alice.shared(&host).await[0]["resource_id"]
            .as_str()
            .unwrap()
            .to_owned();
        Self {
            am,
            host,
            alice,
            app,
            id,
        }
    }

    fn rpt(&self) -> String {
        self.am
            .script
            .issue_rpt("bob", "app", &[(&self.id, &["view"])])
            .unwrap()
    }
}

#[tokio::test]
async fn trouble_at_the_am_never_opens_and_is_told_truthfully() {
    let scene = Scene::new().await;
    let photo = scene.host.at(PHOTO);
    let html = Fault::Malformed {
        content_type: "text/html".into(),
        body: Bytes::from_static(b"<html>captive portal</html>"),
    };
    let faults = [
        Fault::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::Status(StatusCode::FOUND),
        Fault::Status(StatusCode::NOT_FOUND),
        Fault::DropConnection,
        Fault::malformed_json("{\"active\":\"true\",\"ticket\":7"),
        Fault::json(StatusCode::OK, "{\"active\":\"true\",\"permissions\":[]}"),
        Fault::json(StatusCode::CREATED, "{\"ticket\":\"a\\r\\nset-cookie: x\"}"),
        html,
    ];
    for fault in faults {
        let name = format!("{fault:?}");
        let rpt = scene.rpt();
        scene.am.script.fault(Endpoint::Introspect, fault.clone());
        let unknown = scene.app.call("GET", &photo, Some(&rpt)).await.expect(503);
        assert_eq!(
            (unknown.handler(), unknown.header("warning")),
            (None, Some(WARNING)),
            "{name}"
        );
        assert!(unknown.header("retry-after").is_some(), "{name}");
        assert!(unknown.header("www-authenticate").is_none());
        assert!(
            !unknown.body.contains(&scene.am.issuer),
            "no internal address: {}",
            unknown.body
        );
        scene.am.script.clear_faults();

        scene.am.script.fault(Endpoint::Permission, fault);
        let no_ticket = scene.app.get(&photo).await.expect(403);
        assert_eq!(
            (no_ticket.handler(), no_ticket.header("warning")),
            (None, Some(WARNING)),
            "{name}"
        );
        assert!(no_ticket.header("www-authenticate").is_none());
        scene.am.script.clear_faults();
        // The breaker may have opened; it closes again by itself.
        let mut tries = 0;
        while scene.app.call("GET", &photo, Some(&rpt)).await.status != 200 {
            tries += 1;
            assert!(tries < 100, "{name}: it does not recover");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    scene.alice.get(&photo).await.expect(200);
}

#[tokio::test]
async fn a_slow_am_is_waited_for_no_longer_than_the_deadline() {
    let scene = Scene::new().await;
    let photo = scene.host.at(PHOTO);
    let rpt = scene.rpt();
    scene
        .am
        .script
        .fault(Endpoint::Introspect, Fault::Delay(Duration::from_secs(30)));
    let began = std::time::Instant::now();
    scene.app.call("GET", &photo, Some(&rpt)).await.expect(503);
    assert!(began.elapsed() < Duration::from_secs(10));
    scene.am.script.clear_faults();
    scene.app.call("GET", &photo, Some(&rpt)).await.expect(200);
}

#[tokio::test]
async fn an_am_that_goes_away_and_comes_back() {
    let mut scene = Scene::new().await;
    let photo = scene.host.at(PHOTO);
    let rpt = scene.rpt();
    scene.app.call("GET", &photo, Some(&rpt)).await.expect(200);
    scene.am.go_away().await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    scene.app.call("GET", &photo, Some(&rpt)).await.expect(503);
    let tokenless = scene.app.get(&photo).await.expect(403);
    assert_eq!(tokenless.header("warning"), Some(WARNING));
    scene.alice.get(&photo).await.expect(200);
    // Stopping needs no AM; the AM's copy is deleted when it is back.
    let other = "/api/people/alice/personal/name";
    let pending = scene.alice.share(&scene.host, other).await;
    assert!(matches!(pending.status, 303 | 502), "{}", pending.status);
    let guarded = scene.app.get(&scene.host.at(other)).await;
    assert_eq!(
        (guarded.status, guarded.handler()),
        (403, None),
        "protected before it is published: {}",
        guarded.body
    );
    scene.alice.stop(&scene.host, PHOTO).await.expect(303);
    assert!(scene.app.get(&photo).await.handler().is_some());

    scene.am.come_back().await;
    scene.alice.share(&scene.host, other).await.expect(303);
    let list = scene.alice.shared(&scene.host).await;
    assert_eq!(
        (list.len(), &list[0]["state"]),
        (1, &"active".into()),
        "{list:?}"
    );
    scene
        .app
        .get(&scene.host.at(other))
        .await
        .ticket(&scene.am.issuer);
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_is_made_once() {
    let scene = Scene::new().await;
    let other = "/api/people/alice/personal/email";
    scene
        .am
        .script
        .fault_once(Endpoint::Resource, Fault::DropAnswer);
    scene.alice.share(&scene.host, other).await;
    let guarded = scene.app.get(&scene.host.at(other)).await;
    assert_ne!(guarded.status, 200);
    assert_eq!(guarded.handler(), None);
    scene.alice.share(&scene.host, other).await.expect(303);
    scene
        .app
        .get(&scene.host.at(other))
        .await
        .ticket(&scene.am.issuer);
    assert_eq!(
        scene.am.script.list_resources("alice").len(),
        2,
        "no duplicate at the AM"
    );
}

#[tokio::test]
async fn a_resource_that_the_am_forgot_stays_denied_until_it_is_repaired() {
    let scene = Scene::new().await;
    let photo = scene.host.at(PHOTO);
    scene.am.script.forget_resource(&scene.id).unwrap();
    let denied = scene.app.get(&photo).await.expect(403);
    assert_eq!(
        (denied.handler(), denied.header("warning")),
        (None, Some(WARNING))
    );
    assert_eq!(
        scene.am.script.list_resources("alice").len(),
        0,
        "no visitor's request registers anything"
    );
    scene.alice.get(&photo).await.expect(200);
    let mut tries = 0;
    loop {
        let state = scene.alice.shared(&scene.host).await[0]["state"].clone();
        if state == "lost" {
            break;
        }
        tries += 1;
        assert!(tries < 100, "{state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.app.get(&photo).await.expect(403);
    scene.alice.share(&scene.host, PHOTO).await.expect(303);
    scene.app.get(&photo).await.ticket(&scene.am.issuer);
}

#[tokio::test]
async fn a_revoked_token_is_out_within_the_time_to_live() {
    let scene = Scene::new().await;
    let photo = scene.host.at(PHOTO);
    let rpt = scene.rpt();
    scene.app.call("GET", &photo, Some(&rpt)).await.expect(200);
    scene.am.script.revoke(&rpt).unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    scene
        .app
        .call("GET", &photo, Some(&rpt))
        .await
        .ticket(&scene.am.issuer);
}
