//! The pages when an AM does not go along: it forgets, is slow, or is away.

use std::time::Duration;

use http::StatusCode;
use warden_am::{Endpoint, Fault};

use super::{NAME, SUMMER, panel};
use crate::am::Am;
use crate::person::Person;
use crate::scene::{Scene, share};

/// As [`super::walk`], for what goes wrong at an AM of the test's own. The other AM of the host is embedded.
pub(crate) async fn walk(scene: &Scene, am: &mut Am, see: impl AsyncFn(&Scene, &'static str)) {
    forgetting(scene, am, &see).await;
    moving(scene, am, &see).await;
    let browser = &scene.browser;
    am.go_away().await;
    scene.sign_in("carol").await;
    scene.open("/uma/connect").await;
    browser.click("radio", "127.0.0.1*").await;
    browser.click("button", "Connect").await;
    browser.shows("Please check this").await;
    see(scene, "connect-unreachable").await;
}

async fn forgetting(scene: &Scene, am: &Am, see: &impl AsyncFn(&Scene, &'static str)) {
    let (host, browser) = (&scene.host, &scene.browser);
    let alice = scene.elsewhere("alice").await;
    share(&alice, host, SUMMER, "The album summer")
        .await
        .expect(303);
    share(&alice, host, NAME, "My name").await.expect(303);
    let shared = alice.shared(host).await;
    let album = shared.iter().find(|resource| resource["uri"] == SUMMER);
    let id = album.unwrap()["resource_id"].as_str().unwrap();
    scene.sign_in("alice").await;

    // A resource that the AM has lost.
    am.script.forget_resource(id).unwrap();
    let app = Person::new("app");
    app.get(&host.at(SUMMER)).await.expect(403);
    scene.open("/uma/problems").await;
    browser.shows_some_day("It is gone at your manager").await;
    see(scene, "problems-lost").await;
    scene.open(&format!("/uma/resource?uri={SUMMER}")).await;
    see(scene, "resource-lost").await;
    scene.open("/uma/resources?state=problem").await;
    see(scene, "list-problem").await;
    scene.open(&panel(SUMMER, "The%20album%20summer")).await;
    see(scene, "panel-lost").await;

    // An AM that no longer lets the host speak for her.
    let over = Fault::json(StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant"}"#);
    am.script.fault(Endpoint::Token, over);
    am.script.advance_clock(Duration::from_secs(3600));
    app.get(&host.at(NAME)).await.expect(403);
    scene.open("/uma/connection").await;
    browser.shows_some_day("Needs your consent").await;
    see(scene, "connection-needs-consent").await;
    scene.open("/uma/problems").await;
    see(scene, "problems-needs-consent").await;
    am.script.clear_faults();
}

/// A move that the new AM holds up.
async fn moving(scene: &Scene, am: &Am, see: &impl AsyncFn(&Scene, &'static str)) {
    let (host, browser) = (&scene.host, &scene.browser);
    let bob = Person::new("bob");
    bob.connect_to(host, host.second_am()).await.expect(303);
    let his = SUMMER.replace("alice", "bob");
    share(&bob, host, &his, "The album summer")
        .await
        .expect(303);
    let unavailable = Fault::Status(StatusCode::SERVICE_UNAVAILABLE);
    am.script.fault(Endpoint::Resource, unavailable);
    scene.sign_in("bob").await;
    scene.open("/uma/move").await;
    browser.click("radio", "127.0.0.1*").await;
    browser.click("button", "Go on").await;
    browser.shows("Development only").await;
    scene.sign_in_at_am("bob").await;
    browser.click("button", "Allow").await;
    browser.shows("A move is under way").await;
    see(scene, "connection-moving").await;
    scene.open("/uma/problems").await;
    see(scene, "problems-moving").await;
    scene.open("/uma/connection").await;
    browser.click("button", "Give up the move").await;
    browser.shows("Move to another manager").await;
    see(scene, "connection-stays").await;
}
