//! Debian's mosquitto on a free port, with the sample configuration.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::until;

/// Where Debian installs it; `sbin` need not be on the path.
const PLACES: [&str; 3] = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];

/// A running mosquitto. Dropping it kills it.
pub struct Mosquitto {
    child: Child,
    address: SocketAddr,
    config: PathBuf,
    directory: tempfile::TempDir,
}

/// The program, or `None` with a message when it is not installed. On CI it has to be.
pub fn program() -> Option<&'static Path> {
    let found = PLACES.into_iter().map(Path::new).find(|path| path.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "mosquitto is not installed (apt-get install mosquitto)");
        println!("skipped: mosquitto is not installed (apt-get install mosquitto)");
    }
    found
}

/// A loopback address of this test's own with a free port. While a broker is down for a moment, its port is nobody's, and
/// a test beside it could be given the same one; on an address of its own it stays its own.
pub fn free_address() -> SocketAddr {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let ip = Ipv4Addr::new(127, high, low, COUNT.fetch_add(1, Ordering::Relaxed));
    TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap()
}

impl Mosquitto {
    /// Starts with `deploy/mosquitto/loopback.conf`; `change` edits it further.
    pub async fn start(change: impl Fn(String) -> String) -> Option<Self> {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/mosquitto/loopback.conf");
        Self::start_with(&fs::read_to_string(sample).unwrap(), change).await
    }

    /// Starts with this configuration; its one listener's port and its directory are replaced.
    pub async fn start_with(sample: &str, change: impl Fn(String) -> String) -> Option<Self> {
        let program = program()?;
        for _ in 0..5 {
            let directory = tempfile::tempdir().unwrap();
            let address = free_address();
            let text = replace(sample, "listener ", &format!("listener {} {}", address.port(), address.ip()));
            let place = format!("persistence_location {}/", directory.path().display());
            let text = change(replace(&text, "persistence_location ", &place));
            let config = directory.path().join("mosquitto.conf");
            fs::write(&config, format!("{text}\n{}", user_line())).unwrap();
            let mut child = spawn(program, &config);
            if is_up(&mut child, address).await {
                return Some(Self { child, address, config, directory });
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("mosquitto did not start five times");
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it to end, which makes it save, and waits until it has.
    pub async fn stop(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        until("mosquitto to end", Duration::from_secs(10), || self.child.try_wait().unwrap().is_some()).await;
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, with the same port and data.
    pub async fn start_again(&mut self) {
        self.child = spawn(program().expect("it was there before"), &self.config);
        assert!(is_up(&mut self.child, self.address).await, "mosquitto did not start again");
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text with the (only) line that starts with `start` replaced.
pub fn replace(text: &str, start: &str, line: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.iter().filter(|old| old.starts_with(start)).count(), 1, "{start}");
    lines.into_iter().map(|old| if old.starts_with(start) { line } else { old }).collect::<Vec<_>>().join("\n")
}

/// As root, mosquitto would change to its own user and could not write into the test's directory.
pub fn user_line() -> String {
    let name = Command::new("id").arg("-un").output().map(|output| output.stdout).unwrap_or_default();
    format!("user {}\n", String::from_utf8_lossy(&name).trim())
}

fn spawn(program: &Path, config: &Path) -> Child {
    Command::new(program).arg("-c").arg(config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

async fn is_up(child: &mut Child, address: SocketAddr) -> bool {
    for _ in 0..1_000 {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}
