//! Where the configuration says that the record is.

use std::os::unix::fs::DirBuilderExt as _;

use anyhow::Context as _;

use crate::config::{Password, StoreConfig};
use crate::store::{Location, Server};

/// The database of section `store`. Reads the password, if there is one; connects to nothing.
///
/// # Errors
/// When the password's file cannot be read.
pub fn of(config: &StoreConfig) -> anyhow::Result<Location> {
    if let Some(file) = config.file() {
        return Ok(Location::File(file.to_owned()));
    }
    let password = config.password_file.as_deref().map(Password::read).transpose().context("store.password_file")?;
    let url = config.url.as_deref().unwrap_or_default();
    let mut server = Server::new(url, password.as_ref().map(Password::reveal))?;
    if let Some(file) = config.password_file.clone() {
        server = server.with_password_source(move || Password::read(&file).ok().map(|read| read.reveal().to_owned()));
    }
    Ok(Location::Server(server))
}

/// The same, with the directory of a file made.
///
/// # Errors
/// Also when the directory cannot be made.
pub fn made(config: &StoreConfig) -> anyhow::Result<Location> {
    if let Some(parent) = config.file().and_then(|file| file.parent()).filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .with_context(|| format!("cannot make the directory {} of the incident record", parent.display()))?;
    }
    of(config)
}
