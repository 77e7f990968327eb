//! Properties over generated messages: round trips, and bytes that nobody vouches for.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::super::encode::{self, LatencyForm};
use super::super::{DecodeError, Decoder, Limits};
use super::merged;
use crate::engine::device::{Package, Status, TrafficClass, Workaround};
use crate::engine::histogram::{MAX_US, bucket_of};
use crate::engine::report::{Bucket, ClassReport, Report, RuleCount};

const DEVICE: &str = "B-0042";

fn text() -> impl Strategy<Value = String> {
    "[ -~éßあ]{1,20}"
}

fn wall() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), -253_402_300_799_999..=253_402_300_799_999_i64, 1_795_000_000_000..1_796_000_000_000_i64]
}

type ClassParts = (Vec<(u16, u32)>, [u32; 5], Vec<(String, u32)>);

fn class(most: u32) -> impl Strategy<Value = ClassParts> {
    let buckets = vec((0..=bucket_of(MAX_US) as u16, 1..=most), 0..40);
    let counts = [0..=10_000_u32, 0..=10_000, 0..=10_000, 0..=10_000, 0..=10_000];
    let rules = btree_map(text(), 0..=10_000_u32, 0..8).prop_map(|rules| rules.into_iter().collect());
    (buckets, counts, rules)
}

/// A report with up to `most` samples in a bucket.
fn report(most: u32) -> impl Strategy<Value = Report> {
    let classes = subsequence(TrafficClass::ALL.to_vec(), 0..=4).prop_shuffle();
    let head = (any::<u64>(), any::<u64>(), 0..=253_402_300_799_999_u64, wall(), 40..=60_000_u32);
    (head, classes, vec(class(most), 4)).prop_map(|(head, classes, parts)| {
        let (boot, seq, uptime_ms, start, period_ms) = head;
        let mut report = Report { boot, seq, uptime_ms, start, period_ms, ..Report::default() };
        for (class, (buckets, [flows, flagged, canary, canary_flagged, released], rules)) in
            classes.into_iter().zip(parts)
        {
            let (first_bucket, first_rule) = (report.buckets.len() as u32, report.rules.len() as u32);
            report.buckets.extend(buckets.into_iter().map(|(index, count)| Bucket { index, count }));
            for (name, count) in rules {
                let start = report.rule_names.len() as u32;
                report.rule_names.push_str(&name);
                report.rules.push(RuleCount { name: start..report.rule_names.len() as u32, count });
            }
            report.classes.push(ClassReport {
                class,
                buckets: first_bucket..report.buckets.len() as u32,
                rules: first_rule..report.rules.len() as u32,
                flows,
                flagged: flagged.min(flows),
                canary,
                canary_flagged: canary_flagged.min(canary),
                released,
            });
        }
        report
    })
}

fn status() -> impl Strategy<Value = Status> {
    let labels = vec(proptest::option::of(text()), 5);
    let packages = btree_map(text(), (text(), proptest::option::of(wall())), 0..8);
    let workaround = proptest::option::of((proptest::option::of(text()), any::<bool>()));
    let head = (any::<bool>(), any::<u64>(), wall(), proptest::option::of(wall()));
    (head, labels, packages, workaround).prop_map(|(head, labels, packages, workaround)| {
        let (online, boot, at, update_installed_at) = head;
        let mut labels = labels.into_iter().map(|label| label.map(Into::into));
        let mut next = || labels.next().flatten();
        Status {
            online,
            boot,
            at,
            model: next(),
            branch: next(),
            customer: next(),
            firmware: next(),
            update: next(),
            update_installed_at,
            packages: packages
                .into_iter()
                .map(|(name, (version, installed_at))| Package {
                    name: name.into(),
                    version: version.into(),
                    installed_at,
                })
                .collect(),
            workaround: workaround.map(|(id, active)| Workaround { id: id.map(Into::into), active }),
        }
    })
}

/// A valid message of either kind and encoding, and how it is to be damaged.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let message = prop_oneof![
        (report(3), 0..4_usize).prop_map(|(report, form)| encode::report_json(DEVICE, &report, LatencyForm::ALL[form])),
        (report(3), 0..4_usize).prop_map(|(report, form)| encode::report_binary(
            DEVICE,
            &report,
            LatencyForm::ALL[form]
        )),
        status().prop_map(|status| encode::status_json(DEVICE, &status)),
        status().prop_map(|status| encode::status_binary(DEVICE, &status)),
    ];
    (message, vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..6)).prop_map(|(mut bytes, damage)| {
        for (at, byte, how) in damage {
            let at = at.index(bytes.len().max(1));
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

/// Both kinds read `bytes` without panic, and a refusal is the same each time and in the list.
fn refuses_calmly(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut decoder = Decoder::new(Limits::default());
    for _ in 0..2 {
        let reports =
            [decoder.report(DEVICE, bytes).err(), Decoder::new(Limits::default()).report(DEVICE, bytes).err()];
        prop_assert_eq!(reports[0], reports[1]);
        let statuses = [decoder.status(DEVICE, bytes), decoder.status(DEVICE, bytes)];
        prop_assert_eq!(&statuses[0], &statuses[1]);
        for error in reports[0].into_iter().chain(statuses[0].as_ref().err().copied()) {
            prop_assert!(DecodeError::REASONS.contains(&error.reason()));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in vec(any::<u8>(), 0..600), first in prop_oneof![Just(b'{'), Just(1), any::<u8>()]) {
        if let Some(byte) = bytes.first_mut() {
            *byte = first;
        }
        refuses_calmly(&bytes)?;
    }

    #[test]
    fn damaged_messages_are_read_or_refused(bytes in damaged()) {
        refuses_calmly(&bytes)?;
    }

    #[test]
    fn reports_are_read_back_as_they_were_written(report in report(10_000)) {
        let mut decoder = Decoder::new(Limits::default());
        for bytes in [
            encode::report_json(DEVICE, &report, LatencyForm::Counts),
            encode::report_binary(DEVICE, &report, LatencyForm::Counts),
        ] {
            prop_assert_eq!(decoder.report(DEVICE, &bytes), Ok(&report));
        }
        for form in [LatencyForm::Hdr, LatencyForm::HdrDeflate] {
            for bytes in [encode::report_json(DEVICE, &report, form), encode::report_binary(DEVICE, &report, form)] {
                prop_assert_eq!(merged(decoder.report(DEVICE, &bytes).unwrap()), merged(&report));
            }
        }
    }

    #[test]
    fn samples_are_read_back_as_they_were_written(report in report(5)) {
        let mut decoder = Decoder::new(Limits::default());
        for bytes in [
            encode::report_json(DEVICE, &report, LatencyForm::Samples),
            encode::report_binary(DEVICE, &report, LatencyForm::Samples),
        ] {
            prop_assert_eq!(merged(decoder.report(DEVICE, &bytes).unwrap()), merged(&report));
        }
    }

    #[test]
    fn statuses_are_read_back_as_they_were_written(status in status()) {
        let mut decoder = Decoder::new(Limits::default());
        prop_assert_eq!(decoder.status(DEVICE, &encode::status_json(DEVICE, &status)), Ok(status.clone()));
        prop_assert_eq!(decoder.status(DEVICE, &encode::status_binary(DEVICE, &status)), Ok(status));
    }
}
