//! Who is called when an incident is declared, in which order, and over which channels people hear what.
//!
//! Plain data that the configuration is turned into once, at start. Who calls (the incident's muster) asks for the
//! [`Rota`] of a role and walks its steps; who writes to the outbox asks [`Muster::addresses`] where a message is to go.

use serde::{Deserialize, Serialize};

/// A language in which somebody reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    Ja,
    En,
    /// One below the other: for rooms with mixed readers.
    #[default]
    Both,
}

/// A part that somebody takes in an incident.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Commander,
    DevelopmentLead,
    SupportLead,
    CommunicationsLead,
}

impl Role {
    /// Every role, in the order in which they are called.
    pub const ALL: [Self; 4] = [Self::Commander, Self::DevelopmentLead, Self::SupportLead, Self::CommunicationsLead];

    /// The role's name, as it is configured, stored and shown in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commander => "commander",
            Self::DevelopmentLead => "development_lead",
            Self::SupportLead => "support_lead",
            Self::CommunicationsLead => "communications_lead",
        }
    }

    /// The role of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// Somebody who can be called.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Person {
    /// Unique; what the rota and the record call them.
    pub name: String,
    /// Mail address.
    pub mail: Option<String>,
    /// What the chat calls them: a member id at Slack, `@name` at Mattermost.
    pub chat: Option<String>,
    pub language: Language,
}

/// People who are called at the same time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Names; never empty.
    pub people: Vec<String>,
    /// Minutes in which one of them has to answer before the next step is called.
    pub wait_min: u32,
}

/// In which order people are called for a role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rota {
    pub role: Role,
    /// The branch that it is for; `None`: for every branch that has none of its own.
    pub branch: Option<String>,
    /// In order; never empty.
    pub steps: Vec<Step>,
}

/// For whom a message is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Everybody inside: what is told, and told again when it has changed.
    Staff,
    /// The support desk's queue: isolated incidents, new scripts.
    SupportQueue,
    /// One person of the rota who has to come.
    Pages,
    /// Programs: every change.
    Programs,
}

impl Audience {
    /// Every audience.
    pub const ALL: [Self; 4] = [Self::Staff, Self::SupportQueue, Self::Pages, Self::Programs];

    /// The audience's name, as it is configured.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::SupportQueue => "support_queue",
            Self::Pages => "pages",
            Self::Programs => "programs",
        }
    }

    /// The audience of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|audience| audience.as_str() == name)
    }
}

/// How a channel finds a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// By mail address.
    Mail,
    /// By what the chat calls them.
    Chat,
    /// It does not: the channel itself is the receiver.
    Nobody,
}

/// A channel, as far as whoever writes to the outbox has to know it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Name in the configuration.
    pub channel: String,
    pub reach: Reach,
    pub audiences: Vec<Audience>,
}

/// Where the channel itself is the receiver: [`super::outbox::Dispatch::target`].
pub const NOBODY: &str = "-";

/// People, rotas and lines: all that is known about whom to tell.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Muster {
    pub people: Vec<Person>,
    pub rotas: Vec<Rota>,
    pub lines: Vec<Line>,
    /// Minutes without a word to staff after which the commander is reminded; 0: never.
    pub nag_after_min: u32,
}

impl Muster {
    /// The person of this name.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.name == name)
    }

    /// Who is called for a role: the branch's own rota where it has one, else the one for all.
    pub fn rota(&self, role: Role, branch: Option<&str>) -> Option<&Rota> {
        let of = |branch: Option<&str>| {
            self.rotas.iter().find(move |rota| rota.role == role && rota.branch.as_deref() == branch)
        };
        branch.and_then(|branch| of(Some(branch))).or_else(|| of(None))
    }

    /// Where a message for an audience goes, as channel and target, in the order of the configuration. `person` is whom a page
    /// calls: a line that can reach people one by one reaches them, one that cannot is told all the same.
    pub fn addresses(&self, audience: Audience, person: Option<&str>) -> Vec<(String, String)> {
        let person = person.and_then(|name| self.person(name));
        let lines = self.lines.iter().filter(|line| line.audiences.contains(&audience));
        let reached = lines.filter_map(|line| {
            let target = match (line.reach, person) {
                (Reach::Mail, Some(person)) => person.mail.clone()?,
                (Reach::Chat, Some(person)) => person.chat.clone()?,
                (Reach::Nobody, _) | (_, None) => NOBODY.to_owned(),
            };
            Some((line.channel.clone(), target))
        });
        reached.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(channel: &str, reach: Reach, audiences: &[Audience]) -> Line {
        Line { channel: channel.into(), reach, audiences: audiences.into() }
    }

    fn muster() -> Muster {
        let step = |name: &str| Step { people: vec![name.into()], wait_min: 5 };
        let rota = |branch: Option<&str>, name: &str| Rota {
            role: Role::Commander,
            branch: branch.map(Into::into),
            steps: vec![step(name)],
        };
        Muster {
            people: vec![
                Person { name: "sato".into(), mail: Some("sato@example.jp".into()), ..Person::default() },
                Person { name: "ito".into(), chat: Some("U1".into()), ..Person::default() },
            ],
            rotas: vec![rota(None, "sato"), rota(Some("sapporo"), "ito")],
            lines: vec![
                line("mail", Reach::Mail, &[Audience::Pages, Audience::Staff]),
                line("chat", Reach::Chat, &[Audience::Pages]),
                line("hook", Reach::Nobody, &[Audience::Pages]),
            ],
            nag_after_min: 30,
        }
    }

    #[test]
    fn a_branch_has_its_own_rota_or_everybodys() {
        let muster = muster();
        let first = |branch| muster.rota(Role::Commander, branch).map(|rota| rota.steps[0].people[0].as_str());
        assert_eq!(first(Some("sapporo")), Some("ito"));
        assert_eq!(first(Some("osaka")), Some("sato"));
        assert_eq!(first(None), Some("sato"));
        assert_eq!(muster.rota(Role::SupportLead, None), None);
    }

    #[test]
    fn a_person_is_called_where_they_can_be_reached_and_a_room_is_told_as_a_room() {
        let muster = muster();
        let of = |audience, person| muster.addresses(audience, person);
        let pair = |channel: &str, target: &str| (channel.to_owned(), target.to_owned());
        assert_eq!(of(Audience::Pages, Some("sato")), [pair("mail", "sato@example.jp"), pair("hook", "-")]);
        assert_eq!(of(Audience::Pages, Some("ito")), [pair("chat", "U1"), pair("hook", "-")]);
        assert_eq!(of(Audience::Staff, None), [pair("mail", "-")]);
        assert_eq!(of(Audience::SupportQueue, None), []);
    }

    #[test]
    fn names_are_read_back() {
        assert!(Role::ALL.into_iter().all(|role| Role::from_name(role.as_str()) == Some(role)));
        assert!(Audience::ALL.into_iter().all(|audience| Audience::from_name(audience.as_str()) == Some(audience)));
    }
}
