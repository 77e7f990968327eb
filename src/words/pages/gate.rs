//! The words about the gates of updates.

use crate::words::words;

words! {
    /// The words of one language.
    pub(crate) struct GateText {
        title: "Update gates", "更新の停止と再開";
        intro:
            "The instructions to the updater. An update on hold is not installed on any further device. A person's decision remains in force until a person changes it; the detector does not.",
            "更新システムへの指示です。停止中の更新版は、これ以上どの装置にも適用されません。担当者の判断は、担当者が変更するまで有効です。自動検知では変更されません。";
        untold: "The updater has not been informed", "更新システムにまだ伝わっていません";
        untold_detail(n: u64):
            "The broker does not hold {n} of the messages below yet. It keeps being retried; until then the updater follows its earlier instructions.",
            "以下の指示のうち{n}件が、まだブローカーに届いていません。届くまで送り直します。それまで更新システムは前の指示に従います。";
        none: "No update has been put on hold.", "停止した更新版はありません。";
        off: "Update gates are disabled (gate.enabled).", "更新への指示は無効です（gate.enabled）。";
        hold: "on hold", "停止中";
        release: "released", "適用可能";
        do_hold: "Hold", "停止する";
        do_release: "Release", "適用を再開する";
        by: "Your name", "氏名";
        reason: "Reason", "理由";
        other: "Decide on a version", "更新版を指定する";
        held: "Updates on hold", "停止中の更新版";
        decide: "Decide", "決定する";
        refused: "The decision was not accepted", "受け付けられませんでした";
        ring: "Control ring", "対照群";
        ring_detail(n: usize) {
            1 =>
                "1 device is kept out of the first night of an update.",
                "1台には、更新版の公開初日の夜は適用しません。";
            _ =>
                "{n} devices are kept out of the first night of an update.",
                "{n}台には、更新版の公開初日の夜は適用しません。";
        }
    }
}
