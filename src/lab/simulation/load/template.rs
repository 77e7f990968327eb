//! A report that was encoded once and is sent many times, with its identity and times patched in.
//!
//! Encoding a report costs microseconds, patching twenty bytes of it costs nanoseconds. The patched fields keep their
//! width: in JSON they are numbers of ten and thirteen digits, in the binary form integers that need four and eight
//! bytes behind their marker, which the ranges of [`Identity`] see to.

use crate::engine::report::Report;
use crate::engine::wire::encode::{self, LatencyForm};

/// Least sequence number and uptime of a load report: the first number of ten digits, and one that needs four bytes.
pub(super) const LEAST: u64 = 1_000_000_000;

/// What differs between the reports of one template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    /// From [`LEAST`] to `u32::MAX`.
    pub(super) seq: u64,
    /// As `seq`, in milliseconds.
    pub(super) uptime_ms: u64,
    /// Milliseconds since the epoch, from September 2001 to the year 2286.
    pub(super) start: i64,
}

/// Stands for the values to patch: each occurs once in the encoded report.
const MARKS: Identity = Identity { seq: 3_141_592_653, uptime_ms: 2_718_281_828, start: 1_618_033_988_749 };

/// An encoded report and where its patched fields are.
#[derive(Clone, Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    json: bool,
    seq_at: usize,
    uptime_at: usize,
    start_at: usize,
}

impl Template {
    /// Encodes `report` as a report of `device`.
    pub(super) fn new(device: &str, report: &Report, json: bool) -> Self {
        let mut marked = report.clone();
        (marked.seq, marked.uptime_ms, marked.start) = (MARKS.seq, MARKS.uptime_ms, MARKS.start);
        let write = if json { encode::report_json } else { encode::report_binary };
        let bytes = write(device, &marked, LatencyForm::Counts);
        let place = |mark: &[u8]| {
            let mut found = bytes.windows(mark.len()).enumerate().filter(|(_, window)| *window == mark);
            let at = found.next().expect("the encoded report holds what was put in").0;
            assert!(found.next().is_none(), "a mark occurs once");
            at
        };
        let (mut seq, mut uptime, mut start) = (Vec::new(), Vec::new(), Vec::new());
        write_u64(&mut seq, MARKS.seq, json);
        write_u64(&mut uptime, MARKS.uptime_ms, json);
        write_i64(&mut start, MARKS.start, json);
        let (seq_at, uptime_at, start_at) = (place(&seq), place(&uptime), place(&start));
        Self { bytes, json, seq_at, uptime_at, start_at }
    }

    /// The report with this identity.
    pub(super) fn patched(&mut self, identity: Identity) -> &[u8] {
        if self.json {
            write_digits(&mut self.bytes[self.seq_at..self.seq_at + 10], identity.seq);
            write_digits(&mut self.bytes[self.uptime_at..self.uptime_at + 10], identity.uptime_ms);
            write_digits(&mut self.bytes[self.start_at..self.start_at + 13], identity.start.unsigned_abs());
        } else {
            let (seq, uptime_ms) = (identity.seq as u32, identity.uptime_ms as u32);
            self.bytes[self.seq_at + 1..self.seq_at + 5].copy_from_slice(&seq.to_le_bytes());
            self.bytes[self.uptime_at + 1..self.uptime_at + 5].copy_from_slice(&uptime_ms.to_le_bytes());
            let zigzag = identity.start.unsigned_abs() * 2;
            self.bytes[self.start_at + 1..self.start_at + 9].copy_from_slice(&zigzag.to_le_bytes());
        }
        &self.bytes
    }

    /// Length of every report of this template.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

fn write_u64(bytes: &mut Vec<u8>, value: u64, json: bool) {
    if json {
        bytes.extend_from_slice(value.to_string().as_bytes());
    } else {
        bytes.extend_from_slice(&bincode::encode_to_vec(value, bincode::config::standard()).expect("memory takes it"));
    }
}

fn write_i64(bytes: &mut Vec<u8>, value: i64, json: bool) {
    if json {
        bytes.extend_from_slice(value.to_string().as_bytes());
    } else {
        bytes.extend_from_slice(&bincode::encode_to_vec(value, bincode::config::standard()).expect("memory takes it"));
    }
}

fn write_digits(place: &mut [u8], mut value: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    debug_assert_eq!(value, 0, "a patched number keeps its width");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::Timestamp;
    use crate::engine::wire::{Decoder, Limits};
    use crate::lab::simulation::{Body, Scenario, Simulation, SimulationConfig};

    #[test]
    fn every_patched_report_decodes_to_its_own_identity_and_the_templates_content() {
        let epoch = Timestamp::from_ms(1_795_311_900_000);
        let config = SimulationConfig { devices: 1, ..SimulationConfig::new(Scenario::Quiet, epoch) };
        let simulation = Simulation::new(config);
        let mut device = simulation.device(0);
        let report = loop {
            if let Body::Report(report) = device.next().unwrap().body {
                break report.clone();
            }
        };
        let mut decoder = Decoder::new(Limits::default());
        for json in [true, false] {
            let mut template = Template::new("B-0001", &report, json);
            let cases = [(LEAST, LEAST, 1_000_000_000_000), (u64::from(u32::MAX), 3_333_333_333, 9_999_999_999_999)];
            for (seq, uptime_ms, start) in cases {
                let payload = template.patched(Identity { seq, uptime_ms, start });
                let read = decoder.report("B-0001", payload).unwrap();
                assert_eq!((read.seq, read.uptime_ms, read.start), (seq, uptime_ms, start));
                assert_eq!((&read.classes, &read.buckets, read.boot), (&report.classes, &report.buckets, report.boot));
            }
        }
    }
}
