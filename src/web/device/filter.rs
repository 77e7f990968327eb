//! Which devices to show, and a page of them.

use std::cmp::Ordering;

use serde::Deserialize;
use utoipa::IntoParams;

use crate::engine::device::DeviceId;
use crate::engine::effect::Verdict;
use crate::engine::label::{self, MAX_CHARS};
use crate::engine::snapshot::{DeviceView, Snapshot};
use crate::record::access::{Action, Principal};

/// Parameters of a device list. An empty text is no filter, because that is what an untouched form sends.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct DeviceParams {
    /// Part of a serial, or of a customer's number for who may see contacts.
    #[param(max_length = 128)]
    pub(in crate::web) q: String,
    pub(in crate::web) branch: String,
    pub(in crate::web) update: String,
    #[param(pattern = "^(|degraded|healthy|indeterminate|unknown)$")]
    pub(in crate::web) verdict: String,
    /// `id`; `worst`: degraded devices first, the longest first, then silent ones; `branch`; `seen`: the longest silent first.
    #[param(pattern = "^(|id|worst|branch|seen)$")]
    pub(in crate::web) sort: String,
    /// Id of the last device of the page before.
    pub(in crate::web) after: String,
    /// 1 to 1000; on the page at most as many as it shows.
    #[param(minimum = 1, maximum = 1000)]
    pub(in crate::web) limit: Option<usize>,
}

/// The order of a device list. Where it leaves a choice, the id decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::web) enum Order {
    Id,
    /// Degraded first, the longest streak first; then silent ones.
    Worst,
    Branch,
    /// The longest silent first.
    Seen,
}

impl Order {
    pub(in crate::web) const ALL: [Self; 4] = [Self::Worst, Self::Id, Self::Branch, Self::Seen];

    pub(in crate::web) const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Worst => "worst",
            Self::Branch => "branch",
            Self::Seen => "seen",
        }
    }

    fn compare(self, a: &DeviceView, b: &DeviceView) -> Ordering {
        let rank = |device: &DeviceView| match device.verdict {
            Verdict::Degraded => 0,
            Verdict::Unknown => 1,
            Verdict::Indeterminate => 2,
            Verdict::Healthy => 3,
        };
        let first = match self {
            Self::Id => Ordering::Equal,
            Self::Worst => rank(a).cmp(&rank(b)).then(b.streak_s.cmp(&a.streak_s)),
            // Those without one come last.
            Self::Branch => (a.branch.is_none(), &a.branch).cmp(&(b.branch.is_none(), &b.branch)),
            Self::Seen => a.last_report_at.cmp(&b.last_report_at),
        };
        first.then_with(|| a.id.cmp(&b.id))
    }
}

/// A page of the devices that match.
#[derive(Debug)]
pub(in crate::web) struct DevicePage<'a> {
    /// How many match, on all pages.
    pub(in crate::web) total: usize,
    pub(in crate::web) devices: Vec<&'a DeviceView>,
    /// The `after` of the next page.
    pub(in crate::web) next: Option<&'a str>,
    pub(in crate::web) order: Order,
}

/// What a list shows where its parameters say nothing.
#[derive(Clone, Copy, Debug)]
pub(in crate::web) struct Defaults {
    pub(in crate::web) order: Order,
    pub(in crate::web) limit: usize,
    pub(in crate::web) max: usize,
}

/// The verdict of this name, if there is one.
pub(in crate::web) fn verdict_named(name: &str) -> Option<Verdict> {
    [Verdict::Degraded, Verdict::Healthy, Verdict::Indeterminate, Verdict::Unknown]
        .into_iter()
        .find(|verdict| verdict.as_str() == name)
}

/// Whether the principal may know whose device this is.
pub(in crate::web) fn sees_customer(principal: &Principal, device: &DeviceId) -> bool {
    principal.may_on(Action::SeeContacts, device)
}

impl DeviceParams {
    /// The page that these parameters ask for, of those that the principal may see.
    ///
    /// # Errors
    /// When a parameter has a value that cannot be; says which.
    pub(in crate::web) fn page<'a>(
        &self,
        snapshot: &'a Snapshot,
        principal: Option<&Principal>,
        defaults: Defaults,
    ) -> Result<DevicePage<'a>, String> {
        if self.q.chars().count() > MAX_CHARS {
            return Err(format!("q has more than {MAX_CHARS} characters"));
        }
        let verdict = match &*self.verdict {
            "" => None,
            name => Some(verdict_named(name).ok_or("verdict is one of degraded, healthy, indeterminate, unknown")?),
        };
        let order = match &*self.sort {
            "" => defaults.order,
            name => {
                let order = Order::ALL.into_iter().find(|order| order.as_str() == name);
                order.ok_or("sort is one of id, worst, branch, seen")?
            }
        };
        let limit = self.limit.unwrap_or(defaults.limit);
        if !(1..=defaults.max).contains(&limit) {
            return Err(format!("limit is 1 to {}", defaults.max));
        }
        let wanted = searched(&self.q);
        let holds = |text: &str| searched(text).contains(&wanted);
        let asked = |device: &DeviceView, principal: &Principal| {
            wanted.is_empty()
                || holds(device.id.as_str())
                || (sees_customer(principal, &device.id) && device.customer.as_deref().is_some_and(holds))
        };
        let matches = |device: &&DeviceView| {
            principal.is_some_and(|principal| principal.sees(&device.id) && asked(device, principal))
                && is(&self.branch, device.branch.as_deref())
                && is(&self.update, device.update.as_deref())
                && verdict.is_none_or(|verdict| device.verdict == verdict)
        };
        let mut all: Vec<&DeviceView> = snapshot.devices.iter().filter(matches).collect();
        if order != Order::Id {
            all.sort_by(|a, b| order.compare(a, b));
        }
        let total = all.len();
        let last = snapshot.devices.iter().find(|device| device.id.as_str() == self.after);
        let start = match (order, last) {
            (Order::Id, _) => all.partition_point(|device| device.id.as_str() <= &*self.after),
            // It may not match any more; its place is still known.
            (_, Some(last)) => all.partition_point(|device| order.compare(device, last).is_le()),
            (_, None) => 0,
        };
        let more = total - start > limit;
        let devices: Vec<&DeviceView> = all.into_iter().skip(start).take(limit).collect();
        let next = devices.last().filter(|_| more).map(|device| device.id.as_str());
        Ok(DevicePage { total, devices, next, order })
    }
}

fn is(wanted: &str, value: Option<&str>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| value == wanted || value == label::form(wanted))
}

/// The text as it is searched for and in: its one form in small letters, without blanks, which nobody says.
pub(in crate::web) fn searched(text: &str) -> String {
    label::form(text).to_lowercase().replace(' ', "")
}

/// The branch of a device, as the picture of the fleet has it.
pub(in crate::web) fn branch_of<'a>(snapshot: &'a Snapshot, device: &DeviceId) -> Option<&'a str> {
    seen(snapshot, device)?.branch.as_deref()
}

/// A device in the picture of the fleet.
pub(in crate::web) fn seen<'a>(snapshot: &'a Snapshot, device: &DeviceId) -> Option<&'a DeviceView> {
    let index = snapshot.devices.binary_search_by(|view| view.id.cmp(device)).ok()?;
    snapshot.devices.get(index)
}
