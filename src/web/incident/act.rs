//! What is particular to each thing that people do with a form of its own: where it is offered, its form's controls, and how the filled
//! form is read. A new one begins here, with its command in [`crate::incident::command`].

use maud::{Markup, html};

use super::controls::{Subject, choices, countermeasure, devices, other, others, seat};
use super::parse::{Reader, Request, named};
use crate::engine::effect::Scope;
use crate::incident::ladder::Claim;
use crate::incident::{Act, Command, ExceptionKind, Incident, Milestone};
use crate::record::incidents::Reshape;
use crate::record::review;
use crate::web::ui::fields::{Fault, Fields};
use crate::web::ui::form::Form;
use crate::web::ui::view::View;
use crate::words::{Both, say};

const UNFINISHED: Both<&str> = say(
    "Something is still to be written: look for what is marked so.",
    "まだ記入していない箇所があります。「記入してください」の箇所を書いてください。",
);

/// Acts that an incident's page offers to everybody who may.
pub(super) const COMMON: [Act; 4] = [Act::Note, Act::Claim, Act::SignOff, Act::Close];
/// Acts that change what the incident is, and cannot be taken back: they stand apart.
pub(super) const GRAVE: [Act; 5] = [Act::CorrectTime, Act::Promote, Act::Merge, Act::Split, Act::Demote];

/// Those of `acts` that make sense now and that the reader may do.
pub(super) fn offered(view: &View<'_>, incident: &Incident, acts: &[Act]) -> Vec<Act> {
    let possible = |act: Act| match act {
        Act::Promote => incident.scope == Scope::Isolated,
        Act::Close => !incident.state.is_active(),
        _ => true,
    };
    let may = |act: &Act| incident.is_open() && possible(*act) && view.may_do(*act);
    acts.iter().copied().filter(may).collect()
}

/// The controls of an act's form.
pub(super) fn controls(form: &Form<'_>, subject: &Subject<'_>) -> Markup {
    let view = form.view;
    let text = view.lang.act();
    let words = view.lang.incident();
    let reason = || form.area("reason", text.reason, "", 3, true);
    match subject.act {
        Act::Acknowledge => seat(form, subject),
        Act::HandOver => html! { (seat(form, subject)) (form.line("to", text.to, "", true)) (reason()) },
        Act::Note => html! {
            (form.radios("tell", text.tell, &[("yes", text.tell_yes), ("no", text.tell_no)]))
            (form.area("text", text.text, "", 5, true))
        },
        Act::CorrectTime => {
            let movable = Milestone::ALL.into_iter().filter(|milestone| {
                *milestone > Milestone::Declared
                    && subject.incident.is_some_and(|incident| incident.milestones.get(*milestone).is_some())
            });
            let pairs = choices(view, movable, |m| (m.as_str().to_owned(), (words.milestone)(m).to_owned()));
            html! {
                (form.select("milestone", text.milestone, &pairs))
                (form.line("instant", text.instant, text.instant_hint, true)) (reason())
            }
        }
        Act::Countermeasure => countermeasure(form),
        Act::Agree | Act::Script => form.line("version", text.version, "", true),
        Act::Claim => {
            let pairs = choices(view, Claim::ALL, |c| (c.as_str().to_owned(), (words.claim)(c).to_owned()));
            html! { (devices(form, subject)) (form.select("claim", text.claim, &pairs)) }
        }
        Act::SignOff => {
            let pairs = choices(view, ExceptionKind::ALL, |k| (k.as_str().to_owned(), (words.exception)(k).to_owned()));
            html! {
                (form.line("device", text.device, "", true)) (form.select("kind", text.kind, &pairs))
                (form.area("reason", text.evidence, text.evidence_hint, 3, true))
            }
        }
        Act::Lift => html! { (form.line("device", text.device, "", true)) (reason()) },
        Act::Merge => {
            let pairs = choices(view, others(subject), |c| (c.number().to_owned(), other(view, c)));
            html! { (form.select("into", text.into, &pairs)) (reason()) }
        }
        Act::Split => html! { (devices(form, subject)) (reason()) },
        Act::Promote | Act::Demote | Act::Declare => reason(),
        Act::Review => form.area("text", text.text, "", 20, true),
        Act::Join | Act::ReleaseFix | Act::Close => html! {},
    }
}

impl Reader<'_> {
    /// What the filled form requests. `incident` is the incident of the form, where there is one.
    ///
    /// # Errors
    /// Everything that cannot be read, each with its field.
    pub(in crate::web) fn read(
        &self,
        act: Act,
        id: &str,
        fields: &Fields,
        incident: Option<&Incident>,
    ) -> Result<Request, Vec<Fault>> {
        let text = |name: &str| fields.get(name).to_owned();
        let reason = || text("reason");
        let reshape = |reshape| Ok(Request::Reshape { reshape, reason: reason() });
        let command = match act {
            Act::Acknowledge => Command::Acknowledge { seat: self.seat(fields)? },
            Act::Join => Command::Join,
            Act::HandOver => Command::HandOver { seat: self.seat(fields)?, to: text("to"), reason: reason() },
            Act::Note => Command::Note { text: text("text"), tell: fields.get("tell") == "yes" },
            Act::CorrectTime => {
                let milestone = self.choice("milestone", Milestone::from_name(fields.get("milestone")))?;
                Command::CorrectTime { milestone, instant: self.instant(fields)?, reason: reason() }
            }
            Act::Countermeasure => self.countermeasure(fields)?,
            Act::Agree => Command::AgreeCountermeasure { version: self.version(fields)? },
            Act::Script => Command::AcknowledgeScript { version: self.version(fields)? },
            Act::ReleaseFix => Command::ReleaseFix,
            Act::Claim => Command::Claim {
                devices: self.devices(fields, incident)?,
                claim: self.choice("claim", named(Claim::ALL, fields.get("claim"), Claim::as_str))?,
            },
            Act::SignOff => Command::SignOff {
                device: self.device(fields)?,
                kind: self.choice("kind", named(ExceptionKind::ALL, fields.get("kind"), ExceptionKind::as_str))?,
                evidence: reason(),
            },
            Act::Lift => Command::LiftException { device: self.device(fields)?, reason: reason() },
            Act::Promote => Command::Promote { reason: reason() },
            Act::Demote => Command::Demote { reason: reason() },
            Act::Review if review::is_unfinished(&text("text")) => {
                return Err(vec![Fault::new("text", UNFINISHED.pick(self.lang))]);
            }
            Act::Review => Command::FileReview { text: text("text") },
            Act::Close => Command::Close,
            Act::Merge if text("into").is_empty() => return Err(vec![Fault::new("into", self.text().wrong_choice)]),
            Act::Merge => return reshape(Reshape::Merge { from: id.to_owned(), into: text("into") }),
            Act::Split => {
                return reshape(Reshape::Split { from: id.to_owned(), devices: self.devices(fields, incident)? });
            }
            Act::Declare => return reshape(Reshape::Declare { event_id: id.to_owned() }),
        };
        Ok(Request::Command(command))
    }
}
