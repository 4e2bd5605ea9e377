//! The forms and pages, as a script with a cookie jar walks them.

use crate::host::HostOne;
use crate::person::{PHOTO, Person};

#[tokio::test]
async fn only_an_owner_shares_and_only_what_is_guarded() {
    let host = HostOne::embedded(&["--database", "sqlite::memory:"]).await;
    let (alice, bob, nobody) = (
        Person::new("alice"),
        Person::new("bob"),
        Person::new("nobody"),
    );
    alice.connect(&host).await.expect(303);
    bob.sign_in(&host).await;
    let share = async |who: &Person, uri: &str| who.share(&host, uri).await.status;

    assert!(matches!(share(&nobody, PHOTO).await, 303 | 401));
    assert_eq!(share(&bob, PHOTO).await, 403);
    assert_eq!(share(&alice, "/api/people/bob/personal/name").await, 403);
    for uri in [
        "/",
        "/uma/resources",
        "/elsewhere/alice",
        "/api/people",
        "/api/people/alice/../bob/personal/name",
        "//api/people/alice/personal/name",
        "/api/people/alice%2Fpersonal/name",
        "no path",
        "",
        "https://evil.example/api/people/alice",
    ] {
        let status = share(&alice, uri).await;
        assert!((400..=422).contains(&status), "{uri}: {status}");
    }
    assert!(alice.shared(&host).await.is_empty());
    // What was asked for without a connection is led to one, and nothing is shared.
    let led = bob
        .share(&host, "/api/people/bob/personal/name")
        .await
        .expect(303);
    assert!(
        led.location().path().starts_with("/uma/connect"),
        "{:?}",
        led.location()
    );
    assert!(bob.shared(&host).await.is_empty());
}

#[tokio::test]
async fn sharing_twice_shares_once() {
    let host = HostOne::embedded(&["--database", "sqlite::memory:"]).await;
    let alice = Person::new("alice");
    alice.connect(&host).await.expect(303);
    let sharing: Vec<_> = (0..8)
        .map(|_| {
            let alice = alice.clone();
            let url = host.at("/uma/register-resource");
            tokio::spawn(async move {
                alice
                    .post(&url, &[("uri", PHOTO), ("resource_name", "The beach")])
                    .await
                    .status
            })
        })
        .collect();
    for share in sharing {
        assert_eq!(share.await.unwrap(), 303);
    }
    let list = alice.shared(&host).await;
    assert_eq!(list.len(), 1);
    let id = list[0]["resource_id"].as_str().unwrap();
    let page = alice
        .get(&format!("{}/policies", host.am))
        .await
        .expect(200);
    assert_eq!(
        page.body.matches("/policies/").count()
            - page.body.matches(&format!("/policies/{id}")).count(),
        0,
        "one at the AM"
    );
}

#[tokio::test]
async fn the_mini_panel_says_how_things_stand() {
    let host = HostOne::embedded(&["--database", "sqlite::memory:"]).await;
    let alice = Person::new("alice");
    let panel = host.at(&format!(
        "/internal/uma_mini_panel?uri={PHOTO}&name=The%20beach"
    ));
    assert!(matches!(alice.get(&panel).await.status, 303 | 401));
    alice.connect(&host).await.expect(303);
    let before = alice.get(&panel).await.expect(200);
    assert!(before.body.contains("Not protected"), "{}", before.body);
    assert!(before.body.contains("/uma/register-resource") || before.body.contains("/uma/share"));
    assert!(
        before
            .header("content-security-policy")
            .unwrap()
            .contains("frame-ancestors")
    );
    alice.share(&host, PHOTO).await.expect(303);
    let after = alice.get(&panel).await.expect(200);
    assert!(after.body.contains("stop-sharing"), "{}", after.body);
    let policy = alice.shared(&host).await[0]["policy_uri"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(after.body.contains(&policy), "the settings link");
    let foreign = host.at("/internal/uma_mini_panel?uri=/api/people/bob/personal/name&name=x");
    alice.get(&foreign).await.expect(403);
}

#[tokio::test]
async fn what_comes_back_from_the_am_must_have_been_begun_here() {
    let host = HostOne::embedded(&["--database", "sqlite::memory:"]).await;
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    alice.sign_in(&host).await;
    bob.sign_in(&host).await;
    let back = alice.consent(&host, "allow").await;
    // Without a session, or with another state: refused, and nothing is used up.
    assert!(matches!(
        Person::new("nobody").get(back.as_str()).await.status,
        303 | 401
    ));
    let change = |name: &str, value: &str| {
        let mut url = back.clone();
        let pairs: Vec<_> = back
            .query_pairs()
            .map(|(key, old)| {
                let new = if key == name {
                    value.to_owned()
                } else {
                    old.into_owned()
                };
                (key.into_owned(), new)
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        url
    };
    alice
        .get(change("state", "other").as_str())
        .await
        .expect(400);
    alice.get(back.as_str()).await.expect(303);
    // Once is enough.
    alice.get(back.as_str()).await.expect(400);
    // A state that turns up in another's session is out of its owner's hands: it is good for nobody.
    let stolen = alice.consent(&host, "allow").await;
    bob.get(stolen.as_str()).await.expect(400);
    alice.get(stolen.as_str()).await.expect(400);
    let declined = Person::new("carol");
    declined.sign_in(&host).await;
    let back = declined.consent(&host, "deny").await;
    let page = declined.get(back.as_str()).await;
    assert_eq!(page.status, 403, "{}", page.body);
    let mut wrong = declined.consent(&host, "allow").await;
    let pairs: Vec<_> = wrong
        .query_pairs()
        .map(|(key, value)| {
            (
                key.to_string(),
                if key == "iss" {
                    "https://evil.example".into()
                } else {
                    value.to_string()
                },
            )
        })
        .collect();
    wrong.query_pairs_mut().clear().extend_pairs(pairs);
    let mixed_up = declined.get(wrong.as_str()).await;
    assert!(
        (400..=502).contains(&mixed_up.status),
        "{}",
        mixed_up.status
    );
    let led = declined
        .share(&host, "/api/people/carol/personal/name")
        .await
        .expect(303);
    assert!(led.location().path().starts_with("/uma/connect"));
}

#[tokio::test]
async fn odd_forms_get_a_clear_answer_and_change_nothing() {
    let host = HostOne::embedded(&["--database", "sqlite::memory:"]).await;
    let alice = Person::new("alice");
    alice.connect(&host).await.expect(303);
    let long = "x".repeat(300);
    for form in [
        vec![("resource_name", "no uri")],
        vec![("uri", PHOTO)],
        vec![("uri", PHOTO), ("resource_name", "")],
        vec![("uri", PHOTO), ("resource_name", long.as_str())],
        vec![("uri", PHOTO), ("resource_name", "x"), ("scopes", "a b\"c")],
        vec![
            ("uri", PHOTO),
            ("resource_name", "x"),
            ("icon_uri", "javascript:alert(1)"),
        ],
        vec![
            ("uri", PHOTO),
            ("uri", "/api/people/alice/personal/name"),
            ("resource_name", "x"),
        ],
    ] {
        let answer = alice.post(&host.at("/uma/register-resource"), &form).await;
        assert!(
            (400..=422).contains(&answer.status),
            "{form:?}: {}",
            answer.status
        );
    }
    let json = alice
        .client
        .post(host.at("/uma/register-resource"))
        .header("content-type", "application/json")
        .body("{}");
    assert!((400..=415).contains(&alice.send(json).await.status));
    let huge = alice
        .client
        .post(host.at("/uma/register-resource"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("a".repeat(100_000));
    assert_eq!(alice.send(huge).await.status, 413);
    assert!(alice.shared(&host).await.is_empty());
    let open = [
        ("username", "alice"),
        ("password", "alice"),
        ("return_to", "//evil.example/"),
    ];
    let signed_in = alice.post(&host.at("/login"), &open).await.expect(303);
    assert_eq!(signed_in.location().as_str(), host.at("/"));
    alice
        .post(
            &host.at("/login"),
            &[("username", "alice"), ("password", "bob")],
        )
        .await
        .expect(401);
    let out = alice.post(&host.at("/logout"), &[]).await.expect(303);
    assert_eq!(out.location().path(), "/");
    alice.get(&host.at(PHOTO)).await.expect(403);
}
