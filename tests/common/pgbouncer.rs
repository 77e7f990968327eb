//! Debian's pgbouncer before a server, on a free port.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fleetwatch::clock;

use super::mosquitto::free_address;
use super::postgres::{PASSWORD, Postgres, servant};

const PLACES: [&str; 2] = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];

/// A running pooler. Dropping it ends it.
pub struct PgBouncer {
    child: Child,
    address: SocketAddr,
    directory: tempfile::TempDir,
}

impl PgBouncer {
    /// One that keeps sessions, with `more` in its section `[pgbouncer]`. `None` with a message when it is not installed; on CI it
    /// has to be.
    pub async fn before(server: &Postgres, more: &str) -> Option<Self> {
        let Some(program) = PLACES.iter().map(Path::new).find(|path| path.exists()) else {
            assert!(std::env::var_os("CI").is_none(), "pgbouncer is not installed (apt-get install pgbouncer)");
            println!("skipped: pgbouncer is not installed (apt-get install pgbouncer)");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let (address, place) = (free_address(), directory.path().display());
        let (server_ip, server_port) = (server.address().ip(), server.address().port());
        let users = format!("\"fleetwatch\" \"{PASSWORD}\"\n\"postgres\" \"{PASSWORD}\"\n");
        let config = format!(
            "[databases]\n* = host={server_ip} port={server_port}\n[pgbouncer]\nlisten_addr = {}\nlisten_port = {}\n\
             unix_socket_dir =\nauth_type = plain\nauth_file = {place}/users.txt\npool_mode = session\n\
             logfile = {place}/log\nserver_tls_sslmode = disable\n{more}\n",
            address.ip(),
            address.port(),
        );
        fs::write(directory.path().join("users.txt"), users).unwrap();
        fs::write(directory.path().join("bouncer.ini"), config).unwrap();
        let mut command = Command::new(program);
        command.arg("bouncer.ini").current_dir(directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // It refuses to run as root, as the server does.
        if let Some((user, group)) = servant() {
            for path in ["", "users.txt", "bouncer.ini"] {
                chown(directory.path().join(path), Some(user), Some(group)).unwrap();
            }
            command.uid(user).gid(group);
        }
        let mut pooler = Self { child: command.spawn().unwrap(), address, directory };
        let start = clock::monotonic();
        while TcpStream::connect(address).is_err() {
            assert!(pooler.child.try_wait().unwrap().is_none(), "pgbouncer ended: {}", pooler.log());
            assert!(start.elapsed() < Duration::from_secs(20), "pgbouncer does not listen: {}", pooler.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(pooler)
    }

    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@{}/{database}", self.address)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
