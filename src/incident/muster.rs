//! Who is called, who has answered, and who is called next.
//!
//! For each role a rota lists whom to call first, and whom when nobody has answered for a while. The first who acknowledges
//! holds the role; others may acknowledge too, and are seen on the board. A role whose last step has passed unanswered begins
//! again at the first, and says so: an unanswered page never ends in silence.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::event::Action;
use crate::engine::time::{MINUTE_MS, Timestamp};

/// What somebody does in an incident.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Commander,
    DevelopmentLead,
    SupportLead,
    CommunicationsLead,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Commander, Self::DevelopmentLead, Self::SupportLead, Self::CommunicationsLead];

    /// The role's name, as in the configuration, in JSON and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commander => "commander",
            Self::DevelopmentLead => "development_lead",
            Self::SupportLead => "support_lead",
            Self::CommunicationsLead => "communications_lead",
        }
    }

    /// The role of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// A role, or the part of it that one branch looks after. In JSON and in the record: `support_lead`, `support_lead@sapporo-03`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Seat {
    pub role: Role,
    pub branch: Option<String>,
}

/// The text names no role.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "{0:?} is no role; there are commander, development_lead, support_lead, communications_lead, each also as ROLE@BRANCH"
)]
pub struct SeatError(String);

impl Seat {
    /// The whole role.
    pub const fn of(role: Role) -> Self {
        Self { role, branch: None }
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.branch {
            Some(branch) => write!(f, "{}@{branch}", self.role.as_str()),
            None => f.write_str(self.role.as_str()),
        }
    }
}

impl From<Seat> for String {
    fn from(seat: Seat) -> Self {
        seat.to_string()
    }
}

impl TryFrom<String> for Seat {
    type Error = SeatError;

    fn try_from(text: String) -> Result<Self, SeatError> {
        let (role, branch) = match text.split_once('@') {
            Some((role, branch)) if !branch.is_empty() => (role, Some(branch.to_owned())),
            Some(_) => return Err(SeatError(text)),
            None => (text.as_str(), None),
        };
        Role::from_name(role).map(|role| Self { role, branch }).ok_or_else(|| SeatError(text.clone()))
    }
}

/// One step of a rota.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RotaStep {
    /// Who is called, all at once.
    pub people: Vec<String>,
    /// Minutes after which the next step is called, at least 1.
    pub timeout_min: u32,
}

/// Whom to call. The seat of a branch is called when the branch has affected devices, beside the whole role's.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rota(pub BTreeMap<Seat, Vec<RotaStep>>);

/// A seat in one incident.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Post {
    /// The last step that was called, from 0; `None` before the first call.
    pub step: Option<u32>,
    pub paged_at: Option<Timestamp>,
    /// Who was called so far.
    pub paged: Vec<String>,
    /// Calls in which the last step had been reached without an answer.
    pub exhausted: u32,
    pub acknowledged: BTreeMap<String, Timestamp>,
    /// Who answers for the role.
    pub holder: Option<String>,
}

/// Where a role stands, for the board.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostStatus {
    /// Nobody is called for it: there is no rota.
    Uncalled,
    Paged,
    Acknowledged,
    /// The holder is there.
    Joined,
}

impl PostStatus {
    /// The name, in JSON and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uncalled => "uncalled",
            Self::Paged => "paged",
            Self::Acknowledged => "acknowledged",
            Self::Joined => "joined",
        }
    }
}

/// The people of an incident.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Muster {
    pub posts: BTreeMap<Seat, Post>,
    /// Who is there, and since when.
    pub present: BTreeMap<String, Timestamp>,
}

impl Muster {
    /// Who holds the whole role.
    pub fn holder(&self, role: Role) -> Option<&str> {
        self.posts.get(&Seat::of(role)).and_then(|post| post.holder.as_deref())
    }

    /// Where the seat stands.
    pub fn status(&self, seat: &Seat) -> PostStatus {
        match self.posts.get(seat) {
            None => PostStatus::Uncalled,
            Some(Post { holder: Some(holder), .. }) if self.present.contains_key(holder) => PostStatus::Joined,
            Some(Post { holder: Some(_), .. }) => PostStatus::Acknowledged,
            Some(Post { paged_at: Some(_), .. }) => PostStatus::Paged,
            Some(_) => PostStatus::Uncalled,
        }
    }

    /// Whether every role that was called has somebody, and at least one has. Branches are not waited for.
    pub fn is_complete(&self) -> bool {
        let called = || {
            let whole = self.posts.iter().filter(|(seat, _)| seat.branch.is_none()).map(|(_, post)| post);
            whole.filter(|post| post.paged_at.is_some() || post.holder.is_some())
        };
        called().next().is_some() && called().all(|post| post.holder.is_some())
    }

    /// The calls that are due at `now`: the first of every seat, and the next of one whose step has passed unanswered.
    /// Seats of branches that `concerns` does not know are left alone.
    pub fn due(&self, rota: &Rota, concerns: impl Fn(&str) -> bool, now: Timestamp) -> Vec<Action> {
        let concerned = |seat: &Seat| seat.branch.as_deref().is_none_or(&concerns);
        let due = |(seat, steps): (&Seat, &Vec<RotaStep>)| self.due_for(seat, steps, now);
        rota.0.iter().filter(|(seat, _)| concerned(seat)).filter_map(due).collect()
    }

    fn due_for(&self, seat: &Seat, steps: &[RotaStep], now: Timestamp) -> Option<Action> {
        let called = self.posts.get(seat);
        if steps.is_empty() || called.is_some_and(|post| post.holder.is_some()) {
            return None;
        }
        let (step, exhausted) = match called.and_then(|post| post.step.zip(post.paged_at)) {
            None => (0, false),
            Some((step, paged_at)) => {
                // A rota that was shortened since goes on at its end.
                let last = (step as usize).min(steps.len() - 1);
                if now.since_ms(paged_at) < i64::from(steps[last].timeout_min.max(1)) * MINUTE_MS {
                    return None;
                }
                if last + 1 < steps.len() { (last + 1, false) } else { (0, true) }
            }
        };
        Some(Action::Paged { seat: seat.clone(), step: step as u32, people: steps[step].people.clone(), exhausted })
    }

    pub(super) fn page(&mut self, seat: &Seat, (step, exhausted): (u32, bool), people: &[String], at: Timestamp) {
        let post = self.posts.entry(seat.clone()).or_default();
        (post.step, post.paged_at) = (Some(step), Some(at));
        post.exhausted += u32::from(exhausted);
        post.paged.extend(people.iter().cloned());
        post.paged.sort_unstable();
        post.paged.dedup();
    }

    pub(super) fn acknowledge(&mut self, seat: &Seat, person: &str, at: Timestamp) {
        let post = self.posts.entry(seat.clone()).or_default();
        post.acknowledged.entry(person.to_owned()).or_insert(at);
        post.holder.get_or_insert_with(|| person.to_owned());
    }

    pub(super) fn join(&mut self, person: &str, at: Timestamp) {
        self.present.entry(person.to_owned()).or_insert(at);
    }

    pub(super) fn hand_over(&mut self, seat: &Seat, to: &str) {
        self.posts.entry(seat.clone()).or_default().holder = Some(to.to_owned());
    }
}
