//! Slack's Web API with a bot's token. The bot needs the scopes `chat:write` and `pins:write`, and has to be in the room.

use std::fmt;

use async_trait::async_trait;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, ApiError, Post, unmentioned};
use crate::engine::time::Timestamp;
use crate::notify::channel::{Refusal, SetupError};
use crate::notify::web::{self, Access};

/// Where the API is, if nothing else is configured.
pub const URL: &str = "https://slack.com/api";

/// Errors that speak of the message itself. Every other one passes, or is mended by people: a token, a scope, an invitation.
const UNFIT: &[&str] = &[
    "invalid_arg_name",
    "invalid_arguments",
    "invalid_array_arg",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_charset",
    "invalid_form_data",
    "invalid_json",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "invalid_post_type",
    "json_not_object",
    "metadata_too_large",
    "missing_post_data",
    "missing_post_type",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "too_many_attachments",
];

/// Errors that speak of the room or the person: the bot itself is welcome.
const RECEIVER: &[&str] = &[
    "cannot_dm_bot",
    "channel_not_found",
    "is_archived",
    "messages_tab_disabled",
    "not_in_channel",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
    "user_disabled",
    "user_not_found",
    "user_not_visible",
    "users_not_found",
];

/// Errors that say that the post is not there.
const GONE: &[&str] =
    &["message_not_found", "thread_not_found", "no_item_specified", "bad_timestamp", "cannot_reply_to_message"];

/// A bot at Slack. The token is not printed.
pub struct Slack {
    client: Client,
    url: Url,
    token: String,
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slack").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    ok: bool,
    error: String,
    channel: String,
    ts: String,
}

impl Slack {
    /// A bot with this token at `url` ([`URL`]).
    ///
    /// # Errors
    /// When the address or the file of authorities cannot be used.
    pub fn new(url: &str, token: impl Into<String>, access: &Access) -> Result<Self, SetupError> {
        let url = web::address("the address of Slack's API", url)?;
        Ok(Self { client: web::client(&url, access)?, url, token: token.into() })
    }

    async fn call(&self, method: &str, body: &Value, now: Timestamp) -> Result<Answer, ApiError> {
        let request = self.client.post(web::below(&self.url, method)).bearer_auth(&self.token).json(body);
        let answer = web::send(request, now).await?;
        let answer: Answer = serde_json::from_slice(&answer.body)
            .map_err(|_| Refusal::later(format!("{method}: the answer is not Slack's; is the address right?")))?;
        if answer.ok { Ok(answer) } else { Err(failed(method, &answer.error)) }
    }
}

fn failed(method: &str, error: &str) -> ApiError {
    let text = format!("{method}: {error}");
    if GONE.contains(&error) {
        ApiError::Gone
    } else if UNFIT.contains(&error) {
        ApiError::Refused(Refusal::never(text))
    } else if RECEIVER.contains(&error) {
        ApiError::Refused(Refusal::receiver(text))
    } else {
        ApiError::Refused(Refusal::later(text))
    }
}

/// Room and time stamp of a post: both are needed to name it.
fn split(id: &str) -> Result<(&str, &str), ApiError> {
    id.split_once('/').ok_or(ApiError::Gone)
}

#[async_trait]
impl Api for Slack {
    async fn post(&self, post: Post<'_>, now: Timestamp) -> Result<String, ApiError> {
        let mut body = json!({
            "channel": post.to,
            "text": post.text,
            // Text as it is: people's words are not to be formatting.
            "mrkdwn": false,
            "unfurl_links": false,
            "unfurl_media": false,
            "metadata": { "event_type": "fleetwatch", "event_payload": { "key": post.key } },
        });
        if let Some(root) = post.under {
            let (room, ts) = split(root)?;
            body["channel"] = room.into();
            body["thread_ts"] = ts.into();
            body["reply_broadcast"] = post.loud.into();
        }
        let answer = self.call("chat.postMessage", &body, now).await?;
        Ok(format!("{}/{}", answer.channel, answer.ts))
    }

    async fn replace(&self, id: &str, text: &str, now: Timestamp) -> Result<(), ApiError> {
        let (room, ts) = split(id)?;
        self.call("chat.update", &json!({ "channel": room, "ts": ts, "text": text }), now).await.map(drop)
    }

    async fn pin(&self, id: &str, now: Timestamp) -> Result<(), ApiError> {
        let (room, ts) = split(id)?;
        match self.call("pins.add", &json!({ "channel": room, "timestamp": ts }), now).await {
            Err(ApiError::Refused(refusal)) if refusal.error().ends_with("already_pinned") => Ok(()),
            other => other.map(drop),
        }
    }

    fn is_person(&self, target: &str) -> bool {
        // Members begin with U or W, direct conversations with D.
        target.len() > 1 && target.starts_with(['U', 'W', 'D']) && target.chars().all(|c| c.is_ascii_alphanumeric())
    }

    fn defused(&self, text: &str) -> String {
        unmentioned(&entities(text))
    }
}

/// The three characters that begin Slack's markup, as it wants them: `<!channel>` and links are then text.
pub(super) fn entities(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
