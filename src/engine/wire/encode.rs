//! The writer of both encodings: what the simulator's devices send, and what the tests read back.
//!
//! One set of types carries both forms. Their bincode is derived, so that the binary layout *is* bincode 2 of these types
//! behind a version byte; where JSON differs (objects instead of lists of pairs, base64 instead of bytes), serde is told.

use base64::Engine as _;
use bincode::Encode;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::hdr::{write_v2, write_v2_deflate};
use super::{BINARY_VERSION, JSON_VERSION};
use crate::engine::device::{Status, TrafficClass};
use crate::engine::histogram::{BUCKETS, MAX_US, bucket_of, highest_of, lowest_of};
use crate::engine::report::{Bucket, ClassReport, Report};

/// How a report's latency is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LatencyForm {
    /// Each sample by itself.
    Samples,
    /// Pairs of value and count: the fast one.
    Counts,
    /// HdrHistogram V2, plain.
    Hdr,
    /// HdrHistogram V2, deflate.
    HdrDeflate,
}

impl LatencyForm {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Samples, Self::Counts, Self::Hdr, Self::HdrDeflate];
}

/// `report` of `device` in JSON. Its bucket indices must come from [`bucket_of`]; a bucket is written as the middle of
/// its values.
pub fn report_json(device: &str, report: &Report, form: LatencyForm) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Json<'a> {
        v: u64,
        #[serde(flatten)]
        message: ReportMessage<'a>,
    }
    json(&Json { v: JSON_VERSION, message: ReportMessage::new(device, report, form) })
}

/// `report` of `device` in the binary form; see [`report_json`].
pub fn report_binary(device: &str, report: &Report, form: LatencyForm) -> Vec<u8> {
    binary(&ReportMessage::new(device, report, form))
}

/// `status` of `device` in JSON; what is `None` is left out, and so is an `at` of 0.
pub fn status_json(device: &str, status: &Status) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Json<'a> {
        v: u64,
        #[serde(flatten)]
        message: StatusMessage<'a>,
    }
    json(&Json { v: JSON_VERSION, message: StatusMessage::new(device, status) })
}

/// `status` of `device` in the binary form.
pub fn status_binary(device: &str, status: &Status) -> Vec<u8> {
    binary(&StatusMessage::new(device, status))
}

fn json(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("a message has text keys and no failing parts")
}

fn binary(message: &impl Encode) -> Vec<u8> {
    bincode::encode_to_vec((BINARY_VERSION, message), bincode::config::standard())
        .expect("writing to memory does not fail")
}

/// A list of pairs in the binary form, an object in JSON.
#[derive(Encode)]
struct Pairs<K, T>(Vec<(K, T)>);

impl<K, T> Pairs<K, T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Serialize, T: Serialize> Serialize for Pairs<K, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Bytes in the binary form, base64 in JSON.
#[derive(Encode)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

#[derive(serde::Serialize, Encode)]
struct ReportMessage<'a> {
    device: &'a str,
    boot: u64,
    seq: u64,
    uptime_ms: u64,
    start: i64,
    period_ms: u32,
    traffic: Pairs<TrafficClass, ClassMessage<'a>>,
}

#[derive(serde::Serialize, Encode)]
struct ClassMessage<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<LatencyMessage>,
    flows: u32,
    flagged: u32,
    canary: u32,
    canary_flagged: u32,
    released: u32,
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    rules: Pairs<&'a str, u32>,
}

#[derive(serde::Serialize, Encode)]
#[serde(rename_all = "lowercase")]
enum LatencyMessage {
    Samples(Vec<u32>),
    Counts(Vec<(u32, u32)>),
    Hdr(Bytes),
}

impl<'a> ReportMessage<'a> {
    fn new(device: &'a str, report: &'a Report, form: LatencyForm) -> Self {
        let class = |class: &ClassReport| (class.class, ClassMessage::new(report, class, form));
        Self {
            device,
            boot: report.boot,
            seq: report.seq,
            uptime_ms: report.uptime_ms,
            start: report.start,
            period_ms: report.period_ms,
            traffic: Pairs(report.classes.iter().map(class).collect()),
        }
    }
}

impl<'a> ClassMessage<'a> {
    fn new(report: &'a Report, class: &ClassReport, form: LatencyForm) -> Self {
        let buckets = report.buckets_of(class);
        Self {
            latency: (!buckets.is_empty()).then(|| LatencyMessage::new(buckets, form)),
            flows: class.flows,
            flagged: class.flagged,
            canary: class.canary,
            canary_flagged: class.canary_flagged,
            released: class.released,
            rules: Pairs(report.rules_of(class).collect()),
        }
    }
}

impl LatencyMessage {
    fn new(buckets: &[Bucket], form: LatencyForm) -> Self {
        match form {
            LatencyForm::Samples => {
                let repeat = |b: &Bucket| std::iter::repeat_n(middle_of(b.index), b.count as usize);
                Self::Samples(buckets.iter().flat_map(repeat).collect())
            }
            LatencyForm::Counts => Self::Counts(buckets.iter().map(|b| (middle_of(b.index), b.count)).collect()),
            LatencyForm::Hdr => Self::Hdr(Bytes(hdr(buckets, write_v2))),
            LatencyForm::HdrDeflate => Self::Hdr(Bytes(hdr(buckets, write_v2_deflate))),
        }
    }
}

fn hdr(buckets: &[Bucket], write: fn(&[u64; BUCKETS], &mut Vec<u8>)) -> Vec<u8> {
    let mut counts = [0; BUCKETS];
    for bucket in buckets {
        counts[usize::from(bucket.index)] += u64::from(bucket.count);
    }
    let mut bytes = Vec::new();
    write(&counts, &mut bytes);
    bytes
}

/// The middle of a bucket's values, rounded up; the last bucket ends at the largest value that is kept apart.
fn middle_of(index: u16) -> u32 {
    const LAST: usize = bucket_of(MAX_US);
    let index = usize::from(index).min(LAST);
    let (lowest, highest) = (lowest_of(index), highest_of(index).min(MAX_US));
    lowest + (highest - lowest).div_ceil(2)
}

#[derive(serde::Serialize, Encode)]
struct StatusMessage<'a> {
    device: &'a str,
    online: bool,
    boot: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    firmware: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_installed_at: Option<i64>,
    #[serde(skip_serializing_if = "Pairs::is_empty")]
    packages: Pairs<&'a str, PackageMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workaround: Option<WorkaroundMessage<'a>>,
}

#[derive(serde::Serialize, Encode)]
struct PackageMessage<'a> {
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    installed_at: Option<i64>,
}

#[derive(serde::Serialize, Encode)]
struct WorkaroundMessage<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    active: bool,
}

impl<'a> StatusMessage<'a> {
    fn new(device: &'a str, status: &'a Status) -> Self {
        let package = |package: &'a crate::engine::device::Package| {
            (&*package.name, PackageMessage { version: &package.version, installed_at: package.installed_at })
        };
        Self {
            device,
            online: status.online,
            boot: status.boot,
            at: (status.at != 0).then_some(status.at),
            model: status.model.as_deref(),
            branch: status.branch.as_deref(),
            customer: status.customer.as_deref(),
            firmware: status.firmware.as_deref(),
            update: status.update.as_deref(),
            update_installed_at: status.update_installed_at,
            packages: Pairs(status.packages.iter().map(package).collect()),
            workaround: status
                .workaround
                .as_ref()
                .map(|workaround| WorkaroundMessage { id: workaround.id.as_deref(), active: workaround.active }),
        }
    }
}
