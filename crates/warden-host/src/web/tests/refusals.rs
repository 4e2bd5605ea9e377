//! What is refused, with which status, and what the page says.

use axum::body::Body;
use http::Request;

use super::site::{AM, TestSite, settings};
use crate::AmPolicy;

const ADDRESS: &str = "/api/people/alice/personal/address";

#[tokio::test]
async fn nobody_signed_in() {
    let mut site = TestSite::new().await;
    site.user = None;
    for page in [
        "/uma/connect",
        "/uma/resources?q=a",
        "/uma/share?uri=/a",
        "/uma/stop-sharing?uri=/a",
    ] {
        let answer = site.get(page).await;
        let back: String = url::form_urlencoded::byte_serialize(page.as_bytes()).collect();
        assert_eq!(
            answer.location(),
            format!("/login?from=pages&return_to={back}")
        );
    }
    for (path, form, back) in [
        (
            "/uma/connect",
            vec![("am", AM)],
            "return_to=%2Fuma%2Fconnect",
        ),
        (
            "/uma/register-resource",
            vec![("uri", "/api/a"), ("resource_name", "A")],
            "return_to=%2Fuma%2Fshare%3Furi%3D%252Fapi%252Fa%26name%3DA",
        ),
        (
            "/uma/stop-sharing",
            vec![("uri", "/api/a")],
            "return_to=%2Fuma%2Fstop-sharing%3Furi%3D%252Fapi%252Fa",
        ),
    ] {
        let answer = site.post(path, &form).await;
        assert_eq!(answer.status, 401, "{path}");
        answer.shows("/login?from=pages").shows(back);
    }
    let (answer, json) = site.get_json("/uma/resources").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(json["status"], 401);
    site.referer = Some("https://here.example/album");
    let panel = site.get("/internal/uma_mini_panel?uri=/api/a").await;
    assert_eq!(panel.status, 401);
    panel.shows("target=\"_top\"").shows("return_to=%2Falbum");
}

#[tokio::test]
async fn what_is_not_hers_or_not_guarded() {
    let site = TestSite::new().await;
    site.connect().await;
    for (uri, status) in [
        ("/api/people/bob/personal/address", 403),
        ("/api/nobody", 403),
        ("/people/alice/unguarded", 422),
        ("/api/people/alice/../bob", 422),
        ("https://here.example/api/people/alice", 422),
    ] {
        let answer = site.share(uri, "X").await;
        assert_eq!(answer.status, status, "share {uri}: {}", answer.body);
        if status == 422 {
            answer
                .shows("aria-invalid=\"true\" aria-describedby=\"uri-error\"")
                .shows("id=\"uri-error\"")
                .shows("<a href=\"#uri\">")
                .shows("value=\"X\"");
        }
        let encoded: String = url::form_urlencoded::byte_serialize(uri.as_bytes()).collect();
        for page in [
            "/uma/share",
            "/internal/uma_mini_panel",
            "/uma/stop-sharing",
        ] {
            let answer = site.get(&format!("{page}?uri={encoded}")).await;
            assert_eq!(answer.status, status, "{page} {uri}");
        }
        let answer = site.post("/uma/stop-sharing", &[("uri", uri)]).await;
        assert_eq!(answer.status, status, "stop {uri}");
    }
    assert!(site.am.resources().is_empty());
}

#[tokio::test]
async fn another_owners_share_can_be_neither_seen_nor_stopped() {
    let mut site = TestSite::new().await;
    site.connect().await;
    site.share(ADDRESS, "Address").await.location();
    site.user = Some("bob s2");
    let answer = site.post("/uma/stop-sharing", &[("uri", ADDRESS)]).await;
    assert_eq!(answer.status, 403);
    let (_, json) = site.get_json("/uma/resources").await;
    assert_eq!(json, serde_json::json!([]));
    site.get(&format!("/internal/uma_mini_panel?uri={ADDRESS}"))
        .await
        .hides("Example AM");
    site.user = Some("alice s1");
    let (_, json) = site.get_json("/uma/resources").await;
    assert_eq!(json[0]["state"], "active");
}

#[tokio::test]
async fn missing_and_bad_fields_are_named_and_the_rest_is_kept() {
    let site = TestSite::new().await;
    site.connect().await;
    let answer = site
        .post("/uma/register-resource", &[("uri", ADDRESS)])
        .await;
    assert_eq!(answer.status, 400);
    answer
        .shows("id=\"resource_name-error\"")
        .shows(&format!("value=\"{ADDRESS}\""));
    let answer = site.post("/uma/stop-sharing", &[("ur", ADDRESS)]).await;
    assert_eq!(answer.status, 400);
    answer.shows("&#34;uri&#34;");
    let answer = site
        .post("/uma/register-resource", &[("uri", "/a"), ("uri", "/b")])
        .await;
    assert_eq!(answer.status, 400);

    let none = [("uri", ADDRESS), ("resource_name", "A"), ("chosen", "on")];
    let answer = site.post("/uma/register-resource", &none).await;
    assert_eq!(answer.status, 422);
    answer
        .shows("id=\"scopes-error\"")
        .shows("Tick at least one action.");
    let bad = [
        ("uri", ADDRESS),
        ("resource_name", "A"),
        ("scopes", "two words"),
        ("icon_uri", "x"),
    ];
    let answer = site.post("/uma/register-resource", &bad).await;
    assert_eq!(answer.status, 422);
    let accept = [("accept", "application/json")];
    let answer = site
        .post_with("/uma/register-resource", &[("uri", ADDRESS)], &accept)
        .await;
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        (answer.status, &json["field"]),
        (400, &"resource_name".into())
    );
    assert!(site.am.resources().is_empty());
}

#[tokio::test]
async fn scripts_that_want_json_are_told_that_there_is_no_connection() {
    let site = TestSite::new().await;
    let form = [("uri", ADDRESS), ("resource_name", "A")];
    let accept = [("accept", "application/json")];
    let answer = site
        .post_with("/uma/register-resource", &form, &accept)
        .await;
    assert_eq!(answer.status, 409);
}

#[tokio::test]
async fn ams_that_cannot_be_had() {
    let site = TestSite::new().await;
    let answer = site.post("/uma/connect", &[]).await;
    assert_eq!(answer.status, 400);
    answer
        .shows("Choose a manager.")
        .shows("aria-describedby=\"am-error\"");
    let answer = site
        .post(
            "/uma/connect",
            &[("am", ""), ("am_url", "http://10.0.0.1/<b>")],
        )
        .await;
    assert_eq!(answer.status, 422);
    answer
        .shows("aria-invalid=\"true\"")
        .shows("value=\"http://10.0.0.1/&#60;b&#62;\"")
        .shows("id=\"am_url-error\"");
    site.am.set_down(true);
    let down = site.post("/uma/connect", &[("am", AM)]).await;
    assert_eq!(down.status, 502);
    let text = "could not reach an authorization manager there";
    down.shows(text).shows(&format!("value=\"{AM}\" checked"));
    site.am.set_down(false);
    let unfit = [("am", ""), ("am_url", "https://am.example.org")];
    let other = site.post("/uma/connect", &unfit).await;
    assert_eq!(other.status, 422, "how it failed is nobody's business");
    other.shows("could not connect to that authorization manager");
}

#[tokio::test]
async fn without_another_am_only_connecting_again_is_offered() {
    let site = TestSite::of(|host| host.ams(AmPolicy::Only(settings())), |pages| pages).await;
    let page = site.get("/uma/connect").await;
    page.shows(&format!("value=\"{AM}\" checked"))
        .hides("am_url");
    site.connect().await;
    site.get("/uma/connect")
        .await
        .shows("Reconnect")
        .hides("type=\"radio\"");
    site.am.set_down(true);
    let unknown = [("am", "https://am.example.org")];
    let page = site.post("/uma/connect", &unknown).await;
    assert_eq!(page.status, 422);
    page.shows("role=\"alert\"").hides("href=\"#am\"");
}

#[tokio::test]
async fn the_callback_takes_only_the_answer_that_is_due() {
    let mut site = TestSite::new().await;
    let callback = site.begin_connect("/album").await;
    let head = site
        .send(
            Request::head(format!("{callback}&code=c"))
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!((head.status, head.header("allow")), (405, "GET"));
    let post = site
        .send(
            Request::post(format!("{callback}&code=c"))
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(post.status, 405);
    let done = site.get(&format!("{callback}&code=c")).await;
    assert_eq!(done.location(), "/album?notice=connected");
    let replayed = site.get(&format!("{callback}&code=c")).await;
    assert_eq!(replayed.status, 400);
    replayed.shows("href=\"/uma/connect\"");

    for thief in [Some("bob s1"), Some("alice s9"), None] {
        site.user = Some("alice s1");
        let callback = site.begin_connect("/album").await;
        site.user = thief;
        let answer = site.get(&format!("{callback}&code=c")).await;
        assert_eq!(answer.status, if thief.is_none() { 401 } else { 400 });
    }
    site.user = Some("alice s1");
    let callback = site.begin_connect("/album").await;
    let elsewhere = callback.replacen("/uma/callback/", "/uma/callback/x", 1);
    assert_eq!(site.get(&format!("{elsewhere}&code=c")).await.status, 400);
    let twice = site.get(&format!("{callback}&code=c&code=d")).await;
    assert_eq!(twice.status, 400);
}

#[tokio::test]
async fn nothing_of_what_an_am_reports_is_shown() {
    let site = TestSite::new().await;
    for (error, status) in [
        ("access_denied", 403),
        ("server_error", 502),
        ("%3Cscript%3Ex", 502),
    ] {
        let callback = site.begin_connect("/").await;
        let answer = site
            .get(&format!(
                "{callback}&error={error}&error_description=%3Cscript%3Ealert(1)"
            ))
            .await;
        assert_eq!(answer.status, status, "{error}");
        answer
            .hides("<script")
            .hides("alert(1)")
            .hides(error)
            .shows("Start again");
    }
}
