//! Who has to be told what because of an event: the pure half of every message. The shell finds the words and the way.

use super::aggregate::Incident;
use super::event::{Action, IncidentEvent};
use super::notice::{Announcement, Audience, Notice, NoticeKind};
use crate::engine::effect::Scope;

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

    fn audiences(&self, action: &Action) -> Vec<(NoticeKind, Audience)> {
        let lone = self.scope == Scope::Isolated;
        // Whoever an isolated incident concerns sits at the support desk.
        let staff = |kind| vec![(kind, if lone { Audience::SupportQueue } else { Audience::Staff })];
        match action.announcement() {
            Announcement::Nothing => Vec::new(),
            Announcement::Opening { follows: true, devices: 0 } => Vec::new(),
            Announcement::Opening { .. } if lone => vec![(NoticeKind::Isolated, Audience::SupportQueue)],
            Announcement::Opening { .. } => staff(NoticeKind::Declared),
            Announcement::Staff(kind) => staff(kind),
            Announcement::Lead(kind, role) => match self.muster.holder(role) {
                Some(holder) => vec![(kind, Audience::People(vec![holder.to_owned()]))],
                None => staff(kind),
            },
            Announcement::Page { people, exhausted } => {
                let mut told = vec![(NoticeKind::Page, Audience::People(people.to_vec()))];
                if exhausted {
                    told.extend(staff(NoticeKind::PageUnanswered));
                }
                told
            }
            Announcement::HandedOver { to } => {
                let mut told = vec![(NoticeKind::HandedOver, Audience::People(vec![to.to_owned()]))];
                told.extend(staff(NoticeKind::HandedOver));
                told
            }
            Announcement::Agreed { version } => {
                let script = |kind| vec![(kind, Audience::SupportQueue)];
                match (self.has_script(version), self.had_script_before(version)) {
                    (_, true) => script(NoticeKind::ScriptChanged),
                    (true, false) => script(NoticeKind::Script),
                    (false, false) => Vec::new(),
                }
            }
            Announcement::FixReleased => {
                let mut told = staff(NoticeKind::FixReleased);
                if !lone {
                    told.push((NoticeKind::FixReleased, Audience::SupportQueue));
                }
                told
            }
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
