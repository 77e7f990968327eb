//! `fleetwatch notify test` and what `check-config` says of channels, by the binary.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use super::receiver::{Answer, Receiver};

/// Runs the binary with a configuration of one webhook at `url`.
fn run(arguments: &[&str], url: &str, secret: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let secret_file = directory.path().join("secret");
    fs::write(&secret_file, secret).unwrap();
    fs::set_permissions(&secret_file, fs::Permissions::from_mode(0o600)).unwrap();
    let config = directory.path().join("c.toml");
    let text = format!(
        "[[notify.channel]]\nname = \"hook\"\nkind = \"webhook\"\nfor = [\"staff\"]\nurl = \"{url}\"\nsecret_file = {secret_file:?}\n"
    );
    fs::write(&config, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_fleetwatch")).args(arguments).env("FLEETWATCH_CONFIG", &config).output().unwrap()
}

const SECRET: &str = "correct horse battery staple\n";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_is_sent_and_what_came_of_it_is_told() {
    let receiver = Receiver::good().await;
    let test = ["notify", "test", "--channel", "hook"];
    let output = run(&test, &receiver.url("/"), SECRET);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("hook (webhook) took the message within "), "{}", text(&output.stdout));
    let got = receiver.got();
    assert_eq!((got.len(), &got[0].json()["kind"]), (1, &"test".into()));

    receiver.next([Answer { body: "who are you?".into(), ..Answer::status(401) }]);
    let output = run(&test, &receiver.url("/"), SECRET);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("hook did not take the message: answered 401 Unauthorized: who are you?"));

    let output = run(&["notify", "test", "--channel", "chat"], &receiver.url("/"), SECRET);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no channel chat; there is hook"), "{}", text(&output.stderr));
}

#[test]
fn check_config_looks_into_the_files_with_secrets() {
    let output = run(&["check-config"], "http://127.0.0.1:9/", SECRET);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("channels  hook (webhook)"), "{}", text(&output.stdout));
    for (secret, told) in [("hunter2\n", "16 are the least"), ("two\nlines of hunter2\n", "one line"), ("", "one line")]
    {
        let output = run(&["check-config"], "http://127.0.0.1:9/", secret);
        let told_us = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(told_us.contains("the channel hook") && told_us.contains(told), "{told_us}");
        assert!(!told_us.contains("hunter2"));
    }
}
