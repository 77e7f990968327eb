use super::encode::{self, LatencyForm};
use super::*;
use crate::engine::device::{Package, TrafficClass, Workaround};
use crate::engine::histogram::bucket_of;
use crate::engine::report::{Bucket, ClassReport};

mod properties;

const REPORT: &[u8] =
    br#"{"v":1,"device":"B-0042","boot":7,"seq":1234,"uptime_ms":86400000,"start":1795305600000,"period_ms":10000,
 "traffic":{"https":{"latency":{"counts":[[1200,3],[1400,9]]},
                     "flows":1840,"flagged":12,"canary":20,"canary_flagged":1,"released":2,
                     "rules":{"2100498":12}}}}"#;

const STATUS: &[u8] =
    br#"{"v":1,"device":"B-0042","online":true,"boot":7,"at":1795305600000,"model":"B200","branch":"sapporo-03",
 "customer":"C-00123","firmware":"5.2.1","update":"2026.11.21","update_installed_at":1795300000000,
 "packages":{"signatures":{"version":"9.9.1","installed_at":1795299000000}},
 "workaround":{"id":"WA-1","active":false}}"#;

/// The report of the design, as it has to be decoded.
pub(super) fn report() -> Report {
    let mut report = Report {
        boot: 7,
        seq: 1234,
        uptime_ms: 86_400_000,
        start: 1_795_305_600_000,
        period_ms: 10_000,
        ..Report::default()
    };
    report.buckets = vec![bucket(1200, 3), bucket(1400, 9)];
    report.rules = vec![crate::engine::report::RuleCount { name: 0..7, count: 12 }];
    report.rule_names = "2100498".to_owned();
    report.classes = vec![ClassReport {
        class: TrafficClass::Https,
        buckets: 0..2,
        rules: 0..1,
        flows: 1840,
        flagged: 12,
        canary: 20,
        canary_flagged: 1,
        released: 2,
    }];
    report
}

/// The status of the design, as it has to be decoded.
pub(super) fn status() -> Status {
    Status {
        online: true,
        boot: 7,
        at: 1_795_305_600_000,
        model: Some("B200".into()),
        branch: Some("sapporo-03".into()),
        customer: Some("C-00123".into()),
        firmware: Some("5.2.1".into()),
        update: Some("2026.11.21".into()),
        update_installed_at: Some(1_795_300_000_000),
        packages: vec![Package {
            name: "signatures".into(),
            version: "9.9.1".into(),
            installed_at: Some(1_795_299_000_000),
        }],
        workaround: Some(Workaround { id: Some("WA-1".into()), active: false }),
    }
}

fn bucket(us: u32, count: u32) -> Bucket {
    Bucket { index: bucket_of(us) as u16, count }
}

fn decoder() -> Decoder {
    Decoder::new(Limits::default())
}

#[test]
fn the_messages_of_the_design_are_read() {
    assert_eq!(decoder().report("B-0042", REPORT), Ok(&report()));
    assert_eq!(decoder().status("B-0042", STATUS), Ok(status()));
}

#[test]
fn every_form_is_read_back_as_it_was_written() {
    let mut decoder = decoder();
    for form in LatencyForm::ALL {
        for bytes in [encode::report_json("B-0042", &report(), form), encode::report_binary("B-0042", &report(), form)]
        {
            let decoded = decoder.report("B-0042", &bytes).unwrap();
            assert_eq!(merged(decoded), merged(&report()), "{form:?}");
        }
    }
    for bytes in [encode::status_json("B-0042", &status()), encode::status_binary("B-0042", &status())] {
        assert_eq!(decoder.status("B-0042", &bytes), Ok(status()));
    }
}

/// The report with each class' buckets summed by index, so that forms can be compared.
pub(super) fn merged(report: &Report) -> Report {
    let mut merged = Report { buckets: Vec::new(), ..report.clone() };
    for class in &mut merged.classes {
        let mut sums = std::collections::BTreeMap::new();
        for bucket in report.buckets_of(class) {
            *sums.entry(bucket.index).or_insert(0) += bucket.count;
        }
        let start = merged.buckets.len() as u32;
        merged.buckets.extend(sums.into_iter().map(|(index, count)| Bucket { index, count }));
        class.buckets = start..merged.buckets.len() as u32;
    }
    merged
}

#[test]
fn a_topic_names_one_device_and_one_kind() {
    let report = parse_topic("utm", "utm/v1/B-0042/report").unwrap();
    assert_eq!((report.kind, report.device), (TopicKind::Report, "B-0042"));
    let status = parse_topic("site/a/utm", "site/a/utm/v1/B_1/status").unwrap();
    assert_eq!((status.kind, status.device), (TopicKind::Status, "B_1"));
    for bad in [
        "",
        "utm",
        "utm/v1/B-0042",
        "utm/v1//report",
        "utm/v1/B-0042/report/x",
        "utm/v1/B-0042/reports",
        "utm/v2/B-0042/report",
        "utmx/v1/B-0042/report",
        "utm/v1/updates/2026.11.21/gate",
        "utm/v1/B 42/report",
        "/utm/v1/B-0042/report",
    ] {
        assert_eq!(parse_topic("utm", bad), Err(DecodeError::BadTopic), "{bad}");
    }
}

#[test]
fn a_will_needs_only_what_it_can_know() {
    let will = Status { online: false, boot: 7, ..Status::default() };
    let json = br#"{"v":1,"device":"B-0042","online":false,"boot":7}"#;
    assert_eq!(decoder().status("B-0042", json), Ok(will.clone()));
    assert_eq!(encode::status_json("B-0042", &will), json);
    assert_eq!(decoder().status("B-0042", &encode::status_binary("B-0042", &will)), Ok(will));
}

#[test]
fn what_may_be_absent_may_also_be_null_or_empty() {
    let json = br#"{"v":1,"device":"B","online":true,"boot":0,"at":null,"model":"","branch":null,"packages":null,
        "update_installed_at":null,"workaround":{"id":"","active":true}}"#;
    let workaround = Some(Workaround { id: None, active: true });
    assert_eq!(decoder().status("B", json), Ok(Status { online: true, workaround, ..Status::default() }));

    let json = br#"{"v":1,"device":"B","boot":0,"seq":0,"uptime_ms":0,"start":0,"period_ms":1,
        "traffic":{"dns":{},"voip":{"latency":null,"rules":null,"flows":3}}}"#;
    let mut decoder = decoder();
    let report = decoder.report("B", json).unwrap();
    assert_eq!(
        report.classes.iter().map(|class| (class.class, class.flows)).collect::<Vec<_>>(),
        [(TrafficClass::Dns, 0), (TrafficClass::Voip, 3)]
    );
    assert!(report.buckets.is_empty());
}

#[test]
fn unknown_json_fields_are_skipped_at_every_level() {
    let json = br#"{"x":[1,2.5,{"y":null}],"v":1,"device":"B","boot":1,"seq":2,"uptime_ms":3,"start":4,"period_ms":5,
        "traffic":{"https":{"new":{"a":"\u00e9"},"latency":{"counts":[[7,1]],"unit":"us"},"flows":9}},"later":true}"#;
    let mut decoder = decoder();
    let report = decoder.report("B", json).unwrap();
    assert_eq!((report.classes[0].flows, &report.buckets[..]), (9, &[bucket(7, 1)][..]));
}

#[test]
fn a_refused_report_leaves_nothing_behind() {
    let mut decoder = decoder();
    let broken = &REPORT[..REPORT.len() - 2];
    assert_eq!(decoder.report("B-0042", broken), Err(DecodeError::Truncated));
    assert_eq!(decoder.report, Report::default());
    assert_eq!(decoder.report("B-0042", REPORT), Ok(&report()));
}

#[test]
fn every_refusal_is_in_the_list_of_reasons() {
    let mut unique = DecodeError::REASONS.to_vec();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), DecodeError::REASONS.len());
}

#[test]
fn what_ends_a_text_in_some_languages_is_no_part_of_it_and_a_period_may_be_a_second_long() {
    let payload = |period: u32| {
        format!(
            r#"{{"v":1,"device":"B","boot":1,"seq":2,"uptime_ms":3,"start":4,"period_ms":{period},"traffic":{{}}}}"#
        )
    };
    let mut decoder = Decoder::new(Limits::default());
    for end in ["", "\0", "\n", "\r\n\0\0 "] {
        let told = payload(60_003) + end;
        assert_eq!(decoder.report("B", told.as_bytes()).map(|report| report.period_ms), Ok(60_003), "{end:?}");
        let status = format!(r#"{{"v":1,"device":"B","online":true,"boot":1}}{end}"#);
        assert!(decoder.status("B", status.as_bytes()).is_ok(), "{end:?}");
    }
    let refused = decoder.report("B", payload(61_001).as_bytes()).err().unwrap();
    assert_eq!((refused.reason(), refused.field()), ("out_of_range", Some("period_ms")));
    assert!(decoder.report("B", (payload(1) + "\0{}").as_bytes()).is_err());
}
