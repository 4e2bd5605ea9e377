//! Every page, one after the other, in the states that it has.

mod trouble;

use crate::app::{admit, rpt};
use crate::person::{PHOTO, Person};
use crate::scene::{NAME, SUMMER, Scene, share};

pub(crate) use trouble::walk as walk_through_trouble;

const EMAIL: &str = "/api/people/alice/personal/email";

/// Goes through all pages of a good life; `see` is called on each, with a name for it.
pub(crate) async fn walk(scene: &Scene, see: impl AsyncFn(&Scene, &'static str)) {
    signing_in(scene, &see).await;
    connecting(scene, &see).await;
    let alice = Person::new("alice");
    alice.sign_in(&scene.host).await;
    alice.sign_in_at(&scene.host.am).await;
    sharing(scene, &alice, &see).await;
    looking(scene, &alice, &see).await;
    changing(scene, &alice, &see).await;
    leaving(scene, &see).await;
    refusals(scene, &see).await;
}

async fn signing_in(scene: &Scene, see: &impl AsyncFn(&Scene, &'static str)) {
    let browser = &scene.browser;
    scene.open("/").await;
    see(scene, "host-signed-out").await;
    scene.open("/login").await;
    see(scene, "host-sign-in").await;
    browser.fill("Name", "alice").await;
    browser.fill("Password", "bob").await;
    browser.click("button", "Sign in").await;
    browser.shows("No one is known").await;
    see(scene, "host-sign-in-wrong").await;
    scene.open(&panel(NAME, "My%20name")).await;
    see(scene, "panel-signed-out").await;
    scene.sign_in("alice").await;
    see(scene, "host-home-unconnected").await;
}

async fn connecting(scene: &Scene, see: &impl AsyncFn(&Scene, &'static str)) {
    let browser = &scene.browser;
    scene.open("/uma/resources").await;
    see(scene, "list-unconnected").await;
    scene.open("/uma/connection").await;
    see(scene, "connection-none").await;
    scene.open("/uma/connect?return_to=%2F").await;
    see(scene, "connect").await;
    browser.click("button", "Connect").await;
    browser.shows("Please check this").await;
    see(scene, "connect-nothing-chosen").await;
    browser.click("radio", "AM one*").await;
    browser.click("button", "Connect").await;
    browser.shows("Development only").await;
    see(scene, "am-sign-in").await;
    scene.sign_in_at_am("alice").await;
    browser.shows("The answer goes to").await;
    see(scene, "am-consent").await;
    browser.click("button", "Allow").await;
    browser.shows("You are connected").await;
    scene.open("/uma/resources").await;
    see(scene, "list-empty").await;
    scene.open("/uma/problems").await;
    see(scene, "problems-none").await;
}

async fn sharing(scene: &Scene, alice: &Person, see: &impl AsyncFn(&Scene, &'static str)) {
    let (host, browser) = (&scene.host, &scene.browser);
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
    scene.open(&format!("/uma/resource?uri={NAME}")).await;
    see(scene, "resource-not-shared").await;
    let form = [
        ("uri", SUMMER),
        ("resource_name", "The album summer"),
        ("description", "Two weeks at the sea"),
        ("subtree", "on"),
        ("return_to", "/"),
    ];
    let register = host.at("/uma/register-resource");
    alice.post(&register, &form).await.expect(303);
    share(alice, host, NAME, "My name").await.expect(303);
    share(alice, host, EMAIL, "My email").await.expect(303);
    scene.open(&panel(NAME, "My%20name")).await;
    see(scene, "panel-protected").await;
    scene.open(&panel(PHOTO, "The%20beach")).await;
    see(scene, "panel-covered").await;
    scene.open("/?notice=shared").await;
    see(scene, "host-home").await;
}

async fn looking(scene: &Scene, alice: &Person, see: &impl AsyncFn(&Scene, &'static str)) {
    let (host, browser) = (&scene.host, &scene.browser);
    scene.open("/uma/access").await;
    see(scene, "access-none").await;
    let app = Person::new("app");
    let shared = alice.shared(host).await;
    let album = shared.iter().find(|resource| resource["uri"] == SUMMER);
    admit("carol", alice, album.unwrap()).await;
    let photo = host.at(PHOTO);
    // Each in a second of its own, so that they come in this order.
    let seen = async |what| {
        scene.open("/uma/access").await;
        browser.shows_some_day(what).await;
    };
    // Somebody who will not let be.
    for _ in 0..5 {
        app.get(&host.at(EMAIL)).await.expect(401);
    }
    seen("5 times").await;
    let asked = app.get(&photo).await;
    seen("The album summer").await;
    let token = rpt("carol", &app, &host.am, &asked).await;
    app.call("GET", &photo, Some(&token)).await.expect(200);
    seen("Let in\n").await;
    app.call("DELETE", &photo, Some(&token)).await.expect(401);
    seen("DELETE").await;
    see(scene, "access").await;
    scene.open("/uma/resources").await;
    see(scene, "list").await;
    scene.open("/uma/resources?q=winter").await;
    see(scene, "list-nothing-fits").await;
    scene.open(&format!("/uma/resource?uri={SUMMER}")).await;
    see(scene, "resource").await;
    browser.goto(&format!("{}/policies", host.am)).await;
    browser.click("button", "Sign out").await;
    scene.sign_in_at_am("alice").await;
    browser.shows("Your protected things").await;
    see(scene, "am-things").await;
    browser.click("link", "The album summer*").await;
    browser.shows("Add a rule").await;
    see(scene, "am-rules").await;
}

async fn changing(scene: &Scene, alice: &Person, see: &impl AsyncFn(&Scene, &'static str)) {
    let browser = &scene.browser;
    scene.open(&format!("/uma/edit?uri={NAME}")).await;
    see(scene, "edit").await;
    share(alice, &scene.host, NAME, "My full name")
        .await
        .expect(303);
    browser.fill("Name", "My first name").await;
    browser.click("button", "Save").await;
    browser.shows("It was changed in another window").await;
    see(scene, "edit-changed-meanwhile").await;

    scene.open("/uma/stop-sharing?all=on").await;
    see(scene, "stop-everything").await;
    scene.open("/uma/resources").await;
    browser.click("checkbox", "Select*").await;
    browser
        .click("button", "Stop sharing what is selected")
        .await;
    browser.shows("Stop sharing?").await;
    see(scene, "stop").await;
    share(alice, &scene.host, SUMMER, "The album of the summer")
        .await
        .expect(303);
    browser.click("button", "Stop sharing").await;
    browser.shows("Nothing was stopped").await;
    see(scene, "stop-changed-meanwhile").await;
    browser.click("button", "Stop sharing").await;
    browser.shows("no longer shared").await;
    see(scene, "list-undo").await;
    browser.click("button", "Share again").await;
    browser.shows("It is shared").await;
}

async fn leaving(scene: &Scene, see: &impl AsyncFn(&Scene, &'static str)) {
    let browser = &scene.browser;
    scene.open("/uma/connection").await;
    see(scene, "connection").await;
    browser.click("link", "Move to another manager").await;
    browser.shows("Where to").await;
    see(scene, "move").await;
    scene.open("/uma/disconnect").await;
    see(scene, "disconnect").await;
    browser.click("button", "Disconnect").await;
    browser.shows("You are disconnected").await;
    see(scene, "connection-disconnected").await;
    scene.open("/uma/problems").await;
    see(scene, "problems-disconnected").await;
    scene.open("/uma/resources").await;
    see(scene, "list-disconnected").await;
    scene.open(&panel(NAME, "My%20name")).await;
    see(scene, "panel-problem").await;
}

async fn refusals(scene: &Scene, see: &impl AsyncFn(&Scene, &'static str)) {
    scene
        .open("/uma/share?uri=/api/people/bob/personal/name&name=x")
        .await;
    see(scene, "not-yours").await;
    scene.open("/uma/share?uri=/elsewhere&name=x").await;
    see(scene, "not-to-be-shared").await;
    scene.open("/uma/callback/nothing?state=x&code=y").await;
    see(scene, "start-again").await;
}

/// The mini panel, as a page of its own.
fn panel(uri: &str, name: &str) -> String {
    format!("/internal/uma_mini_panel?uri={uri}&name={name}&return_to=%2F")
}
