//! What people and programs see from outside: the metrics, the pages and the API.
#![allow(clippy::unwrap_used)]

mod access;
mod client;
mod desk;
mod fleet;
mod gates;
mod incidents;
mod life;
mod metrics;
mod pages;
mod report;
mod sample;
mod schemathesis;
mod server;
mod strangers;
mod work;
