//! Programs that a test starts, and what it asks them.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A program. Dropping it ends it.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether all of these (command, Debian package) are here. On CI they have to be; elsewhere what is missing is said.
pub fn are_installed(programs: &[(&str, &str)]) -> bool {
    for (command, package) in programs {
        let found = std::env::split_paths("/usr/bin:/usr/sbin:/usr/local/bin").any(|dir| dir.join(command).exists());
        if !found {
            assert!(std::env::var_os("CI").is_none(), "{command} is not installed (apt-get install {package})");
            eprintln!("skipped: {command} is not installed (apt-get install {package})");
            return false;
        }
    }
    true
}

/// A port that nobody has at the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a program. Its lines of standard output come one by one; what nobody takes is dropped.
pub fn start(command: &mut Command) -> (Running, mpsc::Receiver<String>) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
    (Running(child), receiver)
}

/// The first line that `wanted` answers to.
pub fn line_of<T>(lines: &mpsc::Receiver<String>, limit: Duration, wanted: impl Fn(&str) -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    let mut seen = String::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some(found) = wanted(&line) {
                    return found;
                }
                seen.push_str(&line);
                seen.push('\n');
            }
            Err(error) => panic!("the awaited line did not come ({error}):\n{seen}"),
        }
    }
}

/// Asks again and again until there is an answer.
pub fn until<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The body at `url`, when there is a good one.
pub fn get(url: &str, query: &[(&str, &str)]) -> Option<String> {
    let request = query.iter().fold(ureq::get(url), |request, (key, value)| request.query(key, value));
    request.call().ok()?.body_mut().with_config().limit(64 << 20).read_to_string().ok()
}

/// The JSON at `url`; of a refusal too, so that a test can say why.
pub fn json(url: &str, query: &[(&str, &str)]) -> Value {
    let request = query.iter().fold(ureq::get(url), |request, (key, value)| request.query(key, value));
    let answer = request.config().http_status_as_error(false).build().call();
    let text = answer.unwrap_or_else(|error| panic!("{url}: {error}")).body_mut().read_to_string().unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error}: {text}"))
}
