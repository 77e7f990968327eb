//! Where a request comes from: the address of the person behind it, whether a trusted proxy brought it, and whether it is this
//! machine that asks.
//!
//! Where we listen says nothing of that: a reverse proxy, a tunnel or a container's port on this machine connects from loopback for
//! everybody in the world. So a request counts as this machine's own only when nothing at all says otherwise.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::header::{FORWARDED, HOST, ORIGIN, REFERER};
use axum::http::{HeaderMap, Uri, Version};
use ipnet::IpNet;

use crate::web::server::guard;

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Peer(pub(in crate::web) SocketAddr);

/// What says that a request does not come from this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::web) enum Foreign {
    /// The connection comes from another machine.
    Peer,
    /// A header of this name, which only somebody in between writes.
    Header(String),
    /// It was asked under a name that is not this machine's own.
    Host,
    /// It is HTTP/1.0: browsers and programs have long spoken 1.1, reverse proxies speak it by default (nginx).
    Version,
    /// The page that it comes from is not of this machine.
    Page,
}

/// What is known of where a request comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Origin {
    /// The person's address: that of the connection, or the one that a trusted proxy tells.
    pub(super) address: IpAddr,
    /// The address is a proxy's: people are behind it, and nobody who is believed says which.
    pub(super) shared: bool,
    /// The connection comes from a network of trusted proxies.
    pub(super) by_proxy: bool,
    /// `None`: it comes from this machine.
    pub(super) foreign: Option<Foreign>,
}

/// What of a request tells where it comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) uri: &'a Uri,
    pub(super) version: Version,
}

/// Headers that proxies, balancers, tunnels and login gateways add. No browser and no program of ours sends one.
const IN_BETWEEN: [&str; 7] = ["via", "client-ip", "x-scheme", "x-host", "x-cache", "remote-user", "ssl-client-verify"];

/// The same, by how their names begin.
const IN_BETWEEN_PREFIXES: [&str; 31] = [
    "forwarded",
    "x-forward",
    "x-real-",
    "x-original-",
    "x-client-",
    "x-cluster-",
    "x-proxy",
    "x-remote-",
    "remote-",
    "x-auth-",
    "x-webauth-",
    "true-client-",
    "proxy-",
    "wl-proxy-",
    "cf-",
    "cdn-",
    "fastly-",
    "fly-",
    "akamai-",
    "x-akamai-",
    "x-amz",
    "x-amzn-",
    "x-appengine-",
    "x-appgw-",
    "x-arr-",
    "x-azure-",
    "x-cloud-",
    "x-envoy-",
    "x-haproxy",
    "x-varnish",
    "tailscale-",
];

impl Origin {
    /// Of a request over a connection from `peer`.
    pub(super) fn of(peer: IpAddr, asked: Asked<'_>, proxies: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        let by_proxy = is_in(peer, proxies);
        let told = if by_proxy { forwarded(asked.headers, proxies) } else { Told::Nothing };
        let foreign = foreign(peer, asked);
        let (address, shared) = match told {
            Told::Address(address) => (address, false),
            Told::Unknown => (peer, true),
            // Somebody in between whose word does not count, or one who says nothing.
            Told::Nothing => {
                let passed_on = || asked.headers.keys().any(|name| is_in_between(name.as_str()));
                (peer, foreign.is_some() && (by_proxy || peer.is_loopback() || passed_on()))
            }
        };
        Self { address, shared, by_proxy, foreign }
    }

    /// Whether it is this machine that asks.
    pub(super) fn is_local(&self) -> bool {
        self.foreign.is_none()
    }

    /// Whether it comes from one of these networks, and not from somebody behind a proxy there.
    pub(super) fn is_from(&self, networks: &[IpNet]) -> bool {
        let direct = !self.shared || matches!(self.foreign, None | Some(Foreign::Peer | Foreign::Host));
        direct && is_in(self.address, networks)
    }
}

/// Whether only somebody in between writes a header of this name.
fn is_in_between(name: &str) -> bool {
    IN_BETWEEN.contains(&name) || IN_BETWEEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What says that this is not this machine, the plainest first.
fn foreign(peer: IpAddr, asked: Asked<'_>) -> Option<Foreign> {
    let Asked { headers, uri, version } = asked;
    if !peer.is_loopback() {
        return Some(Foreign::Peer);
    }
    if let Some(name) = headers.keys().find(|name| is_in_between(name.as_str())) {
        return Some(Foreign::Header(name.to_string()));
    }
    let text = |value: &axum::http::HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
    let hosts: Vec<String> = headers.get_all(HOST).iter().map(text).collect();
    let named = uri.host().into_iter().chain(hosts.iter().map(String::as_str));
    if hosts.len() != 1 || !named.into_iter().all(guard::is_loopback_name) {
        return Some(Foreign::Host);
    }
    // A page of this machine's own is asked for under its own name; "null" is what hides where it comes from.
    let page =
        [ORIGIN, REFERER].into_iter().flat_map(|name| headers.get_all(name).iter().map(text).collect::<Vec<_>>());
    let elsewhere = |page: String| {
        let host = page.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
        host.is_some_and(|host| !guard::is_loopback_name(host))
    };
    if page.into_iter().any(elsewhere) {
        return Some(Foreign::Page);
    }
    (version < Version::HTTP_11).then_some(Foreign::Version)
}

/// Whether the address is in one of the networks.
pub(super) fn is_in(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// What trusted proxies tell of who is behind them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Address(IpAddr),
    /// Somebody whose address is hidden or cannot be read.
    Unknown,
    Nothing,
}

/// The last address that is no proxy's: those before it are only what somebody claims. By `X-Forwarded-For`, and where there
/// is none by `Forwarded` (RFC 7239).
fn forwarded(headers: &HeaderMap, proxies: &[IpNet]) -> Told {
    let values = |name: &str| -> Vec<String> {
        let all = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        all.collect()
    };
    let mut hops: Vec<String> =
        values("x-forwarded-for").iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
    if hops.is_empty() {
        hops = values(FORWARDED.as_str()).iter().flat_map(|list| parts(list, ',')).map(|part| for_of(&part)).collect();
    }
    for hop in hops.iter().rev() {
        match address(hop) {
            Some(address) if is_in(address, proxies) => {}
            Some(address) => return Told::Address(address),
            // It was one of our proxies that wrote it, and does not know or does not say.
            None => return Told::Unknown,
        }
    }
    Told::Nothing
}

/// The parts of a list; a separator within quotation marks is none. A mark that is never closed is no mark: somebody before the proxy
/// could hide the proxy's own word behind it.
fn parts(list: &str, separator: char) -> Vec<String> {
    let closed = list.matches('"').count().is_multiple_of(2);
    let mut quoted = false;
    let split = list.split(|c: char| {
        quoted ^= closed && c == '"';
        c == separator && !quoted
    });
    split.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The parameter `for` of an element of `Forwarded`; empty without one.
fn for_of(element: &str) -> String {
    let pairs = parts(element, ';');
    let named = |pair: &String| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().to_owned())
    };
    pairs.iter().find_map(named).unwrap_or_default()
}

/// An address as proxies write one: `192.0.2.1`, `192.0.2.1:50000`, `2001:db8::1`, `[2001:db8::1]:50000`, each in quotation marks
/// too, and a link's own address with its zone. `None`: `unknown`, `_hidden`, or nonsense.
fn address(hop: &str) -> Option<IpAddr> {
    let text = hop.trim().trim_matches('"').trim();
    let (text, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        // Two colons are an IPv6 address without brackets, which has no port.
        None if text.matches(':').count() == 1 => text.split_at(text.find(':')?),
        None => (text, ""),
    };
    let is_port = |digits: &str| digits.parse::<u16>().is_ok() || digits.starts_with('_');
    if !(port.is_empty() || port.strip_prefix(':').is_some_and(is_port)) {
        return None;
    }
    match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        Some(_) => None,
        None => text.parse::<IpAddr>().ok(),
    }
    .map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn origin_of(peer: &str, headers: &[(&'static str, &str)], (target, version): (&str, Version)) -> Origin {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let proxies: Vec<IpNet> = ["10.0.0.0/24", "::1/128", "127.0.0.1/32"].map(|net| net.parse().unwrap()).into();
        let uri = target.parse().unwrap();
        Origin::of(peer.parse().unwrap(), Asked { headers: &map, uri: &uri, version }, &proxies)
    }

    fn origin(peer: &str, headers: &[(&'static str, &str)]) -> Origin {
        origin_of(peer, headers, ("/", Version::HTTP_11))
    }

    #[test]
    fn only_a_trusted_proxy_tells_who_is_behind_it() {
        let claim = ("x-forwarded-for", "203.0.113.9");
        for (peer, headers, address, shared) in [
            ("192.0.2.1", vec![], "192.0.2.1", false),
            ("192.0.2.1", vec![claim], "192.0.2.1", true),
            ("10.0.0.7", vec![claim], "203.0.113.9", false),
            ("::ffff:10.0.0.7", vec![claim], "203.0.113.9", false),
            ("10.0.0.7", vec![], "10.0.0.7", true),
            ("10.0.0.7", vec![("x-forwarded-for", "198.51.100.1, 203.0.113.9, 10.0.0.8")], "203.0.113.9", false),
            (
                "10.0.0.7",
                vec![("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.9")],
                "203.0.113.9",
                false,
            ),
            ("10.0.0.7", vec![("x-forwarded-for", "203.0.113.9, unknown")], "10.0.0.7", true),
            ("10.0.0.7", vec![("x-forwarded-for", "10.0.0.9")], "10.0.0.7", true),
            ("10.0.0.7", vec![("x-forwarded-for", "203.0.113.9:50000, 10.0.0.9:1")], "203.0.113.9", false),
            ("10.0.0.7", vec![claim, ("forwarded", "for=198.51.100.1")], "203.0.113.9", false),
            (
                "10.0.0.7",
                vec![("forwarded", "for=198.51.100.1;proto=https, For=\"[2001:db8::7]:4711\"")],
                "2001:db8::7",
                false,
            ),
            ("10.0.0.7", vec![("forwarded", "proto=https;by=10.0.0.7")], "10.0.0.7", true),
            ("10.0.0.7", vec![("forwarded", "for=_hidden")], "10.0.0.7", true),
            ("192.0.2.1", vec![("forwarded", "for=198.51.100.1")], "192.0.2.1", true),
        ] {
            let got = origin(peer, &headers);
            assert_eq!((got.address, got.shared), (address.parse().unwrap(), shared), "{peer} {headers:?}");
        }
        assert!(origin("10.0.0.7", &[]).by_proxy && !origin("192.0.2.1", &[claim]).by_proxy);
    }

    #[test]
    fn an_address_is_read_in_every_form_that_proxies_write() {
        for (hop, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:50000", Some("192.0.2.1")),
            (" \"192.0.2.1:50000\" ", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:50000", Some("2001:db8::1")),
            ("\"[2001:db8::1]:50000\"", Some("2001:db8::1")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("[fe80::1%25eth0]:443", Some("fe80::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:_port", Some("192.0.2.1")),
            ("unknown", None),
            ("_SEVKISEK", None),
            ("", None),
            ("192.0.2.1:", None),
            ("192.0.2.1:99999", None),
            ("192.0.2.1:80:80", None),
            ("[2001:db8::1", None),
            ("[2001:db8::1]x", None),
            ("fe80::1%", None),
            ("192.0.2.1%eth0", None),
            ("192.0.2.256", None),
            ("host.example", None),
        ] {
            assert_eq!(address(hop), expected.map(|ip| ip.parse().unwrap()), "{hop:?}");
        }
    }

    #[test]
    fn a_proxy_on_this_machine_is_not_this_machine() {
        let host = ("host", "localhost:8080");
        for (peer, headers, local) in [
            ("127.0.0.1", vec![host], true),
            ("127.8.9.1", vec![("host", "127.0.0.1:8080"), ("referer", "http://127.0.0.1:8080/gates")], true),
            ("::1", vec![("host", "[::1]:8080"), ("origin", "http://[::1]:8080")], true),
            ("::ffff:127.0.0.1", vec![host, ("origin", "null"), ("accept", "text/html")], true),
            ("127.0.0.1", vec![], false),
            ("127.0.0.1", vec![("host", "noc.example.jp")], false),
            ("127.0.0.1", vec![host, ("host", "noc.example.jp")], false),
            ("127.0.0.1", vec![host, ("x-forwarded-for", "127.0.0.1")], false),
            ("127.0.0.1", vec![host, ("x-forwarded-proto", "https")], false),
            ("127.0.0.1", vec![host, ("forwarded", "for=192.0.2.1")], false),
            ("127.0.0.1", vec![host, ("via", "1.1 Caddy")], false),
            ("127.0.0.1", vec![host, ("x-real-ip", "192.0.2.1")], false),
            ("127.0.0.1", vec![host, ("cf-connecting-ip", "192.0.2.1")], false),
            ("127.0.0.1", vec![host, ("cdn-loop", "x")], false),
            ("127.0.0.1", vec![host, ("x-remote-user", "sato")], false),
            ("127.0.0.1", vec![host, ("referer", "https://noc.example.jp/gates")], false),
            ("127.0.0.1", vec![host, ("origin", "https://noc.example.jp")], false),
            ("192.0.2.1", vec![host], false),
            ("10.0.0.7", vec![host], false),
        ] {
            assert_eq!(origin(peer, &headers).is_local(), local, "{peer} {headers:?}");
        }
        let plain = [("host", "127.0.0.1:8080")];
        assert_eq!(origin_of("127.0.0.1", &plain, ("/", Version::HTTP_10)).foreign, Some(Foreign::Version));
        let absolute = origin_of("127.0.0.1", &plain, ("http://noc.example.jp/", Version::HTTP_11));
        assert_eq!(absolute.foreign, Some(Foreign::Host));
    }

    proptest! {
        #[test]
        fn nothing_that_a_proxy_writes_makes_it_panic(value in "[ -~]{0,60}") {
            for name in ["x-forwarded-for", "forwarded"] {
                let got = origin("10.0.0.7", &[(name, &value)]);
                prop_assert!(got.by_proxy);
            }
        }

        /// Whoever is behind the proxy may claim what he likes: the address that the proxy adds is the one that counts.
        #[test]
        fn what_is_claimed_before_the_proxys_own_word_does_not_count(claim in "[ -~]{0,40}", port in any::<u16>()) {
            let value = format!("{claim}, 203.0.113.9:{port}");
            prop_assert_eq!(origin("10.0.0.7", &[("x-forwarded-for", &value)]).address, IpAddr::from([203, 0, 113, 9]));
            let value = format!("{claim}, for=\"203.0.113.9:{port}\"");
            let marks = claim.matches('"').count();
            let told = origin("10.0.0.7", &[("forwarded", &value)]).address;
            prop_assert!(told == IpAddr::from([203, 0, 113, 9]) || marks > 0 && told == IpAddr::from([10, 0, 0, 7]));
        }
    }
}
