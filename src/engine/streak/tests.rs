use proptest::prelude::*;

use super::*;
use crate::engine::device::TrafficClass;
use crate::engine::effect::Verdict;

const T0: Minute = Minute(29_921_760);

/// `D` degraded, `H` healthy, `.` unknown, `?` not decided; a number repeats the letter before it.
fn timeline(text: &str) -> Vec<Verdict> {
    let mut minutes = Vec::new();
    let mut letters = text.chars().filter(|c| !c.is_whitespace()).peekable();
    while let Some(letter) = letters.next() {
        let verdict = match letter {
            'D' => Verdict::Degraded,
            'H' => Verdict::Healthy,
            '?' => Verdict::Indeterminate,
            _ => Verdict::Unknown,
        };
        let mut digits = String::new();
        while let Some(digit) = letters.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        minutes.extend(std::iter::repeat_n(verdict, digits.parse().unwrap_or(1)));
    }
    minutes
}

fn history(minutes: &[Verdict]) -> History {
    let mut history = History::default();
    for (i, verdict) in minutes.iter().enumerate() {
        let mut said = MinuteVerdicts::default();
        said.set(TrafficClass::Https, *verdict);
        history.set(T0.plus(i as i64), said);
    }
    history
}

fn walk(text: &str) -> Episodes {
    let minutes = timeline(text);
    episodes(&history(&minutes), T0, T0.plus(minutes.len() as i64 - 1), &Settings::default())
}

/// Whether the hour was ever full.
fn declared(text: &str) -> bool {
    let found = walk(text);
    !found.ended_full.is_empty() || found.current.is_some_and(|episode| episode.full.is_some())
}

#[test]
fn the_company_rule_holds_at_its_boundaries() {
    for (timeline, expected, why) in [
        ("H10 D59 H10", false, "59 minutes"),
        ("H10 D60 H10", true, "60 minutes"),
        ("D59 .600", false, "59 and silence: a gap cannot supply the last minute"),
        ("D30 .10 D20", true, "a gap of 10 is bridged"),
        ("D30 ?5 .5 D20", true, "not decided counts as a gap"),
        ("D30 .11 D30", false, "a gap of 11 is not proved continuous"),
        ("D30 .11 D59", false, "the new count begins after the gap"),
        ("D30 .11 D60", true, "and reaches the hour by itself"),
        ("D20 H10 D20 H10 D20 H10 D20 H10", false, "20 on 10 off"),
        ("D15 H2 D15 H2 D15 H2 D15", true, "15 on 2 off"),
        ("D H4 D56", false, "a lone bad minute long before does not count"),
        ("D30 H5 D30", false, "five healthy minutes end a streak"),
        ("D30 H4 D30", true, "four do not"),
        ("D30 H2 .3 H2 .3 D20", true, "gaps do not add to the healthy run"),
        ("D30 H3 .4 H2 D30", false, "nor do they reset it"),
        ("D .9 D .9 D .9 D .9 D .9 D .9 D .9", false, "less than half known"),
        (".600", false, "silence"),
        ("?600", false, "nothing decided"),
    ] {
        assert_eq!(declared(timeline), expected, "{timeline}: {why}");
    }
}

#[test]
fn a_suspended_streak_is_neither_cleared_nor_counted() {
    let episode = walk("D30 .500").current.expect("unknown never ends an episode");
    assert!(episode.suspended);
    assert_eq!(episode.length_min(), 30);
    assert_eq!(episode.start, T0);
    let resumed = walk("D30 .11 D5").current.unwrap();
    assert!(!resumed.suspended);
    assert_eq!((resumed.length_min(), resumed.onset), (5, T0));
}

#[test]
fn a_late_backlog_makes_an_ended_hour_known() {
    let found = walk("H5 D60 H5");
    assert!(found.current.is_none());
    assert_eq!(found.ended_full.len(), 1);
    assert_eq!(found.ended_full[0].full, Some((T0.plus(64), T0.plus(5))));
}

#[test]
fn a_class_that_went_silent_is_not_cleared_by_the_others() {
    let mut history = History::default();
    for i in 0..90 {
        let mut said = MinuteVerdicts::default();
        if i < 30 {
            said.set(TrafficClass::Https, Verdict::Degraded);
        }
        said.set(TrafficClass::Dns, Verdict::Healthy);
        history.set(T0.plus(i), said);
    }
    let episode = episodes(&history, T0, T0.plus(89), &Settings::default()).current.expect("not proved good");
    assert!(episode.suspended);
    assert_eq!(episode.length_min(), 30);
}

/// The rule as a person would apply it with a pencil: one letter a minute, one class.
fn naive(minutes: &[Verdict]) -> (bool, Option<(usize, usize)>) {
    let (mut full, mut start, mut last) = (false, None::<usize>, 0);
    let (mut healthy_run, mut gap) = (0, 0);
    for (i, verdict) in minutes.iter().enumerate() {
        match verdict {
            Verdict::Degraded => {
                if start.is_none() || gap > 10 {
                    start = Some(i);
                }
                (healthy_run, gap, last) = (0, 0, i);
                let count = |from: usize, which: Verdict| minutes[from..=i].iter().filter(|v| **v == which).count();
                let mut first = start.unwrap();
                while minutes[first] != Verdict::Degraded
                    || count(first, Verdict::Degraded) * 5
                        < (count(first, Verdict::Degraded) + count(first, Verdict::Healthy)) * 4
                {
                    first += 1;
                }
                start = Some(first);
                let known = count(first, Verdict::Degraded) + count(first, Verdict::Healthy);
                let length = i + 1 - first;
                full |= length >= 60 && known * 2 >= length && count(first, Verdict::Degraded) >= 3;
            }
            Verdict::Healthy if start.is_some() => {
                healthy_run += 1;
                if healthy_run == 5 {
                    (start, healthy_run, gap) = (None, 0, 0);
                }
            }
            _ => gap += 1,
        }
    }
    (full, start.map(|start| (start, last)))
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        6 => Just(Verdict::Degraded),
        2 => Just(Verdict::Healthy),
        1 => Just(Verdict::Unknown),
        1 => Just(Verdict::Indeterminate),
    ]
}

fn runs() -> impl Strategy<Value = Vec<Verdict>> {
    prop::collection::vec((verdict(), 1..20_usize), 1..24)
        .prop_map(|runs| runs.into_iter().flat_map(|(v, n)| std::iter::repeat_n(v, n)).collect())
}

proptest! {
    #[test]
    fn the_walk_agrees_with_the_pencil(minutes in runs()) {
        let to = T0.plus(minutes.len() as i64 - 1);
        let found = episodes(&history(&minutes), T0, to, &Settings::default());
        let (full, current) = naive(&minutes);
        let was_full = !found.ended_full.is_empty() || found.current.is_some_and(|e| e.full.is_some());
        prop_assert_eq!(was_full, full);
        let current_span = found.current.map(|e| (e.start.since(T0) as usize, e.last_degraded.since(T0) as usize));
        prop_assert_eq!(current_span, current);
    }

    #[test]
    fn a_walk_from_the_last_quiet_minute_finds_the_same_current_episode(minutes in runs()) {
        let history = history(&minutes);
        let to = T0.plus(minutes.len() as i64 - 1);
        let settings = Settings::default();
        let from = quiet_before(&history, T0, to, &settings);
        prop_assert_eq!(
            episodes(&history, from, to, &settings).current,
            episodes(&history, T0, to, &settings).current
        );
    }

    #[test]
    fn any_mixture_of_classes_ends_and_stays_within_its_bounds(
        minutes in prop::collection::vec((0..=255_u8, 0..=255_u8), 1..400)
    ) {
        let mut history = History::default();
        for (i, (degraded, data)) in minutes.iter().enumerate() {
            let said = MinuteVerdicts { degraded: degraded & 0x0f & data, healthy: data & !degraded, data: *data };
            history.set(T0.plus(i as i64), said);
        }
        let to = T0.plus(minutes.len() as i64 - 1);
        if let Some(episode) = episodes(&history, T0, to, &Settings::default()).current {
            prop_assert!(episode.start <= episode.last_degraded && episode.last_degraded <= to);
            prop_assert!(history.get(episode.start).degraded != 0);
            prop_assert_eq!(episode.degraded + episode.healthy + episode.gaps, episode.length_min());
        }
    }

    #[test]
    fn unknown_alone_never_declares_or_ends(minutes in runs(), silence in 1..200_usize) {
        let before = episodes(&history(&minutes), T0, T0.plus(minutes.len() as i64 - 1), &Settings::default());
        let mut longer = minutes.clone();
        longer.extend(std::iter::repeat_n(Verdict::Unknown, silence));
        let after = episodes(&history(&longer), T0, T0.plus(longer.len() as i64 - 1), &Settings::default());
        prop_assert_eq!(&before.ended_full, &after.ended_full);
        prop_assert_eq!(before.current.map(|e| (e.start, e.last_degraded, e.full)),
                        after.current.map(|e| (e.start, e.last_degraded, e.full)));
    }
}
