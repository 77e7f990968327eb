//! Delivery to the real thing: Debian's Alertmanager, a real SMTP server, and receivers over HTTP and HTTPS that judge for
//! themselves what they get. What a receiver that misbehaves does to the deliverer is tested beside it, on virtual time.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod alertmanager;
mod authority;
mod chat;
mod command;
mod hook;
mod mail;
mod receiver;
mod smtp;

use std::time::Duration;

use fleetwatch::clock::{self, Clock};
use fleetwatch::engine::time::Timestamp;
use fleetwatch::notify::web::Access;
use fleetwatch::record::outbox::{Dispatch, DispatchState, Message};
use fleetwatch::words::Both;

const SOON: Duration = Duration::from_secs(20);

fn now() -> Timestamp {
    Clock::system().now()
}

fn access() -> Access {
    Access { ca_file: None, timeout: Duration::from_secs(5) }
}

/// The first message of an incident, to the channel itself.
fn dispatch(id: i64) -> Dispatch {
    let text = |ja: &str, en: &str| Both { ja: ja.into(), en: en.into() };
    let message = Message {
        kind: "declared".into(),
        incident: Some("INC-2026-0007".into()),
        severity: "major".into(),
        scope: "fleet".into(),
        subject: text("重大インシデント INC-2026-0007", "Major incident INC-2026-0007"),
        body: text(
            "330台に影響。\n原因の候補: 更新 2026.11.21",
            "330 devices are affected.\nSuspect: update 2026.11.21",
        ),
        path: "/incidents/INC-2026-0007".into(),
        summary: Some(text("330台、対応者を招集中", "330 devices, mustering")),
        started_at: Some(now().plus_ms(-3_600_000)),
        ended_at: None,
    };
    Dispatch {
        id,
        key: format!("INC-2026-0007/{id}/declared/0"),
        channel: "c".into(),
        target: "-".into(),
        message,
        created_at: now(),
        due_at: now(),
        state: DispatchState::Pending,
        attempts: 0,
    }
}

/// Waits until `condition` gives something, at most [`SOON`].
async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    let start = clock::monotonic();
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(start.elapsed() < SOON, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
