//! fleetwatch: fleet telemetry and major incident detection for UTM appliances.
//!
//! A device reports the delay and the false positives of its traffic over MQTT. Bytes become a report, the report goes
//! into the open minute of its device without a lock, each closed minute becomes a verdict, verdicts become streaks and fleet
//! events, and an event whose streak fills the hour becomes one major incident.
//!
//! Three rules hold the whole together. The [`engine`] and [`incident`] are pure: time is an argument, what they decide is returned as data,
//! and being a crate of their own ([`fleetwatch_pure`]) proves it. Shell modules do not import each other; [`runtime`] wires them.
//! Nothing is acknowledged to a broker that is not in the [`journal`], and a restart, a replay and a test all go through
//! the same code as live operation.
//!
//! | module | what it owns |
//! |---|---|
//! | [`clock`] | the one place that reads a clock; engine time at any speed |
//! | [`delivery`] | a message: how it is handed over, when it may be acknowledged, what is kept of it |
//! | [`text`] | text as people's programs write it into files, and the reader of secrets |
//! | [`words`] | words for people: the two languages, texts side by side in both |
//! | [`record`] | what is kept of an incident, and the interface of who keeps it |
//! | [`broker`] | the embedded MQTT broker |
//! | [`ingest`] | the collector from an external broker: persistent session, manual acknowledgements |
//! | [`journal`] | raw messages on disk, group commit, retention; the checkpoints beside them |
//! | [`store`] | the record of incidents in SQLite or PostgreSQL, append-only |
//! | [`notify`] | what the outbox holds, delivered: Alertmanager, webhook, chat, mail |
//! | [`metrics`] | names, counters, and the text of `/metrics` |
//! | [`dashboards`] | the Grafana dashboards, made from the names of the metrics |
//! | [`web`] | the operators' pages, API and health |
//! | [`recording`] | JSON lines in and out |
//! | [`config`] | settings from file and environment, every fault at once |
//! | [`inventory`] | the expected fleet as CSV |
//! | [`runtime`] | what `serve` runs: it wires all of the above |
//! | [`lab`] | what production never runs: simulated fleets, load, the demo, the detection benchmark |
//! | [`commands`] | the command line: options, runs and printing of each command, exit codes, logging |

pub use fleetwatch_pure::{engine, incident};

pub mod broker;
pub mod clock;
pub mod commands;
pub mod config;
pub mod dashboards;
pub mod delivery;
pub mod ingest;
pub mod inventory;
pub mod journal;
pub mod lab;
pub mod metrics;
pub mod notify;
pub mod record;
pub mod recording;
pub mod runtime;
pub mod store;
pub mod text;
pub mod web;
pub mod words;
