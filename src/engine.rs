//! The pure engine: reports and ticks in, decisions out.
//!
//! It knows no clock, no IO, no logging and no randomness: time is an argument, and what it decided is returned as
//! data. Modules, bottom up; each imports only from those above it in this list:
//!
//! | module | what it owns |
//! |---|---|
//! | [`time`] | instants and minutes of event time |
//! | [`device`] | device ids, traffic classes, what a status says |
//! | [`histogram`] | the HDR bucket layout, plain snapshots, quantiles, the V2 interchange format |
//! | [`report`] | a decoded report, reused from message to message |
//! | [`wire`] | topic and bytes to a report or a closed refusal, and back |
//! | [`slots`] | the open minutes of a device and class: lock-free counters, closed exactly once |
//! | [`fleet`] | the registry, and the admission of a report: identity, event time, slot |

pub mod baseline;
pub mod binomial;
pub mod detector;
pub mod device;
pub mod effect;
pub mod evidence;
pub mod fleet;
pub mod histogram;
pub mod history;
pub mod report;
pub mod settings;
pub mod slots;
pub mod snapshot;
pub mod streak;
pub mod suspect;
pub mod time;
pub mod verdict;
pub mod wire;
