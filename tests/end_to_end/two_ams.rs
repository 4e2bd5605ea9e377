//! Two embedded AMs: each owner has an AM of her or his own, and can move.

use std::time::Duration;

use crate::app::{admit, rpt};
use crate::host::HostOne;
use crate::person::{ALBUM, Answer, PHOTO, Person};

#[tokio::test]
async fn each_owner_has_an_am_of_her_own() {
    let host = HostOne::two_ams(&[]).await;
    let (one, two) = (host.am.clone(), host.second_am().to_owned());
    let (alice, bob, app) = (Person::new("alice"), Person::new("bob"), Person::new("app"));
    let (hers, his) = (host.at(PHOTO), host.at(&PHOTO.replace("alice", "bob")));
    alice.connect_to(&host, &one).await.expect(303);
    bob.connect_to(&host, &two).await.expect(303);
    alice.share(&host, PHOTO).await.expect(303);
    bob.share(&host, &PHOTO.replace("alice", "bob"))
        .await
        .expect(303);

    // Each is led to the AM of the owner, and to no other.
    app.get(&hers).await.ticket(&one);
    app.get(&his).await.ticket(&two);
    admit("carol", &alice, &alice.shared(&host).await[0]).await;
    admit("carol", &bob, &bob.shared(&host).await[0]).await;
    let from_one = rpt("carol", &app, &one, &app.get(&hers).await).await;
    let from_two = rpt("carol", &app, &two, &app.get(&his).await).await;
    app.call("GET", &hers, Some(&from_one)).await.expect(200);
    app.call("GET", &his, Some(&from_two)).await.expect(200);

    // What one AM grants opens nothing of an owner who is at the other.
    for _ in 0..2 {
        app.call("GET", &his, Some(&from_one)).await.ticket(&two);
        app.call("GET", &hers, Some(&from_two)).await.ticket(&one);
    }

    // Each AM knows its own owner's resource alone, and neither session ended the other.
    for (person, am, other) in [(&alice, &one, &two), (&bob, &two, &one)] {
        let page = person.get(&format!("{am}/policies")).await.expect(200);
        assert_eq!(page.body.matches("<h2>").count(), 1, "{}", page.body);
        let elsewhere = person.get(&format!("{other}/policies")).await;
        assert_eq!(elsewhere.status, 303, "not signed in there");
    }
    let (code, log, folder) = host.end().await;
    assert_eq!(code, Some(0), "{log}");
    let data = folder.path().join("host-one-data");
    for state in ["host-one.db.am.json", "host-one.db.second-am.json"] {
        assert!(data.join(state).is_file(), "{state}");
    }
}

/// The AM that a refusal leads to.
fn led_to(refused: &Answer) -> String {
    assert_eq!(refused.status, 401, "{}", refused.body);
    let challenge = refused.header("www-authenticate").unwrap();
    let (_, rest) = challenge.split_once("as_uri=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn an_owner_moves_and_at_every_moment_one_am_decides() {
    let host = HostOne::two_ams(&[]).await;
    let (one, two) = (host.am.clone(), host.second_am().to_owned());
    let (alice, app) = (Person::new("alice"), Person::new("app"));
    let photo = host.at(PHOTO);
    alice.connect_to(&host, &one).await.expect(303);
    for uri in [PHOTO, ALBUM, "/api/people/alice/personal/name"] {
        alice.share(&host, uri).await.expect(303);
    }
    let shared = alice.shared(&host).await;
    let resource = shared.iter().find(|resource| resource["uri"] == PHOTO);
    admit("carol", &alice, resource.unwrap()).await;
    let token = rpt("carol", &app, &one, &app.get(&photo).await).await;
    app.call("GET", &photo, Some(&token)).await.expect(200);

    // While she moves, somebody asks all the time, with the token of the old AM and without one.
    let watching = {
        let (photo, token, app) = (photo.clone(), token.clone(), app.clone());
        let (one, two) = (one.clone(), two.clone());
        tokio::spawn(async move {
            let mut seen = Vec::new();
            loop {
                let without = led_to(&app.get(&photo).await);
                let with = app.call("GET", &photo, Some(&token)).await;
                let by = match with.status {
                    200 => one.clone(),
                    _ => led_to(&with),
                };
                seen.extend([without, by.clone()]);
                if by == two {
                    return seen;
                }
            }
        })
    };
    let moving = alice.post(&host.at("/uma/move"), &[("am", &two)]).await;
    let back = alice.decide(moving.expect(303), &two, "allow").await;
    let moved = alice.get(back.as_str()).await.expect(303).location();
    assert_eq!(moved.path(), "/uma/connection", "{moved}");
    let seen = tokio::time::timeout(Duration::from_secs(20), watching).await;
    let seen = seen.expect("the move ends").unwrap();
    // First the one, from some moment on the other: never none, never both.
    let turn = seen.iter().position(|am| *am == two).unwrap();
    assert!(turn > 0, "it was watched before the move");
    let (before, after) = seen.split_at(turn);
    assert!(before.iter().all(|am| *am == one), "{seen:?}");
    assert!(after.iter().all(|am| *am == two), "{seen:?}");

    // All is at the new AM, under the same paths, and none of it admits anybody yet.
    let there = alice.shared(&host).await;
    assert_eq!(there.len(), 3);
    for resource in &there {
        assert_eq!(resource["am"], two.as_str());
        assert_eq!(resource["state"], "active");
    }
    app.call("GET", &photo, Some(&token)).await.ticket(&two);
    let resource = there.iter().find(|resource| resource["uri"] == PHOTO);
    admit("carol", &alice, resource.unwrap()).await;
    let token = rpt("carol", &app, &two, &app.get(&photo).await).await;
    app.call("GET", &photo, Some(&token)).await.expect(200);

    // The old AM is cleaned.
    for attempt in 0.. {
        let page = alice.get(&format!("{one}/policies")).await.expect(200);
        if page.body.contains("Nothing yet") {
            break;
        }
        assert!(attempt < 400, "the old AM is not cleaned: {}", page.body);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let connection = alice.get(&host.at("/uma/connection")).await.expect(200);
    assert!(connection.body.contains("AM two"), "{}", connection.body);
    assert!(!connection.body.contains("Still to be deleted"));
}
