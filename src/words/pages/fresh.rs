//! The words with which a page says how old it is. In those that the page's script fills in, `#` stands for what it fills in.

use crate::words::words;

words! {
    /// The words of one language.
    pub(crate) struct FreshText {
        /// `#`: an instant.
        as_of: "As of #", "# 時点";
        /// Before the age, and after it.
        ago: "(# ago)", "（#前）";
        seconds: "# s", "#秒";
        minutes: "# min", "#分";
        /// `#`: hours, `##`: minutes.
        hours: "# h ## min", "#時間##分";
        lost: "The fleet cannot be seen", "装置の状況を把握できていません";
        /// `#`: the instant of what is still shown.
        lost_since:
            "This page can no longer be refreshed. It shows the state as of #; later changes are not visible.",
            "この画面を更新できません。表示は # 時点のものです。その後の状況は確認できていません。";
        /// `#`: how long the page has not been refreshed.
        lost_counted: "Not refreshed for #.", "#間、更新できていません。";
        /// In the tab of the browser. `#`: as before.
        lost_title: "No view for # - fleetwatch", "把握不能 #間 - fleetwatch";
        logged_out:
            "You are no longer logged in. What you have typed is kept on this page:",
            "ログインの有効期限が切れました。入力した内容はこの画面に残っています。";
        log_in: "log in in another window", "別の画面でログインする";
        /// Of a part that is not refreshed while somebody types in it. `#`: the instant of what it shows.
        held:
            "As of #. This part is not refreshed while you type in it.",
            "# 時点。入力中のため、この部分は更新していません。";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Lang;
    use crate::words::length::lasting;

    #[test]
    fn the_script_counts_in_the_words_of_the_pages() {
        for lang in Lang::ALL {
            let fresh = FreshText::of(lang);
            assert_eq!(fresh.seconds.replace('#', "7"), lasting(lang, 7));
            assert_eq!(fresh.minutes.replace('#', "7"), lasting(lang, 7 * 60));
            assert_eq!(fresh.hours.replace("##", "05").replace('#', "7"), lasting(lang, 7 * 3_600 + 5 * 60));
        }
    }
}
