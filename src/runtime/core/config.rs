//! How a core is to run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::engine::detector::Engine;
use crate::engine::device::DeviceId;
use crate::engine::fleet::budget::Budgets;
use crate::engine::settings::Settings;
use crate::engine::wire::Limits;
use crate::journal::JournalConfig;
use crate::metrics::DeviceSeries;
use crate::record::incident::ContactEntry;
use crate::runtime::incidents::IncidentsConfig;
use crate::runtime::update_gates::GateConfig;
use crate::store::Location;
use crate::web::AccessSettings;
use crate::words::Zone;

/// How a core is to run.
#[derive(Debug)]
pub struct CoreConfig {
    /// The detector's settings.
    pub settings: Settings,
    /// Topic root.
    pub root: String,
    /// Bounds on what is decoded.
    pub limits: Limits,
    /// What each device may send, and all newcomers together.
    pub budgets: Budgets,
    /// Engine time. If the state that is found is ahead of it, it is set forward to that.
    pub clock: Clock,
    /// The journal; its observer is replaced.
    pub journal: JournalConfig,
    /// Directory of the checkpoints.
    pub checkpoint_dir: PathBuf,
    /// Real time between checkpoints.
    pub checkpoint_interval: Duration,
    /// The incident record; the directory of a file has to be there.
    pub store: Location,
    /// Devices that should report.
    pub expected: Vec<DeviceId>,
    /// Whom to call about devices; what is on record of others stays.
    pub contacts: Vec<ContactEntry>,
    /// How incidents are worked on.
    pub incidents: IncidentsConfig,
    /// The gates of updates; `None`: nothing is decided about updates.
    pub gate: Option<GateConfig>,
    /// Which devices have series in the metrics.
    pub device_series: DeviceSeries,
    /// Zone in which people read times.
    pub zone: Zone,
    /// Who may use the operators' listener, and for what.
    pub access: AccessSettings,
    /// The configuration as people are shown it.
    pub shown: Arc<serde_json::Value>,
    /// An engine that has been fed already. It is taken as it is, whatever state the directories hold: that is for the
    /// demo, whose directories are new.
    pub preload: Option<Engine>,
}

impl CoreConfig {
    /// The defaults, with all state in one directory, which has to be there.
    pub fn in_directory(dir: impl Into<PathBuf>, clock: Clock) -> Self {
        let dir = dir.into();
        Self {
            settings: Settings::default(),
            root: "utm".to_owned(),
            limits: Limits::default(),
            budgets: Budgets::default(),
            clock,
            journal: JournalConfig::new(dir.join("journal")),
            checkpoint_dir: dir.join("checkpoint"),
            checkpoint_interval: Duration::from_secs(60),
            store: Location::File(dir.join("fleetwatch.sqlite")),
            expected: Vec::new(),
            contacts: Vec::new(),
            incidents: IncidentsConfig::default(),
            gate: Some(GateConfig::default()),
            device_series: DeviceSeries::default(),
            zone: Zone::default(),
            access: AccessSettings::default(),
            shown: Arc::default(),
            preload: None,
        }
    }
}
