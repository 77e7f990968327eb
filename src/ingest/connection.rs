//! One connection to the broker: connect, subscribe, take over, acknowledge, and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use rumqttc::{
    Disconnect, Event, EventLoop, MqttOptions, NetworkOptions, Packet, PingReq, PubAck, Publish, QoS, Request,
    StateError, SubAck, Subscribe, SubscribeFilter, SubscribeReasonCode,
};
use tokio::sync::watch;

use super::acks::Acks;
use super::backoff::{Backoff, write_limit};
use super::outbox::Outbox;
use super::reason::{reason_of, reason_of_state};
use super::{DownReason, IngestCounters, IngestError, SessionState, SessionStates};
use crate::clock;
use crate::delivery::{Delivery, DurableSink, Outcome};

/// Pause before a busy sink is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// Longest wait at shutdown for what was read to become durable.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Events gathered from the socket before they are worked off.
const BATCH: usize = 512;
/// Pause between two reads of the socket, unless one brings so many events that we seem to be behind: a wake-up costs as
/// much as several messages, so at 20,000 messages a second each is better worth 200 than two. What waits is in the socket.
const GATHER: Duration = Duration::from_millis(10);
const BEHIND: usize = 256;

/// One connection and everything that outlives its sessions.
pub(super) struct Connection {
    pub(super) index: usize,
    pub(super) options: MqttOptions,
    pub(super) filters: Vec<String>,
    pub(super) window: usize,
    pub(super) intake: DurableSink,
    pub(super) counters: Arc<IngestCounters>,
    pub(super) board: Arc<SessionStates>,
    pub(super) shutdown: watch::Receiver<bool>,
    pub(super) backoff: Backoff,
    pub(super) outbox: Outbox,
}

/// How a session ended.
enum End {
    Shutdown,
    JournalEnded,
    /// Never got as far as a connection.
    NotConnected(DownReason),
    Lost {
        reason: DownReason,
        lived: Duration,
    },
}

/// Why a session cannot go on.
enum Fault {
    Shutdown,
    JournalEnded,
    Down(DownReason),
}

impl Connection {
    /// Until shutdown, or until nothing can be acknowledged any more.
    pub(super) async fn run(mut self) -> Result<(), IngestError> {
        let mut subscribed = false;
        loop {
            self.board.set(self.index, SessionState::Connecting);
            self.outbox.count_untold(&self.counters.untold);
            let (reason, retry) = match self.session(&mut subscribed).await {
                End::Shutdown => return Ok(()),
                End::JournalEnded => return Err(IngestError::JournalEnded),
                End::NotConnected(reason) => {
                    count(&self.counters.connect_failures);
                    (reason, self.backoff.not_connected())
                }
                End::Lost { reason, lived } => {
                    count(&self.counters.disconnects);
                    self.blame_publishing(reason);
                    (reason, self.backoff.lost(clock::monotonic(), lived, reason == DownReason::Closed))
                }
            };
            let since = clock::monotonic();
            let (delay_ms, connection) = (retry.delay.as_millis(), self.index);
            if retry.taken_over {
                count(&self.counters.takeovers);
                self.board.set(self.index, SessionState::TakenOver { since });
                tracing::warn!(connection, delay_ms, "another client seems to use our client id");
            } else {
                self.board.set(self.index, SessionState::Down { reason, since });
                tracing::info!(connection, delay_ms, reason = reason.as_str(), "not connected to the broker");
            }
            tokio::select! {
                () = tokio::time::sleep(retry.delay) => {}
                () = stopped(&mut self.shutdown) => return Ok(()),
            }
        }
    }

    fn blame_publishing(&mut self, reason: DownReason) {
        if let Some(pause) = self.outbox.lost(clock::monotonic(), reason == DownReason::Closed) {
            count(&self.counters.publish_pauses);
            let pause_s = pause.as_secs();
            tracing::error!(
                pause_s,
                "the broker closes the connection whenever a gate is published: may we write there? see its access list"
            );
        }
    }

    async fn session(&mut self, subscribed: &mut bool) -> End {
        // A new event loop each time: the old one would hand out what it had read before the loss, with packet ids that
        // mean other messages now.
        let mut events = EventLoop::new(self.options.clone(), 1);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        events.set_network_options(network);
        let connack = tokio::select! {
            connected = events.poll() => connected,
            () = stopped(&mut self.shutdown) => return End::Shutdown,
        };
        let session_present = match connack {
            Ok(Event::Incoming(Packet::ConnAck(connack))) => connack.session_present,
            Ok(_) => return End::NotConnected(DownReason::Protocol),
            Err(error) => {
                tracing::debug!(%error, "no connection");
                return End::NotConnected(reason_of(&error));
            }
        };
        count(&self.counters.connects);
        self.outbox.begin();
        let born = clock::monotonic();
        let mut session = Session {
            connection: self,
            events,
            acks: Acks::default(),
            held: None,
            session_present,
            suback_due: false,
            subscribed,
            ping_at: born,
            read_at: born,
            brought: 0,
        };
        let fault = session.serve().await;
        session.connection.counters.in_flight.fetch_sub(session.acks.len() as u64, Ordering::Relaxed);
        match fault {
            Fault::Shutdown => End::Shutdown,
            Fault::JournalEnded => End::JournalEnded,
            Fault::Down(reason) => End::Lost { reason, lived: clock::monotonic().duration_since(born) },
        }
    }
}

/// What lives as long as one network connection.
struct Session<'a> {
    connection: &'a mut Connection,
    events: EventLoop,
    acks: Acks,
    /// The message that a busy sink did not take.
    held: Option<Publish>,
    session_present: bool,
    suback_due: bool,
    subscribed: &'a mut bool,
    /// When the next ping of our own is due while the event loop is not polled.
    ping_at: Instant,
    /// When the socket was read last, and how many events that brought.
    read_at: Instant,
    brought: usize,
}

impl Session<'_> {
    async fn serve(&mut self) -> Fault {
        let result = self.serve_until_fault().await;
        let Err(fault) = result;
        match fault {
            Fault::Shutdown => self.farewell().await,
            // What had been read before the connection broke is kept, though it can no longer be acknowledged: a broker
            // that was killed may have nothing to send again.
            Fault::Down(_) => drop(self.work_off()),
            Fault::JournalEnded => {}
        }
        fault
    }

    async fn serve_until_fault(&mut self) -> Result<std::convert::Infallible, Fault> {
        // A session that is new is without subscriptions until the broker has confirmed them, over however many tries.
        *self.subscribed &= self.session_present;
        if *self.subscribed {
            self.up();
        } else {
            self.subscribe().await?;
        }
        loop {
            self.work_off()?;
            self.acknowledge().await?;
            self.publish().await?;
            if self.blocked() {
                self.wait_blocked().await?;
            } else {
                self.read().await?;
            }
        }
    }

    fn up(&self) {
        let state = SessionState::Up { session_present: self.session_present };
        self.connection.board.set(self.connection.index, state);
        let connection = self.connection.index;
        tracing::info!(connection, session_present = self.session_present, "connected to the broker");
    }

    async fn subscribe(&mut self) -> Result<(), Fault> {
        let filters = &self.connection.filters;
        let filters = filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
        self.suback_due = true;
        self.send(Request::Subscribe(Subscribe::new_many(filters))).await
    }

    /// Sends what the broker is to hold for us and does not yet.
    async fn publish(&mut self) -> Result<(), Fault> {
        self.connection.outbox.count_untold(&self.connection.counters.untold);
        // Not before the subscription: whoever we wait for comes first.
        while let (true, Some((topic, payload))) = (*self.subscribed, self.connection.outbox.next(clock::monotonic())) {
            let mut publish = Publish::new(topic.clone(), QoS::AtLeastOnce, payload.clone());
            publish.retain = true;
            let packet = self.prepare(Request::Publish(publish))?;
            let Some(Packet::Publish(Publish { pkid, .. })) = packet else {
                return Err(Fault::Down(DownReason::Protocol));
            };
            self.connection.outbox.sent(pkid, (topic, payload), clock::monotonic());
            self.write(packet).await?;
        }
        Ok(())
    }

    /// Sends one packet now.
    async fn send(&mut self, request: Request) -> Result<(), Fault> {
        let packet = self.prepare(request)?;
        self.write(packet).await
    }

    fn prepare(&mut self, request: Request) -> Result<Option<Packet>, Fault> {
        self.events.state.handle_outgoing_packet(request).map_err(|error| fault(&error))
    }

    async fn write(&mut self, packet: Option<Packet>) -> Result<(), Fault> {
        let limit = write_limit(self.connection.options.keep_alive());
        let network = self.events.network.as_mut().ok_or(Fault::Down(DownReason::Closed))?;
        let written = tokio::time::timeout(limit, async {
            if let Some(packet) = packet {
                network.write(packet).await?;
            }
            network.flush().await
        });
        match written.await {
            Ok(written) => written.map_err(|error| fault(&error)),
            Err(_) => Err(Fault::Down(DownReason::Timeout)),
        }
    }

    /// Gives what has been read to the sink, until nothing is left, the window is full or the sink is busy.
    fn work_off(&mut self) -> Result<(), Fault> {
        while self.acks.len() < self.connection.window {
            let publish = match self.held.take() {
                Some(publish) => publish,
                None => match self.events.state.events.pop_front() {
                    None => return Ok(()),
                    Some(Event::Incoming(Packet::Publish(publish))) => {
                        self.received(&publish);
                        publish
                    }
                    Some(Event::Incoming(Packet::SubAck(suback))) => {
                        self.subscribed(&suback)?;
                        continue;
                    }
                    Some(Event::Incoming(Packet::PubAck(puback))) => {
                        if self.connection.outbox.acknowledged(puback.pkid) {
                            count(&self.connection.counters.published);
                        }
                        continue;
                    }
                    Some(_) => continue,
                },
            };
            let delivery = Delivery { topic: &publish.topic, payload: &publish.payload, retain: publish.retain };
            let acked = publish.qos != QoS::AtMostOnce;
            match self.connection.intake.sink.deliver(delivery) {
                Outcome::Journaled(lsn) if acked => self.acks.journaled(publish.pkid, lsn),
                Outcome::Journaled(_) => continue,
                // One connection carries everybody's messages, so nobody can be made slower here.
                Outcome::Refused | Outcome::OverBudget => {
                    count(&self.connection.counters.refused);
                    if !acked {
                        continue;
                    }
                    self.acks.refused(publish.pkid);
                }
                Outcome::Busy => {
                    count(&self.connection.counters.busy_waits);
                    self.held = Some(publish);
                    return Ok(());
                }
            }
            count(&self.connection.counters.in_flight);
        }
        Ok(())
    }

    fn received(&self, publish: &Publish) {
        let counters = &self.connection.counters;
        count(&counters.messages);
        counters.bytes.fetch_add(publish.payload.len() as u64, Ordering::Relaxed);
        if publish.dup {
            count(&counters.redeliveries);
        }
    }

    fn subscribed(&mut self, suback: &SubAck) -> Result<(), Fault> {
        let granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(QoS::AtLeastOnce));
        let all = suback.return_codes.len() == self.connection.filters.len();
        if !all || !suback.return_codes.iter().all(granted) {
            count(&self.connection.counters.subscriptions_refused);
            let (filters, answers) = (&self.connection.filters, &suback.return_codes);
            tracing::error!(?filters, ?answers, "the broker refused a subscription or its quality of service");
            return Err(Fault::Down(DownReason::SubscriptionRefused));
        }
        if std::mem::take(&mut self.suback_due) {
            *self.subscribed = true;
            self.up();
        }
        Ok(())
    }

    /// Acknowledges all that is durable, with one flush.
    async fn acknowledge(&mut self) -> Result<(), Fault> {
        let durable = *self.connection.intake.durable.borrow_and_update();
        let Some(first) = self.acks.next(durable) else { return Ok(()) };
        let network = self.events.network.as_mut().ok_or(Fault::Down(DownReason::Closed))?;
        let limit = write_limit(self.connection.options.keep_alive());
        let acks = &mut self.acks;
        let written = tokio::time::timeout(limit, async {
            let (mut packet, mut written) = (Some(first), 0);
            while let Some(id) = packet {
                network.write(Packet::PubAck(PubAck::new(id))).await?;
                written += 1;
                packet = acks.next(durable);
            }
            network.flush().await?;
            Ok::<u64, StateError>(written)
        });
        let written = match written.await {
            Ok(written) => written.map_err(|error| fault(&error))?,
            Err(_) => return Err(Fault::Down(DownReason::Timeout)),
        };
        let counters = &self.connection.counters;
        counters.acks.fetch_add(written, Ordering::Relaxed);
        counters.in_flight.fetch_sub(written, Ordering::Relaxed);
        count(&counters.ack_batches);
        Ok(())
    }

    /// Whether reading on would only pile up.
    fn blocked(&self) -> bool {
        self.held.is_some() || self.acks.len() >= self.connection.window
    }

    /// Waits for the journal without reading; the broker hears from us by pings.
    async fn wait_blocked(&mut self) -> Result<(), Fault> {
        let ping_every = self.connection.options.keep_alive() / 2;
        let now = clock::monotonic();
        if now.duration_since(self.ping_at) >= ping_every {
            self.ping_at = now;
            // The answer waits unread behind the messages, so none may be owed, neither now nor when reading resumes.
            self.events.state.await_pingresp = false;
            self.send(Request::PingReq(PingReq)).await?;
            self.events.state.await_pingresp = false;
            self.events.state.events.retain(|event| !matches!(event, Event::Outgoing(_)));
        }
        let connection = &mut *self.connection;
        let until_ping = ping_every.saturating_sub(now.duration_since(self.ping_at));
        let pause = if self.held.is_some() { BUSY_PAUSE.min(until_ping) } else { until_ping };
        tokio::select! {
            changed = connection.intake.durable.changed() => changed.map_err(|_| Fault::JournalEnded),
            () = tokio::time::sleep(pause) => Ok(()),
            () = connection.outbox.changed() => Ok(()),
            () = stopped(&mut connection.shutdown) => Err(Fault::Shutdown),
        }
    }

    /// Reads what is there, or waits until something is, or until something became durable.
    async fn read(&mut self) -> Result<(), Fault> {
        if self.brought < BEHIND && !self.gathered().await? {
            return Ok(());
        }
        self.ping_at = clock::monotonic();
        let connection = &mut *self.connection;
        tokio::select! {
            event = self.events.poll() => {
                let event = event.map_err(|error| {
                    tracing::debug!(%error, "connection lost");
                    Fault::Down(reason_of(&error))
                })?;
                self.on_event(&event);
                self.events.state.events.push_front(event);
            }
            changed = connection.intake.durable.changed(), if !self.acks.is_empty() => {
                return changed.map_err(|_| Fault::JournalEnded);
            }
            () = connection.outbox.changed() => return Ok(()),
            () = stopped(&mut connection.shutdown) => return Err(Fault::Shutdown),
        }
        // poll() brings at most ten packets and a fresh timer each time; the rest of what has arrived comes cheaper.
        while self.events.state.events.len() < BATCH {
            let Some(network) = self.events.network.as_mut() else { break };
            match network.readb(&mut self.events.state).now_or_never() {
                Some(read) => {
                    read.map_err(|error| fault(&error))?;
                    self.events.state.await_pingresp = false;
                }
                None => break,
            }
        }
        (self.read_at, self.brought) = (clock::monotonic(), self.events.state.events.len());
        Ok(())
    }

    /// Whatever comes from the broker is a sign of life. Its answer to a ping stands behind all that it has queued for us, and a
    /// broker that is overloaded has much of that: to wait for the answer alone would cost the session just then, and
    /// everything that is on its way would be sent again.
    fn on_event(&mut self, event: &Event) {
        if matches!(event, Event::Incoming(_)) {
            self.events.state.await_pingresp = false;
        }
    }

    /// Lets the socket gather for a while; `false` when something became durable before that was over.
    async fn gathered(&mut self) -> Result<bool, Fault> {
        let connection = &mut *self.connection;
        tokio::select! {
            changed = connection.intake.durable.changed(), if !self.acks.is_empty() => {
                changed.map(|()| false).map_err(|_| Fault::JournalEnded)
            }
            () = tokio::time::sleep_until((self.read_at + GATHER).into()) => Ok(true),
            () = stopped(&mut connection.shutdown) => Err(Fault::Shutdown),
        }
    }

    /// Acknowledges what becomes durable soon, and says good-bye. Nothing is owed: what stays unacknowledged comes again.
    async fn farewell(&mut self) {
        let deadline = tokio::time::Instant::from_std(clock::monotonic() + DISCONNECT_TIMEOUT);
        while !self.acks.is_empty() {
            if self.acknowledge().await.is_err() {
                return;
            }
            let durable = &mut self.connection.intake.durable;
            if self.acks.is_empty() || !matches!(tokio::time::timeout_at(deadline, durable.changed()).await, Ok(Ok(())))
            {
                break;
            }
        }
        // The broker closes the connection either way. We read until it has: a socket that is closed with something unread in it
        // is reset, and a reset takes acknowledgements away that the broker has not read yet.
        if self.send(Request::Disconnect(Disconnect)).await.is_ok() {
            let _ = tokio::time::timeout_at(deadline, self.read_to_the_end()).await;
        }
    }

    async fn read_to_the_end(&mut self) {
        while let Some(network) = self.events.network.as_mut() {
            if network.readb(&mut self.events.state).await.is_err() {
                return;
            }
            self.events.state.events.clear();
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Until shutdown is asked for; a sender that is gone asks for it too.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to ask.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

fn fault(error: &StateError) -> Fault {
    tracing::debug!(%error, "connection lost");
    Fault::Down(reason_of_state(error))
}
