//! The words about the gates of updates.

/// The words of one language.
#[derive(Debug)]
pub(in crate::web) struct GateText {
    pub(in crate::web) title: &'static str,
    pub(in crate::web) intro: &'static str,
    pub(in crate::web) untold: &'static str,
    pub(in crate::web) untold_detail: fn(u64) -> String,
    pub(in crate::web) none: &'static str,
    pub(in crate::web) off: &'static str,
    pub(in crate::web) hold: &'static str,
    pub(in crate::web) release: &'static str,
    pub(in crate::web) do_hold: &'static str,
    pub(in crate::web) do_release: &'static str,
    pub(in crate::web) by: &'static str,
    pub(in crate::web) reason: &'static str,
    pub(in crate::web) other: &'static str,
    pub(in crate::web) held: &'static str,
    pub(in crate::web) decide: &'static str,
    pub(in crate::web) refused: &'static str,
    pub(in crate::web) ring: &'static str,
    pub(in crate::web) ring_detail: fn(usize) -> String,
}

pub(super) static EN: GateText = GateText {
    title: "Update gates",
    intro: "What the updater is told. An update on hold is installed on no further device. What a person decides stands \
            until a person changes it; the detector does not.",
    untold: "The updater has not been told",
    untold_detail: |n| {
        format!(
            "The broker does not hold {n} of the messages below yet. It is tried again until it does; until then the updater \
             acts on what it was told before."
        )
    },
    none: "No update was ever held.",
    off: "Nothing is decided about updates here (gate.enabled).",
    hold: "on hold",
    release: "released",
    do_hold: "Hold",
    do_release: "Release",
    by: "Your name",
    reason: "Reason",
    other: "Decide about a version",
    held: "Updates on hold",
    decide: "Decide",
    refused: "The decision was not taken",
    ring: "Control ring",
    ring_detail: |n| {
        format!(
            "{n} {} out of the first night of an update.",
            if n == 1 { "device is kept" } else { "devices are kept" }
        )
    },
};

pub(super) static JA: GateText = GateText {
    title: "更新の停止と再開",
    intro: "更新システムへの指示です。停止中の更新版は、これ以上どの装置にも適用されません。人の判断は、人が変えるまで有効です。自動検知が覆すことはありません。",
    untold: "更新システムにまだ伝わっていません",
    untold_detail: |n| {
        format!(
            "以下の指示のうち{n}件が、まだブローカーに届いていません。届くまで送り直します。それまで更新システムは前の指示に従います。"
        )
    },
    none: "停止した更新版はありません。",
    off: "更新への指示は無効です(gate.enabled)。",
    hold: "停止中",
    release: "適用可",
    do_hold: "停止する",
    do_release: "適用を再開する",
    by: "氏名",
    reason: "理由",
    other: "更新版を指定する",
    held: "停止中の更新版",
    decide: "判断する",
    refused: "受け付けられませんでした",
    ring: "対照群",
    ring_detail: |n| format!("{n}台は、更新の初日の夜には適用しません。"),
};
