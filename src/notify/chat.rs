//! Chat: one thread an incident, whose first post is a summary that is pinned and kept up to date.
//!
//! With a bot's token ([`slack`], [`mattermost`]) the first message of an incident makes two posts: the root, which is the summary, and
//! below it the message. What follows is a reply, and brings the root up to date where it has a new summary. A person (not a room)
//! is written to plainly, without a thread. [`incoming`] webhooks can do none of that: every message is a post of its own that
//! begins with the incident's number.
//!
//! The reference that is kept for a thread is the root's. A root that was deleted is made anew. If the process dies between root and
//! message, the next attempt makes a second root and goes on there.
//!
//! What people have typed is text, not markup: mentions, links and formatting in it are defused.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::channel::{Channel, Receipt, Refusal};
use super::voice::{Spoken, Voice, clipped};
use crate::engine::time::Timestamp;
use crate::record::directory::NOBODY;
use crate::record::outbox::Dispatch;

pub mod incoming;
pub mod mattermost;
pub mod slack;

pub use incoming::Incoming;
pub use mattermost::Mattermost;
pub use slack::Slack;

/// Longest post, in characters. Slack cuts at 40,000 and Mattermost at 16,383.
const MAX_POST: usize = 12_000;

/// Roots that are remembered beside what the outbox knows.
const MAX_ROOTS: usize = 1_000;

/// Attempts at a message in which its summary has to be brought up to date first.
const SUMMARY_ATTEMPTS: u32 = 3;

/// What is said to everybody in the room although it stands in a thread.
const LOUD: &[&str] = &[
    "page",
    "page_unanswered",
    "nag",
    "script",
    "script_changed",
    "correction",
    "fix_released",
    "promise_missed",
    "reopened",
    "untold",
];

/// A chat system that a bot can use.
#[async_trait]
pub trait Api: Send + Sync + std::fmt::Debug {
    /// Posts a text; `under` a post, which is a root. `key` is the same for every attempt.
    async fn post(&self, post: Post<'_>, now: Timestamp) -> Result<String, ApiError>;

    /// Gives a post another text.
    async fn replace(&self, id: &str, text: &str, now: Timestamp) -> Result<(), ApiError>;

    /// Pins a post in its room; one that is pinned already is as good.
    async fn pin(&self, id: &str, now: Timestamp) -> Result<(), ApiError>;

    /// Whether the target is a person rather than a room.
    fn is_person(&self, target: &str) -> bool;

    /// Text without the system's markup in force.
    fn defused(&self, text: &str) -> String;
}

/// What is posted.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    /// A room, or a person.
    pub to: &'a str,
    pub text: &'a str,
    /// Id of the root.
    pub under: Option<&'a str>,
    pub key: &'a str,
    /// Also to be seen outside of the thread.
    pub loud: bool,
}

/// Why the system did not do it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApiError {
    /// The post that it was about is not there any more.
    Gone,
    /// Anything else.
    Refused(Refusal),
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Gone => Self::later("the thread was deleted meanwhile"),
            ApiError::Refused(refusal) => refusal,
        }
    }
}

/// Where a thread stands: a room or channel of the chat, and the incident that it is about.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    to: &'a str,
    incident: &'a str,
}

/// A root, and whether it is pinned as far as we know.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Root {
    id: String,
    pinned: bool,
}

/// A chat system as a channel.
#[derive(Debug)]
pub struct Chat<A> {
    api: A,
    /// The room for what is for the channel itself.
    room: String,
    voice: Voice,
    /// By target and incident. It goes before what the outbox knows: an attempt that failed half-way has made a root.
    roots: Mutex<BTreeMap<(String, String), Root>>,
}

impl<A: Api> Chat<A> {
    /// A chat; `room` is where messages without another target go.
    pub fn new(api: A, room: impl Into<String>, voice: Voice) -> Self {
        Self { api, room: room.into(), voice, roots: Mutex::default() }
    }

    /// The root of the incident's thread, with its summary as of this message.
    async fn root(
        &self,
        dispatch: &Dispatch,
        place: Place<'_>,
        thread: Option<&str>,
        spoken: &Spoken,
        now: Timestamp,
    ) -> Result<Root, Refusal> {
        let incident = place.incident;
        let known = self.known(place).or_else(|| thread.map(|id| Root { id: id.to_owned(), pinned: false }));
        let text = self.summary(incident, spoken);
        if let Some(root) = known {
            if spoken.summary.is_none() {
                return Ok(root);
            }
            match self.api.replace(&root.id, &text, now).await {
                Ok(()) => return Ok(root),
                Err(ApiError::Gone) => {}
                // Nothing was said yet: all of it is tried again. But an old summary is no reason to say nothing for long.
                Err(ApiError::Refused(refusal @ Refusal::Later { .. })) if dispatch.attempts < SUMMARY_ATTEMPTS => {
                    return Err(refusal);
                }
                Err(ApiError::Refused(refusal)) => {
                    let error = refusal.error();
                    tracing::warn!(incident, error, "the pinned summary of the chat cannot be brought up to date");
                    return Ok(root);
                }
            }
        }
        self.new_root(dispatch, place, &text, now).await
    }

    async fn new_root(
        &self,
        dispatch: &Dispatch,
        place: Place<'_>,
        text: &str,
        now: Timestamp,
    ) -> Result<Root, Refusal> {
        let key = format!("{}:root", dispatch.key);
        let post = Post { to: place.to, text, under: None, key: &key, loud: false };
        let root = Root { id: self.api.post(post, now).await?, pinned: false };
        self.remember(place, root.clone());
        Ok(root)
    }

    /// Pins the root if it is not known to be. That it fails is no reason to say nothing.
    async fn pin(&self, place: Place<'_>, mut root: Root, now: Timestamp) -> Root {
        if root.pinned {
            return root;
        }
        match self.api.pin(&root.id, now).await {
            Ok(()) => root.pinned = true,
            Err(error) => {
                let error = Refusal::from(error);
                tracing::warn!(
                    incident = place.incident,
                    error = error.error(),
                    "the summary in the chat cannot be pinned"
                );
            }
        }
        self.remember(place, root.clone());
        root
    }

    fn summary(&self, incident: &str, spoken: &Spoken) -> String {
        let line = spoken.summary.as_ref().unwrap_or(&spoken.subject);
        clipped(&format!("{}: {}\n{}", self.api.defused(incident), self.api.defused(line), spoken.link), MAX_POST)
    }

    fn words(&self, spoken: &Spoken) -> String {
        let body = clipped(&self.api.defused(&spoken.body), MAX_POST);
        format!("{}\n{body}\n{}", self.api.defused(&spoken.subject), spoken.link)
    }

    fn known(&self, Place { to, incident }: Place<'_>) -> Option<Root> {
        let roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        roots.get(&(to.to_owned(), incident.to_owned())).cloned()
    }

    fn remember(&self, Place { to, incident }: Place<'_>, root: Root) {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if roots.len() >= MAX_ROOTS {
            roots.pop_first();
        }
        roots.insert((to.to_owned(), incident.to_owned()), root);
    }
}

#[async_trait]
impl<A: Api> Channel for Chat<A> {
    async fn deliver(&self, dispatch: &Dispatch, thread: Option<&str>, now: Timestamp) -> Result<Receipt, Refusal> {
        let message = &dispatch.message;
        let spoken = self.voice.speak(message, &dispatch.target);
        let to = if dispatch.target == NOBODY { self.room.as_str() } else { dispatch.target.as_str() };
        let text = self.words(&spoken);
        let plain = Post { to, text: &text, under: None, key: &dispatch.key, loud: false };
        let incident = match &message.incident {
            Some(incident) if !self.api.is_person(to) => incident.as_str(),
            _ => {
                self.api.post(plain, now).await?;
                return Ok(Receipt::default());
            }
        };
        let place = Place { to, incident };
        let root = self.root(dispatch, place, thread, &spoken, now).await?;
        let root = self.pin(place, root, now).await;
        let loud = LOUD.contains(&message.kind.as_str());
        let reply = Post { under: Some(&root.id), loud, ..plain };
        let root = match self.api.post(reply, now).await {
            Ok(_) => root.clone(),
            Err(ApiError::Gone) => {
                let root = self.new_root(dispatch, place, &self.summary(incident, &spoken), now).await?;
                let root = self.pin(place, root, now).await;
                self.api.post(Post { under: Some(&root.id), loud, ..plain }, now).await?;
                root
            }
            Err(ApiError::Refused(refusal)) => return Err(refusal),
        };
        Ok(Receipt { reference: Some(root.id) })
    }
}

/// Keeps a mention from being one: a space without width after each `@`.
fn unmentioned(text: &str) -> String {
    text.replace('@', "@\u{200b}")
}

#[cfg(test)]
mod tests;
