//! An application that asks for what owners share, and the rule that lets it in.

use serde_json::Value;
use uma_client::{
    AmClient, ClientCredentials, Exchange, Issuer, Requester, Secret, Ticket, TicketExchange,
};

use crate::person::{Answer, Person};

/// The public client that the embedded AM knows.
pub(crate) fn requester(am: &str) -> Requester {
    let client = AmClient::builder(Issuer::parse(am).unwrap())
        .allow_insecure_http()
        .credentials(ClientCredentials::public("uma-get"))
        .build()
        .unwrap();
    Requester::new(client)
}

pub(crate) async fn claim(app: &Person, am: &str, user: &str) -> (Secret, String) {
    let form = [
        ("username", user),
        ("password", user),
        ("client_id", "uma-get"),
    ];
    let claim = app
        .post(&format!("{am}/claim-token"), &form)
        .await
        .expect(200)
        .json();
    let text = |name: &str| claim[name].as_str().unwrap().to_owned();
    (Secret::new(text("claim_token")), text("claim_token_format"))
}

/// Lets somebody see a resource, on its owner's page at the AM.
pub(crate) async fn admit(who: &str, owner: &Person, resource: &Value) {
    let policy = resource["policy_uri"].as_str().unwrap();
    let rule = [
        ("subject_kind", "user"),
        ("subject", who),
        ("client", ""),
        ("scope", "view"),
        ("until", ""),
    ];
    let added = owner.post(&format!("{policy}/add"), &rule).await;
    let next = added.expect(303).location();
    assert_eq!(next.query(), Some("done=added"), "{next}");
}

/// What an AM gives somebody's application for the ticket of a refusal.
pub(crate) async fn rpt(who: &str, app: &Person, am: &str, refused: &Answer) -> String {
    let ticket = Ticket::parse(&refused.ticket(am)).unwrap();
    let (token, format) = claim(app, am, who).await;
    let exchange = TicketExchange::new(ticket).claim_token(token, format);
    match requester(am).exchange(exchange).await.unwrap() {
        Exchange::Granted(grant) => grant.rpt.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}
