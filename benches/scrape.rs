//! What a look costs: a scrape of 1,000 devices with 400 cohorts, what a report costs to be counted for it, and the pages.
//!
//! `collector` is the way that is not taken: the same device figures as `MetricFamily` values of the `prometheus` crate, and
//! its encoder.
#![allow(clippy::unwrap_used)]

#[path = "../tests/interfaces/sample.rs"]
mod sample;
#[path = "../tests/interfaces/server.rs"]
mod server;

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use arc_swap::ArcSwap;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fleetwatch::clock::Clock;
use fleetwatch::engine::device::TrafficClass;
use fleetwatch::engine::histogram::bucket_of;
use fleetwatch::engine::report::{Bucket, ClassReport, Report};
use fleetwatch::engine::snapshot::{DeviceView, Snapshot};
use fleetwatch::metrics::{Counters, DeviceSeries, Exporter};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, GaugeVec, Opts, Registry, TextEncoder};
use sample::{NOW, Stage};

fn exporter(series: DeviceSeries) -> Exporter {
    let counters = Arc::new(Counters::new(&[]));
    let snapshot = sample::snapshot(1_000, Stage::Declared);
    let report = report();
    for device in &snapshot.devices {
        counters.recorded(device.id.as_str(), &report);
    }
    Exporter::new(counters, Arc::new(ArcSwap::from_pointee(snapshot)), Clock::scaled(NOW, 0.000_001), series)
}

/// Four classes of 20 buckets.
fn report() -> Report {
    let classes = [TrafficClass::Https, TrafficClass::Dns, TrafficClass::Mail, TrafficClass::Voip];
    let bucket = |n: u32| Bucket { index: u16::try_from(bucket_of(1_000 + n % 20 * 300)).unwrap(), count: 1 + n % 7 };
    let class = |(n, class): (usize, TrafficClass)| ClassReport {
        class,
        buckets: n as u32 * 20..(n as u32 + 1) * 20,
        rules: 0..0,
        flows: 1_840,
        flagged: 12,
        canary: 20,
        canary_flagged: 1,
        released: 2,
    };
    let classes = classes.into_iter().enumerate().map(class).collect();
    Report { classes, buckets: (0..80).map(bucket).collect(), ..Report::default() }
}

/// What the path of a report pays for the cohorts.
fn count(c: &mut Criterion) {
    let counters = Counters::new(&[]);
    let devices: Vec<String> = (1..=10_000).map(|number| format!("B-{number:05}")).collect();
    let report = report();
    let mut next = 0;
    c.bench_function("count_report_of_4_classes_by_20_buckets", |b| {
        b.iter(|| {
            next = (next + 1) % devices.len();
            counters.recorded(&devices[next], &report);
        });
    });
}

fn scrape(c: &mut Criterion) {
    let mut group = c.benchmark_group("scrape_1000");
    let lines = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count() as u64;
    for (name, series) in
        [("full", DeviceSeries::Full), ("affected", DeviceSeries::Affected), ("off", DeviceSeries::Off)]
    {
        let exporter = exporter(series);
        group.throughput(Throughput::Elements(lines(&exporter.render())));
        group.bench_function(name, |b| b.iter(|| black_box(exporter.render())));
    }
    let registry = Registry::new();
    registry.register(Box::new(FromSnapshot::new())).unwrap();
    let gather = || {
        let mut bytes = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut bytes).unwrap();
        bytes
    };
    group.throughput(Throughput::Elements(lines(&String::from_utf8(gather()).unwrap())));
    group.bench_function("collector", |b| b.iter(|| black_box(gather())));
    group.finish();
}

/// A figure of a device, where it has one.
type Column = fn(&DeviceView) -> Option<f64>;

/// The device figures as the crate's own values, made anew at each scrape.
struct FromSnapshot {
    snapshot: Snapshot,
    vectors: Vec<(GaugeVec, Column)>,
    info: GaugeVec,
    latency: GaugeVec,
}

impl FromSnapshot {
    fn new() -> Self {
        let vector = |name: &str, labels: &[&str]| GaugeVec::new(Opts::new(name, "bench"), labels).unwrap();
        let columns: [(&str, Column); 10] = [
            ("reporting", |d| Some(f64::from(u8::from(d.reporting)))),
            ("online", |d| d.online.map(|online| f64::from(u8::from(online)))),
            ("verdict", |d| Some(f64::from(d.verdict as u8))),
            ("streak", |d| Some(d.streak_s as f64)),
            ("false_positives", |d| d.false_positive_ratio),
            ("last_report", |d| d.last_report_at.map(|at| at.as_ms() as f64 / 1_000.0)),
            ("in_event", |d| Some(f64::from(u8::from(d.event_id.is_some())))),
            ("workaround", |d| d.workaround_active.map(|active| f64::from(u8::from(active)))),
            ("clock_offset", |d| d.clock_offset_ms.map(|ms| ms as f64 / 1_000.0)),
            ("boots", |d| Some(f64::from(d.recent_boots))),
        ];
        Self {
            snapshot: sample::snapshot(1_000, Stage::Declared),
            vectors: columns.into_iter().map(|(name, value)| (vector(name, &["device"]), value)).collect(),
            info: vector("info", &["device", "branch", "model", "firmware", "update"]),
            latency: vector("latency", &["device", "quantile"]),
        }
    }
}

impl Collector for FromSnapshot {
    fn desc(&self) -> Vec<&Desc> {
        let vectors = self.vectors.iter().map(|(vector, _)| vector);
        vectors.chain([&self.info, &self.latency]).flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.info.reset();
        for device in &self.snapshot.devices {
            let id = device.id.as_str();
            let text = |label: &Option<Arc<str>>| label.as_deref().unwrap_or("").to_owned();
            let labels = [text(&device.branch), text(&device.model), text(&device.firmware), text(&device.update)];
            self.info.with_label_values(&[id, &labels[0], &labels[1], &labels[2], &labels[3]]).set(1.0);
            for (vector, value) in &self.vectors {
                if let Some(value) = value(device) {
                    vector.with_label_values(&[id]).set(value);
                }
            }
            if let Some(latency) = device.latency_us {
                for (quantile, us) in [("0.5", latency.p50), ("0.95", latency.p95), ("0.99", latency.p99)] {
                    self.latency.with_label_values(&[id, quantile]).set(f64::from(us) / 1e6);
                }
            }
        }
        let vectors = self.vectors.iter().map(|(vector, _)| vector);
        vectors.chain([&self.info, &self.latency]).flat_map(Collector::collect).collect()
    }
}

/// A page over loopback on one connection: the record is read, the page is rendered, sent and received.
fn pages(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let snapshot = sample::snapshot(1_000, Stage::Declared);
    let server = runtime.block_on(server::Server::start(snapshot, &sample::history()));
    let mut group = c.benchmark_group("page");
    for (name, path) in [
        ("now", "/"),
        ("incident_330_devices", "/incidents/INC-0001"),
        ("devices_100", "/devices"),
        ("api_devices_1000", "/api/v1/devices?limit=1000"),
        ("livez", "/livez"),
    ] {
        let mut client = Client::connect(server.address);
        group.throughput(Throughput::Bytes(client.get(path)));
        group.bench_function(name, |b| b.iter(|| client.get(path)));
    }
    group.finish();
    runtime.block_on(server.stop());
}

struct Client {
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), body: Vec::new() }
    }

    /// Length of the body.
    fn get(&mut self, path: &str) -> u64 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).unwrap();
        length as u64
    }
}

criterion_group!(benches, scrape, count, pages);
criterion_main!(benches);
