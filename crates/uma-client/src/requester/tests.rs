use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::scope::Scope;
use crate::testing::{self, ISSUER, Reply, Script, answer, empty, script, typed};

const FORMAT: &str = "http://openid.net/specs/openid-connect-core-1_0.html#IDToken";

fn requester(reply: Reply) -> (Script, Requester) {
    let (script, http) = script(move |_| reply.clone());
    (script, Requester::new(testing::client(&http)))
}

fn ticket(text: &str) -> Ticket {
    Ticket::parse(text).unwrap()
}

async fn outcome(reply: Reply) -> Result<Exchange, Error> {
    requester(reply)
        .1
        .exchange(TicketExchange::new(ticket("canary-t1")))
        .await
}

#[tokio::test]
async fn granted_and_what_was_sent() {
    let (script, requester) = requester(answer(
        200,
        json!({"access_token": "canary-rpt", "token_type": "Bearer", "pct": "canary-pct", "upgraded": true, "expires_in": 60}),
    ));
    let exchange = TicketExchange::new(ticket("t+1"))
        .claim_token("ey.J.x", FORMAT)
        .pct("p1")
        .rpt("r1")
        .scope(Scope::parse("view").unwrap())
        .scope(Scope::parse("edit").unwrap())
        .parameter("x", "y");
    let Exchange::Granted(grant) = requester.exchange(exchange).await.unwrap() else {
        panic!()
    };
    assert_eq!(grant.rpt.expose(), "canary-rpt");
    assert!(grant.upgraded);
    assert_eq!(grant.expires_in, Some(Duration::from_secs(60)));
    assert!(!format!("{grant:?}").contains("canary"));
    let seen = script.last();
    assert_eq!(seen.uri, "https://am.example/token");
    assert_eq!(seen.header("authorization"), "Basic aDpzM2NyZXQ=");
    for (name, value) in [
        ("grant_type", "urn:ietf:params:oauth:grant-type:uma-ticket"),
        ("ticket", "t+1"),
        ("claim_token", "ey.J.x"),
        ("claim_token_format", FORMAT),
        ("pct", "p1"),
        ("rpt", "r1"),
        ("scope", "view edit"),
        ("x", "y"),
    ] {
        assert_eq!(seen.form(name).as_deref(), Some(value));
    }
}

#[tokio::test]
async fn a_bearer_takes_the_place_of_credentials() {
    let (script, requester) = requester(answer(
        200,
        json!({"access_token": "r", "token_type": "Bearer"}),
    ));
    let Exchange::Granted(grant) = requester
        .exchange(TicketExchange::new(ticket("t")).bearer("user-token"))
        .await
        .unwrap()
    else {
        panic!()
    };
    assert!(!grant.upgraded);
    assert_eq!(script.last().header("authorization"), "Bearer user-token");
    assert_eq!(script.last().form("client_id"), None);

    let (script, http) = testing::script(|_| empty(200));
    let anonymous = AmClient::builder(crate::Issuer::parse(ISSUER).unwrap())
        .http(http)
        .build()
        .unwrap();
    let error = Requester::new(anonymous)
        .exchange(TicketExchange::new(ticket("t")))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(script.calls().len(), 0);
}

#[tokio::test]
async fn need_info() {
    let reply = answer(
        403,
        json!({"error": "need_info", "ticket": "t2", "redirect_user": "https://am.example/claims?x=1",
        "required_claims": [{"claim_token_format": [FORMAT], "name": "email", "issuer": ["https://idp.example"]}]}),
    );
    let Exchange::NeedInfo {
        ticket: next,
        required_claims,
        redirect_user,
    } = outcome(reply).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(next, ticket("t2"));
    assert_eq!(required_claims[0].name.as_deref(), Some("email"));
    assert_eq!(
        redirect_user.unwrap().as_str(),
        "https://am.example/claims?x=1"
    );
}

#[tokio::test]
async fn submitted_with_interval() {
    for (interval, expected) in [(None, 5), (Some(7), 7), (Some(0), 1), (Some(100_000), 60)] {
        let reply = answer(
            403,
            json!({"error": "request_submitted", "ticket": "t2", "interval": interval}),
        );
        let Exchange::Submitted { interval, .. } = outcome(reply).await.unwrap() else {
            panic!()
        };
        assert_eq!(interval, Duration::from_secs(expected));
    }
}

#[tokio::test]
async fn denied_and_refused() {
    for code in ["request_denied", "access_denied"] {
        assert_eq!(
            outcome(answer(403, json!({"error": code}))).await.unwrap(),
            Exchange::Denied
        );
    }
    for (reply, kind) in [
        (
            answer(400, json!({"error": "invalid_grant"})),
            ErrorKind::InvalidTicket,
        ),
        (
            answer(401, json!({"error": "invalid_grant"})),
            ErrorKind::InvalidTicket,
        ),
        (
            answer(403, json!({"error": "invalid_ticket"})),
            ErrorKind::InvalidTicket,
        ),
        (
            answer(400, json!({"error": "invalid_scope"})),
            ErrorKind::InvalidScope,
        ),
        (
            answer(401, json!({"error": "invalid_client"})),
            ErrorKind::Refused,
        ),
        (
            answer(500, json!({"error": "request_denied"})),
            ErrorKind::Unavailable,
        ),
        (empty(403), ErrorKind::Refused),
        (empty(302), ErrorKind::Redirect),
    ] {
        assert_eq!(outcome(reply).await.unwrap_err().kind(), kind);
    }
}

/// Rotation, and other answers that cannot be relied on.
#[tokio::test]
async fn malformed_outcomes() {
    let bodies: [Value; 9] = [
        json!({"error": "need_info", "ticket": "canary-t1", "redirect_user": "https://am.example/c"}),
        json!({"error": "need_info", "redirect_user": "https://am.example/c"}),
        json!({"error": "need_info", "ticket": "t2"}),
        json!({"error": "need_info", "ticket": "t2", "redirect_user": "http://am.example/c"}),
        json!({"error": "need_info", "ticket": "t2", "redirect_user": "javascript:alert(1)"}),
        json!({"error": "need_info", "ticket": "t 2", "redirect_user": "https://am.example/c"}),
        json!({"error": "request_submitted", "ticket": "canary-t1"}),
        json!({"error": "request_submitted"}),
        json!({"error": "request_submitted", "ticket": "t2", "interval": "5"}),
    ];
    for body in bodies {
        let error = outcome(answer(403, body.clone())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{body}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    for body in [
        json!({}),
        json!({"access_token": "", "token_type": "Bearer"}),
        json!({"access_token": "a b", "token_type": "Bearer"}),
    ] {
        assert_eq!(
            outcome(answer(200, body)).await.unwrap_err().kind(),
            ErrorKind::Malformed
        );
    }
    let dpop = answer(200, json!({"access_token": "a", "token_type": "DPoP"}));
    assert_eq!(
        outcome(dpop).await.unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    let html = Ok(typed(200, "text/html", "<html>"));
    assert_eq!(
        outcome(html).await.unwrap_err().kind(),
        ErrorKind::ContentType
    );
}

#[tokio::test(start_paused = true)]
async fn polls_at_the_interval_with_the_newest_ticket() {
    let asked = Arc::new(AtomicUsize::new(0));
    let (script, http) = {
        let asked = Arc::clone(&asked);
        script(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => answer(
                403,
                json!({"error": "request_submitted", "ticket": "t2", "interval": 10}),
            ),
            1 => answer(403, json!({"error": "request_submitted", "ticket": "t3"})),
            _ => answer(200, json!({"access_token": "r", "token_type": "Bearer"})),
        })
    };
    let requester = Requester::new(testing::client(&http));
    let begun = tokio::time::Instant::now();
    let outcome = requester
        .poll(
            TicketExchange::new(ticket("t1")).pct("p"),
            Some(Duration::from_secs(2)),
            Duration::from_secs(60),
        )
        .await
        .unwrap();
    assert!(matches!(outcome, Exchange::Granted(_)));
    assert_eq!(begun.elapsed().as_secs(), 2 + 10 + 5);
    let tickets: Vec<_> = script
        .calls()
        .iter()
        .map(|seen| seen.form("ticket").unwrap())
        .collect();
    assert_eq!(tickets, ["t1", "t2", "t3"]);
    assert!(
        script
            .calls()
            .iter()
            .all(|seen| seen.form("pct").as_deref() == Some("p"))
    );
}

#[tokio::test(start_paused = true)]
async fn polling_ends_with_the_callers_patience() {
    let n = Arc::new(AtomicUsize::new(1));
    let (script, http) = script(move |_| {
        answer(
            403,
            json!({"error": "request_submitted", "ticket": format!("t{}", n.fetch_add(1, Ordering::SeqCst) + 1)}),
        )
    });
    let requester = Requester::new(testing::client(&http));
    let outcome = requester
        .poll(
            TicketExchange::new(ticket("t1")),
            None,
            Duration::from_secs(12),
        )
        .await
        .unwrap();
    let Exchange::Submitted { ticket: last, .. } = outcome else {
        panic!()
    };
    assert_eq!((last, script.calls().len()), (ticket("t3"), 2));
}

#[tokio::test]
async fn interaction_urls() {
    let (_, requester) = requester(empty(500));
    let state = Secret::new("s&1");
    let url = requester
        .interaction_url(&ticket("t1"), None, "https://app.example/back", &state)
        .await
        .unwrap();
    assert_eq!(
        url.as_str(),
        "https://am.example/claims?client_id=h&ticket=t1&claims_redirect_uri=https%3A%2F%2Fapp.example%2Fback&state=s%261"
    );
    let own = Url::parse("https://am.example/c?x=1").unwrap();
    let url = requester
        .interaction_url(
            &ticket("t1"),
            Some(&own),
            "https://app.example/back",
            &state,
        )
        .await
        .unwrap();
    assert!(
        url.as_str()
            .starts_with("https://am.example/c?x=1&client_id=h&")
    );
    assert!(
        requester
            .interaction_url(&ticket("t1"), None, "/back", &state)
            .await
            .is_err()
    );
}

#[test]
fn requester_futures_can_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let (_, requester) = requester(empty(500));
    is_send(requester.exchange(TicketExchange::new(ticket("t"))));
    is_send(requester.poll(TicketExchange::new(ticket("t")), None, Duration::ZERO));
}

/// A requester at an AM of Keycloak's profile, which answers with these one after the other.
fn at_keycloak(replies: Vec<Reply>) -> (Script, Requester) {
    let next = AtomicUsize::new(0);
    let (script, http) = script(move |_| {
        let n = next.fetch_add(1, Ordering::SeqCst);
        replies[n.min(replies.len() - 1)].clone()
    });
    let am = testing::builder(&http).profile(crate::AmProfile::keycloak());
    (script, Requester::new(am.build().unwrap()))
}

fn denied(description: &str) -> Reply {
    answer(
        403,
        json!({"error": "access_denied", "error_description": description}),
    )
}

#[tokio::test]
async fn a_denial_that_asks_the_owner_is_no_end() {
    let exchange = || TicketExchange::new(ticket("t")).bearer("user");
    let (_, requester) = at_keycloak(vec![denied("request_submitted")]);
    let Exchange::Submitted { ticket: same, .. } = requester.exchange(exchange()).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(same, ticket("t"), "the ticket may be presented again");
    let (_, requester) = at_keycloak(vec![denied("not_authorized")]);
    let outcome = requester.exchange(exchange()).await.unwrap();
    assert_eq!(outcome, Exchange::Denied);
    // Elsewhere these words mean nothing.
    let strict = outcome_of(denied("request_submitted")).await.unwrap();
    assert_eq!(strict, Exchange::Denied);
}

async fn outcome_of(reply: Reply) -> Result<Exchange, Error> {
    outcome(reply).await
}

#[tokio::test]
async fn a_500_is_tried_once_more() {
    let error = || answer(500, json!({"error": "server_error"}));
    let exchange = || TicketExchange::new(ticket("t")).bearer("user");
    let (script, requester) = at_keycloak(vec![error(), denied("not_authorized")]);
    let outcome = requester.exchange(exchange()).await.unwrap();
    assert_eq!((outcome, script.calls().len()), (Exchange::Denied, 2));
    let (script, requester) = at_keycloak(vec![error()]);
    let failed = requester.exchange(exchange()).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test]
async fn a_client_by_itself_says_so() {
    let (script, requester) = at_keycloak(vec![denied("not_authorized")]);
    let by_itself = TicketExchange::new(ticket("t"));
    requester.exchange(by_itself.clone()).await.unwrap();
    let said = |name| script.last().form(name);
    assert_eq!(said("submit_request").as_deref(), Some("false"));
    for with_somebody in [
        by_itself.clone().bearer("user"),
        by_itself.clone().claim_token("c", "f"),
        by_itself.parameter("subject_token", "user"),
    ] {
        requester.exchange(with_somebody).await.unwrap();
        assert_eq!(script.last().form("submit_request"), None);
    }
}
