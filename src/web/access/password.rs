//! Passwords: how they are hashed, what they have to be, and how a login is checked without telling who exists.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use thiserror::Error;
use tokio::sync::Semaphore;

use super::secret::{NoRandom, random};

/// Shortest password in characters. Length is what counts (NIST SP 800-63B); rules about signs only make people predictable.
pub const MIN_LENGTH: usize = 12;
/// Longest in bytes, so that nobody makes us hash a book.
pub const MAX_BYTES: usize = 256;

/// Checks at a time: each takes 19 MiB and some 50 ms of a core, which is the point of the function.
const AT_A_TIME: usize = 2;

/// Why a new password is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PasswordError {
    #[error(
        "the password must have at least {MIN_LENGTH} characters: a few words that do not belong together are easy to keep"
    )]
    Short,
    #[error("the password has more than {MAX_BYTES} bytes")]
    Long,
    #[error("the password is made of the user's name, or of one repeated character")]
    Easy,
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    #[error("the password could not be hashed")]
    Hash,
}

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// Hashes a new password of the user `name`, in PHC form. Takes tens of milliseconds.
///
/// # Errors
/// When it is too short, too long or too easy.
pub fn hash(password: &str, name: &str) -> Result<String, PasswordError> {
    if password.len() > MAX_BYTES {
        return Err(PasswordError::Long);
    }
    if password.chars().count() < MIN_LENGTH {
        return Err(PasswordError::Short);
    }
    let rest = password.to_lowercase().replace(&name.to_lowercase(), "");
    let mut rest = rest.chars();
    let first = rest.next();
    if rest.all(|c| Some(c) == first) {
        return Err(PasswordError::Easy);
    }
    hashed(password)
}

fn hashed(password: &str) -> Result<String, PasswordError> {
    let salt = SaltString::encode_b64(&random::<16>()?).map_err(|_| PasswordError::Hash)?;
    let hash = argon2().hash_password(password.as_bytes(), &salt).map_err(|_| PasswordError::Hash)?;
    Ok(hash.to_string())
}

/// Whether `password` is the one that was hashed. What is no hash of ours fits nothing.
fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Checks passwords, a few at a time. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Checker {
    room: Arc<Semaphore>,
    /// Hash of a password that nobody has, checked in place of a user's who does not exist.
    nobody: Arc<str>,
}

impl Checker {
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn new() -> Result<Self, PasswordError> {
        let nobody = hashed(&super::secret::random_text()?)?;
        Ok(Self { room: Arc::new(Semaphore::new(AT_A_TIME)), nobody: nobody.into() })
    }

    /// Whether the password fits the hash. Without a hash nothing fits, after the same work: from how long a login takes nobody
    /// learns which names exist.
    pub(super) async fn fits(&self, password: String, hash: Option<String>) -> bool {
        let Ok(_permit) = self.room.acquire().await else { return false };
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let checked = tokio::task::spawn_blocking(move || verify(&password, &hash)).await;
        known && checked.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easy_passwords_are_refused_with_a_reason() {
        for (password, error) in [
            ("", PasswordError::Short),
            ("elevenchars", PasswordError::Short),
            ("aaaaaaaaaaaa", PasswordError::Easy),
            ("hanako.satohanako.sato", PasswordError::Easy),
            ("Hanako.Sato111111", PasswordError::Easy),
        ] {
            assert_eq!(hash(password, "hanako.sato"), Err(error), "{password}");
        }
        assert!(hash("十二文字のパスワードです", "佐藤").is_ok(), "characters count, not bytes");
        assert_eq!(hash(&"ab".repeat(129), "x"), Err(PasswordError::Long));
    }

    #[tokio::test]
    async fn only_the_password_fits_and_nothing_fits_nobody() {
        let hash = hash("correct horse battery", "Sato").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let checker = Checker::new().unwrap();
        let fits = |password: &str, hash: Option<&str>| checker.fits(password.to_owned(), hash.map(str::to_owned));
        assert!(fits("correct horse battery", Some(&hash)).await);
        assert!(!fits("correct horse batterz", Some(&hash)).await);
        assert!(!fits("", Some(&hash)).await);
        assert!(!fits("correct horse battery", None).await);
        assert!(!fits("x", Some("")).await && !fits("", Some("$argon2id$")).await);
    }
}
