//! The fleet over real MQTT: every device its own TCP connection, client id and will.
//!
//! A device is one task. It takes its messages from the same [`DeviceSim`] as the in-process simulation when the clock
//! reaches their arrival, sends them at QoS 1, and keeps each until the broker has acknowledged it; what was not
//! acknowledged before a connection broke is sent again on the next one, with the same (device, boot, seq). A cut
//! line and a reboot are real: the connection is dropped without leave, so the broker publishes the will.
//!
//! Nothing grows without bound: a device keeps [`FleetConfig::max_kept`] messages, then drops the oldest and counts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::clock::{self, Clock};
use crate::engine::device::Status;
use crate::engine::time::Timestamp;
use crate::engine::wire::encode::{self, LatencyForm};

use super::Simulation;
use super::device::{Body, DeviceSim};
use super::random::Stream;
use crate::runtime::descriptors;
use outbox::Outbox;

pub(crate) mod link;
mod lockstep;
mod outbox;

use link::{Link, Will};
pub use link::{LinkError, Target};
pub use lockstep::Lockstep;

/// In which form messages are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PayloadForm {
    #[default]
    Json,
    Binary,
    /// Devices of even number in JSON, the others in the binary form.
    Mixed,
}

impl PayloadForm {
    /// Whether device number `index` writes JSON.
    pub fn is_json(self, index: u32) -> bool {
        match self {
            Self::Json => true,
            Self::Binary => false,
            Self::Mixed => index.is_multiple_of(2),
        }
    }
}

/// How the fleet connects.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    pub target: Target,
    pub form: PayloadForm,
    /// How reports write their delays.
    pub latency: LatencyForm,
    /// New connections per second while the fleet starts.
    pub connects_per_s: u32,
    /// Messages that a device keeps while they cannot be sent or are not acknowledged.
    pub max_kept: usize,
    /// Real seconds after which an idle device pings.
    pub keep_alive_s: u16,
    /// Reports that arrive before this instant are not sent: whoever listens has had them already.
    pub from: Option<Timestamp>,
    /// Where devices tell that they have delivered what was due, for a clock that is moved in steps.
    pub lockstep: Option<Arc<Lockstep>>,
}

impl FleetConfig {
    /// JSON, 500 new connections a second, an hour's reports kept with room to spare.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            form: PayloadForm::Json,
            latency: LatencyForm::Counts,
            connects_per_s: 500,
            max_kept: 1_000,
            keep_alive_s: 30,
            from: None,
            lockstep: None,
        }
    }
}

/// What the fleet has done so far; shared, relaxed counters.
#[derive(Debug, Default)]
pub struct Progress {
    /// Devices that are connected.
    pub connected: AtomicU64,
    /// Connections made.
    pub connects: AtomicU64,
    /// Connections that could not be made or broke.
    pub failures: AtomicU64,
    /// Messages written for the first time.
    pub sent: AtomicU64,
    /// Messages written again on a new connection.
    pub resent: AtomicU64,
    /// Messages that the broker has acknowledged.
    pub acked: AtomicU64,
    /// Messages that were given up because too many were kept.
    pub dropped: AtomicU64,
    /// Connections that a device left without leave, as its story says: the broker publishes a will for each.
    pub cut: AtomicU64,
}

/// Connections that are being made at the same time.
const MAX_OPENING: usize = 64;
/// Descriptors beside those of the devices.
const OTHER_DESCRIPTORS: u64 = 128;
/// At the end, devices wait this long for acknowledgements.
const PARTING: Duration = Duration::from_secs(2);

struct Fleet {
    simulation: Arc<Simulation>,
    config: FleetConfig,
    clock: Clock,
    progress: Arc<Progress>,
    opening: Semaphore,
}

/// Runs the fleet until `shutdown` says true or closes. The clock's epoch should be the simulation's.
///
/// # Errors
/// When the process may not have enough open files. A broker that cannot be reached is not an error: devices try again.
pub async fn run(
    simulation: Arc<Simulation>,
    config: FleetConfig,
    clock: Clock,
    progress: Arc<Progress>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), descriptors::DescriptorError> {
    let devices = simulation.config().devices;
    descriptors::ensure(u64::from(devices) + OTHER_DESCRIPTORS)?;
    let pace = Duration::from_secs(1) / config.connects_per_s.max(1);
    let fleet = Arc::new(Fleet { simulation, config, clock, progress, opening: Semaphore::new(MAX_OPENING) });
    let mut tasks = JoinSet::new();
    for index in 0..devices {
        let (fleet, mut shutdown) = (Arc::clone(&fleet), shutdown.clone());
        let turn = pace * index;
        tasks.spawn(async move {
            let stopped = tokio::select! {
                () = tokio::time::sleep(turn) => false,
                () = stop_of(&mut shutdown) => true,
            };
            if !stopped {
                let mut device = Device::new(&fleet, index);
                if let Some(from) = fleet.config.from {
                    device.begin_at(from);
                }
                device.run(shutdown).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    Ok(())
}

/// One device's task.
struct Device<'a> {
    fleet: &'a Fleet,
    sim: DeviceSim<'a>,
    id: &'a str,
    report_topic: String,
    status_topic: String,
    json: bool,
    outbox: Outbox,
    link: Option<Link>,
    /// The status that a new connection has to say first, and the will that goes with it.
    birth: Option<(Vec<u8>, Vec<u8>)>,
    boot: Option<u64>,
    first_boot: Option<u64>,
    attempts: u32,
    not_before: Option<Instant>,
    last_sent: Instant,
    jitter: Stream,
    /// The last step of the fleet that it has told to have delivered.
    delivered: Timestamp,
}

/// Why the device woke up.
enum Wake {
    Due,
    Acked(Result<(), LinkError>),
    Stop,
}

impl<'a> Device<'a> {
    fn new(fleet: &'a Fleet, index: u32) -> Self {
        let profile = &fleet.simulation.profiles()[index as usize];
        let (root, id) = (&fleet.config.target.root, profile.id.as_str());
        Self {
            fleet,
            sim: fleet.simulation.device(index),
            id,
            report_topic: format!("{root}/v1/{id}/report"),
            status_topic: format!("{root}/v1/{id}/status"),
            json: fleet.config.form.is_json(index),
            outbox: Outbox::new(fleet.config.max_kept),
            link: None,
            birth: None,
            boot: None,
            first_boot: None,
            attempts: 0,
            not_before: None,
            last_sent: clock::monotonic(),
            jitter: Stream::new(profile.seed, 401),
            delivered: Timestamp::from_ms(i64::MIN),
        }
    }

    /// Leaves the reports before `from` unsent, and is what it had become by then.
    fn begin_at(&mut self, from: Timestamp) {
        while self.sim.peek().is_some_and(|at| at < from) {
            let Some(message) = self.sim.next() else { return };
            if let Body::Status(status) = message.body {
                let status = status.clone();
                self.note_boot(status.boot);
                if status.online {
                    self.say(&status);
                }
            }
        }
    }

    async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        loop {
            let now = self.fleet.clock.now();
            self.take_due(now);
            self.connect_or_drop(now).await;
            self.send().await;
            self.tell_delivered(now);
            let (next, rest) = (self.next_due(now), self.rest(now));
            let outbox = &mut self.outbox;
            let acked = &self.fleet.progress.acked;
            let wake = tokio::select! {
                biased;
                () = stop_of(&mut shutdown) => Wake::Stop,
                result = acks_of(&mut self.link, |packet| {
                    if outbox.acknowledge(packet) {
                        acked.fetch_add(1, Relaxed);
                    }
                }) => Wake::Acked(result),
                () = self.fleet.simulation.remedies().news(self.sim.index()) => Wake::Due,
                () = self.fleet.clock.sleep_until(next) => Wake::Due,
                () = tokio::time::sleep(rest) => Wake::Due,
            };
            match wake {
                Wake::Stop => break,
                Wake::Acked(Err(_)) => self.lose_link(),
                Wake::Acked(Ok(())) | Wake::Due => {}
            }
        }
        self.part().await;
    }

    /// Writes the messages whose time has come.
    fn take_due(&mut self, now: Timestamp) {
        self.sim.take_up();
        while self.sim.peek().is_some_and(|at| at <= now) {
            let Some(message) = self.sim.next() else { return };
            match message.body {
                Body::Report(report) => {
                    let write = if self.json { encode::report_json } else { encode::report_binary };
                    let payload = write(self.id, report, self.fleet.config.latency);
                    self.fleet.progress.dropped.fetch_add(self.outbox.push(payload, false), Relaxed);
                }
                // The broker tells of a lost device by itself.
                Body::Status(status) if !status.online => {}
                Body::Status(status) => {
                    let status = status.clone();
                    if self.boot.is_some_and(|boot| boot != status.boot) {
                        self.cut();
                    }
                    self.note_boot(status.boot);
                    self.say(&status);
                }
            }
        }
    }

    /// Takes a status up as the one to say now and after each new connection, and its will.
    fn say(&mut self, status: &Status) {
        let write = if self.json { encode::status_json } else { encode::status_binary };
        let will = Status { online: false, ..status.clone() };
        let payload = write(self.id, status);
        if self.link.is_some() {
            self.fleet.progress.dropped.fetch_add(self.outbox.push(payload.clone(), true), Relaxed);
        }
        self.birth = Some((payload, write(self.id, &will)));
    }

    fn note_boot(&mut self, boot: u64) {
        self.first_boot.get_or_insert(boot);
        self.boot = Some(boot);
    }

    /// Whether the line is cut, or the device off or starting again.
    fn is_down(&self, now: Timestamp) -> bool {
        let plan = &self.fleet.simulation.plans()[self.sim.index() as usize];
        let starts = self.first_boot.zip(self.boot).map_or(0, |(first, boot)| boot.saturating_sub(first));
        let is_starting = || plan.reboots.iter().filter(|&&at| at <= now).count() as u64 > starts;
        plan.cuts.iter().chain(&plan.silences).any(|span| now >= span.from && now < span.to)
            || (self.boot.is_some() && is_starting())
    }

    async fn connect_or_drop(&mut self, now: Timestamp) {
        if self.is_down(now) {
            self.cut();
            return;
        }
        if self.link.is_some() || self.not_before.is_some_and(|at| at > clock::monotonic()) {
            return;
        }
        // A device that has not said who it is has nothing to connect for.
        let Some((birth, will)) = &self.birth else { return };
        let opened = {
            let _turn = self.fleet.opening.acquire().await;
            let will = Will { topic: &self.status_topic, payload: will };
            Link::open(&self.fleet.config.target, self.id, Some(will), self.fleet.config.keep_alive_s.max(1) * 2).await
        };
        match opened {
            Ok(link) => {
                self.outbox.reconnected(birth.clone());
                self.link = Some(link);
                (self.attempts, self.not_before) = (0, None);
                self.fleet.progress.connects.fetch_add(1, Relaxed);
                self.fleet.progress.connected.fetch_add(1, Relaxed);
            }
            Err(_) => self.back_off(),
        }
    }

    fn count_disconnect(&self) {
        self.fleet.progress.connected.fetch_sub(1, Relaxed);
    }

    /// Drops the connection without leave, as a cut line or a reboot does.
    fn cut(&mut self) {
        if self.link.take().is_some() {
            self.count_disconnect();
            self.fleet.progress.cut.fetch_add(1, Relaxed);
        }
    }

    /// Tells, once a step, that everything is acknowledged that was due by it.
    fn tell_delivered(&mut self, now: Timestamp) {
        let Some(lockstep) = &self.fleet.config.lockstep else { return };
        let target = lockstep.target();
        if target <= self.delivered || now < target {
            return;
        }
        let is_sent = self.link.is_some() && self.outbox.is_empty();
        if is_sent || self.birth.is_none() || self.is_down(now) {
            self.delivered = target;
            lockstep.done();
        }
    }

    fn lose_link(&mut self) {
        if self.link.take().is_some() {
            self.count_disconnect();
        }
        self.back_off();
    }

    /// Doubles the wait from 0.1 s to at most 5 s, of which half is chance.
    fn back_off(&mut self) {
        self.fleet.progress.failures.fetch_add(1, Relaxed);
        let ceiling = (0.1 * f64::from(1u32 << self.attempts.min(6))).min(5.0);
        self.attempts += 1;
        let wait = Duration::from_secs_f64(ceiling * self.jitter.between(0.5, 1.0));
        self.not_before = Some(clock::monotonic() + wait);
    }

    async fn send(&mut self) {
        let Some(link) = &mut self.link else { return };
        let (topics, before) = ((&self.report_topic, &self.status_topic), clock::monotonic());
        let mut wrote = false;
        let progress = &self.fleet.progress;
        while let Some(message) = self.outbox.next_to_send() {
            let topic = if message.status { topics.1 } else { topics.0 };
            link.publish(topic, message.payload, message.packet, message.flags());
            let counter = if message.again { &progress.resent } else { &progress.sent };
            counter.fetch_add(1, Relaxed);
            wrote = true;
        }
        if !wrote && before.duration_since(self.last_sent).as_secs() >= u64::from(self.fleet.config.keep_alive_s) {
            link.ping();
            wrote = true;
        }
        if wrote {
            self.last_sent = before;
            if link.flush().await.is_err() {
                self.lose_link();
            }
        }
    }

    /// When there is something to do by the fleet's clock: at its next move, where it is moved in steps.
    fn next_due(&self, now: Timestamp) -> Timestamp {
        if self.fleet.config.lockstep.is_some() {
            return now.plus_ms(1);
        }
        let plan = &self.fleet.simulation.plans()[self.sim.index() as usize];
        let edges = plan.cuts.iter().chain(&plan.silences).flat_map(|span| [span.from, span.to]);
        let edges = edges.chain(plan.reboots.iter().copied()).filter(|&at| at > now);
        let next = edges.chain(self.sim.peek()).min();
        next.unwrap_or(Timestamp::from_ms(i64::MAX))
    }

    /// Real time until the connection wants something. An hour bounds what the timer would have to hold.
    fn rest(&self, now: Timestamp) -> Duration {
        if self.link.is_some() {
            return Duration::from_secs(u64::from(self.fleet.config.keep_alive_s));
        }
        let again = self.not_before.filter(|_| !self.is_down(now));
        let wait = again.map_or(Duration::MAX, |at| at.saturating_duration_since(clock::monotonic()));
        // The timer's grain.
        wait.clamp(Duration::from_millis(1), Duration::from_secs(3_600))
    }

    /// Waits a little for what is not acknowledged, then takes leave.
    async fn part(mut self) {
        let Some(mut link) = self.link.take() else { return };
        let outbox = &mut self.outbox;
        let acked = &self.fleet.progress.acked;
        let settle = async {
            while outbox.is_waiting_for_acks() {
                let see = |packet| {
                    if outbox.acknowledge(packet) {
                        acked.fetch_add(1, Relaxed);
                    }
                };
                if link.acks(see).await.is_err() {
                    return;
                }
            }
        };
        // Whatever is still open after this was sent and may or may not have been kept: QoS 1 promises no more.
        let _ = tokio::time::timeout(PARTING, settle).await;
        link.close().await;
        self.count_disconnect();
    }
}

/// Returns when the shutdown says true or nobody can say it any more. Cancel-safe.
pub(crate) async fn stop_of(shutdown: &mut watch::Receiver<bool>) {
    // Closing means the same as true.
    let _ = shutdown.wait_for(|&stop| stop).await;
}

/// Acknowledgements of a connection; without one, none ever come.
async fn acks_of(link: &mut Option<Link>, see: impl FnMut(u16)) -> Result<(), LinkError> {
    match link {
        Some(link) => link.acks(see).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
