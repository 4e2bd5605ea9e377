//! What an AM says of a token: reading never panics, and only a JSON `true` is active.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_warden::{ActiveToken, Window};
use uma_client::wire::IntrospectionResponse;

fuzz_target!(|body: &[u8]| {
    let Ok(answer) = serde_json::from_slice::<IntrospectionResponse>(body) else {
        return;
    };
    for time in [answer.exp, answer.iat, answer.nbf].into_iter().flatten() {
        assert!((0..=100_000_000_000).contains(&time));
    }
    if answer.active {
        let token = ActiveToken::from(answer);
        for permission in &token.permissions {
            let window: Window = permission.window.within(token.window);
            assert!(window.expires <= token.window.expires || token.window.expires.is_none());
        }
    }
});
