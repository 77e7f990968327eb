//! The support desk: is this customer affected, what is to be done and said, and what came of the call.

use maud::{Markup, html};

use super::contact;
use crate::engine::device::DeviceId;
use crate::engine::effect::{Scope, Verdict};
use crate::engine::snapshot::DeviceView;
use crate::engine::time::Timestamp;
use crate::incident::Act;
use crate::incident::ladder::{Call, CallOutcome, Claim, Direction, Progress};
use crate::incident::{Incident, Rung, Step};
use crate::record::access::Action;
use crate::record::incident::ContactEntry;
use crate::record::incidents::OpenIncidents;
use crate::web::incident::countermeasure;
use crate::web::incident::followups::{self, Need};
use crate::web::incident::ladder::step_badge;
use crate::web::ui::fields::{Fault, Fields};
use crate::web::ui::form::{Form, tap};
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::parts::{self, Tone, badge, banner};
use crate::web::ui::view::View;
use crate::words::{Both, say};

/// Seconds after which the page of a device that is being watched reloads where it cannot be kept live.
const WATCH_S: u32 = 2;

/// Most devices in the queue of one incident.
const QUEUE: usize = 50;

const OTHER_CALLS: Both<&str> = say("Calls about this customer's other devices", "同じ顧客の他の装置についての通話");

/// A device that may be the one that was asked for.
pub(in crate::web) struct Candidate {
    pub(in crate::web) device: DeviceId,
    pub(in crate::web) customer: Option<String>,
    pub(in crate::web) branch: Option<String>,
}

/// What a look-up has found.
pub(in crate::web) enum Found<'a> {
    /// Nothing was asked.
    Unasked,
    Nobody,
    /// Several match; whether there are more than these.
    Several(Vec<Candidate>, bool),
    One(Box<Looked<'a>>),
}

/// One device, with what the person may know of it.
pub(in crate::web) struct Looked<'a> {
    pub(in crate::web) device: DeviceId,
    pub(in crate::web) branch: Option<String>,
    pub(in crate::web) customer: Option<String>,
    pub(in crate::web) seen: Option<&'a DeviceView>,
    /// `None`: nobody is on file, or the person may not see it.
    pub(in crate::web) contact: Option<ContactEntry>,
    /// Calls about it and its customer's other devices in open incidents, the first first.
    pub(in crate::web) calls: Vec<Past>,
}

/// A call that was recorded.
pub(in crate::web) struct Past {
    pub(in crate::web) incident: String,
    pub(in crate::web) device: DeviceId,
    pub(in crate::web) at: Timestamp,
    pub(in crate::web) by: String,
    pub(in crate::web) call: Call,
}

/// What the page is asked for.
pub(in crate::web) struct Desk<'a> {
    pub(in crate::web) q: &'a str,
    /// Without JavaScript, the page reloads so often that a setting is seen to flip.
    pub(in crate::web) watched: bool,
    /// What has just been done: `call` or `claim`.
    pub(in crate::web) done: &'a str,
    pub(in crate::web) board: &'a OpenIncidents,
    pub(in crate::web) found: Found<'a>,
}

/// The page, with what was typed into the form of a call and what was wrong with it.
pub(in crate::web) fn page(view: &View<'_>, desk: &Desk<'_>, fields: &Fields, faults: &[Fault]) -> Markup {
    let text = view.lang.support();
    let body = html! {
        h1 { (text.title) }
        (search(view, desk.q))
        @match desk.done {
            "call" => p role="status" { (badge(Tone::Good, text.call_recorded)) },
            "claim" => p role="status" { (badge(Tone::Good, text.claim_recorded)) },
            _ => {}
        }
        @match &desk.found {
            Found::Unasked => { (scripts(view, desk.board)) (queue(view, desk.board)) }
            Found::Nobody => {
                (banner(Tone::Unknown, "h2", &(text.nothing_found)(desk.q), &html! { p { (text.nothing_found_note) } }))
            }
            Found::Several(candidates, more) => (several(view, desk.board, candidates, *more)),
            Found::One(looked) => (one(view, desk, looked, fields, faults)),
        }
    };
    let refresh = desk.watched.then_some(WATCH_S);
    framed(view, text.title, Place::Support, Fresh::Parts { watch: "*", reload_s: refresh }, &body)
}

fn search(view: &View<'_>, q: &str) -> Markup {
    let text = view.lang.support();
    html! {
        form.search method="get" action="/support" role="search" {
            @if view.lang_chosen { input type="hidden" name="lang" value=(view.lang.code()); }
            label for="q" { (text.search) }
            div { input #q type="search" name="q" value=(q) placeholder=(text.search_hint) maxlength="128" autocomplete="off" autofocus[q.is_empty()];
                button type="submit" { (text.search_button) } }
        }
    }
}

fn several(view: &View<'_>, board: &OpenIncidents, candidates: &[Candidate], more: bool) -> Markup {
    let text = view.lang.support();
    html! {
        h2 { ((text.several)(candidates.len())) }
        ul.owed { @for candidate in candidates { li {
            a href=(view.link("/support", &format!("q={}", candidate.device))) { (candidate.device) } " "
            @if let Some(customer) = &candidate.customer { (parts::name(customer)) " " }
            @if let Some(branch) = &candidate.branch { span.note { (parts::name(branch)) } " " }
            @if board.of_device(&candidate.device).next().is_some() { (badge(Tone::Bad, text.affected)) }
        } } }
        @if more { p.note { (text.several_more) } }
    }
}

/// How the device stands, in one word.
fn standing(view: &View<'_>, board: &OpenIncidents, looked: &Looked<'_>) -> Markup {
    let text = view.lang.support();
    let at = |instant| view.date_relative(instant);
    let open = board
        .of_device(&looked.device)
        .find(|incident| incident.open_devices().any(|(open, _)| *open == looked.device));
    if let Some((incident, rung)) = open.and_then(|incident| Some((incident, incident.ladder.get(&looked.device)?))) {
        let detail = (text.affected_detail)(incident.number(), &at(rung.relapsed_at.unwrap_or(rung.joined_at)));
        return banner(Tone::Bad, "h2", text.affected, &html! { p { (detail) " " (step_badge(view, rung)) } });
    }
    if let Some((incident, rung)) =
        board.of_device(&looked.device).find_map(|incident| Some((incident, incident.ladder.get(&looked.device)?)))
    {
        let since = rung.done_at.or(rung.exception.as_ref().map(|exception| exception.at));
        let detail = (text.settled_detail)(incident.number(), &since.map(at).unwrap_or_default());
        return banner(Tone::Good, "h2", text.settled, &html! { p { (detail) " " (step_badge(view, rung)) } });
    }
    if let Some(refused) = looked.seen.and_then(|seen| seen.refused.as_ref()) {
        let detail = crate::web::device::view::refusals(view, refused);
        return banner(Tone::Unknown, "h2", text.unread, &html! { p { (detail) } p { (text.unread_detail) } });
    }
    match looked.seen.map(|seen| seen.verdict) {
        Some(Verdict::Healthy) => {
            banner(Tone::Good, "h2", text.not_affected, &html! { p { (text.not_affected_detail) } })
        }
        Some(Verdict::Degraded) => banner(Tone::Warn, "h2", text.suspicious, &html! { p { (text.suspicious_detail) } }),
        _ => banner(Tone::Unknown, "h2", text.cannot_say, &html! { p { (text.cannot_say_detail) } }),
    }
}

fn one(view: &View<'_>, desk: &Desk<'_>, looked: &Looked<'_>, fields: &Fields, faults: &[Fault]) -> Markup {
    html! {
        div id="who" data-live="" {
            h2 { a href=(view.link(&format!("/devices/{}", looked.device), "")) { (looked.device) } }
            (who(view, looked))
        }
        div id="state" data-live="" { (standing(view, desk.board, looked)) (setting(view, desk, looked)) }
        @for incident in desk.board.of_device(&looked.device) {
            @if let Some(rung) = incident.ladder.get(&looked.device) {
                (work(view, incident, rung, desk, looked, fields, faults))
            }
        }
        (others(view, looked))
    }
}

fn who(view: &View<'_>, looked: &Looked<'_>) -> Markup {
    let text = view.lang.support();
    let may = view.principal.is_some_and(|who| who.may_on(Action::SeeContacts, &looked.device));
    html! {
        dl.facts {
            dt { (text.customer) } dd { (parts::name_or(looked.customer.as_deref(), "-")) }
            dt { (view.text().branch) } dd { (parts::name_or(looked.branch.as_deref(), view.text().no_branch)) }
            dt { (text.contact) } dd { (contact::line(view, looked.contact.as_ref(), may)) }
        }
    }
}

/// What the device says of its workaround, in large: it is watched while the customer is on the line.
fn setting(view: &View<'_>, desk: &Desk<'_>, looked: &Looked<'_>) -> Markup {
    let text = view.lang.support();
    // The record hears of a status before the next picture of the fleet does.
    let recorded = desk.board.of_device(&looked.device).find_map(|incident| incident.ladder.get(&looked.device));
    let recorded = recorded.filter(|rung| rung.workaround_told).map(|rung| rung.workaround_active);
    let (class, mark, word) = match recorded.or(looked.seen.and_then(|seen| seen.workaround_active)) {
        Some(true) => ("setting on", "\u{25cf}", text.setting_on),
        Some(false) => ("setting off", "\u{25cb}", text.setting_off),
        None => ("setting none", "\u{25c7}", text.setting_unknown),
    };
    let heard = looked.seen.and_then(|seen| seen.last_report_at);
    let (query, link) =
        if desk.watched { (String::new(), text.watch_stop) } else { ("&watch=on".to_owned(), text.watch) };
    html! {
        p class=(class) role="status" {
            span.note { (text.setting) } " " b { span aria-hidden="true" { (mark) } " " (word) }
            @if let Some(at) = heard { " " span.note { (view.text().last_report) " " (view.when(at)) } }
        }
        noscript { p { a href=(view.link("/support", &format!("q={}{query}", looked.device))) { (link) } } }
    }
}

/// What is to be done for this device in this incident.
fn advice(view: &View<'_>, incident: &Incident, rung: &Rung) -> (Tone, String) {
    let text = view.lang.support();
    let (tone, words) = match Need::of(incident, rung) {
        Need::Tell => (Tone::Warn, text.do_tell),
        Need::Done => (Tone::Good, text.do_nothing),
        Need::Signed => (Tone::Good, text.do_signed),
        Need::Revert => (Tone::Bad, text.do_revert),
        Need::CallBack => (Tone::Warn, text.do_call_back),
        Need::Quiet => (Tone::Good, text.do_quiet),
        Need::Fix => return (Tone::Warn, (text.do_fix)(incident.released.as_deref().unwrap_or_default())),
        Need::Hold => (Tone::Warn, text.do_hold),
        Need::Verify => (Tone::Bad, text.do_verify),
        Need::Script => (Tone::Bad, text.do_script),
        Need::Wait => (Tone::Unknown, text.do_wait),
    };
    (tone, words.to_owned())
}

fn work(
    view: &View<'_>,
    incident: &Incident,
    rung: &Rung,
    desk: &Desk<'_>,
    looked: &Looked<'_>,
    fields: &Fields,
    faults: &[Fault],
) -> Markup {
    let text = view.lang.support();
    let path = crate::web::incident::parts::path_of(incident);
    let (tone, words) = advice(view, incident, rung);
    let back = view.link("/support", &format!("q={}", looked.device));
    let id = format!("todo-{}", incident.number());
    let may = view.principal.is_some_and(|who| who.may_on(Action::Work, &looked.device));
    html! {
        section aria-labelledby=(id) {
            div id=(format!("live-{id}")) data-live="" {
                h2 id=(id) { (text.what_to_do) " " a.note href=(view.link(&path, "")) { (incident.number()) } }
                p.advice { span class=(tone.class()) aria-hidden="true" { (tone.mark()) } " " (words) }
                @if rung.debt_since().is_some() {
                    // It says how to switch on what has to be switched off here.
                    details { summary { (view.lang.incident().script) } (script(view, incident, &back)) }
                } @else if rung.step() < Step::FixInstalled { (script(view, incident, &back)) }
            }
            @if may {
                (call(view, incident, rung, desk, looked, fields, faults))
                (claims(view, incident, looked))
            }
            (calls(view, incident, rung, looked, desk.board.settings.unreachable_calls))
        }
    }
}

/// The script that is in force, with a word where it is new to this person.
fn script(view: &View<'_>, incident: &Incident, back: &str) -> Markup {
    let text = view.lang.support();
    let Some(standing) = incident.countermeasures.current() else { return html! {} };
    let Some(plan) = &standing.countermeasure.workaround else { return html! {} };
    let version = standing.countermeasure.version;
    let is_new = view.principal.is_some_and(|who| !standing.acknowledged.contains_key(&who.name));
    html! {
        @if is_new && view.may(Action::TakePart) {
            (banner(Tone::Warn, "h3", &(text.new_script)(version), &html! { p { (text.new_script_note) } }))
        }
        h3 { (view.lang.incident().script) " " (plan.id) ", " ((view.lang.incident().version)(version)) }
        (countermeasure::script(view, &plan.script))
        @if view.may(Action::TakePart) { (countermeasure::acknowledge(view, standing, &crate::web::incident::parts::path_of(incident), back)) }
    }
}

/// One tap records the call; what else there is to say stands above the buttons.
fn call(
    view: &View<'_>,
    incident: &Incident,
    rung: &Rung,
    desk: &Desk<'_>,
    looked: &Looked<'_>,
    fields: &Fields,
    faults: &[Fault],
) -> Markup {
    let text = view.lang.support();
    let words = view.lang.incident();
    // A form that was refused belongs to one incident; another one of the same device begins empty.
    let nothing = Fields::default();
    let own = fields.get("incident") == incident.number();
    let form = Form { view, fields: if own { fields } else { &nothing }, faults: if own { faults } else { &[] } };
    let script = incident.countermeasures.current().map(|standing| standing.countermeasure.version.to_string());
    let directions = Direction::ALL.map(|direction| (direction.as_str(), (text.direction)(direction)));
    let wishes = Progress::ALL.map(|progress| (progress.as_str(), (words.progress)(progress)));
    let wishes: Vec<(&str, &str)> = std::iter::once(("", text.progress_not_asked)).chain(wishes).collect();
    html! {
        (form.summary())
        form.act.call id="call" method="post" action=(view.link("/support/call", "")) {
            h3 { (text.record_call) }
            (form.identity())
            input type="hidden" name="device" value=(looked.device);
            input type="hidden" name="incident" value=(incident.number());
            input type="hidden" name="calls" value=(rung.calls);
            input type="hidden" name="q" value=(desk.q);
            @if let Some(script) = script { input type="hidden" name="script" value=(script); }
            (form.radios("direction", text.direction_question, &directions))
            (form.radios("progress", text.progress_question, &wishes))
            (form.line("note", text.note, view.lang.act().optional, false))
            p.note { (text.record_call_note) }
            div.taps { @for outcome in CallOutcome::ALL {
                button type="submit" name="outcome" value=(outcome.as_str()) { ((words.outcome)(outcome)) }
            } }
        }
    }
}

/// What can have been done on the phone and is not seen yet.
fn claims(view: &View<'_>, incident: &Incident, looked: &Looked<'_>) -> Markup {
    let text = view.lang.support();
    let possible = |claim: &Claim| match claim {
        Claim::Workaround => incident.countermeasures.workaround().is_some(),
        Claim::Fix | Claim::Revert => incident.released.is_some(),
    };
    let claims: Vec<Claim> = Claim::ALL.into_iter().filter(possible).collect();
    html! {
        @if !claims.is_empty() {
            div.taps { @for claim in claims {
                (tap(view, "/support/claim", &[("device", looked.device.as_str()), ("incident", incident.number()), ("claim", claim.as_str())],
                    (view.lang.incident().claim)(claim)))
            } span.note { (text.claim_note) } }
        }
    }
}

fn calls(view: &View<'_>, incident: &Incident, rung: &Rung, looked: &Looked<'_>, needed: u32) -> Markup {
    let text = view.lang.support();
    let path = crate::web::incident::parts::path_of(incident);
    html! {
        div.calls id=(format!("calls-{}", incident.number())) data-live="" {
            h3 { (text.calls_so_far) }
            p { @if rung.calls == 0 { (text.no_calls) } @else { (rung.calls) } }
            @let own = |past: &&Past| past.incident == incident.number() && past.device == looked.device;
            (past(view, looked.calls.iter().filter(own), false))
            @if rung.unanswered > 0 { p { ((text.unanswered_calls)(rung.unanswered, needed)) } }
            @if view.may_do(Act::SignOff) && !rung.is_settled() {
                p { a.button href=(view.link(&format!("{path}/do/sign_off"), &format!("device={}", looked.device))) {
                    ((view.lang.act().act)(Act::SignOff)) } }
            }
        }
    }
}

/// What came of each call, the last first: whom the customer has told something does not ask again.
fn past<'a>(view: &View<'_>, calls: impl DoubleEndedIterator<Item = &'a Past>, names_device: bool) -> Markup {
    let text = view.lang.support();
    let words = view.lang.incident();
    html! {
        ol.timeline { @for past in calls.rev() { li {
            div.when { (view.date_when(past.at)) }
            div.what {
                p { b { ((text.direction)(past.call.direction)) ": " ((words.outcome)(past.call.outcome)) } " " span.note { (parts::name(&past.by)) } }
                @if names_device { p.note {
                    a href=(view.link("/support", &format!("q={}", past.device))) { (past.device) } ", " (past.incident) } }
                @if let Some(request) = past.call.progress { p { (text.request) ": " ((words.progress)(request)) } }
                @if !past.call.note.trim().is_empty() { p.said { (countermeasure::lines(&past.call.note)) } }
            }
        } } }
    }
}

/// Calls about the customer's other devices: the person on the line is the same one.
fn others(view: &View<'_>, looked: &Looked<'_>) -> Markup {
    let mut others = looked.calls.iter().filter(|past| past.device != looked.device).peekable();
    html! {
        div id="customer-calls" data-live="" { @if others.peek().is_some() {
            h2 { (OTHER_CALLS.pick(view.lang)) }
            (past(view, others.collect::<Vec<_>>().into_iter(), true))
        } }
    }
}

/// Scripts that this person has not read, before any call.
fn scripts(view: &View<'_>, board: &OpenIncidents) -> Markup {
    let unread = |incident: &Incident| {
        let standing = incident.countermeasures.current();
        standing.is_some_and(|standing| {
            let own = view.principal.is_some_and(|who| standing.acknowledged.contains_key(&who.name));
            standing.countermeasure.workaround.is_some() && !own
        })
    };
    html! {
        div id="scripts" data-live="" {
            @if view.may(Action::TakePart) {
                @for incident in board.incidents.iter().filter(|incident| unread(incident)) {
                    section { h2 { (incident.number()) } (script(view, incident, &view.link("/support", ""))) }
                }
            }
        }
    }
}

/// Whom to call, by incident, the most urgent reason first.
fn queue(view: &View<'_>, board: &OpenIncidents) -> Markup {
    let text = view.lang.support();
    let rows = board
        .incidents
        .iter()
        .map(|incident| (incident, waiting(view, incident, board)))
        .filter(|(_, rows)| !rows.is_empty());
    let rows: Vec<_> = rows.collect();
    html! {
        div id="queue" data-live="" {
            h2 { (text.queue) }
            @if rows.is_empty() { p { (text.queue_empty) } }
            @for (incident, waiting) in &rows {
                h3 { a href=(view.link(&crate::web::incident::parts::path_of(incident), "")) { (incident.number()) } " "
                    @if incident.scope == Scope::Isolated { span.note { (text.isolated) } " " }
                    span.note { ((view.text().devices_count)(waiting.len() as u64)) } }
                (people(view, waiting))
            }
        }
    }
}

fn waiting<'a>(
    view: &View<'_>,
    incident: &'a Incident,
    board: &OpenIncidents,
) -> Vec<(&'a DeviceId, &'a Rung, &'static str)> {
    let all = incident.ladder.iter().filter(|(device, _)| view.sees(device));
    let due = all
        .filter_map(|(device, rung)| Some((device, rung, followups::why_call(view, incident, rung, &board.settings)?)));
    let mut due: Vec<_> = due.collect();
    // Whoever nobody has called yet comes after those that somebody owes something.
    due.sort_by_key(|(device, rung, why)| (*why == view.lang.support().to_call, rung.unanswered, (*device).clone()));
    due
}

fn people(view: &View<'_>, waiting: &[(&DeviceId, &Rung, &'static str)]) -> Markup {
    let text = view.lang.support();
    let words = view.lang.incident();
    html! {
        table.cards {
            thead { tr {
                th scope="col" { (view.text().device) } th scope="col" { (text.queue_why) } th scope="col" { (text.customer) }
                th scope="col" { (view.text().branch) } th.number scope="col" { (words.calls) }
            } }
            tbody { @for (device, rung, why) in waiting.iter().take(QUEUE) { tr {
                th scope="row" { a href=(view.link("/support", &format!("q={device}"))) { (device) } }
                td data-label=(text.queue_why) { (why) }
                td data-label=(text.customer) { (parts::name_or(rung.customer.as_deref(), "-")) }
                td data-label=(view.text().branch) { (parts::name_or(view.branch_of(device, rung.branch.as_deref()), "-")) }
                td.number data-label=(words.calls) { (rung.calls) }
            } } }
        }
        @if waiting.len() > QUEUE { p.note { ((words.and_more)(waiting.len() - QUEUE)) } }
    }
}
