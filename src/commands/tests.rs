use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::broker::{BrokerArgs, HostPort};
use super::check_config::CheckConfigArgs;
use super::devices::{ExportArgs, ImportArgs};
use super::simulate::SimulateArgs;
use super::*;
use crate::lab::demo::options::Epoch;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

/// The long help of the command and of everything below it.
fn long_helps(command: &mut clap::Command, out: &mut Vec<(String, String)>) {
    out.push((command.get_name().to_string(), command.render_long_help().to_string()));
    for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
        long_helps(inner, out);
    }
}

fn all_long_helps() -> Vec<(String, String)> {
    let mut helps = Vec::new();
    let mut command = Cli::command();
    command.build();
    long_helps(&mut command, &mut helps);
    helps
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_example_in_the_help_can_be_typed() {
    let mut seen = 0;
    for (_, help) in all_long_helps() {
        for line in help.lines().filter(|line| line.starts_with("  ")) {
            // A comment stands after several spaces; pipes and redirections are the shell's.
            for part in line.split(['|', '>']) {
                let words = part.trim().split("  ").next().unwrap_or_default();
                let command = words.split_whitespace().skip_while(|word| word.starts_with("FLEETWATCH__"));
                let command: Vec<&str> = command.collect();
                if command.first() != Some(&"fleetwatch") {
                    continue;
                }
                seen += 1;
                if let Err(error) = Cli::try_parse_from(&command) {
                    assert_eq!(error.kind(), clap::error::ErrorKind::DisplayHelp, "{line}: {error}");
                }
            }
        }
    }
    assert!(seen >= 20, "only {seen} examples were found");
}

#[test]
fn every_command_that_does_something_teaches_by_example() {
    for (name, help) in all_long_helps() {
        let group = ["simulate", "devices"].contains(&name.as_str());
        assert!(group || help.contains("fleetwatch "), "{name} has no example");
    }
}

#[test]
fn the_demo_lists_its_stories_and_takes_every_scenario() {
    use crate::lab::simulation::Scenario;
    let helps = all_long_helps();
    let (_, demo) = helps.iter().find(|(name, _)| name == "demo").unwrap();
    for story in Scenario::STORIES {
        assert!(demo.contains(&format!("\n  {} ", story.name())), "{story}");
    }
    for scenario in Scenario::ALL {
        assert!(parse(&format!("fleetwatch demo --scenario {scenario}")).is_ok(), "{scenario}");
    }
    let refused = parse("fleetwatch demo --scenario nightley").unwrap_err().to_string();
    assert!(refused.contains("59-minutes"), "{refused}");
}

#[test]
fn lengths_of_time_speeds_and_addresses_are_read() {
    let Command::Demo(args) = parse("fleetwatch demo --for 1h30m --speed 120").unwrap().command else { panic!() };
    assert_eq!(args.run_for.unwrap().as_secs(), 5_400);
    assert!((args.speed - 120.0).abs() < f64::EPSILON);
    for bad in ["--for 0s", "--for -5s", "--for soon", "--speed 0", "--speed nan", "--devices 0", "--http-port 65536"] {
        assert!(parse(&format!("fleetwatch demo {bad}")).is_err(), "{bad}");
    }
    assert_eq!(args.epoch, None);
    for (text, epoch) in [("now", Epoch::Now), ("1795020600000", Epoch::At(1_795_020_600_000))] {
        let line = format!("fleetwatch demo --epoch {text}");
        let Command::Demo(args) = parse(&line).unwrap().command else { panic!() };
        assert_eq!(args.epoch, Some(epoch), "{text}");
    }
    for bad in ["demo --epoch tonight", "demo --epoch -1", "simulate fleet --rollout-in 0s"] {
        assert!(parse(&format!("fleetwatch {bad}")).is_err(), "{bad}");
    }
    for (text, host, port) in
        [("b.example", "b.example", 1883), ("b:1", "b", 1), ("[::1]:8883", "::1", 8883), ("::1", "::1", 1883)]
    {
        let line = format!("fleetwatch simulate fleet --broker {text}");
        let Command::Simulate(SimulateArgs::Fleet(args)) = parse(&line).unwrap().command else { panic!() };
        let BrokerArgs { broker, .. } = args.broker;
        assert_eq!(broker, HostPort { host: host.into(), port }, "{text}");
    }
    for bad in ["b:0", "b:x", ":1883", "mqtt://b", "b:70000"] {
        assert!(parse(&format!("fleetwatch record --broker {bad}")).is_err(), "{bad}");
    }
}

#[test]
fn failures_have_their_own_exit_codes() {
    let code = |failure: Failure| failure.exit_code();
    assert_eq!(code(Failure::Runtime(anyhow::anyhow!("x"))), 1);
    assert_eq!(code(Failure::Usage("x".into())), 2);
    assert_eq!(code(Failure::Config(vec![])), 3);
    assert_eq!(code(Failure::Devices("x".into(), vec![])), 3);
    assert_eq!(code(Failure::NotSeen("x".into())), 4);
    assert_eq!(code(Failure::write("-".into(), std::io::ErrorKind::BrokenPipe.into())), 0);
    assert_eq!(code(Failure::write("-".into(), std::io::ErrorKind::StorageFull.into())), 1);
    assert_eq!(code(app(|| Err(Failure::NotSeen("no incident".into()).into())).unwrap_err()), 4);
}

#[test]
fn a_failure_is_printed_once_with_its_causes() {
    let mut out = Vec::new();
    Failure::write("/x/y".into(), std::io::ErrorKind::StorageFull.into()).print(&mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "fleetwatch: cannot write to /x/y: no storage space\n");
    let fault = |line| crate::inventory::Fault { line: Some(line), rule: "wrong".into(), count: 1 };
    let mut out = Vec::new();
    Failure::Devices("d.csv".into(), vec![fault(2), fault(5)]).print(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text, "d.csv: line 2: wrong\nd.csv: line 5: wrong\nfleetwatch: d.csv has 2 faults\n");
}

#[test]
fn colour_is_for_terminals_and_json_for_machines() {
    use logging::{Style, style};
    let set = std::ffi::OsStr::new("1");
    let empty = std::ffi::OsStr::new("");
    for (format, terminal, no_color, expected) in [
        (LogFormat::Auto, true, None, Style::Text(true)),
        (LogFormat::Auto, true, Some(set), Style::Text(false)),
        (LogFormat::Auto, true, Some(empty), Style::Text(true)),
        (LogFormat::Auto, false, None, Style::Json),
        (LogFormat::Text, false, None, Style::Text(false)),
        (LogFormat::Json, true, None, Style::Json),
    ] {
        assert_eq!(style(format, terminal, no_color), expected, "{format:?} {terminal} {no_color:?}");
    }
}

/// A sink that a test can read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged in a style at a level by an info line of ours, a debug line of ours and a warning of another crate.
#[test]
fn lines_of_libraries_carry_no_path_of_the_machine_that_built_them() {
    let sink = Shared::default();
    let writer = sink.clone();
    let subscriber = logging::subscriber(logging::Style::Json, "debug", move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let (text, file) = (format_args!("listening"), Some("/home/builder/rmqtt/src/lib.rs"));
        let record = tracing_log::log::Record::builder()
            .args(text)
            .level(tracing_log::log::Level::Warn)
            .target("rmqtt")
            .file(file)
            .line(Some(7))
            .build();
        tracing_log::format_trace(&record).unwrap();
        tracing::info!(r#type = "x", share = 0.5, left = -1, "of our own");
    });
    let bytes = sink.0.lock().unwrap().clone();
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |line: usize, name: &str| lines[line][name].clone();
    assert_eq!(
        (of(0, "level"), of(0, "message"), of(0, "target")),
        ("WARN".into(), "listening".into(), "rmqtt".into())
    );
    assert_eq!((of(1, "type"), of(1, "share"), of(1, "left")), ("x".into(), 0.5.into(), (-1).into()));
    assert!(!text.contains("/home/builder") && !text.contains("log."), "{text}");
}

fn logged(style: logging::Style, level: &str) -> String {
    let sink = Shared::default();
    let writer = sink.clone();
    let subscriber = logging::subscriber(style, level, move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!(device = "B-0042", "report refused");
        tracing::debug!("detail");
        tracing::warn!(target: "rmqtt", "noise");
    });
    let bytes = sink.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn json_lines_carry_their_fields_and_text_lines_no_escapes_without_colour() {
    let text = logged(logging::Style::Json, "info,rmqtt=error");
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&line["device"], &line["level"]), (&"B-0042".into(), &"INFO".into()));
    let text = logged(logging::Style::Text(false), "debug");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(logged(logging::Style::Text(true), "info").contains('\u{1b}'));
    assert!(logging::subscriber(logging::Style::Json, "loud", std::io::sink).is_err());
}

fn checked(args: CheckConfigArgs, env: &[(&str, &str)]) -> Result<String, Failure> {
    let env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let mut out = Vec::new();
    check_config::run(&args, env, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn check_config_reads_what_the_keys_name() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("d.csv");
    std::fs::write(&list, "device\nB-1\nB-2\n").unwrap();
    let args = || CheckConfigArgs { file: None, print: false };
    let expected = [("FLEETWATCH__DEVICES__EXPECTED", list.to_str().unwrap())];
    assert!(checked(args(), &expected).unwrap().contains("2 expected"));
    std::fs::write(&list, "device\nB 1\nB 2\n").unwrap();
    assert!(matches!(checked(args(), &expected), Err(Failure::Devices(_, faults)) if faults.len() == 2));
    let bad = [("FLEETWATCH__DETECTOR__HOLD_MIN", "0"), ("FLEETWATCH__NO__KEY", "0")];
    assert!(matches!(checked(args(), &bad), Err(Failure::Config(faults)) if faults.len() == 2));
}

#[test]
fn what_check_config_prints_is_a_configuration_with_the_same_meaning() {
    let env = [("FLEETWATCH__DETECTOR__GRACE_MS", "120000")];
    let text = checked(CheckConfigArgs { file: None, print: true }, &env).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    let config = Config::load(Some(&path), Vec::new()).unwrap();
    assert_eq!(config.detector.grace_ms, 120_000);
    assert_eq!(config.journal, Config::default().journal);
}

#[test]
fn a_list_is_imported_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("in.csv"), dir.path().join("out.csv"));
    let args = ImportArgs { file: from.clone(), to: Some(to.clone()), dry_run: false };
    std::fs::write(&from, "branch,device\n札幌,B-2\n,B-1\n").unwrap();
    let mut out = Vec::new();
    devices::import(&args, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().starts_with("2 devices: written to"));
    let first = std::fs::read_to_string(&to).unwrap();
    assert_eq!(first, "device,branch,model,customer\r\nB-1,,,\r\nB-2,札幌,,\r\n");
    std::fs::write(&from, "device\nB-3\nB-3\n").unwrap();
    assert_eq!(devices::import(&args, &mut Vec::new()).unwrap_err().exit_code(), 3);
    assert_eq!(std::fs::read_to_string(&to).unwrap(), first);
    let dry = ImportArgs { file: to.clone(), to: None, dry_run: true };
    devices::import(&dry, &mut Vec::new()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no temporary file stays behind");
}

/// Answers one request for each of `pages`, and gives back what was asked.
fn instance(pages: Vec<&'static str>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for page in pages {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0_u8];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            asked.push(String::from_utf8(request).unwrap().lines().next().unwrap().to_string());
            stream.write_all(page.as_bytes()).unwrap();
        }
        asked
    });
    (url, thread)
}

#[test]
fn devices_of_a_running_instance_are_exported_page_by_page() {
    let (url, thread) = instance(vec![
        "HTTP/1.1 200 OK\r\n\r\n{\"at\":1,\"devices\":[{\"id\":\"B-1\",\"branch\":\"=x\",\"model\":null}],\"next\":\"B-1\"}",
        "HTTP/1.1 200 OK\r\n\r\n{\"devices\":[{\"id\":\"B-2\",\"branch\":null,\"model\":\"B200\"}],\"next\":null}",
    ]);
    let mut out = Vec::new();
    devices::export(&ExportArgs { from: url, output: None }, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "device,branch,model,customer\r\nB-1,'=x,,\r\nB-2,,B200,\r\n");
    let asked = thread.join().unwrap();
    assert_eq!(asked[1], "GET /api/v1/devices?limit=1000&after=B-1 HTTP/1.1");
}

#[test]
fn an_instance_that_answers_wrongly_is_told() {
    for (page, told) in [
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "503"),
        ("HTTP/1.1 200 OK\r\n\r\n<html>", "not a device list"),
        ("HTTP/1.1 200 OK\r\n\r\n{\"devices\":[{\"id\":\"a/b\"}],\"next\":null}", "not a device list"),
        ("HTTP/1.1 200 OK\r\n\r\n{\"devices\":[],\"next\":\"B-1\"}", "without end"),
        ("gibberish", "not HTTP"),
    ] {
        let (url, thread) = instance(vec![page]);
        let failure = devices::export(&ExportArgs { from: url, output: None }, &mut Vec::new()).unwrap_err();
        let mut out = Vec::new();
        failure.print(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(told) && failure.exit_code() == 1, "{page}: {text}");
        thread.join().unwrap();
    }
    let odd = ExportArgs { from: "http://a/b".into(), output: None };
    assert_eq!(devices::export(&odd, &mut Vec::new()).unwrap_err().exit_code(), 2);
}

#[test]
fn completions_name_the_subcommands() {
    let mut out = Vec::new();
    completions::run(clap_complete::Shell::Bash, Cli::command(), &mut out).unwrap();
    let script = String::from_utf8(out).unwrap();
    for name in ["serve", "demo", "simulate", "record", "replay", "devices", "check-config"] {
        assert!(script.contains(name), "{name}");
    }
}
