//! The AM of 2012: its wire by hand, and its whole story through the client.

use super::*;

mod story;

const SETS: &str = "/api/uma/resource_reg/resource_set";
const SET: &str = "application/uma-resource-set+json";
const STATUS: &str = "application/uma-status+json";
const VIEW: &str = "https://host.example/scopes/view";

fn world() -> World {
    World::of(builder().dialect(uma_client::Dialect::Draft03))
}

impl World {
    /// A call with a body of a type, and perhaps `If-Match`.
    async fn put(
        &self,
        path: &str,
        token: &str,
        kind: &str,
        tag: Option<&str>,
        body: &str,
    ) -> Answer {
        let mut request = Request::put(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, kind);
        if let Some(tag) = tag {
            request = request.header(header::IF_MATCH, tag);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    async fn bare(&self, method: Method, path: &str, token: &str, tag: Option<&str>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(tag) = tag {
            request = request.header(header::IF_MATCH, tag);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn set(&self, owner: &str, id: &str) -> Answer {
        let body = json!({"name": "Holiday", "scopes": [VIEW, "edit"]}).to_string();
        let path = format!("{SETS}/{id}");
        self.put(&path, &self.pat(owner), SET, None, &body).await
    }

    async fn status(&self, hat: &str, token: &str) -> Answer {
        let body = json!({"token": token});
        self.api(Method::POST, "/api/uma/validation", hat, &body)
            .await
    }

    async fn old_ticket(&self, owner: &str, id: &str, scope: &str) -> Answer {
        let body = json!({"resource_set_id": id, "scopes": [scope]});
        self.api(
            Method::POST,
            "/api/uma/permissions_reg",
            &self.pat(owner),
            &body,
        )
        .await
    }

    async fn own_token(&self) -> String {
        let pairs = [("grant_type", "client_credentials")];
        let path = "/api/oauth/requester_token";
        self.call(APP, APP_SECRET, path, &pairs)
            .await
            .string("access_token")
    }

    async fn trade(&self, token: &str, ticket: &str) -> Answer {
        let path = format!("/api/uma/permissions_grant/ticket?ticket={ticket}");
        self.bare(Method::GET, &path, token, None).await
    }
}

/// Asserts an error of the draft's shape, and returns its code.
#[track_caller]
fn refused(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.header(header::CONTENT_TYPE), STATUS);
    assert_eq!(answer.json()["status"], "error");
    answer.error(status)
}

/// The seed's document, completed, is what this AM serves.
#[tokio::test]
async fn the_document_is_the_seeds() {
    let seed = include_str!("../../../uma-client/fixtures/smartam-uma-configuration.json");
    let seed: Value =
        serde_json::from_str(&seed.replace("http://www.smartam.net", ISSUER)).unwrap();
    let world = world();
    let answer = world.get("/.well-known/uma-configuration").await;
    assert_eq!(
        answer.header(header::CONTENT_TYPE),
        "application/uma-configuration+json"
    );
    assert_eq!(answer.ok(), seed);
    for path in [
        "/.well-known/uma2-configuration",
        "/.well-known/oauth-authorization-server",
        "/resource",
    ] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
    }
    let other = World::new();
    assert_eq!(
        other.get("/.well-known/uma-configuration").await.status,
        404
    );
}

#[tokio::test]
async fn a_set_lives_its_life() {
    let world = world();
    let pat = world.pat("alice");
    let path = format!("{SETS}/a%2Fb");
    let made = world.set("alice", "a%2Fb").await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(made.header(header::CONTENT_TYPE), STATUS);
    let first = made.header(header::ETAG).to_owned();
    let body = made.json();
    assert_eq!(
        (&body["status"], &body["_id"]),
        (&json!("created"), &json!("a/b"))
    );
    assert_eq!(first, format!("\"{}\"", body["_rev"].as_str().unwrap()));
    assert_eq!(body["policy_uri"], format!("{ISSUER}/policies/a%2Fb"));

    // What was read back may be sent back.
    let read = world.bare(Method::GET, &path, &pat, None).await;
    assert_eq!(read.header(header::CONTENT_TYPE), SET);
    assert_eq!(read.header(header::ETAG), first);
    assert_eq!(read.json()["scopes"], json!([VIEW, "edit"]));
    let text = read.text();
    let changed = world.put(&path, &pat, SET, Some(&first), &text).await;
    assert_eq!(
        (changed.status, changed.text().as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    let second = changed.header(header::ETAG).to_owned();
    assert_ne!(first, second);

    // A stale revision changes nothing, whoever holds it.
    let stale = world.put(&path, &pat, SET, Some(&first), &text).await;
    assert_eq!(refused(&stale, 412), "precondition_failed");
    let stale = world.bare(Method::DELETE, &path, &pat, Some(&first)).await;
    assert_eq!(refused(&stale, 412), "precondition_failed");
    let missing = world.bare(Method::DELETE, &path, &pat, None).await;
    assert_eq!(refused(&missing, 400), "invalid_request");
    let read = world.bare(Method::GET, &path, &pat, None).await;
    assert_eq!(read.header(header::ETAG), second);

    let list = world.bare(Method::GET, SETS, &pat, None).await;
    assert_eq!(list.ok(), json!(["a/b"]));
    let gone = world.bare(Method::DELETE, &path, &pat, Some(&second)).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let read = world.bare(Method::GET, &path, &pat, None).await;
    assert_eq!(refused(&read, 404), "not_found");
    let update = world.put(&path, &pat, SET, Some(&second), &text).await;
    assert_eq!(refused(&update, 404), "not_found");
    // Made anew it has a revision that it never had.
    let again = world.set("alice", "a%2Fb").await;
    assert!(![first.as_str(), second.as_str()].contains(&again.header(header::ETAG)));
}

#[tokio::test]
async fn odd_sets_are_refused_and_nothing_changes() {
    let world = world();
    let pat = world.pat("alice");
    let path = format!("{SETS}/one");
    let good = json!({"name": "n", "scopes": [VIEW]}).to_string();
    for (kind, body, word) in [
        (SET, "[]", "object"),
        (SET, "\"x\"", "object"),
        (SET, "{\"name\":\"n\"}", "scopes"),
        (SET, "{\"scopes\":[\"x\"]}", "name"),
        (SET, "{\"name\":\"n\",\"scopes\":[]}", "scopes"),
        (SET, "{\"name\":\"n\",\"scopes\":[\"a b\"]}", "scopes"),
        (SET, "{\"name\":\"n\",\"scopes\":\"x\"}", "scopes"),
        ("text/plain", &good, "Content-Type"),
        ("application/xml", &good, "Content-Type"),
    ] {
        let answer = world.put(&path, &pat, kind, None, body).await;
        assert_eq!(refused(&answer, 400), "invalid_request", "{body}");
        assert!(
            answer.string("error_description").contains(word),
            "{}",
            answer.text()
        );
    }
    assert_eq!(world.script().list_resources("alice"), []);
    for kind in [SET, "application/json", "application/resource-set+json"] {
        let path = format!("{SETS}/{}", kind.len());
        let answer = world.put(&path, &pat, kind, None, &good).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{kind}");
    }
    // An id is used once; another owner's set is not seen.
    for owner in ["alice", "bob"] {
        world.set("alice", "used").await;
        let answer = world.set(owner, "used").await;
        assert_eq!(refused(&answer, 400), "invalid_request");
    }
    let foreign = world
        .bare(
            Method::GET,
            &format!("{SETS}/used"),
            &world.pat("bob"),
            None,
        )
        .await;
    assert_eq!(refused(&foreign, 404), "not_found");
    let answer = world
        .bare(
            Method::DELETE,
            &format!("{SETS}/used"),
            &world.pat("bob"),
            Some("*"),
        )
        .await;
    assert_eq!(refused(&answer, 404), "not_found");
}

/// Each kind of token is good for its own kind of call.
#[tokio::test]
async fn tokens_are_not_mixed_up() {
    let world = world();
    world.set("alice", "one").await;
    let rpt = world
        .script()
        .issue_rpt("bob", APP, &[("one", &[VIEW])])
        .unwrap();
    let own = world.own_token().await;
    for token in ["dead", &rpt, &own] {
        let answer = world.bare(Method::GET, SETS, token, None).await;
        assert_eq!(refused(&answer, 401), "invalid_token");
        assert!(
            answer
                .header(header::WWW_AUTHENTICATE)
                .contains("invalid_token")
        );
        let answer = world.status(token, &rpt).await;
        assert_eq!(refused(&answer, 401), "invalid_token");
    }
    let pat = world.pat("alice");
    let invalid = json!({"token_status": "invalid"});
    for token in ["dead", &pat] {
        let answer = world.status(&pat, token).await;
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "application/uma-token-status+json"
        );
        assert_eq!(answer.header(header::CACHE_CONTROL), "private, max-age=10");
        assert_eq!(answer.ok(), invalid, "{token}");
    }
    assert_eq!(world.status(&pat, &own).await.ok(), json!([]));
    assert_eq!(world.status(&world.pat("bob"), &rpt).await.ok(), json!([]));
    let granted = world.status(&pat, &rpt).await.ok();
    assert_eq!(granted[0]["resource_set_id"], "one");
    assert_eq!(granted[0]["scopes"], json!([VIEW]));
    assert!(granted[0]["exp"].is_i64(), "{granted}");
    world
        .script()
        .advance_clock(std::time::Duration::from_secs(301));
    let pat = world.pat("alice");
    assert_eq!(world.status(&pat, &rpt).await.ok(), invalid);

    for (body, word) in [
        (json!([{"token": rpt}]), "object"),
        (json!({"rpt": rpt}), "token"),
    ] {
        let answer = world
            .api(Method::POST, "/api/uma/validation", &pat, &body)
            .await;
        assert_eq!(refused(&answer, 400), "invalid_request");
        assert!(answer.string("error_description").contains(word));
    }
    // The grant of UMA 2.0 is not to be had here.
    let answer = world
        .host("/api/oauth/host_token", &[("grant_type", UMA)])
        .await;
    assert_eq!(answer.error(400), "unsupported_grant_type");
}

#[tokio::test]
async fn permissions_and_tickets() {
    let world = world();
    world.set("alice", "one").await;
    world.set("bob", "two").await;
    let ticket = world.old_ticket("alice", "one", VIEW).await;
    assert_eq!(ticket.status, StatusCode::CREATED);
    assert_eq!(
        ticket.header(header::CONTENT_TYPE),
        "application/uma-permission-ticket+json"
    );
    assert!(ticket.location().starts_with(ISSUER));
    let ticket = ticket.string("ticket");
    let answer = world.old_ticket("alice", "two", VIEW).await;
    assert_eq!(refused(&answer, 400), "invalid_resource_set_id");
    let answer = world.old_ticket("alice", "one", "view").await;
    assert_eq!(refused(&answer, 400), "invalid_scope");
    let body = json!([{"resource_set_id": "one", "scopes": [VIEW]}]);
    let answer = world
        .api(
            Method::POST,
            "/api/uma/permissions_reg",
            &world.pat("alice"),
            &body,
        )
        .await;
    assert_eq!(refused(&answer, 400), "invalid_request");

    // Only a requester's token presents a ticket, and only one that is there.
    let own = world.own_token().await;
    for token in ["dead", &world.pat("alice")] {
        let answer = world.trade(token, &ticket).await;
        assert_eq!(refused(&answer, 401), "invalid_token");
    }
    let answer = world.trade(&own, "unknown").await;
    assert_eq!(refused(&answer, 400), "invalid_requester_ticket");
    let answer = world.trade(&own, "").await;
    assert_eq!(refused(&answer, 400), "invalid_request");
    let answer = world.trade(&own, &ticket).await;
    assert_eq!(refused(&answer, 403), "need_claims");
    world
        .script()
        .advance_clock(std::time::Duration::from_secs(301));
    let own = world.own_token().await;
    let answer = world.trade(&own, &ticket).await;
    assert_eq!(refused(&answer, 400), "expired_requester_ticket");
}
