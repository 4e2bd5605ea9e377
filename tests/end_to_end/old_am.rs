//! Host One before an AM of 2012 on a socket of its own, named or told from its metadata.

use uma_client::{AmClient, ClientCredentials, Dialect, Exchange, Issuer, Requester};
use uma_client::{TicketExchange, UmaChallenge};
use warden_am::{CLAIM_TOKEN_FORMAT, PolicySpec};

use crate::am::Am;
use crate::host::{HostOne, run};
use crate::person::{PHOTO, Person};

fn requester(am: &Am) -> Requester {
    let client = AmClient::builder(Issuer::parse(&am.issuer).unwrap())
        .dialect(Dialect::Draft03)
        .allow_insecure_http()
        .credentials(ClientCredentials::public("app"))
        .build()
        .unwrap();
    Requester::new(client)
}

#[tokio::test]
async fn it_is_served_by_name_and_by_its_metadata() {
    let am = Am::speaking(Dialect::Draft03).await;
    let named = [
        "--am-profile",
        "draft03",
        "--host-id",
        "photos.example",
        "--accept-legacy-tokens",
    ];
    for arguments in [&named[..], &[]] {
        let host = HostOne::with_am(&am.issuer, arguments).await;
        let (alice, app) = (Person::new("alice"), Person::new("app"));
        alice.connect(&host).await.expect(303);
        alice.share(&host, PHOTO).await.expect(303);
        let list = alice.shared(&host).await;
        assert_eq!(list[0]["state"], "active");
        let photo = host.at(PHOTO);
        let host_id = match arguments {
            [] => host.url.strip_prefix("http://").unwrap(),
            _ => "photos.example",
        };
        let refused = app.get(&photo).await.expect(401);
        let challenge = format!(
            "UMA realm=\"host-one\",host_id=\"{host_id}\",am_uri=\"{}\"",
            am.issuer
        );
        assert_eq!(refused.header("www-authenticate"), Some(challenge.as_str()));

        // The token of a request where Puma's description has it: by opt-in alone.
        let requester = requester(&am);
        let own = requester.own_token().await.unwrap().rpt;
        let legacy = format!("UMA {}", own.expose());
        let request = app.client.get(&photo).header("www-authenticate", legacy);
        let legacy = app.send(request).await;
        assert_eq!(legacy.status, if arguments.is_empty() { 401 } else { 403 });

        let weak = app
            .call("GET", &photo, Some(own.expose()))
            .await
            .expect(403);
        let asked = UmaChallenge::parse_response(&weak.headers, weak.body.as_bytes());
        let ticket = asked.unwrap().unwrap().ticket.unwrap();
        assert_eq!(weak.json()["ticket"], ticket.expose());
        let id = list[0]["resource_id"].as_str().unwrap();
        let resource = am.script.list_resources("alice");
        let resource = resource.iter().find(|one| one.id == id).unwrap();
        let view = resource
            .scopes
            .iter()
            .find(|scope| scope.ends_with("/view"));
        let policy = PolicySpec::user("bob", [view.unwrap().as_str()]);
        am.script.add_policy("alice", id, policy).unwrap();
        let bob = am.script.claim_token("bob", "app").unwrap();
        let exchange = TicketExchange::new(ticket)
            .claim_token(bob, CLAIM_TOKEN_FORMAT)
            .bearer(own);
        let Exchange::Granted(grant) = requester.exchange(exchange).await.unwrap() else {
            panic!("a policy allows it");
        };
        let rpt = Some(grant.rpt.expose());
        app.call("GET", &photo, rpt).await.expect(200);
        let put = app.call("PUT", &photo, rpt).await.expect(403);
        assert!(put.header("www-authenticate").unwrap().contains("ticket="));

        alice.stop(&host, PHOTO).await.expect(303);
        for _ in 0..200 {
            if am.script.list_resources("alice").is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(am.script.list_resources("alice").is_empty());
    }
}

#[tokio::test]
async fn what_does_not_fit_is_one_clear_line() {
    let old = Am::speaking(Dialect::Draft03).await;
    let new = Am::start().await;
    let any = ["--listen", "127.0.0.1:0", "--database", "sqlite::memory:"];
    for (am, profile) in [(&old, "uma2"), (&old, "keycloak"), (&new, "draft03")] {
        let more = [
            "--am",
            &am.issuer,
            "--am-profile",
            profile,
            "--allow-insecure-am",
        ];
        let ended = run(&[&any[..], &more].concat()).await;
        assert_eq!(ended.code, Some(1), "{profile}");
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(&am.issuer), "{}", ended.stderr);
    }
    let http = run(&[&any[..], &["--am", &old.issuer, "--am-profile", "draft03"]].concat()).await;
    assert!(
        http.stderr.contains("--allow-insecure-am"),
        "{}",
        http.stderr
    );
}
