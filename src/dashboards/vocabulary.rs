//! The values of labels that people would have to decipher, and what they are called: closed lists, in both languages.

use crate::engine::effect::{ChangeKind, Scope};
use crate::incident::{Milestone, Role, State, Step};
use crate::metrics::incidents::EXCEPTED;
use crate::words::{Both, names, say};

/// A label's value and its name.
pub(super) type Named = (&'static str, Both<&'static str>);

/// What stands where there is no label: a row that says that there is nothing.
pub(super) const DASH: &str = "—";

/// What the dictionaries of labels have no room for.
pub(super) const OTHER: Named = ("other", say("other", "その他"));

pub(super) const CLASSES: [Named; 8] = [
    ("https", say("HTTPS", "HTTPS")),
    ("http", say("HTTP", "HTTP")),
    ("dns", say("DNS", "DNS")),
    ("mail", say("mail", "メール")),
    ("voip", say("VoIP", "VoIP")),
    ("vpn", say("VPN", "VPN")),
    ("file", say("file", "ファイル")),
    OTHER,
];

/// What of a class is measured.
pub(super) const TESTS: [Named; 4] = [
    ("median delay", say("median delay", "遅延の中央値")),
    ("p95 delay", say("p95 delay", "遅延 p95")),
    ("false positives", say("false positives", "誤検知")),
    ("flagged flows", say("flagged flows", "検知された通信")),
];

pub(super) const SEVERITIES: [Named; 2] =
    [("warning", say("warning", "早期警告")), ("major", say("major incident", "重大障害"))];

pub(super) const SCOPES: [Named; 2] =
    [("fleet", names::scope(Scope::Fleet)), ("isolated", names::scope(Scope::Isolated))];

/// What the detector calls an open event.
pub(super) const EVENT_STATES: [Named; 3] = [
    ("pending", say("on the way", "進行中")),
    ("declared", say("declared", "宣言済み")),
    ("recovered", say("recovered", "回復")),
];

/// What a suspect is.
pub(super) const CAUSE_KINDS: [Named; 6] = names::SUSPECT_KINDS;

/// How far a part of the team has come.
pub(super) const ROLE_STATUS: [Named; 3] = [
    ("paged", say("paged", "招集中")),
    ("acknowledged", say("acknowledged", "応答済み")),
    ("joined", say("joined", "参加中")),
];

pub(super) const CHANGES: [Named; 7] = [
    (ChangeKind::EarlyWarning.as_str(), say("early warning", "早期警告")),
    (ChangeKind::Declared.as_str(), say("declared", "宣言")),
    (ChangeKind::Joined.as_str(), say("devices joined", "装置の追加")),
    (ChangeKind::Left.as_str(), say("devices left", "対象外となった装置")),
    (ChangeKind::CauseChanged.as_str(), say("suspect changed", "原因の候補の変更")),
    (ChangeKind::Recovered.as_str(), say("recovered", "回復")),
    (ChangeKind::Resolved.as_str(), say("resolved", "解決")),
];

/// Why a message is refused: of its bytes, of the fleet, of the journal.
pub(super) const REASONS: [Named; 28] = [
    ("bad_topic", say("bad topic", "不正なトピック")),
    ("empty", say("empty", "空のメッセージ")),
    ("too_large", say("too large", "大きすぎる")),
    ("unknown_encoding", say("unknown encoding", "不明な符号化")),
    ("unsupported_version", say("unsupported version", "未対応の形式版")),
    ("truncated", say("truncated", "途中で切れている")),
    ("malformed", say("malformed", "形式の誤り")),
    ("trailing_bytes", say("trailing bytes", "余分なバイト")),
    ("wrong_type", say("wrong type", "型の誤り")),
    ("missing_field", say("missing field", "項目の不足")),
    ("duplicate_field", say("duplicate field", "項目の重複")),
    ("device_mismatch", say("another device's name", "装置名の不一致")),
    ("not_an_integer", say("not an integer", "整数でない値")),
    ("out_of_range", say("out of range", "範囲外の値")),
    ("duplicate", say("duplicate", "重複")),
    ("stale_sequence", say("stale sequence number", "古い通し番号")),
    ("too_old", say("too old", "古すぎる")),
    ("unknown_device", say("unknown device", "未登録の装置")),
    ("fleet_full", say("fleet full", "登録数の上限")),
    ("rate_limited", say("too many periods", "報告が多すぎる")),
    ("over_budget", say("over budget", "送信量の上限超過")),
    ("retained", say("retained report", "保持された報告")),
    ("excessive", say("implausible values", "異常な数値")),
    ("busy", say("no room yet", "空き容量待ち")),
    ("full", say("journal full", "ジャーナルの容量不足")),
    ("failing", say("journal failing", "ジャーナルの障害")),
    ("closed", say("journal closed", "ジャーナルの停止")),
    OTHER,
];

pub(super) fn states() -> Vec<Named> {
    State::ALL.into_iter().map(|state| (state.as_str(), names::state(state))).collect()
}

pub(super) fn roles() -> Vec<Named> {
    Role::ALL.into_iter().map(|role| (role.as_str(), names::role(role))).collect()
}

pub(super) fn milestones() -> Vec<Named> {
    let name = |milestone: Milestone| (milestone.as_str(), names::milestone(milestone));
    Milestone::ALL.into_iter().map(name).collect()
}

/// The steps of the ladder in their order, and what stands beside it.
pub(super) fn steps() -> Vec<Named> {
    let steps = Step::ALL.into_iter().map(|step| (step.as_str(), names::step(step)));
    steps.chain([(EXCEPTED, say("signed off", "例外"))]).collect()
}
