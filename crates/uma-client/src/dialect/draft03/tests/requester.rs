use super::*;
use crate::ids::Ticket;
use crate::requester::{Exchange, Requester, TicketExchange};
use crate::scope::Scope;

const ACCESS_TOKEN: &str = "application/uma-access-token+json";

fn ticket() -> Ticket {
    Ticket::parse("t-1").unwrap()
}

/// An AM that gives own tokens, and answers tickets with `reply`.
fn requester(reply: Reply) -> (Script, Requester) {
    let (script, builder) = am_with(document(), move |seen| {
        if seen.uri.ends_with("/requester_token") {
            let body = r#"{"access_token":"own","token_type":"bearer","expires_in":60}"#;
            return response(200, &[("content-type", "application/json")], body);
        }
        reply.clone()
    });
    (script, Requester::new(builder.build().unwrap()))
}

fn granted() -> Reply {
    response(
        201,
        &[("content-type", ACCESS_TOKEN)],
        r#"{"token":"rpt-1"}"#,
    )
}

/// First a token of its own, then the ticket with it: by GET, which every AM has to take.
#[tokio::test]
async fn a_ticket_becomes_a_token() {
    let (script, requester) = requester(granted());
    let own = requester.own_token().await.unwrap();
    assert_eq!(own.rpt.expose(), "own");
    let seen = script.last();
    assert_eq!(seen.uri, "https://am.example/api/oauth/requester_token");
    assert!(seen.header("authorization").starts_with("Basic "));
    assert_eq!(
        seen.form("grant_type").as_deref(),
        Some("client_credentials")
    );

    for (exchange, bearer, calls) in [
        (TicketExchange::new(ticket()), "own", 2),
        (TicketExchange::new(ticket()).rpt("held"), "held", 1),
        (
            TicketExchange::new(ticket()).rpt("held").bearer("other"),
            "other",
            1,
        ),
    ] {
        let before = script.calls().len();
        let Exchange::Granted(grant) = requester.exchange(exchange).await.unwrap() else {
            panic!("granted");
        };
        assert_eq!(grant.rpt.expose(), "rpt-1");
        assert_eq!(script.calls().len() - before, calls);
        let seen = script.last();
        assert_eq!(
            (seen.method.as_str(), seen.uri.as_str()),
            (
                "GET",
                "https://am.example/api/uma/permissions_grant/ticket?ticket=t-1"
            )
        );
        assert_eq!(seen.header("authorization"), format!("Bearer {bearer}"));
        assert_eq!(
            seen.header("accept"),
            "application/uma-access-token+json, application/json"
        );
    }
}

/// Claims are nothing for an address: they go by POST.
#[tokio::test]
async fn claims_go_by_post() {
    let (script, requester) = requester(granted());
    let exchange = TicketExchange::new(ticket())
        .bearer("own")
        .claim_token("canary", "openid")
        .parameter("state", "s");
    requester.exchange(exchange).await.unwrap();
    let seen = script.last();
    assert_eq!(
        (seen.method.as_str(), seen.uri.as_str()),
        (
            "POST",
            "https://am.example/api/uma/permissions_grant/ticket"
        )
    );
    assert_eq!(seen.form("ticket").as_deref(), Some("t-1"));
    assert_eq!(seen.form("claim_token").as_deref(), Some("canary"));
    assert_eq!(seen.form("state").as_deref(), Some("s"));
}

#[tokio::test]
async fn the_ams_errors() {
    let error = |status, code: &str| {
        let body = json!({"status": "error", "error": code, "error_description": "canary"});
        response(status, &[("content-type", STATUS)], &body.to_string())
    };
    for code in ["invalid_requester_ticket", "expired_requester_ticket"] {
        let (_, requester) = requester(error(400, code));
        let error = requester
            .exchange(TicketExchange::new(ticket()))
            .await
            .unwrap_err();
        clear(&error, ErrorKind::InvalidTicket, code);
    }
    let (_, denied) = requester(error(403, "not_authorized_permission"));
    assert_eq!(
        denied
            .exchange(TicketExchange::new(ticket()))
            .await
            .unwrap(),
        Exchange::Denied
    );
    let (_, wants_claims) = requester(error(403, "need_claims"));
    let Exchange::NeedInfo {
        ticket: next,
        required_claims,
        redirect_user,
    } = wants_claims
        .exchange(TicketExchange::new(ticket()))
        .await
        .unwrap()
    else {
        panic!("claims are wanted");
    };
    assert_eq!(next, ticket(), "the ticket stays good");
    assert!(required_claims.is_empty() && redirect_user.is_none());
    for (reply, kind) in [
        (error(401, "invalid_token"), ErrorKind::Refused),
        (error(400, "canary canary"), ErrorKind::Refused),
        (error(500, "need_claims"), ErrorKind::Unavailable),
        (response(403, &[], ""), ErrorKind::Refused),
    ] {
        let (_, requester) = requester(reply);
        let error = requester
            .exchange(TicketExchange::new(ticket()))
            .await
            .unwrap_err();
        clear(&error, kind, "");
    }
}

#[tokio::test]
async fn tokens_that_cannot_be_used_are_refused() {
    let json = ("content-type", ACCESS_TOKEN);
    for (reply, kind, word) in [
        (
            response(201, &[json], r#"["rpt"]"#),
            ErrorKind::Malformed,
            "is an array",
        ),
        (
            response(201, &[json], r#"{"rpt":"canary"}"#),
            ErrorKind::Malformed,
            "`token` is missing",
        ),
        (
            response(201, &[json], r#"{"token":"canary canary"}"#),
            ErrorKind::Malformed,
            "`token`",
        ),
        (
            response(201, &[], r#"{"token":"rpt"}"#),
            ErrorKind::ContentType,
            "",
        ),
        (
            response(200, &[json], r#"{"token":"rpt"}"#),
            ErrorKind::Malformed,
            "status",
        ),
    ] {
        let (_, requester) = requester(reply);
        let error = requester
            .exchange(TicketExchange::new(ticket()))
            .await
            .unwrap_err();
        clear(&error, kind, word);
    }
}

#[tokio::test]
async fn what_the_dialect_does_not_know_is_not_sent() {
    let (script, requester) = requester(granted());
    let exchange = || TicketExchange::new(ticket()).bearer("own");
    for exchange in [
        exchange().pct("canary"),
        exchange().scope(Scope::parse("canary").unwrap()),
    ] {
        let error = requester.exchange(exchange).await.unwrap_err();
        clear(&error, ErrorKind::Unsupported, "");
    }
    assert_eq!(script.calls().len(), 0);
    let (_, http) = crate::testing::script(|_| unreachable!());
    let uma2 = Requester::new(crate::testing::client(&http));
    let error = uma2.own_token().await.unwrap_err();
    clear(&error, ErrorKind::Unsupported, "no token of its own");
}
