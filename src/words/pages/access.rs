//! The words about logging in and the own account.

use crate::words::words;

words! {
    /// The words of one language.
    pub(crate) struct AccessText {
        log_in: "Log in", "ログイン";
        log_out: "Log out", "ログアウト";
        everywhere: "Log out everywhere", "すべてのブラウザからログアウト";
        account: "Your account", "アカウント";
        name: "Name", "氏名";
        password: "Password", "パスワード";
        say_name: "Your name", "氏名の入力";
        say_name_detail:
            "No login is needed here: only this machine can open this page. Your name is recorded with your actions.",
            "この画面はこのサーバーからのみ開けるため、ログインは不要です。氏名は、操作の記録に残ります。";
        keep_name: "Keep this name", "この氏名を使う";
        to_provider: "Log in with your company account", "社内アカウントでログイン";
        by_proxy:
            "The proxy in front of fleetwatch did not say who you are. Log in there, and load this page again.",
            "前段のプロキシから利用者が通知されていません。プロキシでログインしてから、この画面を開き直してください。";
        wrong: "Name or password is wrong.", "氏名またはパスワードが違います。";
        too_many(wait: &str):
            "Too many failed logins. Try again in {wait}.",
            "ログインの失敗が続いています。{wait}後にもう一度お試しください。";
        bad_name: "Please enter your name: 1 to 128 characters.", "氏名を入力してください（1〜128文字）。";
        provider_away:
            "The login service cannot be reached. Try again in a minute; the log of fleetwatch says why.",
            "認証サービスに接続できません。少し待ってからもう一度お試しください。原因はfleetwatchのログにあります。";
        provider_refused:
            "The login service has refused. Try again, or ask your administrator; the log of fleetwatch says why.",
            "認証サービスに拒否されました。もう一度試すか、管理者に連絡してください。原因はfleetwatchのログにあります。";
        begin_again:
            "This login was started in another browser, or too long ago. Please start again.",
            "別のブラウザで始めたか、時間が経ちすぎています。最初からやり直してください。";
        no_role:
            "You are logged in, but have no role in fleetwatch. Ask your administrator to give you one.",
            "本人確認はできましたが、fleetwatchでの役割がありません。管理者に連絡してください。";
        other_audience:
            "The login service issued the login for another application. Ask your administrator; the log of fleetwatch says for which.",
            "認証サービスの応答が、別のアプリケーション宛てになっています。管理者に連絡してください。宛先はfleetwatchのログにあります。";
        clocks_differ:
            "The clocks of the login service and of fleetwatch differ, or the login took too long. Try again; if it stays so, ask your administrator.",
            "認証サービスとfleetwatchの時計がずれているか、ログインに時間がかかりすぎました。もう一度お試しください。続く場合は管理者に連絡してください。";
        bad_token:
            "The login service answered, but its answer cannot be trusted. Ask your administrator; the log of fleetwatch says why.",
            "認証サービスから応答はありましたが、正しいものと確認できませんでした。管理者に連絡してください。原因はfleetwatchのログにあります。";
        no_name(claim: &str):
            "The login service answered, but without a name that can be recorded (claim \"{claim}\"). Ask your administrator.",
            "認証サービスから応答はありましたが、記録に使える氏名が含まれていません（クレーム「{claim}」）。管理者に連絡してください。";
        no_groups(claim: &str):
            "The login service answered, but did not give your groups in a readable form (claim \"{claim}\"). Ask your administrator.",
            "認証サービスから応答はありましたが、所属グループを読み取れません（クレーム「{claim}」）。管理者に連絡してください。";
        groups_left_out:
            "You are in so many groups that the login service left them out. Ask your administrator to send only the groups that matter to fleetwatch, or application roles.",
            "所属グループが多すぎるため、認証サービスがグループを送っていません。fleetwatchで使うグループだけ、またはアプリケーションロールを送るよう、管理者に依頼してください。";
        refused: "This was refused", "受け付けられませんでした";
        role: "Role", "役割";
        branches: "Branches", "担当支店";
        sessions: "Where you are logged in", "ログイン中のブラウザ";
        this_one: "this browser", "このブラウザ";
        begun: "since", "開始";
        last_seen: "last used", "最終利用";
        from: "from", "接続元";
        address: "Your address", "接続元アドレス";
        address_shared:
            "(a proxy's: it does not say whose, or access.proxy.networks does not list it)",
            "（プロキシのアドレスです。プロキシが接続元を通知していないか、access.proxy.networksに登録されていません）";
        only_here: "For this machine only", "このサーバーからのみ利用できます";
        only_here_why:
            "fleetwatch runs without logins (access.mode = \"none\") and therefore answers this machine only. This request came from elsewhere:",
            "利用者を確認しない設定（access.mode = \"none\"）のため、fleetwatchはこのサーバー自身からの要求にだけ応答します。この要求は外部からのものと判断しました。理由:";
        only_here_do:
            "To reach it from elsewhere, set these keys in its configuration and restart it:",
            "外部から利用するには、設定ファイルで次の項目を指定し、fleetwatchを再起動してください。";
        only_here_url: "the address that browsers see, with https://", "ブラウザから見たアドレス（https://）";
        only_here_networks: "the address from which the proxy connects", "プロキシの接続元アドレス";
        sign_peer: "the connection comes from another machine.", "ほかのコンピューターからの接続です。";
        sign_host:
            "it asks for a name that is not this machine's own (localhost, 127.0.0.1).",
            "このサーバー自身の名前（localhost、127.0.0.1）以外の宛先です。";
        sign_version: "it is HTTP/1.0, as a reverse proxy speaks it.", "リバースプロキシが使うHTTP/1.0の要求です。";
        sign_page: "it was sent from a page of another machine.", "ほかのサーバーのページから送られています。";
        sign_header(name: &str):
            "it has the header {name}, which a proxy adds.",
            "プロキシが付けるヘッダー{name}があります。";
    }
}
