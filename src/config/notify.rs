//! Sections `notify` and `muster`: the channels, the people, and who is called for what.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine::label;
use crate::incident::Role;
use crate::record::directory::{Person, Purpose, Reach};
use crate::words::Languages;

/// Section `notify`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifyConfig {
    /// Where people reach the operators' pages; messages link there.
    pub page_url: Option<String>,
    /// Age at which a message that no attempt has delivered is given up, in minutes.
    pub give_up_after_min: u32,
    /// Age at which a message that its receiver has not got is told over every other channel, in minutes.
    pub tell_elsewhere_after_min: u32,
    /// The channels.
    pub channel: Vec<ChannelConfig>,
}

/// What a channel speaks to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelKind {
    Alertmanager,
    #[default]
    Webhook,
    ChatWebhook,
    Slack,
    Mattermost,
    Mail,
}

impl ChannelKind {
    /// The kind's name, as it is configured.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Webhook => "webhook",
            Self::ChatWebhook => "chat-webhook",
            Self::Slack => "slack",
            Self::Mattermost => "mattermost",
            Self::Mail => "mail",
        }
    }

    /// How it finds a person.
    pub const fn reach(self) -> Reach {
        match self {
            Self::Slack | Self::Mattermost => Reach::Chat,
            Self::Mail => Reach::Mail,
            Self::Alertmanager | Self::Webhook | Self::ChatWebhook => Reach::Nobody,
        }
    }
}

/// How mail is protected on its way to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// TLS from the first byte.
    Implicit,
    /// STARTTLS, required.
    Starttls,
    /// None; only to this machine.
    Plain,
}

/// One `[[notify.channel]]`. Which keys a kind needs and which it has no use for is in [`super::people`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelConfig {
    /// Unique; the outbox and the metrics call it so.
    pub name: String,
    pub kind: ChannelKind,
    /// What is sent over it.
    #[serde(rename = "for")]
    pub purposes: Vec<Purpose>,
    /// Language of whoever is not a person with one of their own.
    pub language: Languages,
    /// Every Alertmanager of the cluster.
    pub urls: Vec<String>,
    pub url: Option<String>,
    /// File with what only we may know: the webhook's secret, the bot's token, the chat webhook's address, or user name and
    /// password of mail on two lines.
    pub secret_file: Option<PathBuf>,
    /// PEM file with authorities beside the machine's.
    pub ca_file: Option<PathBuf>,
    /// Allows another machine without TLS.
    pub allow_plaintext: bool,
    /// Room of the chat, by its id.
    pub room: Option<String>,
    /// Mail server.
    pub host: Option<String>,
    pub port: Option<u16>,
    pub tls: MailTls,
    /// Sender of mail.
    pub from: Option<String>,
    /// Receivers of mail that is for no single person.
    pub to: Vec<String>,
    pub rate_per_min: u32,
    pub burst: u32,
    pub timeout_s: u32,
}

/// Section `muster`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MusterConfig {
    pub person: Vec<Person>,
    pub rota: Vec<RotaConfig>,
}

/// One `[[muster.rota]]`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RotaConfig {
    pub role: Role,
    /// The branch whose part of the role it is.
    pub branch: Option<String>,
    pub steps: Vec<StepConfig>,
}

/// One of a rota's steps.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepConfig {
    /// Names of people, called at the same time.
    pub people: Vec<String>,
    /// Minutes in which one of them has to answer.
    pub wait_min: u32,
}

impl MusterConfig {
    /// Gives every name its one form, in which the record and the devices say it.
    pub(super) fn form(&mut self) {
        let form = |name: &mut String| *name = label::form(name).into_owned();
        self.person.iter_mut().for_each(|person| form(&mut person.name));
        for rota in &mut self.rota {
            rota.branch.iter_mut().for_each(form);
            rota.steps.iter_mut().flat_map(|step| &mut step.people).for_each(form);
        }
    }
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self { page_url: None, give_up_after_min: 1_440, tell_elsewhere_after_min: 60, channel: Vec::new() }
    }
}

impl Default for ChannelConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: ChannelKind::default(),
            purposes: Vec::new(),
            language: Languages::default(),
            urls: Vec::new(),
            url: None,
            secret_file: None,
            ca_file: None,
            allow_plaintext: false,
            room: None,
            host: None,
            port: None,
            tls: MailTls::Starttls,
            from: None,
            to: Vec::new(),
            rate_per_min: 60,
            burst: 20,
            timeout_s: 20,
        }
    }
}

impl Default for RotaConfig {
    fn default() -> Self {
        Self { role: Role::Commander, branch: None, steps: Vec::new() }
    }
}
