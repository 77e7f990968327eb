//! The life of a major incident, from its declaration to a close that telemetry has proved.
//!
//! A [`Incident`] is what is known of one incident. It changes only by [`IncidentEvent`]s, which are appended to the record and never
//! changed, so that any incident can be made again from its events. Nothing here reads a clock or talks to anybody: a person's
//! request is a [`Command`] that is turned into events or refused with a reason ([`Incident::decide`]), what devices show is an
//! [`Observation`] that is turned into events ([`Incident::observe`]), the passing of time is [`Incident::tick`], and what people have to be told
//! follows from an event as a [`Notice`].
//!
//! ```text
//! declared -> mustered -> workaround available -> pending permanent fix -> fixing -> resolved -> reviewed -> closed
//!                 (forward only; steps may be skipped)                        ^          |          |
//!                                                                             +- reopened +----------+
//! ```
//!
//! The workaround never resolves: it makes the incident *pending permanent fix*. *Resolved* is nobody's request but computed
//! ([`Incident::obstacles`]): every device done or signed off, quiet with data for the clear period, nothing unknown.
//!
//! | module | what it owns |
//! |---|---|
//! | `announce` | who has to be told what because of an event |
//! | [`aggregate`] | the incident, and how an event changes it |
//! | [`assignment`] | which incident an event belongs to, and what it says to it |
//! | `clock` | what time alone brings: calls, reminders, the forecast |
//! | [`closure`] | what still stands between the incident and its end |
//! | [`command`] | what people may command: the one list |
//! | [`countermeasure`] | workaround, fix and the script for the phone, with their versions |
//! | `decide` | what follows from a command, and why it is refused |
//! | [`event`] | the vocabulary of the record |
//! | [`ladder`] | one device's way from affected to done |
//! | `log` | what follows from an event, whoever brought it |
//! | [`milestone`] | the instants of an incident, and their order |
//! | [`muster`] | who is called, who has answered, who is called next |
//! | [`notice`] | what can be said, to whom, and why |
//! | [`observe`] | what telemetry proves |
//! | [`promise`] | the three days: burn-down and forecast |
//! | [`refusal`] | why a request is not granted |
//! | `reshape` | merging and splitting |
//! | [`review`] | what the record says about it afterwards |
//! | `rung` | how what is known of a device changes |
//! | [`state`] | the states, and every pair of state and trigger |
//! | [`way`] | when each state was reached, and for how long the quality was back |

pub mod aggregate;
mod announce;
pub mod assignment;
mod clock;
pub mod closure;
pub mod command;
pub mod countermeasure;
mod decide;
pub mod event;
pub mod ladder;
mod log;
pub mod milestone;
pub mod muster;
pub mod notice;
pub mod observe;
pub mod promise;
pub mod refusal;
mod reshape;
pub mod review;
mod rung;
pub mod state;
pub mod way;

pub use aggregate::{Incident, IncidentSummary};
pub use assignment::DeclaredEvent;
pub use command::{Act, Command, Duty};
pub use countermeasure::{Countermeasure, Fix, Script, WorkaroundPlan};
pub use event::{Action, IncidentEvent};
pub use ladder::{Exception, ExceptionKind, Ladder, Rung, Step};
pub use milestone::{Milestone, Milestones};
pub use muster::{Muster, Role, Rota, RotaStep, Seat};
pub use notice::{Audience, Notice, NoticeKind};
pub use observe::{DeviceObservation, Observation};
pub use promise::{Burndown, Forecast};
pub use refusal::Refusal;
pub use review::Review;
pub use state::{State, Trigger};

use serde::{Deserialize, Serialize};

/// Who acts when no person does.
pub const DETECTOR: &str = "detector";
/// See [`DETECTOR`]: what a device's own messages have shown.
pub const TELEMETRY: &str = "telemetry";
/// See [`DETECTOR`]: time has passed.
pub const CLOCK: &str = "clock";

/// Longest name of a person, and longest free text, in characters.
pub const MAX_NAME: usize = crate::engine::label::MAX_CHARS;
/// See [`MAX_NAME`].
pub const MAX_TEXT: usize = 4_000;

/// Longest review, in characters: it begins with what the record says of the whole incident.
pub const MAX_REVIEW: usize = 20_000;

/// What may be set about an incident's life. The defaults are the company's rules.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LifeSettings {
    /// Hours from the declaration to the last device done that customers are promised.
    pub promise_h: u32,
    /// Quiet minutes with data that verify a device's quality; at most the detector's clear period, which is how far it counts.
    pub clear_min: u32,
    /// Minutes after which a claim that telemetry has not verified becomes a follow-up.
    pub claim_min: u32,
    /// Minutes without a word to the staff after which whoever leads is reminded; 0: never.
    pub nag_min: u32,
    /// Recorded calls without an answer that make a device count as unreachable.
    pub unreachable_calls: u32,
    /// Days from the resolution to the review.
    pub review_days: u32,
    /// Days after the close of a device's last incident after which its contact is forgotten.
    pub contact_days: u32,
}

impl Default for LifeSettings {
    fn default() -> Self {
        Self {
            promise_h: 72,
            clear_min: 60,
            claim_min: 30,
            nag_min: 60,
            unreachable_calls: 3,
            review_days: 7,
            contact_days: 90,
        }
    }
}

#[cfg(test)]
mod tests;
