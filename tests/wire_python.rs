//! An agent in another language, made from the description of the layout alone, is understood.

use std::process::Command;

#[path = "support/wire_vectors.rs"]
mod wire_vectors;

const AGENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agent/report.py");

#[test]
fn what_the_python_agent_writes_is_read_as_it_was_meant() {
    let directory = tempfile::tempdir().unwrap();
    let run = Command::new("python3").arg(AGENT).arg(directory.path()).output();
    let output = match run {
        Ok(output) => output,
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: python3 cannot be run ({error})");
            return;
        }
        Err(error) => panic!("python3 cannot be run: {error}"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(wire_vectors::check_accepted(directory.path()) >= 36);
    assert!(wire_vectors::check_refused(directory.path()).len() >= 24);
    assert!(wire_vectors::check_left_out(directory.path()).len() >= 28);
}
