//! Mattermost's API v4 with a bot's token. The bot has to be in the room's team and room, and may pin posts there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, ApiError, Post, unmentioned};
use crate::engine::time::Timestamp;
use crate::notify::channel::{Refusal, SetupError};
use crate::notify::web::{self, Access};

/// What Markdown gives a meaning to.
const MARKUP: &str = "\\`*_~[]()<>#|!";

/// A bot at Mattermost. The token is not printed.
pub struct Mattermost {
    client: Client,
    url: Url,
    token: String,
    /// Direct conversations with people, by `@name`.
    direct: Mutex<BTreeMap<String, String>>,
}

impl fmt::Debug for Mattermost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mattermost").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize)]
struct Made {
    id: String,
}

impl Mattermost {
    /// A bot with this token at `url`, the server's address without `/api/v4`.
    ///
    /// # Errors
    /// When the address or the file of authorities cannot be used.
    pub fn new(url: &str, token: impl Into<String>, access: &Access) -> Result<Self, SetupError> {
        let url = web::address("the address of Mattermost", url)?;
        let direct = Mutex::default();
        Ok(Self { client: web::client(&url, access)?, url, token: token.into(), direct })
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>, now: Timestamp) -> Result<Vec<u8>, Refusal> {
        let mut request = self.client.request(method, web::below(&self.url, path)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        web::send(request, now).await.map(|answer| answer.body)
    }

    async fn made(&self, method: Method, path: &str, body: Option<&Value>, now: Timestamp) -> Result<String, Refusal> {
        let answer = self.call(method, path, body, now).await?;
        let made: Made = serde_json::from_slice(&answer)
            .map_err(|_| Refusal::later(format!("{path}: the answer is not Mattermost's; is the address right?")))?;
        Ok(made.id)
    }

    /// The direct conversation with a person.
    async fn conversation(&self, name: &str, now: Timestamp) -> Result<String, Refusal> {
        if let Some(known) = self.direct.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(known.clone());
        }
        let us = self.made(Method::GET, "/api/v4/users/me", None, now).await?;
        let path = format!("/api/v4/users/username/{}", name.trim_start_matches('@'));
        let them = self.made(Method::GET, &path, None, now).await.map_err(about_person)?;
        let found = self.made(Method::POST, "/api/v4/channels/direct", Some(&json!([us, them])), now).await?;
        self.direct.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), found.clone());
        Ok(found)
    }
}

/// Whether the answer had this status.
fn answered(refusal: &Refusal, status: StatusCode) -> bool {
    refusal.error().starts_with(&format!("answered {}", status.as_str()))
}

/// What a refusal about a post means: one that is not there is not the end of the matter. Mattermost answers 404 for a post that
/// was deleted, and 400 with this id for a reply to one.
fn about_post(refusal: Refusal) -> ApiError {
    let is_gone = answered(&refusal, StatusCode::NOT_FOUND)
        || ["root_id", "RootId"].iter().any(|mark| refusal.error().contains(mark));
    if is_gone { ApiError::Gone } else { ApiError::Refused(about_room(refusal)) }
}

/// What a refusal about a room means: the bot is not in it (403), or it is not there (404); the server itself works.
fn about_room(refusal: Refusal) -> Refusal {
    let is_about_it = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].iter().any(|status| answered(&refusal, *status));
    if is_about_it { Refusal::receiver(refusal.error()) } else { refusal }
}

/// What a refusal about a person means: a name that is not known there (404, or 400 where it cannot be one).
fn about_person(refusal: Refusal) -> Refusal {
    let is_about_them =
        [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND].iter().any(|status| answered(&refusal, *status));
    if is_about_them { Refusal::receiver(refusal.error()) } else { refusal }
}

#[async_trait]
impl Api for Mattermost {
    async fn post(&self, post: Post<'_>, now: Timestamp) -> Result<String, ApiError> {
        let room = if self.is_person(post.to) { self.conversation(post.to, now).await? } else { post.to.to_owned() };
        let body = json!({
            "channel_id": room,
            "message": post.text,
            "root_id": post.under.unwrap_or_default(),
            // A second post with the same one is answered with the first.
            "pending_post_id": post.key,
            "props": { "fleetwatch_key": post.key },
        });
        let made = self.made(Method::POST, "/api/v4/posts", Some(&body), now).await;
        made.map_err(|refusal| if post.under.is_some() { about_post(refusal) } else { about_room(refusal).into() })
    }

    async fn replace(&self, id: &str, text: &str, now: Timestamp) -> Result<(), ApiError> {
        let path = format!("/api/v4/posts/{id}/patch");
        let done = self.call(Method::PUT, &path, Some(&json!({ "message": text })), now).await;
        done.map(drop).map_err(about_post)
    }

    async fn pin(&self, id: &str, now: Timestamp) -> Result<(), ApiError> {
        let done = self.call(Method::POST, &format!("/api/v4/posts/{id}/pin"), None, now).await;
        done.map(drop).map_err(about_post)
    }

    fn is_person(&self, target: &str) -> bool {
        target.starts_with('@')
    }

    fn defused(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if MARKUP.contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        unmentioned(&out)
    }
}
