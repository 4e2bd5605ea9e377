//! The command line: one ready line, a quiet end, and one clear line for what is wrong.

use tokio::net::TcpListener;

use crate::host::{HostOne, run};

#[tokio::test]
async fn it_says_when_it_is_ready_and_ends_quietly() {
    let host = HostOne::embedded(&[]).await;
    assert!(host.url.starts_with("http://127.0.0.1:"));
    let metadata = reqwest::get(format!("{}/.well-known/uma2-configuration", host.am))
        .await
        .unwrap();
    assert_eq!(metadata.status(), 200);
    let (code, _, folder) = host.end().await;
    assert_eq!(code, Some(0));
    let mut written: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    written.sort();
    assert_eq!(written, ["host-one-data"], "nothing but the data folder");
}

#[tokio::test]
async fn in_memory_it_leaves_nothing_behind() {
    let host = HostOne::embedded(&["--database", "sqlite::memory:"]).await;
    let (code, _, folder) = host.end().await;
    assert_eq!(code, Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// One line on stderr, and a code that is not zero.
async fn complaint(arguments: &[&str]) -> String {
    let ended = run(arguments).await;
    assert_ne!(ended.code, Some(0), "{arguments:?}");
    assert_eq!(ended.stdout, "", "{arguments:?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let [line] = lines.as_slice() else {
        panic!("{arguments:?}: {}", ended.stderr)
    };
    (*line).to_owned()
}

#[tokio::test]
async fn what_is_wrong_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let in_use = complaint(&["serve", "--listen", &address]).await;
    assert!(
        in_use.contains(&address) && in_use.contains("--listen"),
        "{in_use}"
    );
    let in_use = complaint(&["serve", "--listen", "127.0.0.1:0", "--am-listen", &address]).await;
    assert!(
        in_use.contains(&address) && in_use.contains("--am-listen"),
        "{in_use}"
    );
    let in_use = complaint(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--am-listen",
        "127.0.0.1:0",
        "--second-am",
        "--second-am-listen",
        &address,
    ])
    .await;
    assert!(
        in_use.contains(&address) && in_use.contains("--second-am-listen"),
        "{in_use}"
    );

    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let any = ["--listen", "127.0.0.1:0", "--database", "sqlite::memory:"];
    let with = |more: &[&'static str]| [&any[..], more].concat();
    let unreachable =
        complaint(&[&any[..], &["--am", &nobody, "--allow-insecure-am"]].concat()).await;
    assert!(unreachable.contains(&nobody), "{unreachable}");
    let insecure = complaint(&[&any[..], &["--am", &nobody]].concat()).await;
    assert!(insecure.contains("--allow-insecure-am"), "{insecure}");

    for (arguments, part) in [
        (with(&["--am", "nonsense"]), "--am"),
        (with(&["--nonsense"]), "--nonsense"),
        (with(&["--cache-ttl", "forever"]), "--cache-ttl"),
        (
            vec!["--database", "sqlite:///proc/nowhere/x.db"],
            "/proc/nowhere",
        ),
    ] {
        let line = complaint(&arguments).await;
        assert!(
            line.starts_with("host-one: ") && line.contains(part),
            "{line}"
        );
    }
}

#[tokio::test]
async fn options_come_from_the_environment_too() {
    // Through `env`, so that the test's own environment stays as it is.
    let folder = tempfile::TempDir::new().unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_host-one"))
        .env("HOST_ONE_LISTEN", "nonsense")
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("--listen"), "{line}");
}
