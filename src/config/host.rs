//! Hosts: which of them is this machine, where nothing has to be encrypted.

use std::net::IpAddr;

/// Whether the host is this machine.
pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
