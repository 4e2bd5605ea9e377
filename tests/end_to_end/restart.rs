//! Nothing is lost when the host ends, however it ends.

use crate::am::Am;
use crate::host::HostOne;
use crate::person::{PHOTO, Person};

#[tokio::test]
async fn what_is_shared_outlives_the_process() {
    let am = Am::start().await;
    let port = {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        free.local_addr().unwrap().to_string()
    };
    let arguments = [
        "serve",
        "--listen",
        &port,
        "--am",
        &am.issuer,
        "--allow-insecure-am",
    ];
    let host = HostOne::start(tempfile::TempDir::new().unwrap(), &arguments).await;
    let (alice, app) = (Person::new("alice"), Person::new("app"));
    alice.connect(&host).await.expect(303);
    alice.share(&host, PHOTO).await.expect(303);
    let id = alice.shared(&host).await[0]["resource_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let rpt = am
        .script
        .issue_rpt("bob", "app", &[(&id, &["view"])])
        .unwrap();
    app.call("GET", &host.at(PHOTO), Some(&rpt))
        .await
        .expect(200);

    let folder = host.kill().await;
    let host = HostOne::start(folder, &arguments).await;
    app.get(&host.at(PHOTO)).await.ticket(&am.issuer);
    app.call("GET", &host.at(PHOTO), Some(&rpt))
        .await
        .expect(200);
    // The session goes on, and so does the connection.
    assert_eq!(alice.shared(&host).await.len(), 1);
    let other = "/api/people/alice/personal/name";
    alice.share(&host, other).await.expect(303);
    app.get(&host.at(other)).await.ticket(&am.issuer);

    let (code, log, folder) = host.end().await;
    assert_eq!(code, Some(0), "{log}");
    for file in std::fs::read_dir(folder.path().join("host-one-data")).unwrap() {
        let file = file.unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        let holds = |secret: &str| {
            bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        };
        assert!(!holds(&rpt), "an RPT in {:?}", file.file_name());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.metadata().unwrap().permissions().mode() & 0o077;
            assert_eq!(mode, 0, "{:?} can be read by others", file.file_name());
        }
    }
}

#[tokio::test]
async fn the_embedded_manager_outlives_the_process_too() {
    let free = async || {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        free.local_addr().unwrap().to_string()
    };
    let (host_port, am_port) = (free().await, free().await);
    let arguments = ["serve", "--listen", &host_port, "--am-listen", &am_port];
    let host = HostOne::start(tempfile::TempDir::new().unwrap(), &arguments).await;
    let alice = Person::new("alice");
    alice.connect(&host).await.expect(303);
    alice.share(&host, PHOTO).await.expect(303);
    let (code, _, folder) = host.end().await;
    assert_eq!(code, Some(0));
    let host = HostOne::start(folder, &arguments).await;
    Person::new("app")
        .get(&host.at(PHOTO))
        .await
        .ticket(&host.am);
    alice
        .share(&host, "/api/people/alice/personal/name")
        .await
        .expect(303);
    assert!(
        alice
            .shared(&host)
            .await
            .iter()
            .all(|resource| resource["state"] == "active")
    );
}

#[tokio::test]
async fn a_host_that_answers_elsewhere_can_still_be_connected() {
    let am = Am::start().await;
    let anywhere = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--am",
        &am.issuer,
        "--allow-insecure-am",
    ];
    let host = HostOne::start(tempfile::TempDir::new().unwrap(), &anywhere).await;
    Person::new("alice").connect(&host).await.expect(303);
    let (_, _, folder) = host.end().await;

    let host = HostOne::start(folder, &anywhere).await;
    Person::new("bob").connect(&host).await.expect(303);
    // The AM forgets everything: the host registers anew.
    am.script.forget_everything().unwrap();
    let carol = Person::new("carol");
    carol.connect(&host).await.expect(303);
    let field = "/api/people/carol/personal/name";
    carol.share(&host, field).await.expect(303);
    Person::new("app")
        .get(&host.at(field))
        .await
        .ticket(&am.issuer);
}
