//! Pages of other origins: what they may call, and what they may not send.

use crate::host::HostOne;
use crate::person::{PHOTO, Person};

const APP: &str = "https://app.example";

#[tokio::test]
async fn an_allowed_origin_reads_challenges_and_others_do_not() {
    let host = HostOne::embedded(&["--database", "sqlite::memory:", "--allow-origin", APP]).await;
    let alice = Person::new("alice");
    alice.connect(&host).await.expect(303);
    alice.share(&host, PHOTO).await.expect(303);
    let app = Person::new("app");
    let from = |origin: &str, method: &str| {
        let method = method.parse().unwrap();
        app.client
            .request(method, host.at(PHOTO))
            .header("origin", origin)
    };

    let preflight = from(APP, "OPTIONS")
        .header("access-control-request-method", "PUT")
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        );
    let preflight = app.send(preflight).await.expect(200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some(APP));
    let allowed = preflight.header("access-control-allow-headers").unwrap();
    assert!(
        allowed.contains("authorization") && allowed.contains("content-type"),
        "{allowed}"
    );
    assert!(
        preflight
            .header("access-control-allow-methods")
            .unwrap()
            .contains("PUT")
    );

    for method in ["GET", "PUT"] {
        let refused = app.send(from(APP, method)).await;
        refused.ticket(&host.am);
        assert_eq!(refused.header("access-control-allow-origin"), Some(APP));
        let exposed = refused
            .header("access-control-expose-headers")
            .unwrap()
            .to_lowercase();
        for field in ["www-authenticate", "warning", "retry-after"] {
            assert!(exposed.contains(field), "{exposed}");
        }
    }
    // It may call the API with a token, and nothing else: no sign-in, and not through the owner's own door.
    let form = [("username", "alice"), ("password", "alice")];
    let sign_in = app.client.post(host.at("/login")).form(&form);
    app.send(sign_in.header("origin", APP)).await.expect(403);
    let hers = alice.client.put(host.at(PHOTO)).body("defaced");
    alice
        .send(hers.header("origin", APP))
        .await
        .ticket(&host.am);
    let stranger = app.send(from("https://evil.example", "GET")).await;
    assert_eq!(stranger.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_page_of_another_site_can_not_act_for_the_owner() {
    let host = HostOne::embedded(&["--database", "sqlite::memory:"]).await;
    let alice = Person::new("alice");
    alice.connect(&host).await.expect(303);
    alice.share(&host, PHOTO).await.expect(303);
    let foreign = [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    for (name, value) in foreign {
        let form = [("uri", PHOTO)];
        let stop = alice
            .client
            .post(host.at("/uma/stop-sharing"))
            .form(&form)
            .header(name, value);
        alice.send(stop).await.expect(403);
        let put = alice
            .client
            .put(host.at(PHOTO))
            .body("defaced")
            .header(name, value);
        // The cookie counts for nothing then: it is a request without a token.
        alice.send(put).await.ticket(&host.am);
    }
    assert_eq!(alice.shared(&host).await.len(), 1);
    assert_eq!(
        alice.get(&host.at(PHOTO)).await.json()["value"],
        "summer: the beach"
    );
    let own = alice
        .client
        .put(host.at(PHOTO))
        .body("changed")
        .header("origin", &host.url);
    alice.send(own).await.expect(200);
}
