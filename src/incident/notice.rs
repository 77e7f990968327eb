//! Who has to be told what, and why: the pure half of every message. The shell finds the words and the way.

use serde::{Deserialize, Serialize};

use super::aggregate::Incident;
use super::event::{Action, IncidentEvent};
use super::muster::Role;
use super::state::State;
use crate::engine::effect::Scope;

/// Whom a notice is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(tag = "audience", content = "who", rename_all = "snake_case")]
pub enum Audience {
    /// These people, by name.
    People(Vec<String>),
    /// Everybody who works on the incident: the chat of the staff.
    Staff,
    /// Whoever takes the next call.
    SupportQueue,
}

/// Why somebody is told something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    Declared,
    /// An isolated incident: one for the support queue.
    Isolated,
    Page,
    /// The whole rota was called and nobody answered; it begins again.
    PageUnanswered,
    Moved,
    CauseChanged,
    Growing,
    Word,
    /// Nothing was said for too long.
    Nag,
    AgreementWanted,
    Script,
    /// An agreed script was replaced or withdrawn: whoever acknowledged the old one has to hear of it.
    ScriptChanged,
    FixReleased,
    PromiseMissed,
    PromiseMet,
    Reopened,
    HandedOver,
    Promoted,
    Demoted,
    Merged,
    SplitOff,
    ReviewDue,
    Closed,
    Followed,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 24] = [
        Self::Declared,
        Self::Isolated,
        Self::Page,
        Self::PageUnanswered,
        Self::Moved,
        Self::CauseChanged,
        Self::Growing,
        Self::Word,
        Self::Nag,
        Self::AgreementWanted,
        Self::Script,
        Self::ScriptChanged,
        Self::FixReleased,
        Self::PromiseMissed,
        Self::PromiseMet,
        Self::Reopened,
        Self::HandedOver,
        Self::Promoted,
        Self::Demoted,
        Self::Merged,
        Self::SplitOff,
        Self::ReviewDue,
        Self::Closed,
        Self::Followed,
    ];

    /// The name, as in messages and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Isolated => "isolated",
            Self::Page => "page",
            Self::PageUnanswered => "page_unanswered",
            Self::Moved => "moved",
            Self::CauseChanged => "cause_changed",
            Self::Growing => "growing",
            Self::Word => "word",
            Self::Nag => "nag",
            Self::AgreementWanted => "agreement_wanted",
            Self::Script => "script",
            Self::ScriptChanged => "script_changed",
            Self::FixReleased => "fix_released",
            Self::PromiseMissed => "promise_missed",
            Self::PromiseMet => "promise_met",
            Self::Reopened => "reopened",
            Self::HandedOver => "handed_over",
            Self::Promoted => "promoted",
            Self::Demoted => "demoted",
            Self::Merged => "merged",
            Self::SplitOff => "split_off",
            Self::ReviewDue => "review_due",
            Self::Closed => "closed",
            Self::Followed => "followed",
        }
    }
}

/// Something that has to be said. What it says is in the event; `key` is the same however often it is made from the record.
#[derive(Clone, PartialEq, Debug)]
pub struct Notice {
    pub key: String,
    pub kind: NoticeKind,
    pub audience: Audience,
}

impl Incident {
    /// What has to be said because of `event`, the incident's `version`th. `self` is the incident after it.
    pub fn notices(&self, event: &IncidentEvent) -> Vec<Notice> {
        let told = self.audiences(&event.action);
        let notice = |(place, (kind, audience)): (usize, (NoticeKind, Audience))| Notice {
            key: format!("{}/{}/{}/{place}", self.id(), self.version, kind.as_str()),
            kind,
            audience,
        };
        told.into_iter().enumerate().map(notice).collect()
    }

    #[expect(clippy::too_many_lines, reason = "a flat match: one arm for each event")]
    fn audiences(&self, action: &Action) -> Vec<(NoticeKind, Audience)> {
        use NoticeKind as Kind;
        let lone = self.scope == Scope::Isolated;
        // Whoever an isolated incident concerns sits at the support desk.
        let staff = |kind| vec![(kind, if lone { Audience::SupportQueue } else { Audience::Staff })];
        let lead = |kind, role| match self.muster.holder(role) {
            Some(holder) => vec![(kind, Audience::People(vec![holder.to_owned()]))],
            None => staff(kind),
        };
        match action {
            Action::Opened(opening) if opening.follows.is_some() && opening.devices.is_empty() => Vec::new(),
            Action::Opened(_) if lone => vec![(Kind::Isolated, Audience::SupportQueue)],
            Action::Opened(_) => staff(Kind::Declared),
            Action::Joined { .. } => staff(Kind::Growing),
            Action::CauseChanged { .. } => staff(Kind::CauseChanged),
            Action::Moved { to: State::Mustered | State::PendingPermanentFix | State::Resolved, .. } => {
                staff(Kind::Moved)
            }
            Action::Paged { people, exhausted, .. } => {
                let mut told = vec![(Kind::Page, Audience::People(people.clone()))];
                if *exhausted {
                    told.extend(staff(Kind::PageUnanswered));
                }
                told
            }
            Action::HandedOver { to, .. } => {
                let mut told = vec![(Kind::HandedOver, Audience::People(vec![to.clone()]))];
                told.extend(staff(Kind::HandedOver));
                told
            }
            Action::Noted { told: true, .. } => staff(Kind::Word),
            Action::Nagged { .. } => lead(Kind::Nag, Role::Commander),
            Action::CountermeasureRegistered(_) => lead(Kind::AgreementWanted, Role::DevelopmentLead),
            Action::CountermeasureAgreed { version } => {
                let script = |kind| vec![(kind, Audience::SupportQueue)];
                match (self.has_script(*version), self.had_script_before(*version)) {
                    (_, true) => script(Kind::ScriptChanged),
                    (true, false) => script(Kind::Script),
                    (false, false) => Vec::new(),
                }
            }
            Action::FixReleased { .. } => {
                let mut told = staff(Kind::FixReleased);
                if !lone {
                    told.push((Kind::FixReleased, Audience::SupportQueue));
                }
                told
            }
            Action::PromiseForecast { missed, .. } => {
                staff(if *missed { Kind::PromiseMissed } else { Kind::PromiseMet })
            }
            Action::Reopened { .. } => staff(Kind::Reopened),
            Action::Promoted { .. } => staff(Kind::Promoted),
            Action::Demoted { .. } => staff(Kind::Demoted),
            Action::Merged { .. } => staff(Kind::Merged),
            Action::SplitOff { .. } => staff(Kind::SplitOff),
            Action::ReviewNagged { .. } => lead(Kind::ReviewDue, Role::Commander),
            Action::Closed { .. } => staff(Kind::Closed),
            Action::Followed { .. } => staff(Kind::Followed),
            Action::Attached { .. }
            | Action::Relapsed { .. }
            | Action::Moved { .. }
            | Action::Timed { .. }
            | Action::Acknowledged { .. }
            | Action::Present { .. }
            | Action::Noted { .. }
            | Action::ScriptAcknowledged { .. }
            | Action::Called { .. }
            | Action::Claimed { .. }
            | Action::Proved { .. }
            | Action::Disproved { .. }
            | Action::WorkaroundSeen { .. }
            | Action::Excepted { .. }
            | Action::ExceptionLifted { .. }
            | Action::Absorbed { .. }
            | Action::ReviewFiled { .. } => Vec::new(),
        }
    }

    fn has_script(&self, version: u32) -> bool {
        let mut of = self.countermeasures.versions().iter().map(|standing| &standing.countermeasure);
        of.any(|countermeasure| countermeasure.version == version && countermeasure.workaround.is_some())
    }

    /// Whether support has worked by a script until `version` was agreed: a new one, or none at all, is another then.
    fn had_script_before(&self, version: u32) -> bool {
        let versions = self.countermeasures.versions().iter().rev();
        let mut agreed = versions.filter(|standing| standing.agreed.is_some()).map(|standing| &standing.countermeasure);
        agreed.find(|countermeasure| countermeasure.version < version).is_some_and(|one| one.workaround.is_some())
    }
}
