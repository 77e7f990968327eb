//! Every file with a secret that the configuration names, read as `serve` will read it.

use anyhow::Context as _;

use crate::broker::Users;
use crate::config::{AccessMode, BrokerMode, Config, Credentials, Password};
use crate::text::secret_word;

/// Reads the files and forgets what they hold; those of the channels are [`super::notify::check`]'s.
///
/// # Errors
/// With the key and what is wrong with its file.
pub fn check(config: &Config) -> anyhow::Result<()> {
    let (external, embedded) = (&config.broker.external, &config.broker.embedded);
    if let Some(path) = external.credentials_file.as_deref().filter(|_| config.broker.mode == BrokerMode::External) {
        Credentials::read(path).context("broker.external.credentials_file")?;
    }
    if let Some(path) = embedded.users_file.as_deref().filter(|_| config.broker.mode == BrokerMode::Embedded) {
        Users::from_file(path).context("broker.embedded.users_file")?;
    }
    if let Some(path) = &config.store.password_file {
        Password::read(path).context("store.password_file")?;
    }
    let oidc = &config.access.oidc;
    if let Some(path) = oidc.client_secret_file.as_deref().filter(|_| config.access.mode == AccessMode::Oidc) {
        secret_word(path).context("access.oidc.client_secret_file")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_secret_and_utf_16_is_told_with_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let mut config = Config::default();
        config.store.password_file = Some(path.clone());
        std::fs::write(&path, "\u{feff}s3cret\r\n").unwrap();
        assert!(check(&config).is_ok());
        assert_eq!(Password::read(&path).unwrap().reveal(), "s3cret");
        let utf_16: Vec<u8> = "\u{feff}s3cret".encode_utf16().flat_map(u16::to_le_bytes).collect();
        std::fs::write(&path, utf_16).unwrap();
        let told = format!("{:#}", check(&config).unwrap_err());
        assert!(told.contains("store.password_file") && told.contains("UTF-16") && !told.contains("s3c"), "{told}");
    }
}
