//! Every device, a page at a time.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::filter::{Defaults, DevicePage, DeviceParams, Order};
use crate::engine::device::Label;
use crate::engine::effect::Verdict;
use crate::engine::snapshot::{DeviceView, Snapshot};
use crate::record::access::Action;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::parts::{self, encode, verdict_badge, verdict_word};
use crate::web::ui::view::View;
use crate::words::{Both, phrase, say};

/// Devices on one page, the worst first.
const DEFAULTS: Defaults = Defaults { order: Order::Worst, limit: 100, max: 100 };

/// Most entries of a filter's list: a device chooses its branch and update itself.
const CHOICES: usize = 200;

phrase! {
    /// An order, in the list of them.
    const fn order_word(order: Order) -> Both<&'static str> match order {
        Order::Worst => "worst first", "品質低下を先に";
        Order::Id => "by device", "装置の番号順";
        Order::Branch => "by branch", "支店順";
        Order::Seen => "longest silent first", "最終受信が古い順";
    }
}

const SEARCH: Both<&str> = say("Device or customer", "装置・顧客");
const SEARCH_DEVICE: Both<&str> = say("Device", "装置");
const ORDER: Both<&str> = say("Order", "並び順");

pub(in crate::web) fn page(view: &View<'_>, snapshot: &Snapshot, params: &DeviceParams) -> Result<Markup, String> {
    let text = view.text();
    let found = params.page(snapshot, view.principal, DEFAULTS)?;
    let body = html! {
        h1 { (text.nav_devices) }
        (form(view, snapshot, params, found.order))
        div id="list" data-live="" {
            p.note { ((text.shown_of)(found.devices.len(), found.total)) }
            @if found.devices.is_empty() { p { (text.no_devices) } } @else { (table(view, params, &found)) }
            p.paging {
                @if !params.after.is_empty() {
                    a href=(view.link("/devices", &query(params, &params.sort, None))) { (text.first_page) } " "
                }
                @if let Some(next) = found.next {
                    a rel="next" href=(view.link("/devices", &query(params, &params.sort, Some(next)))) { (text.next_page) }
                }
            }
        }
    };
    Ok(framed(view, text.nav_devices, Place::Devices, Fresh::Parts { watch: "*", reload_s: None }, &body))
}

/// The choice of these parameters as a query string, in this order.
fn query(params: &DeviceParams, sort: &str, after: Option<&str>) -> String {
    let fields = [
        ("q", &*params.q),
        ("branch", &*params.branch),
        ("update", &params.update),
        ("verdict", &params.verdict),
        ("sort", sort),
        ("after", after.unwrap_or("")),
    ];
    let set = fields.iter().filter(|(_, value)| !value.is_empty());
    set.map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

fn sees_customers(view: &View<'_>) -> bool {
    view.may(Action::SeeContacts)
}

fn form(view: &View<'_>, snapshot: &Snapshot, params: &DeviceParams, order: Order) -> Markup {
    let text = view.text();
    let seen = |device: &&DeviceView| view.sees(&device.id);
    let branches = choices(snapshot, seen, |device| device.branch.as_ref());
    let updates = choices(snapshot, seen, |device| device.update.as_ref());
    let search = if sees_customers(view) { SEARCH } else { SEARCH_DEVICE };
    html! {
        form.filter method="get" action="/devices" {
            @if view.lang_chosen { input type="hidden" name="lang" value=(view.lang.code()); }
            label { (search.pick(view.lang)) " "
                input type="search" name="q" value=(params.q) maxlength="128" autocomplete="off"; }
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
            label { (ORDER.pick(view.lang)) " "
                select name="sort" { @for own in Order::ALL {
                    option value=(own.as_str()) selected[own == order] { (order_word(own).pick(view.lang)) }
                } }
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

fn table(view: &View<'_>, params: &DeviceParams, found: &DevicePage<'_>) -> Markup {
    let text = view.text();
    let head = |label: &str, order: Order| sorted(view, params, label, order, found.order);
    html! {
        table.cards.sortable {
            thead { tr {
                (head(text.device, Order::Id)) (head(text.verdict, Order::Worst)) th scope="col" { (text.streak) }
                (head(text.branch, Order::Branch))
                @if sees_customers(view) { th scope="col" { (view.lang.support().customer) } }
                th scope="col" { (text.update) } th scope="col" { (text.model) }
                th scope="col" { (text.latency) } th scope="col" { (text.false_positives) }
                (head(text.last_report, Order::Seen))
            } }
            tbody { @for device in &found.devices { (row(view, device)) } }
        }
    }
}

/// The head of a column by which the list can be ordered.
fn sorted(view: &View<'_>, params: &DeviceParams, label: &str, own: Order, order: Order) -> Markup {
    // The worst first is no order of the column's own values.
    let aria = (own == order).then_some(if own == Order::Worst { "other" } else { "ascending" });
    html! {
        th scope="col" aria-sort=[aria] {
            a href=(view.link("/devices", &query(params, own.as_str(), None))) { (label) }
            @if own == order { span aria-hidden="true" { " \u{25be}" } }
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
            td data-label=(text.branch) { (parts::name_or(device.branch.as_deref(), "-")) }
            @if sees_customers(view) {
                td data-label=(view.lang.support().customer) {
                    @let customer = device.customer.as_deref().filter(|_| view.sees(&device.id));
                    (parts::name_or(customer, "-"))
                }
            }
            td data-label=(text.update) { (parts::name_or(device.update.as_deref(), "-")) }
            td data-label=(text.model) { (parts::name_or(device.model.as_deref(), "-")) }
            td.number data-label=(text.latency) {
                @match device.latency_us { Some(q) => { (ms(q.p50)) " / " (ms(q.p95)) " ms" } None => "-" }
            }
            td.number data-label=(text.false_positives) {
                @match device.false_positive_ratio { Some(r) => (format!("{:.1} %", r * 100.0)), None => "-" }
            }
            td data-label=(text.last_report) {
                @match device.last_report_at { Some(at) => (view.when(at)), None => "-" }
            }
        }
    }
}

/// Microseconds as milliseconds with one decimal.
fn ms(us: u32) -> String {
    format!("{:.1}", f64::from(us) / 1_000.0)
}
