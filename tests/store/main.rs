//! What is kept in a database: one suite of properties, run in SQLite and in PostgreSQL, and what is each one's own.
#![cfg(feature = "shell")]
#![allow(clippy::unwrap_used)]

mod access;
mod cases;
mod command;
#[path = "../common/mod.rs"]
mod common;
mod disk;
mod export;
mod file;
mod outbox;
mod place;
mod record;
#[path = "../interfaces/sample.rs"]
mod sample;
mod server;
mod writer;
