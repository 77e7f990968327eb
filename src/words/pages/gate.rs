//! The words about the gates of updates.

use crate::words::words;

words! {
    /// The words of one language.
    pub(crate) struct GateText {
        title: "Update gates", "更新の停止と再開";
        intro:
            "What the updater is told. An update on hold is installed on no further device. What a person decides stands until a person changes it; the detector does not.",
            "更新システムへの指示です。停止中の更新版は、これ以上どの装置にも適用されません。人の判断は、人が変えるまで有効です。自動検知が覆すことはありません。";
        untold: "The updater has not been told", "更新システムにまだ伝わっていません";
        untold_detail(n: u64):
            "The broker does not hold {n} of the messages below yet. It is tried again until it does; until then the updater acts on what it was told before.",
            "以下の指示のうち{n}件が、まだブローカーに届いていません。届くまで送り直します。それまで更新システムは前の指示に従います。";
        none: "No update was ever held.", "停止した更新版はありません。";
        off: "Nothing is decided about updates here (gate.enabled).", "更新への指示は無効です(gate.enabled)。";
        hold: "on hold", "停止中";
        release: "released", "適用可";
        do_hold: "Hold", "停止する";
        do_release: "Release", "適用を再開する";
        by: "Your name", "氏名";
        reason: "Reason", "理由";
        other: "Decide about a version", "更新版を指定する";
        held: "Updates on hold", "停止中の更新版";
        decide: "Decide", "判断する";
        refused: "The decision was not taken", "受け付けられませんでした";
        ring: "Control ring", "対照群";
        ring_detail(n: usize) {
            1 => "1 device is kept out of the first night of an update.", "1台は、更新の初日の夜には適用しません。";
            _ => "{n} devices are kept out of the first night of an update.", "{n}台は、更新の初日の夜には適用しません。";
        }
    }
}
