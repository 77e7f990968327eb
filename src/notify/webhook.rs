//! A POST to a program of your own, signed.
//!
//! The body is JSON:
//!
//! ```text
//! {"v":1,"key":"...","kind":"declared","incident":"INC-2026-0007","severity":"major","scope":"fleet",
//!  "subject":{"ja":"...","en":"..."},"body":{"ja":"...","en":"..."},"summary":{"ja":"...","en":"..."}|null,
//!  "page":"https://.../incidents/INC-2026-0007","started_at":<ms>|null,"ended_at":<ms>|null,
//!  "created_at":<ms>,"sent_at":<ms>,"attempt":1}
//! ```
//!
//! Instants are milliseconds since the epoch (UTC); `kind` is of an open list; fields may be added. `created_at` is when it was
//! written, `sent_at` when this attempt was made. Any 2xx means that it was taken.
//!
//! * `Idempotency-Key`: the same for every attempt. Delivery is at least once, so keep the keys that you have worked through for
//!   two days and answer 2xx to a second copy.
//! * `X-Fleetwatch-Signature: t=<seconds>,v1=<hex>`: HMAC-SHA256 over `<t>.<body>` with the secret, the scheme that Stripe uses. To
//!   verify: take `t` and the raw body as received (before parsing), compute the HMAC of `t`, a dot and the body,
//!   compare in constant time, and refuse a `t` that is more than five minutes off, so that a recorded request cannot be played again.
//!   Several `v1` may stand there one day; one that fits is enough.
//!
//! In Python:
//!
//! ```text
//! parts = [p.split("=", 1) for p in headers["X-Fleetwatch-Signature"].split(",")]
//! t = next(v for k, v in parts if k == "t")
//! good = hmac.new(secret, t.encode() + b"." + body, hashlib.sha256).hexdigest()
//! ok = abs(time.time() - int(t)) < 300 and any(hmac.compare_digest(good, v) for k, v in parts if k == "v1")
//! ```

use std::fmt;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use ring::hmac;
use serde::Serialize;

use super::channel::{Channel, Receipt, Refusal, SetupError};
use super::voice::Voice;
use super::web::{self, Access};
use crate::engine::time::Timestamp;
use crate::record::outbox::Dispatch;
use crate::words::Both;

/// The header with time and signature.
pub const SIGNATURE_HEADER: &str = "X-Fleetwatch-Signature";

/// The header by which a receiver knows a second copy.
pub const KEY_HEADER: &str = "Idempotency-Key";

/// Shortest secret, in bytes.
pub const LEAST_SECRET: usize = 16;

/// A program that takes signed messages. Prints neither its address nor its secret.
pub struct Webhook {
    client: Client,
    url: Url,
    key: hmac::Key,
    voice: Voice,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl Webhook {
    /// A webhook at `url`, signed with `secret` (at least [`LEAST_SECRET`] bytes).
    ///
    /// # Errors
    /// When address, secret or authorities cannot be used.
    pub fn new(url: &str, secret: &[u8], voice: Voice, access: &Access) -> Result<Self, SetupError> {
        if secret.len() < LEAST_SECRET {
            let detail = format!("it has {} bytes, and {LEAST_SECRET} are the least", secret.len());
            return Err(SetupError::Setting { what: "the secret of the webhook", detail });
        }
        let url = web::address("the address of the webhook", url)?;
        Ok(Self { client: web::client(&url, access)?, url, key: hmac::Key::new(hmac::HMAC_SHA256, secret), voice })
    }
}

/// What is posted.
#[derive(Debug, Serialize)]
struct Body<'a> {
    v: u32,
    key: &'a str,
    kind: &'a str,
    incident: Option<&'a str>,
    severity: &'a str,
    scope: &'a str,
    subject: &'a Both,
    body: &'a Both,
    summary: Option<&'a Both>,
    page: String,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    created_at: Timestamp,
    sent_at: Timestamp,
    attempt: u32,
}

#[async_trait]
impl Channel for Webhook {
    async fn deliver(&self, dispatch: &Dispatch, _: Option<&str>, now: Timestamp) -> Result<Receipt, Refusal> {
        let message = &dispatch.message;
        let body = Body {
            v: 1,
            key: &dispatch.key,
            kind: &message.kind,
            incident: message.incident.as_deref(),
            severity: &message.severity,
            scope: &message.scope,
            subject: &message.subject,
            body: &message.body,
            summary: message.summary.as_ref(),
            page: self.voice.link(&message.path),
            started_at: message.started_at,
            ended_at: message.ended_at,
            created_at: dispatch.created_at,
            sent_at: now,
            attempt: dispatch.attempts.saturating_add(1),
        };
        let body = serde_json::to_vec(&body).map_err(Refusal::never)?;
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(KEY_HEADER, header_text(&dispatch.key))
            .header(SIGNATURE_HEADER, signature(&self.key, now.as_ms() / 1_000, &body))
            .body(body);
        web::send(request, now).await?;
        Ok(Receipt::default())
    }
}

/// `t=<seconds>,v1=<hex>` for this body.
pub fn signature(key: &hmac::Key, seconds: i64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(seconds.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    let tag = context.sign();
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

/// A key as a header can carry it; keys are ours and plain, so this changes nothing but what would be refused.
fn header_text(key: &str) -> String {
    key.chars().map(|c| if (' '..='~').contains(&c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value is `openssl dgst -sha256 -hmac` over the same bytes.
    #[test]
    fn the_signature_is_the_one_that_openssl_makes() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef");
        assert_eq!(
            signature(&key, 1_795_305_600, b"{\"v\":1}"),
            "t=1795305600,v1=11ab612c6a17bf2b1c99ce92650066956954cb809e808ce20931e0d05780677d"
        );
    }

    #[test]
    fn a_short_secret_is_refused_and_nothing_secret_is_printed() {
        let access = Access { ca_file: None, timeout: std::time::Duration::from_secs(1) };
        let make = |secret: &[u8]| Webhook::new("http://127.0.0.1:1/hunter2", secret, Voice::default(), &access);
        assert!(make(b"short").unwrap_err().to_string().contains("16 are the least"));
        assert!(!format!("{:?}", make(b"0123456789abcdef").unwrap()).contains("hunter2"));
    }
}
