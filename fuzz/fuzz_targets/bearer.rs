//! A request with any path and any `Authorization` fields: it is judged without a panic, and never granted by an AM that
//! knows no token.
#![no_main]

use std::sync::{Arc, LazyLock};

use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use tower_warden::{
    Access, Am, Audience, CanonicalPath, Engine, Evidence, MemoryMaps, OwnerId, Protection,
    ProtectionError, ProtectionErrorKind, RequestHead, Requirements, ResourceMap, Rpt, Unmapped,
    Verdict, WardenLayer,
};
use uma_client::{Issuer, PermissionOutcome, ResourceId, Scopes};

struct Knows;

impl Protection for Knows {
    async fn verify(&self, _: &Requirements, _: &Rpt) -> Result<Evidence, ProtectionError> {
        Ok(Evidence::Inactive)
    }

    async fn request_permission(&self, _: &Requirements) -> Result<PermissionOutcome, ProtectionError> {
        Err(ProtectionError::new(ProtectionErrorKind::Refused))
    }
}

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let am = Arc::new(Am::new(Issuer::parse("https://am.example").unwrap(), Audience::NotChecked));
    let maps = MemoryMaps::new();
    maps.insert(
        ResourceMap::new(
            CanonicalPath::parse("/a").unwrap(),
            OwnerId::new("alice"),
            am,
            ResourceId::parse("r").unwrap(),
            Scopes::parse(["view"]).unwrap(),
        )
        .with_subtree(true),
    );
    let layer = WardenLayer::builder().maps(maps).protection(Knows).guard("/", Unmapped::Deny);
    layer.outermost().build().unwrap().engine().clone()
});

fuzz_target!(|input: (&str, Vec<&[u8]>)| {
    let (path, fields) = input;
    let mut headers = HeaderMap::new();
    for field in fields {
        if let Ok(value) = HeaderValue::from_bytes(field) {
            headers.append("authorization", value);
        }
    }
    let extensions = http::Extensions::new();
    let head = RequestHead::new(path, &Method::GET, &headers, &extensions);
    if let Ok(verdict) = ENGINE.judge(&head).into_ready() {
        assert!(!matches!(verdict, Verdict::Pass(_) | Verdict::Allow(Access::Granted(_) | Access::Unmapped)));
    }
});
