//! Bytes in memory to a report in scratch: each encoding and latency form, at 20 buckets.
//!
//! `cargo bench --no-default-features --bench decode`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fleetwatch::engine::device::TrafficClass;
use fleetwatch::engine::histogram::bucket_of;
use fleetwatch::engine::report::{Bucket, ClassReport, Report, RuleCount};
use fleetwatch::engine::wire::encode::{LatencyForm, report_binary, report_json, status_binary, status_json};
use fleetwatch::engine::wire::{Decoder, Limits};

const DEVICE: &str = "B-0042";

/// One class, 20 buckets from 0.9 ms to 4.6 ms, 150 samples.
fn report() -> Report {
    let buckets: Vec<_> = (0..20)
        .map(|n| Bucket { index: (bucket_of(900) + 2 * n) as u16, count: [3, 9, 21, 17, 11, 6, 4, 2, 1, 1][n % 10] })
        .collect();
    let class = ClassReport {
        class: TrafficClass::Https,
        buckets: 0..buckets.len() as u32,
        rules: 0..1,
        flows: 1840,
        flagged: 12,
        canary: 20,
        canary_flagged: 1,
        released: 2,
    };
    Report {
        boot: 7,
        seq: 1234,
        uptime_ms: 86_400_000,
        start: 1_795_305_600_000,
        period_ms: 10_000,
        classes: vec![class],
        buckets,
        rules: vec![RuleCount { name: 0..7, count: 12 }],
        rule_names: "2100498".to_owned(),
    }
}

fn decode(c: &mut Criterion) {
    let mut decoder = Decoder::new(Limits::default());
    let mut group = c.benchmark_group("decode/report");
    for form in LatencyForm::ALL {
        let messages =
            [("json", report_json(DEVICE, &report(), form)), ("bincode", report_binary(DEVICE, &report(), form))];
        for (encoding, bytes) in messages {
            group.throughput(Throughput::Bytes(bytes.len() as u64));
            group.bench_function(format!("{encoding}/{form:?}"), |b| {
                b.iter(|| decoder.report(DEVICE, black_box(&bytes)).expect("our own message").buckets.len());
            });
        }
    }
    group.finish();
}

fn decode_status(c: &mut Criterion) {
    let json = br#"{"v":1,"device":"B-0042","online":true,"boot":7,"at":1795305600000,"model":"B200",
        "branch":"sapporo-03","customer":"C-00123","firmware":"5.2.1","update":"2026.11.21",
        "update_installed_at":1795300000000,"packages":{"signatures":{"version":"9.9.1"}},
        "workaround":{"id":"WA-1","active":false}}"#;
    let mut decoder = Decoder::new(Limits::default());
    let status = decoder.status(DEVICE, json).expect("a good status");
    let mut group = c.benchmark_group("decode/status");
    for (encoding, bytes) in [("json", status_json(DEVICE, &status)), ("bincode", status_binary(DEVICE, &status))] {
        group.bench_function(encoding, |b| {
            b.iter(|| decoder.status(DEVICE, black_box(&bytes)).expect("our own message").boot);
        });
    }
    group.finish();
}

criterion_group!(benches, decode, decode_status);
criterion_main!(benches);
