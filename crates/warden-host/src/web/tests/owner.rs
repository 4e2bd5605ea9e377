//! The pages that an owner steers with: one resource, recent access, the connection, problems, and two windows.

use std::time::Duration;

use super::site::{AM, OTHER, TestSite, two};
use crate::AmPolicy;

const ADDRESS: &str = "/api/people/alice/personal/address";
const PAGE: &str = "/uma/resource?uri=/api/people/alice/personal/address";
const EDIT: &str = "/uma/edit?uri=/api/people/alice/personal/address";

async fn sharing() -> TestSite {
    let site = TestSite::new().await;
    site.connect().await;
    site.share(ADDRESS, "Address").await.location();
    site
}

#[tokio::test]
async fn one_resource_says_how_it_stands() {
    let mut site = TestSite::new().await;
    site.get(PAGE)
        .await
        .shows("Not protected")
        .shows("href=\"/uma/share?uri=");
    site.connect().await;
    site.share(ADDRESS, "Address").await.location();
    site.get(PAGE)
        .await
        .shows("Protected by Example AM")
        .shows("see, change, delete")
        .shows("only exactly this path")
        .shows(&format!(
            "href=\"{AM}/policies/r1\" target=\"_blank\" rel=\"noopener\""
        ))
        .shows("Nobody has asked for it of late.")
        .shows("/uma/edit?uri=");
    let to = site
        .get(&format!("/uma/share?uri={ADDRESS}&notice=shared"))
        .await;
    assert!(
        to.location().starts_with("/uma/resource?uri="),
        "{}",
        to.location()
    );
    assert!(to.location().ends_with("notice=shared"));
    site.user = Some("bob s2");
    for page in [
        PAGE,
        EDIT,
        "/uma/access?uri=/api/people/alice/personal/address",
    ] {
        let answer = site.get(page).await;
        assert_eq!(answer.status, 403, "{page}");
        answer.hides("Example AM");
    }
}

#[tokio::test]
async fn what_it_means_not_to_share_is_the_hosts_to_say() {
    let site = TestSite::built(|pages| pages.unprotected_means("Everybody can see it.")).await;
    site.get(PAGE).await.shows("Everybody can see it.");
}

#[tokio::test]
async fn a_second_window_loses_nothing_and_undoes_nothing() {
    let site = sharing().await;
    let page = site.get(EDIT).await;
    page.shows("Change Address")
        .shows("value=\"view\" checked")
        .shows(">Save<");
    let generation = site.hidden(EDIT, "generation").await;
    let form = |name: &'static str, generation: &'static str| {
        [
            ("uri", ADDRESS),
            ("resource_name", name),
            ("scopes", "view"),
            ("chosen", "on"),
            ("description", "Flat & garden"),
            ("return_to", PAGE),
            ("generation", generation),
        ]
    };
    let generation: &'static str = generation.leak();
    let saved = site
        .post("/uma/register-resource", &form("Home", generation))
        .await;
    assert!(
        saved.location().ends_with("notice=saved"),
        "{}",
        saved.location()
    );
    let stale = site
        .post("/uma/register-resource", &form("My flat", generation))
        .await;
    assert_eq!(stale.status, 409);
    stale
        .shows("role=\"alert\"")
        .shows("changed in another window")
        .shows("How it is now")
        .shows("<dd>Home</dd>")
        .shows("value=\"My flat\"")
        .shows("Flat &#38; garden")
        .hides(&format!("name=\"generation\" value=\"{generation}\""));
    let (_, json) = site.get_json("/uma/resources").await;
    assert_eq!(json[0]["name"], "Home");
    // What the page now shows can be sent.
    let fresh: &'static str = site.hidden(EDIT, "generation").await.leak();
    site.post("/uma/register-resource", &form("My flat", fresh))
        .await
        .location();
    // A question that was drawn before is asked again.
    let stop = [("uri", ADDRESS), ("generation", generation)];
    let stale = site.post("/uma/stop-sharing", &stop).await;
    assert_eq!(stale.status, 409);
    stale.shows("Nothing was stopped").shows("My flat");
    let now = site
        .hidden(&format!("/uma/stop-sharing?uri={ADDRESS}"), "generation")
        .await;
    let stop = [("uri", ADDRESS), ("generation", now.as_str())];
    site.post("/uma/stop-sharing", &stop).await.location();
    let gone = site
        .post("/uma/register-resource", &form("My flat", fresh))
        .await;
    assert_eq!(gone.status, 409);
    gone.shows("is not shared now").shows("value=\"My flat\"");
    let accept = [("accept", "application/json")];
    let json = site
        .post_with("/uma/register-resource", &form("x", fresh), &accept)
        .await;
    assert_eq!(json.status, 409);
}

#[tokio::test]
async fn a_change_of_mind_takes_one_click() {
    let mut site = sharing().await;
    let form = [("uri", ADDRESS), ("return_to", "/uma/resources")];
    let back = site
        .post("/uma/stop-sharing", &form)
        .await
        .location()
        .to_owned();
    site.get(&back)
        .await
        .shows("id=\"undo\"")
        .shows("action=\"/uma/share-again\"")
        .shows("you set them anew");
    site.user = Some("bob s2");
    site.get(&back).await.hides("id=\"undo\"");
    assert_eq!(site.post("/uma/share-again", &form).await.status, 404);
    site.user = Some("alice s1");
    let again = site.post("/uma/share-again", &form).await;
    assert_eq!(again.location(), "/uma/resources?notice=shared");
    site.get(&back).await.hides("id=\"undo\"");
    let (_, json) = site.get_json("/uma/resources").await;
    assert_eq!(json[0]["name"], "Address");
    // The host's own pages are not told more than they can say.
    let form = [("uri", ADDRESS), ("return_to", "/album")];
    let back = site.post("/uma/stop-sharing", &form).await;
    assert_eq!(back.location(), "/album?notice=stopped");
    assert_eq!(site.post("/uma/share-again", &[]).await.status, 400);
}

#[tokio::test]
async fn all_of_it_is_stopped_after_one_question() {
    let site = sharing().await;
    site.share("/api/people/alice/b", "B").await.location();
    site.get("/uma/stop-sharing?all=on")
        .await
        .shows("which is 2 in all")
        .shows("name=\"all\" value=\"on\"");
    let stopped = site.post("/uma/stop-sharing", &[("all", "on")]).await;
    assert_eq!(stopped.location(), "/uma/resources?notice=stopped-several");
    assert_eq!(site.get("/uma/stop-sharing?all=on").await.status, 404);
}

#[tokio::test]
async fn recent_access_is_shown_filtered_and_taken_away() {
    let site = sharing().await;
    for _ in 0..4 {
        assert_eq!(site.ask(ADDRESS, None).await, 401);
    }
    site.get("/uma/access")
        .await
        .shows("Somebody may want access")
        .shows("It was asked for 4 times since")
        .shows("4 times")
        .shows("Not known");
    site.clock.advance(Duration::from_secs(3600));
    assert_eq!(site.ask(ADDRESS, Some("rpt-canary")).await, 0);
    let page = site.get("/uma/access").await;
    page.shows("<strong>bob</strong>")
        .shows("Let in")
        .shows("Asked, was sent to your manager")
        .shows("=viewer")
        .shows("1 to 2 of 2")
        .hides("Somebody may want access");
    site.get(PAGE)
        .await
        .shows("<strong>bob</strong>")
        .shows("All recent access to this");
    site.get("/uma/access?show=refused")
        .await
        .shows("1 to 1 of 1")
        .hides("<strong>bob</strong>");
    let csv = site.get("/uma/access.csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.header("content-disposition").starts_with("attachment"));
    assert_eq!(csv.body.lines().count(), 3);
    csv.shows("\"bob\",\"'=viewer\",\"GET\",\"see\",\"Address\"");
    let (answer, json) = site.get_json("/uma/access?show=allowed").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(json.as_array().unwrap().len(), 1);
    assert_eq!(json[0]["who"], "bob");
    assert_eq!(json[0]["outcome"], "allowed");
    let away = site.get("/uma/access.json").await;
    assert!(
        away.header("content-disposition")
            .contains("recent-access.json")
    );
}

#[tokio::test]
async fn recent_access_is_its_owners_alone() {
    let mut site = sharing().await;
    site.ask(ADDRESS, None).await;
    site.user = Some("bob s2");
    site.get("/uma/access")
        .await
        .hides("Address")
        .shows("Nobody has asked");
    site.get("/uma/access.csv").await.hides("address");
    site.user = None;
    assert_eq!(site.get("/uma/access.csv").await.status, 303);
}

#[tokio::test]
async fn a_connection_says_until_when_and_warns_in_time() {
    let site = TestSite::new().await;
    site.get("/uma/connection").await.shows("Choose a manager");
    site.connect().await;
    site.get("/uma/connection")
        .await
        .shows("Connected since")
        .shows("No end is known")
        .shows("Disconnect")
        .shows(AM);
    site.get("/uma/problems").await.shows("All is in order.");
}

#[tokio::test]
async fn disconnecting_asks_first_and_says_what_will_happen() {
    let site = sharing().await;
    site.get("/uma/disconnect")
        .await
        .shows("Disconnect from Example AM?")
        .shows("The one thing that you share is closed");
    let done = site.post("/uma/disconnect", &[]).await;
    assert_eq!(done.location(), "/uma/connection?notice=disconnected");
    site.get(done.location())
        .await
        .shows("You are disconnected.")
        .shows("Disconnected")
        .shows("Reconnect");
    site.get("/uma/resources").await.shows("id=\"banner\"");
    site.get("/uma/problems")
        .await
        .shows("data-problem=\"disconnected\"")
        .shows("data-problem=\"withheld\"")
        .shows("Stop sharing");
    let callback = site.begin_connect("/uma/connection").await;
    site.get(&format!("{callback}&code=c")).await.location();
    site.get("/uma/problems").await.shows("All is in order.");
    site.get(PAGE).await.shows("Protected by Example AM");
}

#[tokio::test]
async fn moving_leads_to_the_other_manager_and_all_comes_along() {
    let site = TestSite::of(|host| host.ams(AmPolicy::Only(two())), |pages| pages).await;
    assert_eq!(site.get("/uma/move").await.location(), "/uma/connect");
    site.connect().await;
    site.share(ADDRESS, "Address").await.location();
    // To connect there is no way past what is shared here; to move there is.
    let elsewhere = site.post("/uma/connect", &[("am", OTHER)]).await;
    assert_eq!(elsewhere.status, 409);
    elsewhere.shows("/uma/move?am=https%3A%2F%2Fother.example");
    site.get("/uma/move")
        .await
        .shows("Your rules do not move")
        .shows("The one thing that you share through Example AM")
        .shows(&format!("value=\"{OTHER}\" checked"))
        .hides(&format!("value=\"{AM}\""));
    let (callback, _) = site.begin_at(OTHER, "/uma/move", "/ignored").await;
    let back = site.get(&format!("{callback}&code=c")).await;
    assert_eq!(back.location(), "/uma/connection?notice=moved");
    site.get(back.location()).await.shows("Other AM");
    site.get(PAGE).await.shows("Protected by Other AM");
    let none = site.post("/uma/move/cancel", &[]).await;
    assert_eq!(none.location(), "/uma/connection?notice=not-moving");
}

#[tokio::test]
async fn a_move_that_stands_still_can_be_given_up() {
    let site = TestSite::of(|host| host.ams(AmPolicy::Only(two())), |pages| pages).await;
    site.connect().await;
    site.share(ADDRESS, "Address").await.location();
    site.am.refuse_registrations(true);
    let (callback, _) = site.begin_at(OTHER, "/uma/move", "/").await;
    let back = site.get(&format!("{callback}&code=c")).await;
    assert_eq!(back.location(), "/uma/connection?notice=moving");
    site.get(back.location())
        .await
        .shows("A move is under way")
        .shows("<progress id=\"progress\" max=\"1\" value=\"0\">")
        .shows("Give up the move");
    site.get("/uma/problems")
        .await
        .shows("data-problem=\"move\"")
        .shows("Give up the move");
    let stays = site.post("/uma/move/cancel", &[]).await;
    assert_eq!(stays.location(), "/uma/connection?notice=stays");
    site.get(PAGE).await.shows("Protected by Example AM");
}

#[tokio::test]
async fn a_problem_comes_with_what_helps() {
    let site = TestSite::new().await;
    site.connect().await;
    site.am.set_down(true);
    assert_eq!(site.share(ADDRESS, "Address").await.status, 502);
    site.get("/uma/problems")
        .await
        .shows("data-problem=\"away\"")
        .shows("data-problem=\"pending\"")
        .shows("Try again now")
        .shows("action=\"/uma/share-again\"");
    site.get("/uma/resources?state=pending")
        .await
        .shows("Share again");
    let form = [("uri", ADDRESS), ("return_to", "/uma/problems")];
    let waits = site.post("/uma/share-again", &form).await;
    assert_eq!(waits.location(), "/uma/problems?notice=pending");
    site.am.set_down(false);
    let done = site.post("/uma/share-again", &form).await;
    assert_eq!(done.location(), "/uma/problems?notice=shared");
    // It is left alone for a moment.
    site.clock.advance(Duration::from_secs(600));
    site.get(done.location()).await.shows("All is in order.");
}

#[tokio::test]
async fn a_client_of_the_owners_is_asked_for_and_never_shown() {
    let by_client = || {
        let mut ams = super::site::settings();
        for am in &mut ams {
            *am = am.clone().with_pat(crate::PatStrategy::OwnerCredentials);
        }
        ams
    };
    let site = TestSite::of(|host| host.ams(AmPolicy::Only(by_client())), |pages| pages).await;
    let ask = site.post("/uma/connect", &[("am", AM)]).await;
    ask.shows("Client id").shows("type=\"password\"");
    let half = [("am", AM), ("client_id", "mine")];
    let missing = site.post("/uma/connect", &half).await;
    assert_eq!(missing.status, 400);
    missing
        .shows("value=\"mine\"")
        .shows("Give the id and the secret");
    let whole = [
        ("am", AM),
        ("client_id", "mine"),
        ("client_secret", "canary-own"),
        ("return_to", "/album"),
    ];
    site.am.set_down(true);
    assert_eq!(site.post("/uma/connect", &whole).await.status, 502);
    site.am.set_down(false);
    let done = site.post("/uma/connect", &whole).await;
    assert_eq!(done.location(), "/album?notice=connected");
}

#[tokio::test]
async fn a_hosts_own_head_and_foot_stand_around_the_pages() {
    let site = TestSite::built(|pages| {
        pages
            .header(|parts| format!("<p id=\"own\">at {}</p>", parts.uri.path()))
            .footer(|_| "<footer>Imprint</footer>".to_owned())
    })
    .await;
    site.get("/uma/resources")
        .await
        .shows("<p id=\"own\">at /uma/resources</p>")
        .shows("<footer>Imprint</footer>");
    site.get("/internal/uma_mini_panel?uri=/api/people/alice/a")
        .await
        .hides("Imprint");
}
