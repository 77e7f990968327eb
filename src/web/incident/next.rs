//! The one next thing to do about an incident for whoever looks.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::engine::time::{MINUTE_MS, Timestamp};
use crate::incident::Act;
use crate::incident::ladder::Step;
use crate::incident::{Incident, LifeSettings, Seat, State};
use crate::record::access::{Action, Principal};
use crate::web::ui::view::View;
use crate::words::{Lang, names, phrase};

/// What is to be done, with what makes it concrete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::web) enum Next {
    /// The reader was called for this role and has not answered.
    Answer(Seat),
    /// Nobody answers for this role.
    Take(Seat),
    /// No countermeasure is registered.
    Propose,
    /// This version waits for somebody else's agreement.
    Agree(u32),
    /// The fix that was agreed is not released.
    Release(String),
    /// Claims of so many devices are not verified for too long.
    FollowUp(usize),
    /// So many customers have not been reached.
    Call(usize),
    /// The staff have heard nothing for so many minutes.
    Tell(u32),
    Review,
    Close,
}

impl Next {
    /// What comes first for `who` at `now`; `None` when nothing is theirs to do.
    pub(in crate::web) fn of(
        incident: &Incident,
        who: &Principal,
        settings: &LifeSettings,
        now: Timestamp,
    ) -> Option<Self> {
        if !incident.is_open() {
            return None;
        }
        let (part, lead) = (who.may(Action::TakePart), who.may(Action::Lead));
        let own = || part.then(|| called(incident, who)).flatten();
        let take = |may: bool| may.then(|| vacant(incident)).flatten();
        let remedy = || who.may(Action::Countermeasure).then(|| remedy(incident, who)).flatten();
        let devices = || who.may(Action::Work).then(|| devices(incident, settings, now)).flatten();
        // Whoever leads sees to people and words first, and everybody else to the work.
        own()
            .or_else(|| take(lead))
            .or_else(|| lead.then(|| silence(incident, settings, now)).flatten())
            .or_else(remedy)
            .or_else(|| (lead && incident.state == State::Resolved).then_some(Self::Review))
            .or_else(|| (lead && incident.state == State::Reviewed).then_some(Self::Close))
            .or_else(devices)
            .or_else(|| take(part))
    }

    /// Where it is done: a page, and the place on it.
    fn address(&self, view: &View<'_>, incident: &Incident) -> String {
        let path = crate::web::incident::parts::path_of(incident);
        let act = |act: Act| view.link(&format!("{path}/do/{}", act.as_str()), "");
        let part = |id: &str| format!("#{id}");
        match self {
            Self::Answer(_) | Self::Take(_) => part("people"),
            Self::Propose => act(Act::Countermeasure),
            Self::Agree(_) | Self::Release(_) => part("remedy"),
            Self::FollowUp(_) => part(&format!("owed-{}", incident.number())),
            Self::Call(_) => view.link("/support", ""),
            Self::Tell(_) => act(Act::Note),
            Self::Review => view.link(&format!("{path}/review"), ""),
            Self::Close => act(Act::Close),
        }
    }
}

phrase! {
    fn words(lang: Lang, next: &Next) -> String match next {
        Next::Answer(seat) =>
            "You were called as {seat}: acknowledge",
            "{seat}として招集されています。応答してください",
            seat = names::seat(lang, seat);
        Next::Take(seat) =>
            "No {seat} yet: take the role",
            "{seat}が決まっていません。担当してください",
            seat = names::seat(lang, seat);
        Next::Propose => "Register a countermeasure", "対策を登録する";
        Next::Agree(version) =>
            "Decide on version {version} of the countermeasure", "対策 第{version}版に合意するか判断する";
        Next::Release(fix) => "Release the fix {fix}", "恒久対策 {fix} の提供を開始する";
        Next::FollowUp(count) =>
            "Call again about {count} devices (claimed, not verified)", "申告のみで未確認の {count}台に再度連絡する";
        Next::Call(count) => "Call the customers of {count} devices", "未連絡の {count}台の顧客に電話する";
        Next::Tell(minutes) =>
            "Tell the staff: no update for {minutes} min", "続報を出す（最後の連絡から {minutes}分）";
        Next::Review => "File the review", "振り返りを提出する";
        Next::Close => "Close the incident", "終結する";
    }
}

/// The role that the reader was called for and has not answered.
fn called(incident: &Incident, who: &Principal) -> Option<Next> {
    let own = incident.muster.posts.iter().find(|(_, post)| {
        post.paged.contains(&who.name) && !post.acknowledged.contains_key(&who.name) && post.holder.is_none()
    });
    own.map(|(seat, _)| Next::Answer(seat.clone()))
}

/// A role that somebody was called for and nobody answers for.
fn vacant(incident: &Incident) -> Option<Next> {
    crate::web::incident::people::wanted(incident).first().map(|(seat, _)| Next::Take((*seat).clone()))
}

fn remedy(incident: &Incident, who: &Principal) -> Option<Next> {
    let Some(newest) = incident.countermeasures.newest() else { return Some(Next::Propose) };
    if newest.agreed.is_none() && newest.registered_by != who.name {
        return Some(Next::Agree(newest.countermeasure.version));
    }
    let fix = incident.countermeasures.fix().filter(|_| incident.released_fix().is_none());
    fix.map(|fix| Next::Release(fix.name()))
}

/// Whom to call: first those whose claims nothing verifies, then those whom nobody has reached. Without an agreed workaround there is
/// nothing to say to them.
fn devices(incident: &Incident, settings: &LifeSettings, now: Timestamp) -> Option<Next> {
    let unverified: BTreeSet<_> =
        incident.follow_ups(settings.claim_min, now).into_iter().map(|(device, ..)| device).collect();
    if !unverified.is_empty() {
        return Some(Next::FollowUp(unverified.len()));
    }
    incident.countermeasures.workaround()?;
    let unreached = incident.open_devices().filter(|(_, rung)| rung.step() == Step::Affected).count();
    (unreached > 0).then_some(Next::Call(unreached))
}

fn silence(incident: &Incident, settings: &LifeSettings, now: Timestamp) -> Option<Next> {
    let minutes = u32::try_from(now.since_ms(incident.told_at) / MINUTE_MS).unwrap_or(0);
    let is_late = settings.nag_min > 0 && incident.state.is_active() && minutes >= settings.nag_min;
    is_late.then_some(Next::Tell(minutes))
}

/// The next thing as a link, for who may do it.
pub(in crate::web) fn line(view: &View<'_>, incident: &Incident, settings: &LifeSettings) -> Markup {
    let next = view.principal.and_then(|who| Next::of(incident, who, settings, view.now));
    html! {
        @if let Some(next) = next {
            p.next.screen { span.note { (view.lang.incident().next) ": " }
                a.button href=(next.address(view, incident)) { (words(view.lang, &next)) } }
        }
    }
}
