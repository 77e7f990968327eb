//! The words about logging in and the own account.

/// The words of one language.
#[derive(Debug)]
pub(in crate::http) struct AccessText {
    pub(in crate::http) log_in: &'static str,
    pub(in crate::http) log_out: &'static str,
    pub(in crate::http) everywhere: &'static str,
    pub(in crate::http) account: &'static str,
    pub(in crate::http) name: &'static str,
    pub(in crate::http) password: &'static str,
    pub(in crate::http) say_name: &'static str,
    pub(in crate::http) say_name_detail: &'static str,
    pub(in crate::http) keep_name: &'static str,
    pub(in crate::http) to_provider: &'static str,
    pub(in crate::http) by_proxy: &'static str,
    pub(in crate::http) wrong: &'static str,
    pub(in crate::http) too_many: fn(&str) -> String,
    pub(in crate::http) bad_name: &'static str,
    pub(in crate::http) provider_away: &'static str,
    pub(in crate::http) provider_refused: &'static str,
    pub(in crate::http) begin_again: &'static str,
    pub(in crate::http) no_role: &'static str,
    pub(in crate::http) other_audience: &'static str,
    pub(in crate::http) clocks_differ: &'static str,
    pub(in crate::http) bad_token: &'static str,
    pub(in crate::http) no_name: fn(&str) -> String,
    pub(in crate::http) no_groups: fn(&str) -> String,
    pub(in crate::http) groups_left_out: &'static str,
    pub(in crate::http) refused: &'static str,
    pub(in crate::http) role: &'static str,
    pub(in crate::http) roles: [&'static str; 6],
    pub(in crate::http) branches: &'static str,
    pub(in crate::http) sessions: &'static str,
    pub(in crate::http) this_one: &'static str,
    pub(in crate::http) begun: &'static str,
    pub(in crate::http) last_seen: &'static str,
    pub(in crate::http) from: &'static str,
}

pub(super) static EN: AccessText = AccessText {
    log_in: "Log in",
    log_out: "Log out",
    everywhere: "Log out everywhere",
    account: "Your account",
    name: "Name",
    password: "Password",
    say_name: "Your name",
    say_name_detail: "Nobody has to log in here: only this machine reaches this page. Your name stands in the record beside what you do.",
    keep_name: "Keep this name",
    to_provider: "Log in with your company account",
    by_proxy: "The proxy in front of fleetwatch has not said who you are. Log in there, and load this page again.",
    wrong: "Name or password is wrong.",
    too_many: |wait| format!("Too many failed logins. Try again in {wait}."),
    bad_name: "Please write your name: 1 to 64 characters.",
    provider_away: "The login service cannot be reached. Try again in a minute; the log of fleetwatch says why.",
    provider_refused: "The login service has refused. Try again, or ask your administrator; the log of fleetwatch says why.",
    begin_again: "This login was begun in another browser, or too long ago. Please begin again.",
    no_role: "You are known, but have no role in fleetwatch. Ask your administrator to give you one.",
    other_audience: "The login service issued the login for another application. Ask your administrator; the log of fleetwatch says for which.",
    clocks_differ: "The clocks of the login service and of fleetwatch differ, or the login took too long. Try again; if it stays so, ask your administrator.",
    bad_token: "The login service answered, but its answer cannot be trusted. Ask your administrator; the log of fleetwatch says why.",
    no_name: |claim| {
        format!(
            "The login service answered, but without a name that can stand in the record (claim \"{claim}\"). Ask your administrator."
        )
    },
    no_groups: |claim| {
        format!(
            "The login service answered, but did not say your groups in a form that can be read (claim \"{claim}\"). Ask your administrator."
        )
    },
    groups_left_out: "You are in so many groups that the login service left them out. Ask your administrator to send only the groups that matter to fleetwatch, or application roles.",
    refused: "This was refused",
    role: "Role",
    roles: ["Viewer", "Branch", "NOC", "Support", "Incident commander", "Administrator"],
    branches: "Branches",
    sessions: "Where you are logged in",
    this_one: "this browser",
    begun: "since",
    last_seen: "last used",
    from: "from",
};

pub(super) static JA: AccessText = AccessText {
    log_in: "ログイン",
    log_out: "ログアウト",
    everywhere: "すべての端末からログアウト",
    account: "アカウント",
    name: "氏名",
    password: "パスワード",
    say_name: "氏名の入力",
    say_name_detail: "この画面はこの機械からのみ開けるため、ログインは不要です。氏名は、操作の記録に残ります。",
    keep_name: "この氏名を使う",
    to_provider: "社内アカウントでログイン",
    by_proxy: "前段のプロキシから利用者が通知されていません。プロキシでログインしてから、この画面を開き直してください。",
    wrong: "氏名またはパスワードが違います。",
    too_many: |wait| format!("ログインの失敗が続いています。{wait}後にもう一度お試しください。"),
    bad_name: "氏名を入力してください(1〜64文字)。",
    provider_away: "認証サービスに接続できません。少し待ってからもう一度お試しください。原因はfleetwatchのログにあります。",
    provider_refused: "認証サービスに拒否されました。もう一度試すか、管理者に連絡してください。原因はfleetwatchのログにあります。",
    begin_again: "別のブラウザで始めたか、時間が経ちすぎています。最初からやり直してください。",
    no_role: "本人確認はできましたが、fleetwatchでの役割がありません。管理者に連絡してください。",
    other_audience: "認証サービスの応答が、別のアプリケーション宛てになっています。管理者に連絡してください。宛先はfleetwatchのログにあります。",
    clocks_differ: "認証サービスとfleetwatchの時計がずれているか、ログインに時間がかかりすぎました。もう一度お試しください。続く場合は管理者に連絡してください。",
    bad_token: "認証サービスから応答はありましたが、正しいものと確認できませんでした。管理者に連絡してください。原因はfleetwatchのログにあります。",
    no_name: |claim| {
        format!(
            "認証サービスから応答はありましたが、記録に使える氏名が含まれていません(クレーム「{claim}」)。管理者に連絡してください。"
        )
    },
    no_groups: |claim| {
        format!(
            "認証サービスから応答はありましたが、所属グループを読み取れません(クレーム「{claim}」)。管理者に連絡してください。"
        )
    },
    groups_left_out: "所属グループが多すぎるため、認証サービスがグループを送っていません。fleetwatchで使うグループだけ、またはアプリケーションロールを送るよう、管理者に依頼してください。",
    refused: "受け付けられませんでした",
    role: "役割",
    roles: ["閲覧者", "営業所", "NOC", "サポート", "インシデント指揮者", "管理者"],
    branches: "担当営業所",
    sessions: "ログイン中の端末",
    this_one: "このブラウザ",
    begun: "開始",
    last_seen: "最終利用",
    from: "接続元",
};
