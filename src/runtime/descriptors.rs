//! Room for thousands of connections: the process' limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;

/// Where no hard limit is set, no more than a system has anyway.
const MOST: u64 = 1 << 20;

/// The limit is too low and cannot be raised by this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error(
    "{needed} open files are needed, and this process may have {allowed}. Raise the hard limit (`ulimit -Hn {needed}` \
     as root in the shell that starts it, or `LimitNOFILE={needed}` in its systemd unit), or ask for fewer devices"
)]
pub struct DescriptorError {
    /// What was asked for.
    pub needed: u64,
    /// What the hard limit allows.
    pub allowed: u64,
}

/// Raises the soft limit of open files to `needed`, if it is lower. Returns the limit that then holds.
///
/// # Errors
/// When the hard limit is below `needed`, or the system refuses.
pub fn ensure(needed: u64) -> Result<u64, DescriptorError> {
    let limit = getrlimit(Resource::Nofile);
    // No number means no limit.
    let Some(soft) = limit.current else { return Ok(u64::MAX) };
    if soft >= needed {
        return Ok(soft);
    }
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    if allowed < needed {
        return Err(DescriptorError { needed, allowed });
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })
        .map_err(|_| DescriptorError { needed, allowed: soft })?;
    Ok(needed)
}

/// Raises the soft limit of open files as far as the hard one allows. Returns the limit that then holds.
pub fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let Some(soft) = limit.current else { return u64::MAX };
    let wanted = limit.maximum.unwrap_or(MOST).max(soft);
    ensure(wanted).unwrap_or(soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hard_limit_allows_is_given_and_what_it_does_not_is_explained() {
        let soft = getrlimit(Resource::Nofile).current;
        let hard = getrlimit(Resource::Nofile).maximum;
        assert!(ensure(1).is_ok(), "never lowered");
        assert_eq!(getrlimit(Resource::Nofile).current, soft);
        if let (Some(soft), Some(hard)) = (soft, hard) {
            let wanted = (soft + 1).min(hard);
            assert_eq!(ensure(wanted), Ok(wanted));
            assert_eq!(raise(), hard);
            let error = ensure(hard + 1).unwrap_err();
            assert_eq!(error, DescriptorError { needed: hard + 1, allowed: hard });
            assert!(error.to_string().contains("ulimit -Hn"));
        }
    }
}
