//! Puma's story: an owner shares, a requester asks, the owner's manager decides.

use std::sync::Arc;

use reqwest::Method;
use serde_json::Value;
use uma_client::{
    AmClient, ClientCredentials, Dialect, Exchange, Http, Issuer, Requester, Secret, Ticket,
    TicketExchange, UmaChallenge, wire,
};
use url::Url;

use super::browser::{Answer, Browser};
use super::narrator::{Narrator, broken};
use crate::Failure;
use crate::demo::Running;

const PHOTO: &str = "/api/people/alice/albums/summer/photos/1";

pub(super) async fn tell(
    narrator: &Arc<Narrator>,
    running: &Running,
    http: Http,
) -> Result<(), Failure> {
    let host = format!("http://{}", running.address);
    let am = running.issuer.as_str().to_owned();
    let photo = format!("{host}{PHOTO}");
    let alice = Browser::new("alice", narrator.clone())?;
    let app = Browser::new("app", narrator.clone())?;

    narrator.step("Nothing is shared: the host's own rules decide");
    app.call(Method::GET, &photo, None).await?.expect(403)?;
    alice
        .post(
            &format!("{host}/login"),
            &[("username", "alice"), ("password", "alice")],
        )
        .await?
        .expect(303)?;
    alice.call(Method::GET, &photo, None).await?.expect(200)?;
    narrator.shown("Alice sees her photo, nobody else does");

    narrator
        .step("Alice names her authorization manager; the host discovers it and registers there");
    let connecting = alice
        .post(
            &format!("{host}/uma/connect"),
            &[("am", &am), ("return_to", "/")],
        )
        .await?
        .expect(303)?;

    narrator.step("Alice consents at the AM, and the host gets its token for her (PAT)");
    let back = consent(&alice, &am, connecting).await?;
    alice.follow(&back).await?.expect(303)?;
    narrator.shown("the host may speak for Alice at the protection API");

    narrator.step("Alice shares the photo: it is registered at the AM");
    let form = [
        ("uri", PHOTO),
        ("resource_name", "The beach"),
        ("return_to", "/"),
    ];
    alice
        .post(&format!("{host}/uma/register-resource"), &form)
        .await?
        .expect(303)?;
    let listed = alice
        .get_json(&format!("{host}/uma/resources"))
        .await?
        .expect(200)?;
    let (resource_id, policy_page) = shared(&listed)?;

    narrator.step("An application asks without a token: 401, and which AM decides");
    let refused = app.call(Method::GET, &photo, None).await?.expect(401)?;
    let first = challenge(&refused)?;
    if first.issuer.as_ref() != Some(&running.issuer) {
        return Err(broken("the host names another AM"));
    }
    alice.call(Method::GET, &photo, None).await?.expect(200)?;
    narrator.shown("Alice herself still gets in by her own door");
    let requester = register_requester(&running.issuer, first.dialect, http).await?;
    let (own, ticket) = match first.ticket {
        Some(ticket) => {
            narrator.shown("the challenge holds a ticket");
            (None, ticket)
        }
        None => {
            narrator.shown("no ticket yet: the application first has to show who it is");
            narrator.step("It gets a token of its own, shows that: 403, with a ticket");
            let own = requester.own_token().await?.rpt;
            (
                Some(own.clone()),
                refused_with(&app, Method::GET, &photo, Some(&own)).await?,
            )
        }
    };

    narrator.step("The application takes the ticket to the AM; Alice has set no rule yet");
    let bob = bobs_claim(&app, &am, &requester).await?;
    let with_claim = |ticket| TicketExchange::new(ticket).claim_token(bob.0.clone(), bob.1.clone());
    let anew = |ticket| match &own {
        Some(own) => with_claim(ticket).bearer(own.clone()),
        None => with_claim(ticket),
    };
    match requester.exchange(anew(ticket)).await? {
        Exchange::Submitted { .. } => narrator.shown("request_submitted: Alice is asked"),
        Exchange::Denied => narrator.shown("denied, as no rule of Alice's permits it"),
        other => return Err(broken(format!("the AM did not refuse: {other:?}"))),
    }

    narrator.step("Alice lets Bob see the photo, on her page at the AM");
    permit(&alice, &policy_page, "view").await?;
    narrator.shown(&format!(
        "the rule is kept at the AM, for resource {}",
        resource_id.get(..8).unwrap_or(&resource_id)
    ));

    narrator.step("The application asks again, and the AM gives it a token (RPT)");
    let ticket = refused_with(&app, Method::GET, &photo, own.as_ref()).await?;
    let rpt = match requester.exchange(anew(ticket)).await? {
        Exchange::Granted(grant) => grant.rpt,
        other => return Err(broken(format!("the AM did not grant: {other:?}"))),
    };
    app.call(Method::GET, &photo, Some(rpt.expose()))
        .await?
        .expect(200)?;
    app.call(Method::GET, &photo, Some(rpt.expose()))
        .await?
        .expect(200)?;
    narrator.shown("Bob's application sees the photo; the second time the AM need not be asked");

    narrator
        .step("It may see, but not change: a new ticket, and once Alice permits that, a wider RPT");
    let ticket = refused_with(&app, Method::PUT, &photo, Some(&rpt)).await?;
    permit(&alice, &policy_page, "edit").await?;
    let rpt = match requester.exchange(with_claim(ticket).rpt(rpt)).await? {
        Exchange::Granted(grant) => grant.rpt,
        other => return Err(broken(format!("the AM did not grant more: {other:?}"))),
    };
    app.call(Method::PUT, &photo, Some(rpt.expose()))
        .await?
        .expect(200)?;
    app.call(Method::GET, &photo, Some(rpt.expose()))
        .await?
        .expect(200)?;

    narrator.step("Alice stops sharing: the host's own rules decide again");
    alice
        .post(
            &format!("{host}/uma/stop-sharing"),
            &[("uri", PHOTO), ("return_to", "/")],
        )
        .await?
        .expect(303)?;
    app.call(Method::GET, &photo, Some(rpt.expose()))
        .await?
        .expect(403)?;
    alice.call(Method::GET, &photo, None).await?.expect(200)?;
    narrator.shown("as it was at the beginning");
    Ok(())
}

/// Signs Alice in at the AM, and gives the host what it asks for. Returns the answer that leads back to the host.
async fn consent(alice: &Browser, am: &str, connecting: Answer) -> Result<Answer, Failure> {
    let asked = connecting.location()?;
    let sign_in = alice.follow(&connecting).await?.expect(303)?.location()?;
    let return_to = value(&sign_in, "return_to")?;
    let form = [
        ("username", "alice"),
        ("password", "alice"),
        ("return_to", &return_to),
    ];
    let signed_in = alice
        .post(&format!("{am}/signin"), &form)
        .await?
        .expect(303)?;
    alice.follow(&signed_in).await?.expect(200)?;
    let mut form: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
    form.push((String::from("owner"), String::from("alice")));
    form.push((String::from("decision"), String::from("allow")));
    let form: Vec<(&str, &str)> = form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    alice
        .post(&format!("{am}/consent"), &form)
        .await?
        .expect(303)
}

fn value(url: &Url, name: &str) -> Result<String, Failure> {
    url.query_pairs()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
        .ok_or_else(|| broken(format!("{} has no {name}", url.path())))
}

/// The resource's id and the page of its rules, from the list of what Alice shares.
fn shared(listed: &Answer) -> Result<(String, Url), Failure> {
    let list: Value = serde_json::from_str(&listed.body)?;
    let resource = list.get(0).ok_or_else(|| broken("nothing is shared"))?;
    let text = |name: &str| resource.get(name).and_then(Value::as_str);
    if text("state") != Some("active") {
        return Err(broken(format!("the resource is not active: {resource}")));
    }
    let id = text("resource_id").ok_or_else(|| broken("the resource has no id"))?;
    let page = text("policy_uri").ok_or_else(|| broken("the AM gave no policy page"))?;
    Ok((id.to_owned(), page.parse()?))
}

/// What the host says of the AM when it refuses.
fn challenge(refused: &Answer) -> Result<UmaChallenge, Failure> {
    UmaChallenge::parse_response(&refused.headers, refused.body.as_bytes())?
        .ok_or_else(|| broken("the refusal names no AM"))
}

/// Is refused, by 401 or 403 as the dialect has it, and gets a ticket.
async fn refused_with(
    app: &Browser,
    method: Method,
    url: &str,
    token: Option<&Secret>,
) -> Result<Ticket, Failure> {
    let refused = app.call(method, url, token.map(Secret::expose)).await?;
    if !matches!(refused.status.as_u16(), 401 | 403) {
        return Err(broken(format!("not refused, but {}", refused.status)));
    }
    challenge(&refused)?
        .ticket
        .ok_or_else(|| broken("the refusal has no ticket"))
}

/// Alice lets Bob do something, on the page that the AM has for her resource. The page tells what can be ticked.
async fn permit(alice: &Browser, page: &Url, action: &str) -> Result<(), Failure> {
    let shown = alice.get(page.as_str()).await?.expect(200)?;
    let scope = shown
        .body
        .split("name=\"scope\" value=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(value, _)| value))
        .find(|value| value.rsplit('/').next() == Some(action))
        .ok_or_else(|| broken(format!("the AM's page has no {action} to tick")))?;
    let rule = [
        ("subject_kind", "user"),
        ("subject", "bob"),
        ("client", ""),
        ("scope", scope),
        ("until", ""),
    ];
    let page = page.as_str().trim_end_matches('/');
    alice
        .post(&format!("{page}/add"), &rule)
        .await?
        .expect(303)?;
    Ok(())
}

/// The application registers itself at the AM that a challenge names, as a host does, in what is spoken there.
async fn register_requester(
    issuer: &Issuer,
    dialect: Dialect,
    http: Http,
) -> Result<Requester, Failure> {
    let client = AmClient::builder(issuer.clone())
        .dialect(dialect)
        .allow_insecure_http()
        .http(http)
        .build()?;
    let metadata = wire::ClientMetadata {
        client_name: Some(String::from("Photo Printer")),
        grant_types: vec![String::from("urn:ietf:params:oauth:grant-type:uma-ticket")],
        token_endpoint_auth_method: Some(String::from("client_secret_basic")),
        ..Default::default()
    };
    let registration = client.register(&metadata, None).await?;
    Ok(Requester::new(
        client.with_credentials(registration.credentials),
    ))
}

/// Bob signs in at the AM, so that the application can say for whom it asks.
async fn bobs_claim(
    app: &Browser,
    am: &str,
    requester: &Requester,
) -> Result<(Secret, String), Failure> {
    let client_id = requester
        .client()
        .credentials()
        .map(|credentials: &ClientCredentials| credentials.client_id.clone())
        .unwrap_or_default();
    let form = [
        ("username", "bob"),
        ("password", "bob"),
        ("client_id", &client_id),
    ];
    let answer = app
        .post(&format!("{am}/claim-token"), &form)
        .await?
        .expect(200)?;
    let claim: Value = serde_json::from_str(&answer.body)?;
    let text = |name: &str| {
        claim
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Ok((Secret::new(text("claim_token")), text("claim_token_format")))
}
