//! How far the devices of an incident have come: counts by step and branch, and the devices themselves a page at a time.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;

use crate::engine::device::DeviceId;
use crate::incident::{Incident, Rung, Step};
use crate::web::device::filter::searched;
use crate::web::ui::parts::{Tone, badge, encode};
use crate::web::ui::view::View;

/// Devices on one page.
const PAGE: usize = 50;

/// Which devices to list, as an address says it. An empty text is no filter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct LadderParams {
    /// A step, `open`, `excepted` or `all`.
    pub(in crate::web) step: String,
    pub(in crate::web) branch: String,
    /// Part of a serial or customer.
    pub(in crate::web) q: String,
    /// Id of the last device of the page before.
    pub(in crate::web) after: String,
}

/// Devices on each step, and those that were signed off.
#[derive(Clone, Copy, Default)]
struct Counts {
    steps: [u32; 8],
    excepted: u32,
}

impl Counts {
    fn add(&mut self, rung: &Rung) {
        if is_excepted(rung) {
            self.excepted += 1;
        } else {
            self.steps[rung.step() as usize] += 1;
        }
    }

    fn all(&self) -> u32 {
        self.steps.iter().sum::<u32>() + self.excepted
    }

    fn open(&self) -> u32 {
        self.steps[..Step::Done as usize].iter().sum()
    }
}

/// Signed off, and not done after all.
fn is_excepted(rung: &Rung) -> bool {
    rung.exception.is_some() && !rung.is_done()
}

/// Counts by step, and by branch and step. `path` is where the list of devices is.
pub(in crate::web) fn section(view: &View<'_>, incident: &Incident, path: &str) -> Markup {
    let text = view.lang.incident();
    let number = incident.number();
    let mut all = Counts::default();
    let mut branches: BTreeMap<&str, Counts> = BTreeMap::new();
    for (_, rung) in incident.ladder.iter() {
        all.add(rung);
        branches.entry(rung.branch.as_deref().unwrap_or_default()).or_default().add(rung);
    }
    html! {
        section id=(format!("ladder-{number}")) data-live="" {
            h2 { (text.ladder) }
            p.note { (text.ladder_note) }
            (bars(view, &all, path, number))
            @if branches.len() > 1 { (by_branch(view, &branches, path, number)) }
        }
    }
}

/// A bar for each step with its count: the length says it, and the number.
fn bars(view: &View<'_>, counts: &Counts, path: &str, number: &str) -> Markup {
    let text = view.lang.incident();
    let most = counts.all().max(1);
    let rows = Step::ALL.into_iter().map(|step| ((text.step)(step), step.as_str(), counts.steps[step as usize]));
    let rows = rows.chain([(text.excepted, "excepted", counts.excepted)]);
    html! {
        table.steps {
            thead { tr { th scope="col" { (text.step_word) } th.number scope="col" { (text.devices_word) } td {} } }
            tbody { @for (word, name, count) in rows { tr {
                th scope="row" {
                    @if count > 0 { a href=(list_at(view, path, number, &format!("step={name}"))) { (word) } }
                    @else { (word) }
                }
                td.number { (count) }
                td.bar-cell {
                    svg.count viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
                        rect class=(if name == "done" || name == "excepted" { "fill good" } else { "fill warn" })
                            width=(format!("{:.1}", f64::from(count) / f64::from(most) * 100.0)) height="10" {}
                    }
                }
            } } }
        }
    }
}

fn by_branch(view: &View<'_>, branches: &BTreeMap<&str, Counts>, path: &str, number: &str) -> Markup {
    let text = view.lang.incident();
    let mut rows: Vec<(&str, &Counts)> = branches.iter().map(|(name, counts)| (*name, counts)).collect();
    rows.sort_by_key(|(name, counts)| (std::cmp::Reverse(counts.open()), *name));
    html! {
        details {
            summary { (text.by_branch) " (" (branches.len()) ")" }
            div.wide { table {
                thead { tr {
                    th scope="col" { (view.text().branch) }
                    @for step in Step::ALL { th.number scope="col" { ((text.step)(step)) } }
                    th.number scope="col" { (text.excepted) }
                } }
                tbody { @for (name, counts) in rows { tr {
                    th scope="row" {
                        @if name.is_empty() { (view.text().no_branch) } @else {
                            a href=(list_at(view, path, number, &format!("step=all&branch={}", encode(name)))) { (crate::web::ui::parts::name(name)) }
                        }
                    }
                    @for count in counts.steps { td.number { (figure(count)) } }
                    td.number { (figure(counts.excepted)) }
                } } }
            } }
        }
    }
}

/// The address of the list of devices with another filter. A page may have the lists of several incidents.
fn list_at(view: &View<'_>, path: &str, number: &str, query: &str) -> String {
    format!("{}#devices-{number}", view.link(path, query))
}

/// A zero is a dash: what is not zero shall be found at a glance.
fn figure(count: u32) -> String {
    if count == 0 { "\u{2013}".to_owned() } else { count.to_string() }
}

/// The step as a badge.
pub(in crate::web) fn step_badge(view: &View<'_>, rung: &Rung) -> Markup {
    let text = view.lang.incident();
    if let Some(exception) = rung.exception.as_ref().filter(|_| is_excepted(rung)) {
        return badge(Tone::Unknown, &format!("{}: {}", text.excepted, (text.exception)(exception.kind)));
    }
    let tone = match rung.step() {
        Step::Affected | Step::Contacted | Step::WorkaroundClaimed => Tone::Bad,
        Step::WorkaroundVerified | Step::FixInstalled | Step::WorkaroundReverted => Tone::Warn,
        Step::QualityVerified | Step::Done => Tone::Good,
    };
    badge(tone, (text.step)(rung.step()))
}

impl LadderParams {
    fn matches(&self, device: &DeviceId, rung: &Rung) -> bool {
        let step = match &*self.step {
            "" | "open" => !rung.is_settled(),
            "all" => true,
            "excepted" => is_excepted(rung),
            name => !is_excepted(rung) && rung.step().as_str() == name,
        };
        let wanted = searched(&self.q);
        let holds = |text: &str| searched(text).contains(&wanted);
        step && (self.branch.is_empty() || rung.branch.as_deref() == Some(&*self.branch))
            && (wanted.is_empty() || holds(device.as_str()) || rung.customer.as_deref().is_some_and(holds))
    }

    /// The same filter as a query string, from this device on.
    fn query(&self, after: &str) -> String {
        let fields = [("step", &*self.step), ("branch", &self.branch), ("q", &self.q), ("after", after)];
        let set = fields.iter().filter(|(_, value)| !value.is_empty());
        set.map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
    }
}

/// The devices that match, a page of them. `fixed_branch`: the list is of one branch and does not ask for another.
pub(in crate::web) fn devices(
    view: &View<'_>,
    incident: &Incident,
    (path, params): (&str, &LadderParams),
    fixed_branch: bool,
) -> Markup {
    let text = view.lang.incident();
    let words = view.text();
    let number = incident.number();
    let matching = || incident.ladder.iter().filter(|(device, rung)| view.sees(device) && params.matches(device, rung));
    let total = matching().count();
    let from_here = matching().skip_while(|(device, _)| !params.after.is_empty() && device.as_str() <= &*params.after);
    let mut shown: Vec<(&DeviceId, &Rung)> = from_here.take(PAGE + 1).collect();
    let more = shown.len() > PAGE;
    shown.truncate(PAGE);
    let next = shown.last().filter(|_| more).map(|(device, _)| device.as_str());
    html! {
        section id=(format!("devices-{number}")) data-live="" {
            h2 { (words.nav_devices) }
            (filter(view, incident, path, params, fixed_branch))
            p.note { ((text.shown_of)(shown.len(), total)) }
            @if shown.is_empty() { p { (words.no_devices) } } @else { (table(view, &shown)) }
            p.paging {
                @if !params.after.is_empty() {
                    a href=(list_at(view, path, number, &params.query(""))) { (words.first_page) }
                }
                @if let Some(next) = next {
                    a rel="next" href=(list_at(view, path, number, &params.query(next))) { (words.next_page) }
                }
            }
        }
    }
}

fn filter(view: &View<'_>, incident: &Incident, path: &str, params: &LadderParams, fixed_branch: bool) -> Markup {
    let text = view.lang.incident();
    let words = view.text();
    let steps = [("open", text.open), ("all", text.all)].into_iter();
    let steps =
        steps.chain(Step::ALL.map(|step| (step.as_str(), (text.step)(step)))).chain([("excepted", text.excepted)]);
    let branches: std::collections::BTreeSet<&str> =
        incident.ladder.iter().filter_map(|(_, rung)| rung.branch.as_deref()).collect();
    html! {
        form.filter method="get" action=(format!("{path}#devices-{}", incident.number())) {
            @if view.lang_chosen { input type="hidden" name="lang" value=(view.lang.code()); }
            label { (text.step_word) select name="step" {
                @for (name, word) in steps { option value=(name) selected[params.step == name] { (word) } }
            } }
            @if !fixed_branch {
                label { (words.branch) select name="branch" {
                    option value="" { (words.any) }
                    @for branch in branches { option value=(branch) selected[params.branch == branch] { (branch) } }
                } }
            }
            label { (text.search) input name="q" value=(params.q) maxlength="128" autocomplete="off"; }
            button type="submit" { (words.filter) }
        }
    }
}

fn table(view: &View<'_>, devices: &[(&DeviceId, &Rung)]) -> Markup {
    let text = view.lang.incident();
    let words = view.text();
    html! {
        table.cards {
            thead { tr {
                th scope="col" { (words.device) } th scope="col" { (text.step_word) } th scope="col" { (words.branch) }
                th scope="col" { (view.lang.support().customer) } th.number scope="col" { (text.calls) }
                th scope="col" { (text.last_reached) } th scope="col" { (text.wants_progress) }
            } }
            tbody { @for (device, rung) in devices { tr {
                th scope="row" {
                    a href=(view.link(&format!("/devices/{device}"), "")) { (device) }
                    @if view.may(crate::record::access::Action::Work) {
                        " " a.note href=(view.link("/support", &format!("q={device}"))) { (view.lang.support().title) }
                    }
                }
                td data-label=(text.step_word) {
                    (step_badge(view, rung))
                    @if rung.workaround_active { " " span.note { (text.setting_on) } }
                    @if rung.relapses > 0 { " " span.note { ((text.relapsed)(rung.relapses)) } }
                }
                td data-label=(words.branch) { (crate::web::ui::parts::name_or(rung.branch.as_deref(), "-")) }
                td data-label=(view.lang.support().customer) { (crate::web::ui::parts::name_or(rung.customer.as_deref(), "-")) }
                td.number data-label=(text.calls) { (figure(rung.calls)) }
                td data-label=(text.last_reached) { @match rung.reached_at { Some(at) => (view.date_when(at)), None => "-" } }
                td data-label=(text.wants_progress) {
                    @match rung.progress { Some(progress) => ((text.progress)(progress)), None => "-" }
                }
            } } }
        }
    }
}
