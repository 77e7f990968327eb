//! Every device, a page at a time.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::filter::DeviceParams;
use crate::engine::device::Label;
use crate::engine::effect::Verdict;
use crate::engine::snapshot::{DeviceView, Snapshot};
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::parts::{encode, verdict_badge, verdict_word};
use crate::web::ui::view::View;

/// Devices on one page.
const PAGE: usize = 100;

/// Most entries of a filter's list: a device chooses its branch and update itself.
const CHOICES: usize = 200;

pub(in crate::web) fn page(view: &View<'_>, snapshot: &Snapshot, params: &DeviceParams) -> Result<Markup, String> {
    let text = view.text();
    let found = params.page(snapshot, view.principal, (PAGE, PAGE))?;
    let body = html! {
        h1 { (text.nav_devices) }
        (form(view, snapshot, params))
        div id="list" data-live="" {
            p.note { ((text.shown_of)(found.devices.len(), found.total)) }
            @if found.devices.is_empty() { p { (text.no_devices) } } @else { (table(view, &found.devices)) }
            p.paging {
                @if !params.after.is_empty() {
                    a href=(view.link("/devices", &query(params, None))) { (text.first_page) } " "
                }
                @if let Some(next) = found.next {
                    a rel="next" href=(view.link("/devices", &query(params, Some(next)))) { (text.next_page) }
                }
            }
        }
    };
    Ok(framed(view, text.nav_devices, Place::Devices, Fresh::Parts { watch: "*", reload_s: None }, &body))
}

/// The filter of these parameters as a query string.
fn query(params: &DeviceParams, after: Option<&str>) -> String {
    let fields = [
        ("branch", &*params.branch),
        ("update", &params.update),
        ("verdict", &params.verdict),
        ("after", after.unwrap_or("")),
    ];
    let set = fields.iter().filter(|(_, value)| !value.is_empty());
    set.map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

fn form(view: &View<'_>, snapshot: &Snapshot, params: &DeviceParams) -> Markup {
    let text = view.text();
    let seen = |device: &&DeviceView| view.sees(&device.id);
    let branches = choices(snapshot, seen, |device| device.branch.as_ref());
    let updates = choices(snapshot, seen, |device| device.update.as_ref());
    html! {
        form.filter method="get" action="/devices" {
            @if view.lang_chosen { input type="hidden" name="lang" value=(view.lang.code()); }
            (select(text.branch, "branch", text.any, &branches, &params.branch))
            (select(text.update, "update", text.any, &updates, &params.update))
            label { (text.verdict) " "
                select name="verdict" {
                    option value="" { (text.any) }
                    @for verdict in [Verdict::Degraded, Verdict::Healthy, Verdict::Indeterminate, Verdict::Unknown] {
                        option value=(verdict.as_str()) selected[params.verdict == verdict.as_str()] {
                            (verdict_word(text, verdict))
                        }
                    }
                }
            }
            button type="submit" { (text.filter) }
            a href=(view.link("/devices", "")) { (text.filter_clear) }
        }
    }
}

fn choices(
    snapshot: &Snapshot,
    seen: impl Fn(&&DeviceView) -> bool,
    field: fn(&DeviceView) -> Option<&Label>,
) -> Vec<&str> {
    let all: BTreeSet<&str> = snapshot.devices.iter().filter(seen).filter_map(field).map(|label| &**label).collect();
    all.into_iter().take(CHOICES).collect()
}

fn select(label: &str, name: &str, any: &str, choices: &[&str], chosen: &str) -> Markup {
    html! {
        label { (label) " "
            select name=(name) {
                option value="" { (any) }
                @for choice in choices { option value=(choice) selected[*choice == chosen] { (choice) } }
            }
        }
    }
}

fn table(view: &View<'_>, devices: &[&DeviceView]) -> Markup {
    let text = view.text();
    html! {
        table.cards {
            thead { tr {
                th scope="col" { (text.device) } th scope="col" { (text.verdict) } th scope="col" { (text.streak) }
                th scope="col" { (text.branch) } th scope="col" { (text.update) } th scope="col" { (text.model) }
                th scope="col" { (text.latency) } th scope="col" { (text.false_positives) }
                th scope="col" { (text.last_report) }
            } }
            tbody { @for device in devices { (row(view, device)) } }
        }
    }
}

fn row(view: &View<'_>, device: &DeviceView) -> Markup {
    let text = view.text();
    html! {
        tr {
            th scope="row" { a href=(view.link(&format!("/devices/{}", device.id), "")) { (device.id) }
                @if device.online == Some(false) { " " span.note { (text.offline) } }
                @if device.workaround_active == Some(true) { " " span.note { (text.workaround) } }
            }
            td data-label=(text.verdict) { (verdict_badge(text, device.verdict)) }
            td data-label=(text.streak) { @if device.streak_s > 0 { (view.duration(device.streak_s)) } @else { "-" } }
            td data-label=(text.branch) { (crate::web::ui::parts::name_or(device.branch.as_deref(), "-")) }
            td data-label=(text.update) { (crate::web::ui::parts::name_or(device.update.as_deref(), "-")) }
            td data-label=(text.model) { (crate::web::ui::parts::name_or(device.model.as_deref(), "-")) }
            td.number data-label=(text.latency) {
                @match device.latency_us { Some(q) => { (ms(q.p50)) " / " (ms(q.p95)) " ms" } None => "-" }
            }
            td.number data-label=(text.false_positives) {
                @match device.false_positive_ratio { Some(r) => (format!("{:.1} %", r * 100.0)), None => "-" }
            }
            td data-label=(text.last_report) {
                @match device.last_report_at { Some(at) => (view.time_s(at)), None => "-" }
            }
        }
    }
}

/// Microseconds as milliseconds with one decimal.
fn ms(us: u32) -> String {
    format!("{:.1}", f64::from(us) / 1_000.0)
}
