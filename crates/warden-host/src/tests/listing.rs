//! Pages of what is shared.

use tower_warden::OwnerId;

use crate::testing::{FakeAm, alice, connect, host, share};
use crate::{ResourceQuery, ShareRequest, Standing};

#[tokio::test]
async fn what_is_shared_comes_in_pages() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    connect(&host, &OwnerId::new("bob")).await;
    for number in 0..25 {
        let name = format!(
            "{} {number:02}",
            if number < 10 { "SOMMER Ä" } else { "winter" }
        );
        host.share(
            &alice(),
            ShareRequest::new(format!("/people/alice/p{number:02}"), name),
        )
        .await
        .unwrap();
    }
    let bobs = ShareRequest::new("/people/bob/a", "Sommer");
    host.share(&OwnerId::new("bob"), bobs).await.unwrap();
    let page = async |query: ResourceQuery| host.resources_page(&alice(), &query).await.unwrap();
    let all = ResourceQuery::new().page_size(10);
    let first = page(all.clone()).await;
    assert_eq!(
        (first.matching, first.all, first.page, first.pages),
        (25, 25, 1, 3)
    );
    assert_eq!(first.resources.len(), 10);
    assert_eq!(first.resources[0].uri, "/people/alice/p00");
    assert_eq!(first.ams.len(), 1);
    let last = page(all.clone().page(99)).await;
    assert_eq!(
        (last.page, last.resources.len()),
        (3, 5),
        "one behind the last is the last"
    );
    let found = page(all.clone().search("  sommer ä ")).await;
    assert_eq!((found.matching, found.all), (10, 25));
    assert_eq!(
        page(all.clone().search("/P1")).await.matching,
        10,
        "paths, too"
    );
    for nothing in ["%", "_", "\\", "'", "bob", "sommer winter"] {
        assert_eq!(
            page(all.clone().search(nothing)).await.matching,
            0,
            "{nothing}"
        );
    }
    let other = uma_client::Issuer::parse(crate::testing::OTHER_AM).unwrap();
    assert_eq!(page(all.clone().am(other)).await.matching, 0);
    let here = first.ams[0].issuer.clone();
    assert_eq!(page(all.clone().am(here)).await.matching, 25);
    assert_eq!(
        page(all.clone().standing(Standing::Protected))
            .await
            .matching,
        25
    );

    am.fail("POST /resources", crate::testing::Fault::Unreachable);
    share(&host, "/people/alice/pending").await.unwrap_err();
    assert_eq!(
        page(all.clone().standing(Standing::Pending)).await.matching,
        1
    );
    assert_eq!(
        page(all.clone().standing(Standing::Problem)).await.matching,
        0
    );
    host.disconnect(&alice()).await.unwrap();
    assert_eq!(
        page(all.clone().standing(Standing::Problem)).await.matching,
        26
    );
    assert_eq!(
        page(all.clone().standing(Standing::Protected))
            .await
            .matching,
        0
    );
    host.stop_many(
        &alice(),
        &[
            "/people/alice/p00".into(),
            "/people/alice/p%300/".into(),
            "/people/bob/a".into(),
        ],
    )
    .await
    .unwrap();
    assert_eq!(page(all.clone()).await.all, 25);
    assert_eq!(host.stop_all(&alice()).await.unwrap().count, 25);
    let none = page(all).await;
    assert_eq!((none.all, none.pages, none.page), (0, 1, 1));
}

#[tokio::test]
async fn what_covers_a_path_is_found() {
    let am = FakeAm::default();
    let (host, _, _) = host(&am).await;
    connect(&host, &alice()).await;
    let whole = ShareRequest::new("/people/alice/a", "A").subtree(true);
    host.share(&alice(), whole).await.unwrap();
    share(&host, "/people/alice/a/b").await.unwrap();
    let covering = async |uri: &str| {
        let found = host.covering(&alice(), uri).await.unwrap();
        found.map(|found| found.uri)
    };
    for (uri, by) in [
        ("/people/alice/a", Some("/people/alice/a")),
        ("/people/alice/a/x/y", Some("/people/alice/a")),
        ("/people/alice/a/b", Some("/people/alice/a/b")),
        ("/people/alice/a/b/c", Some("/people/alice/a")),
        ("/people/alice", None),
    ] {
        assert_eq!(covering(uri).await.as_deref(), by, "{uri}");
    }
    let bob = OwnerId::new("bob");
    assert_eq!(host.covering(&bob, "/people/alice/a").await.unwrap(), None);
    assert!(host.covering(&bob, "/people//a").await.is_err());
}
