//! The tick that closes a minute, and what a device takes in memory: 4 classes in use, 20 buckets each.
//!
//! `cargo bench --no-default-features --bench tick`, or for one fleet alone `... --bench tick -- 1000`
//!
//! With `-- cpu` the times are those on the processor and not those of the clock: for a machine that does other things, too.
//!
//! Each device reports once a minute. The fleets of 10,000 and 100,000 have 45 minutes of history, by which every device
//! has a (provisional) baseline and thresholds; the one of 1,000 has 26 hours and what it has learnt. Each is one long life
//! and not a sample of many, so criterion has no part in it. All but the timed ticks is left out of the figures.
#![allow(clippy::print_stdout, reason = "a measurement")]
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::time::{Duration, Instant};

use support::{Feed, Life, MINUTE, START};

#[path = "support/feed.rs"]
mod support;

const HOUR: i64 = 60 * MINUTE;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` would run it too, and a measurement is no test.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let cpu = arguments.iter().any(|argument| argument == "cpu");
    let only: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    // First, while nothing has been freed that could be used again.
    let memory = if only.is_empty() { memory() } else { String::new() };
    println!(
        "| devices | history | quiet: median | worst | the hour's first | a third degraded: median | worst | other ticks: worst |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let begun = Instant::now();
    let clock = || if cpu { on_cpu() } else { begun.elapsed() };
    for (devices, history_min, minutes) in [(1_000, 26 * 60, 120), (10_000, 45, 40), (100_000, 45, 20)] {
        if only.is_empty() || only.contains(&devices) {
            measure(devices, (history_min, minutes), &clock);
        }
    }
    println!("\n{memory}");
}

/// Resident memory of 1,000 devices after nine hours of minutes: the evidence of eight is kept.
fn memory() -> String {
    let feed = Feed::new(1_000, 4, 20, 60_000);
    let before = resident_kib();
    let mut life = Life::new(feed);
    let mut after = |hours: i64| {
        life.minutes(hours * 60);
        (resident_kib() - before) / 1_000.0
    };
    let (nine, day) = (after(9), after(17));
    format!(
        "memory per device with 4 classes: {nine:.1} KiB after 9 h, {day:.1} KiB after 26 h (resident, 1,000 devices)"
    )
}

fn measure(devices: usize, (history_min, minutes): (i64, usize), clock: &dyn Fn() -> Duration) {
    let mut life = Life::new(Feed::new(devices, 4, 20, 60_000));
    life.minutes(history_min);
    let (mut quiet, mut turning, mut event, mut others) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut declared = 0;
    for minute in 0..2 * minutes {
        let degraded = minute >= minutes;
        life.reports(|device| degraded && device % 3 == 0);
        // What the tick 30 s from now closes is the minute before the one just reported.
        let first_of_hour = (life.now - 2 * MINUTE - START) % HOUR == 0;
        let changes = life.ticks(|engine, now| {
            let begun = clock();
            let changes = engine.tick(now);
            let took = clock() - begun;
            match (now.as_ms() % MINUTE == 30_000, first_of_hour, degraded) {
                (false, _, _) => others.push(took),
                (true, true, _) => turning.push(took),
                (true, false, false) => quiet.push(took),
                (true, false, true) => event.push(took),
            }
            changes
        });
        assert!(degraded || changes.is_empty(), "{changes:?}");
        declared += changes.len();
    }
    assert!(declared > 0, "the degraded third was noticed");
    let history = if history_min >= 60 { format!("{} h", history_min / 60) } else { format!("{history_min} min") };
    let [(quiet, worst), (event, event_worst), (_, others)] =
        [&mut quiet, &mut event, &mut others].map(|times| sum_up(times));
    let turning = sum_up(&mut turning).1;
    println!("| {devices} | {history} | {quiet} | {worst} | {turning} | {event} | {event_worst} | {others} |");
}

/// Median and worst.
fn sum_up(times: &mut [Duration]) -> (String, String) {
    times.sort_unstable();
    let show =
        |time: Option<&Duration>| time.map_or("-".to_owned(), |time| format!("{:.2} ms", time.as_secs_f64() * 1e3));
    (show(times.get(times.len() / 2)), show(times.last()))
}

/// Time that this thread has been on a processor.
fn on_cpu() -> Duration {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(schedstat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("the first number"))
}

/// Of this process, by the kernel's count of pages of 4 KiB.
fn resident_kib() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).expect("the second number") * 4.0
}
