//! People who can be called, and how a channel finds them: words that the configuration, the outbox and the channels share.

use serde::{Deserialize, Serialize};

use crate::words::Languages;

/// The target of what is for a channel itself: [`super::outbox::Dispatch::target`].
pub const NOBODY: &str = "-";

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
    pub language: Languages,
}

/// A place where a message can be left: a channel of the configuration, and who at it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Address {
    pub channel: String,
    /// A mail address, a room; `-` where the channel is the receiver.
    pub target: String,
}

/// What a channel is used for.
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

impl Reach {
    /// Who the person is at such a channel; `None` where they cannot be reached by it.
    pub fn target(self, person: &Person) -> Option<String> {
        match self {
            Self::Mail => person.mail.clone(),
            Self::Chat => person.chat.clone(),
            Self::Nobody => Some(NOBODY.to_owned()),
        }
    }
}
