//! `record`: subscribes like the collector of `serve`, under a client id of its own, and writes what comes as a recording.
//!
//! A message is acknowledged once its line has been handed to the operating system, so that a recording holds whatever its
//! session was given, over reconnects too. It is written as it came: nothing is decoded and nothing refused. The session
//! is dropped before and after: a recording starts with its start, and no broker keeps messages for one that is over.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::broker::BrokerArgs;
use crate::clock::Clock;
use crate::clock::parse::{duration, speed};
use crate::config::Credentials;
use crate::delivery::{Delivery, DurableSink, Outcome, Sink};
use crate::engine::time::Timestamp;
use crate::ingest::{self, DownReason, IngestConfig, IngestCounters, SessionState, TlsConfig, TlsIdentity};
use crate::recording::{Entry, Writer};
use crate::runtime::mutex::lock;

/// Options of `record`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Each line is {\"at\":MS,\"topic\":\"...\",\"payload\":{...}}, or \"payload_b64\" where the payload is not JSON.

Examples:
  fleetwatch record --broker 127.0.0.1:1883 --output night.jsonl --for 8h
  fleetwatch record --output - | fleetwatch replay -")]
pub struct RecordArgs {
    /// Where to subscribe.
    #[command(flatten)]
    pub broker: BrokerArgs,

    /// Where to write; - is standard output.
    #[arg(long, short, default_value = "-", value_name = "FILE")]
    pub output: PathBuf,

    /// Client id; it must differ from that of `serve`.
    #[arg(long, default_value = "fleetwatch-record", value_name = "ID")]
    pub client_id: String,

    /// End after this time.
    #[arg(long = "for", value_parser = duration, value_name = "DURATION")]
    pub run_for: Option<Duration>,

    /// End after this many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,

    /// Fleet time at the start, in ms since 1970: for recording a simulated fleet that was given the same.
    #[arg(long, hide = true, env = "FLEETWATCH_EPOCH_MS", value_name = "MS")]
    pub epoch: Option<i64>,

    /// Seconds of fleet time in one real second, with --epoch.
    #[arg(long, hide = true, env = "FLEETWATCH_SPEED", value_parser = speed, value_name = "FACTOR")]
    pub speed: Option<f64>,
}

/// How often what was written is flushed and acknowledged.
const FLUSH_EVERY: Duration = Duration::from_millis(50);

/// Writes deliveries as lines. Its sequence numbers count the lines.
struct Tape<W: Write> {
    clock: Clock,
    inner: Mutex<Lines<W>>,
    limit: u64,
}

struct Lines<W: Write> {
    writer: Writer<W>,
    written: u64,
    last: Timestamp,
    failed: Option<io::Error>,
}

impl<W: Write + Send> Tape<W> {
    fn new(output: W, clock: Clock, limit: u64) -> Self {
        let lines = Lines { writer: Writer::new(output), written: 0, last: Timestamp::default(), failed: None };
        Self { clock, inner: Mutex::new(lines), limit }
    }

    /// Hands everything to the operating system; the number of lines that it has.
    fn flush(&self) -> io::Result<u64> {
        let mut lines = lock(&self.inner);
        if let Some(error) = lines.failed.take() {
            return Err(error);
        }
        lines.writer.flush()?;
        Ok(lines.written)
    }
}

impl<W: Write + Send> Sink for Tape<W> {
    fn deliver(&self, delivery: Delivery<'_>) -> Outcome {
        let mut lines = lock(&self.inner);
        if lines.written >= self.limit || lines.failed.is_some() {
            // Not ours any more: left with the broker.
            return Outcome::Busy;
        }
        let at = self.clock.now().max(lines.last);
        let Delivery { topic, payload, retain } = delivery;
        match lines.writer.message(Entry { at, topic, payload, retain }) {
            Ok(()) => {
                lines.last = at;
                lines.written += 1;
                Outcome::Journaled(lines.written)
            }
            Err(error) => {
                lines.failed = Some(error);
                Outcome::Busy
            }
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When the broker's files or the output cannot be used, or the output fails later.
pub fn run(args: &RecordArgs) -> anyhow::Result<()> {
    let clock = match (args.epoch, args.speed) {
        (None, None) => Clock::system(),
        (epoch, speed) => {
            let epoch = epoch.map_or_else(|| Clock::system().now(), Timestamp::from_ms);
            Clock::scaled(epoch, speed.unwrap_or(1.0))
        }
    };
    let ingest = ingest_config(&args.broker, &args.client_id)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let written = if args.output.as_os_str() == "-" {
        runtime.block_on(record(args, ingest, clock, io::stdout()))
    } else {
        let file = File::create(&args.output).with_context(|| format!("cannot make {}", args.output.display()))?;
        let synced = file.try_clone().context("cannot use the output")?;
        let written = runtime.block_on(record(args, ingest, clock, file))?;
        synced.sync_all().with_context(|| format!("cannot write {}", args.output.display()))?;
        Ok(written)
    }?;
    tracing::info!(messages = written, "recorded");
    Ok(())
}

/// Records until a signal comes, a limit is reached or the output fails; how many messages there are.
async fn record<W: Write + Send + 'static>(
    args: &RecordArgs,
    ingest: IngestConfig,
    clock: Clock,
    output: W,
) -> anyhow::Result<u64> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let limit = args.messages.unwrap_or(u64::MAX);
    let tape = Arc::new(Tape::new(BufWriter::with_capacity(256 * 1024, output), clock, limit));
    let (durable_out, durable) = watch::channel(0);
    let (stop, stopped) = watch::channel(false);
    let (state_out, state) = watch::channel(SessionState::Connecting);
    let intake = DurableSink::new(Arc::clone(&tape) as Arc<dyn Sink>, durable);
    // Left by a recording that was killed. If the broker cannot be reached, the collector says so.
    ingest::forget(&ingest).await.context("cannot use the broker's settings")?;
    let session = ingest.clone();
    let collector = tokio::spawn(ingest::run(ingest, intake, Arc::new(IngestCounters::default()), state_out, stopped));
    let told = tokio::spawn(tell(state));
    let writing = || format!("cannot write {}", shown(&args.output));
    let mut every = tokio::time::interval(FLUSH_EVERY);
    let over = tokio::time::sleep(args.run_for.unwrap_or(Duration::MAX / 4));
    tokio::pin!(over);
    let outcome = loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = tokio::signal::ctrl_c() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
            () = &mut over => break Ok(()),
        }
        match tape.flush() {
            Ok(written) => {
                durable_out.send_replace(written);
                if written >= limit {
                    break Ok(());
                }
            }
            Err(error) => break Err(error).with_context(writing),
        }
        if collector.is_finished() {
            break Ok(());
        }
    };
    outcome?;
    // What has been read so far is acknowledged, and then no more is read.
    durable_out.send_replace(tape.flush().with_context(writing)?);
    stop.send_replace(true);
    let ending = collector.await.context("the collector has ended abnormally")?;
    let written = tape.flush().with_context(writing)?;
    told.abort();
    ending.context("the collector has ended")?;
    if !ingest::forget(&session).await? {
        tracing::warn!(client_id = args.client_id, "the broker may go on keeping messages for this client id");
    }
    Ok(written)
}

/// Tells of each turn of the session.
async fn tell(mut state: watch::Receiver<SessionState>) {
    while state.changed().await.is_ok() {
        match *state.borrow_and_update() {
            SessionState::Up { .. } => tracing::info!("recording"),
            SessionState::Connecting => {}
            SessionState::Down { reason: DownReason::NotAuthorized, .. } => {
                tracing::error!("the broker does not let this client in");
            }
            SessionState::Down { reason, .. } => {
                tracing::warn!(reason = reason.as_str(), "not connected; trying again")
            }
            SessionState::TakenOver { .. } => tracing::error!("another client uses this client id; see --client-id"),
        }
    }
}

fn shown(output: &Path) -> String {
    if output.as_os_str() == "-" { "standard output".to_owned() } else { output.display().to_string() }
}

fn ingest_config(args: &BrokerArgs, client_id: &str) -> anyhow::Result<IngestConfig> {
    let credentials = args.credentials_file.as_deref().map(Credentials::read).transpose()?;
    let identity = args.cert_file.clone().zip(args.key_file.clone());
    let tls = args.ca_file.clone().map(|ca| TlsConfig {
        ca,
        identity: identity.map(|(certificate, key)| TlsIdentity { certificate, key }),
        server_name: None,
    });
    Ok(IngestConfig {
        host: args.broker.host.clone(),
        port: args.broker.port,
        tls,
        credentials: credentials.map(|Credentials { username, password }| ingest::Credentials { username, password }),
        client_id: client_id.to_owned(),
        root: args.root.clone(),
        ..IngestConfig::default()
    })
}
