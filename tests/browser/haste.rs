//! People who click twice, and people with two tabs.

use crate::scene::{NAME, Scene};

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
