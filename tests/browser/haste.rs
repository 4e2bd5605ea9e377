//! People who click twice, and people with two tabs.

use crate::scene::{NAME, Scene, share};

#[tokio::test]
async fn a_double_click_on_share_makes_one_resource() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let alice = scene.elsewhere("alice").await;
    scene.sign_in("alice").await;
    let browser = &scene.browser;
    browser.enter_frame("Sharing of My name").await;
    let share = browser.named("button", "Share").await;
    let twice = browser.page.action_chain().double_click_element(&share);
    twice.perform().await.unwrap();
    browser.leave_frames().await;
    browser.shows("It is shared").await;

    let list = alice.shared(&scene.host).await;
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0]["uri"], NAME);
    let at_am = alice.get(&format!("{}/policies", scene.host.am)).await;
    assert_eq!(at_am.body.matches("<h2>").count(), 1, "{}", at_am.body);
    scene.end().await;
}

#[tokio::test]
async fn what_another_tab_has_changed_is_not_overwritten() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let alice = scene.elsewhere("alice").await;
    share(&alice, &scene.host, NAME, "My name")
        .await
        .expect(303);
    scene.sign_in("alice").await;
    let browser = &scene.browser;
    let edit = format!("/uma/edit?uri={NAME}");
    let stop = format!("/uma/stop-sharing?uri={NAME}");
    // Two tabs that are about to stale, and one that changes it.
    scene.open(&edit).await;
    let stale_edit = browser.page.window().await.unwrap();
    let stale_stop = browser.page.new_tab().await.unwrap();
    browser
        .page
        .switch_to_window(stale_stop.clone())
        .await
        .unwrap();
    scene.open(&stop).await;
    let fresh = browser.page.new_tab().await.unwrap();
    browser.page.switch_to_window(fresh).await.unwrap();
    scene.open(&edit).await;
    browser.fill("Name", "My full name").await;
    browser.click("button", "Save").await;
    browser.shows("My full name").await;

    browser.page.switch_to_window(stale_edit).await.unwrap();
    browser.fill("Name", "My first name").await;
    browser.click("button", "Save").await;
    browser.shows("It was changed in another window").await;
    browser.shows("My full name").await;
    let name = async || alice.shared(&scene.host).await[0]["name"].clone();
    assert_eq!(name().await, "My full name");
    // What she entered is still there, and now she knows: she may insist.
    let entered = browser.named("textbox", "Name").await;
    assert_eq!(
        entered.prop("value").await.unwrap().as_deref(),
        Some("My first name")
    );

    browser.page.switch_to_window(stale_stop).await.unwrap();
    browser.click("button", "Stop sharing").await;
    browser.shows("Nothing was stopped").await;
    assert_eq!(alice.shared(&scene.host).await.len(), 1);
    browser.click("button", "Stop sharing").await;
    browser.shows("It is no longer shared").await;
    assert!(alice.shared(&scene.host).await.is_empty());
    scene.end().await;
}
