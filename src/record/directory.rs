//! People who can be called, and the lines by which they are reached: where a notice is to be sent.
//!
//! Plain data that the configuration is turned into once, at start. The incident's muster says who is called and when
//! ([`Rota`](crate::engine::incident::Rota)), a notice says for whom it is ([`Audience`]); whoever writes the notice to the outbox asks
//! [`Directory::addresses`] for the channels and targets.

use serde::{Deserialize, Serialize};

use crate::engine::incident::Audience;

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

/// Somebody who can be called.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Person {
    /// Unique; what the rota and the record call them.
    pub name: String,
    /// Mail address.
    pub mail: Option<String>,
    /// What the chat calls them: a member id at Slack, `@name` at Mattermost.
    pub chat: Option<String>,
    pub language: Language,
}

/// What a line is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// What everybody who works on the incident hears.
    Staff,
    /// What whoever takes the next call has to know.
    SupportQueue,
    /// What is for single people by name: calls above all.
    Pages,
}

/// How a line finds a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// By mail address.
    Mail,
    /// By what the chat calls them.
    Chat,
    /// It does not: the line itself is the receiver.
    Nobody,
}

/// A channel, as far as whoever writes to the outbox has to know it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Name in the configuration.
    pub channel: String,
    pub reach: Reach,
    pub purposes: Vec<Purpose>,
}

impl Line {
    /// Where this line reaches the person; `None` where it cannot.
    pub fn target(&self, person: &Person) -> Option<String> {
        match self.reach {
            Reach::Mail => person.mail.clone(),
            Reach::Chat => person.chat.clone(),
            Reach::Nobody => Some(NOBODY.to_owned()),
        }
    }
}

/// The target of what is for a channel itself: [`super::outbox::Dispatch::target`].
pub const NOBODY: &str = "-";

/// Everybody and every line that is known.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Directory {
    pub people: Vec<Person>,
    pub lines: Vec<Line>,
}

impl Directory {
    /// The person of this name.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.name == name)
    }

    /// Where a notice goes, as channel and target, in the order of the configuration and each once. Empty where nobody can be
    /// reached: that is for the caller to complain of.
    pub fn addresses(&self, audience: &Audience) -> Vec<(String, String)> {
        let purpose = match audience {
            Audience::People(_) => Purpose::Pages,
            Audience::Staff => Purpose::Staff,
            Audience::SupportQueue => Purpose::SupportQueue,
        };
        let mut found = Vec::new();
        for line in self.lines.iter().filter(|line| line.purposes.contains(&purpose)) {
            let targets: Vec<String> = match audience {
                Audience::People(names) => {
                    names.iter().filter_map(|name| self.person(name)).filter_map(|person| line.target(person)).collect()
                }
                Audience::Staff | Audience::SupportQueue => vec![NOBODY.to_owned()],
            };
            for target in targets {
                let address = (line.channel.clone(), target);
                if !found.contains(&address) {
                    found.push(address);
                }
            }
        }
        found
    }

    /// Whether some line for pages reaches the person.
    pub fn reaches(&self, person: &Person) -> bool {
        let mut lines = self.lines.iter().filter(|line| line.purposes.contains(&Purpose::Pages));
        lines.any(|line| line.target(person).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(channel: &str, reach: Reach, purposes: &[Purpose]) -> Line {
        Line { channel: channel.into(), reach, purposes: purposes.into() }
    }

    fn directory() -> Directory {
        let person = |name: &str, mail: Option<&str>, chat: Option<&str>| Person {
            name: name.into(),
            mail: mail.map(Into::into),
            chat: chat.map(Into::into),
            language: Language::Ja,
        };
        Directory {
            people: vec![person("sato", Some("sato@example.jp"), None), person("ito", None, Some("U1"))],
            lines: vec![
                line("mail", Reach::Mail, &[Purpose::Pages, Purpose::Staff]),
                line("chat", Reach::Chat, &[Purpose::Pages]),
                line("hook", Reach::Nobody, &[Purpose::Pages]),
            ],
        }
    }

    #[test]
    fn people_are_called_where_they_can_be_reached_and_a_program_is_told_once() {
        let directory = directory();
        let people = |names: &[&str]| Audience::People(names.iter().map(|name| (*name).to_owned()).collect());
        let pair = |channel: &str, target: &str| (channel.to_owned(), target.to_owned());
        assert_eq!(
            directory.addresses(&people(&["sato", "ito", "nobody"])),
            [pair("mail", "sato@example.jp"), pair("chat", "U1"), pair("hook", "-")]
        );
        assert_eq!(directory.addresses(&Audience::Staff), [pair("mail", "-")]);
        assert_eq!(directory.addresses(&Audience::SupportQueue), []);
    }

    #[test]
    fn whoever_no_line_for_pages_reaches_is_out_of_reach() {
        let mut directory = directory();
        directory.lines.retain(|line| line.reach == Reach::Mail);
        let reached: Vec<bool> = directory.people.iter().map(|person| directory.reaches(person)).collect();
        assert_eq!(reached, [true, false]);
    }
}
