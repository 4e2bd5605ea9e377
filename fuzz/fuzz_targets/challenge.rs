//! A challenge that can be written can be read, and says the same; nothing in it can break out of its field.
#![no_main]

use libfuzzer_sys::fuzz_target;
use uma_client::{Challenge, Dialect, Issuer, Ticket, UmaChallenge};

fuzz_target!(|input: (&str, &str, &str)| {
    let (realm, issuer, ticket) = input;
    let (Ok(issuer), Ok(ticket)) = (Issuer::parse(issuer), Ticket::parse(ticket)) else {
        return;
    };
    let challenge = Challenge::new(realm, &issuer).with_ticket(&ticket);
    let Ok(response) = Dialect::Uma2.refusal(&challenge) else {
        return;
    };
    let read = UmaChallenge::parse(response.headers()).unwrap().unwrap();
    assert_eq!(read.realm.as_deref(), Some(realm));
    assert_eq!(read.issuer.as_ref(), Some(&issuer));
    assert_eq!(read.ticket.as_ref(), Some(&ticket));
});
