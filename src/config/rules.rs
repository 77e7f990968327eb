//! Rules that join several keys. A rule is passed over when one of its keys already has a fault of its own: its message
//! would speak of a value that nobody wrote.

use std::collections::BTreeSet;

use super::fault::Fault;
use super::host::is_local;
use super::layer::Entry;
use super::settings::{BrokerMode, Config};

mod access;
mod rule;

use rule::{Rule, rule};

/// Checks all rules over the merged configuration.
pub fn check(config: &Config, entries: &[Entry], refused: &BTreeSet<String>, faults: &mut Vec<Fault>) {
    for rules in [
        broker(config),
        limits(config),
        detector(config),
        storage(config),
        http(config),
        access::rules(config),
        gate(config),
        incident(config),
    ] {
        faults.extend(rules.into_iter().filter_map(|rule| rule.fault(entries, refused)));
    }
}

fn broker(config: &Config) -> Vec<Rule> {
    let embedded = &config.broker.embedded;
    let external = &config.broker.external;
    let used = config.broker.mode == BrokerMode::External;
    vec![
        rule(
            &["broker.embedded.listen", "broker.embedded.users_file"],
            !embedded.listen.ip().is_loopback() && embedded.users_file.is_none(),
            "is not a loopback address, so devices have to authenticate: set broker.embedded.users_file",
        ),
        rule(
            &["broker.external.tls", "broker.external.ca_file"],
            external.tls && external.ca_file.is_none(),
            "needs broker.external.ca_file: the authorities that may have signed the broker's certificate",
        ),
        rule(
            &[
                "broker.external.ca_file",
                "broker.external.server_name",
                "broker.external.cert_file",
                "broker.external.tls",
            ],
            !external.tls
                && (external.ca_file.is_some() || external.server_name.is_some() || external.cert_file.is_some()),
            "has no effect without broker.external.tls = true",
        ),
        rule(
            &["broker.external.cert_file", "broker.external.key_file"],
            external.cert_file.is_some() != external.key_file.is_some(),
            "needs its other half: cert_file and key_file go together",
        ),
        rule(
            &["broker.external.host", "broker.external.tls", "broker.external.allow_plaintext", "broker.mode"],
            used && !is_local(&external.host) && !external.tls && !external.allow_plaintext,
            "is another machine, and the connection is not encrypted: set broker.external.tls (or, knowing what it \
             means, broker.external.allow_plaintext)",
        ),
    ]
}

fn limits(config: &Config) -> Vec<Rule> {
    // Room for the topic and the MQTT header around a payload of the largest size.
    let needed = config.ingest.max_payload_bytes.saturating_add(1_024);
    let (device, newcomers) = (&config.ingest.device, &config.ingest.newcomers);
    vec![
        rule(
            &["ingest.newcomers.burst_messages", "ingest.device.burst_messages"],
            newcomers.burst_messages < device.burst_messages,
            "ingest.newcomers is for all of them together, so its burst must be at least that of ingest.device",
        ),
        rule(
            &["ingest.newcomers.burst_mib", "ingest.device.burst_mib"],
            newcomers.burst_mib < device.burst_mib,
            "ingest.newcomers is for all of them together, so its burst must be at least that of ingest.device",
        ),
        rule(
            &["ingest.max_packet_bytes", "ingest.max_payload_bytes"],
            config.ingest.max_packet_bytes < needed,
            format!("ingest.max_packet_bytes must be at least ingest.max_payload_bytes + 1024 ({needed})"),
        ),
        rule(
            &["broker.embedded.max_packet_bytes", "ingest.max_payload_bytes"],
            config.broker.embedded.max_packet_bytes < needed,
            format!("broker.embedded.max_packet_bytes must be at least ingest.max_payload_bytes + 1024 ({needed})"),
        ),
        rule(
            &["detector.expected_only", "devices.expected"],
            config.detector.expected_only && config.devices.expected.is_none(),
            "needs devices.expected: without the list every device would be refused",
        ),
    ]
}

fn detector(config: &Config) -> Vec<Rule> {
    let set = &config.detector;
    let marks_rule =
        || format!("every warning must come before the declaration (detector.hold_min = {})", set.hold_min);
    vec![
        rule(
            &["detector.warn_group_min", "detector.hold_min"],
            set.warn_group_min.iter().any(|mark| *mark >= set.hold_min),
            marks_rule(),
        ),
        rule(
            &["detector.warn_device_min", "detector.hold_min"],
            set.warn_device_min.iter().any(|mark| *mark >= set.hold_min),
            marks_rule(),
        ),
        rule(
            &["detector.recover_min", "detector.hold_min"],
            set.recover_min >= set.hold_min,
            "detector.recover_min must be less than detector.hold_min",
        ),
        rule(
            &["detector.max_gap_min", "detector.hold_min"],
            set.max_gap_min >= set.hold_min,
            "detector.max_gap_min must be less than detector.hold_min, or silence alone could fill it",
        ),
        rule(
            &["detector.clear_min", "detector.recover_min"],
            set.clear_min < set.recover_min,
            "detector.clear_min must be at least detector.recover_min",
        ),
        rule(
            &["detector.objective_p95_us", "detector.objective_p50_us"],
            matches!((set.objective_p50_us, set.objective_p95_us), (Some(p50), Some(p95)) if p95 < p50),
            "detector.objective_p95_us must be at least detector.objective_p50_us",
        ),
    ]
}

fn storage(config: &Config) -> Vec<Rule> {
    let (journal, store) = (&config.journal, &config.store);
    // Two generations of checkpoints are kept; a restart from the older one reads the journal from there.
    let needed_s = u64::from(config.checkpoint.interval_s) * 3;
    vec![
        rule(
            &["journal.max_age_h", "checkpoint.interval_s"],
            u64::from(journal.max_age_h) * 3_600 < needed_s,
            format!("journal.max_age_h must cover three checkpoint intervals ({needed_s} s)"),
        ),
        rule(
            &["journal.max_size_mib", "journal.segment_mib"],
            u64::from(journal.max_size_mib) < u64::from(journal.segment_mib) * 4,
            "journal.max_size_mib must hold at least four segments (journal.segment_mib)",
        ),
        rule(
            &["journal.dir", "checkpoint.dir"],
            journal.dir == config.checkpoint.dir,
            "journal.dir and checkpoint.dir must differ",
        ),
        rule(
            &["store.url", "store.path"],
            store.url.is_some() && store.path.is_some(),
            "store.url and store.path name two databases, and there can be only one: leave out the other",
        ),
        rule(
            &["store.password_file", "store.url"],
            store.password_file.is_some() && store.url.is_none(),
            "has no effect without store.url",
        ),
        rule(
            &["store.url"],
            store.url.as_deref().is_some_and(super::database::is_exposed),
            "is another machine, and the connection may not be encrypted: add ?sslmode=verify-full (or, knowing what it \
             means, another sslmode)",
        ),
    ]
}

fn http(config: &Config) -> Vec<Rule> {
    let (http, embedded) = (&config.http, &config.broker.embedded);
    vec![rule(
        &["http.listen", "broker.embedded.listen"],
        config.broker.mode == BrokerMode::Embedded && http.listen == embedded.listen && http.listen.port() != 0,
        "http.listen and broker.embedded.listen must differ",
    )]
}

fn gate(config: &Config) -> Vec<Rule> {
    let gate = &config.gate;
    vec![rule(
        &["gate.control_ring_file", "gate.control_ring_percent"],
        gate.control_ring_file.is_some() && gate.control_ring_percent > 0,
        "the control ring is either a share (gate.control_ring_percent) or a list (gate.control_ring_file)",
    )]
}

fn incident(config: &Config) -> Vec<Rule> {
    vec![rule(
        &["incident.clear_min", "detector.clear_min"],
        config.incident.clear_min > config.detector.clear_min,
        "quiet minutes are counted up to detector.clear_min only: incident.clear_min cannot be longer",
    )]
}
