//! fleetwatch: fleet telemetry and major incident detection for UTM appliances.

pub mod engine;

#[cfg(feature = "shell")]
pub mod app;
#[cfg(feature = "shell")]
pub mod broker;
#[cfg(feature = "shell")]
pub mod cli;
#[cfg(feature = "shell")]
pub mod clock;
#[cfg(feature = "shell")]
pub mod config;
#[cfg(feature = "shell")]
pub mod delivery;
#[cfg(feature = "shell")]
pub mod driver;
#[cfg(feature = "shell")]
pub mod http;
#[cfg(feature = "shell")]
pub mod ingest;
#[cfg(feature = "shell")]
pub mod inventory;
#[cfg(feature = "shell")]
pub mod journal;
#[cfg(feature = "shell")]
pub mod metrics;
#[cfg(feature = "shell")]
pub mod record;
#[cfg(feature = "shell")]
pub mod recording;
#[cfg(feature = "shell")]
pub mod simulation;
#[cfg(feature = "shell")]
pub mod store;
