//! Ranking the suspects of a whole fleet: what one look at an open event costs.
//!
//! `cargo bench --no-default-features --bench rank`

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fleetwatch::engine::suspect::{self, Attribute, AttributeKey, Attributes, Kind, Subject};
use fleetwatch::engine::time::Minute;

const NOW: Minute = Minute(29_921_760);

/// A device of one of 50 branches, 4 models and 3 firmwares; six in ten took an update within the hour, and most of them suffer.
fn device(index: usize) -> (Option<Minute>, Attributes) {
    let updated = index % 10 < 6;
    let installed = updated.then(|| NOW.plus(-(20 + index as i64 % 40)));
    let (update, model, firmware) = (
        if updated { "2026.11.21" } else { "2026.11.20" },
        format!("B{}00", index / 10 % 4),
        format!("5.2.{}", index / 40 % 3),
    );
    let key = |kind, value: &str| AttributeKey { kind, value: value.into() };
    let attributes: Vec<Attribute> = vec![
        (key(Kind::Fleet, "all"), None),
        (key(Kind::Update, update), installed),
        (key(Kind::UpdateModel, &format!("{update}+{model}")), installed),
        (key(Kind::UpdateFirmware, &format!("{update}+{firmware}")), installed),
        (key(Kind::Branch, &format!("branch-{:02}", index / 7 % 50)), None),
        (key(Kind::Firmware, &firmware), None),
        (key(Kind::Model, &model), None),
        (key(Kind::Package, "signatures 9.9.1"), Some(NOW.plus(-300))),
    ];
    let onset = installed.filter(|_| !index.is_multiple_of(17)).map(|installed| installed.plus(5));
    (onset, Arc::from(attributes))
}

fn rank(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rank");
    group.sample_size(20);
    for devices in [1_000, 10_000, 100_000] {
        let fleet: Vec<_> = (0..devices).map(device).collect();
        let subjects: Vec<Subject<'_>> =
            fleet.iter().map(|(onset, attributes)| Subject { onset: *onset, attributes }).collect();
        let best = suspect::rank(&subjects, 0.0, NOW).remove(0);
        assert_eq!((best.key.kind, &*best.key.value), (Kind::Update, "2026.11.21"));
        group.bench_with_input(BenchmarkId::from_parameter(devices), &subjects, |bencher, subjects| {
            bencher.iter(|| suspect::rank(black_box(subjects), 0.004, NOW));
        });
    }
    group.finish();
}

criterion_group!(benches, rank);
criterion_main!(benches);
