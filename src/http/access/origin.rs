//! Where a request comes from: the address of the person behind it, and whether a trusted proxy brought it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::connect_info::Connected;
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::serve::IncomingStream;
use ipnet::IpNet;

use crate::http::guard;
use crate::http::listener::Bounded;

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Peer(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// What is known of where a request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Origin {
    /// The person's address: that of the connection, or the one that a trusted proxy tells.
    pub(super) address: IpAddr,
    /// The connection comes from a network of trusted proxies.
    pub(super) by_proxy: bool,
    /// It comes from this machine and nothing says that somebody else is behind it.
    pub(super) local: bool,
}

/// Headers with which proxies say for whom they ask.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

impl Origin {
    /// Of a request over a connection from `peer`.
    pub(super) fn of(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        let by_proxy = is_in(peer, proxies);
        let address = if by_proxy { forwarded(headers, proxies).unwrap_or(peer) } else { peer };
        // A reverse proxy on this machine connects from loopback too: it names another host, or says for whom it asks.
        let host = headers.get(HOST).and_then(|value| value.to_str().ok());
        let untouched = !FORWARDED.iter().any(|name| headers.contains_key(*name));
        let local = peer.is_loopback() && untouched && host.is_none_or(guard::is_loopback_name);
        Self { address, by_proxy, local }
    }
}

/// Whether the address is in one of the networks.
pub(super) fn is_in(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// The last address that is no proxy's: those before it are only what somebody claims.
fn forwarded(headers: &HeaderMap, proxies: &[IpNet]) -> Option<IpAddr> {
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let hop = hops.iter().rev().map(|hop| hop.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()));
    // What is no address ends the search: it was not one of our proxies that wrote it.
    hop.into_iter().find(|hop| hop.is_none_or(|ip| !is_in(ip, proxies))).flatten()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn origin(peer: &str, headers: &[(&'static str, &'static str)]) -> Origin {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let proxies: Vec<IpNet> = ["10.0.0.0/24", "::1/128", "127.0.0.1/32"].map(|net| net.parse().unwrap()).into();
        Origin::of(peer.parse().unwrap(), &headers, &proxies)
    }

    #[test]
    fn only_a_trusted_proxy_tells_who_is_behind_it() {
        let claim = ("x-forwarded-for", "203.0.113.9");
        for (peer, headers, address) in [
            ("192.0.2.1", vec![claim], "192.0.2.1"),
            ("10.0.0.7", vec![claim], "203.0.113.9"),
            ("::ffff:10.0.0.7", vec![claim], "203.0.113.9"),
            ("10.0.0.7", vec![], "10.0.0.7"),
            ("10.0.0.7", vec![("x-forwarded-for", "198.51.100.1, 203.0.113.9, 10.0.0.8")], "203.0.113.9"),
            ("10.0.0.7", vec![("x-forwarded-for", "203.0.113.9, unknown")], "10.0.0.7"),
            ("10.0.0.7", vec![("x-forwarded-for", "10.0.0.9")], "10.0.0.7"),
        ] {
            assert_eq!(origin(peer, &headers).address, address.parse::<IpAddr>().unwrap(), "{peer} {headers:?}");
        }
        assert!(origin("10.0.0.7", &[]).by_proxy && !origin("192.0.2.1", &[claim]).by_proxy);
    }

    #[test]
    fn a_proxy_on_this_machine_is_not_this_machine() {
        for (peer, headers, local) in [
            ("127.0.0.1", vec![("host", "localhost:8080")], true),
            ("::1", vec![("host", "[::1]:8080")], true),
            ("127.0.0.1", vec![("host", "noc.example.jp")], false),
            ("127.0.0.1", vec![("host", "localhost"), ("x-forwarded-for", "127.0.0.1")], false),
            ("127.0.0.1", vec![("host", "localhost"), ("forwarded", "for=192.0.2.1")], false),
            ("192.0.2.1", vec![("host", "localhost")], false),
        ] {
            assert_eq!(origin(peer, &headers).local, local, "{peer} {headers:?}");
        }
    }
}
