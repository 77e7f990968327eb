//! What is kept in a database: one suite of properties, run in SQLite and in PostgreSQL, and what is each one's own.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod access;
#[allow(dead_code, reason = "the story judges more of what is told")]
#[path = "../story/channels.rs"]
mod channels;
mod command;
#[path = "../common/mod.rs"]
mod common;
mod disk;
mod export;
mod file;
mod incidents;
mod migration;
mod outbox;
mod place;
mod pooler;
mod record;
#[path = "../interfaces/sample.rs"]
mod sample;
mod server;
mod told;
mod writer;
