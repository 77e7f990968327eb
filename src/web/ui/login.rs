//! Where the login is, and where it leads back to.

use super::parts::encode;

/// Longest path to return to.
const MAX_NEXT: usize = 1_024;

/// The login's address for somebody who wanted to go to `next`.
pub(in crate::web) fn address(next: &str) -> String {
    let encoded = encode(inside(next));
    if encoded == "%2F" { "/login".to_owned() } else { format!("/login?next={encoded}") }
}

/// The address that leads on to the provider at once, and then to `next`.
pub(in crate::web) fn start_address(next: &str) -> String {
    format!("/login/start?next={}", encode(inside(next)))
}

/// A path of this listener; whatever else was asked for becomes the first page, so that the login leads nowhere else.
pub(in crate::web) fn inside(next: &str) -> &str {
    let mut bytes = next.bytes();
    let local = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
    let plain = next.len() <= MAX_NEXT && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if local && plain && !next.starts_with("/login") { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_back_into_this_listener_and_nowhere_else() {
        for good in ["/", "/incidents/INC-0001?lang=ja", "/devices?branch=%E6%9C%AD%E5%B9%8C"] {
            assert_eq!(inside(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a b",
            "/\t/evil",
            "/a\\b",
            "javascript:x",
        ] {
            assert_eq!(inside(bad), "/", "{bad}");
        }
        assert_eq!(inside("/login?next=/login"), "/", "not round and round");
        assert_eq!(inside(&format!("/{}", "a".repeat(MAX_NEXT))), "/");
        assert_eq!(address("/"), "/login");
        assert_eq!(address("/devices?a=b&c=d"), "/login?next=%2Fdevices%3Fa%3Db%26c%3Dd");
    }
}
