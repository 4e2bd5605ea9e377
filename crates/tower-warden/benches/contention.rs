//! What many threads do to one another on the hot path: cached allows with one token, and with ten thousand.
//!
//!     cargo bench -p tower-warden --bench contention
//!
//! A thread that has to wait for a lock gives up its core of its own accord: the kernel counts that.

#![allow(missing_docs, clippy::print_stdout, reason = "a benchmark prints")]

mod scene;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use axum::http::Request;
use scene::{Case, Scene};
use tower_warden::{Engine, MapId, Purge, RequestHead, Verdict};

/// Less than the life of an answer, as nobody asks the AM meanwhile.
const SPAN: Duration = Duration::from_secs(2);

/// What one thread did.
#[derive(Default)]
struct Done {
    judged: u64,
    refused: u64,
    /// How often it waited; none where the system does not tell.
    waits: Option<u64>,
}

fn main() {
    let scene = Scene::new();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores");
    println!("| threads | tokens | purges a second | judged a second | waits for a million |");
    println!("|---|---|---|---|---|");
    let purging = Some(Duration::from_millis(1));
    let mut first = 0;
    for tokens in [1, 10_000] {
        for (threads, purging) in [(1, None), (2, None), (4, None), (16, None), (16, purging)] {
            // New ones each time: a kept answer lives no longer for being used.
            run(&scene, threads, first..first + tokens, purging);
            first += tokens;
        }
    }
}

fn run(scene: &Scene, threads: usize, tokens: Range<u64>, purging: Option<Duration>) {
    let count = tokens.end - tokens.start;
    let requests: Vec<_> = tokens
        .map(|number| {
            scene.wait(Case::Miss, number);
            scene.make_numbered(Case::Miss, number).map(drop)
        })
        .collect();
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let done: Vec<Done> = std::thread::scope(|scope| {
        let (engine, requests, stop) = (&scene.engine, &requests, &stop);
        let workers: Vec<_> = (0..threads)
            .map(|seed| scope.spawn(move || work(engine, requests, stop, seed as u64)))
            .collect();
        while begun.elapsed() < SPAN {
            match purging {
                // A map that nobody asks for: every look at an answer has to read the table of purges from then on.
                Some(pause) => {
                    scene.engine.purge(Purge::Map(MapId::new(u64::MAX)));
                    std::thread::sleep(pause);
                }
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        }
        stop.store(true, Ordering::Relaxed);
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_default())
            .collect()
    });
    let seconds = begun.elapsed().as_secs_f64();
    let judged: u64 = done.iter().map(|done| done.judged).sum();
    let refused: u64 = done.iter().map(|done| done.refused).sum();
    let all_worked = done.iter().all(|done| done.judged > 0);
    assert!(all_worked && refused == 0, "a kept answer was lost");
    let waits: Option<u64> = done.iter().map(|done| done.waits).sum();
    let waits = waits.map_or_else(
        || String::from("?"),
        |waits| format!("{:.1}", waits as f64 * 1e6 / judged as f64),
    );
    let purges = purging.map_or(0.0, |pause| 1.0 / pause.as_secs_f64());
    println!(
        "| {threads} | {count} | {purges:.0} | {:.0} | {waits} |",
        judged as f64 / seconds
    );
}

fn work(engine: &Engine, requests: &[Request<()>], stop: &AtomicBool, seed: u64) -> Done {
    let mut done = Done::default();
    let before = waits();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..1000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let Some(request) = requests.get(state as usize % requests.len()) else {
                return done;
            };
            let judgement = std::pin::pin!(engine.judge(&RequestHead::of(request)));
            let verdict = judgement.poll(&mut Context::from_waker(Waker::noop()));
            done.refused += u64::from(!matches!(verdict, Poll::Ready(Verdict::Allow(_))));
            done.judged += 1;
        }
    }
    done.waits = before.zip(waits()).map(|(before, after)| after - before);
    done
}

/// How often this thread has given up its core to wait for something.
fn waits() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}
