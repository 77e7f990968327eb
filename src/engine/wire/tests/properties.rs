//! Properties over generated messages: round trips, and bytes that nobody vouches for.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::Value;

use super::super::build::{Build, Scratch};
use super::super::encode::{self, LatencyForm};
use super::super::{DecodeError, Decoder, Field, LeftOut, Limits, json};
use super::merged;
use crate::engine::device::{Package, Status, TrafficClass, Workaround};
use crate::engine::histogram::{MAX_US, bucket_of};
use crate::engine::label;
use crate::engine::report::{Bucket, ClassReport, Report, RuleCount};

const DEVICE: &str = "B-0042";

fn text() -> impl Strategy<Value = String> {
    "[ -~éßあ]{1,20}".prop_map(|text| label::form(&text).into_owned()).prop_filter("empty", |text| !text.is_empty())
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

/// What the quick reader of JSON and the strict one make of `bytes`.
fn plain_and_strict(bytes: &[u8]) -> (Option<Report>, Result<Report, DecodeError>) {
    let (limits, mut plain, mut strict) = (Limits::default(), Report::default(), Report::default());
    let mut scratch = Scratch::new();
    let (left, none) = (LeftOut::default(), LeftOut::default());
    let answer = json::plain_report(Build::new(&limits, &mut plain, &left, &mut scratch), DEVICE, bytes);
    let reason = json::report(Build::new(&limits, &mut strict, &none, &mut scratch), DEVICE, bytes);
    assert!(answer.is_none() || none.is_empty(), "the quick reader takes what is whole only: {none:?}");
    (answer.map(|()| plain), reason.map(|()| strict))
}

/// A report as text, where a part of it may be replaced by something that JSON writes too, or that nobody should.
fn varied_json() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        (",", " ,\n"),
        (":", "\t: "),
        ("[", "[ "),
        ("}", " } "),
        ("\"v\":1", "\"v\":1.0"),
        ("\"v\":1", "\"v\":2"),
        ("\"boot\":", "\"boot\":0"),
        ("\"seq\":", "\"seq\":-"),
        ("\"period_ms\":", "\"period_ms\":1e3,\"x\":"),
        ("\"flows\":", "\"flows\":null,\"flows\":"),
        ("\"flows\":", "\"unknown\":[{}],\"flows\":"),
        ("\"counts\":[", "\"counts\":[[1]"),
        ("\"counts\":[", "\"counts\":[[1,2,3],"),
        ("\"counts\":[", "\"counts\":[[4294967296,1],"),
        ("\"counts\":", "\"samples\":[],\"counts\":"),
        ("\"device\"", "\"devic\\u0065\""),
        ("https", "HTTPS"),
        ("\"rules\":{", "\"rules\":{\"é\":1,"),
        ("\"uptime_ms\":", "\"uptime_ms\":1844674407370955161"),
        ("}", "},"),
        ("]", ",]"),
        ("\"traffic\":", "\"traffic\":{},\"traffic\":"),
    ]);
    let form = prop::sample::select(vec![LatencyForm::Samples, LatencyForm::Counts]);
    (report(5), form, vec((parts, any::<prop::sample::Index>()), 0..3)).prop_map(|(report, form, changes)| {
        let mut text = String::from_utf8(encode::report_json(DEVICE, &report, form)).unwrap();
        for ((from, to), at) in changes {
            let places: Vec<usize> = text.match_indices(from).map(|(place, _)| place).collect();
            if !places.is_empty() {
                let place = *at.get(&places);
                text.replace_range(place..place + from.len(), to);
            }
        }
        text
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
        if let Some((_, why)) = decoder.left_out().first() {
            prop_assert!(DecodeError::LEFT_OUT_REASONS.contains(&why.reason()), "{}", why.reason());
        }
        for error in reports[0].into_iter().chain(statuses[0].as_ref().err().copied()) {
            prop_assert!(DecodeError::REASONS.contains(&error.reason()));
        }
    }
    Ok(())
}

/// Any JSON value.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~]{0,20}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from("札".repeat(300))),
        Just(Value::from("sapporo\u{202e}10-")),
        Just(Value::from("12")),
    ];
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(Value::from(1.5e3)),
        Just(Value::from(u64::from(u32::MAX) + 1)),
    ];
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), text, number];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map("[a-z_]{0,9}", inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// What of a class stands in its own field.
fn parts(report: &Report, class: &ClassReport) -> [Vec<u64>; 4] {
    let buckets = report.buckets_of(class).iter().flat_map(|bucket| [u64::from(bucket.index), u64::from(bucket.count)]);
    let rules = report.rules_of(class).map(|(_, count)| u64::from(count));
    let numbers = |numbers: [u32; 2]| numbers.into_iter().map(u64::from).collect();
    [
        buckets.collect(),
        rules.collect(),
        numbers([class.flows, class.flagged]),
        numbers([class.canary, class.canary_flagged]),
    ]
}

proptest! {
    #[test]
    fn one_value_of_a_report_costs_itself_at_most(report in report(100), at in any::<prop::sample::Index>(), value in value()) {
        prop_assume!(!report.classes.is_empty());
        const FIELDS: [(&str, usize); 6] =
            [("latency", 0), ("rules", 1), ("flows", 2), ("flagged", 2), ("canary", 3), ("canary_flagged", 3)];
        let mut json: Value = serde_json::from_slice(&encode::report_json(DEVICE, &report, LatencyForm::Counts)).unwrap();
        let class = at.index(report.classes.len());
        let (field, part) = FIELDS[at.index(FIELDS.len())];
        json["traffic"][report.classes[class].class.as_str()][field] = value;
        let mut decoder = Decoder::new(Limits::default());
        let decoded = decoder.report(DEVICE, json.to_string().as_bytes());
        prop_assert!(decoded.is_ok(), "{decoded:?}: {json}");
        let decoded = decoded.unwrap().clone();
        let whole = Decoder::new(Limits::default()).report(DEVICE, &encode::report_json(DEVICE, &report, LatencyForm::Counts)).cloned().unwrap();
        prop_assert_eq!(decoded.classes.len(), whole.classes.len());
        for (index, (one, other)) in decoded.classes.iter().zip(&whole.classes).enumerate() {
            for (place, (one, other)) in parts(&decoded, one).into_iter().zip(parts(&whole, other)).enumerate() {
                prop_assert!((index, place) == (class, part) || one == other, "{one:?} {other:?} {json}");
            }
        }
    }

    #[test]
    fn one_value_of_a_status_costs_itself_at_most(status in status(), at in any::<prop::sample::Index>(), value in value()) {
        const FIELDS: [&str; 9] =
            ["at", "model", "branch", "customer", "firmware", "update", "update_installed_at", "packages", "workaround"];
        let mut json: Value = serde_json::from_slice(&encode::status_json(DEVICE, &status)).unwrap();
        let field = *at.get(&FIELDS);
        json[field] = value;
        let mut decoder = Decoder::new(Limits::default());
        let decoded = decoder.status(DEVICE, json.to_string().as_bytes());
        prop_assert!(decoded.is_ok(), "{decoded:?}: {json}");
        let mut decoded = decoded.unwrap();
        for name in [&decoded.model, &decoded.branch, &decoded.customer, &decoded.firmware, &decoded.update].into_iter().flatten() {
            prop_assert_eq!(&*label::form(name), &**name);
            prop_assert!((1..=label::MAX_CHARS).contains(&name.chars().count()));
        }
        let mut whole = status;
        for status in [&mut whole, &mut decoded] {
            match field {
                "at" => status.at = 0,
                "model" => status.model = None,
                "branch" => status.branch = None,
                "customer" => status.customer = None,
                "firmware" => status.firmware = None,
                "update" => status.update = None,
                "update_installed_at" => status.update_installed_at = None,
                "packages" => status.packages.clear(),
                _ => status.workaround = None,
            }
        }
        prop_assert_eq!(decoded, whole);
        let fields: Vec<&str> = decoder.left_out().iter().map(|(field, _)| field.as_str()).collect();
        prop_assert!(fields.iter().all(|left| *left == field), "{fields:?}");
    }

    #[test]
    fn a_name_in_any_writing_is_one_name_in_both_encodings(name in any::<String>(), field in 0..5_usize) {
        let mut status = Status { online: true, ..Status::default() };
        let place = [&mut status.model, &mut status.branch, &mut status.customer, &mut status.firmware, &mut status.update];
        *place.into_iter().nth(field).unwrap() = Some(name.as_str().into());
        let mut decoder = Decoder::new(Limits::default());
        for bytes in [encode::status_json(DEVICE, &status), encode::status_binary(DEVICE, &status)] {
            let read = decoder.status(DEVICE, &bytes).unwrap();
            let read = [read.model, read.branch, read.customer, read.firmware, read.update].into_iter().nth(field).unwrap();
            let fits = label::bounded(&name).ok().filter(|_| !name.contains('\u{fffd}'));
            prop_assert_eq!(decoder.left_out().is_empty(), fits.is_some());
            prop_assert_eq!(read.as_deref(), fits.as_deref().filter(|name| !name.is_empty()));
        }
        let expected = [Field::Model, Field::Branch, Field::Customer, Field::Firmware, Field::Update][field];
        prop_assert!(decoder.left_out().first().is_none_or(|(left, _)| left == expected));
    }
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
    fn what_the_quick_reader_accepts_the_strict_one_reads_the_same(text in varied_json()) {
        if let (Some(plain), strict) = plain_and_strict(text.as_bytes()) {
            prop_assert_eq!(Ok(plain), strict);
        }
    }

    #[test]
    fn what_the_quick_reader_makes_of_damage_the_strict_one_does_too(bytes in damaged()) {
        if let (Some(plain), strict) = plain_and_strict(&bytes) {
            prop_assert_eq!(Ok(plain), strict);
        }
    }

    #[test]
    fn the_quick_reader_takes_what_is_written_plainly(mut report in report(10_000)) {
        report.rules.clear();
        report.classes.iter_mut().for_each(|class| class.rules = 0..0);
        report.rule_names.clear();
        report.start = report.start.abs();
        let text = String::from_utf8(encode::report_json(DEVICE, &report, LatencyForm::Counts)).unwrap();
        for text in [text.replace(',', " ,\r\n\t"), text] {
            // A number of twenty digits may not fit 64 bits, so it is left to the strict reader.
            if report.boot < 10_u64.pow(19) && report.seq < 10_u64.pow(19) {
                prop_assert_eq!(plain_and_strict(text.as_bytes()).0, Some(report.clone()));
            }
        }
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
