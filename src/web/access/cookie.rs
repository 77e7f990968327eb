//! The cookies. None of them can be read by a script.

use axum::http::{HeaderMap, HeaderValue, header};
use axum_extra::extract::cookie::{Cookie, SameSite};

/// Which cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Jar {
    /// The secret of a session.
    Session,
    /// A login with an OpenID provider that is under way.
    Flow,
    /// The name that a person says where nobody is asked.
    Name,
}

/// How cookies are set on this listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cookies {
    /// Whether browsers reach it over HTTPS: then a cookie is bound to that and to this host (`__Host-`).
    pub(super) secure: bool,
}

impl Cookies {
    /// The name of a cookie. The prefix makes a browser refuse one that was set without TLS or by a neighbouring host.
    const fn name(self, jar: Jar) -> &'static str {
        match (jar, self.secure) {
            (Jar::Session, true) => "__Host-fleetwatch",
            (Jar::Session, false) => "fleetwatch",
            (Jar::Flow, true) => "__Host-fleetwatch-flow",
            (Jar::Flow, false) => "fleetwatch-flow",
            (Jar::Name, true) => "__Host-fleetwatch-name",
            (Jar::Name, false) => "fleetwatch-name",
        }
    }

    /// The value that the browser sent. Of two with one name neither is taken: one of them is not ours.
    pub(super) fn read(self, jar: Jar, headers: &HeaderMap) -> Option<String> {
        let sent = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = sent.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut found = pairs.filter(|(name, _)| *name == self.name(jar)).map(|(_, value)| value.to_owned());
        let first = found.next()?;
        if found.next().is_some() { None } else { Some(first) }
    }

    /// The header that sets a cookie until the browser is closed, or for `max_age_s`.
    pub(super) fn set(self, jar: Jar, value: &str, max_age_s: Option<u32>) -> HeaderValue {
        let mut cookie = Cookie::new(self.name(jar), value.to_owned());
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_secure(self.secure);
        // Lax: a link in a chat or a mail leads to the page and not to the login; forms of other sites come without it.
        cookie.set_same_site(SameSite::Lax);
        let mut text = cookie.to_string();
        if let Some(seconds) = max_age_s {
            text.push_str(&format!("; Max-Age={seconds}"));
        }
        // Values are base64url, so nothing in them is refused.
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }

    /// The header that takes a cookie away.
    pub(super) fn clear(self, jar: Jar) -> HeaderValue {
        self.set(jar, "", Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_https_cookies_are_bound_to_host_and_tls() {
        let set = |secure, jar, age| Cookies { secure }.set(jar, "abc", age).to_str().unwrap().to_owned();
        assert_eq!(set(true, Jar::Session, None), "__Host-fleetwatch=abc; HttpOnly; SameSite=Lax; Secure; Path=/");
        assert_eq!(set(false, Jar::Session, None), "fleetwatch=abc; HttpOnly; SameSite=Lax; Path=/");
        assert!(set(true, Jar::Flow, Some(600)).ends_with("; Max-Age=600"));
        assert!(Cookies { secure: true }.clear(Jar::Session).to_str().unwrap().contains("Max-Age=0"));
    }

    #[test]
    fn a_cookie_is_read_by_its_whole_name_and_only_once() {
        let read = |sent: &'static [&'static str], secure| {
            let pairs = sent.iter().map(|value| (header::COOKIE, HeaderValue::from_static(value)));
            Cookies { secure }.read(Jar::Session, &pairs.collect())
        };
        assert_eq!(read(&["a=1; fleetwatch=x; b=2"], false), Some("x".into()));
        assert_eq!(read(&["__Host-fleetwatch=x"], true), Some("x".into()));
        assert_eq!(read(&["fleetwatch=x"], true), None, "a name without the prefix could be set by anybody");
        assert_eq!(read(&["xfleetwatch=x"], false), None);
        assert_eq!(read(&["fleetwatch=x; fleetwatch=y"], false), None);
        assert_eq!(read(&["fleetwatch=x", "fleetwatch=y"], false), None);
        assert_eq!(read(&[], false), None);
    }
}
