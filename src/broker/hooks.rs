//! What the embedded broker asks us at each step of a client's life, and our answers.
//!
//! Two traps of rmqtt shape this file. Its `MessagePublish` hook runs *before* the access check, so live messages are
//! taken over in the access check itself, once it has said yes. And a will never passes the access check at all, so its
//! topic is checked at CONNECT, and the will is taken over in `MessagePublish`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rmqtt::codec::types::QoS;
use rmqtt::codec::v5::{PublishAckReason, SubscribeAckReason};
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType};
use rmqtt::session::Session;
use rmqtt::types::{
    AuthResult, ConnectInfo, FromType, LastWill, Publish, PublishAclResult, PublishResult, Subscribe, SubscribeReturn,
};

use super::access::{Topics, Users};
use crate::delivery::{Delivery, DurableSink, Outcome};
use crate::engine::device::DeviceId;

/// User name of the in-process monitor; no device id can be equal to it.
pub(super) const MONITOR: &str = "$monitor";

/// Longest pause before a busy sink is asked again.
const BUSY_PAUSE_MAX: Duration = Duration::from_millis(100);

/// Pause of a connection that sends more than it may, after each message that is refused for it.
const BRAKE: Duration = Duration::from_millis(100);

/// What the embedded broker has seen. Plain numbers, only ever growing but for [`clients`](Self::clients).
#[derive(Debug, Default)]
pub struct BrokerCounters {
    /// Connections accepted.
    pub connects: AtomicU64,
    /// Connections refused: unknown user, wrong password, client id that is no device id.
    pub connects_refused: AtomicU64,
    /// Connections refused for a will on another topic than the client's own status.
    pub wills_refused: AtomicU64,
    /// Messages on a topic that the client may not write.
    pub publishes_denied: AtomicU64,
    /// Subscriptions to what the client may not read.
    pub subscribes_denied: AtomicU64,
    /// Messages kept (journaled, and durable when the sender asked for an acknowledgement).
    pub messages: AtomicU64,
    /// Messages that the sink refused; acknowledged and dropped.
    pub messages_refused: AtomicU64,
    /// Times a connection was made to wait because the sink was busy.
    pub busy_waits: AtomicU64,
    /// Connections closed because a message was not durable within the limit; it was not acknowledged.
    pub holds_expired: AtomicU64,
    /// Wills that were published.
    pub wills: AtomicU64,
    /// Connections now. A level, not a count.
    pub clients: AtomicU64,
    /// Retained messages that found no room.
    pub retained_refused: Arc<AtomicU64>,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Everything the hooks need; shared by the hooks of all connections.
pub(super) struct BrokerHooks {
    pub(super) topics: Topics,
    pub(super) users: Users,
    /// Whether a client without a password is let in.
    pub(super) anonymous: bool,
    /// Password of [`MONITOR`].
    pub(super) secret: String,
    pub(super) intake: Option<DurableSink>,
    /// Longest wait for the sink and its disk, per message.
    pub(super) hold: Duration,
    pub(super) counters: Arc<BrokerCounters>,
    /// Most connections of devices.
    pub(super) max_connections: u32,
    /// Connections accepted since [`BrokerCounters::clients`] was last set, which is each second.
    pub(super) accepted: AtomicU64,
}

/// How a message fared with the sink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kept {
    Yes,
    Refused,
    /// Refused, because its sender sends more than it may.
    TooMuch,
    /// Neither kept nor refused in time: close without acknowledging.
    NotInTime,
}

impl BrokerHooks {
    fn authenticate(&self, connect: &ConnectInfo) -> AuthResult {
        let client = connect.client_id();
        let result = match connect.username().map(|name| &**name) {
            Some(MONITOR) => self.authenticate_monitor(connect),
            Some(name) if self.users.verify(name, connect.password().map_or(&[], |password| &**password)) => {
                // The name is the device's; another client id would be another device's.
                if name == &**client { AuthResult::Allow(false, None) } else { AuthResult::NotAuthorized }
            }
            _ if self.anonymous && self.users.is_empty() => AuthResult::Allow(false, None),
            Some(_) => AuthResult::BadUsernameOrPassword,
            None => AuthResult::NotAuthorized,
        };
        let monitor = connect.username().is_some_and(|name| &**name == MONITOR);
        if !monitor && self.is_full() {
            count(&self.counters.connects_refused);
            tracing::warn!(client = %client.escape_debug(), "connection refused: there is no room for more");
            return AuthResult::NotAuthorized;
        }
        if !matches!(result, AuthResult::Allow(..)) || (!monitor && !DeviceId::is_valid(client)) {
            count(&self.counters.connects_refused);
            tracing::debug!(client = %client.escape_debug(), "connection refused");
            return if matches!(result, AuthResult::Allow(..)) { AuthResult::NotAuthorized } else { result };
        }
        let will = connect.last_will().map(|will| match will {
            LastWill::V3(will) => will.topic.clone(),
            LastWill::V5(will) => will.topic.clone(),
        });
        if will.is_some_and(|topic| !monitor && !self.topics.may_will(client, &topic)) {
            count(&self.counters.wills_refused);
            tracing::debug!(client = %client, "connection refused: its will is not on its own status");
            return AuthResult::NotAuthorized;
        }
        count(&self.counters.connects);
        count(&self.accepted);
        result
    }

    fn is_full(&self) -> bool {
        let connected = self.counters.clients.load(Ordering::Relaxed) + self.accepted.load(Ordering::Relaxed);
        connected >= u64::from(self.max_connections)
    }

    fn authenticate_monitor(&self, connect: &ConnectInfo) -> AuthResult {
        let given = connect.password().map_or(&[][..], |password| &**password);
        // Both sides are hashed first, so that the time of the comparison says nothing about the secret.
        let digest = |bytes: &[u8]| ring::digest::digest(&ring::digest::SHA256, bytes);
        if digest(given).as_ref() == digest(self.secret.as_bytes()).as_ref() {
            AuthResult::Allow(false, None)
        } else {
            AuthResult::BadUsernameOrPassword
        }
    }

    async fn publish(&self, session: &Session, publish: &Publish) -> PublishAclResult {
        let is_monitor = is_monitor(session);
        if !is_monitor && !self.topics.may_publish(&session.id.client_id, &publish.topic) {
            count(&self.counters.publishes_denied);
            tracing::debug!(client = %session.id.client_id, topic = %publish.topic.escape_debug(), "publish denied");
            return PublishAclResult::rejected(false, None);
        }
        if is_monitor && !self.topics.is_device_topic(&publish.topic) {
            return PublishAclResult::allow();
        }
        match self.keep(publish, publish.qos != QoS::AtMostOnce).await {
            Kept::Yes => PublishAclResult::allow(),
            Kept::Refused => {
                PublishAclResult(PublishResult::reason_code(PublishAckReason::PayloadFormatInvalid, None, false))
            }
            Kept::TooMuch => PublishAclResult(PublishResult::reason_code(PublishAckReason::QuotaExceeded, None, false)),
            Kept::NotInTime => {
                count(&self.counters.holds_expired);
                PublishAclResult(PublishResult::reason_code(PublishAckReason::UnspecifiedError, None, true))
            }
        }
    }

    /// Hands a message to the sink and, when asked, waits until it is durable.
    ///
    /// rmqtt reads the next packet of a connection only after this has returned, so waiting here is back-pressure to
    /// that one connection.
    async fn keep(&self, publish: &Publish, durable: bool) -> Kept {
        let Some(intake) = &self.intake else { return Kept::Yes };
        match tokio::time::timeout(self.hold, self.offer(intake, publish, durable)).await {
            Ok(kept) => kept,
            Err(_) => Kept::NotInTime,
        }
    }

    async fn offer(&self, intake: &DurableSink, publish: &Publish, durable: bool) -> Kept {
        let mut pause = Duration::from_millis(2);
        let lsn = loop {
            match intake.sink.deliver(Delivery { topic: &publish.topic, payload: &publish.payload, retain: false }) {
                Outcome::Journaled(lsn) => break lsn,
                Outcome::Refused => {
                    count(&self.counters.messages_refused);
                    return Kept::Refused;
                }
                Outcome::OverBudget => {
                    count(&self.counters.messages_refused);
                    // The next packet of this connection is read only after this, so a flood comes drop by drop.
                    tokio::time::sleep(BRAKE).await;
                    return Kept::TooMuch;
                }
                Outcome::Busy => {
                    count(&self.counters.busy_waits);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BUSY_PAUSE_MAX);
                }
            }
        };
        if durable && intake.durable.clone().wait_for(|done| *done >= lsn).await.is_err() {
            return Kept::NotInTime;
        }
        count(&self.counters.messages);
        Kept::Yes
    }

    /// Takes a will over, or turns it into nothing when the client has already come back.
    ///
    /// A session that was held up may end after the same device's next session has begun; its will would then say
    /// "offline" after the new birth. rmqtt cannot drop a will here, so a stale one is sent where nobody reads.
    async fn will(&self, session: Option<&Session>, publish: &Publish) -> Option<Publish> {
        if let Some(session) = session {
            let current = session.scx.extends.shared().await.entry(session.id.clone()).id_same();
            if current == Some(false) {
                let mut stale = publish.clone();
                stale.inner.retain = false;
                stale.inner.topic = "$fleetwatch/stale-will".into();
                stale.inner.qos = QoS::AtMostOnce;
                return Some(stale);
            }
        }
        if self.topics.is_device_topic(&publish.topic) && self.keep(publish, false).await == Kept::NotInTime {
            count(&self.counters.holds_expired);
        }
        count(&self.counters.wills);
        None
    }

    fn subscribe(&self, session: &Session, subscribe: &Subscribe) -> SubscribeReturn {
        if is_monitor(session) || self.topics.may_subscribe(&session.id.client_id, &subscribe.topic_filter) {
            return SubscribeReturn::new_success(subscribe.opts.qos(), None);
        }
        count(&self.counters.subscribes_denied);
        SubscribeReturn::new_failure(SubscribeAckReason::NotAuthorized)
    }
}

fn is_monitor(session: &Session) -> bool {
    session.id.username.as_deref() == Some(MONITOR)
}

/// One registration of the shared [`BrokerHooks`].
pub(super) struct Hook(pub(super) Arc<BrokerHooks>);

// The trait elides the lifetime, and async_trait takes a written one for another signature.
#[allow(elided_lifetimes_in_paths)]
#[async_trait]
impl Handler for Hook {
    async fn hook(&self, parameter: &Parameter, accumulated: Option<HookResult>) -> ReturnType {
        let hooks = &self.0;
        let result = match parameter {
            Parameter::ClientAuthenticate(connect) => HookResult::AuthResult(hooks.authenticate(connect)),
            Parameter::MessagePublishCheckAcl(session, publish) => {
                HookResult::PublishAclResult(hooks.publish(session, publish).await)
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                HookResult::SubscribeAclResult(hooks.subscribe(session, subscribe))
            }
            Parameter::MessagePublish(session, from, publish) if matches!(from.typ(), FromType::LastWill) => {
                match hooks.will(*session, publish).await {
                    Some(changed) => HookResult::Publish(changed),
                    None => return (true, accumulated),
                }
            }
            _ => return (true, accumulated),
        };
        (false, Some(result))
    }
}
