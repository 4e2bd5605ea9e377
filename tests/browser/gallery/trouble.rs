//! The pages when an AM does not go along: it is slow, forgets, or is away.

use std::time::Duration;

use http::StatusCode;
use warden_am::{Endpoint, Fault};

use super::{NAME, SUMMER, panel};
use crate::am::Am;
use crate::person::Person;
use crate::scene::{Scene, share};

/// As [`super::walk`], for what goes wrong at an AM of the test's own. The other AM of the host is embedded.
pub(crate) async fn walk(scene: &Scene, am: &mut Am, see: impl AsyncFn(&Scene, &'static str)) {
    let (host, browser) = (&scene.host, &scene.browser);
    let alice = Person::new("alice");
    alice.connect_to(host, host.second_am()).await.expect(303);
    share(&alice, host, SUMMER, "The album summer")
        .await
        .expect(303);
    share(&alice, host, NAME, "My name").await.expect(303);
    scene.sign_in("alice").await;

    // A move that the new AM holds up.
    am.script.fault(
        Endpoint::Resource,
        Fault::Status(StatusCode::SERVICE_UNAVAILABLE),
    );
    scene.open("/uma/move").await;
    browser.click("button", "Go on").await;
    browser.shows("Choose a manager").await;
    see(scene, "move-nothing-chosen").await;
    browser.click("radio", "127.0.0.1*").await;
    browser.click("button", "Go on").await;
    browser.shows("Development only").await;
    scene.sign_in_at_am("alice").await;
    browser.click("button", "Allow").await;
    browser.shows("A move is under way").await;
    see(scene, "connection-moving").await;
    scene.open("/uma/problems").await;
    see(scene, "problems-moving").await;
    am.script.clear_faults();
    scene.open("/uma/connection").await;
    browser.shows_some_day("since").await;
    let id = moved(&alice, scene, am).await;
    scene.open("/uma/connection?notice=moved").await;
    see(scene, "connection-moved").await;

    // What the AM has lost.
    am.script.forget_resource(&id).unwrap();
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
    am.script.forget_everything().unwrap();
    app.get(&host.at(NAME)).await.expect(403);
    scene.open("/uma/connection").await;
    browser.shows_some_day("Needs your consent").await;
    see(scene, "connection-needs-consent").await;
    scene.open("/uma/problems").await;
    see(scene, "problems-needs-consent").await;

    // An AM that is away.
    am.go_away().await;
    scene.open("/uma/connect").await;
    browser.click("radio", "127.0.0.1*").await;
    browser.click("button", "Connect").await;
    browser.shows("Please check this").await;
    see(scene, "connect-unreachable").await;
}

/// Waits until all has moved. The id of the album at the new AM.
async fn moved(alice: &Person, scene: &Scene, am: &Am) -> String {
    for _ in 0..2000 {
        let shared = alice.shared(&scene.host).await;
        let there = |resource: &&serde_json::Value| resource["am"] == am.issuer.as_str();
        if shared.iter().filter(there).count() == 2 {
            let album = shared.iter().find(|resource| resource["uri"] == SUMMER);
            return album.unwrap()["resource_id"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the move does not end");
}
