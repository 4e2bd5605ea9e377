//! Attacks on connecting, by the numbers of the threat list: O-01 to O-09.

use axum::body::Body;
use http::Request;

use super::site::{AM, OTHER, TestSite, settings, two};
use crate::AmPolicy;

async fn with_two_ams() -> TestSite {
    TestSite::of(|host| host.ams(AmPolicy::Only(two())), |pages| pages).await
}

async fn is_connected(site: &TestSite) -> bool {
    let owner = tower_warden::OwnerId::new("alice");
    site.host.connection(&owner).await.unwrap().is_some()
}

#[tokio::test]
async fn o_01_a_state_is_good_once() {
    let site = TestSite::new().await;
    let callback = site.begin_connect("/album").await;
    site.get(&format!("{callback}&code=c")).await.location();
    let replayed = site.get(&format!("{callback}&code=c")).await;
    assert_eq!(replayed.status, 400);
    replayed.shows("Please start again");
    let made_up = callback.split_once('=').unwrap().0;
    assert_eq!(site.get(&format!("{made_up}=x&code=c")).await.status, 400);
    assert_eq!(site.get(&format!("{made_up}=&code=c")).await.status, 400);
}

#[tokio::test]
async fn o_02_a_state_is_good_in_its_session_alone() {
    let mut site = TestSite::new().await;
    let callback = site.begin_connect("/").await;
    site.user = Some("alice s2");
    assert_eq!(site.get(&format!("{callback}&code=c")).await.status, 400);
    site.user = Some("alice s1");
    assert_eq!(
        site.get(&format!("{callback}&code=c")).await.status,
        400,
        "once out of its session it is good for nobody"
    );
    assert!(!is_connected(&site).await);
}

#[tokio::test]
async fn o_03_an_answer_at_another_ams_callback_is_none() {
    let site = with_two_ams().await;
    let (mine, _) = site.begin_at(AM, "/uma/connect", "/").await;
    let (other, _) = site.begin_at(OTHER, "/uma/connect", "/").await;
    let (path, _) = other.split_once('?').unwrap();
    let (_, query) = mine.split_once('?').unwrap();
    let mixed_up = site.get(&format!("{path}?{query}&code=c")).await;
    assert_eq!(mixed_up.status, 400);
    assert!(!is_connected(&site).await);
}

#[tokio::test]
async fn o_04_an_am_that_names_itself_must_do_so_rightly() {
    let site = TestSite::new().await;
    site.am.names_itself();
    for iss in [
        "",
        "&iss=",
        "&iss=https://other.example",
        "&iss=https://am.example/",
    ] {
        let callback = site.begin_connect("/").await;
        let answer = site.get(&format!("{callback}&code=c{iss}")).await;
        assert_eq!(answer.status, 400, "{iss}");
        assert!(!is_connected(&site).await);
    }
    let callback = site.begin_connect("/").await;
    site.get(&format!("{callback}&code=c&iss={AM}"))
        .await
        .location();
}

#[tokio::test]
async fn o_05_a_code_that_was_got_elsewhere_is_worth_nothing() {
    let site = TestSite::new().await;
    let (callback, challenge) = site.begin_at(AM, "/uma/connect", "/").await;
    let injected = site.get(&format!("{callback}&code=for.anothers")).await;
    assert_eq!(injected.status, 502);
    assert!(!is_connected(&site).await);
    let (callback, own) = site.begin_at(AM, "/uma/connect", "/").await;
    assert_ne!(own, challenge, "each has a verifier of its own");
    site.get(&format!("{callback}&code=for.{own}"))
        .await
        .location();
}

#[tokio::test]
async fn o_06_nobody_is_signed_in_or_connected_by_a_strangers_link() {
    let mut site = TestSite::new().await;
    site.user = Some("mallory s9");
    let callback = site.begin_connect("/").await;
    site.user = None;
    let led = site.get(&format!("{callback}&code=c")).await;
    assert_eq!(led.status, 401, "the callback signs nobody in");
    site.user = Some("alice s1");
    let led = site.get(&format!("{callback}&code=c")).await;
    assert_eq!(led.status, 400);
    assert!(!is_connected(&site).await);
}

#[tokio::test]
async fn o_07_who_finishes_is_who_began() {
    let mut site = TestSite::of(|host| host.ams(AmPolicy::Only(settings())), |pages| pages).await;
    site.user = Some("mallory s9");
    let callback = site.begin_connect("/uma/resources").await;
    site.user = Some("alice s1");
    let finished = site.get(&format!("{callback}&code=c")).await;
    assert_eq!(finished.status, 400);
    finished.hides("mallory");
    let mallory = tower_warden::OwnerId::new("mallory");
    assert!(site.host.connection(&mallory).await.unwrap().is_none());
    assert!(!is_connected(&site).await);
}

#[tokio::test]
async fn o_08_only_a_get_is_an_answer() {
    let site = TestSite::new().await;
    let callback = format!("{}&code=c", site.begin_connect("/album").await);
    for method in ["HEAD", "POST", "PUT", "OPTIONS"] {
        let request = Request::builder().method(method).uri(&callback);
        let answer = site.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 405, "{method}");
    }
    site.get(&callback).await.location();
}

#[tokio::test]
async fn o_09_nothing_of_an_error_is_reflected() {
    let site = TestSite::new().await;
    for (error, status) in [
        ("access_denied", 403),
        ("temporarily_unavailable", 502),
        ("%22%3E%3Cimg%20src=x%3E", 502),
        ("javascript:alert(1)", 502),
    ] {
        let callback = site.begin_connect("/").await;
        let evil =
            "error_description=%3Cscript%3Ealert(1)%3C/script%3E&error_uri=javascript:alert(2)";
        let answer = site.get(&format!("{callback}&error={error}&{evil}")).await;
        assert_eq!(answer.status, status, "{error}");
        answer
            .hides("alert(")
            .hides("<img")
            .hides("javascript:")
            .shows("href=\"/uma/connect\"");
    }
}
