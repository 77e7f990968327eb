//! Incoming webhooks, as Slack and Mattermost both have them: an address to post a text to. No threads, no pins, no people;
//! whoever wants those gives a bot's token.

use std::fmt;

use async_trait::async_trait;
use reqwest::{Client, Url};
use serde_json::json;

use super::slack::entities;
use super::{MAX_POST, unmentioned};
use crate::engine::time::Timestamp;
use crate::notify::channel::{Channel, Receipt, Refusal, SetupError};
use crate::notify::voice::{Voice, clipped};
use crate::notify::web::{self, Access};
use crate::record::outbox::Dispatch;

/// An incoming webhook. Its address is the secret, and is not printed.
pub struct Incoming {
    client: Client,
    url: Url,
    voice: Voice,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl Incoming {
    /// The webhook at this address.
    ///
    /// # Errors
    /// When the address or the file of authorities cannot be used.
    pub fn new(url: &str, voice: Voice, access: &Access) -> Result<Self, SetupError> {
        let url = web::address("the address of the chat's webhook", url)?;
        Ok(Self { client: web::client(&url, access)?, url, voice })
    }
}

#[async_trait]
impl Channel for Incoming {
    async fn deliver(&self, dispatch: &Dispatch, _: Option<&str>, now: Timestamp) -> Result<Receipt, Refusal> {
        let spoken = self.voice.speak(&dispatch.message, &dispatch.target);
        let incident = dispatch.message.incident.as_ref().map(|incident| format!("[{incident}] ")).unwrap_or_default();
        let words = clipped(&format!("{incident}{}\n{}", spoken.subject, spoken.body), MAX_POST);
        // Both systems know the entities; formatting that is left in people's words is harmless.
        let text = format!("{}\n{}", unmentioned(&entities(&words)), spoken.link);
        web::send(self.client.post(self.url.clone()).json(&json!({ "text": text })), now).await?;
        Ok(Receipt::default())
    }
}
