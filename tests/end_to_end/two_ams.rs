//! Two embedded AMs: each owner has an AM of her or his own.

use crate::app::{admit, rpt};
use crate::host::HostOne;
use crate::person::{PHOTO, Person};

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
