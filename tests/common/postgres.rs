//! Debian's PostgreSQL in a directory of its own, on a free port.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::mosquitto::free_address;

/// Where Debian installs it, a directory for each version.
const PLACE: &str = "/usr/lib/postgresql";

/// The password of the server's administrator, `postgres`.
pub const PASSWORD: &str = "correct-horse";

/// Takes the server away when the test's process ends, however it ends: the pipe on its standard input closes then.
const REAPER: &str =
    r#"read _; kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")" 2>/dev/null; sleep 0.2; rm -rf "$1""#;

/// A running server. Dropping it ends it.
pub struct Postgres {
    programs: PathBuf,
    directory: PathBuf,
    address: SocketAddr,
    /// Whether it syncs to the disk.
    syncs: bool,
    child: Child,
    reaper: Child,
}

/// The directory of its programs, or `None` with a message when it is not installed. On CI it has to be.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(PLACE).into_iter().flatten().flatten();
    let programs = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists());
    let version = |bin: &PathBuf| bin.parent().and_then(|p| p.file_name()?.to_str()?.parse::<u32>().ok());
    let found = programs.max_by_key(version);
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "PostgreSQL is not installed (apt-get install postgresql)");
        println!("skipped: PostgreSQL is not installed (apt-get install postgresql)");
    }
    found
}

/// As whom it runs: it refuses to run as root. `None`: as the test itself.
pub fn servant() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let user = |name: &str| users.lines().find(|line| line.starts_with(&format!("{name}:")));
    let line = user("postgres").or_else(|| user("nobody")).expect("Debian has a user nobody");
    let mut ids = line.split(':').skip(2).map(|id| id.parse().unwrap());
    Some((ids.next().unwrap(), ids.next().unwrap()))
}

fn program(path: PathBuf, directory: &Path) -> Command {
    let mut command = Command::new(path);
    command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null()).env_remove("LANG");
    if let Some((user, group)) = servant() {
        command.uid(user).gid(group);
    }
    command
}

impl Postgres {
    /// The one that tests share, each with a database of its own. It does not sync, which is quicker.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(false)).as_ref()
    }

    /// One for a test alone, which may end it.
    pub fn own() -> Option<Self> {
        Self::start(true)
    }

    fn start(syncs: bool) -> Option<Self> {
        let programs = programs()?;
        let directory = tempfile::tempdir().unwrap().keep();
        if let Some((user, group)) = servant() {
            chown(&directory, Some(user), Some(group)).unwrap();
        }
        let password = directory.join("password");
        fs::write(&password, PASSWORD).unwrap();
        let mut initdb = program(programs.join("initdb"), &directory);
        initdb.args(["-U", "postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--no-instructions"]);
        // Sorts as people do, unlike the program: what depends on it shows.
        initdb
            .args(["--locale=C", "--locale-provider=icu", "--icu-locale=en-US", "-D", "data", "--pwfile"])
            .arg(password);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let address = free_address();
        let child = spawn(&programs, &directory, address, syncs);
        let reaper =
            Command::new("sh").args(["-c", REAPER, "reaper"]).arg(&directory).stdin(Stdio::piped()).spawn().unwrap();
        let mut server = Self { programs, directory, address, syncs, child, reaper };
        server.await_ready();
        Some(server)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of a database; the password is not in it.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@{}/{database}", self.address)
    }

    /// `kill -9` of the server; what it was doing for clients ends with it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as an operator does who does not wait for clients (`pg_ctl stop -m fast`).
    pub fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, with the same port and data.
    pub fn start_again(&mut self) {
        // What a killed server leaves behind ends by itself, and until then holds the shared memory.
        for _ in 0..400 {
            self.child = spawn(&self.programs, &self.directory, self.address, self.syncs);
            if self.is_ready() {
                return;
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        panic!("PostgreSQL did not start again: {}", self.log());
    }

    fn await_ready(&mut self) {
        assert!(self.is_ready(), "PostgreSQL did not start: {}", self.log());
    }

    /// Waits until it takes connections; `false` when it ended instead.
    fn is_ready(&mut self) -> bool {
        let mut probe = program(self.programs.join("pg_isready"), &self.directory);
        probe.args(["-q", "-h", &self.address.ip().to_string(), "-p", &self.address.port().to_string()]);
        while self.child.try_wait().unwrap().is_none() {
            if probe.status().unwrap().success() {
                return true;
            }
        }
        false
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Process ids of what serves clients now.
    pub fn backends(&self) -> Vec<i32> {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let pids = fs::read_to_string(children).unwrap();
        let of_client =
            |pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|name| name.contains("127."));
        pids.split_whitespace().map(|pid| pid.parse().unwrap()).filter(of_client).collect()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.reaper.stdin.take());
        let _ = self.reaper.wait();
    }
}

fn spawn(programs: &Path, directory: &Path, address: SocketAddr, syncs: bool) -> Child {
    let log = fs::File::options().create(true).append(true).open(directory.join("log")).unwrap();
    let mut command = program(programs.join("postgres"), directory);
    command.args(["-D", "data", "-p", &address.port().to_string()]);
    for (name, value) in [
        ("listen_addresses", address.ip().to_string()),
        ("unix_socket_directories", String::new()),
        ("shared_buffers", "16MB".to_owned()),
        ("fsync", if syncs { "on" } else { "off" }.to_owned()),
    ] {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    command.stderr(log).spawn().unwrap()
}

/// Long enough for anything that is on its way.
pub const SOON: Duration = Duration::from_secs(30);
