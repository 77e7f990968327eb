//! The three days: burn-down, forecast, and when people are told that the promise will not hold.

use super::*;
use crate::incident::ladder::ExceptionKind;

const HOUR: i64 = 60;

/// A small generator of its own: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }
}

fn sign_off(story: &mut Story, device: usize) {
    let evidence = "see ticket 7".into();
    story.execute(Command::SignOff { device: id(device), kind: ExceptionKind::Replaced, evidence }, "ito").unwrap();
}

/// An incident whose devices are settled at these minutes after the declaration.
fn settled_at(devices: usize, minutes: &[f64]) -> Incident {
    let mut incident = Story::declared(devices).incident;
    for (device, after) in minutes.iter().enumerate() {
        let at = Timestamp::from_ms(T0 + (after * MINUTE_MS as f64) as i64);
        let exception = Exception { kind: ExceptionKind::Replaced, evidence: "x".into(), signed_by: "ito".into(), at };
        incident.apply(&IncidentEvent {
            at,
            by: "ito".into(),
            action: Action::Excepted { device: id(device), exception },
        });
    }
    incident
}

#[test]
fn the_true_end_lies_in_the_forecasts_interval_eight_times_of_ten() {
    // Twenty devices an hour, in any order; asked at any time in the middle of it.
    let mut random = Random(7);
    let settings = LifeSettings::default();
    let (mut asked, mut inside, mut early, mut late) = (0, 0, 0, 0);
    for _ in 0..400 {
        let devices = 20 + (random.uniform() * 60.0) as usize;
        let mut minutes = Vec::new();
        let mut now = 0.0;
        for _ in 0..devices {
            now += 3.0 * random.exponential();
            minutes.push(now);
        }
        let from = minutes[4];
        let asked_at = from + random.uniform() * (minutes[devices - 2] - from);
        let known: Vec<f64> = minutes.iter().copied().filter(|at| *at <= asked_at).collect();
        let incident = settled_at(devices, &known);
        let at = |after: f64| Timestamp::from_ms(T0 + (after * MINUTE_MS as f64) as i64);
        let burndown = incident.burndown(&settings, at(asked_at));
        assert_eq!(burndown.left as usize, devices - known.len());
        let forecast = burndown.forecast.expect("enough are done");
        let end = at(*minutes.last().unwrap());
        asked += 1;
        inside += u32::from(forecast.earliest <= end && end <= forecast.latest);
        early += u32::from(end < forecast.earliest);
        late += u32::from(end > forecast.latest);
    }
    let share = f64::from(inside) / f64::from(asked);
    assert!((0.74..0.88).contains(&share), "{share}: {early} before, {late} after of {asked}");
}

#[test]
fn the_rate_is_the_one_of_the_last_day() {
    // Ten an hour for the first hour of the third day, nothing before: the two days of waiting do not count.
    let minutes: Vec<f64> = (0..11).map(|n| f64::from(48 * 60 + n * 6)).collect();
    let incident = settled_at(61, &minutes);
    let forecast = incident.burndown(&LifeSettings::default(), minute(49 * HOUR)).forecast.unwrap();
    assert!((forecast.rate_per_h - 10.0).abs() < 1e-9, "{}", forecast.rate_per_h);
    assert_eq!(forecast.ends_at, minute(54 * HOUR));
    assert!(forecast.earliest < forecast.ends_at && forecast.ends_at < forecast.latest);
    assert!(settled_at(61, &minutes[..2]).burndown(&LifeSettings::default(), minute(49 * HOUR)).forecast.is_none());
    let all = settled_at(11, &minutes).burndown(&LifeSettings::default(), minute(49 * HOUR));
    assert_eq!((all.left, all.forecast, all.missed), (0, None, false));
}

#[test]
fn the_burn_down_goes_step_by_step_and_up_again_when_a_device_is_affected_again() {
    let mut story = Story::declared(4);
    sign_off(story.wait(10), 0);
    sign_off(&mut story, 1);
    sign_off(story.wait(10), 2);
    let points = |story: &Story| {
        let points = story.incident.burndown(&story.settings, story.now).points;
        points.into_iter().map(|(at, left)| (at.since_ms(minute(0)) / MINUTE_MS, left)).collect::<Vec<_>>()
    };
    assert_eq!(points(&story), [(0, 4), (10, 2), (20, 1)]);
    story.execute(Command::LiftException { device: id(0), reason: "it is there".into() }, "ito").unwrap();
    assert_eq!(points(&story), [(0, 4), (10, 3), (20, 2)]);
}

#[test]
fn people_are_told_once_that_the_promise_is_missed_and_never_that_it_was_kept_when_it_was_not() {
    let mut story = Story::declared(100);
    story.settings.nag_min = 0;
    // One an hour from the second hour on: a hundred devices are not done in three days.
    let mut heard = Vec::new();
    for hour in 0..80 {
        if hour >= 2 {
            sign_off(&mut story, hour as usize - 2);
        }
        for name in story.tick() {
            heard.push((hour, name));
        }
        story.wait(HOUR);
    }
    assert_eq!(heard, [(4, "promise_forecast")]);
    assert_eq!(story.told().last(), Some(&(NoticeKind::PromiseMissed, Audience::Staff)));
    for device in 78..100 {
        sign_off(&mut story, device);
    }
    assert!(story.tick().is_empty(), "all settled, eight hours late: that is no promise kept");
    assert!(story.incident.burndown(&story.settings, story.now).missed);
}

#[test]
fn a_forecast_that_meets_the_promise_again_is_told_only_with_room_to_spare() {
    let mut story = Story::declared(100);
    story.settings.nag_min = 0;
    for device in 0..4 {
        sign_off(&mut story, device);
        story.wait(HOUR);
    }
    assert_eq!(story.tick(), ["promise_forecast"]);
    for device in 4..94 {
        sign_off(&mut story, device);
    }
    story.wait(HOUR);
    assert_eq!(story.tick(), ["promise_forecast"]);
    assert_eq!(story.told().last(), Some(&(NoticeKind::PromiseMet, Audience::Staff)));
    assert!(story.tick().is_empty());
}

#[test]
fn without_a_single_device_done_the_promise_is_missed_when_its_time_has_passed() {
    let mut story = Story::declared(3);
    story.settings.nag_min = 0;
    story.wait(72 * HOUR);
    assert!(story.tick().is_empty());
    assert_eq!(story.wait(1).tick(), ["promise_forecast"]);
}
