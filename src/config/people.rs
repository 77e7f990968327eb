//! Rules about channels and people: what each kind of channel needs, names that have to be known, and that whoever is called can
//! be reached.

use std::collections::BTreeSet;

use super::fault::{Fault, Place, shown};
use super::host::is_local;
use super::layer::Entry;
use super::notify::{ChannelConfig, ChannelKind, MailTls, RotaConfig};
use super::settings::Config;
use crate::record::directory::Purpose;

/// Keys of a channel that only some kinds use, with what each kind makes of them.
const SPECIAL: &[&str] =
    &["urls", "url", "secret_file", "ca_file", "allow_plaintext", "room", "host", "port", "tls", "from", "to"];

impl ChannelKind {
    /// Keys that the kind cannot do without.
    const fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Alertmanager => &["urls"],
            Self::Webhook => &["url", "secret_file", "for"],
            Self::ChatWebhook => &["secret_file", "for"],
            Self::Slack => &["secret_file", "for"],
            Self::Mattermost => &["url", "secret_file", "for"],
            Self::Mail => &["host", "from", "for"],
        }
    }

    /// Further keys that have an effect.
    const fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Alertmanager => &["ca_file", "for"],
            Self::Webhook => &["ca_file", "allow_plaintext"],
            Self::ChatWebhook => &["ca_file"],
            Self::Slack => &["url", "ca_file", "room", "allow_plaintext"],
            Self::Mattermost => &["ca_file", "room", "allow_plaintext"],
            Self::Mail => &["port", "tls", "secret_file", "ca_file", "to"],
        }
    }
}

/// Checks all of it; a rule about a key that has a fault already is passed over.
pub fn check(config: &Config, entries: &[Entry], refused: &BTreeSet<String>, faults: &mut Vec<Fault>) {
    let mut checker = Checker { entries, refused, faults };
    checker.channels(&config.notify.channel);
    checker.people(config);
    for (nth, rota) in config.muster.rota.iter().enumerate() {
        checker.rota(nth, rota, config);
    }
}

struct Checker<'a> {
    entries: &'a [Entry],
    refused: &'a BTreeSet<String>,
    faults: &'a mut Vec<Fault>,
}

impl Checker<'_> {
    /// A fault at `path`, or at the table that it would stand in.
    fn fault(&mut self, path: &str, value: Option<&str>, rule: impl Into<String>) {
        let table = path.rsplit_once('.').map_or(path, |(table, _)| table);
        if self.refused.contains(path) || self.refused.contains(table) {
            return;
        }
        let place = self.place(path).or_else(|| self.place(table)).unwrap_or(Place::Default);
        let (key, value) = (path.to_owned(), value.map(shown));
        self.faults.push(Fault { place, key, value, rule: rule.into(), hint: None });
    }

    fn place(&self, path: &str) -> Option<Place> {
        let places = self.entries.iter().rev().flat_map(|entry| &entry.inner);
        places.clone().find(|(known, _)| known == path).map(|(_, place)| place.clone())
    }

    fn is_set(&self, path: &str) -> bool {
        self.place(path).is_some()
    }

    fn channels(&mut self, channels: &[ChannelConfig]) {
        let mut names = BTreeSet::new();
        for (nth, channel) in channels.iter().enumerate() {
            let path = format!("notify.channel[{}]", nth + 1);
            let is_known = ["name", "kind"].iter().all(|key| !self.refused.contains(&format!("{path}.{key}")));
            if !is_known {
                continue;
            }
            if !names.insert(channel.name.as_str()) {
                self.fault(&format!("{path}.name"), Some(&channel.name), "is the name of another channel too");
            }
            self.keys_of_kind(&path, channel);
            self.receivers(&path, channel);
            self.encryption(&path, channel);
        }
    }

    fn keys_of_kind(&mut self, path: &str, channel: &ChannelConfig) {
        let kind = channel.kind;
        for path in kind.needs().iter().map(|name| format!("{path}.{name}")) {
            if !self.is_set(&path) {
                self.fault(&path, None, format!("is missing: {} needs it", kind.as_str()));
            }
        }
        for name in SPECIAL.iter().filter(|name| !kind.needs().contains(*name) && !kind.takes().contains(*name)) {
            let path = format!("{path}.{name}");
            if self.is_set(&path) {
                self.fault(&path, None, format!("has no effect for {}", kind.as_str()));
            }
        }
    }

    /// What is for no single person has to have a receiver.
    fn receivers(&mut self, path: &str, channel: &ChannelConfig) {
        let for_all = channel.purposes.iter().any(|purpose| *purpose != Purpose::Pages);
        let missing = match channel.kind {
            ChannelKind::Slack | ChannelKind::Mattermost if channel.room.is_none() => "room",
            ChannelKind::Mail if channel.to.is_empty() => "to",
            _ => return,
        };
        if for_all {
            let rule = "is missing: what is for staff or the support queue is for no single person";
            self.fault(&format!("{path}.{missing}"), None, rule);
        }
    }

    fn encryption(&mut self, path: &str, channel: &ChannelConfig) {
        if channel.kind == ChannelKind::Mail {
            let host = channel.host.as_deref().unwrap_or_default();
            if channel.tls == MailTls::Plain && !is_local(host) {
                let rule = "is for a server on this machine only: mail and password would travel in clear";
                self.fault(&format!("{path}.tls"), Some("plain"), rule);
            }
            return;
        }
        let exposed = channel.url.as_deref().filter(|url| is_exposed(url) && !channel.allow_plaintext);
        // Alertmanagers are told nothing secret, and commonly stand in the same network without TLS.
        if let Some(url) = exposed.filter(|_| channel.kind != ChannelKind::Alertmanager) {
            let rule = "is another machine, and the connection is not encrypted: use https (or, knowing what it means, \
                        allow_plaintext = true)";
            self.fault(&format!("{path}.url"), Some(url), rule);
        }
    }

    fn people(&mut self, config: &Config) {
        let mut names = BTreeSet::new();
        for (nth, person) in config.muster.person.iter().enumerate() {
            if !names.insert(person.name.as_str()) {
                let path = format!("muster.person[{}].name", nth + 1);
                self.fault(&path, Some(&person.name), "is the name of another person too");
            }
        }
    }

    fn rota(&mut self, nth: usize, rota: &RotaConfig, config: &Config) {
        let path = format!("muster.rota[{}]", nth + 1);
        let same = |other: &RotaConfig| other.role == rota.role && other.branch == rota.branch;
        if !self.refused.contains(&format!("{path}.role")) && config.muster.rota[..nth].iter().any(same) {
            let role = rota.role.as_str();
            self.fault(&format!("{path}.role"), Some(role), "has a rota already, for the same branch");
        }
        if rota.steps.is_empty() {
            self.fault(&format!("{path}.steps"), None, "has no step: nobody would be called");
        }
        for (step_nth, step) in rota.steps.iter().enumerate() {
            let path = format!("{path}.steps[{}].people", step_nth + 1);
            if step.people.is_empty() {
                self.fault(&path, None, "is empty: nobody would be called");
            }
            for name in &step.people {
                self.called(&path, name, config);
            }
        }
    }

    /// Whoever is called is known and can be reached.
    fn called(&mut self, path: &str, name: &str, config: &Config) {
        let Some(person) = config.muster.person.iter().find(|person| person.name == name) else {
            return self.fault(path, Some(name), "is nobody: add them as [[muster.person]]");
        };
        if config.addresses_of(person).is_empty() {
            let rule = "cannot be reached: no channel with \"pages\" in its `for` knows them (mail needs their mail, slack and \
                        mattermost their chat)";
            self.fault(path, Some(name), rule);
        }
    }
}

/// Whether the address is `http` on another machine.
fn is_exposed(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    !is_local(host)
}
