//! What is done about an incident: the workaround and its script for the phone, and the permanent fix that reverts it.
//!
//! A countermeasure is registered by whoever worked it out, and agreed by development before support hears of it: a workaround
//! that nobody agreed to must not be talked into customers' devices. A change is a new version; who acknowledged an older one has
//! to be told again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::time::Timestamp;

/// What the support desk says and does, in the two languages.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    pub ja: String,
    pub en: String,
}

/// A settings change that takes the damage away and is to be reverted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WorkaroundPlan {
    /// What a device's status calls it.
    #[cfg_attr(feature = "schema", schema(example = "WA-1"))]
    pub id: String,
    /// What the support desk says and does.
    pub script: Script,
}

/// What ends the incident for a device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Fix {
    /// An update that a device has when its status says so.
    Update(String),
    /// A package's version: `signatures 9.9.2`.
    Package { name: String, version: String },
    /// Something outside the devices, such as a line that was repaired: only the quality proves it.
    Elsewhere(String),
}

impl Fix {
    /// The fix as people say it.
    pub fn name(&self) -> String {
        match self {
            Self::Update(version) => version.clone(),
            Self::Package { name, version } => format!("{name} {version}"),
            Self::Elsewhere(what) => what.clone(),
        }
    }
}

/// Whether a device that runs `installed` has what `fix` brought: the same version, or a later one where both are numbers
/// separated by dots, since the update after the fix has it too. Versions of another form are equal or they are not.
pub fn includes(installed: &str, fix: &str) -> bool {
    let numbers = |version: &str| version.split('.').map(|part| part.parse::<u64>().ok()).collect::<Option<Vec<_>>>();
    match (numbers(installed), numbers(fix)) {
        (Some(installed), Some(fix)) if installed.len() == fix.len() => installed >= fix,
        _ => installed == fix,
    }
}

/// One version of what is to be done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Countermeasure {
    /// From 1.
    pub version: u32,
    pub workaround: Option<WorkaroundPlan>,
    pub fix: Option<Fix>,
    /// By when the fix is to be there.
    pub fix_due_at: Option<Timestamp>,
}

/// A version, who stands behind it, and who has taken note of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CountermeasureVersion {
    pub countermeasure: Countermeasure,
    pub registered_by: String,
    pub registered_at: Timestamp,
    /// Development's word, and when it was given.
    pub agreed: Option<(String, Timestamp)>,
    /// Support staff who have acknowledged this version.
    pub acknowledged: BTreeMap<String, Timestamp>,
}

/// All versions, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Countermeasures(Vec<CountermeasureVersion>);

impl Countermeasures {
    /// Every version, the oldest first.
    pub fn versions(&self) -> &[CountermeasureVersion] {
        &self.0
    }

    /// The newest version, agreed or not.
    pub fn newest(&self) -> Option<&CountermeasureVersion> {
        self.0.last()
    }

    /// The newest version that development agreed to: what support works by.
    pub fn current(&self) -> Option<&CountermeasureVersion> {
        self.0.iter().rev().find(|standing| standing.agreed.is_some())
    }

    /// The workaround that support works by.
    pub fn workaround(&self) -> Option<&WorkaroundPlan> {
        self.current().and_then(|standing| standing.countermeasure.workaround.as_ref())
    }

    /// The fix that was agreed.
    pub fn fix(&self) -> Option<&Fix> {
        self.current().and_then(|standing| standing.countermeasure.fix.as_ref())
    }

    pub(super) fn register(&mut self, countermeasure: Countermeasure, by: &str, at: Timestamp) {
        let (registered_by, registered_at) = (by.to_owned(), at);
        let acknowledged = BTreeMap::new();
        self.0.push(CountermeasureVersion { countermeasure, registered_by, registered_at, agreed: None, acknowledged });
    }

    pub(super) fn agree(&mut self, version: u32, by: &str, at: Timestamp) {
        if let Some(standing) = self.of(version) {
            standing.agreed = Some((by.to_owned(), at));
        }
    }

    pub(super) fn acknowledge(&mut self, version: u32, by: &str, at: Timestamp) {
        if let Some(standing) = self.of(version) {
            standing.acknowledged.entry(by.to_owned()).or_insert(at);
        }
    }

    fn of(&mut self, version: u32) -> Option<&mut CountermeasureVersion> {
        self.0.iter_mut().find(|standing| standing.countermeasure.version == version)
    }
}
