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
