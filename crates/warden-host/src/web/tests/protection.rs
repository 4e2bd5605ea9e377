//! What protects the pages: header fields, cross-site requests, sizes, links, and who is led where.

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;

use super::site::TestSite;
use crate::web::{self, notice_text};

const ADDRESS: &str = "/api/people/alice/personal/address";

#[tokio::test]
async fn all_pages_carry_the_protecting_fields() {
    let site = TestSite::new().await;
    for path in [
        "/uma/connect",
        "/uma/resources",
        "/uma/resource?uri=/x",
        "/uma/edit?uri=/x",
        "/uma/access",
        "/uma/connection",
        "/uma/disconnect",
        "/uma/move",
        "/uma/problems",
        "/uma/share?uri=/x",
        "/uma/callback/k?state=s",
    ] {
        let answer = site.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self';"),
            "{policy}"
        );
        assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.hides("<script").hides(" style=").hides(" onclick=");
    }
}

#[tokio::test]
async fn the_panel_may_be_framed_by_whom_the_host_names() {
    let panel = format!("/internal/uma_mini_panel?uri={ADDRESS}");
    let site = TestSite::new().await;
    let answer = site.get(&panel).await;
    assert!(
        answer
            .header("content-security-policy")
            .ends_with("frame-ancestors 'self'")
    );
    let refused = site.get("/internal/uma_mini_panel").await;
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .header("content-security-policy")
            .ends_with("frame-ancestors 'self'")
    );

    let site = TestSite::built(|pages| pages.frame_ancestors(["https://portal.example"])).await;
    let answer = site.get(&panel).await;
    assert!(
        answer
            .header("content-security-policy")
            .ends_with("frame-ancestors https://portal.example")
    );
    assert_eq!(answer.header("x-frame-options"), "");
    let answer = site.get("/uma/resources").await;
    assert!(
        answer
            .header("content-security-policy")
            .ends_with("frame-ancestors 'none'")
    );
}

#[tokio::test]
async fn forms_of_other_sites_change_nothing() {
    let site = TestSite::new().await;
    site.connect().await;
    let form = [("uri", ADDRESS), ("resource_name", "A")];
    for foreign in [
        [
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ],
        [
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.here.example"),
        ],
        [("origin", "https://evil.example"), ("x", "")],
        [("origin", "null"), ("x", "")],
    ] {
        for path in [
            "/uma/register-resource",
            "/uma/stop-sharing",
            "/uma/connect",
        ] {
            let answer = site.post_with(path, &form, &foreign).await;
            assert_eq!(answer.status, 403, "{path} {foreign:?}");
            answer.shows("That came from another site");
            assert_eq!(answer.header("x-frame-options"), "DENY");
        }
    }
    assert!(site.am.resources().is_empty());
    let own = [
        ("sec-fetch-site", "same-origin"),
        ("origin", "https://here.example"),
    ];
    site.post_with("/uma/register-resource", &form, &own)
        .await
        .location();
    let old_browser = [("origin", "https://here.example")];
    site.post_with("/uma/stop-sharing", &form, &old_browser)
        .await
        .location();
}

#[tokio::test]
async fn a_trusted_origin_may_post() {
    let site = TestSite::built(|pages| pages.trusted_origin("https://portal.example")).await;
    site.connect().await;
    let form = [("uri", ADDRESS), ("resource_name", "A")];
    let portal = [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://portal.example"),
    ];
    site.post_with("/uma/register-resource", &form, &portal)
        .await
        .location();
}

#[tokio::test]
async fn bodies_are_small_forms() {
    let site = TestSite::new().await;
    let long = "x".repeat(65 * 1024);
    let answer = site.post("/uma/register-resource", &[("uri", &long)]).await;
    assert_eq!(answer.status, 413);
    let request = Request::post("/uma/stop-sharing").header(CONTENT_TYPE, "application/json");
    let answer = site.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn nobody_is_led_to_another_site() {
    let mut site = TestSite::new().await;
    site.connect().await;
    for evil in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ] {
        let form = [
            ("uri", ADDRESS),
            ("resource_name", "A"),
            ("return_to", evil),
        ];
        let answer = site.post("/uma/register-resource", &form).await;
        assert_eq!(answer.location(), "/uma/resources?notice=shared", "{evil}");
        let answer = site
            .get(&format!("/uma/stop-sharing?uri={ADDRESS}&return_to={evil}"))
            .await;
        answer.hides("evil.example").hides("javascript:");
    }
    site.referer = Some("https://evil.example/album");
    let answer = site.share(ADDRESS, "A").await;
    assert_eq!(answer.location(), "/uma/resources?notice=shared");
    site.referer = Some("https://here.example/album?a=1#x");
    let answer = site.share(ADDRESS, "A").await;
    assert_eq!(answer.location(), "/album?a=1&notice=shared");
}

#[tokio::test]
async fn what_owners_write_is_escaped() {
    let site = TestSite::new().await;
    site.connect().await;
    let name = "\"><script>alert(1)</script>";
    site.share(ADDRESS, name).await.location();
    let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    for path in [
        "/uma/resources".to_owned(),
        format!("/uma/resources?q={encoded}"),
        format!("/uma/stop-sharing?uri={ADDRESS}"),
        format!("/internal/uma_mini_panel?uri={ADDRESS}&name={encoded}"),
        format!("/uma/resource?uri={ADDRESS}&name={encoded}&notice={encoded}"),
        format!("/uma/edit?uri={ADDRESS}"),
        format!("/uma/share?uri=/api/people/alice/b&name={encoded}&notice={encoded}"),
        format!("/uma/access?uri={ADDRESS}&show={encoded}"),
        "/uma/problems".to_owned(),
        "/uma/connection".to_owned(),
        format!("/uma/connect?am={encoded}&am_url={encoded}"),
    ] {
        let answer = site.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        answer.hides("<script");
    }
}

#[tokio::test]
async fn an_unknown_notice_says_nothing() {
    let site = TestSite::new().await;
    site.get("/uma/resources?notice=you+have+won")
        .await
        .hides("have won")
        .hides("role=\"status\"");
    assert_eq!(notice_text("you have won"), None);
    for code in ["shared", "pending", "stopped", "not-shared", "connected"] {
        assert!(notice_text(code).is_some(), "{code}");
    }
}

#[tokio::test]
async fn each_page_has_its_landmarks_and_one_heading() {
    let site = TestSite::new().await;
    site.connect().await;
    site.share(ADDRESS, "Address").await.location();
    for path in [
        "/uma/connect".to_owned(),
        "/uma/resources".to_owned(),
        format!("/uma/resource?uri={ADDRESS}"),
        format!("/uma/edit?uri={ADDRESS}"),
        format!("/uma/access?uri={ADDRESS}"),
        "/uma/resource?uri=/api/people/alice/b".to_owned(),
        "/uma/access".to_owned(),
        "/uma/connection".to_owned(),
        "/uma/disconnect".to_owned(),
        "/uma/move".to_owned(),
        "/uma/problems".to_owned(),
        "/uma/share?uri=/api/people/alice/b".to_owned(),
        format!("/uma/stop-sharing?uri={ADDRESS}"),
        "/uma/share?uri=/api/people/bob".to_owned(),
    ] {
        let page = site.get(&path).await;
        for (piece, count) in [
            ("<h1>", 1),
            ("</h1>", 1),
            ("<main id=\"main\"", 1),
            ("<nav ", 1),
            ("lang=\"en\"", 1),
            ("href=\"#main\"", 1),
        ] {
            assert_eq!(page.body.matches(piece).count(), count, "{piece} in {path}");
        }
        // What labels and descriptions refer to is there, once.
        for attribute in [
            "for=\"",
            "aria-labelledby=\"",
            "aria-describedby=\"",
            "href=\"#",
        ] {
            for rest in page.body.split(attribute).skip(1) {
                for id in rest.split('"').next().unwrap().split(' ') {
                    let found = page.body.matches(&format!("id=\"{id}\"")).count();
                    assert_eq!(found, 1, "{attribute}{id} in {path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_stylesheet_is_cached_by_its_tag() {
    let site = TestSite::built(|pages| pages.stylesheet("/look.css")).await;
    let css = site.get("/uma/assets/warden.css").await;
    assert_eq!(css.header("content-type"), "text/css; charset=utf-8");
    let request =
        Request::get("/uma/assets/warden.css").header("if-none-match", css.header("etag"));
    assert_eq!(
        site.send(request.body(Body::empty()).unwrap()).await.status,
        304
    );
    site.get("/uma/resources")
        .await
        .shows("<link rel=\"stylesheet\" href=\"/look.css\">");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_named() {
    let site = TestSite::new().await;
    let pages = || web::router(site.host.clone(), super::site::ByHeader);
    for (pages, setting) in [
        (pages().home("https://elsewhere.example"), "home"),
        (pages().stylesheet("//cdn.example/x.css"), "stylesheet"),
        (pages().frame_ancestors(["*"]), "frame_ancestors"),
        (pages().trusted_origin("portal.example"), "trusted_origin"),
    ] {
        assert_eq!(pages.build().unwrap_err().setting(), setting);
    }
}

/// An AM of 2012 fetches what stands behind the URL of a scope, without a token or a cookie.
#[tokio::test]
async fn scopes_are_described_to_everybody() {
    let mut site = TestSite::new().await;
    site.user = None;
    let answer = site.get("/uma/scopes/view").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/uma-scope+json");
    assert_eq!(answer.header("cache-control"), "public, max-age=3600");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.body, r#"{"name":"View"}"#);
    let own = site.get("/uma/scopes/print%20out").await;
    assert_eq!(own.status, 404, "no scope");
    let own = site.get("/uma/scopes/print").await;
    assert_eq!(own.body, r#"{"name":"print"}"#);
}
