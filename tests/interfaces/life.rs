//! An incident's life for tests, benches and the page example: the sample's update that over-detects, some thirty hours on.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::Arc;

use fleetwatch::engine::device::DeviceId;
use fleetwatch::engine::effect::Scope;
use fleetwatch::engine::snapshot::Snapshot;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::incident::event::{Joining, Opening};
use fleetwatch::incident::ladder::{Call, CallOutcome, Claim, Direction, Progress, Proof};
use fleetwatch::incident::{
    Action, Command, ExceptionKind, Fix, IncidentEvent, LifeSettings, Role, Rota, RotaStep, Script, Seat, TELEMETRY,
    WorkaroundPlan,
};
use fleetwatch::record::incident::{Contact, ContactEntry};
use fleetwatch::record::outbox::{Attempt, Dispatch, DispatchState, Message, Outcome, Untold};
use fleetwatch::web::HttpState;
use fleetwatch::words::Both;

use crate::desk::{Desk, Told};
use crate::sample::{self, NOW, Stage};

pub const NUMBER: &str = "INC-2026-0007";

/// Minutes of the sample's life, from the declaration.
pub const DECLARED: Timestamp = NOW.plus_ms(-300_000);

/// Half a day after the fix came out.
pub const LATER: i64 = 30 * 60;

/// An instant of the incident's life, in minutes after the declaration.
pub fn at(minutes: i64) -> Timestamp {
    DECLARED.plus_ms(minutes * MINUTE_MS)
}

pub fn joining(number: usize) -> Joining {
    let (branch, customer) = (Some(format!("branch-{:02}", number % 50)), Some(format!("C-{number:05}")));
    Joining { device: sample::id(number), branch, customer }
}

/// The devices that the update has hit.
pub fn hit(count: usize) -> Vec<usize> {
    (1..=count).filter(|number| number.is_multiple_of(3) && !number.is_multiple_of(97)).collect()
}

pub fn opening(number: &str, devices: &[usize]) -> IncidentEvent {
    let opening = Opening {
        number: number.to_owned(),
        event_id: if number == NUMBER { sample::EVENT.to_owned() } else { format!("E-{number}") },
        scope: if devices.len() < 3 { Scope::Isolated } else { Scope::Fleet },
        impact_started_at: at(-60),
        detected_at: at(-45),
        declared_at: at(0),
        criterion_s: 3_600,
        measured_s: 3_600,
        cause: (devices.len() >= 3).then(sample::cause),
        follows: None,
        devices: devices.iter().copied().map(joining).collect(),
    };
    IncidentEvent { at: at(0), by: "detector".to_owned(), action: Action::Opened(Box::new(opening)) }
}

pub fn rota() -> Rota {
    let step = |people: &[&str], timeout_min| RotaStep {
        people: people.iter().map(|person| (*person).to_owned()).collect(),
        timeout_min,
    };
    let whole = |role, steps: Vec<RotaStep>| (Seat::of(role), steps);
    Rota(
        [
            whole(Role::Commander, vec![step(&["Sato"], 10), step(&["Takahashi"], 10)]),
            whole(Role::DevelopmentLead, vec![step(&["Kimura"], 10), step(&["Tanaka"], 15)]),
            whole(Role::SupportLead, vec![step(&["Abe", "Endo"], 10)]),
            whole(Role::CommunicationsLead, vec![step(&["Mori"], 10), step(&["Ito"], 10)]),
        ]
        .into(),
    )
}

pub fn plan(text: &str) -> WorkaroundPlan {
    let ja = "1. 管理画面を開いてください。\n2. 「検査」の「HTTPSの詳細検査」を一時的に無効にしてください。\n3. 「保存」を押してください。";
    let script = Script {
        ja: format!("{ja}\n4. {text}"),
        en: format!("1. Open the console.\n2. Switch deep inspection of HTTPS off for now.\n3. Save.\n4. {text}"),
    };
    WorkaroundPlan { id: "WA-1".to_owned(), script }
}

pub fn call(outcome: CallOutcome, progress: Option<Progress>) -> Call {
    Call { outcome, progress, note: String::new(), script: Some(1), direction: Direction::Outgoing }
}

/// The incident from its declaration: people answer, a workaround is agreed, called through, proved.
pub fn mustered(number: &str, devices: &[usize]) -> Told {
    let mut told = Told::open(opening(number, devices));
    let (rota, settings) = (rota(), LifeSettings::default());
    told.take(told.incident.tick(&rota, &settings, at(0)));
    told.execute(at(4), "Sato", Command::Acknowledge { seat: Seat::of(Role::Commander) });
    told.execute(at(4), "Sato", Command::Join);
    told.execute(at(7), "Kimura", Command::Acknowledge { seat: Seat::of(Role::DevelopmentLead) });
    told.execute(at(8), "Endo", Command::Acknowledge { seat: Seat::of(Role::SupportLead) });
    told.execute(at(9), "Endo", Command::Join);
    told.take(told.incident.tick(&rota, &settings, at(11)));
    let word = "The update 2026.11.21 flags normal HTTPS. A workaround is being tried.".to_owned();
    told.execute(at(15), "Sato", Command::Note { text: word, tell: true });
    told
}

pub fn with_workaround(number: &str, devices: &[usize]) -> Told {
    let mut told = mustered(number, devices);
    let register = |text: &str, fix: Option<&str>| Command::RegisterCountermeasure {
        workaround: Some(plan(text)),
        fix: fix.map(|version| Fix::Update(version.to_owned())),
        fix_due_at: Some(at(48 * 60)),
    };
    told.execute(at(50), "Kimura", register("Say that we call again.", None));
    told.execute(at(58), "Tanaka", Command::AgreeCountermeasure { version: 1 });
    told.execute(at(60), "Endo", Command::AcknowledgeScript { version: 1 });
    told.execute(at(20 * 60), "Kimura", register("Say that the fix comes by itself at night.", Some("2026.11.23")));
    told.execute(at(20 * 60 + 10), "Tanaka", Command::AgreeCountermeasure { version: 2 });
    told
}

/// Some thirty hours on: a third is done, others are on every step.
pub fn later(number: &str, devices: &[usize]) -> Told {
    let mut told = with_workaround(number, devices);
    let ids: Vec<DeviceId> = devices.iter().copied().map(sample::id).collect();
    let part = |from: usize, to: usize| ids[ids.len() * from / 100..ids.len() * to / 100].to_vec();
    for (index, device) in part(0, 78).into_iter().enumerate() {
        let (outcome, progress) = match index % 9 {
            0 => (CallOutcome::NoAnswer, None),
            1 | 2 => (CallOutcome::Reached, Some(Progress::Phone)),
            _ => (CallOutcome::Reached, Some(Progress::Unwanted)),
        };
        let command = Command::RecordCall { device, call: call(outcome, progress) };
        told.execute(at(70 + index as i64 * 3), "Endo", command);
    }
    told.execute(at(18 * 60), "Endo", Command::Claim { devices: part(0, 72), claim: Claim::Workaround });
    let proved = |devices: Vec<DeviceId>, proof| Action::Proved { devices, proof };
    told.act(at(18 * 60 + 5), TELEMETRY, proved(part(0, 66), Proof::Workaround));
    told.act(at(19 * 60), TELEMETRY, proved(part(0, 60), Proof::Quality));
    told.execute(at(22 * 60), "Kimura", Command::ReleaseFix);
    let mut done = part(0, 40).into_iter();
    for hour in 0..7 {
        let now: Vec<DeviceId> = done.by_ref().take(ids.len() * 40 / 700 + 1).collect();
        told.act(at(22 * 60 + 20 + hour * 60), TELEMETRY, proved(now.clone(), Proof::Fix));
        told.act(at(22 * 60 + 25 + hour * 60), TELEMETRY, proved(now.clone(), Proof::Revert));
        told.act(at(23 * 60 + 25 + hour * 60), TELEMETRY, proved(now, Proof::Quality));
    }
    told.act(at(29 * 60 + 30), TELEMETRY, proved(part(40, 48), Proof::Fix));
    told.act(at(29 * 60 + 30), TELEMETRY, proved(part(40, 44), Proof::Revert));
    let gone = ids.last().unwrap().clone();
    let evidence = "Replaced on 23 Nov, order 4711".to_owned();
    told.execute(at(29 * 60 + 40), "Sato", Command::SignOff { device: gone, kind: ExceptionKind::Replaced, evidence });
    told.act(at(29 * 60 + 50), TELEMETRY, Action::Relapsed { devices: part(1, 2) });
    told
}

/// Contacts of every device; numbers that nobody has.
pub fn contacts(count: usize) -> Vec<ContactEntry> {
    let entry = |number: usize| ContactEntry {
        device: sample::id(number),
        customer: Some(format!("C-{number:05}")),
        branch: Some(format!("branch-{:02}", number % 50)),
        contact: Contact {
            name: Some(format!("Customer {number}")),
            phone: Some(format!("0120-00-{number:04}")),
            mail: Some(format!("c{number}@example.jp")),
        },
    };
    (1..=count).map(entry).collect()
}

/// A message that its receiver has not got for long.
pub fn untold(channel: &str, target: &str, error: &str) -> Untold {
    let text = |text: &str| Both { ja: text.to_owned(), en: text.to_owned() };
    let message = Message {
        kind: "declared".to_owned(),
        incident: Some("INC-2026-0007".to_owned()),
        severity: "major".to_owned(),
        scope: "fleet".to_owned(),
        subject: text("[INC-2026-0007] major incident declared"),
        body: text("330 devices"),
        path: "/incidents/INC-2026-0007".to_owned(),
        summary: None,
        started_at: None,
        ended_at: None,
    };
    let dispatch = Dispatch {
        id: 1,
        key: "k/1".to_owned(),
        channel: channel.to_owned(),
        target: target.to_owned(),
        message,
        created_at: at(0),
        due_at: at(1),
        state: DispatchState::Pending,
        attempts: 3,
    };
    Untold { dispatch, error: Some(error.to_owned()), told_elsewhere: false }
}

pub fn attempts() -> Vec<Attempt> {
    let attempt = |id: i64, minutes: i64, (channel, target, kind): (&str, &str, &str), outcome| Attempt {
        dispatch: id,
        key: format!("k/{id}"),
        channel: channel.to_owned(),
        target: target.to_owned(),
        kind: kind.to_owned(),
        at: at(minutes),
        outcome,
    };
    let sent = || Outcome::Sent { reference: None };
    vec![
        attempt(4, 20 * 60, ("mail", "support@example.jp", "script_changed"), sent()),
        attempt(3, 12, ("chat", "#incidents", "declared"), Outcome::Failed { error: "404 Not Found".to_owned() }),
        attempt(
            2,
            1,
            ("mail", "mori@example.jp", "page"),
            Outcome::Retry { error: "connection refused".to_owned(), retry_at: at(2) },
        ),
        attempt(1, 0, ("mail", "sato@example.jp", "page"), sent()),
    ]
}

/// The fleet of the sample at an instant of the incident's life.
pub fn snapshot(count: usize, minutes: i64) -> Snapshot {
    let drawn = sample::snapshot(count, Stage::Declared);
    Snapshot { at: at(minutes), ..drawn }
}

/// A desk with these incidents, as of an instant of their life.
pub fn desk(told: Vec<Told>, minutes: i64) -> Arc<Desk> {
    Arc::new(Desk::new(told, contacts(1_000), (rota(), attempts()), at(minutes)))
}

/// Puts the desk behind a listener.
pub fn behind(desk: &Arc<Desk>, state: &mut HttpState) {
    state.incidents = Some(Arc::clone(desk) as _);
    state.incident_store = Some(Arc::clone(desk) as _);
    state.outbox = Some(Arc::clone(desk) as _);
    let example = serde_json::json!({
        "detector": {"hold_min": 60, "ratio": 1.5},
        "http": {"listen": "127.0.0.1:8080"},
        "notify": {"channel": [{"name": "chat", "url": "https://hooks.example/services/T0/secret", "secret_file": "/etc/x"}]},
    });
    state.settings = Arc::new(example);
}
