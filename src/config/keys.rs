//! The table of all keys: what kind of value each takes. The one place where ranges stand.

use super::kinds::{Key, Kind};
use super::tables;
use crate::engine::settings::LEAST_HOLD_MIN;
use crate::engine::slots::MAX_GRACE_MS;

/// Every key, in the order of the sample file.
pub const KEYS: &[Key] = &[
    Key { path: "topic.root", kind: Kind::Topic },
    Key { path: "broker.mode", kind: Kind::Choice(&["embedded", "external"]) },
    Key { path: "broker.embedded.listen", kind: Kind::Address },
    Key { path: "broker.embedded.users_file", kind: Kind::SecretFile },
    Key { path: "broker.embedded.max_packet_bytes", kind: Kind::Whole(1_024, 1_048_576) },
    Key { path: "broker.embedded.max_retained", kind: Kind::Whole(100, 1_000_000) },
    Key { path: "broker.embedded.session_expiry_s", kind: Kind::Whole(60, 604_800) },
    Key { path: "broker.external.host", kind: Kind::Text(253) },
    Key { path: "broker.external.port", kind: Kind::Whole(1, 65_535) },
    Key { path: "broker.external.tls", kind: Kind::Flag },
    Key { path: "broker.external.ca_file", kind: Kind::ExistingFile },
    Key { path: "broker.external.server_name", kind: Kind::Text(253) },
    Key { path: "broker.external.cert_file", kind: Kind::ExistingFile },
    Key { path: "broker.external.key_file", kind: Kind::SecretFile },
    Key { path: "broker.external.credentials_file", kind: Kind::SecretFile },
    Key { path: "broker.external.allow_plaintext", kind: Kind::Flag },
    Key { path: "broker.external.client_id", kind: Kind::Text(64) },
    Key { path: "broker.external.connections", kind: Kind::Whole(1, 16) },
    Key { path: "broker.external.keep_alive_s", kind: Kind::Whole(5, 600) },
    Key { path: "ingest.max_payload_bytes", kind: Kind::Whole(1_024, 65_536) },
    Key { path: "ingest.max_packet_bytes", kind: Kind::Whole(2_048, 16_777_216) },
    Key { path: "ingest.max_unacked", kind: Kind::Whole(100, 65_535) },
    Key { path: "ingest.device.messages_per_s", kind: Kind::Whole(1, 100_000) },
    Key { path: "ingest.device.burst_messages", kind: Kind::Whole(100, 10_000_000) },
    Key { path: "ingest.device.kib_per_s", kind: Kind::Whole(1, 1_048_576) },
    Key { path: "ingest.device.burst_mib", kind: Kind::Whole(1, 65_536) },
    Key { path: "ingest.newcomers.messages_per_s", kind: Kind::Whole(1, 1_000_000) },
    Key { path: "ingest.newcomers.burst_messages", kind: Kind::Whole(100, 1_000_000_000) },
    Key { path: "ingest.newcomers.kib_per_s", kind: Kind::Whole(1, 1_048_576) },
    Key { path: "ingest.newcomers.burst_mib", kind: Kind::Whole(1, 1_048_576) },
    Key { path: "detector.hold_min", kind: Kind::Whole(LEAST_HOLD_MIN as u64, 420) },
    Key { path: "detector.grace_ms", kind: Kind::Whole(60_000, MAX_GRACE_MS as u64) },
    Key { path: "detector.ratio", kind: Kind::Above(1.0, 100.0) },
    Key { path: "detector.delta_us", kind: Kind::Whole(0, 60_000_000) },
    Key { path: "detector.utc_offset_min", kind: Kind::Signed(-720, 840) },
    Key { path: "detector.time_zone", kind: Kind::Zone },
    Key { path: "detector.objective_p50_us", kind: Kind::Whole(1, 60_000_000) },
    Key { path: "detector.objective_p95_us", kind: Kind::Whole(1, 60_000_000) },
    Key { path: "detector.false_positive_floor", kind: Kind::Above(0.0, 0.5) },
    Key { path: "detector.recover_min", kind: Kind::Whole(1, 60) },
    Key { path: "detector.max_gap_min", kind: Kind::Whole(0, 60) },
    Key { path: "detector.clear_min", kind: Kind::Whole(1, 1_440) },
    Key { path: "detector.fleet_scope_min_devices", kind: Kind::Whole(2, 100_000) },
    Key { path: "detector.warn_group_min", kind: Kind::Marks },
    Key { path: "detector.warn_device_min", kind: Kind::Marks },
    Key { path: "detector.max_devices", kind: Kind::Whole(1, 1_000_000) },
    Key { path: "detector.expected_only", kind: Kind::Flag },
    Key { path: "journal.dir", kind: Kind::Path },
    Key { path: "journal.segment_mib", kind: Kind::Whole(1, 1_024) },
    Key { path: "journal.max_age_h", kind: Kind::Whole(1, 8_784) },
    Key { path: "journal.max_size_mib", kind: Kind::Whole(8, 16_777_216) },
    Key { path: "journal.commit_interval_ms", kind: Kind::Whole(1, 1_000) },
    Key { path: "journal.commit_messages", kind: Kind::Whole(1, 100_000) },
    Key { path: "checkpoint.dir", kind: Kind::Path },
    Key { path: "checkpoint.interval_s", kind: Kind::Whole(5, 3_600) },
    Key { path: "store.path", kind: Kind::Path },
    Key { path: "store.url", kind: Kind::DatabaseUrl },
    Key { path: "store.password_file", kind: Kind::SecretFile },
    Key { path: "http.listen", kind: Kind::Address },
    Key { path: "http.public_url", kind: Kind::WebAddress },
    Key { path: "http.allowed_hosts", kind: Kind::Words },
    Key { path: "http.time_zone", kind: Kind::Zone },
    Key { path: "http.device_metrics", kind: Kind::Choice(&["full", "affected", "off"]) },
    Key { path: "access.mode", kind: Kind::Choice(&["none", "users", "oidc", "proxy"]) },
    Key { path: "access.session_idle_min", kind: Kind::Whole(5, 1_440) },
    Key { path: "access.session_max_h", kind: Kind::Whole(1, 168) },
    Key { path: "access.metrics_from", kind: Kind::Networks },
    Key { path: "access.roles.viewer", kind: Kind::Words },
    Key { path: "access.roles.noc", kind: Kind::Words },
    Key { path: "access.roles.support", kind: Kind::Words },
    Key { path: "access.roles.branch", kind: Kind::Words },
    Key { path: "access.roles.commander", kind: Kind::Words },
    Key { path: "access.roles.admin", kind: Kind::Words },
    Key { path: "access.proxy.networks", kind: Kind::Networks },
    Key { path: "access.proxy.user_header", kind: Kind::Header },
    Key { path: "access.proxy.groups_header", kind: Kind::Header },
    Key { path: "access.proxy.branches_header", kind: Kind::Header },
    Key { path: "access.proxy.separator", kind: Kind::Choice(&["comma", "semicolon", "bar"]) },
    Key { path: "access.oidc.issuer", kind: Kind::WebAddress },
    Key { path: "access.oidc.client_id", kind: Kind::Text(256) },
    Key { path: "access.oidc.client_secret_file", kind: Kind::SecretFile },
    Key { path: "access.oidc.scopes", kind: Kind::Words },
    Key { path: "access.oidc.name_claim", kind: Kind::Text(128) },
    Key { path: "access.oidc.groups_claim", kind: Kind::Text(128) },
    Key { path: "access.oidc.branches_claim", kind: Kind::Text(128) },
    Key { path: "access.oidc.separator", kind: Kind::Choice(&["none", "space", "comma", "semicolon", "bar"]) },
    Key { path: "access.oidc.audiences", kind: Kind::Words },
    Key { path: "access.oidc.recheck_min", kind: Kind::Whole(5, 1_440) },
    Key { path: "access.oidc.ca_file", kind: Kind::ExistingFile },
    Key { path: "devices.expected", kind: Kind::ExistingFile },
    Key { path: "gate.enabled", kind: Kind::Flag },
    Key { path: "gate.min_confidence", kind: Kind::Above(0.5, 1.0) },
    Key { path: "gate.hold_from_min", kind: Kind::Whole(0, 420) },
    Key { path: "gate.release_on", kind: Kind::Choice(&["person", "resolved"]) },
    Key { path: "gate.control_ring_percent", kind: Kind::Whole(0, 50) },
    Key { path: "gate.control_ring_seed", kind: Kind::Whole(0, 4_294_967_295) },
    Key { path: "gate.control_ring_file", kind: Kind::ExistingFile },
    Key { path: "incident.promise_h", kind: Kind::Whole(1, 720) },
    Key { path: "incident.clear_min", kind: Kind::Whole(5, 480) },
    Key { path: "incident.claim_min", kind: Kind::Whole(1, 1_440) },
    Key { path: "incident.nag_min", kind: Kind::Whole(0, 1_440) },
    Key { path: "incident.unreachable_calls", kind: Kind::Whole(1, 20) },
    Key { path: "incident.review_days", kind: Kind::Whole(1, 90) },
    Key { path: "incident.contact_days", kind: Kind::Whole(1, 3_650) },
    Key { path: "notify.page_url", kind: Kind::WebAddress },
    Key { path: "notify.give_up_after_min", kind: Kind::Whole(10, 43_200) },
    Key { path: "notify.tell_elsewhere_after_min", kind: Kind::Whole(5, 1_440) },
    Key { path: "notify.channel", kind: Kind::Tables(&tables::CHANNEL) },
    Key { path: "muster.person", kind: Kind::Tables(&tables::PERSON) },
    Key { path: "muster.rota", kind: Kind::Tables(&tables::ROTA) },
    Key { path: "log.format", kind: Kind::Choice(&["auto", "json", "text"]) },
    Key { path: "log.level", kind: Kind::Levels },
];

/// Keys that were there once, each with what to write now.
const GONE: &[(&str, &str)] = &[(
    "http.behind_proxy",
    "say with access.mode who asks people who they are: \"proxy\", with access.proxy.networks, for a proxy that does",
)];

/// What to write in place of a key that is gone.
pub fn successor(path: &str) -> Option<&'static str> {
    GONE.iter().find(|(key, _)| *key == path).map(|(_, instead)| *instead)
}

/// The key with this path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether `path` is a section, that is, some key lies below it.
pub fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The key that was most probably meant by `path`: the same name in another section, or the nearest spelling within a
/// third of its length.
pub fn nearest(path: &str) -> Option<&'static str> {
    let name = path.rsplit('.').next().unwrap_or(path);
    let same_name = KEYS.iter().find(|key| key.path.rsplit('.').next() == Some(name));
    let near = || {
        let scored = KEYS.iter().map(|key| (distance(path, key.path), key));
        scored.min_by_key(|(score, _)| *score).filter(|(score, key)| score * 3 <= key.path.len().min(path.len()))
    };
    // A spelling one or two letters off within the same section is likelier than the same name elsewhere.
    match (near(), same_name) {
        (Some((score, key)), _) if score <= 2 => Some(key.path),
        (_, Some(key)) => Some(key.path),
        (near, None) => near.map(|(_, key)| key.path),
    }
}

/// The section that was most probably meant by `path`.
pub fn nearest_section(path: &str) -> Option<&'static str> {
    let sections = KEYS.iter().filter_map(|key| key.path.rsplit_once('.')).map(|(section, _)| section);
    let scored = sections.map(|section| (distance(path, section), section));
    scored.min_by_key(|(score, _)| *score).filter(|(score, name)| score * 3 <= name.len().max(6)).map(|(_, name)| name)
}

/// Levenshtein distance in bytes. Keys are short, and `path` is cut before it comes here.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (&a.as_bytes()[..a.len().min(80)], b.as_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
