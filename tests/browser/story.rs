//! The whole story: by keyboard alone, and without any script.

use crate::browser::Browser;
use crate::focus::Key;
use crate::scene::Scene;

#[tokio::test]
async fn by_keyboard_alone() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let browser = &scene.browser;
    // Sign in.
    scene.open("/").await;
    browser.walk_with_tab().await;
    browser.tab_to("link", "Sign in").await;
    browser.press(Key::Enter).await;
    browser.type_into("Name", "alice").await;
    browser.type_into("Password", "alice").await;
    browser.press(Key::Enter).await;
    browser.shows("My data").await;

    // Choose an AM, and consent there.
    browser
        .tab_to("link", "choose an authorization manager")
        .await;
    browser.press(Key::Enter).await;
    browser.shows("Choose your authorization manager").await;
    browser.walk_with_tab().await;
    browser.tab_to("radio", "AM one*").await;
    browser.press(" ").await;
    browser.tab_to("button", "Connect").await;
    browser.press(Key::Enter).await;
    browser.type_into("Name", "alice").await;
    browser.type_into("Password", "alice").await;
    browser.press(Key::Enter).await;
    browser.shows("The answer goes to").await;
    browser.tab_to("button", "Allow").await;
    browser.press(Key::Enter).await;
    browser.shows("You are connected").await;

    // Share in the panel, and see it.
    let panel = "Sharing of The album summer";
    browser.tab_to_in_frame(panel, "button", "Share").await;
    browser.press(Key::Enter).await;
    browser.shows("It is shared").await;
    browser.tab_to("link", "All that I share").await;
    browser.press(Key::Enter).await;
    browser.shows("The album summer").await;
    browser.walk_with_tab().await;
    scene.end().await;
}

#[tokio::test]
async fn without_any_script() {
    let Some(browser) = Browser::without_scripts().await else {
        return;
    };
    let scene = Scene::before(browser).await;
    let browser = &scene.browser;
    // It is true: no script runs.
    browser.goto("data:text/html,<title>none</title><script>document.title = 'one'</script><noscript>no script</noscript>").await;
    assert_eq!(browser.page.title().await.unwrap(), "none");
    browser.shows("no script").await;

    scene.sign_in("alice").await;
    scene.end().await;
}
