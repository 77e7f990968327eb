//! Delivery of what the outbox holds to people and programs.
//!
//! A [`Deliverer`] takes what is due from the [`Outbox`](crate::record::outbox::Outbox) and hands it to the [`Channel`] that it is addressed to.
//! Each channel has a lane of its own with its own pace, so one that is slow, down or rate-limited never holds another. Within a lane the
//! messages of one incident to one target keep their order.
//!
//! * *At least once.* An attempt is written down after it was made. A process that dies in between makes it again, with the same
//!   key: the webhook's receiver drops it by its `Idempotency-Key`, a mail carries the same `Message-ID`, Mattermost
//!   drops a second `pending_post_id`, an alert is the same alert. Slack has nothing of the kind and may show it twice.
//! * *Tried again* with a delay that doubles, whatever the channel says that time or people can mend: no connection, 5xx, a token
//!   that has expired, a redirect, a room that is gone, a mailbox that is refused. A `Retry-After` is kept. *Given up*, loudly, only
//!   when the message itself cannot be taken (400, 413, 422), or when it is too old.
//! * *One receiver holds up nobody else*: who is refused is told apart from a channel that is down.
//! * *Told elsewhere*: what has not got through for an hour, or was given up, goes over every other channel and onto the pages.
//! * *Time* is engine time, so that a test lives through hours in a second; randomness is only in the jitter.
//!
//! | module | what it owns |
//! |---|---|
//! | [`channel`] | what a channel is asked, and how it answers |
//! | [`elsewhere`] | what is said over other channels about what does not get through |
//! | [`deliverer`] | the lanes together: starting, ending, the backlog, messages that no channel takes |
//! | [`lane`] | one channel: order, pace, attempts and what comes of them |
//! | [`pace`] | token bucket and delays, without a clock |
//! | [`observer`] | whoever counts what happens |
//! | [`voice`] | which language, which link, and how long a text may be |
//! | [`web`] | what all channels over HTTP share: client, answers, Retry-After |
//! | [`alertmanager`] | Alertmanager's API v2, and the alerts that are told again every minute |
//! | [`webhook`] | a signed POST to a program |
//! | [`chat`] | Slack, Mattermost, and incoming webhooks of both |
//! | [`mail`] | SMTP |

pub mod alertmanager;
pub mod channel;
pub mod chat;
pub mod deliverer;
pub mod elsewhere;
pub mod lane;
pub mod mail;
pub mod observer;
pub mod pace;
pub mod voice;
pub mod web;
pub mod webhook;

#[cfg(test)]
pub(crate) mod tests;

pub use channel::{Channel, Receipt, Refusal, SetupError};
pub use deliverer::{Deliverer, Patience, Waker};
pub use lane::{Policy, Route};
pub use observer::{Backlog, Observer};
