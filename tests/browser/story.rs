//! The whole story in a browser: by keyboard alone, and without any script.

use crate::browser::Browser;
use crate::hands::Hands;
use crate::person::Person;
use crate::scene::{SUMMER, Scene};

#[tokio::test]
async fn by_keyboard_alone() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    tell(&scene, Hands::Keyboard).await;
    scene.end().await;
}

#[tokio::test]
async fn without_any_script() {
    let Some(browser) = Browser::without_scripts().await else {
        return;
    };
    // It is true: no script of a page runs.
    let page = "data:text/html,<title>none</title><script>document.title = 'one'</script><noscript>no script</noscript>";
    browser.goto(page).await;
    browser.shows("no script").await;
    assert_eq!(browser.page.title().await.unwrap(), "none");
    let scene = Scene::before(browser).await;
    tell(&scene, Hands::Mouse).await;
    scene.end().await;
}

/// Signs in, connects, consents, shares, looks, stops, undoes that, disconnects and comes back.
async fn tell(scene: &Scene, hands: Hands) {
    let (host, browser) = (&scene.host, &scene.browser);
    // What an application without a token gets, all the while.
    let app = Person::new("app");
    let others = async || app.get(&host.at(SUMMER)).await.status;
    assert_eq!(others().await, 403);

    scene.open("/").await;
    hands.take(browser, "link", "Sign in").await;
    hands.fill(browser, "Name", "alice").await;
    hands.fill(browser, "Password", "alice").await;
    hands.take(browser, "button", "Sign in").await;
    browser.shows("My data").await;

    // Connect, and consent at the AM.
    hands
        .take(browser, "link", "choose an authorization manager")
        .await;
    browser.shows("Choose your authorization manager").await;
    hands.take(browser, "radio", "AM one*").await;
    hands.take(browser, "button", "Connect").await;
    browser.shows("Development only").await;
    hands.fill(browser, "Name", "alice").await;
    hands.fill(browser, "Password", "alice").await;
    hands.take(browser, "button", "Sign in").await;
    browser.shows("The answer goes to").await;
    hands.take(browser, "button", "Allow").await;
    browser.shows("You are connected").await;

    // Share in the mini panel, a frame in the host's page.
    let panel = "Sharing of The album summer";
    hands.take_in_frame(browser, panel, "button", "Share").await;
    browser.shows("It is shared").await;
    assert_eq!(others().await, 401);
    browser.enter_frame(panel).await;
    browser.shows("Protected by AM one").await;
    browser.leave_frames().await;

    // See it.
    hands
        .take_in_frame(browser, panel, "link", "Details and recent access")
        .await;
    browser.shows("Recent access").await;
    assert_eq!(browser.heading().await, "The album summer");
    browser
        .shows_some_day("Asked, was sent to your manager")
        .await;
    hands.take(browser, "link", "My shared resources").await;
    browser.shows("1 to 1 of 1").await;

    // Stop, and think better of it.
    hands.take(browser, "link", "Stop sharing*").await;
    browser.shows("Stop sharing?").await;
    hands.take(browser, "button", "Stop sharing").await;
    browser.shows("It is no longer shared").await;
    assert_eq!(others().await, 403, "the host's own rules");
    hands.take(browser, "button", "Share again").await;
    browser.shows("It is shared").await;
    assert_eq!(others().await, 401);

    // Disconnect: all is closed until she decides.
    hands.take(browser, "link", "Connection").await;
    browser.shows("Connected since").await;
    hands.take(browser, "link", "Disconnect").await;
    browser.shows("Disconnect from AM one?").await;
    hands.take(browser, "button", "Disconnect").await;
    browser.shows("You are disconnected").await;
    let closed = app.get(&host.at(SUMMER)).await.expect(403);
    assert_eq!(closed.handler(), None, "Warden's own answer");
    hands.take(browser, "link", "Problems").await;
    browser.shows("You have disconnected").await;

    // And come back.
    hands.take(browser, "link", "Connection").await;
    hands.take(browser, "button", "Reconnect").await;
    browser.shows("The answer goes to").await;
    hands.take(browser, "button", "Allow").await;
    browser.shows("You are connected").await;
    assert_eq!(others().await, 401);
    hands.take(browser, "link", "Problems").await;
    browser.shows("All is in order").await;
}
