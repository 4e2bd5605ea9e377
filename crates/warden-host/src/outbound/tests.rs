//! The rules against what was tried elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use reqwest::dns::Resolve as _;
use uma_client::{Limits, TransportError};

use super::*;

fn issuer(text: &str) -> Issuer {
    Issuer::parse(text).unwrap()
}

/// S-01: addresses in all spellings, private names, ports, schemes.
#[test]
fn only_public_names_are_brought() {
    let rules = Outbound::new();
    for good in [
        "https://am.example.org",
        "https://am.example.org/realms/x",
        "https://am.example.org:443/uma",
        "https://mylocal.example",
        "https://xn--mnchen-3ya.example",
    ] {
        assert!(rules.issuer(good).is_ok(), "{good}");
    }
    let mut texts = Vec::new();
    for bad in [
        "http://am.example.org",
        "https://am.example.org:8443",
        "https://am.example.org:22",
        "https://localhost",
        "https://am.localhost",
        "https://AM.LocalHost.",
        "https://am",
        "https://printer.local",
        "https://router.lan",
        "https://x.home.arpa",
        "https://metadata.google.internal",
        "https://127.0.0.1",
        "https://2130706433",
        "https://0x7f.1",
        "https://0177.0.0.1",
        "https://0x7f000001",
        "https://127.1",
        "https://0",
        "https://0.0.0.0",
        "https://169.254.169.254",
        "https://１２７.0.0.1",
        "https://①②⑦.0.0.1",
        "https://127。0。0。1",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[64:ff9b::7f00:1]",
        "https://1.1.1.1",
        "https://u:p@am.example.org",
        "https://am.example.org@evil.example.org:81",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "",
    ] {
        let error = rules.issuer(bad).unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::UnknownAm, Some("am")),
            "{bad}"
        );
        texts.push(error.to_string());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "one text for all");
}

#[test]
fn the_operator_narrows_and_widens() {
    let rules = Outbound::new()
        .only_hosts(["am.example.org", "*.trusted.example"])
        .allow_port(8443)
        .allow_endpoints_on(["login.example.org"]);
    for (text, allowed) in [
        ("https://am.example.org", true),
        ("https://am.example.org:8443", true),
        ("https://a.b.trusted.example", true),
        ("https://trusted.example", false),
        ("https://nottrusted.example", false),
        ("https://other.example.org", false),
    ] {
        assert_eq!(rules.issuer(text).is_ok(), allowed, "{text}");
    }
    let am = issuer("https://am.example.org");
    let call = |text: &str| rules.check_call(&am, &text.parse().unwrap()).is_ok();
    assert!(call("https://am.example.org/token"));
    assert!(call("https://login.example.org/token"));
    assert!(
        !call("https://a.trusted.example/token"),
        "an AM, not an endpoint"
    );
    assert!(!call("http://login.example.org/token"));
    assert!(!call("https://login.example.org:9000/token"));
}

#[test]
fn this_machine_is_for_development_alone() {
    let rules = Outbound::new().danger_allow_loopback();
    for good in [
        "http://127.0.0.1:8081",
        "http://localhost:8081/uma",
        "http://[::1]:9",
    ] {
        assert!(rules.issuer(good).is_ok(), "{good}");
    }
    for bad in [
        "http://10.0.0.1",
        "https://192.168.0.1",
        "http://am.example.org",
    ] {
        assert!(rules.issuer(bad).is_err(), "{bad}");
    }
}

/// S-01, S-04: what metadata name is looked at at every call.
#[tokio::test]
async fn every_call_is_looked_at() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let inner = Http::new(move |_: Request<Bytes>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, TransportError>(Response::new(Bytes::new())) }
    });
    let rules = Arc::new(Outbound::new());
    let http = Http::new(Vetted::new(inner, issuer("https://am.example.org"), rules));
    let send = async |uri: &str| {
        let request = Request::get(uri).body(Bytes::new()).unwrap();
        http.send(request, Limits::default()).await
    };
    assert!(send("https://am.example.org/token").await.is_ok());
    for bad in [
        "https://127.0.0.1/token",
        "https://other.example.org/token",
        "https://am.example.org:444/token",
        "http://am.example.org/token",
        "https://0x7f.1/token",
    ] {
        assert!(send(bad).await.is_err(), "{bad}");
    }
    assert_eq!(sent.load(Ordering::SeqCst), 1);
}

/// S-02, S-03: all addresses of a name, each time it is resolved.
#[tokio::test]
async fn a_name_is_as_private_as_its_worst_address() {
    let round = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&round);
    let dns = PublicDns::with(false, move |name| {
        let round = counted.fetch_add(1, Ordering::SeqCst);
        let found: Vec<SocketAddr> = match name.as_str() {
            "both.example" => vec!["1.1.1.1:0", "10.0.0.1:0"],
            "mapped.example" => vec!["[::ffff:10.0.0.1]:0"],
            "rebinds.example" if round.is_multiple_of(2) => vec!["1.1.1.1:0"],
            "rebinds.example" => vec!["127.0.0.1:0"],
            "none.example" => vec![],
            _ => vec!["1.1.1.1:0", "[2606:4700::1111]:0"],
        }
        .into_iter()
        .map(|text| text.parse().unwrap())
        .collect();
        Box::pin(async move { Ok(found) })
    });
    let resolve = async |name: &str| {
        dns.resolve(name.parse().unwrap())
            .await
            .map(Iterator::count)
    };
    assert_eq!(resolve("am.example").await.unwrap(), 2);
    for bad in ["both.example", "mapped.example", "none.example"] {
        assert!(resolve(bad).await.is_err(), "{bad}");
    }
    round.store(0, Ordering::SeqCst);
    assert!(resolve("rebinds.example").await.is_ok());
    assert!(
        resolve("rebinds.example").await.is_err(),
        "the next connection"
    );
    let system = PublicDns::new(false);
    assert!(system.resolve("localhost".parse().unwrap()).await.is_err());
    let development = PublicDns::new(true);
    assert!(
        development
            .resolve("localhost".parse().unwrap())
            .await
            .is_ok()
    );
}

/// The real transport, against a server of this machine: it never gets there.
#[tokio::test]
async fn the_transport_refuses_private_names_by_itself() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let http = Outbound::new().http().unwrap();
    for uri in [
        format!("https://localhost:{port}/"),
        format!("http://localhost:{port}/"),
    ] {
        let request = Request::get(&uri).body(Bytes::new()).unwrap();
        assert!(
            http.send(request, Limits::default()).await.is_err(),
            "{uri}"
        );
    }
    let came = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
    assert!(came.is_err(), "nobody came");
}
