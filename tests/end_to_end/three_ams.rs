//! One host, three owners, three AMs (UMA 2.0, the draft of 2012, UMA 2.0 under another issuer), all in this process, each on a
//! socket: connected and shared by the pages, each refused in the dialect of its AM, and no RPT of one AM is worth anything at
//! another's resource.

use std::collections::HashMap;

use axum::http::request::Parts;
use axum::routing::get;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tower_warden::{Access, CanonicalPath, OwnerId, Unmapped, WardenLayer};
use uma_client::{
    AmClient, ClientCredentials, Dialect, Exchange, Issuer, Requester, Secret, TicketExchange,
    UmaChallenge,
};
use warden_am::{CLAIM_TOKEN_FORMAT, PolicySpec};
use warden_host::web::{self, CurrentOwner, SignedIn};
use warden_host::{AmPolicy, AmSetting, AnyStore, BoxError, Catalogue, Host, SealingKey};

use crate::am::Am;
use crate::person::{Answer, Person};

/// `/api/{person}` is the person's.
struct People;

impl Catalogue for People {
    async fn owner_of(&self, path: &CanonicalPath<'_>) -> Result<Option<OwnerId>, BoxError> {
        Ok(path.segments().nth(1).map(OwnerId::new))
    }
}

/// A cookie says who is signed in: good enough for this test.
#[derive(Clone)]
struct ByCookie;

impl CurrentOwner for ByCookie {
    async fn current(&self, parts: &Parts) -> Option<SignedIn> {
        let cookie = parts.headers.get("cookie")?.to_str().ok()?;
        let user = cookie
            .split("; ")
            .find_map(|one| one.strip_prefix("user="))?;
        Some(SignedIn::new(OwnerId::new(user), user))
    }

    fn sign_in_path(&self) -> &'static str {
        "/login"
    }
}

struct Site {
    url: String,
    host: Host,
}

impl Site {
    async fn start(ams: Vec<AmSetting>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = SealingKey::generate().unwrap();
        let store = AnyStore::open("sqlite::memory:", key).await.unwrap();
        let host = Host::builder(store)
            .callback_base(format!("{url}/uma/callback").parse().unwrap())
            .ams(AmPolicy::Only(ams))
            .catalogue(People)
            .build()
            .await
            .unwrap();
        let warden = WardenLayer::builder()
            .maps(host.maps())
            .protection(host.protection())
            .guard("/api", Unmapped::Deny)
            .realm("host-one")
            .host_id("photos.example")
            .outermost()
            .build()
            .unwrap();
        host.attach(warden.engine().clone());
        let seen = |Extension(access): Extension<Access>| async move {
            assert!(access.grant().is_some());
            "in"
        };
        let app = Router::new()
            .route("/api/{person}", get(seen).put(seen))
            .merge(web::router(host.clone(), ByCookie).build().unwrap())
            .layer(warden);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, host }
    }
}

/// An owner, her AM, and an application that asks.
struct At {
    am: Am,
    dialect: Dialect,
    person: &'static str,
    path: String,
}

impl At {
    /// Connects and shares by the pages.
    async fn begin(&self, site: &Site) {
        let cookie = format!("user={}", self.person);
        let person = Person::new(self.person);
        let host = |path: &str| format!("{}{path}", site.url);
        let post = async |path: &str, form: &[(&str, &str)]| {
            let request = person.client.post(host(path)).header("cookie", &cookie);
            person.send(request.form(form)).await
        };
        let connecting = post("/uma/connect", &[("am", &self.am.issuer)]).await;
        let asked = connecting.expect(303).location();
        assert!(asked.as_str().starts_with(&self.am.issuer), "{asked}");
        let sign_in = [
            ("username", self.person),
            ("password", self.person),
            ("return_to", "/policies"),
        ];
        person
            .post(&format!("{}/signin", self.am.issuer), &sign_in)
            .await
            .expect(303);
        let mut form: HashMap<String, String> = asked.query_pairs().into_owned().collect();
        form.insert("owner".into(), self.person.into());
        form.insert("decision".into(), "allow".into());
        let consent = person.client.post(format!("{}/consent", self.am.issuer));
        let back = person
            .send(consent.form(&form))
            .await
            .expect(303)
            .location();
        let callback = person.client.get(back.as_str()).header("cookie", &cookie);
        person.send(callback).await.expect(303);
        let share = [("uri", self.path.as_str()), ("resource_name", "Mine")];
        let shared = post("/uma/register-resource", &share).await.expect(303);
        assert!(shared.location().as_str().contains("notice=shared"));
    }

    fn requester(&self, challenge: &UmaChallenge) -> Requester {
        let client = AmClient::builder(challenge.issuer.clone().unwrap())
            .dialect(challenge.dialect)
            .allow_insecure_http()
            .credentials(ClientCredentials::public("app"))
            .build()
            .unwrap();
        Requester::new(client)
    }

    async fn permit(&self, site: &Site, action: &str) {
        let owner = OwnerId::new(self.person);
        let resource = site
            .host
            .resource(&owner, &self.path)
            .await
            .unwrap()
            .unwrap();
        let id = resource.resource_id.unwrap();
        let scopes = self.am.script.list_resources(self.person);
        let described = scopes.iter().find(|one| one.id == id).unwrap();
        let scope = described
            .scopes
            .iter()
            .find(|scope| scope.rsplit('/').next() == Some(action))
            .unwrap();
        let policy = PolicySpec::user("bob", [scope.as_str()]);
        self.am.script.add_policy(self.person, &id, policy).unwrap();
    }

    /// What an application does with a refusal: shows who it is where it has to, and exchanges the ticket.
    async fn earn(
        &self,
        site: &Site,
        app: &Person,
        method: &str,
        rpt: Option<&Secret>,
    ) -> Exchange {
        let url = format!("{}{}", site.url, self.path);
        let mut refused = app.call(method, &url, rpt.map(Secret::expose)).await;
        let mut asked = self.challenge(&refused);
        let requester = self.requester(&asked);
        let mut own = None;
        if asked.ticket.is_none() {
            assert_eq!(refused.status, 401);
            let token = requester.own_token().await.unwrap().rpt;
            refused = app.call(method, &url, Some(token.expose())).await;
            own = Some(token);
            asked = self.challenge(&refused);
        }
        let due = if own.is_some() || (rpt.is_some() && !self.dialect.tokenless_needs_ticket()) {
            403
        } else {
            401
        };
        assert_eq!(refused.status, due, "{}", refused.body);
        let bob = self.am.script.claim_token("bob", "app").unwrap();
        let mut exchange =
            TicketExchange::new(asked.ticket.unwrap()).claim_token(bob, CLAIM_TOKEN_FORMAT);
        if let Some(token) = own {
            exchange = exchange.bearer(token);
        } else if let Some(rpt) = rpt {
            exchange = exchange.rpt(rpt.clone());
        }
        requester.exchange(exchange).await.unwrap()
    }

    fn challenge(&self, refused: &Answer) -> UmaChallenge {
        let challenge =
            UmaChallenge::parse_response(&refused.headers, refused.body.as_bytes()).unwrap();
        let challenge = challenge.unwrap_or_else(|| panic!("{refused:?}"));
        assert_eq!(challenge.dialect, self.dialect);
        let issuer = Issuer::parse(&self.am.issuer).unwrap();
        assert_eq!(challenge.issuer, Some(issuer));
        challenge
    }
}

#[tokio::test]
async fn three_owners_at_three_ams_and_nothing_crosses() {
    let mut ats = Vec::new();
    for (person, dialect) in [
        ("alice", Dialect::Uma2),
        ("bob", Dialect::Draft03),
        ("carol", Dialect::Uma2),
    ] {
        ats.push(At {
            am: Am::speaking(dialect).await,
            dialect,
            person,
            path: format!("/api/{person}"),
        });
    }
    let settings = ats.iter().map(|at| {
        AmSetting::new(Issuer::parse(&at.am.issuer).unwrap())
            .with_dialect(at.dialect)
            .with_allow_insecure(true)
    });
    let site = Site::start(settings.collect()).await;
    for at in &ats {
        at.begin(&site).await;
    }
    // The AM of 2012 can fetch what stands behind the scopes that it was told.
    let app = Person::new("app");
    let told = ats[1].am.script.list_resources("bob");
    for scope in &told[0].scopes {
        let described = app.get(scope).await.expect(200);
        let media = described.header("content-type");
        assert_eq!(media, Some("application/uma-scope+json"));
        assert!(described.json()["name"].is_string());
    }

    let mut tokens = Vec::new();
    for at in &ats {
        let refused = at.earn(&site, &app, "GET", None).await;
        assert!(!matches!(refused, Exchange::Granted(_)), "no policy yet");
        at.permit(&site, "view").await;
        let Exchange::Granted(grant) = at.earn(&site, &app, "GET", None).await else {
            panic!("a policy allows it");
        };
        tokens.push(grant.rpt);
    }
    for (i, token) in tokens.iter().enumerate() {
        for (j, at) in ats.iter().enumerate() {
            let url = format!("{}{}", site.url, at.path);
            let answer = app.call("GET", &url, Some(token.expose())).await;
            let due = if i == j { 200 } else { 401 };
            assert_eq!(answer.status, due, "token {i} at {}", at.path);
            if i != j {
                at.challenge(&answer);
            }
        }
    }
    // To see is not to change; a wider RPT is had by the new ticket.
    for (at, rpt) in ats.iter().zip(&tokens) {
        at.permit(&site, "edit").await;
        let Exchange::Granted(wider) = at.earn(&site, &app, "PUT", Some(rpt)).await else {
            panic!("a policy allows it");
        };
        let url = format!("{}{}", site.url, at.path);
        let token = Some(wider.rpt.expose());
        app.call("PUT", &url, token).await.expect(200);
        app.call("GET", &url, token).await.expect(200);
    }
    // One stops: the others go on.
    let owner = OwnerId::new(ats[1].person);
    assert!(
        site.host
            .stop_sharing(&owner, &ats[1].path)
            .await
            .unwrap()
            .was_shared()
    );
    site.host.reconcile().await.unwrap();
    assert!(ats[1].am.script.list_resources("bob").is_empty());
    let url = format!("{}{}", site.url, ats[1].path);
    app.get(&url).await.expect(404);
    for at in [&ats[0], &ats[2]] {
        let url = format!("{}{}", site.url, at.path);
        app.get(&url).await.ticket(&at.am.issuer);
    }
}
