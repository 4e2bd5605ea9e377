use super::*;
use proptest::prelude::*;

fn kind(raw: &str) -> Option<PathErrorKind> {
    CanonicalPath::parse(raw).err().map(|error| error.kind())
}

#[test]
fn keys_are_decoded_segments() {
    for (raw, key) in [
        ("/", "/"),
        ("/a", "/a"),
        ("/a/", "/a"),
        ("/a/b", "/a/b"),
        ("/%61", "/a"),
        ("/a%20b", "/a b"),
        ("/al%40x", "/al@x"),
        ("/%C3%A9", "/é"),
        ("/é", "/é"),
        ("/a+b", "/a+b"),
        ("/100%25", "/100%"),
        ("/100%25a", "/100%a"),
        ("/100%25za", "/100%za"),
        ("/a;v=1", "/a;v=1"),
        ("/...", "/..."),
        ("/.hidden", "/.hidden"),
        ("/%3F%23", "/?#"),
        ("/\u{a0}", "/\u{a0}"),
    ] {
        assert_eq!(CanonicalPath::parse(raw).unwrap().as_key(), key, "{raw}");
    }
}

#[test]
fn nothing_is_repaired() {
    use PathErrorKind::*;
    for (raw, expected) in [
        ("", NotAbsolute),
        ("*", NotAbsolute),
        ("a/b", NotAbsolute),
        ("//", EmptySegment),
        ("//a", EmptySegment),
        ("/a//", EmptySegment),
        ("/a//b", EmptySegment),
        ("/.", DotSegment),
        ("/a/..", DotSegment),
        ("/a/../b", DotSegment),
        ("/%2e%2E/b", DotSegment),
        ("/.%2e/b", DotSegment),
        ("/a%2Fb", Separator),
        ("/a%2fb", Separator),
        ("/a%5Cb", Separator),
        ("/a\\b", Separator),
        ("/a%00", Control),
        ("/a%0A", Control),
        ("/a%7f", Control),
        ("/a%C2%85", Control),
        ("/a\u{85}", Control),
        ("/a%", MalformedEscape),
        ("/a%2", MalformedEscape),
        ("/a%zz", MalformedEscape),
        ("/a%/b", MalformedEscape),
        ("/%ff", NotUtf8),
        ("/a%252Fx", DoubleEncoded),
        ("/%2541", DoubleEncoded),
    ] {
        assert_eq!(kind(raw), Some(expected), "{raw}");
    }
    assert_eq!(kind(&format!("/{}", "a".repeat(8191))), None);
    assert_eq!(kind(&format!("/{}", "a".repeat(8192))), Some(TooLong));
    assert_eq!(kind(&"/a".repeat(128)), None);
    assert_eq!(kind(&"/a".repeat(129)), Some(TooManySegments));
}

#[test]
fn a_path_without_escapes_is_borrowed() {
    let path = CanonicalPath::parse("/people/alice/").unwrap();
    assert!(matches!(path.key, Cow::Borrowed("/people/alice")));
}

/// What the look calls plain is not looked at again; were an ordinary path not plain, it would be read twice.
#[test]
fn ordinary_paths_are_plain_at_a_look() {
    for rest in ["a", "people/alice/photo.jpg", "a.b/c..d/~e", "a-b_c@d+e;f"] {
        let look = Look::at(rest.as_bytes());
        assert!(look.plain && !look.escapes, "{rest}");
        assert_eq!(look.slashes, rest.matches('/').count());
    }
    for rest in [
        "", "a/", "a//b", ".a", "a/.b", "a\\b", "a\u{1f}", "a\u{7f}", "\u{80}",
    ] {
        assert!(!Look::at(rest.as_bytes()).plain, "{rest:?}");
    }
    assert!(Look::at(b"a%41").escapes);
}

#[test]
fn paths_and_errors_say_what_they_are() {
    let path = CanonicalPath::parse("/a%20b/").unwrap();
    assert_eq!(format!("{path:?}"), r#"CanonicalPath("/a b")"#);
    assert_eq!(path.to_string(), "/a%20b");
    let error = CanonicalPath::parse("/a//b").unwrap_err();
    assert_eq!(error.to_string(), "the path holds an empty segment (`//`)");
}

#[test]
fn ancestry_goes_by_segments() {
    let path = |raw| CanonicalPath::parse(raw).unwrap();
    assert!(path("/api").is_at_or_below(&path("/api")));
    assert!(path("/api/x").is_at_or_below(&path("/api/")));
    assert!(path("/api").is_at_or_below(&path("/")));
    assert!(!path("/apix").is_at_or_below(&path("/api")));
    assert!(!path("/").is_at_or_below(&path("/api")));
}

#[test]
fn every_listed_reading_is_found_below_the_prefix() {
    for raw in [
        "/api/a%2Fb",
        "//api/x",
        "/api//x",
        "/./api",
        "/x/../api",
        "/x/%2e%2e/api",
        "/x/..;/api",
        "/x/..%3b/api",
        "/x/..%3Bq/api",
        "/%2561pi/x",
        "/%252561pi/x",
        "/%25252561pi/x",
        "/api;v=1/x",
        "\\api\\x",
        "/x\\..\\api",
        "/x%5c..%5capi",
        "%2Fapi%2Fx",
        "/y/../api//../z",
        "/a//../../api/x",
        "/api/../x",
        "/x/%252e%252e/api",
        "/x/..//api//..",
        "/x/../ap%69/%2e%2e/../y",
        "/x/../api;/..;/..",
        "/x;p%2F../api",
        "api/x",
        // Below it only for who decodes once and then strips parameters.
        "/x/..%3b%252fy/api",
    ] {
        assert!(Readings::of(raw).some_below("/api"), "{raw}");
    }
}

#[test]
fn a_path_that_no_reading_brings_below_the_prefix_is_left_alone() {
    for raw in [
        "*",
        "",
        "/search/a%2Fb",
        "/apix//y",
        "/x/../apis",
        "/static/%zz",
        "/x%00",
        "/q;api/x",
        "/search/%2525252541",
    ] {
        assert!(!Readings::of(raw).some_below("/api"), "{raw}");
    }
}

#[test]
fn many_readings_are_refused_rather_than_made() {
    let many = "/api%25252f..%255c..%253b;\\x%25255c%25253b%2525255c%2525253b".repeat(100);
    assert!(Readings::of(&many).some_below("/api"));
    assert!(!Readings::of(&many).some_below("/other"));
    let long = format!("/x//api/{}", "a".repeat(60_000));
    assert!(Readings::of(&long).some_below("/api"));
    assert!(!Readings::of(&long).some_below("/other"));
    let nested = format!("/{}41;/..;{}", "%25".repeat(1000), "%5c;%3b".repeat(600));
    assert!(nested.len() < MAX_PATH_BYTES);
    assert!(!Readings::of(&nested).some_below("/api"));
}

fn segment() -> impl Strategy<Value = String> {
    "[^/\\\\%\\p{Cc}]{1,12}".prop_filter("dots", |text| text != "." && text != "..")
}

proptest! {
    #[test]
    fn the_quick_look_misses_nothing(raw in "/([a-b.\\\\\u{0}-\u{20}\u{7f}-\u{a1};é/]{0,6}){0,4}") {
        let rest = raw.strip_prefix('/').unwrap();
        if Look::at(rest.as_bytes()).plain && !rest.is_empty() {
            for segment in rest.split('/') {
                prop_assert!(check_segment(segment).is_ok(), "{segment:?}");
            }
        }
    }

    #[test]
    fn encoding_a_key_and_reading_it_gives_the_key(segments in prop::collection::vec(segment(), 0..8)) {
        let key = format!("/{}", segments.join("/"));
        let path = CanonicalPath::parse(&key).unwrap();
        let encoded = path.to_uri();
        let again = CanonicalPath::parse(&encoded).unwrap();
        prop_assert_eq!(again.as_key(), path.as_key());
        prop_assert_eq!(path.segments().collect::<Vec<_>>(), segments);
    }

    #[test]
    fn reading_is_idempotent(raw in "/[ -~]{0,40}") {
        if let Ok(path) = CanonicalPath::parse(&raw) {
            let again = path.to_uri();
            let again = CanonicalPath::parse(&again).unwrap();
            prop_assert_eq!(again.as_key(), path.as_key());
        }
    }

    #[test]
    fn a_path_with_one_reading_lies_below_what_some_reading_says(raw in "(/[a-c.%2eEfF;\\\\]{0,6}){0,5}", prefix in "(/[a-c]){1,2}") {
        if let Ok(path) = CanonicalPath::parse(&raw) && path.is_at_or_below(&CanonicalPath::parse(&prefix).unwrap()) {
            prop_assert!(Readings::of(&raw).some_below(&prefix));
        }
    }
}
