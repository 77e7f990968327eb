//! What may be taken before somebody else has too little: descriptors of the process, and the journal.

use crate::config::{AllowanceConfig, BrokerMode, Config};
use crate::engine::fleet::budget::{Allowance, Budgets};
use crate::runtime::descriptors;
use crate::web::HttpConfig;

/// What senders may cost. However large a burst is set, one device's is no more than a quarter of the journal, and that of all
/// newcomers no more than half: what others have sent stays.
pub fn budgets(config: &Config) -> Budgets {
    let journal = u64::from(config.journal.max_size_mib) << 20;
    let allowance = |set: &AllowanceConfig, most: u64| Allowance {
        messages_per_s: set.messages_per_s,
        burst_messages: set.burst_messages,
        bytes_per_s: u64::from(set.kib_per_s) << 10,
        burst_bytes: (u64::from(set.burst_mib) << 20).min(most),
    };
    let ingest = &config.ingest;
    Budgets { device: allowance(&ingest.device, journal / 4), newcomers: allowance(&ingest.newcomers, journal / 2) }
}

/// How many of the files that the process may have open connections may take: of devices, and of browsers and programs.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Connections of devices to the embedded broker.
    pub devices: u32,
    /// Connections to the pages.
    pub pages: usize,
}

impl Room {
    /// Raises the soft limit, and leaves some descriptors for the journal, checkpoints and the record, whatever comes in. Devices are
    /// refused before the process starves.
    pub fn make(config: &Config) -> Self {
        let files = descriptors::raise();
        let kept = (files / 2).min(512);
        let devices = u32::try_from(files - kept).unwrap_or(u32::MAX);
        let pages = HttpConfig::default().max_connections.min(usize::try_from(kept / 2).unwrap_or(usize::MAX));
        let wanted = config.detector.max_devices;
        if config.broker.mode == BrokerMode::Embedded && devices < wanted {
            tracing::warn!(
                files,
                devices,
                max_devices = wanted,
                "the limit of open files is too low for detector.max_devices: further devices are refused; raise the hard \
                 limit (ulimit -Hn, or LimitNOFILE= in the systemd unit)"
            );
        }
        Self { devices, pages }
    }
}
