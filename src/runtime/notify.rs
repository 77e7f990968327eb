//! Channels made from the configuration, the deliverer over them, and the message that tests one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::clock::{self, Clock};
use crate::config::{ChannelConfig, ChannelKind, Config, Credentials, MailTls};
use crate::engine::effect::Scope;
use crate::engine::time::Timestamp;
use crate::incident::{Incident, Milestone};
use crate::metrics::Counters;
use crate::notify::alertmanager::{Alert, Alertmanager, Listed, Teller};
use crate::notify::chat::{Chat, Incoming, Mattermost, Slack, slack};
use crate::notify::mail::{Mail, MailSettings, Security};
use crate::notify::voice::Voice;
use crate::notify::web::Access;
use crate::notify::webhook::Webhook;
use crate::notify::{Backlog, Channel, Deliverer, Observer, Patience, Policy, Receipt, Route, Waker};
use crate::record::channel_health::ChannelsHealth;
use crate::record::directory::{Address, NOBODY, Person, Purpose, Reach};
use crate::record::incidents::{IncidentUpdate, Incidents};
use crate::record::outbox::{Dispatch, DispatchState, Message, Outbox, Outcome};
use crate::runtime::failure::Failure;
use crate::runtime::incidents::Directory;
use crate::words::{Both, Lang, phrase, say};

mod renewed;

use self::renewed::Renewed;

/// The channels of a configuration.
#[derive(Debug)]
pub struct Channels {
    pub routes: Vec<Route>,
    /// Those among them that are to be told the open incidents every minute.
    pub alertmanagers: Vec<Arc<Alertmanager>>,
    /// Names of channels that cannot be used as their files are now, and why. They are tried again with each message.
    pub faults: Vec<(String, String)>,
}

impl Channels {
    /// Makes every channel; reads the files with secrets. To be called within a runtime.
    ///
    /// # Errors
    /// With the name of the channel whose settings can be used with no file whatever, and why.
    pub fn from_config(config: &Config) -> anyhow::Result<Self> {
        let mut channels = Self { routes: Vec::new(), alertmanagers: Vec::new(), faults: Vec::new() };
        for settings in &config.notify.channel {
            let name = &settings.name;
            channels.add(config, settings).with_context(|| format!("the channel {name} cannot be used"))?;
        }
        Ok(channels)
    }

    fn add(&mut self, config: &Config, settings: &ChannelConfig) -> anyhow::Result<()> {
        let voice = voice(config, settings);
        let channel: Arc<dyn Channel> = if settings.kind == ChannelKind::Alertmanager {
            let alertmanager = Arc::new(Alertmanager::new(&settings.urls, voice, &access(settings))?);
            self.alertmanagers.push(Arc::clone(&alertmanager));
            alertmanager
        } else {
            let files = [&settings.secret_file, &settings.ca_file].into_iter().flatten().cloned().collect();
            let of = settings.clone();
            let renewed = Renewed::new(&settings.name, files, Box::new(move || other(&of, voice.clone())));
            self.faults.extend(renewed.fault().map(|fault| (settings.name.clone(), fault)));
            Arc::new(renewed)
        };
        self.routes.push(Route { name: settings.name.clone(), channel, policy: policy(config, settings) });
        Ok(())
    }
}

fn other(settings: &ChannelConfig, voice: Voice) -> anyhow::Result<Arc<dyn Channel>> {
    let access = access(settings);
    let url = settings.url.as_deref();
    let room = settings.room.as_deref().unwrap_or_default();
    let secret = || secret(settings.secret_file.as_deref());
    Ok(match settings.kind {
        ChannelKind::Webhook => Arc::new(Webhook::new(url.unwrap_or_default(), secret()?.as_bytes(), voice, &access)?),
        ChannelKind::ChatWebhook => Arc::new(Incoming::new(&secret()?, voice, &access)?),
        ChannelKind::Slack => {
            Arc::new(Chat::new(Slack::new(url.unwrap_or(slack::URL), secret()?, &access)?, room, voice))
        }
        ChannelKind::Mattermost => {
            Arc::new(Chat::new(Mattermost::new(url.unwrap_or_default(), secret()?, &access)?, room, voice))
        }
        ChannelKind::Mail => Arc::new(Mail::new(mail(settings)?, voice)?),
        ChannelKind::Alertmanager => Arc::new(Alertmanager::new(&settings.urls, voice, &access)?),
    })
}

fn mail(settings: &ChannelConfig) -> anyhow::Result<MailSettings> {
    let (security, port) = match settings.tls {
        MailTls::Implicit => (Security::Implicit, 465),
        MailTls::Starttls => (Security::StartTls, 587),
        MailTls::Plain => (Security::Plain, 25),
    };
    let credentials = settings.secret_file.as_deref().map(Credentials::read).transpose()?;
    Ok(MailSettings {
        host: settings.host.clone().unwrap_or_default(),
        port: settings.port.unwrap_or(port),
        security,
        credentials: credentials.map(|Credentials { username, password }| (username, password)),
        ca_file: settings.ca_file.clone(),
        timeout: Duration::from_secs(settings.timeout_s.into()),
        from: settings.from.clone().unwrap_or_default(),
        to: settings.to.clone(),
    })
}

/// One line that only we may know. What is wrong with it never repeats it.
fn secret(path: Option<&Path>) -> anyhow::Result<String> {
    Ok(crate::text::secret_word(path.context("secret_file is not set")?)?)
}

fn access(settings: &ChannelConfig) -> Access {
    Access { ca_file: settings.ca_file.clone(), timeout: Duration::from_secs(settings.timeout_s.into()) }
}

fn policy(config: &Config, settings: &ChannelConfig) -> Policy {
    let timeout = Duration::from_secs(settings.timeout_s.into());
    // A message may need several calls: a chat's root, its pin and the message itself; a mail for each receiver.
    let calls = match settings.kind.reach() {
        Reach::Chat => 4,
        Reach::Mail => u32::try_from(settings.to.len()).unwrap_or(u32::MAX).clamp(1, 20),
        Reach::Nobody => 1,
    };
    Policy {
        give_up_after_ms: i64::from(config.notify.give_up_after_min) * 60_000,
        timeout: timeout * calls + Duration::from_secs(1),
        per_minute: settings.rate_per_min,
        burst: settings.burst,
        ..Policy::default()
    }
}

/// People are spoken to in their own language, wherever they are reached.
fn voice(config: &Config, settings: &ChannelConfig) -> Voice {
    let people = config.muster.person.iter().filter_map(|person| {
        let target = settings.kind.reach().target(person).filter(|target| target != NOBODY);
        target.map(|target| (target, person.language))
    });
    let languages: BTreeMap<_, _> = people.collect();
    let pages = config.notify.page_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    Voice { pages, language: settings.language, languages }
}

/// Counts for `/metrics`.
#[derive(Debug)]
struct Counted(Arc<Counters>);

impl Observer for Counted {
    fn attempted(&self, channel: &str, outcome: &Outcome, took: Duration) {
        self.0.notifications.attempted(channel, outcome, took.as_secs_f64());
    }

    fn backlog(&self, Backlog { pending, oldest_due, untold }: Backlog, now: Timestamp) {
        self.0.notifications.backlog(pending, oldest_due, now);
        self.0.notifications.untold(untold);
    }
}

/// The delivery at work.
pub struct Delivery {
    /// To be woken once something was written to the outbox.
    pub waker: Waker,
    /// How each channel fares.
    pub health: Arc<ChannelsHealth>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("health", &self.health).finish_non_exhaustive()
    }
}

impl Delivery {
    /// Starts to deliver what `outbox` holds over the configured channels, and to tell Alertmanagers what `listed` lists. Looks
    /// whenever `updates` says that an incident has changed, and every few seconds anyway.
    ///
    /// # Errors
    /// When a channel cannot be made.
    pub fn start(
        config: &Config,
        outbox: Arc<dyn Outbox>,
        listed: &Listed,
        updates: broadcast::Receiver<IncidentUpdate>,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> anyhow::Result<Self> {
        let Channels { routes, alertmanagers, faults } = Channels::from_config(config)?;
        for route in &routes {
            counters.notifications.open(&route.name);
        }
        let observer = Arc::new(Counted(counters));
        let deliverer = Deliverer::new(routes, outbox, clock, observer, patience(config), rand::random());
        let (waker, health) = (deliverer.waker(), deliverer.health());
        for (channel, error) in faults {
            tracing::error!(channel, error, "a channel cannot be used; it is tried again with each message");
            let retry_at = clock.now();
            health.note(&channel, None, retry_at, &Outcome::Retry { error, retry_at });
        }
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for to in alertmanagers {
            // Before any message can tell another scope than that of the declaration.
            to.hold(&listed());
            tasks.spawn(Teller::new(to, Arc::clone(listed)).run(clock, waker.heard(), stopped.clone()));
        }
        tasks.spawn(relay(updates, waker.clone(), stopped.clone()));
        tasks.spawn(deliverer.run(stopped));
        let task = tokio::spawn(async move { while tasks.join_next().await.is_some() {} });
        Ok(Self { waker, health, stop, task })
    }

    /// Ends it: nothing new is begun, what is on its way has a few seconds.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the delivery of messages broke");
        }
    }
}

/// Wakes the lanes when an incident has changed: its messages were written in the same transaction.
async fn relay(mut updates: broadcast::Receiver<IncidentUpdate>, waker: Waker, mut stopped: watch::Receiver<bool>) {
    loop {
        let update = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            update = updates.recv() => update,
        };
        match update {
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => waker.wake(),
            // Nothing changes any more; the lanes still look by themselves.
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// Where a channel leaves what is for no single person: with each receiver of mail, so that one who is refused is no matter of the
/// others; else with the channel itself.
fn places(channel: &ChannelConfig) -> Vec<Address> {
    let targets = if channel.kind.reach() == Reach::Mail { channel.to.clone() } else { vec![NOBODY.to_owned()] };
    let place = |target: String| Address { channel: channel.name.clone(), target: target.trim().to_owned() };
    targets.into_iter().map(place).collect()
}

fn patience(config: &Config) -> Patience {
    Patience {
        tell_elsewhere_after_ms: i64::from(config.notify.tell_elsewhere_after_min) * 60_000,
        give_up_after_ms: i64::from(config.notify.give_up_after_min) * 60_000,
        places: config.notify.channel.iter().flat_map(places).collect(),
    }
}

/// Where every audience is reached.
pub fn directory(config: &Config) -> Directory {
    let to_all = |purpose: Purpose| {
        let channels = config.notify.channel.iter().filter(|channel| channel.purposes.contains(&purpose));
        channels.flat_map(places).collect()
    };
    let own = |person: &Person| {
        (
            person.name.clone(),
            config.addresses_of(person).into_iter().map(|(channel, target)| Address { channel, target }).collect(),
        )
    };
    Directory {
        staff: to_all(Purpose::Staff),
        support_queue: to_all(Purpose::SupportQueue),
        people: config.muster.person.iter().map(own).collect(),
    }
}

/// The open incidents as alerts. Scope is that of the declaration: it is a label. One that is resolved has ended for whoever is
/// called at night, though its review and its close are still owed; one that is reopened fires again.
pub fn alerts(incidents: &dyn Incidents) -> Vec<Alert> {
    incidents.board().incidents.iter().map(|incident| alert(incident)).collect()
}

phrase! {
    fn subject(lang: Lang, number: &str) -> String = "{number}: major incident", "{number}: 重大障害";
}

fn alert(incident: &Incident) -> Alert {
    let number = incident.number();
    let summary = crate::runtime::incidents::summary(incident);
    Alert {
        incident: number.to_owned(),
        severity: "major".to_owned(),
        scope: if incident.opening.scope == Scope::Fleet { "fleet" } else { "isolated" }.to_owned(),
        subject: Both::of(|lang| subject(lang, number)),
        summary: Some(summary),
        suspect: incident.cause.as_ref().map(|cause| format!("{} {}", cause.suspect.kind, cause.suspect.value)),
        path: format!("/incidents/{number}"),
        started_at: incident.opening.impact_started_at,
        ended_at: incident.milestones.get(Milestone::Resolved),
    }
}

/// Makes every channel and forgets them: what `check-config` can know without sending anything.
///
/// # Errors
/// As [`Channels::from_config`], and when a file is of no use.
pub fn check(config: &Config) -> anyhow::Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let channels = runtime.block_on(async { Channels::from_config(config) })?;
    let faults: Vec<String> = channels.faults.iter().map(|(name, why)| format!("the channel {name}: {why}")).collect();
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(channels.routes.len())
}

/// Sends the test message over `channel`, to `to` or to whoever the channel names. Says how it went.
///
/// # Errors
/// When there is no such channel, it cannot be made, or the message was not taken.
pub async fn deliver_test(config: &Config, channel: &str, to: Option<&str>) -> anyhow::Result<String> {
    let name = channel;
    let Some(settings) = config.notify.channel.iter().find(|channel| channel.name == name) else {
        let known: Vec<&str> = config.notify.channel.iter().map(|channel| channel.name.as_str()).collect();
        let known =
            if known.is_empty() { "none is configured".to_owned() } else { format!("there is {}", known.join(", ")) };
        return Err(Failure::Usage(format!("there is no channel {name}; {known}")).into());
    };
    let mut only = Config { muster: config.muster.clone(), ..Config::default() };
    only.notify = config.notify.clone();
    only.notify.channel = vec![settings.clone()];
    let mut channels = Channels::from_config(&only)?;
    if let Some((_, fault)) = channels.faults.first() {
        anyhow::bail!("the channel {name} cannot be used: {fault}");
    }
    let route = channels.routes.pop().context("the channel was just made")?;
    let now = Clock::system().now();
    let dispatch = test_dispatch(name, to.unwrap_or(NOBODY), now);
    let begun = clock::monotonic();
    let delivery = tokio::time::timeout(route.policy.timeout, route.channel.deliver(&dispatch, None, now));
    let took = || begun.elapsed().as_secs_f64();
    match delivery.await {
        Ok(Ok(Receipt { reference })) => {
            let reference = reference.map(|id| format!(", known there as {id}")).unwrap_or_default();
            Ok(format!("{name} ({}) took the message within {:.2} s{reference}", settings.kind.as_str(), took()))
        }
        Ok(Err(refusal)) => anyhow::bail!("{name} did not take the message: {}", refusal.error()),
        Err(_) => anyhow::bail!("{name} did not answer within {:.0} s", took()),
    }
}

fn test_dispatch(channel: &str, target: &str, now: Timestamp) -> Dispatch {
    let message = Message {
        kind: "test".to_owned(),
        incident: None,
        severity: "test".to_owned(),
        scope: "test".to_owned(),
        subject: say("fleetwatch: test message", "fleetwatch: 試験メッセージ").into(),
        body: say(
            "This is a test. There is no incident and nothing to do.",
            "これは試験です。障害は起きていません。対応は不要です。",
        )
        .into(),
        path: "/".to_owned(),
        summary: None,
        started_at: None,
        ended_at: None,
    };
    Dispatch {
        id: 0,
        key: format!("test-{}", now.as_ms()),
        channel: channel.to_owned(),
        target: target.to_owned(),
        message,
        created_at: now,
        due_at: now,
        state: DispatchState::Pending,
        attempts: 0,
    }
}

#[cfg(test)]
mod tests;
