//! Odd request targets over a raw socket: no spelling of a shared path gets past Warden.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::host::HostOne;
use crate::person::{ALBUM, Person};

async fn raw(host: &HostOne, target: &str, fields: &str) -> (u16, String) {
    let address = host.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    (status, answer)
}

#[tokio::test]
async fn no_spelling_of_a_shared_path_gets_past() {
    let host = HostOne::embedded(&["--database", "sqlite::memory:"]).await;
    let alice = Person::new("alice");
    alice.connect(&host).await.expect(303);
    let form = [
        ("uri", ALBUM),
        ("resource_name", "Summer"),
        ("subtree", "on"),
    ];
    alice
        .post(&host.at("/uma/register-resource"), &form)
        .await
        .expect(303);

    for (target, expected) in [
        ("/api/people/alice/albums/summer", 401),
        ("/api/people/alice/albums/summer/", 401),
        ("/api/people/%61lice/albums/summer", 401),
        ("/api/people/alice/albums/%73ummer/photos/1", 401),
        ("/api/people/alice/albums/summer?x=/../", 401),
        ("/api/people/alice/albums/summer#fragment", 401),
        ("http://evil.example/api/people/alice/albums/summer", 401),
        ("/%61pi/people/alice/albums/summer", 401),
        ("//api/people/alice/albums/summer", 400),
        ("/api//people/alice/albums/summer", 400),
        ("/api/people/alice/albums/./summer", 400),
        ("/api/people/alice/albums/winter/../summer", 400),
        ("/api/people/alice/albums/winter/%2e%2e/summer", 400),
        ("/api/people/alice/albums/winter/..%2fsummer", 400),
        ("/api/people/alice/albums%2Fsummer", 400),
        ("/api/people/alice/albums%5csummer", 400),
        ("/api/people/alice/albums/summer%00", 400),
        ("/api/people/alice/albums/summer;v=1", 400),
        ("/api/people/alice/albums/%2573ummer", 400),
        ("/api/people/alice/albums/summer%zz", 400),
        ("/api/people/alice/albums/summer%ff", 400),
        ("/x/..;/api/people/alice/albums/summer", 400),
        ("/uma/../api/people/alice/albums/summer", 400),
    ] {
        let (status, answer) = raw(&host, target, "").await;
        assert_eq!(status, expected, "{target}: {answer}");
        assert!(!answer.contains("host-one-handler"), "{target}");
    }
    // A handler that runs has been told of another object, by its own spelling.
    for target in [
        "/api/people/ALICE/albums/summer",
        "/api/people/alice/albums/Summer",
    ] {
        let (status, answer) = raw(&host, target, "").await;
        assert_eq!(status, 403, "{target}");
        assert!(answer.contains("host-one-handler"));
    }
    let bearer = "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n";
    assert_eq!(raw(&host, ALBUM, bearer).await.0, 400);
    assert_eq!(
        raw(&host, ALBUM, "Authorization: Bearer a b\r\n").await.0,
        400
    );
    let long = format!("Authorization: Bearer {}\r\n", "a".repeat(9000));
    assert_eq!(raw(&host, ALBUM, &long).await.0, 400);
    assert_eq!(
        raw(
            &host,
            ALBUM,
            "X-HTTP-Method-Override: OPTIONS\r\nX-Original-URL: /\r\n"
        )
        .await
        .0,
        401
    );
    assert_eq!(
        raw(&host, "/login/x%2Fy", "").await.0,
        404,
        "no guard covers it: the router's own answer"
    );
}
