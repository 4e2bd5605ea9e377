//! `docs/keycloak.md`, walked as a newcomer would: the marked blocks, run as they stand there.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::person::PHOTO;
use crate::realm::{Realm, plain};
use crate::server::{Server, project};
use crate::shared::Sharing;
use crate::tools::{Ran, program, ran};

/// The block behind `<!-- run: NAME -->`.
fn block(name: &str) -> String {
    let page = std::fs::read_to_string(project().join("docs/keycloak.md")).unwrap();
    let (_, rest) = page
        .split_once(&format!("<!-- run: {name} -->\n```sh\n"))
        .unwrap_or_else(|| panic!("no block {name}"));
    rest.split_once("```").unwrap().0.to_owned()
}

/// Runs blocks one after the other in one shell.
async fn run(blocks: &[&str], environment: &[(&str, &str)]) -> Ran {
    let text: String = blocks.iter().map(|name| block(name)).collect();
    let mut shell = Command::new("bash");
    shell
        .args(["-c", &text])
        .current_dir(project())
        .envs(environment.iter().copied());
    ran(&mut shell).await
}

struct Quickstart {
    url: String,
    child: Child,
}

impl Quickstart {
    async fn start(realm: &str) -> Self {
        let mut child = Command::new(program("keycloak-quickstart").await)
            .env("REALM", realm)
            .env("LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it listens");
                if let Some(url) = line.strip_prefix("listening on ") {
                    return url.to_owned();
                }
            }
        };
        let url = tokio::time::timeout(Duration::from_secs(60), listening).await;
        Self {
            url: url.expect("it starts"),
            child,
        }
    }
}

#[tokio::test]
async fn ten_minutes() {
    let Some(server) = Server::shared().await else {
        return;
    };
    let realm = Realm::named(&server, "garden");
    realm.delete().await;
    let port = server.port.to_string();
    let here = [("WARDEN_KEYCLOAK_PORT", port.as_str())];
    let walked = run(&["start", "realm", "doctor"], &here).await.expect(0);
    assert!(
        walked.stdout.contains("The profile `keycloak` fits"),
        "{walked:?}"
    );

    // The quickstart; started twice, it takes the resources that are there.
    let mut first = Quickstart::start(&realm.issuer).await;
    let refused = plain()
        .get(format!("{}/notes/garden", first.url))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    first.child.kill().await.unwrap();
    let service = Quickstart::start(&realm.issuer).await;
    let permitted = run(&["start", "permit"], &here).await.expect(0);
    assert!(permitted.stdout.contains("bob reads"), "{permitted:?}");
    let note = format!("{}/notes/garden", service.url);
    let asking = [here[0], ("URL", note.as_str())];
    let seen = run(&["requester"], &asking).await.expect(0);
    assert_eq!(
        seen.stdout,
        "the note on the garden, for one who may view\n"
    );
    let other = format!("{}/notes/house", service.url);
    let asking = [here[0], ("URL", other.as_str())];
    let asked = run(&["requester"], &asking).await.expect(0);
    assert_eq!(
        asked.stdout,
        "\"error_description\":\"request_submitted\"\n"
    );
    let unmapped = format!("{}/notes/cellar", service.url);
    assert_eq!(plain().get(unmapped).send().await.unwrap().status(), 404);

    // Host One.
    let sharing = Sharing::at(realm, &[]).await;
    let id = sharing.share(PHOTO).await;
    let photo = sharing.host.at(PHOTO);
    let asking = [here[0], ("URL", photo.as_str())];
    let asked = run(&["requester"], &asking).await.expect(0);
    assert_eq!(
        asked.stdout,
        "\"error_description\":\"request_submitted\"\n"
    );
    assert_eq!(sharing.realm.approve("alice", &id).await, 1);
    let seen = run(&["requester"], &asking).await.expect(0);
    assert!(seen.stdout.contains("summer: the beach"), "{seen:?}");
}

/// What the page promises of its length.
#[test]
fn the_quickstart_is_short() {
    let file = project().join("examples/keycloak-quickstart/src/main.rs");
    let lines = std::fs::read_to_string(file).unwrap().lines().count();
    assert!(lines < 80, "{lines} lines");
}
