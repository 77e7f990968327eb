//! A look at the fleet by ten open incidents of 1,000 devices each, as the desk takes it every second: with nothing new, and with a
//! tenth of the devices proving something; and the making of an incident from its record, as at a start.
//!
//! `cargo bench --no-default-features --bench life`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fleetwatch::engine::device::DeviceId;
use fleetwatch::engine::effect::Scope;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::incident::event::{Joining, Opening};
use fleetwatch::incident::{
    Action, Command, DETECTOR, DeviceObservation, Fix, Incident, IncidentEvent, LifeSettings, Observation, Rota, Step,
};

const T0: Timestamp = Timestamp::from_ms(1_795_305_600_000);
const MINUTE: i64 = 60_000;
const DEVICES: usize = 1_000;
const CASES: usize = 10;

fn opened(number: usize, devices: &[DeviceId]) -> IncidentEvent {
    let joining = |(place, device): (usize, &DeviceId)| Joining {
        device: device.clone(),
        branch: Some(format!("branch-{:02}", place % 50)),
        customer: Some(format!("C-{place:05}")),
    };
    let opening = Opening {
        number: format!("INC-2026-{number:04}"),
        event_id: format!("E-{number:04}"),
        scope: Scope::Fleet,
        impact_started_at: T0.plus_ms(-60 * MINUTE),
        detected_at: T0.plus_ms(-45 * MINUTE),
        declared_at: T0,
        criterion_s: 3_600,
        measured_s: 3_600,
        cause: None,
        follows: None,
        devices: devices.iter().enumerate().map(joining).collect(),
    };
    IncidentEvent { at: T0, by: DETECTOR.to_owned(), action: Action::Opened(Box::new(opening)) }
}

/// The fleet, the first `fixed` devices of which have the fix.
fn seen(devices: &[DeviceId], fixed: usize) -> Observation<'_> {
    let observed = |(place, device)| DeviceObservation {
        device,
        streak_min: 0,
        quiet_min: 60,
        quiet_since: Some(T0.plus_ms(10 * MINUTE)),
        is_known: true,
        affected: false,
        workaround: Some((None, false)),
        update: Some(if place < fixed { "2026.11.22" } else { "2026.11.21" }),
        packages: &[],
    };
    devices.iter().enumerate().map(observed).collect()
}

/// IncidentsApi in which half of the devices are done, one event a device, as they come in.
fn record(number: usize, devices: &[DeviceId], settings: &LifeSettings) -> Vec<IncidentEvent> {
    let mut record = vec![opened(number, devices)];
    let mut incident = Incident::open(&record[0]).expect("an opening");
    let fix = Some(Fix::Update("2026.11.22".to_owned()));
    let register = Command::RegisterCountermeasure { workaround: None, fix, fix_due_at: None };
    let agree = Command::AgreeCountermeasure { version: 1 };
    for (command, by) in [(register, "mori"), (agree, "sato"), (Command::ReleaseFix, "sato")] {
        let events = incident.decide(&command, by, None, (settings, T0)).expect("granted");
        events.iter().for_each(|event| incident.apply(event));
        record.extend(events);
    }
    for fixed in 0..=devices.len() / 2 {
        for after in [10, 80] {
            let events = incident.observe(&seen(devices, fixed), settings, T0.plus_ms(after * MINUTE));
            events.iter().for_each(|event| incident.apply(event));
            record.extend(events);
        }
    }
    record
}

fn life(criterion: &mut Criterion) {
    let settings = LifeSettings::default();
    let devices: Vec<DeviceId> = (0..DEVICES).map(|n| DeviceId::parse(&format!("B-{n:05}")).expect("an id")).collect();
    let records: Vec<Vec<IncidentEvent>> = (0..CASES).map(|number| record(number, &devices, &settings)).collect();
    let incidents: Vec<Incident> = records.iter().map(|record| Incident::of(record).expect("a case")).collect();
    let done = incidents[0].ladder.iter().filter(|(_, rung)| rung.step() == Step::Done).count();
    assert_eq!(done, DEVICES / 2);
    let now = T0.plus_ms(90 * MINUTE);
    let look = |seen: &Observation<'_>| {
        let events = |incident: &Incident| {
            incident.observe(seen, &settings, now).len() + incident.tick(&Rota::default(), &settings, now).len()
        };
        incidents.iter().map(events).sum::<usize>()
    };
    let (same, other) = (seen(&devices, DEVICES / 2), seen(&devices, DEVICES * 6 / 10));
    let nag = CASES;
    assert!(look(&same) <= nag && look(&other) > nag);
    let mut group = criterion.benchmark_group("life");
    group.sample_size(20);
    group.bench_function("10 cases, nothing new", |bencher| bencher.iter(|| look(black_box(&same))));
    group.bench_function("10 cases, a tenth of the devices is new", |bencher| bencher.iter(|| look(black_box(&other))));
    group.bench_function("a case of its record", |bencher| bencher.iter(|| Incident::of(black_box(&records[0]))));
    group.finish();
}

criterion_group!(benches, life);
criterion_main!(benches);
