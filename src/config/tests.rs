use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/fleetwatch.toml");

fn no_env() -> Vec<(String, String)> {
    Vec::new()
}

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// A configuration file with this text, in a directory that lives as long as the first part of the result.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn faults_of(text: &str) -> Vec<Fault> {
    let (_dir, path) = file(text);
    Config::load(Some(&path), no_env()).expect_err("the text has faults")
}

fn keys_of(faults: &[Fault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.key.as_str()).collect()
}

/// Paths of all leaves of the serialised defaults; an unset option is a null and so still a leaf.
fn leaves(prefix: &str, value: &serde_json::Value, out: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(map) => {
            for (name, inner) in map {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                leaves(&path, inner, out);
            }
        }
        None => {
            out.insert(prefix.to_string());
        }
    }
}

#[test]
fn without_file_and_variables_the_defaults_hold() {
    assert_eq!(Config::load(None, no_env()).unwrap(), Config::default());
}

#[test]
fn the_sample_equals_the_defaults() {
    assert_eq!(Config::load(Some(Path::new(SAMPLE)), no_env()).unwrap(), Config::default());
}

#[test]
fn the_key_table_and_the_structs_name_the_same_keys() {
    let mut in_structs = BTreeSet::new();
    leaves("", &serde_json::to_value(Config::default()).unwrap(), &mut in_structs);
    let in_table: BTreeSet<String> = keys::KEYS.iter().map(|key| key.path.to_string()).collect();
    assert_eq!(in_table, in_structs);
    assert_eq!(in_table.len(), keys::KEYS.len(), "a key stands twice in the table");
}

#[test]
fn every_key_is_in_the_sample_set_or_commented_out() {
    let sample = std::fs::read_to_string(SAMPLE).unwrap();
    let mut section = String::new();
    let mut written = BTreeSet::new();
    for line in sample.lines() {
        if let Some(list) = line.strip_prefix("# [[") {
            written.insert(list.trim_end_matches(']').to_string());
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_string();
        } else if let Some((name, _)) = line.trim_start_matches("# ").split_once(" = ") {
            written.insert(format!("{section}.{name}"));
        }
    }
    for key in keys::KEYS {
        assert!(written.contains(key.path), "{} is missing from the sample", key.path);
    }
}

#[test]
fn commented_keys_of_the_sample_are_sound_once_uncommented() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "user\npassword\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o640)).unwrap();
    let sample = std::fs::read_to_string(SAMPLE).unwrap();
    let mut text = String::new();
    // The keys that may stand here: all, or those of the list of tables whose heading came last.
    let mut table: Option<&kinds::Table> = None;
    // A file or a server: here the server.
    for line in sample.lines().filter(|line| !line.starts_with("# path = ")) {
        let inner = line.trim_start_matches("# ");
        if let Some(list) = line.strip_prefix("# [[") {
            let key = keys::find(list.trim_end_matches(']')).expect("a list that is known");
            let kinds::Kind::Tables(found) = key.kind else { panic!("{list} is no list of tables") };
            table = Some(found);
            text.push_str(&format!("{inner}\n"));
            continue;
        }
        if line.starts_with('[') {
            table = None;
        }
        let name = inner.split(" = ").next().unwrap_or_default();
        let is_key = match table {
            Some(table) => table.keys.iter().any(|key| key.path == name),
            None => keys::KEYS.iter().any(|key| key.path.ends_with(&format!(".{name}"))),
        };
        if line.starts_with("# ") && is_key && line.contains(" = ") {
            let value = line.split_once(" = ").unwrap().1;
            let value = if value.starts_with("\"/") { format!("\"{}\"", secret.display()) } else { value.into() };
            text.push_str(&format!("{name} = {value}\n"));
        } else {
            text.push_str(&format!("{line}\n"));
        }
    }
    // What stands behind a proxy asks who is there.
    let text = text.replace("tls = false", "tls = true").replace("\nmode = \"none\"", "\nmode = \"users\"");
    let (_dir, path) = file(&text);
    let config = Config::load(Some(&path), no_env()).unwrap();
    assert_eq!(config.broker.external.credentials_file, Some(secret));
    assert!(config.devices.expected.is_some() && config.detector.objective_p95_us.is_some());
    assert_eq!(config.notify.channel.len(), 5);
    assert_eq!((config.muster.person.len(), config.muster.rota.len()), (2, 2));
}

#[test]
fn the_environment_goes_before_the_file_and_keeps_the_kind_of_the_key() {
    let (_dir, path) = file("[detector]\nhold_min = 50\nratio = 2\n[broker.external]\nclient_id = \"a\"\n");
    let config = Config::load(
        Some(&path),
        env(&[
            ("FLEETWATCH__DETECTOR__HOLD_MIN", "45"),
            ("FLEETWATCH__DETECTOR__WARN_GROUP_MIN", "[10, 20]"),
            ("FLEETWATCH__DETECTOR__WARN_DEVICE_MIN", "30"),
            ("FLEETWATCH__BROKER__EXTERNAL__CLIENT_ID", "0042"),
            ("FLEETWATCH__DETECTOR__EXPECTED_ONLY", ""),
            ("FLEETWATCH_OTHER", "x"),
            ("PATH", "/bin"),
        ]),
    )
    .unwrap();
    assert_eq!(config.detector.hold_min, 45);
    assert_eq!(config.detector.ratio, 2.0);
    assert_eq!(config.detector.warn_group_min, [10, 20]);
    assert_eq!(config.broker.external.client_id, "0042", "digits stay text where the key is a text");
}

#[test]
fn all_faults_come_at_once_with_line_key_value_and_rule() {
    let (_dir, path) = file(
        "[topic]\nroot = \"a/#\"\n\n[detector]\nhold_min = 0\nratio = nan\nhold_mins = 3\n\n[http]\nlisten = 80\n\
         time_zone = \"Mars/Olympus\"\n",
    );
    let faults = Config::load(
        Some(&path),
        env(&[("FLEETWATCH__LOG__LEVEL", "loud"), ("FLEETWATCH__BROKER__EXTERNAL__PASSWORD", "hunter2")]),
    )
    .expect_err("seven faults");
    let text: Vec<String> =
        faults.iter().map(|f| f.to_string().replace(&path.display().to_string(), "c.toml")).collect();
    assert_eq!(
        text,
        [
            "c.toml:2: topic.root = \"a/#\": must be 1 to 64 of A-Z a-z 0-9 _ -",
            "c.toml:5: detector.hold_min = 0: must be a whole number from 20 to 420",
            "c.toml:6: detector.ratio = nan: must be a number above 1 and at most 100",
            "c.toml:7: detector.hold_mins: is not a key; did you mean detector.hold_min?",
            "c.toml:10: http.listen = 80: must be address:port with a numeric address, such as 127.0.0.1:8080",
            "c.toml:11: http.time_zone = \"Mars/Olympus\": must be an IANA time zone known to this machine, such \
             as Asia/Tokyo",
            "environment FLEETWATCH__BROKER__EXTERNAL__PASSWORD: broker.external.password: is not a key; secrets are read \
             from files, see the keys that end in _file",
            "environment FLEETWATCH__LOG__LEVEL: log.level = loud: must be a level (off, error, warn, info, debug, \
             trace), then optional ,target=level pairs",
        ]
    );
    assert!(!text.concat().contains("hunter2"));
}

#[test]
fn rules_that_join_keys_are_checked_and_placed() {
    let cases = [
        ("[broker.embedded]\nlisten = \"0.0.0.0:1883\"", "broker.embedded.listen"),
        ("[broker.external]\ntls = true", "broker.external.tls"),
        ("[broker]\nmode = \"external\"\n[broker.external]\nhost = \"broker.example\"", "broker.external.host"),
        ("[broker.embedded]\nmax_packet_bytes = 66_559", "broker.embedded.max_packet_bytes"),
        ("[broker.external]\nserver_name = \"b\"", "broker.external.server_name"),
        ("[ingest]\nmax_packet_bytes = 66_559", "ingest.max_packet_bytes"),
        ("[detector]\nexpected_only = true", "detector.expected_only"),
        ("[detector]\nwarn_group_min = [15, 60]", "detector.warn_group_min"),
        ("[detector]\nwarn_device_min = [90]", "detector.warn_device_min"),
        (
            "[detector]\nrecover_min = 20\nhold_min = 20\nwarn_group_min = []\nwarn_device_min = []",
            "detector.recover_min",
        ),
        ("[detector]\nmax_gap_min = 60", "detector.max_gap_min"),
        ("[detector]\nrecover_min = 10\nclear_min = 9\n[incident]\nclear_min = 9", "detector.clear_min"),
        ("[detector]\nobjective_p50_us = 10\nobjective_p95_us = 5", "detector.objective_p95_us"),
        ("[journal]\nmax_age_h = 1\n[checkpoint]\ninterval_s = 1201", "journal.max_age_h"),
        ("[journal]\nmax_size_mib = 255", "journal.max_size_mib"),
        ("[journal]\ndir = \"/s\"\n[checkpoint]\ndir = \"/s\"", "journal.dir"),
        ("[store]\npath = \"/s\"\nurl = \"postgres://f@localhost/f\"", "store.url"),
        (
            concat!("[store]\npassword_file = \"", env!("CARGO_MANIFEST_DIR"), "/target/password\""),
            "store.password_file",
        ),
        ("[store]\nurl = \"postgres://f@db.example/f\"", "store.url"),
        ("[http]\nlisten = \"[::]:80\"", "http.listen"),
        ("[http]\nlisten = \"127.0.0.1:1883\"", "http.listen"),
        ("[http]\nlisten = \"0.0.0.0:80\"\n[access]\nmode = \"users\"", "http.listen"),
        ("[http]\npublic_url = \"http://noc.example\"\n[access]\nmode = \"users\"", "http.public_url"),
        ("[http]\npublic_url = \"https://noc.example/fleet\"\n[access]\nmode = \"users\"", "http.public_url"),
        ("[http]\npublic_url = \"https://noc.example\"", "http.public_url"),
        ("[http]\npublic_url = \"http://localhost:8443\"\n[access]\nmode = \"none\"", "http.public_url"),
        ("[access]\nproxy.networks = [\"127.0.0.1/32\"]", "access.proxy.networks"),
        ("[access]\nmode = \"proxy\"\nroles.noc = [\"*\"]", "access.mode"),
        ("[access]\nmode = \"proxy\"\nproxy.networks = [\"::1\"]", "access.mode"),
        ("[access]\nmode = \"oidc\"\nroles.noc = [\"*\"]\noidc.client_id = \"x\"", "access.mode"),
        ("[access.oidc]\nissuer = \"http://id.example\"", "access.oidc.issuer"),
        ("[access]\nsession_idle_min = 61\nsession_max_h = 1", "access.session_idle_min"),
        (
            concat!(
                "[gate]\ncontrol_ring_percent = 5\ncontrol_ring_file = \"",
                env!("CARGO_MANIFEST_DIR"),
                "/Cargo.toml\""
            ),
            "gate.control_ring_file",
        ),
    ];
    for (text, key) in cases {
        let faults = faults_of(text);
        assert_eq!(keys_of(&faults), [key], "{text}");
        assert!(matches!(faults[0].place, Place::File(_, Some(_))), "{text}: {}", faults[0]);
    }
}

#[test]
fn a_list_in_a_variable_may_hold_commas_in_its_texts() {
    let roles = |text| {
        let variables = env(&[("FLEETWATCH__ACCESS__ROLES__ADMIN", text), ("FLEETWATCH__ACCESS__MODE", "users")]);
        Config::load(None, variables).unwrap().access.roles.admin
    };
    assert_eq!(roles("[\"not,admin\", \"b c\"]"), ["not,admin", "b c"]);
    assert_eq!(roles("admin, b c"), ["admin", "b c"]);
    assert_eq!(roles("[admin]"), ["admin"]);
}

#[test]
fn each_joined_rule_is_met_by_the_value_at_its_limit() {
    for text in [
        "[http]\nlisten = \"0.0.0.0:80\"\n[access]\nmode = \"proxy\"\nproxy.networks = [\"10.0.0.0/8\"]\nroles.noc = [\"*\"]",
        "[http]\nlisten = \"0.0.0.0:80\"\npublic_url = \"https://noc.example\"\n[access]\nmode = \"users\"",
        "[http]\npublic_url = \"http://127.0.0.1:8080\"\n[access]\nmode = \"users\"\nsession_idle_min = 60\nsession_max_h = 1",
        "[access.oidc]\nissuer = \"http://[::1]:9000/realms/x\"",
        "[broker]\nmode = \"external\"\n[broker.external]\nhost = \"broker.example\"\nallow_plaintext = true",
        "[broker]\nmode = \"external\"\n[broker.external]\nhost = \"::1\"",
        "[broker.embedded]\nmax_packet_bytes = 66_560",
        "[detector]\nwarn_group_min = [15, 59]\nmax_gap_min = 59\nclear_min = 5\n[incident]\nclear_min = 5",
        "[journal]\nmax_age_h = 1\nmax_size_mib = 256\n[checkpoint]\ninterval_s = 1200",
        "[store]\nurl = \"postgres://f@db.example/f?sslmode=verify-full\"",
    ] {
        let (_dir, path) = file(text);
        Config::load(Some(&path), no_env()).unwrap_or_else(|faults| panic!("{text}: {}", faults[0]));
    }
}

#[test]
fn a_joined_rule_is_passed_over_when_its_key_has_a_fault_already() {
    assert_eq!(
        keys_of(&faults_of("[detector]\nhold_min = 1\nwarn_group_min = [400]\nwarn_device_min = []")),
        ["detector.hold_min"]
    );
}

#[test]
fn ranges_hold_at_their_ends() {
    for (text, good) in [
        ("[detector]\nhold_min = 20\nwarn_group_min=[]\nwarn_device_min=[]\nrecover_min=19\nmax_gap_min=19", true),
        ("[detector]\nhold_min = 19\nwarn_group_min=[]\nwarn_device_min=[]\nrecover_min=3\nmax_gap_min=3", false),
        ("[detector]\nhold_min = 420", true),
        ("[detector]\nhold_min = 421", false),
        ("[detector]\ngrace_ms = 60_000", true),
        ("[detector]\ngrace_ms = 59_999", false),
        ("[detector]\nratio = 1.0", false),
        ("[detector]\nratio = 1.01", true),
        ("[detector]\nratio = inf", false),
        ("[detector]\nwarn_group_min = [15, 15]", false),
        ("[detector]\nwarn_group_min = [30, 15]", false),
        ("[detector]\nwarn_group_min = [0]", false),
        ("[detector]\nhold_min = -60", false),
        ("[detector]\nhold_min = 60.0", false),
        ("[detector]\nhold_min = 2026-01-01", false),
        ("[detector]\nhold_min = 0x3C", true),
        ("[gate]\nmin_confidence = 0.5", false),
        ("[gate]\nmin_confidence = 1", true),
        ("[gate]\nhold_from_min = 0\nrelease_on = \"resolved\"\ncontrol_ring_percent = 50", true),
        ("[gate]\ncontrol_ring_percent = 51", false),
        ("[gate]\nrelease_on = \"never\"", false),
        ("[log]\nlevel = \"info,rmqtt=warn, sqlx::query=off\"", true),
        ("[log]\nlevel = \"rmqtt=warn\"", false),
        ("[broker]\nmode = \"Embedded\"", false),
    ] {
        let (_dir, path) = file(text);
        assert_eq!(Config::load(Some(&path), no_env()).is_ok(), good, "{text}");
    }
}

#[test]
fn signed_keys_take_both_signs_within_their_range() {
    let kind = kinds::Kind::Signed(-720, 840);
    for (text, good) in [("-720", true), ("840", true), ("-721", false), ("841", false), ("9h", false)] {
        assert_eq!(kind.check(&kind.from_text(text)).is_ok(), good, "{text}");
    }
}

#[test]
fn misspelt_and_misplaced_keys_are_answered_with_what_was_meant() {
    for (text, meant) in [
        ("[detector]\nhold_minutes = 5", "detector.hold_min"),
        ("hold_min = 5", "detector.hold_min"),
        ("[http]\nlisen = 1", "http.listen"),
        ("[broker]\nhost = \"x\"", "broker.external.host"),
        ("[jornal]\ndir = \"x\"", "[journal]"),
        ("[broker.extern]\nhost = \"x\"", "[broker.external]"),
    ] {
        let faults = faults_of(text);
        assert_eq!(faults[0].hint.as_deref(), Some(format!("did you mean {meant}?").as_str()), "{text}");
    }
    assert_eq!(faults_of("[detector]\nxyzzy_plugh_frobnicate = 5")[0].hint, None);
}

#[test]
fn broken_files_are_told_with_their_line() {
    let faults = faults_of("[topic]\nroot = \"utm\nb = 1\n[http]\nlisten = oops\n");
    assert!(faults[0].to_string().contains("c.toml:2: not TOML"), "{}", faults[0]);
    assert!(faults.iter().any(|fault| matches!(fault.place, Place::File(_, Some(5)))), "the later fault is told too");
    assert!(faults_of("detector = 5")[0].rule.contains("is a section"));
    let faults = Config::load(Some(Path::new("/nonexistent/c.toml")), no_env()).expect_err("no such file");
    assert!(faults[0].to_string().starts_with("/nonexistent/c.toml: cannot be read"), "{}", faults[0]);
}

#[test]
fn files_that_keys_name_must_exist_and_secrets_must_be_closed_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("s");
    std::fs::write(&secret, "u\np\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text =
        format!("[broker.external]\ncredentials_file = \"{}\"\n[devices]\nexpected = \"/none\"", secret.display());
    let faults = faults_of(&text);
    assert_eq!(keys_of(&faults), ["broker.external.credentials_file", "devices.expected"]);
    assert!(faults[0].rule.contains("mode 644"), "{}", faults[0]);
    assert!(faults[1].rule.contains("No such file"), "{}", faults[1]);
    let faults = faults_of("[broker.external]\ncredentials_file = \"hunter2\"");
    assert!(!faults[0].to_string().contains("hunter2"), "a secret in the wrong place is not repeated");
}

#[test]
fn credentials_are_two_lines_and_do_not_print_the_password() {
    let (_dir, path) = file("fleetwatch\r\ncorrect horse\r\n\n");
    let credentials = Credentials::read(&path).unwrap();
    assert_eq!((credentials.username.as_str(), credentials.password.as_str()), ("fleetwatch", "correct horse"));
    assert!(!format!("{credentials:?}").contains("horse"));
    for bad in ["", "only-a-name\n", "\npassword\n", "a\nb\nc\n"] {
        let (_dir, path) = file(bad);
        let error = Credentials::read(&path).unwrap_err().to_string();
        assert!(error.contains("two lines"), "{bad:?}");
    }
}

/// Any text is answered, none panics: the file is what an operator has typed.
#[test]
fn any_text_is_answered() {
    use proptest::prelude::*;
    let sample = std::fs::read_to_string(SAMPLE).unwrap();
    proptest!(ProptestConfig::with_cases(64), |(at in 0..sample.len(), junk in "[\\PC\\n]{0,12}", cut in any::<bool>())| {
        let at = (0..=at).rev().find(|at| sample.is_char_boundary(*at)).unwrap();
        let text = if cut { format!("{}{junk}", &sample[..at]) } else { format!("{}{junk}{}", &sample[..at], &sample[at..]) };
        let (_dir, path) = file(&text);
        if let Err(faults) = Config::load(Some(&path), no_env()) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                prop_assert!(!fault.to_string().contains('\n'), "{fault}");
            }
        }
    });
}

/// A good channel of every need, and the people that the rest of a test may call.
const PEOPLE: &str = "[[notify.channel]]\nname = \"mail\"\nkind = \"mail\"\nfor = [\"pages\"]\nhost = \"smtp.example\"\n\
                      from = \"noc@example.jp\"\n[[muster.person]]\nname = \"sato\"\nmail = \"sato@example.jp\"\n\
                      [[muster.person]]\nname = \"ito\"\nchat = \"U1\"\n";

#[test]
fn all_faults_of_tables_come_at_once_with_line_key_value_and_rule() {
    let (_dir, path) = file(
        "[[notify.channel]]\nname = \"a b\"\nkind = \"pager\"\nfro = 1\n\n[[notify.channel]]\nkind = \"webhook\"\n\
         for = [\"everybody\"]\nurl = \"https://u:hunter2@x.example\"\nsecret_file = \"hunter2\"\npassword = \"hunter2\"\n\
         [[muster.person]]\nmail = \"not an address\"\n[muster]\nnag_after_mins = 0\n\
         [[muster.rota]]\nrole = \"boss\"\nsteps = [{ people = [], wait_min = 0 }, 5]\n",
    );
    let faults = Config::load(Some(&path), no_env()).expect_err("it is full of them");
    let text: Vec<String> =
        faults.iter().map(|f| f.to_string().replace(&path.display().to_string(), "c.toml")).collect();
    assert_eq!(
        text,
        [
            "c.toml:2: notify.channel[1].name = \"a b\": must be 1 to 64 of A-Z a-z 0-9 _ -",
            "c.toml:3: notify.channel[1].kind = \"pager\": must be one of alertmanager, webhook, chat-webhook, slack, mattermost, mail",
            "c.toml:4: notify.channel[1].fro: is not a key; did you mean from?",
            "c.toml:6: notify.channel[2].name: is missing",
            "c.toml:8: notify.channel[2].for = [\"everybody\"]: must be a list of 1 to 3, each of which must be one of staff, support_queue, pages",
            "c.toml:9: notify.channel[2].url: must be an address that begins with https:// or http://, without user name and password",
            "c.toml:10: notify.channel[2].secret_file: must be the path of a file that can be read: No such file or directory (os error 2)",
            "c.toml:11: notify.channel[2].password: is not a key; secrets are read from files, see secret_file",
            "c.toml:12: muster.person[1].name: is missing",
            "c.toml:13: muster.person[1].mail = \"not an address\": must be a mail address, such as noc@example.jp",
            "c.toml:15: muster.nag_after_mins: is not a key",
            "c.toml:17: muster.rota[1].role = \"boss\": must be one of commander, development_lead, support_lead, communications_lead",
            "c.toml:18: muster.rota[1].steps[1].people = []: must be a list of 1 to 50, each of which must be a text of 1 to 100 characters without control characters",
            "c.toml:18: muster.rota[1].steps[1].wait_min = 0: must be a whole number from 1 to 1440",
            "c.toml:18: muster.rota[1].steps[2] = 5: must be a table",
        ]
    );
    assert!(!text.concat().contains("hunter2"));
}

#[test]
fn rules_about_channels_and_people_are_checked_and_placed() {
    let channel = |text: &str| format!("[[notify.channel]]\nname = \"x\"\n{text}");
    let rota = |steps: &str| format!("{PEOPLE}[[muster.rota]]\nrole = \"commander\"\nsteps = [{steps}]");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let cases = [
        (channel("kind = \"alertmanager\""), "notify.channel[1].urls"),
        (
            channel("kind = \"alertmanager\"\nurls = [\"http://am.example:9093\"]\nroom = \"C1\""),
            "notify.channel[1].room",
        ),
        (channel("kind = \"mail\"\nfor = [\"pages\"]\nfrom = \"a@b.jp\""), "notify.channel[1].host"),
        (channel("kind = \"mail\"\nfor = [\"staff\"]\nfrom = \"a@b.jp\"\nhost = \"h\""), "notify.channel[1].to"),
        (
            channel("kind = \"mail\"\nfor = [\"pages\"]\nfrom = \"a@b.jp\"\nhost = \"smtp.example\"\ntls = \"plain\""),
            "notify.channel[1].tls",
        ),
        (
            format!(
                "{PEOPLE}[[notify.channel]]\nname = \"mail\"\nkind = \"alertmanager\"\nurls = [\"http://[::1]:1\"]"
            ),
            "notify.channel[2].name",
        ),
        (format!("{PEOPLE}[[muster.person]]\nname = \"sato\""), "muster.person[3].name"),
        (rota(""), "muster.rota[1].steps"),
        (
            rota("{ people = [\"sato\"], wait_min = 5 }, { people = [\"kato\"], wait_min = 5 }"),
            "muster.rota[1].steps[2].people",
        ),
        (rota("{ people = [\"ito\"], wait_min = 5 }"), "muster.rota[1].steps[1].people"),
        (
            format!(
                "{}\n[[muster.rota]]\nrole = \"commander\"\nsteps = [{{ people = [\"sato\"], wait_min = 5 }}]",
                rota("{ people = [\"sato\"], wait_min = 5 }")
            ),
            "muster.rota[2].role",
        ),
    ];
    for (text, key) in cases {
        let faults = faults_of(&text);
        assert_eq!(keys_of(&faults), [key], "{text}");
        assert!(matches!(faults[0].place, Place::File(_, Some(_))), "{text}: {}", faults[0]);
    }
    // A secret that others may read, and a way in clear to another machine.
    let exposed = channel(&format!(
        "kind = \"webhook\"\nfor = [\"staff\"]\nurl = \"http://10.0.0.1/x\"\nsecret_file = \"{manifest}\""
    ));
    let faults = faults_of(&exposed);
    assert_eq!(keys_of(&faults), ["notify.channel[1].secret_file", "notify.channel[1].url"]);
    assert_eq!(keys_of(&faults_of(&format!("{exposed}\nallow_plaintext = true"))), ["notify.channel[1].secret_file"]);
}

#[test]
fn tables_stand_in_the_file_only() {
    let faults = Config::load(None, env(&[("FLEETWATCH__NOTIFY__CHANNEL", "x")])).expect_err("no table");
    assert!(faults[0].to_string().contains("which only the file can hold"), "{}", faults[0]);
    assert!(faults_of("[muster]\nperson = \"sato\"")[0].rule.contains("must be tables"));
}

#[test]
fn the_rota_becomes_what_the_engine_knows_and_people_have_addresses() {
    use crate::incident::{Role, Seat};
    let text = format!(
        "{PEOPLE}[[muster.rota]]\nrole = \"support_lead\"\nbranch = \"sapporo-03\"\n\
         steps = [{{ people = [\"sato\"], wait_min = 7 }}]"
    );
    let (_dir, path) = file(&text);
    let config = Config::load(Some(&path), no_env()).unwrap();
    let rota = config.rota();
    let seat = Seat { role: Role::SupportLead, branch: Some("sapporo-03".into()) };
    assert_eq!((rota.0[&seat][0].people.as_slice(), rota.0[&seat][0].timeout_min), (&["sato".to_owned()][..], 7));
    let called: Vec<_> = config.muster.person.iter().map(|person| config.addresses_of(person)).collect();
    assert_eq!(called, [vec![("mail".to_owned(), "sato@example.jp".to_owned())], vec![]]);
}
