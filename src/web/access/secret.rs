//! Secrets that only their holder has, and what is kept of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::record::access::Fingerprint;

/// The system gives no random bytes: nothing that needs a secret can go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandom;

/// What begins an API token, so that scanners and people know one when they see it.
const TOKEN_PREFIX: &str = "fw_";

/// `N` random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// A random secret of 256 bits as text for a cookie or a URL.
pub(super) fn random_text() -> Result<String, NoRandom> {
    random::<32>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// A new API token, and a short public id for it.
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_token() -> Result<(String, String), NoRandom> {
    let id = random::<5>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((format!("{TOKEN_PREFIX}{}", random_text()?), id))
}

/// What is kept of a secret. SHA-256 is enough: there is nothing to guess in 256 random bits.
pub fn fingerprint(secret: &str) -> Fingerprint {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
    Fingerprint(bytes)
}

/// The token that a form carries, bound to `key`: whoever has it cannot find the key.
pub(super) fn form_token(key: &[u8], about: &str) -> String {
    URL_SAFE_NO_PAD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bound(about).as_bytes()))
}

/// Whether a form carries the token of [`form_token`]; takes as long wherever they differ.
pub(super) fn is_form_token(key: &[u8], about: &str, token: &str) -> bool {
    let Ok(tag) = URL_SAFE_NO_PAD.decode(token) else { return false };
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), bound(about).as_bytes(), &tag).is_ok()
}

/// Separates this use of the key from any other.
fn bound(about: &str) -> String {
    format!("fleetwatch form v1\0{about}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_different_and_known_by_their_fingerprint() {
        let ((one, id), (two, other)) = (new_token().unwrap(), new_token().unwrap());
        assert!(one.starts_with("fw_") && one.len() == 46 && id.len() == 10, "{one} {id}");
        assert!(one != two && id != other && fingerprint(&one) != fingerprint(&two));
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hex: String = fingerprint("abc").0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, abc);
    }

    #[test]
    fn a_forms_token_is_good_for_its_key_and_person_only() {
        let token = form_token(b"key", "Sato");
        assert!(is_form_token(b"key", "Sato", &token));
        for (key, about, token) in [
            (&b"key"[..], "Ito", &*token),
            (b"other", "Sato", &token),
            (b"key", "Sato", ""),
            (b"key", "Sato", &token[1..]),
            (b"key", "Sato", "not base64 !"),
        ] {
            assert!(!is_form_token(key, about, token), "{about} {token}");
        }
    }
}
