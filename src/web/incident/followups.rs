//! What is still owed to customers and devices, and what stands between an incident and its end.

use maud::{Markup, html};

use crate::engine::device::DeviceId;
use crate::incident::Act;
use crate::incident::closure::Obstacles;
use crate::incident::ladder::{Claim, Stamp};
use crate::incident::{Incident, LifeSettings, Rung, State, Step};
use crate::record::access::Action;
use crate::web::ui::parts::{Tone, badge};
use crate::web::ui::view::View;

/// Most devices that are listed of one kind; their counts are whole.
const NAMED: usize = 12;

/// Follow-ups, debts, words and exceptions.
pub(in crate::web) fn section(view: &View<'_>, incident: &Incident, settings: &LifeSettings, path: &str) -> Markup {
    let text = view.lang.incident();
    let sees = |device: &DeviceId| incident.ladder.contains(device) && view.sees(device);
    let mut follow_ups = incident.follow_ups(settings.claim_min, view.now);
    follow_ups.retain(|(device, ..)| sees(device));
    let mut debts: Vec<_> = incident.debts().filter(|(device, _)| sees(device)).collect();
    debts.sort_by_key(|(_, since)| *since);
    let words: Vec<_> = incident.ladder.iter().filter(|(device, rung)| rung.owes_word() && sees(device)).collect();
    let waiting = |rung: &Rung| rung.call_back_since.filter(|_| !rung.is_settled());
    let mut waiting: Vec<_> =
        incident.ladder.iter().filter_map(|(device, rung)| Some((device, waiting(rung)?))).collect();
    waiting.retain(|(device, _)| sees(device));
    waiting.sort_by_key(|(_, since)| *since);
    let exceptions: Vec<_> = incident
        .ladder
        .iter()
        .filter_map(|(device, rung)| Some((device, rung.exception.as_ref()?)))
        .filter(|(device, _)| sees(device))
        .collect();
    let nothing =
        follow_ups.is_empty() && debts.is_empty() && words.is_empty() && waiting.is_empty() && exceptions.is_empty();
    html! {
        section id=(format!("owed-{}", incident.number())) data-live="" {
            h2 { (text.owed) }
            @if nothing { p { (text.owed_none) } }
            (list(view, text.follow_ups, text.follow_ups_note, follow_ups.len(), follow_ups.iter().map(|(device, claim, stamp)| {
                (*device, html! { ((text.claim)(*claim)) ", " ((text.claimed_by)(&stamp.by)) " " (ago(view, stamp)) })
            })))
            (list(view, text.debts, text.debts_note, debts.len(), debts.iter().map(|(device, since)| {
                (*device, html! { (text.since) " " (view.date_when(*since)) })
            })))
            (list(view, text.call_backs, "", waiting.len(), waiting.iter().map(|(device, since)| {
                (*device, html! { (text.since) " " (view.date_when(*since)) })
            })))
            (list(view, text.words_owed, "", words.len(), words.iter().map(|(device, rung)| {
                (*device, html! { @if let Some(progress) = rung.progress { ((text.progress)(progress)) } })
            })))
            (list(view, text.exceptions, "", exceptions.len(), exceptions.iter().map(|(device, exception)| {
                (*device, html! {
                    ((text.exception)(exception.kind)) ": " (exception.evidence) " "
                    span.note { (text.signed_by) " " (exception.signed_by) ", " (view.date_time(exception.at)) }
                    @if incident.is_open() && view.may_do(Act::Lift) {
                        " " a.screen href=(view.link(&format!("{path}/do/lift"), &format!("device={device}"))) {
                            ((view.lang.act().act)(Act::Lift)) }
                    }
                })
            })))
        }
    }
}

fn ago(view: &View<'_>, stamp: &Stamp) -> Markup {
    html! { span.note { (view.date_when(stamp.at)) } }
}

/// Devices with a word each.
fn list<'a>(
    view: &View<'_>,
    title: &str,
    note: &str,
    count: usize,
    devices: impl Iterator<Item = (&'a DeviceId, Markup)>,
) -> Markup {
    let page = if view.may(Action::Work) { "/support?q=" } else { "/devices/" };
    let link = |device: &DeviceId| match page.strip_suffix("?q=") {
        Some(support) => view.link(support, &format!("q={device}")),
        None => view.link(&format!("{page}{device}"), ""),
    };
    html! {
        @if count > 0 {
            h3 { (title) " (" (count) ")" @if !note.is_empty() { " " span.note { (note) } } }
            ul.owed {
                @for (device, word) in devices.take(NAMED) { li { a href=(link(device)) { (device) } " " (word) } }
                @if count > NAMED { li.note { ((view.lang.incident().and_more)(count - NAMED)) } }
            }
        }
    }
}

/// What is to be done for a device. Queue and the device's own page both ask here, so that neither sends somebody to the phone whom
/// the other tells that there is nothing to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::web) enum Need {
    /// Done, and the customer wanted to hear of it.
    Tell,
    Done,
    Signed,
    /// The fix is on and the workaround, too.
    Revert,
    /// The customer is to be called again.
    CallBack,
    /// The fix is on, and its quality is watched.
    Quiet,
    /// The fix can be had.
    Fix,
    /// The workaround is on.
    Hold,
    /// Somebody said that the workaround is on, and the device does not.
    Verify,
    /// The workaround can be talked through.
    Script,
    /// There is no remedy yet.
    Wait,
}

impl Need {
    pub(in crate::web) fn of(incident: &Incident, rung: &Rung) -> Self {
        let workaround = incident.countermeasures.workaround().is_some();
        match rung.step() {
            _ if rung.owes_word() => Self::Tell,
            Step::Done => Self::Done,
            _ if rung.exception.is_some() => Self::Signed,
            _ if rung.debt_since().is_some() => Self::Revert,
            _ if rung.call_back_since.is_some() => Self::CallBack,
            Step::FixInstalled | Step::WorkaroundReverted | Step::QualityVerified => Self::Quiet,
            _ if incident.released.is_some() => Self::Fix,
            Step::WorkaroundVerified => Self::Hold,
            Step::WorkaroundClaimed if workaround => Self::Verify,
            _ if workaround => Self::Script,
            _ => Self::Wait,
        }
    }
}

/// Why somebody should call the customer of this device now; `None` when nobody has to.
pub(in crate::web) fn why_call(
    view: &View<'_>,
    incident: &Incident,
    rung: &Rung,
    settings: &LifeSettings,
) -> Option<&'static str> {
    let text = view.lang.incident();
    let old =
        |stamp: &Stamp| view.now.since_ms(stamp.at) >= i64::from(settings.claim_min) * crate::engine::time::MINUTE_MS;
    let unproved = || Claim::ALL.into_iter().filter_map(|claim| rung.only_claims(claim)).any(old);
    match Need::of(incident, rung) {
        Need::Tell => Some(text.words_owed),
        Need::Revert => Some(text.debts),
        Need::CallBack => Some(text.call_backs),
        Need::Fix | Need::Verify if unproved() => Some(text.follow_ups),
        Need::Fix | Need::Script if rung.contacted.is_none() => Some(view.lang.support().to_call),
        Need::Script if unproved() => Some(text.follow_ups),
        Need::Done | Need::Signed | Need::Quiet | Need::Hold | Need::Wait => None,
        Need::Fix | Need::Verify | Need::Script => None,
    }
}

/// What stands between the incident and its end, as computed.
pub(in crate::web) fn obstacles(view: &View<'_>, incident: &Incident, obstacles: &Obstacles) -> Markup {
    let text = view.lang.incident();
    html! {
        @if obstacles.is_empty() { p { (badge(Tone::Good, text.obstacles_none)) } }
        @else {
            p.note { (text.obstacles_note) }
            ul.obstacles {
                @if obstacles.unseen { li { (badge(Tone::Unknown, text.obstacle_unseen)) } }
                @if obstacles.open > 0 { li {
                    (badge(Tone::Bad, &(text.obstacle_open)(obstacles.open))) " "
                    span.note { (named(view, obstacles.open_devices.iter().map(|(device, _)| device), obstacles.open)) }
                } }
                @if obstacles.degraded > 0 { li {
                    (badge(Tone::Bad, &(text.obstacle_degraded)(obstacles.degraded))) " "
                    span.note { (named(view, obstacles.degraded_devices.iter(), obstacles.degraded)) }
                } }
                @if obstacles.unknown > 0 { li {
                    (badge(Tone::Unknown, &(text.obstacle_unknown)(obstacles.unknown))) " "
                    span.note { (named(view, obstacles.unknown_devices.iter(), obstacles.unknown)) }
                } }
                @if obstacles.unquiet > 0 { li { (badge(Tone::Warn, &(text.obstacle_unquiet)(obstacles.unquiet))) } }
            }
        }
        @if matches!(incident.state, State::Resolved) { p { (badge(Tone::Warn, text.obstacle_review)) } }
    }
}

/// A few of the devices, and how many more there are.
fn named<'a>(view: &View<'_>, devices: impl Iterator<Item = &'a DeviceId>, count: u32) -> Markup {
    let shown: Vec<&DeviceId> = devices.take(8).collect();
    let more = (count as usize).saturating_sub(shown.len());
    html! {
        @for (index, device) in shown.iter().enumerate() {
            @if index > 0 { ", " } a href=(view.link(&format!("/devices/{device}"), "")) { (device) }
        }
        @if more > 0 { " " ((view.lang.incident().and_more)(more)) }
    }
}
