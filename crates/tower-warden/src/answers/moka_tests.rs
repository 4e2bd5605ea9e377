//! What Warden leans on in moka, so that a new version that behaves otherwise is noticed.

use std::time::{Duration, Instant};

use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const BRIEF: Duration = Duration::from_millis(1);

/// Entries end as their values say.
struct ByValue;

impl Expiry<u8, Duration> for ByValue {
    fn expire_after_create(&self, _: &u8, life: &Duration, _: Instant) -> Option<Duration> {
        Some(*life)
    }
}

#[test]
fn an_entry_ends_by_its_own_life_or_that_of_the_cache_whichever_is_shorter() {
    for (of_cache, of_entry, is_kept) in [
        (HOUR, HOUR, true),
        (HOUR, BRIEF, false),
        (BRIEF, HOUR, false),
    ] {
        let cache = Cache::builder()
            .time_to_live(of_cache)
            .expire_after(ByValue)
            .build();
        cache.insert(1, of_entry);
        std::thread::sleep(BRIEF * 5);
        assert_eq!(
            cache.get(&1).is_some(),
            is_kept,
            "{of_cache:?} {of_entry:?}"
        );
    }
}

#[test]
fn reading_does_not_lengthen_a_life() {
    let cache = Cache::builder().time_to_live(BRIEF * 5).build();
    let begun = Instant::now();
    cache.insert(1, ());
    while cache.get(&1).is_some() {
        assert!(begun.elapsed() < Duration::from_secs(5));
        std::thread::yield_now();
    }
    assert!(begun.elapsed() >= BRIEF * 5);
}

/// How many of ten entries in use are still there after a flood of new ones, a hundred of which come between two uses.
fn kept_in_a_flood(policy: EvictionPolicy) -> usize {
    let keys = Keys::random();
    let cache: Cache<AnswerKey, (), PassThroughHasher> = Cache::builder()
        .max_capacity(1000)
        .eviction_policy(policy)
        .build_with_hasher(PassThroughHasher::default());
    let key = |kind: &str, number: usize| keys.token(&format!("{kind}{number}"));
    // As Warden does it: a look-up, and what was not found is put in.
    let ask = |key: AnswerKey| {
        if cache.get(&key).is_none() {
            cache.insert(key, ());
        }
    };
    for number in 0..50 {
        ask(key("good", number % 10));
    }
    for number in 0..12_000 {
        ask(key("random", number));
        if number % 100 == 0 {
            ask(key("good", number / 100 % 10));
        }
    }
    for number in 0..1000 {
        ask(key("last", number));
    }
    cache.run_pending_tasks();
    assert!(cache.entry_count() <= 1000, "{}", cache.entry_count());
    let is_kept = |number: &usize| cache.contains_key(&key("good", *number));
    (0..10).filter(is_kept).count()
}

#[test]
fn a_flood_of_new_keys_does_not_drive_out_what_is_in_use() {
    assert!(kept_in_a_flood(EvictionPolicy::tiny_lfu()) >= 9);
    // What Warden builds has no policy set: it leans on the default.
    assert!(kept_in_a_flood(EvictionPolicy::default()) >= 9);
    // By age alone it would.
    assert_eq!(kept_in_a_flood(EvictionPolicy::lru()), 0);
}

#[test]
fn answers_take_room_by_what_they_hold() {
    let clock = Arc::new(uma_client::ManualClock::new(SystemTime::UNIX_EPOCH));
    let limits = AnswerLimits {
        active: 100,
        inactive: 10,
        ..AnswerLimits::default()
    };
    let answers = Arc::new(Answers::new(limits, clock));
    let map = Arc::new(crate::fake::map("/api/mapped"));
    let requirement = crate::Requirement::of_method(map, &http::Method::GET);
    let requirements: Requirements = requirement.unwrap().into();
    let load = |token: &str| match answers.find(answers.keys().token(token), &requirements) {
        Found::Flight(_, Some(departure)) => departure,
        _ => panic!("nobody else asks"),
    };
    let permission = |bytes| {
        let id = uma_client::ResourceId::parse("r").unwrap();
        crate::Permission::new(id, vec!["s".repeat(bytes)])
    };
    let active = |permissions| Evidence::Active(ActiveToken::new(permissions));
    for (permissions, weight) in [
        (vec![], 1),
        (vec![permission(10)], 1),
        (vec![permission(898)], 1),
        (vec![permission(899)], 2),
        (vec![permission(10_000), permission(10_000)], 20),
    ] {
        let load = load("any");
        let answer = Arc::new(load.answer(active(permissions)));
        assert_eq!(weigh(&load.key, &answer), weight);
    }
    for number in 0..1000 {
        load(&format!("large{number}")).land(Ok(active(vec![permission(10_000)])));
        load(&format!("none{number}")).land(Ok(Evidence::Inactive));
    }
    for cache in [&answers.active, &answers.inactive] {
        cache.run_pending_tasks();
    }
    assert!(answers.active.weighted_size() <= answers.active_shares.capacity());
    assert!((1..=10).contains(&answers.active.entry_count()));
    assert_eq!(answers.inactive.entry_count(), 10);
}
