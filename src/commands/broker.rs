//! Which broker `simulate` and `record` talk to.

use std::path::PathBuf;

use clap::Args;

/// Which broker, and how to get in.
#[derive(Clone, Debug, Args)]
pub struct BrokerArgs {
    /// Address of the broker.
    #[arg(long, short, default_value = "127.0.0.1:1883", value_parser = host_and_port, value_name = "HOST:PORT")]
    pub broker: HostPort,

    /// First level of every topic.
    #[arg(long, default_value = "utm", value_name = "NAME")]
    pub root: String,

    /// Encrypt, and trust the authorities in this PEM file.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Client certificate (PEM).
    #[arg(long, requires = "key_file", requires = "ca_file", value_name = "FILE")]
    pub cert_file: Option<PathBuf>,

    /// Private key of the client certificate (PEM).
    #[arg(long, requires = "cert_file", value_name = "FILE")]
    pub key_file: Option<PathBuf>,

    /// File with two lines: user name, password.
    #[arg(long, value_name = "FILE")]
    pub credentials_file: Option<PathBuf>,
}

/// A host and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostPort {
    /// Name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// `host:port`, `[::1]:port`, or a host alone with the usual port.
fn host_and_port(text: &str) -> Result<HostPort, String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.starts_with('[') => {
            (host, port.parse::<u16>().ok().filter(|port| *port > 0).ok_or("the port must be 1 to 65535")?)
        }
        _ => (text, 1_883),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/') {
        return Err("write it like broker.example:1883".into());
    }
    Ok(HostPort { host: host.into(), port })
}
