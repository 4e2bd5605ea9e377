//! The mini panel in frames: on the host's own page, and on a page that nobody has allowed.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::scene::{NAME, Scene, share};

fn panel(host: &str) -> String {
    format!("{host}/internal/uma_mini_panel?uri={NAME}&name=My%20name")
}

/// A site that frames a page of another.
async fn foreign_site(framed: String) -> String {
    let page = format!(
        r#"<!doctype html><html lang="en"><title>Elsewhere</title><h1>Elsewhere</h1><iframe title="Framed" src="{framed}"></iframe>"#
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = Router::new().route("/", get(|| async { Html(page) }));
    tokio::spawn(axum::serve(listener, site).into_future());
    format!("http://{address}/")
}

#[tokio::test]
async fn the_hosts_own_page_may_frame_the_panel() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    let alice = scene.elsewhere("alice").await;
    scene.sign_in("alice").await;
    let browser = &scene.browser;
    browser.enter_frame("Sharing of My name").await;
    browser.shows("Not protected").await;
    browser.leave_frames().await;
    share(&alice, &scene.host, NAME, "My name")
        .await
        .expect(303);
    scene.open("/").await;
    browser.enter_frame("Sharing of My name").await;
    browser.shows("Protected by AM one").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    scene.end().await;
}

#[tokio::test]
async fn a_foreign_page_may_frame_nothing() {
    let Some(scene) = Scene::new().await else {
        return;
    };
    scene.sign_in("alice").await;
    let host = &scene.host;
    for framed in [
        panel(&host.url),
        host.at("/uma/resources"),
        host.at("/"),
        format!("{}/policies", host.am),
    ] {
        let site = foreign_site(framed.clone()).await;
        // The browser does send the cookie there: ports of one address are one site.
        scene.browser.goto(&site).await;
        assert_eq!(scene.browser.heading().await, "Elsewhere");
        let refused = scene.browser.complaints().await.join("\n");
        assert!(refused.contains("frame-ancestors"), "{framed}: {refused}");
        scene.browser.enter_frame("Framed").await;
        let seen = scene.browser.text().await;
        assert!(
            !seen.contains("My name") && !seen.contains("alice"),
            "{framed}: {seen}"
        );
    }
    scene.end().await;
}
