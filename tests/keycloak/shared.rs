//! What most tests begin with: a host at Keycloak, an owner who shares, and somebody who was let in.

use std::time::Duration;

use serde_json::Value;

use crate::browser::person;
use crate::host::HostOne;
use crate::person::{Answer, Person};
use crate::realm::Realm;

pub(crate) const KEYCLOAK: [&str; 4] = [
    "--client-id",
    "host-one",
    "--client-secret",
    "host-one-secret",
];

pub(crate) struct Sharing {
    pub(crate) realm: Realm,
    pub(crate) host: HostOne,
    pub(crate) alice: Person,
    pub(crate) app: Person,
}

impl Sharing {
    /// A host that keeps answers for one second, with alice connected; none where there is no Keycloak.
    pub(crate) async fn begun(more: &[&str]) -> Option<Self> {
        let realm = Realm::fresh().await?;
        Some(Self::at(realm, &[&["--cache-ttl", "1s"], more].concat()).await)
    }

    pub(crate) async fn at(realm: Realm, more: &[&str]) -> Self {
        let host = HostOne::with_am(&realm.issuer, &[&KEYCLOAK, more].concat()).await;
        let alice = person("alice");
        alice.connect_keycloak(&host).await.expect(303);
        Self {
            realm,
            host,
            alice,
            app: Person::new("app"),
        }
    }

    /// Shares a path of alice's; Keycloak's id of it.
    pub(crate) async fn share(&self, uri: &str) -> String {
        self.alice.share(&self.host, uri).await.expect(303);
        let list = self.alice.shared(&self.host).await;
        let found = list.iter().find(|resource| resource["uri"] == uri);
        let found = found.unwrap_or_else(|| panic!("{uri} is not shared: {list:?}"));
        assert_eq!(found["state"], "active", "{found}");
        found["resource_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn read(&self, uri: &str, rpt: &str) -> Answer {
        self.app.call("GET", &self.host.at(uri), Some(rpt)).await
    }

    pub(crate) async fn ticket(&self, uri: &str) -> String {
        let refused = self.app.get(&self.host.at(uri)).await;
        refused.ticket(&self.realm.issuer)
    }

    /// An RPT of bob's, who is permitted already, with all that came with it.
    pub(crate) async fn rpt(&self, uri: &str) -> Value {
        let ticket = self.ticket(uri).await;
        let (status, granted) = self.realm.exchange("requester", "bob", &ticket).await;
        assert_eq!(status, 200, "{granted}");
        granted
    }

    /// Is let in. 503 is a Keycloak that took too long to say, and is asked again.
    pub(crate) async fn sees(&self, uri: &str, rpt: &str) -> Answer {
        for _ in 0..100 {
            let answer = self.read(uri, rpt).await;
            if answer.status != 503 {
                return answer.expect(200);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("Keycloak does not say");
    }

    /// Waits until a cached answer has lived its second; far longer on a machine that is busy, and far less than a token lives.
    pub(crate) async fn is_refused_soon(&self, uri: &str, rpt: &str, why: &str) {
        for _ in 0..400 {
            let answer = self.read(uri, rpt).await;
            // 503 is a Keycloak that took too long to say: nobody is let in, and it is asked again.
            if !matches!(answer.status, 200 | 503) {
                answer.ticket(&self.realm.issuer);
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("still let in: {why}");
    }
}

pub(crate) fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {value}"))
        .to_owned()
}
