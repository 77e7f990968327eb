//! The words with which a page says how old it is. In those that the page's script fills in, `#` stands for what it fills in.

/// The words of one language.
#[derive(Debug)]
pub(in crate::web) struct FreshText {
    /// `#`: an instant.
    pub(in crate::web) as_of: &'static str,
    /// Before the age, and after it.
    pub(in crate::web) ago: &'static str,
    pub(in crate::web) seconds: &'static str,
    pub(in crate::web) minutes: &'static str,
    /// `#`: hours, `##`: minutes.
    pub(in crate::web) hours: &'static str,
    pub(in crate::web) lost: &'static str,
    /// `#`: the instant of what is still shown.
    pub(in crate::web) lost_since: &'static str,
    /// `#`: how long the page has not been refreshed.
    pub(in crate::web) lost_counted: &'static str,
    /// In the tab of the browser. `#`: as before.
    pub(in crate::web) lost_title: &'static str,
    pub(in crate::web) logged_out: &'static str,
    pub(in crate::web) log_in: &'static str,
    /// Of a part that is not refreshed while somebody types in it. `#`: the instant of what it shows.
    pub(in crate::web) held: &'static str,
}

pub(super) static EN: FreshText = FreshText {
    as_of: "As of #",
    ago: "(# ago)",
    seconds: "# s",
    minutes: "# min",
    hours: "# h ## min",
    lost: "The fleet cannot be seen",
    lost_since: "This page can no longer be refreshed. What it shows is as of #; what has happened since then is not known.",
    lost_counted: "Not refreshed for #.",
    lost_title: "Cannot be seen for # - fleetwatch",
    logged_out: "You are no longer logged in. What you have typed is kept on this page:",
    log_in: "log in in another window",
    held: "As of #. This part is not refreshed while you type in it.",
};

pub(super) static JA: FreshText = FreshText {
    as_of: "# 時点",
    ago: "(#前)",
    seconds: "#秒",
    minutes: "#分",
    hours: "#時間##分",
    lost: "装置の状況を把握できていません",
    lost_since: "この画面を更新できません。表示は # 時点のものです。その後の状況は分かっていません。",
    lost_counted: "#間、更新できていません。",
    lost_title: "把握不能 #間 - fleetwatch",
    logged_out: "ログインの有効期限が切れました。入力した内容はこの画面に残っています。",
    log_in: "別の画面でログインする",
    held: "# 時点。入力中のため、この部分は更新していません。",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::lang::Lang;

    #[test]
    fn the_script_counts_in_the_words_of_the_pages() {
        for (lang, fresh) in [(Lang::En, &EN), (Lang::Ja, &JA)] {
            let text = lang.text();
            assert_eq!(fresh.seconds.replace('#', "7"), (text.seconds)(7));
            assert_eq!(fresh.minutes.replace('#', "7"), (text.minutes)(7));
            assert_eq!(fresh.hours.replace("##", "05").replace('#', "7"), (text.hours)(7, 5));
        }
    }
}
