//! What an owner does, from the first click to the last.

use super::site::{AM, TestSite};

const ADDRESS: &str = "/api/people/alice/personal/address";
const PANEL: &str =
    "/internal/uma_mini_panel?uri=%2Fapi%2Fpeople%2Falice%2Fpersonal%2Faddress&name=Address";

#[tokio::test]
async fn sharing_for_the_first_time_comes_back_to_the_filled_in_form() {
    let mut site = TestSite::new().await;
    site.referer = Some("https://here.example/album?page=2");
    let form = [
        ("uri", ADDRESS),
        ("resource_name", "Where I live"),
        ("scopes", "view"),
        ("scopes", "edit"),
        ("subtree", "on"),
        ("chosen", "on"),
    ];
    let to_connect = site
        .post("/uma/register-resource", &form)
        .await
        .location()
        .to_owned();
    assert!(
        to_connect.starts_with("/uma/connect?return_to=%2Fuma%2Fshare%3F"),
        "{to_connect}"
    );
    site.referer = None;
    let page = site.get(&to_connect).await;
    page.shows("Example AM")
        .shows("After that you come back to share")
        .shows(ADDRESS);

    // The hidden field leads back, as the form would send it.
    let back = url::form_urlencoded::parse(to_connect.split_once('?').unwrap().1.as_bytes())
        .find(|(name, _)| name == "return_to")
        .map(|(_, value)| value.into_owned())
        .unwrap();
    let callback = site.begin_connect(&back).await;
    let home = site
        .get(&format!("{callback}&code=c1"))
        .await
        .location()
        .to_owned();
    assert_eq!(home, format!("{back}&notice=connected"));

    let page = site.get(&home).await;
    assert_eq!(page.status, 200);
    page.shows("You are connected to your authorization manager.")
        .shows("value=\"Where I live\"")
        .shows("value=\"view\" checked")
        .shows("value=\"edit\" checked")
        .hides("value=\"delete\" checked")
        .shows("name=\"subtree\" value=\"on\" checked")
        .shows("name=\"return_to\" value=\"/album?page=2\"");

    let form = [&form[..], &[("return_to", "/album?page=2")]].concat();
    let done = site.post("/uma/register-resource", &form).await;
    assert_eq!(done.location(), "/album?page=2&notice=shared");
    let registered = site.am.resources();
    assert_eq!(registered.len(), 1);
    assert_eq!(
        registered[0]["resource_scopes"],
        serde_json::json!(["edit", "view"])
    );
}

#[tokio::test]
async fn the_panel_follows_share_and_stop() {
    let mut site = TestSite::new().await;
    site.connect().await;
    site.referer = Some("https://here.example/album");
    let panel = site.get(PANEL).await;
    assert_eq!(panel.status, 200);
    panel
        .shows("<h1 class=\"warden-panel-heading\">Sharing of Address</h1>")
        .shows("Not protected")
        .shows("own rules")
        .shows("target=\"_top\"")
        .shows("name=\"return_to\" value=\"/album\"");

    site.share(ADDRESS, "Address").await.location();
    let panel = site.get(PANEL).await;
    panel
        .shows("Protected by Example AM")
        .shows(&format!("href=\"{AM}/policies/r1\" target=\"_blank\" rel=\"noopener\""))
        .shows("/uma/stop-sharing?uri=%2Fapi%2Fpeople%2Falice%2Fpersonal%2Faddress&#38;return_to=%2Falbum");
    let fragment = site.get(&format!("{PANEL}&fragment=1")).await;
    assert!(fragment.body.starts_with("<section"), "{}", fragment.body);
    fragment
        .shows("Protected by Example AM")
        .hides("<h1")
        .hides("<html");

    let ask = site
        .get("/uma/stop-sharing?uri=/api/people/alice/personal/address&return_to=/album")
        .await;
    ask.shows("Stop sharing?")
        .shows("lose that access at once")
        .shows("action=\"/uma/stop-sharing\"");
    let stopped = site
        .post(
            "/uma/stop-sharing",
            &[("uri", ADDRESS), ("return_to", "/album")],
        )
        .await;
    assert_eq!(stopped.location(), "/album?notice=stopped");
    site.get(PANEL).await.shows("Not protected");
    let again = site
        .post(
            "/uma/stop-sharing",
            &[("uri", ADDRESS), ("return_to", "/album")],
        )
        .await;
    assert_eq!(again.location(), "/album?notice=not-shared");
}

#[tokio::test]
async fn what_an_ancestor_covers_is_not_called_unprotected() {
    let site = TestSite::new().await;
    site.connect().await;
    let form = [
        ("uri", "/api/people/alice"),
        ("resource_name", "All of me"),
        ("subtree", "on"),
    ];
    site.post("/uma/register-resource", &form).await.location();
    let panel = site.get(PANEL).await;
    panel
        .shows("Protected by Example AM")
        .shows("It is covered by what you shared at /api/people/alice.")
        .hides("Not protected");
    site.get("/uma/share?uri=/api/people/alice/personal/address")
        .await
        .shows("covered by")
        .shows("value=\"address\"");
}

#[tokio::test]
async fn the_list_searches_filters_and_pages() {
    let site = TestSite::new().await;
    site.get("/uma/resources")
        .await
        .shows("You share nothing yet.")
        .shows("Choose a manager");
    site.connect().await;
    for number in 0..52 {
        let uri = format!("/api/people/alice/albums/{number}");
        site.share(&uri, &format!("Album {number}"))
            .await
            .location();
    }
    let first = site.get("/uma/resources").await;
    first
        .shows("1 to 50 of 52")
        .shows("href=\"/uma/resources?page=2\"")
        .shows("Connected since")
        .shows("Stop sharing everything");
    let second = site.get("/uma/resources?page=2").await;
    second.shows("51 to 52 of 52").hides("rel=\"next\"");
    assert_eq!(second.body.matches("<th role=\"rowheader\"").count(), 2);
    let found = site.get("/uma/resources?q=ALBUM+51").await;
    found
        .shows("1 to 1 of 1 that fit, 52 in all")
        .shows("Album 51")
        .hides("Album 50")
        .shows("return_to=%2Fuma%2Fresources%3Fq%3DALBUM%2B51");
    site.get("/uma/resources?state=problem")
        .await
        .shows("Nothing that you share fits");
    site.get("/uma/resources?state=protected&notice=stopped")
        .await
        .shows("1 to 50 of 52")
        .shows("It is no longer shared.");
}

#[tokio::test]
async fn the_list_as_json_has_the_members_that_are_promised() {
    let site = TestSite::new().await;
    site.connect().await;
    site.share(ADDRESS, "Address").await.location();
    let (answer, json) = site.get_json("/uma/resources").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.header("vary").contains("Accept"));
    assert!(json[0]["epoch"].as_u64().is_some_and(|epoch| epoch > 0));
    assert_eq!(
        json,
        serde_json::json!([{
            "uri": ADDRESS, "name": "Address", "resource_id": "r1", "am": AM,
            "scopes": ["delete", "edit", "view"], "state": "active", "subtree": false,
            "policy_uri": format!("{AM}/policies/r1"), "epoch": json[0]["epoch"], "spread": "everywhere",
        }])
    );
    let (_, mine) = site
        .get_json(&format!("/uma/resources?am={AM}&q=addr"))
        .await;
    assert_eq!(mine, json);
    for other in ["am=https://other.example", "q=elsewhere", "state=pending"] {
        let (_, none) = site.get_json(&format!("/uma/resources?{other}")).await;
        assert_eq!(none, serde_json::json!([]), "{other}");
    }
}

#[tokio::test]
async fn several_are_stopped_at_once_after_one_question() {
    let site = TestSite::new().await;
    site.connect().await;
    let album = "/api/people/alice/albums/1";
    for (uri, name) in [
        (ADDRESS, "Address"),
        (album, "Album"),
        ("/api/people/alice/x", "Rest"),
    ] {
        site.share(uri, name).await.location();
    }
    site.get("/uma/resources")
        .await
        .shows("form=\"selected\" name=\"uri\"");
    let ask = site
        .get(&format!(
            "/uma/stop-sharing?return_to=/uma/resources&uri={ADDRESS}&uri={album}"
        ))
        .await;
    ask.shows("Address").shows("Album").hides("Rest");
    let form = [("uri", ADDRESS), ("uri", album)];
    let stopped = site.post("/uma/stop-sharing", &form).await;
    let back = stopped.location().to_owned();
    assert!(
        back.starts_with("/uma/resources?notice=stopped-several&again="),
        "{back}"
    );
    site.get(&back)
        .await
        .shows("They are no longer shared.")
        .shows("id=\"undo\"")
        .shows("name=\"return_to\" value=\"/uma/resources\"");
    let (_, json) = site.get_json("/uma/resources").await;
    assert_eq!(
        (json.as_array().unwrap().len(), &json[0]["name"]),
        (1, &"Rest".into())
    );
    let none = site.get("/uma/stop-sharing?return_to=/uma/resources").await;
    assert_eq!(none.status, 400);
    none.shows("Nothing was selected.");
}

#[tokio::test]
async fn double_click_on_share_registers_once() {
    let site = TestSite::new().await;
    site.connect().await;
    let (one, two) = tokio::join!(
        site.share(ADDRESS, "Address"),
        site.share(ADDRESS, "Address")
    );
    assert!(one.location().ends_with("notice=shared"));
    assert!(two.location().ends_with("notice=shared"));
    assert_eq!(site.am.resources().len(), 1);
}

#[tokio::test]
async fn an_am_that_is_away_loses_nothing() {
    let site = TestSite::new().await;
    site.connect().await;
    site.am.set_down(true);
    let form = [
        ("uri", ADDRESS),
        ("resource_name", "Address"),
        ("description", "Flat & garden"),
    ];
    let page = site.post("/uma/register-resource", &form).await;
    assert_eq!(page.status, 502);
    page.shows("role=\"alert\"")
        .shows("be reached")
        .shows("Flat &#38; garden")
        .shows("value=\"Address\"");
    site.get(PANEL)
        .await
        .shows("Being protected")
        .shows("Share again");
    site.am.set_down(false);
    site.share(ADDRESS, "Address").await.location();
    site.get(PANEL).await.shows("Protected by Example AM");
    assert_eq!(site.am.resources().len(), 1);
}
