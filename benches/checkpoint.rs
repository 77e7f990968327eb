//! The state of 1,000 devices with 4 classes and 26 hours behind them: taken, saved, loaded, taken up again.
//!
//! `cargo bench --bench checkpoint`. The disk is that of temporary files (`TMPDIR`). "restart" is what a start does before
//! the journal's tail: load, check, restore. The whole start of the program is measured by `benches/compare.sh`.

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::settings::Settings;
use fleetwatch::journal::CheckpointStore;
use support::{Feed, Life};

#[path = "support/feed.rs"]
mod support;

fn restored(image: &[u8]) -> Engine {
    let settings = Settings::default();
    let mut engine = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
    engine.restore(image).expect("our own image");
    engine
}

fn checkpoint(c: &mut Criterion) {
    let mut life = Life::new(Feed::new(1_000, 4, 20, 60_000));
    life.minutes(26 * 60);
    // In the middle of a minute, so that open slots are part of it.
    life.reports(|_| false);
    let image = life.engine.image();
    assert_eq!(restored(&image).image(), image, "what is restored is what was taken");

    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let store = CheckpointStore::open(dir.path()).expect("a new directory");
    let mut group = c.benchmark_group("checkpoint/1000_devices");
    group.throughput(Throughput::Bytes(image.len() as u64)).sample_size(10);
    group.bench_function("image", |b| b.iter_with_large_drop(|| life.engine.image()));
    group.bench_function("save", |b| b.iter(|| store.save(&image, 1).expect("there is room")));
    let load = || store.load().expect("readable").checkpoint.expect("just saved");
    group.bench_function("load", |b| b.iter_with_large_drop(load));
    group.bench_function("restore", |b| b.iter_batched(|| (), |()| restored(&image), BatchSize::PerIteration));
    let bytes = || load().bytes().expect("readable");
    group.bench_function("restart", |b| b.iter_batched(|| (), |()| restored(&bytes()), BatchSize::PerIteration));
    group.finish();
}

criterion_group!(benches, checkpoint);
criterion_main!(benches);
