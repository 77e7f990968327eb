//! Which devices to show, and a page of them.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::engine::device::DeviceId;
use crate::engine::effect::Verdict;
use crate::engine::label;
use crate::engine::snapshot::{DeviceView, Snapshot};
use crate::record::access::Principal;

/// Parameters of a device list. An empty text is no filter, because that is what an untouched form sends.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct DeviceParams {
    pub(in crate::web) branch: String,
    pub(in crate::web) update: String,
    #[param(pattern = "^(|degraded|healthy|indeterminate|unknown)$")]
    pub(in crate::web) verdict: String,
    /// Id of the last device of the page before.
    pub(in crate::web) after: String,
    /// 1 to 1000; on the page at most as many as it shows.
    #[param(minimum = 1, maximum = 1000)]
    pub(in crate::web) limit: Option<usize>,
}

/// A page of the devices that match.
#[derive(Debug)]
pub(in crate::web) struct DevicePage<'a> {
    /// How many match, on all pages.
    pub(in crate::web) total: usize,
    pub(in crate::web) devices: Vec<&'a DeviceView>,
    /// The `after` of the next page.
    pub(in crate::web) next: Option<&'a str>,
}

/// The verdict of this name, if there is one.
pub(in crate::web) fn verdict_named(name: &str) -> Option<Verdict> {
    [Verdict::Degraded, Verdict::Healthy, Verdict::Indeterminate, Verdict::Unknown]
        .into_iter()
        .find(|verdict| verdict.as_str() == name)
}

impl DeviceParams {
    /// The page that these parameters ask for, of at most `max` devices and by default `default` ones; of those that the principal
    /// may see.
    ///
    /// # Errors
    /// When a parameter has a value that cannot be; says which.
    pub(in crate::web) fn page<'a>(
        &self,
        snapshot: &'a Snapshot,
        principal: Option<&Principal>,
        (default, max): (usize, usize),
    ) -> Result<DevicePage<'a>, String> {
        let verdict = match &*self.verdict {
            "" => None,
            name => Some(verdict_named(name).ok_or("verdict is one of degraded, healthy, indeterminate, unknown")?),
        };
        let limit = self.limit.unwrap_or(default);
        if !(1..=max).contains(&limit) {
            return Err(format!("limit is 1 to {max}"));
        }
        let matches = |device: &&DeviceView| {
            principal.is_some_and(|principal| principal.sees(&device.id))
                && is(&self.branch, device.branch.as_deref())
                && is(&self.update, device.update.as_deref())
                && verdict.is_none_or(|verdict| device.verdict == verdict)
        };
        let total = snapshot.devices.iter().filter(matches).count();
        let start = snapshot.devices.partition_point(|device| device.id.as_str() <= &*self.after);
        let mut devices: Vec<_> = snapshot.devices[start..].iter().filter(matches).take(limit + 1).collect();
        let more = devices.len() > limit;
        devices.truncate(limit);
        let next = devices.last().filter(|_| more).map(|device| device.id.as_str());
        Ok(DevicePage { total, devices, next })
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
