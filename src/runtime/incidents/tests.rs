//! The open incidents over a record in memory: what is declared becomes an incident once, whatever is said twice; nothing is in force that is
//! not on record; a restart stands where the other one stood.

mod memory;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, watch};

use self::memory::Memory;
use super::super::sent_messages::SentMessages;
use super::{Directory, IncidentTask, IncidentsConfig, LiveIncidents, Statuses};
use crate::clock::Clock;
use crate::engine::device::{DeviceId, Status, Workaround};
use crate::engine::effect::{Cause, Change, ChangeKind, Scope, Severity, Suspect, Verdict};
use crate::engine::snapshot::{DeviceView, Snapshot};
use crate::engine::time::Timestamp;
use crate::incident::countermeasure::{Fix, Script, WorkaroundPlan};
use crate::incident::{Command, LifeSettings, Refusal, Role, Rota, RotaStep, Seat, State, Step};
use crate::record::directory::Address;
use crate::record::incidents::{IncidentError, Incidents, Reshape};
use crate::record::outbox::{Attempt, Outcome};

const START: i64 = 1_795_305_600_000;

/// The open incidents over a fleet of `B-0` to `B-9`, on a clock that stands still for the test's purposes.
struct Site {
    memory: Arc<Memory>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    incidents: LiveIncidents,
    clock: Clock,
    sent: SentMessages,
}

fn device(number: usize) -> DeviceId {
    DeviceId::parse(&format!("B-{number}")).unwrap()
}

fn view(number: usize) -> DeviceView {
    DeviceView {
        id: device(number),
        model: None,
        branch: Some("sapporo-03".into()),
        customer: Some(format!("C-{number}").into()),
        firmware: None,
        update: Some("2026.11.21".into()),
        update_installed_at: None,
        packages: Vec::new(),
        reporting: true,
        online: Some(true),
        workaround_active: None,
        workaround_id: None,
        verdict: Verdict::Healthy,
        quiet_min: 0,
        quiet_since: None,
        is_known: true,
        streak_s: 0,
        evidence: Vec::new(),
        latency_us: None,
        classes: Vec::new(),
        false_positive_ratio: None,
        last_report_at: None,
        event_id: None,
        affected: false,
        clock_offset_ms: None,
        recent_boots: 1,
        over_budget: None,
        refused: None,
    }
}

fn config() -> IncidentsConfig {
    let step = |person: &str| RotaStep { people: vec![person.to_owned()], timeout_min: 5 };
    let rota = Rota([(Seat::of(Role::Commander), vec![step("ito"), step("mori")])].into());
    let at = |channel: &str, target: &str| vec![Address { channel: channel.into(), target: target.into() }];
    let directory = Directory {
        staff: at("chat", "#incidents"),
        support_queue: at("chat", "#support"),
        people: [("ito".to_owned(), at("mail", "ito@example.jp"))].into(),
    };
    // No time passes in these tests: what has to be quiet for a while is so at once.
    let settings = LifeSettings { clear_min: 0, ..LifeSettings::default() };
    IncidentsConfig { settings, hold_min: 60, rota, directory }
}

impl Site {
    async fn new() -> Self {
        Self::over(
            Arc::new(Memory::default()),
            Snapshot { devices: (0..10).map(view).collect(), ..Snapshot::default() },
        )
        .await
    }

    async fn over(memory: Arc<Memory>, snapshot: Snapshot) -> Self {
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot));
        let clock = Clock::scaled(Timestamp::from_ms(START), 1.0);
        let (store, sent) = (Arc::clone(&memory), SentMessages::default());
        let seen = (Arc::clone(&snapshot), Statuses::default());
        let incidents = LiveIncidents::new(config(), clock, store.clone(), store, seen.0, seen.1, sent.clone());
        incidents.take_up().await.unwrap();
        Self { memory, snapshot, incidents, clock, sent }
    }

    async fn declare(&self, event: &str, number: &str, devices: &[usize]) {
        self.incidents.0.on_change(&declared(event, number, devices)).await.unwrap();
    }

    /// The fleet is another one from here on, and it is polled.
    async fn see(&self, change: impl Fn(&mut DeviceView)) {
        let mut next = (*self.snapshot.load_full()).clone();
        next.devices.iter_mut().for_each(change);
        // Later than whatever was said before, however fast the test runs.
        next.at = self.clock.now().plus_ms(1);
        self.snapshot.store(Arc::new(next));
        self.incidents.0.poll(&mut false).await.unwrap();
    }

    async fn execute(&self, number: &str, command: Command, by: &str) -> Result<State, IncidentError> {
        self.incidents.execute(number, None, command, by).await.map(|incident| incident.state)
    }

    fn state(&self, number: &str) -> Option<State> {
        self.incidents.board().find(number).map(|incident| incident.state)
    }

    fn step(&self, number: &str, place: usize) -> Step {
        self.incidents.board().find(number).unwrap().ladder.get(&device(place)).unwrap().step()
    }
}

fn cause(version: &str) -> Cause {
    let suspect = Suspect { kind: "update".into(), value: version.into() };
    Cause { suspect, confidence: 0.97, runner_up: None, inseparable: false, evidence: None }
}

fn declared(event: &str, number: &str, devices: &[usize]) -> Change {
    let at = Timestamp::from_ms(START);
    Change {
        at,
        kind: ChangeKind::Declared,
        event_id: event.into(),
        incident: Some(number.into()),
        severity: Severity::Major,
        scope: if devices.len() > 1 { Scope::Fleet } else { Scope::Isolated },
        impact_started_at: at.plus_ms(-3_600_000),
        streak_s: 3_600,
        devices: devices.iter().map(|number| device(*number)).collect(),
        cause: Some(cause("2026.11.21")).filter(|_| devices.len() > 1),
        forecast: None,
        near_miss: None,
        aliases: Vec::new(),
        damage: Vec::new(),
        proof: Vec::new(),
    }
}

fn countermeasure() -> Command {
    let script = Script { ja: "設定を開き…".into(), en: "Open the settings ...".into() };
    let workaround = Some(WorkaroundPlan { id: "WA-1".into(), script });
    Command::RegisterCountermeasure { workaround, fix: Some(Fix::Update("2026.11.24".into())), fix_due_at: None }
}

#[tokio::test]
async fn an_event_that_is_told_twice_is_one_incident_and_told_once() {
    let site = Site::new().await;
    for _ in 0..2 {
        site.declare("E-0001", "INC-0001", &[0, 1, 2]).await;
    }
    let board = site.incidents.board();
    assert_eq!(board.incidents.len(), 1);
    assert_eq!(board.incidents[0].ladder.len(), 3);
    assert_eq!(site.memory.messages("declared"), ["chat #incidents"]);
}

#[tokio::test]
async fn the_same_suspect_again_is_the_same_incident_and_the_other_number_an_alias() {
    let site = Site::new().await;
    site.declare("E-0001", "INC-0001", &[0, 1, 2]).await;
    site.declare("E-0002", "INC-0002", &[5, 6, 7]).await;
    let board = site.incidents.board();
    assert_eq!(board.incidents.len(), 1);
    assert_eq!(board.find("INC-0002").unwrap().number(), "INC-0001");
    assert_eq!(board.incidents[0].ladder.len(), 6);
}

#[tokio::test]
async fn a_lone_device_goes_to_the_support_queue_and_nobody_is_paged() {
    let site = Site::new().await;
    site.declare("E-0001", "INC-0001", &[4]).await;
    site.see(|_| {}).await;
    assert_eq!(site.memory.messages("isolated"), ["chat #support"]);
    assert!(site.memory.messages("page").is_empty());
}

#[tokio::test]
async fn the_muster_pages_and_an_answer_ends_it() {
    let site = Site::new().await;
    site.declare("E-0001", "INC-0001", &[0, 1, 2]).await;
    site.see(|_| {}).await;
    site.see(|_| {}).await;
    assert_eq!(site.memory.messages("page"), ["mail ito@example.jp"], "called once, not with every look");
    let seat = Seat::of(Role::Commander);
    assert_eq!(site.execute("INC-0001", Command::Acknowledge { seat }, "ito").await.unwrap(), State::Mustered);
}

#[tokio::test]
async fn the_whole_way_from_declaration_to_a_close_that_is_refused_until_it_is_true() {
    let site = Site::new().await;
    site.declare("E-0001", "INC-0001", &[0, 1]).await;
    let request = async |command: Command, by: &str| site.execute("INC-0001", command, by).await;
    request(countermeasure(), "dev").await.unwrap();
    let own = request(Command::AgreeCountermeasure { version: 1 }, "dev").await;
    assert!(matches!(own, Err(IncidentError::Refused(Refusal::OwnWord))));
    let state = request(Command::AgreeCountermeasure { version: 1 }, "lead").await.unwrap();
    assert_eq!(state, State::WorkaroundAvailable);
    assert_eq!(site.memory.messages("script"), ["chat #support"]);
    // The device says so itself, between two ticks: the agent sees it during the call.
    let active = |active| Status {
        online: true,
        workaround: Some(Workaround { id: Some("WA-1".into()), active }),
        ..Status::default()
    };
    for place in 0..2 {
        site.incidents.0.statuses.note(&device(place), &active(true), site.clock.now());
    }
    site.incidents.0.poll(&mut false).await.unwrap();
    assert_eq!(site.step("INC-0001", 0), Step::WorkaroundVerified);
    site.see(|view| (view.workaround_active, view.workaround_id) = (Some(true), Some("WA-1".into()))).await;
    assert_eq!(site.state("INC-0001"), Some(State::PendingPermanentFix), "a workaround never resolves");
    assert!(matches!(request(Command::Close, "ito").await, Err(IncidentError::Refused(Refusal::Open(_)))));
    assert_eq!(request(Command::ReleaseFix, "lead").await.unwrap(), State::Fixing);
    site.see(|view| view.update = Some("2026.11.24".into())).await;
    assert_eq!(site.incidents.board().incidents[0].debts().count(), 2, "fixed, and the workaround is still on");
    site.see(|view| view.workaround_active = Some(false)).await;
    site.see(|_| {}).await;
    assert_eq!(site.state("INC-0001"), Some(State::Resolved));
    assert!(matches!(request(Command::Close, "ito").await, Err(IncidentError::Refused(Refusal::State { .. }))));
    request(Command::FileReview { text: "what happened".into() }, "ito").await.unwrap();
    // At this moment one has been degraded for a while: the close is computed, not remembered.
    let mut next = (*site.snapshot.load_full()).clone();
    next.devices[0].streak_s = 15 * 60;
    site.snapshot.store(Arc::new(next));
    assert!(matches!(request(Command::Close, "ito").await, Err(IncidentError::Refused(Refusal::Open(_)))));
    site.see(|view| view.streak_s = 0).await;
    assert_eq!(request(Command::Close, "ito").await.unwrap(), State::Closed);
    assert!(site.incidents.board().incidents.is_empty());
    // What comes after is another incident that says which one it follows.
    site.declare("E-0009", "INC-0009", &[0, 1]).await;
    assert_eq!(site.incidents.board().incidents[0].opening.follows.as_deref(), Some("INC-0001"));
    let closed = site.incidents.file("INC-0001").await.unwrap().unwrap();
    assert_eq!(closed.incident.followed_by, ["INC-0009"]);
    assert_eq!(closed.incident.ladder.len(), 2, "a closed incident never absorbs devices");
}

#[tokio::test]
async fn a_restart_stands_where_the_other_one_stood() {
    let site = Site::new().await;
    site.declare("E-0001", "INC-0001", &[0, 1, 2]).await;
    site.execute("INC-0001", Command::Note { text: "looking at it".into(), tell: true }, "ito").await.unwrap();
    let again = Site::over(Arc::clone(&site.memory), (*site.snapshot.load_full()).clone()).await;
    assert_eq!(again.incidents.board().incidents, site.incidents.board().incidents);
}

#[tokio::test]
async fn what_cannot_be_written_is_not_in_force_and_follows_later() {
    let site = Site::new().await;
    site.memory.refuse(true);
    assert!(site.incidents.0.on_change(&declared("E-0001", "INC-0001", &[0, 1])).await.is_err());
    assert!(site.incidents.board().incidents.is_empty());
    site.memory.refuse(false);
    site.declare("E-0001", "INC-0001", &[0, 1]).await;
    site.memory.refuse(true);
    assert!(matches!(site.execute("INC-0001", Command::Join, "ito").await, Err(IncidentError::Store(_))));
    assert!(site.incidents.board().incidents[0].muster.present.is_empty());
}

/// Also what is over by then, of which the fleet's picture shows nothing any more.
#[tokio::test]
async fn what_was_declared_while_nothing_could_be_written_is_told_once_there_is_room() {
    let site = Site::new().await;
    site.memory.refuse(true);
    for (event, number, devices) in
        [("E-0001", "INC-0001", [0, 1]), ("E-0002", "INC-0002", [4, 5]), ("E-0001", "INC-0001", [2, 3])]
    {
        let change = Change { cause: Some(cause(event)), ..declared(event, number, &devices) };
        assert!(site.incidents.0.on_change(&change).await.is_err());
    }
    site.memory.refuse(false);
    site.incidents.0.poll(&mut false).await.unwrap();
    assert_eq!(site.memory.messages("declared"), ["chat #incidents", "chat #incidents"]);
    assert_eq!(site.incidents.board().find("INC-0001").unwrap().ladder.len(), 4, "whoever joined meanwhile is there");
    site.incidents.0.poll(&mut false).await.unwrap();
    assert_eq!(site.memory.messages("declared").len(), 2, "and once");
}

#[tokio::test]
async fn a_record_that_lost_entries_gets_them_back_and_nobody_is_told_twice() {
    for (lost, noticed_by_itself) in [(usize::MAX, false), (usize::MAX, true), (1, true)] {
        let site = Site::new().await;
        site.declare("E-0001", "INC-0001", &[0, 1]).await;
        site.execute("INC-0001", Command::Note { text: "looking at it".into(), tell: true }, "ito").await.unwrap();
        let before = site.incidents.file("INC-0001").await.unwrap().unwrap();
        let messages = site.memory.outbox();
        // The first one was taken; the others were on their way when the record was lost.
        let outcome = Outcome::Sent { reference: None };
        let taken = &messages[0];
        let attempt = Attempt {
            dispatch: 1,
            key: taken.key.clone(),
            channel: taken.channel.clone(),
            target: taken.target.clone(),
            kind: taken.message.kind.clone(),
            at: site.clock.now(),
            outcome,
        };
        site.sent.note(&[attempt]);
        site.memory.lose("E-0001", lost);
        if noticed_by_itself {
            // The first request meets the conflict, the second one what was written again.
            assert!(site.execute("INC-0001", Command::Join, "ito").await.is_err());
        } else {
            assert_eq!(site.incidents.restore().await.unwrap(), 1);
        }
        let after = site.incidents.file("INC-0001").await.unwrap().unwrap();
        assert_eq!(after.incident, before.incident);
        let again = site.memory.outbox();
        assert!(again.iter().all(|message| message.key != taken.key), "nobody is told twice");
        if lost > 1 {
            assert_eq!(again.len() + 1, messages.len(), "and what was on its way is not lost");
        }
        site.execute("INC-0001", Command::Join, "ito").await.unwrap();
        assert_eq!(site.incidents.restore().await.unwrap(), 0, "nothing is lacking");
    }
}

#[tokio::test]
async fn a_wish_about_an_older_version_is_told_so() {
    let site = Site::new().await;
    site.declare("E-0001", "INC-0001", &[0, 1]).await;
    let stale = site.incidents.execute("INC-0001", Some(0), Command::Join, "ito").await;
    assert!(matches!(stale, Err(IncidentError::Stale { seen: 0, now: 1 })));
}

#[tokio::test]
async fn merging_and_splitting_lose_no_device() {
    let site = Site::new().await;
    site.declare("E-0001", "INC-0001", &[0, 1]).await;
    site.incidents
        .0
        .on_change(&Change { cause: Some(cause("x")), ..declared("E-0002", "INC-0002", &[5, 6]) })
        .await
        .unwrap();
    let merge = Reshape::Merge { from: "INC-0002".into(), into: "INC-0001".into() };
    let merged = site.incidents.reshape(merge, "the same", "ito").await.unwrap();
    assert_eq!((merged.number(), merged.ladder.len()), ("INC-0001", 4));
    assert_eq!(site.incidents.board().incidents.len(), 1);
    let split = Reshape::Split { from: "INC-0001".into(), devices: vec![device(6)] };
    let part = site.incidents.reshape(split, "another cause", "ito").await.unwrap();
    assert_eq!((part.number(), part.ladder.len()), ("INC-0001-B", 1));
    // The detector goes on to count it as a member of the first one: it stays where a person has put it.
    site.declare("E-0001", "INC-0001", &[0, 1, 6]).await;
    assert!(!site.incidents.board().find("INC-0001").unwrap().ladder.contains(&device(6)));
}

#[tokio::test]
async fn the_task_hears_of_a_change_and_ends_when_it_is_asked_to() {
    let site = Site::new().await;
    let (changes, heard) = broadcast::channel(16);
    let (stop, stopped) = watch::channel(false);
    let mut updates = site.incidents.updates();
    let (_looks, asked) = tokio::sync::mpsc::channel(1);
    let task = tokio::spawn(IncidentTask { incidents: site.incidents.clone(), changes: heard, asked }.run(stopped));
    changes.send(declared("E-0001", "INC-0001", &[0, 1])).unwrap();
    let update = updates.recv().await.unwrap();
    assert_eq!(update.actions, ["opened"]);
    stop.send_replace(true);
    task.await.unwrap();
}
