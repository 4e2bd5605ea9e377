//! Attacks by way of the owner's browser, by the numbers of the threat list: W-01 to W-04. A browser sees the rest.

use super::site::TestSite;

const ADDRESS: &str = "/api/people/alice/personal/address";
const PAGES: [&str; 11] = [
    "/uma/resources",
    "/uma/resource?uri=/api/people/alice/personal/address",
    "/uma/edit?uri=/api/people/alice/personal/address",
    "/uma/share?uri=/api/people/alice/b",
    "/uma/stop-sharing?uri=/api/people/alice/personal/address",
    "/uma/access",
    "/uma/connect",
    "/uma/connection",
    "/uma/disconnect",
    "/uma/move",
    "/uma/problems",
];

#[tokio::test]
async fn w_01_no_page_stands_in_a_foreign_frame() {
    let site = TestSite::built(|pages| pages.frame_ancestors(["https://portal.example"])).await;
    site.connect().await;
    site.share(ADDRESS, "Address").await.location();
    for page in PAGES {
        let answer = site.get(page).await;
        assert_eq!(answer.status, 200, "{page}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.ends_with("frame-ancestors 'none'"),
            "{page}: {policy}"
        );
        assert_eq!(answer.header("x-frame-options"), "DENY", "{page}");
    }
    let panel = site
        .get(&format!("/internal/uma_mini_panel?uri={ADDRESS}"))
        .await;
    let policy = panel.header("content-security-policy");
    assert!(
        policy.ends_with("frame-ancestors https://portal.example"),
        "{policy}"
    );
    let site = TestSite::built(|pages| pages.frame_ancestors(Vec::<String>::new())).await;
    let panel = site
        .get(&format!("/internal/uma_mini_panel?uri={ADDRESS}"))
        .await;
    assert_eq!(panel.header("x-frame-options"), "DENY");
}

#[tokio::test]
async fn w_02_a_double_click_does_one_thing() {
    let site = TestSite::new().await;
    site.connect().await;
    let panel = format!("/internal/uma_mini_panel?uri={ADDRESS}");
    // The second click of a double click meets what the first has led to: out of the frame, with nothing that does more.
    site.get(&panel).await.shows("target=\"_top\"");
    let generation = site.hidden(&panel, "generation").await;
    let form = [
        ("uri", ADDRESS),
        ("resource_name", "Address"),
        ("generation", generation.as_str()),
    ];
    let (one, two) = tokio::join!(
        site.post("/uma/register-resource", &form),
        site.post("/uma/register-resource", &form)
    );
    for answer in [one, two] {
        assert!(
            answer.location().ends_with("notice=shared"),
            "{}",
            answer.location()
        );
    }
    assert_eq!(site.am.resources().len(), 1);
    let stop = site.get(&format!("/uma/stop-sharing?uri={ADDRESS}")).await;
    stop.shows("Stop sharing?");
    let (_, json) = site.get_json("/uma/resources").await;
    assert_eq!(json.as_array().unwrap().len(), 1, "stopping asks first");
}

#[tokio::test]
async fn w_03_a_form_of_another_site_changes_nothing() {
    let site = TestSite::new().await;
    site.connect().await;
    site.share(ADDRESS, "Address").await.location();
    let form = [
        ("uri", ADDRESS),
        ("resource_name", "Mine now"),
        ("am", "https://am.example"),
        ("all", "on"),
    ];
    let foreign = [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ];
    for path in [
        "/uma/register-resource",
        "/uma/stop-sharing",
        "/uma/share-again",
        "/uma/connect",
        "/uma/move",
        "/uma/move/cancel",
        "/uma/disconnect",
    ] {
        let answer = site.post_with(path, &form, &foreign).await;
        assert_eq!(answer.status, 403, "{path}");
        // A link changes nothing either.
        site.get(&format!("{path}?uri={ADDRESS}&all=on")).await;
    }
    let (_, json) = site.get_json("/uma/resources").await;
    assert_eq!(json[0]["name"], "Address");
    assert_eq!(json[0]["state"], "active");
    let connection = site.get("/uma/connection").await;
    connection.shows("Connected");
}

#[tokio::test]
async fn w_04_no_page_listens_to_others() {
    let site = TestSite::new().await;
    site.connect().await;
    site.share(ADDRESS, "Address").await.location();
    let panel = format!("/internal/uma_mini_panel?uri={ADDRESS}");
    for page in PAGES.into_iter().chain([panel.as_str()]) {
        let answer = site.get(page).await;
        answer
            .hides("<script")
            .hides("postMessage")
            .hides("javascript:")
            .hides(" onclick=")
            .hides(" onload=")
            .hides("style=\"");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(
            !policy.contains("script-src") && !policy.contains("unsafe"),
            "{policy}"
        );
    }
}
