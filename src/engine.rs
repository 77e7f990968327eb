//! The pure engine: reports and ticks in, decisions out.
//!
//! It knows no clock, no IO, no logging and no randomness: time is an argument, and what it decided is returned as
//! data. Modules, bottom up; each imports only from those above it in this list:
//!
//! | module | what it owns |
//! |---|---|
//! | [`time`] | instants and minutes of event time |
//! | [`label`] | the one form of what things and people are called |
//! | [`zone`] | the fleet's time of day, as a table of offsets |
//! | [`device`] | device ids, traffic classes, what a status says |
//! | [`settings`] | what may be set about the detector |
//! | [`effect`] | what the engine decided, as data |
//! | [`snapshot`] | the picture of the fleet that metrics, pages and the API read |
//! | [`histogram`] | the HDR bucket layout, plain snapshots, quantiles, the V2 interchange format |
//! | [`report`] | a decoded report, reused from message to message |
//! | [`wire`] | topic and bytes to a report or a closed refusal, and back |
//! | [`slots`] | the open minutes of a device and class: lock-free counters, closed exactly once |
//! | [`fleet`] | the registry, and the admission of a report: identity, event time, slot |
//! | [`binomial`] | exact decisions: is a share proved above or below a limit |
//! | [`evidence`] | the counts that are kept of a closed slot |
//! | [`baseline`] | what is normal for a device and class at a time of day |
//! | [`verdict`] | degraded, healthy or neither, by tests on the evidence; who is affected |
//! | [`history`] | two days of verdicts |
//! | [`streak`] | the one-hour clock, as a pure function of verdicts |
//! | [`suspect`] | which shared attribute best explains who is affected |
//! | [`gate`] | which updates the updater may go on with; the control ring |
//! | [`detector`] | devices, fleet events with their pooled clock, ticks, and the state as bytes |

pub mod baseline;
pub mod binomial;
pub mod detector;
pub mod device;
pub mod effect;
pub mod evidence;
pub mod fleet;
pub mod gate;
pub mod histogram;
pub mod history;
pub mod label;
pub mod report;
pub mod settings;
pub mod slots;
pub mod snapshot;
pub mod streak;
pub mod suspect;
pub mod time;
pub mod verdict;
pub mod wire;
pub mod zone;
