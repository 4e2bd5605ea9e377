//! Forgetting and purging win against loads in flight, in whatever order things happen; with a plain cache they would not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::SystemTime;

use moka::sync::Cache;
use uma_client::ManualClock;

use super::*;
use crate::fake::map;
use crate::{MapId, Requirement};

/// What a look-up and a load may be made against. Keys are numbers, and a load brings its own number.
trait Keeps {
    type Load;
    /// Begins a load, unless there is a kept answer or a load to wait for.
    fn begin(&self, key: u64) -> Option<Self::Load>;
    /// Ends a load.
    fn land(&self, load: Self::Load, number: usize);
    fn forget(&self, key: u64);
    fn purge(&self, key: u64);
    /// The number of the load that a request would be answered by.
    fn kept(&self, key: u64) -> Option<usize>;
}

/// The cache under test.
struct Wardens(Arc<Answers>);

impl Wardens {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(SystemTime::UNIX_EPOCH));
        Self(Arc::new(Answers::new(AnswerLimits::default(), clock)))
    }

    fn requirements(key: u64) -> Requirements {
        let map = Arc::new(map("/api/mapped").with_id(MapId::new(key)));
        Requirement::of_method(map, &http::Method::GET)
            .unwrap()
            .into()
    }

    fn key(&self, key: u64) -> AnswerKey {
        self.0.keys().token(&key.to_string())
    }
}

impl Keeps for Wardens {
    type Load = Departure;

    fn begin(&self, key: u64) -> Option<Departure> {
        match self.0.find(self.key(key), &Self::requirements(key)) {
            Found::Flight(_, departure) => departure,
            Found::Answer(_) => None,
        }
    }

    fn land(&self, load: Departure, number: usize) {
        let mut token = ActiveToken::new(Vec::new());
        token.client_id = Some(number.to_string());
        load.land(Ok(Evidence::Active(token)));
    }

    fn forget(&self, key: u64) {
        self.0.forget(&self.key(key));
    }

    fn purge(&self, key: u64) {
        self.0.purge(Purge::Map(MapId::new(key)));
    }

    fn kept(&self, key: u64) -> Option<usize> {
        let requirements = Self::requirements(key);
        let answer = self.0.fresh(&self.key(key), &requirements)?;
        answer.token()?.client_id.as_ref()?.parse().ok()
    }
}

/// What one would write first: a table of answers, written to when a load ends.
#[derive(Default)]
struct Plain(Mutex<HashMap<u64, usize>>);

impl Keeps for Plain {
    type Load = u64;

    fn begin(&self, key: u64) -> Option<u64> {
        self.kept(key).is_none().then_some(key)
    }

    fn land(&self, key: u64, number: usize) {
        self.0.lock().unwrap().insert(key, number);
    }

    fn forget(&self, key: u64) {
        self.0.lock().unwrap().remove(&key);
    }

    fn purge(&self, key: u64) {
        self.forget(key);
    }

    fn kept(&self, key: u64) -> Option<usize> {
        self.0.lock().unwrap().get(&key).copied()
    }
}

type Invalidate = fn(&Cache<u64, usize>, u64);

/// moka's own loads, and its own ways to invalidate.
struct Mokas {
    cache: Cache<u64, usize>,
    invalidate: Invalidate,
}

impl Mokas {
    fn new(invalidate: Invalidate) -> Self {
        let cache = Cache::builder().support_invalidation_closures().build();
        Self { cache, invalidate }
    }
}

impl Keeps for Mokas {
    type Load = (mpsc::Sender<usize>, JoinHandle<usize>);

    fn begin(&self, key: u64) -> Option<Self::Load> {
        let (begun, has_begun) = mpsc::channel();
        let (number, answer) = mpsc::channel();
        let cache = self.cache.clone();
        let load = std::thread::spawn(move || {
            cache.get_with(key, || {
                begun.send(()).unwrap();
                answer.recv().unwrap()
            })
        });
        has_begun.recv().unwrap();
        Some((number, load))
    }

    fn land(&self, (answer, load): Self::Load, number: usize) {
        answer.send(number).unwrap();
        load.join().unwrap();
    }

    fn forget(&self, key: u64) {
        (self.invalidate)(&self.cache, key);
    }

    fn purge(&self, key: u64) {
        self.forget(key);
    }

    fn kept(&self, key: u64) -> Option<usize> {
        self.cache.get(&key)
    }
}

/// A load is on its way with what the AM said before; the answer is forgotten; the load ends.
fn forgotten_in_flight(keeps: &impl Keeps) -> Option<usize> {
    let load = keeps.begin(1).unwrap();
    keeps.forget(1);
    keeps.land(load, 7);
    keeps.kept(1)
}

#[test]
fn forgetting_wins_against_the_load_in_flight_where_plain_invalidation_loses() {
    assert_eq!(forgotten_in_flight(&Wardens::new()), None);
    // So this is what the table of loads in flight is for.
    assert_eq!(forgotten_in_flight(&Plain::default()), Some(7));
    let invalidations: [Invalidate; 3] = [
        |cache, key| cache.invalidate(&key),
        |cache, _| cache.invalidate_all(),
        |cache, key| {
            cache
                .invalidate_entries_if(move |other, _| *other == key)
                .unwrap();
        },
    ];
    for invalidate in invalidations {
        assert_eq!(forgotten_in_flight(&Mokas::new(invalidate)), Some(7));
    }
}

/// What may happen to one key.
#[derive(Debug, Clone, Copy)]
enum Step {
    Begin,
    Forget,
    Purge,
    /// The oldest load that is still on its way, or the one after it, …
    Land(usize),
}

const STEPS: [Step; 6] = [
    Step::Begin,
    Step::Forget,
    Step::Purge,
    Step::Land(0),
    Step::Land(1),
    Step::Land(2),
];

/// Runs steps; says whether an answer was kept that was asked for before it was forgotten or purged.
fn is_stale_after(keeps: &impl Keeps, key: u64, steps: &[Step]) -> bool {
    let mut under_way = Vec::new();
    let mut begun_anew = 0;
    let mut number = 0;
    for step in steps {
        match *step {
            Step::Begin => {
                if let Some(load) = keeps.begin(key) {
                    number += 1;
                    under_way.push((number, load));
                }
            }
            Step::Forget | Step::Purge => {
                if matches!(step, Step::Forget) {
                    keeps.forget(key);
                } else {
                    keeps.purge(key);
                }
                begun_anew = number;
            }
            Step::Land(at) if at < under_way.len() => {
                let (number, load) = under_way.remove(at);
                keeps.land(load, number);
            }
            Step::Land(_) => return false,
        }
        if keeps.kept(key).is_some_and(|kept| kept <= begun_anew) {
            return true;
        }
    }
    false
}

/// All sequences of so many steps.
fn sequences(length: u32) -> impl Iterator<Item = (u64, Vec<Step>)> {
    let count = STEPS.len() as u64;
    (0..count.pow(length)).map(move |sequence| {
        let step = |at| STEPS[usize::try_from(sequence / count.pow(at) % count).unwrap()];
        (sequence, (0..length).map(step).collect())
    })
}

#[test]
fn no_order_of_things_brings_back_what_was_forgotten() {
    let wardens = Wardens::new();
    for (key, steps) in sequences(6) {
        assert!(!is_stale_after(&wardens, key, &steps), "{steps:?}");
    }
    // The search would find it.
    let plain = Plain::default();
    let stale = sequences(3).filter(|(key, steps)| is_stale_after(&plain, *key, steps));
    assert_eq!(stale.count(), 2, "begin, then forget or purge, then land");
}

#[test]
fn of_many_who_ask_at_once_one_begins_the_load() {
    let wardens = Arc::new(Wardens::new());
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let wardens = wardens.clone();
            std::thread::spawn(move || {
                let begun = (0..100).filter_map(|_| wardens.begin(1));
                begun.collect::<Vec<_>>()
            })
        })
        .collect();
    let departures: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(departures.len(), 1);
    // Broken off, it makes room for the next.
    drop(departures);
    assert!(wardens.begin(1).is_some());
}
