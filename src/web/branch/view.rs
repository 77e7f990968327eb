//! A branch: its devices in open incidents, what is owed to them, and whom to call.

use std::collections::{BTreeMap, HashMap};

use maud::{Markup, html};

use crate::engine::device::DeviceId;
use crate::engine::effect::Verdict;
use crate::engine::snapshot::Snapshot;
use crate::incident::{Incident, Rung};
use crate::record::access::{Action, Role};
use crate::record::incident::ContactEntry;
use crate::record::incidents::OpenIncidents;
use crate::web::incident::ladder::{self, LadderParams};
use crate::web::incident::parts::{path_of, state_badge};
use crate::web::incident::{countermeasure, followups};
use crate::web::support::contact;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::parts::encode;
use crate::web::ui::view::View;

/// Seconds after which a page reloads where it cannot be kept live.
const REFRESH_S: u32 = 30;

/// What is counted of a branch.
#[derive(Clone, Copy, Default)]
struct Counts {
    devices: u32,
    degraded: u32,
    /// In open incidents, and not done.
    open: u32,
    debts: u32,
}

fn counts<'a>(view: &'a View<'_>, snapshot: &'a Snapshot, board: &'a OpenIncidents) -> BTreeMap<&'a str, Counts> {
    let mut branches: BTreeMap<&str, Counts> = BTreeMap::new();
    for device in &snapshot.devices {
        let Some(branch) = view.branch_of(&device.id, device.branch.as_deref()) else { continue };
        let counts = branches.entry(branch).or_default();
        counts.devices += 1;
        counts.degraded += u32::from(device.verdict == Verdict::Degraded);
    }
    for (device, rung) in board.incidents.iter().flat_map(|incident| incident.ladder.iter()) {
        let Some(branch) = view.branch_of(device, rung.branch.as_deref()) else { continue };
        let counts = branches.entry(branch).or_default();
        counts.open += u32::from(!rung.is_settled());
        counts.debts += u32::from(rung.debt_since().is_some());
    }
    branches
}

/// Every branch that the reader may see, those with most to do first.
pub(in crate::web) fn list(view: &View<'_>, snapshot: &Snapshot, board: &OpenIncidents) -> Markup {
    let text = view.lang.support();
    let mut branches: Vec<(&str, Counts)> =
        counts(view, snapshot, board).into_iter().filter(|(name, _)| view.sees_branch(Some(name))).collect();
    branches.sort_by_key(|(name, counts)| (std::cmp::Reverse((counts.open, counts.debts, counts.degraded)), *name));
    let own = view.principal.is_some_and(|who| who.role == Role::Branch);
    let body = html! {
        h1 { (text.branches) }
        @if own { p.note { (text.own_branches) } }
        div id="branches" data-live="" {
            @if branches.is_empty() { p { (text.no_branches) } } @else {
                table.cards {
                    thead { tr {
                        th scope="col" { (view.text().branch) } th.number scope="col" { (text.devices) }
                        th.number scope="col" { (text.degraded) } th.number scope="col" { (text.not_done) }
                        th.number scope="col" { (view.lang.incident().debts) }
                    } }
                    tbody { @for (name, counts) in branches { tr {
                        th scope="row" { a href=(view.link(&format!("/branches/{}", encode(name)), "")) { (crate::web::ui::parts::name(name)) } }
                        td.number data-label=(text.devices) { (counts.devices) }
                        td.number data-label=(text.degraded) { (counts.degraded) }
                        td.number data-label=(text.not_done) { (counts.open) }
                        td.number data-label=(view.lang.incident().debts) { (counts.debts) }
                    } } }
                }
            }
        }
    };
    framed(view, text.branches, Place::Branches, Fresh::Parts { watch: "*", reload_s: Some(REFRESH_S) }, &body)
}

/// The page of one branch. `contacts`: of the devices that are not done, for who may see them.
pub(in crate::web) fn page(
    view: &View<'_>,
    (name, snapshot, board): (&str, &Snapshot, &OpenIncidents),
    contacts: &HashMap<DeviceId, ContactEntry>,
    params: &LadderParams,
) -> Markup {
    let text = view.lang.support();
    let path = format!("/branches/{}", encode(name));
    let own = |(device, rung): (&DeviceId, &Rung)| view.branch_of(device, rung.branch.as_deref()) == Some(name);
    let incidents = || board.incidents.iter().filter(|incident| incident.ladder.iter().any(own));
    let known = counts(view, snapshot, board).get(name).copied().unwrap_or_default();
    let title = (text.branch_of)(name);
    let body = html! {
        h1 { (title) }
        div id="branch" data-live="" {
            p { ((view.text().devices_count)(u64::from(known.devices))) ", " (text.degraded) ": " (known.degraded) }
            @if incidents().next().is_none() { p { (text.branch_quiet) } }
        }
        @for incident in incidents() {
            @let only = LadderParams { branch: String::new(), ..params.clone() };
            section.incident aria-label=(incident.number()) {
                div id=(format!("state-{}", incident.number())) data-live="" {
                    h2 { @if view.may(Action::See) { a href=(view.link(&path_of(incident), "")) { (incident.number()) } } @else { (incident.number()) }
                        " " (state_badge(view, incident.state)) }
                    p { ((view.lang.incident().state_meaning)(incident.state)) }
                }
                @let part = part_of(incident, name, own);
                (ladder::section(view, &part, &path))
                (followups::section(view, &part, &board.settings, &path_of(incident)))
                div id=(format!("to-call-{}", incident.number())) data-live="" {
                    (to_call(view, &part, contacts))
                    @if let Some(plan) = incident.countermeasures.workaround() {
                        h3 { (view.lang.incident().script) " " (plan.id) }
                        (countermeasure::script(view, &plan.script))
                    }
                }
                (ladder::devices(view, &part, (&path, &only), true))
            }
        }
    };
    framed(view, &title, Place::Branches, Fresh::Parts { watch: "*", reload_s: Some(REFRESH_S) }, &body)
}

/// The incident as far as it is of the branch, every device under the branch that it is here for: what it says of itself may
/// be another.
fn part_of(incident: &Incident, name: &str, own: impl Fn((&DeviceId, &Rung)) -> bool) -> Incident {
    let mut part = incident.clone();
    part.ladder = incident.ladder.of_branch(name, |device, rung| own((device, rung)));
    part
}

/// Customers of devices that are not done, with whom to call.
fn to_call(view: &View<'_>, part: &Incident, contacts: &HashMap<DeviceId, ContactEntry>) -> Markup {
    let text = view.lang.support();
    let open: Vec<_> =
        part.open_devices().filter_map(|(device, rung)| Some((device, rung, contacts.get(device)?))).collect();
    html! {
        @if !open.is_empty() {
            h3 { (text.contact) }
            table.cards {
                thead { tr { th scope="col" { (view.text().device) } th scope="col" { (text.customer) } th scope="col" { (text.contact) } } }
                tbody { @for (device, rung, entry) in open { tr {
                    th scope="row" { a href=(view.link("/support", &format!("q={device}"))) { (device) } }
                    td data-label=(text.customer) { (rung.customer.as_deref().or(entry.customer.as_deref()).unwrap_or("-")) }
                    td data-label=(text.contact) { (contact::line(view, Some(entry), true)) }
                } } }
            }
        }
    }
}
