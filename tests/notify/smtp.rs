//! Starts a real SMTP server on loopback: aiosmtpd of Debian, because it needs no user, no spool and no configuration, speaks
//! STARTTLS and AUTH, and lets Python's own parser of mail judge what arrives.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::authority::Authority;

/// Debian's interpreter: its packages are not seen by others.
const PYTHON: &str = "/usr/bin/python3";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/notify/smtp_server.py");

/// A running server. Dropping it kills it.
pub(super) struct Smtp {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub(super) port: u16,
}

impl Smtp {
    /// Starts it as `plain`, `starttls` or `implicit`; `None`, with a message, where it is not installed.
    pub(super) fn start(mode: &str, authority: Option<&Authority>) -> Option<Self> {
        let installed = Path::new(PYTHON).exists()
            && Command::new(PYTHON)
                .args(["-c", "import aiosmtpd"])
                .output()
                .is_ok_and(|output| output.status.success());
        if !installed {
            let told = "python3-aiosmtpd is not installed (apt-get install python3-aiosmtpd)";
            assert!(std::env::var_os("CI").is_none(), "{told}");
            println!("skipped: {told}");
            return None;
        }
        let mut command = Command::new(PYTHON);
        // It complains on standard error of what the tests do to it.
        command.arg(SCRIPT).arg(mode).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Some(authority) = authority {
            command.arg(authority.path("server.crt")).arg(authority.path("server.key"));
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        let port = port.trim().parse().expect("the server tells its port");
        Some(Self { child, lines, port })
    }

    /// The next mail that it took. Waits for it: a mail that was taken is printed before the answer is given.
    pub(super) fn took(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Ends it; answers what it took and nobody had asked for yet.
    pub(super) fn end(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let rest: Result<Vec<String>, _> = (&mut self.lines).lines().collect();
        rest.unwrap()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
