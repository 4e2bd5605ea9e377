//! Every page, one after the other, in the states that it has.

use crate::app::{admit, rpt};
use crate::person::{PHOTO, Person};
use crate::scene::{NAME, SUMMER, Scene, share};

/// Goes through all pages; `see` is called on each, with a name for it.
pub(crate) async fn walk(scene: &Scene, see: impl AsyncFn(&Scene, &'static str)) {
    let (host, browser) = (&scene.host, &scene.browser);
    scene.open("/").await;
    see(scene, "host-home-signed-out").await;
    scene.open("/login").await;
    see(scene, "host-sign-in").await;
    browser.fill("Name", "alice").await;
    browser.fill("Password", "bob").await;
    browser.click("button", "Sign in").await;
    browser.shows("No one is known").await;
    see(scene, "host-sign-in-wrong").await;
    scene.open("/uma/resources").await;
    scene.sign_in("alice").await;
    see(scene, "host-home").await;

    // Connecting.
    scene.open("/uma/resources").await;
    see(scene, "list-empty").await;
    scene.open("/uma/connect?return_to=%2F").await;
    see(scene, "connect").await;
    browser.click("button", "Connect").await;
    browser.shows("Please check this").await;
    see(scene, "connect-nothing-chosen").await;
    browser.click("radio", "AM one*").await;
    browser.click("button", "Connect").await;
    browser.shows("Authorization manager http://").await;
    see(scene, "am-sign-in").await;
    scene.sign_in_at_am("alice").await;
    browser.shows("The answer goes to").await;
    see(scene, "am-consent").await;
    browser.click("button", "Allow").await;
    browser.shows("You are connected").await;

    // Sharing.
    let alice = Person::new("alice");
    alice.sign_in(host).await;
    alice.sign_in_at(&host.am).await;
    scene
        .open(&format!(
            "/uma/share?uri={SUMMER}&name=The%20album%20summer"
        ))
        .await;
    see(scene, "share").await;
    browser.fill("Name", "").await;
    browser.click("button", "Share").await;
    browser.shows("Please check this").await;
    see(scene, "share-wrong").await;
    scene.open(&panel(NAME, "My%20name")).await;
    see(scene, "panel-not-protected").await;
    let form = [
        ("uri", SUMMER),
        ("resource_name", "The album summer"),
        ("description", "Two weeks at the sea"),
        ("subtree", "on"),
        ("return_to", "/"),
    ];
    alice
        .post(&host.at("/uma/register-resource"), &form)
        .await
        .expect(303);
    share(&alice, host, NAME, "My name").await.expect(303);
    share(&alice, host, "/api/people/alice/personal/email", "My email")
        .await
        .expect(303);
    scene.open(&panel(NAME, "My%20name")).await;
    see(scene, "panel-protected").await;
    scene.open(&panel(PHOTO, "The%20beach")).await;
    see(scene, "panel-covered").await;
    scene.open("/?notice=shared").await;
    see(scene, "host-home-shared").await;

    // What is shared.
    let app = Person::new("app");
    for resource in alice.shared(host).await {
        if resource["uri"] != "/api/people/alice/personal/email" {
            admit("carol", &alice, &resource).await;
        }
    }
    let refused = app.get(&host.at(PHOTO)).await;
    let token = rpt("carol", &app, &host.am, &refused).await;
    app.call("GET", &host.at(PHOTO), Some(&token))
        .await
        .expect(200);
    app.call("DELETE", &host.at(PHOTO), Some(&token))
        .await
        .expect(401);
    scene.open("/uma/resources").await;
    see(scene, "list").await;
    scene.open("/uma/resources?q=winter").await;
    see(scene, "list-nothing-fits").await;
    scene
        .open(&format!("/uma/stop-sharing?uri={SUMMER}&return_to=%2F"))
        .await;
    see(scene, "stop").await;
    scene.open("/uma/connect").await;
    see(scene, "connection").await;

    // At the AM.
    browser.goto(&format!("{}/policies", host.am)).await;
    see(scene, "am-things").await;
    browser.click("link", "The album summer*").await;
    browser.shows("Add a rule").await;
    see(scene, "am-rules").await;

    // What goes wrong.
    scene
        .open("/uma/share?uri=/api/people/bob/personal/name&name=x")
        .await;
    see(scene, "not-yours").await;
    scene.open("/uma/callback/nothing?state=x&code=y").await;
    see(scene, "start-again").await;
}

fn panel(uri: &str, name: &str) -> String {
    format!("/internal/uma_mini_panel?uri={uri}&name={name}&return_to=%2F")
}
