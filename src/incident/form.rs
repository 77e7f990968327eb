//! The texts of a wish, as they are kept: names in their one form, sentences without what hides in them.
//!
//! What people call a workaround or an update is compared with what devices say of themselves, and a name in the record with
//! names on the rota. So a wish is formed before anything follows from it, whichever way it came.

use super::command::Command;
use super::countermeasure::{Fix, WorkaroundPlan};
use super::muster::Seat;
use crate::engine::label::{form, visible};

fn formed(name: &mut String) {
    if let std::borrow::Cow::Owned(form) = form(name) {
        *name = form;
    }
}

fn readable(text: &mut String) {
    if let std::borrow::Cow::Owned(visible) = visible(text) {
        *text = visible;
    }
}

impl Seat {
    /// The seat with its branch in its one form.
    pub fn formed(mut self) -> Self {
        self.branch.iter_mut().for_each(formed);
        self
    }
}

impl Command {
    /// The wish with its texts as they are kept.
    pub(super) fn formed(mut self) -> Self {
        match &mut self {
            Self::Acknowledge { seat } => seat.branch.iter_mut().for_each(formed),
            Self::HandOver { seat, to, reason } => {
                seat.branch.iter_mut().for_each(formed);
                formed(to);
                readable(reason);
            }
            Self::RegisterCountermeasure { workaround, fix, .. } => {
                if let Some(WorkaroundPlan { id, script }) = workaround {
                    formed(id);
                    [&mut script.ja, &mut script.en].into_iter().for_each(readable);
                }
                match fix {
                    Some(Fix::Update(name) | Fix::Elsewhere(name)) => formed(name),
                    Some(Fix::Package { name, version }) => [name, version].into_iter().for_each(formed),
                    None => {}
                }
            }
            Self::RecordCall { call, .. } => readable(&mut call.note),
            Self::Note { text, .. }
            | Self::FileReview { text }
            | Self::SignOff { evidence: text, .. }
            | Self::CorrectTime { reason: text, .. }
            | Self::LiftException { reason: text, .. }
            | Self::Promote { reason: text }
            | Self::Demote { reason: text } => readable(text),
            Self::Join
            | Self::AgreeCountermeasure { .. }
            | Self::AcknowledgeScript { .. }
            | Self::ReleaseFix
            | Self::Claim { .. }
            | Self::Close => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::countermeasure::Script;
    use super::*;

    #[test]
    fn names_take_their_form_and_sentences_keep_theirs() {
        let script = Script { ja: "Ｂ を開き\u{202e}ます。\r\n次へ".into(), en: String::new() };
        let wish = Command::RegisterCountermeasure {
            workaround: Some(WorkaroundPlan { id: " ＷＡ－１\u{200b}".into(), script }),
            fix: Some(Fix::Package { name: "engine ".into(), version: "４.2".into() }),
            fix_due_at: None,
        };
        let Command::RegisterCountermeasure { workaround: Some(plan), fix, .. } = wish.formed() else { panic!() };
        assert_eq!((&*plan.id, &*plan.script.ja), ("WA-1", "Ｂ を開きます。\n次へ"));
        assert_eq!(fix, Some(Fix::Package { name: "engine".into(), version: "4.2".into() }));
        let seat = Seat::try_from("support_lead@札幌 ".to_owned()).unwrap();
        assert_eq!(seat.formed().branch.as_deref(), Some("札幌"));
    }
}
