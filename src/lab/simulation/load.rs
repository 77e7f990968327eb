//! The load generator: as many valid, distinct reports as a broker will take, and how many of them it acknowledged.
//!
//! Every report is one that a device could send at that moment: its uptime is the device's at the time of sending, its
//! period so short that a device's reports never cover more time than has passed, its sequence number new. So the
//! server's ordinary path is measured, not that of duplicates or of a backlog. A device sends at most 1,000 reports a
//! second (the shortest period is a millisecond); for more, there have to be more devices.
//!
//! What a broken connection leaves unacknowledged is sent again with the same (device, boot, seq), so the number of
//! *different* reports that arrive is the number asked for, however often the broker went away.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::{self, Clock};
use crate::engine::device::Status;
use crate::engine::time::Timestamp;
use crate::engine::wire::encode;

use super::device::Body;
use super::mqtt::link::{Flags, Link, Will, packet_number_at, write_publish};
use super::mqtt::{PayloadForm, Progress, Target, stop_of};
use super::{Scenario, Simulation, SimulationConfig};
use crate::runtime::descriptors;
use template::{Identity, LEAST, Template};

mod template;

/// What load to make.
#[derive(Clone, Debug)]
pub struct LoadConfig {
    pub target: Target,
    pub form: PayloadForm,
    /// TCP connections. Each serves `devices / connections` devices; a broker that ties topics to client ids, such as the
    /// embedded one, needs as many connections as devices.
    pub connections: u32,
    pub devices: u32,
    /// Reports a second over all; `None` as fast as the broker acknowledges.
    pub rate: Option<f64>,
    /// Reports in all.
    pub count: u64,
    /// Reports under way on a connection at most.
    pub window: usize,
    pub seed: u64,
}

impl LoadConfig {
    /// A million JSON reports of 1,000 devices over 8 connections, as fast as it goes.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            form: PayloadForm::Json,
            connections: 8,
            devices: 1_000,
            rate: None,
            count: 1_000_000,
            window: 512,
            seed: 1,
        }
    }
}

/// The load cannot be made.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Descriptors(#[from] descriptors::DescriptorError),
    #[error("a load has at least one connection, no more connections than devices, and a positive rate")]
    Shape,
    #[error("{rate} reports a second are more than {devices} devices can send; take at least {needed} devices")]
    TooFewDevices { rate: f64, devices: u32, needed: u64 },
}

/// What became of a load.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LoadOutcome {
    /// Different reports written.
    pub sent: u64,
    /// Different reports that the broker acknowledged.
    pub acked: u64,
    /// Reports written again after a connection broke.
    pub resent: u64,
    /// Connections that could not be made or broke.
    pub failures: u64,
    /// From the first connection's start to the last acknowledgement.
    pub elapsed: Duration,
}

impl fmt::Display for LoadOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { self.acked as f64 / seconds } else { 0.0 };
        write!(
            f,
            "{} reports sent, {} acknowledged, {} sent again, {} connection failures, {seconds:.2} s, {rate:.0} reports/s",
            self.sent, self.acked, self.resent, self.failures
        )
    }
}

/// Reports that one connection lays out before it writes.
const BATCH: u64 = 128;
/// Wait where the pace, not the broker, is what limits.
const PACE: Duration = Duration::from_millis(1);
/// Wait before a failed connection is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Sends the load; ends when every report is acknowledged or `shutdown` says true. `progress` is updated on the way;
/// births of the devices count in none of its numbers.
///
/// # Errors
/// When the load has no possible shape, or the process may not have enough open files. A broker that cannot be reached is
/// not an error: the load waits for it.
pub async fn run(
    config: LoadConfig,
    clock: Clock,
    progress: Arc<Progress>,
    shutdown: watch::Receiver<bool>,
) -> Result<LoadOutcome, LoadError> {
    check(&config)?;
    descriptors::ensure(u64::from(config.connections) + 64)?;
    let epoch = clock.now();
    let simulation = Simulation::new(SimulationConfig {
        devices: config.devices,
        seed: config.seed,
        ..SimulationConfig::new(Scenario::Quiet, epoch)
    });
    let (config, simulation) = (Arc::new(config), Arc::new(simulation));
    let started = clock::monotonic();
    let mut tasks = JoinSet::new();
    for number in 0..config.connections {
        let (config, simulation) = (Arc::clone(&config), Arc::clone(&simulation));
        let (progress, mut shutdown) = (Arc::clone(&progress), shutdown.clone());
        tasks.spawn(async move {
            let mut sender = Sender::new(&config, &simulation, number, clock, &progress, started);
            tokio::select! {
                () = sender.run() => {}
                () = stop_of(&mut shutdown) => {}
            }
            sender.part().await;
        });
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    Ok(LoadOutcome {
        sent: progress.sent.load(Relaxed),
        acked: progress.acked.load(Relaxed),
        resent: progress.resent.load(Relaxed),
        failures: progress.failures.load(Relaxed),
        elapsed: clock::monotonic().duration_since(started),
    })
}

fn check(config: &LoadConfig) -> Result<(), LoadError> {
    let positive = config.rate.is_none_or(|rate| rate.is_finite() && rate > 0.0);
    if config.connections == 0 || config.connections > config.devices || config.window == 0 || !positive {
        return Err(LoadError::Shape);
    }
    match config.rate {
        Some(rate) if rate > 1_000.0 * f64::from(config.devices) => {
            let needed = (rate / 1_000.0).ceil() as u64;
            Err(LoadError::TooFewDevices { rate, devices: config.devices, needed })
        }
        _ => Ok(()),
    }
}

/// One connection's share of the load.
struct Sender<'a> {
    config: &'a LoadConfig,
    clock: Clock,
    progress: &'a Progress,
    started: Instant,
    client_id: String,
    devices: Vec<Loaded>,
    turn: usize,
    /// Reports that are still to be written for the first time.
    left: u64,
    written: u64,
    rate: Option<f64>,
    link: Option<Link>,
    /// Written and not acknowledged, oldest first.
    under_way: VecDeque<UnderWay>,
    next_packet: u16,
    /// Births under way are acknowledged without being counted.
    births: VecDeque<u16>,
}

/// A device of the load.
struct Loaded {
    id: String,
    report_topic: String,
    status_topic: String,
    birth: Status,
    will: Vec<u8>,
    json: bool,
    template: Template,
    packet_at: usize,
    next_seq: u64,
    /// Uptime that the reports so far have covered.
    covered_ms: u64,
}

#[derive(Clone, Copy)]
struct UnderWay {
    packet: u16,
    device: usize,
    identity: Identity,
}

impl<'a> Sender<'a> {
    fn new(
        config: &'a LoadConfig,
        simulation: &Simulation,
        number: u32,
        clock: Clock,
        progress: &'a Progress,
        started: Instant,
    ) -> Self {
        let (connections, count) = (u64::from(config.connections), config.count);
        // Each run is a boot of its own, later than those of the runs before it: none of its reports is a duplicate of theirs.
        let boot = (simulation.config().epoch.as_ms() / 1_000).unsigned_abs();
        let indices = (number..config.devices).step_by(config.connections as usize);
        let devices: Vec<_> = indices.map(|index| Loaded::new(config, simulation, index, boot)).collect();
        Self {
            config,
            clock,
            progress,
            started,
            client_id: simulation.profiles()[number as usize].id.to_string(),
            devices,
            turn: 0,
            left: count / connections + u64::from(u64::from(number) < count % connections),
            written: 0,
            rate: config.rate.map(|rate| rate / f64::from(config.connections)),
            link: None,
            under_way: VecDeque::new(),
            next_packet: 1,
            births: VecDeque::new(),
        }
    }

    async fn run(&mut self) {
        while self.left > 0 || !self.under_way.is_empty() {
            if self.link.is_none() && !self.connect().await {
                tokio::time::sleep(RETRY).await;
                continue;
            }
            if self.step().await.is_err() {
                self.link = None;
                self.progress.connected.fetch_sub(1, Relaxed);
                self.progress.failures.fetch_add(1, Relaxed);
            }
        }
    }

    /// Writes what may be written, then waits for acknowledgements or for the pace.
    async fn step(&mut self) -> Result<(), super::mqtt::LinkError> {
        let room = self.config.window.saturating_sub(self.under_way.len()) as u64;
        let batch = room.min(self.left).min(self.allowed()).min(BATCH);
        let wrote = self.write_new(batch);
        let Some(link) = &mut self.link else { return Ok(()) };
        link.flush().await?;
        let (under_way, births, acked) = (&mut self.under_way, &mut self.births, &self.progress.acked);
        let mut see = |packet| {
            if acknowledge(under_way, packet) {
                acked.fetch_add(1, Relaxed);
            } else {
                births.retain(|&birth| birth != packet);
            }
        };
        if wrote == room || self.left == 0 {
            return link.acks(&mut see).await;
        }
        // More may be written at once, or as soon as the pace allows: what is acknowledged meanwhile is taken along.
        let pause = async {
            if wrote < BATCH {
                tokio::time::sleep(PACE).await;
            }
        };
        tokio::select! {
            biased;
            acks = link.acks(&mut see) => acks,
            () = pause => Ok(()),
        }
    }

    /// How many more reports the rate allows by now.
    fn allowed(&self) -> u64 {
        let Some(rate) = self.rate else { return u64::MAX };
        let due = clock::monotonic().duration_since(self.started).as_secs_f64() * rate;
        (due as u64).saturating_sub(self.written)
    }

    /// Lays up to so many new reports out, fewer when no device's uptime has room for more; returns how many.
    fn write_new(&mut self, batch: u64) -> u64 {
        let now = self.clock.now();
        let uptime_ms = LEAST + clock::monotonic().duration_since(self.started).as_millis() as u64;
        let (mut wrote, mut passed_over) = (0, 0);
        while wrote < batch && passed_over < self.devices.len() {
            let device = self.turn;
            self.turn = (self.turn + 1) % self.devices.len();
            let Some(identity) = self.devices[device].claim(uptime_ms, now) else {
                passed_over += 1;
                continue;
            };
            self.write(device, identity, false);
            (wrote, passed_over) = (wrote + 1, 0);
        }
        self.left -= wrote;
        self.written += wrote;
        self.progress.sent.fetch_add(wrote, Relaxed);
        wrote
    }

    fn write(&mut self, device: usize, identity: Identity, again: bool) {
        let packet = self.take_packet();
        let Some(link) = &mut self.link else { return };
        let loaded = &mut self.devices[device];
        let output = link.output();
        let start = output.len();
        let payload = loaded.template.patched(identity);
        write_publish(output, &loaded.report_topic, payload, packet, Flags { retain: false, again });
        debug_assert_eq!(output[start + loaded.packet_at..start + loaded.packet_at + 2], packet.to_be_bytes());
        self.under_way.push_back(UnderWay { packet, device, identity });
    }

    /// The next packet number that is not under way: more births than numbers are never sent at once.
    fn take_packet(&mut self) -> u16 {
        let packet = self.next_packet;
        self.next_packet = self.next_packet.checked_add(1).unwrap_or(1);
        packet
    }

    /// Connects, says the devices' births and what was not acknowledged before.
    async fn connect(&mut self) -> bool {
        let [first, ..] = self.devices.as_slice() else { return false };
        // A connection of several devices cannot leave a will for each.
        let alone = self.devices.len() == 1;
        let will = alone.then_some(Will { topic: &first.status_topic, payload: &first.will });
        let Ok(link) = Link::open(&self.config.target, &self.client_id, will, 0).await else {
            self.progress.failures.fetch_add(1, Relaxed);
            return false;
        };
        self.link = Some(link);
        self.progress.connects.fetch_add(1, Relaxed);
        self.progress.connected.fetch_add(1, Relaxed);
        self.births.clear();
        let now = self.clock.now();
        for device in 0..self.devices.len() {
            let packet = self.take_packet();
            self.births.push_back(packet);
            let Some(link) = &mut self.link else { return false };
            let loaded = &self.devices[device];
            link.publish(&loaded.status_topic, &loaded.birth(now), packet, Flags { retain: true, again: false });
        }
        for message in std::mem::take(&mut self.under_way) {
            self.write(message.device, message.identity, true);
            self.progress.resent.fetch_add(1, Relaxed);
        }
        true
    }

    async fn part(&mut self) {
        if let Some(link) = self.link.take() {
            link.close().await;
            self.progress.connected.fetch_sub(1, Relaxed);
        }
    }
}

/// Forgets a report that was acknowledged; `false` when none of this number is under way.
fn acknowledge(under_way: &mut VecDeque<UnderWay>, packet: u16) -> bool {
    if under_way.front().is_some_and(|message| message.packet == packet) {
        under_way.pop_front();
        return true;
    }
    match under_way.iter().position(|message| message.packet == packet) {
        Some(at) => under_way.remove(at).is_some(),
        None => false,
    }
}

fn written(json: bool, id: &str, status: &Status) -> Vec<u8> {
    if json { encode::status_json(id, status) } else { encode::status_binary(id, status) }
}

impl Loaded {
    fn new(config: &LoadConfig, simulation: &Simulation, index: u32, boot: u64) -> Self {
        let json = config.form.is_json(index);
        let (root, id) = (&config.target.root, simulation.profiles()[index as usize].id.as_str());
        let report_topic = format!("{root}/v1/{id}/report");
        let (mut birth, mut report) = (None, None);
        let mut sim = simulation.device(index);
        while birth.is_none() || report.is_none() {
            let message = sim.next().expect("a quiet device always has another message");
            match message.body {
                Body::Report(first) => report = report.or_else(|| Some(first.clone())),
                Body::Status(status) => birth = Some(Status { boot, ..status.clone() }),
            }
        }
        let birth = birth.expect("the loop found one");
        let will = written(json, id, &Status { online: false, ..birth.clone() });
        let mut report = report.expect("the loop found one");
        (report.boot, report.period_ms) = (boot, 1);
        let template = Template::new(id, &report, json);
        Self {
            id: id.to_owned(),
            packet_at: packet_number_at(&report_topic, template.len()),
            report_topic,
            status_topic: format!("{root}/v1/{id}/status"),
            birth,
            will,
            json,
            template,
            next_seq: LEAST,
            covered_ms: LEAST,
        }
    }

    /// The birth message of a connection made at `now`. Its wall clock is that of the reports to come: from another one the server
    /// would conclude that they are old.
    fn birth(&self, now: Timestamp) -> Vec<u8> {
        written(self.json, &self.id, &Status { at: now.as_ms(), ..self.birth.clone() })
    }

    /// Identity of the device's next report, if a millisecond has passed that none has covered.
    fn claim(&mut self, uptime_ms: u64, now: Timestamp) -> Option<Identity> {
        // Sequence numbers end with the template's width: after 3.3 thousand million reports of one device.
        if uptime_ms <= self.covered_ms || self.next_seq >= u64::from(u32::MAX) {
            return None;
        }
        // A report covers the millisecond before it; a device that fell behind does not owe the ones it missed.
        let identity = Identity { seq: self.next_seq, uptime_ms: uptime_ms - 1, start: now.plus_ms(-1).as_ms() };
        self.covered_ms = uptime_ms;
        self.next_seq += 1;
        Some(identity)
    }
}

#[cfg(test)]
mod tests;
