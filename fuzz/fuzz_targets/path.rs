//! The one reading of a path: it never panics, is idempotent, and agrees with a reader that decodes once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_warden::CanonicalPath;

fuzz_target!(|raw: &str| {
    let Ok(path) = CanonicalPath::parse(raw) else {
        return;
    };
    let uri = path.to_uri();
    let again = CanonicalPath::parse(&uri).expect("what was read can be written");
    assert_eq!(again.as_key(), path.as_key());
    for segment in path.segments() {
        assert!(!segment.is_empty() && segment != "." && segment != "..");
        assert!(!segment.contains(['/', '\\', '\0']));
    }
    assert_eq!(
        path.as_key() == "/",
        path.segments().next().is_none(),
        "only the root has no segments"
    );
});
