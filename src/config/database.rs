//! The address of a database server, checked before anything connects to it.

use url::Url;

/// What an address looks like, for messages.
pub const FORM: &str = "postgres://user@host:5432/database";

/// Parameters that may follow the `?`. Others would change what the store relies on, such as its time-outs.
const PARAMETERS: &[&str] = &["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "application_name"];

/// Values of `sslmode`.
const MODES: &[&str] = &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Checks an address.
///
/// # Errors
/// The broken rule in words. It never repeats the address, which may hold a password where none should be.
pub fn check(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("must be an address such as {FORM}: {error}"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(format!("must be an address of PostgreSQL, such as {FORM}"));
    }
    if url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password") {
        return Err("must not hold the password: write it into a file, and name that in store.password_file".into());
    }
    if url.username().is_empty() || url.host_str().is_none_or(str::is_empty) {
        return Err(format!("must name the user and the host: {FORM}"));
    }
    if url.path().trim_start_matches('/').is_empty() || url.path().matches('/').count() > 1 {
        return Err(format!("must end in the name of the database: {FORM}"));
    }
    for (name, value) in url.query_pairs() {
        if !PARAMETERS.contains(&&*name) {
            return Err(format!("has an unknown parameter; known are {}", PARAMETERS.join(", ")));
        }
        if name == "sslmode" && !MODES.contains(&&*value) {
            return Err(format!("has an unknown sslmode; it is one of {}", MODES.join(", ")));
        }
    }
    Ok(())
}

/// Whether the server is on another machine, and nothing says how the way there is protected: the default and its
/// neighbours fall back to plain text without a word.
pub fn is_exposed(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let parameter = |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let host =
        parameter("host").map_or_else(|| url.host_str().unwrap_or_default().to_owned(), |host| host.into_owned());
    let socket = host.starts_with('/') || host.starts_with("%2F") || host.starts_with("%2f");
    let chosen = parameter("sslmode").is_some_and(|mode| !matches!(&*mode, "allow" | "prefer"));
    !chosen && !socket && !super::host::is_local(host.trim_matches(['[', ']']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_user_host_and_database_and_no_password() {
        for good in [
            "postgres://fleetwatch@db.example/fleetwatch?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgresql://f@127.0.0.1:5433/f",
            "postgres://f@%2Fvar%2Frun%2Fpostgresql/f",
            "postgres://f@localhost/f?host=/var/run/postgresql",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, told) in [
            ("", "postgres://user@host"),
            ("localhost/fleetwatch", "postgres://user@host"),
            ("mysql://f@h/f", "PostgreSQL"),
            ("postgres://f:hunter2@h/f", "store.password_file"),
            ("postgres://f@h/f?password=hunter2", "store.password_file"),
            ("postgres://h/f", "the user"),
            ("postgres://f@/f", "host"),
            ("postgres://f@h", "name of the database"),
            ("postgres://f@h/f/g", "name of the database"),
            ("postgres://f@h/f?statement_timeout=0", "unknown parameter"),
            ("postgres://f@h/f?options=-csearch_path%3Dx", "unknown parameter"),
            ("postgres://f@h/f?sslmode=on", "sslmode"),
        ] {
            let rule = check(bad).unwrap_err();
            assert!(rule.contains(told), "{bad}: {rule}");
            assert!(!rule.contains("hunter2"), "{rule}");
        }
    }

    #[test]
    fn the_way_to_another_machine_is_protected_or_said_not_to_be() {
        for (url, exposed) in [
            ("postgres://f@db.example/f", true),
            ("postgres://f@db.example/f?sslmode=prefer", true),
            ("postgres://f@localhost/f?host=db.example", true),
            ("postgres://f@db.example/f?sslmode=verify-full", false),
            ("postgres://f@10.0.0.1/f?sslmode=disable", false),
            ("postgres://f@localhost/f", false),
            ("postgres://f@[::1]/f", false),
            ("postgres://f@%2Fvar%2Frun%2Fpostgresql/f", false),
            ("postgres://f@db.example/f?host=/var/run/postgresql", false),
        ] {
            assert_eq!(is_exposed(url), exposed, "{url}");
        }
    }
}
