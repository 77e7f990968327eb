//! Where a report belongs: to which run, at which event time.
//!
//! **A live stream of reports is recognised as live whatever its counters do.** The judgement, in this order:
//!
//! 1. *A copy.* A report whose content is among the newest ones ([`Recent`](super::recent::Recent)) was taken before.
//! 2. *A run.* The report belongs to the run whose counters it continues or completes ([`Run::fit`]). Where that can be said
//!    of several (a device that counts its boots, uptimes and numbers from the beginning again and again), the one on whose
//!    time the device's wall clock agrees comes first, then one by which it is not measured far in the future, then one in which the number is
//!    new, then the one it is least late for.
//! 3. *The run's word.* A new number is taken, in time or late, at the run's anchor. A number that has been seen is a copy,
//!    unless the content of that time is still remembered and this was not among it; then the counter was put back.
//! 4. *Live after all.* What the run calls late or refuses is live, and begins a run of its own, when the device's wall
//!    clock has gone on with the arrivals (the machine stood still, or the uptime lags), when nothing but a restart since the
//!    last live report explains an uptime that short, or when such reports keep coming at the pace at which they were
//!    measured ([`Pace`]).
//! 5. *No run.* A run begins. If the uptime goes on at the newest run's anchor, as it is or after a wrap, its anchor is that
//!    one, so that also what arrives late lies where it was measured. Else the device has restarted: its anchor is the arrival,
//!    or the wall clock as a hint ([`Anchor::first`]).
//!
//! What this cannot tell: a device whose uptime, sequence number *and* wall clock begin anew at each restart says the same of
//! two starts, if its boot number is not kept. Then a copy of a report older than the newest 128 that comes in a silence or
//! fills a gap is taken for another report; and a recording of it, played at its own pace while the device is silent, for the
//! device. And a restart of a device whose clock stands still, in a silence in which its uptime would have wrapped, looks like the
//! end of that silence: its reports count as late until their pace has shown that they are live.

use super::admission::Admission;
use super::anchor::Anchor;
use super::pace::Pace;
use super::recent;
use super::run::{Facts, Fit, Run};
use super::sequence::Sighting;
use super::{HORIZON_MS, LIVE_MS, Refusal};
use crate::engine::report::Report;

/// Widths at which uptimes wrap, in ms: 32 bits of ms, the same with a sign, 32 bits of 10 ms and of 4 ms (kernel ticks), 16 bits
/// of seconds.
const WRAPS_MS: [i64; 5] = [1 << 32, 1 << 31, 10 << 32, 4 << 32, 1_000 << 16];

/// How long reports that are not late by anything but their uptime must come before their pace is believed, in ms ...
const PACE_MS: i64 = 60_000;
/// ... and where the device's own clock says that they are late, too.
const PACE_AGAINST_CLOCK_MS: i64 = 900_000;

/// How much longer than since the last live report a new uptime may be, in ms: agents round periods and uptimes.
const START_SLOP_MS: i64 = 15_000;

/// Where a report goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// To this run.
    Known(usize),
    /// To a new run of this life of the device.
    New { life: u32 },
}

/// What is known of where a report belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub place: Place,
    /// The run's anchor with the report; `None` when its uptime is not believed.
    pub anchor: Option<Anchor>,
    pub event_ms: i64,
    /// Whether it was taken as live.
    pub is_live: bool,
    pub digest: u64,
}

impl Admission {
    /// Judges where a report belongs.
    pub(super) fn place(&self, report: &Report, facts: &Facts) -> Result<Placed, Refusal> {
        let placing = Placing { known: self, facts, digest: recent::digest(report) };
        let fits = || {
            self.runs
                .iter()
                .enumerate()
                .filter_map(|(at, run)| {
                    let fit = run.fit(at, facts)?;
                    let is_newest = || run.ends_with(facts) && self.clock_went_on(run);
                    Some(Fit { agrees: fit.agrees || is_newest(), ..fit })
                })
                .filter(|fit| self.is_free(fit, facts))
        };
        let rank =
            |fit: &Fit| (!fit.agrees, fit.is_far_ahead(), fit.sighting != Sighting::New, fit.late_ms.unsigned_abs());
        let best = fits().min_by_key(rank);
        // A number that no run can have seen needs no look at the content, but for a device that repeats itself.
        let is_plain = best.is_some_and(|fit| fit.sighting == Sighting::New) && fits().nth(1).is_none();
        if !is_plain && self.recent.has(placing.digest) {
            return Err(Refusal::Duplicate);
        }
        match best {
            Some(fit) => placing.in_run(fit),
            None => Ok(placing.without_run()),
        }
    }
}

impl Admission {
    /// Whether the place that the report would have in a run is not another's. Where one run went on from another there is
    /// nothing to fill before the later and after the earlier one, but for what was lost between the two.
    fn is_free(&self, fit: &Fit, facts: &Facts) -> bool {
        let run = &self.runs[fit.run];
        let Some((first, last)) = run.window.span() else { return true };
        let event_ms = facts.live_event_ms() - fit.late_ms;
        // A report that was lost between two runs overlaps neither, but for what arrivals vary by.
        let own_ms = facts.own_ms();
        let event_end_ms = event_ms + own_ms;
        let (earlier, later) = (&self.runs[..fit.run], &self.runs[fit.run + 1..]);
        let of_life = |other: &&Run| other.life == run.life && other.boot == run.boot;
        if facts.seq < first {
            let is_earlier = |earlier: &Run| {
                let goes_on = run.uptime_ms.0 >= earlier.uptime_ms.1 && facts.uptime_ms < earlier.uptime_ms.1 + own_ms;
                let has_room = run.begin_ms().is_none_or(|begin_ms| begin_ms - earlier.end_ms >= own_ms);
                goes_on || !has_room || event_ms < earlier.end_ms - (facts.period_ms - own_ms)
            };
            !earlier.iter().filter(of_life).any(is_earlier)
        } else if facts.seq > last {
            let is_later = |later: &Run| {
                let goes_on = later.uptime_ms.0 >= run.uptime_ms.1 && facts.uptime_ms + own_ms > later.uptime_ms.0;
                goes_on || later.begin_ms().is_some_and(|begin_ms| event_end_ms > begin_ms)
            };
            !later.iter().filter(of_life).any(is_later)
        } else {
            true
        }
    }
}

/// One judgement.
struct Placing<'a> {
    known: &'a Admission,
    facts: &'a Facts,
    digest: u64,
}

impl Placing<'_> {
    /// A report whose counters are those of a run.
    fn in_run(&self, fit: Fit) -> Result<Placed, Refusal> {
        let (facts, run) = (self.facts, &self.known.runs[fit.run]);
        let refusal = match fit.sighting {
            Sighting::New if fit.late_ms <= HORIZON_MS => None,
            Sighting::New => Some(Refusal::TooOld),
            Sighting::Duplicate if self.is_another(run, fit) => return Ok(self.again(run, fit)),
            Sighting::Duplicate => Some(Refusal::Duplicate),
            Sighting::Stale => Some(Refusal::StaleSequence),
        };
        let is_jump = fit.late_ms < -LIVE_MS && (run.is_paced || fit.is_far_ahead());
        match refusal {
            None if is_jump => Ok(self.live(run.life)),
            None if fit.late_ms <= LIVE_MS => Ok(self.known_run(fit)),
            None if self.is_fresh(run) || self.keeps_pace(run, fit, false) => Ok(self.live(run.life)),
            None if run.goes_back(facts) && self.is_restart(run, fit.agrees) => Ok(self.live(self.known.next_life())),
            // A boot number that has been used for several starts says little of which of them this is: the clock says more.
            None if !fit.agrees && run.has_clock(facts) && self.known.reuses(run.boot) => Ok(self.hinted(run)),
            None => Ok(self.known_run(fit)),
            Some(_) if self.is_fresh(run) || self.keeps_pace(run, fit, true) => Ok(self.live(run.life)),
            Some(_) if self.is_restart(run, fit.agrees) => Ok(self.live(self.known.next_life())),
            Some(refusal) => Err(refusal),
        }
    }

    /// A report with which a run begins.
    fn without_run(&self) -> Placed {
        let facts = self.facts;
        let newest = self.known.runs.iter().filter(|run| run.boot == facts.boot).max_by_key(|run| run.event_ms);
        let Some(run) = newest else { return self.first() };
        let Some(anchor) = run.anchor.filter(|_| facts.is_timed()) else { return self.hinted(run) };
        let going_on = || {
            let same = run.goes_on(facts.uptime_ms).then_some(0);
            same.into_iter().chain(WRAPS_MS.into_iter().filter(|wrap| run.goes_on(facts.uptime_ms + wrap)))
        };
        let lateness = |moved: i64| facts.live_event_ms() - (anchor.at_ms() + moved + facts.uptime_ms);
        if let Some(moved) = going_on().find(|moved| lateness(*moved).abs() <= LIVE_MS) {
            return self.going_on(run, anchor.moved(moved));
        }
        let life = if run.goes_on(facts.uptime_ms) { run.life } else { self.known.next_life() };
        if self.is_fresh(run) {
            return self.live(life);
        }
        let in_the_past = |moved: &i64| (0..=HORIZON_MS).contains(&lateness(*moved));
        // A clock that stands still contradicts nothing.
        let stands_still = self.stands_still();
        let agreeing = |moved: &i64| stands_still || run.agrees(facts, anchor.at_ms() + moved + facts.uptime_ms);
        if let Some(moved) = going_on().filter(in_the_past).find(agreeing) {
            // A clock that begins anew with the uptime, or stands still, agrees with everything. To start just before a wrap is rare.
            if moved > 0 || run.has_clock(facts) || !self.is_short() || self.known.counts_boots(facts.boot) {
                return self.going_on(run, anchor.moved(moved));
            }
        }
        if self.is_short() && !run.has_clock(facts) {
            return self.live(self.known.next_life());
        }
        self.hinted(run)
    }

    /// Whether a number that the run has seen is on another report: the content of that time is remembered, and this was
    /// not among it. An anchor that rises makes a report seem to be later than it was.
    fn is_another(&self, run: &Run, fit: Fit) -> bool {
        run.anchor.is_some() && self.known.recent.covers(self.facts.arrival_ms - fit.late_ms - LIVE_MS)
    }

    /// A number that begins anew while the uptime goes on; or one that only looks like one of this run.
    fn again(&self, run: &Run, fit: Fit) -> Placed {
        let is_in_time = fit.late_ms.abs() <= LIVE_MS || (fit.agrees && run.has_clock(self.facts));
        match run.anchor.filter(|_| is_in_time && fit.late_ms <= HORIZON_MS) {
            Some(anchor) => self.going_on(run, anchor),
            None => self.without_run(),
        }
    }

    /// Into the run, at its anchor.
    fn known_run(&self, fit: Fit) -> Placed {
        let (facts, run) = (self.facts, &self.known.runs[fit.run]);
        let anchor = run.anchor.and_then(|anchor| anchor.after(facts.end_ms, facts.arrival_ms, HORIZON_MS));
        self.placed(Place::Known(fit.run), anchor, fit.late_ms <= LIVE_MS)
    }

    /// Into a new run that goes on where another ended.
    fn going_on(&self, run: &Run, anchor: Anchor) -> Placed {
        let facts = self.facts;
        let is_live = facts.live_event_ms() - (anchor.at_ms() + facts.uptime_ms) <= LIVE_MS;
        let anchor = anchor.after(facts.end_ms, facts.arrival_ms, HORIZON_MS);
        self.placed(Place::New { life: run.life }, anchor, is_live)
    }

    /// Into a new run whose first report has come straight away.
    fn live(&self, life: u32) -> Placed {
        self.begin(life, None)
    }

    /// Into a new run, timed by the wall clock as another run of its boot knows it, if that says that it is late.
    fn hinted(&self, run: &Run) -> Placed {
        if self.stands_still() {
            return self.live(self.known.next_life());
        }
        let wall_ms = self.facts.wall_ms.saturating_add(run.offset_ms());
        self.begin(self.known.next_life(), Some(wall_ms.saturating_sub(self.facts.uptime_ms)))
    }

    /// Into the first run of its boot.
    fn first(&self) -> Placed {
        if self.stands_still() {
            return self.live(self.known.next_life());
        }
        let wall_ms = self.facts.wall_ms.saturating_add(self.known.wall_offset(self.facts));
        self.begin(self.known.next_life(), Some(wall_ms.saturating_sub(self.facts.uptime_ms)))
    }

    fn begin(&self, life: u32, hint_ms: Option<i64>) -> Placed {
        let facts = self.facts;
        let anchor = facts.is_timed().then(|| Anchor::first(facts.end_ms, facts.arrival_ms, hint_ms, HORIZON_MS));
        let is_live = anchor.is_none_or(|anchor| anchor.at_ms() + facts.end_ms >= facts.arrival_ms - LIVE_MS);
        self.placed(Place::New { life }, anchor, is_live)
    }

    fn placed(&self, place: Place, anchor: Option<Anchor>, is_live: bool) -> Placed {
        let facts = self.facts;
        let event_ms = anchor.map_or(facts.live_event_ms(), |anchor| anchor.at_ms() + facts.uptime_ms);
        Placed { place, anchor, event_ms, is_live, digest: self.digest }
    }

    /// Whether the device's wall clock says the same as in its newest report, and so nothing.
    fn stands_still(&self) -> bool {
        self.known.newest().is_some_and(|run| run.wall_ms == self.facts.wall_ms)
    }

    /// Whether the device's wall clock has gone on with the arrivals. One that reads no later than it did says nothing: with
    /// a clock that stands still, whatever comes late would be fresh.
    fn is_fresh(&self, run: &Run) -> bool {
        let newest = self.known.newest().unwrap_or(run);
        let late_ms = self.facts.late_by_wall(newest.offset_ms());
        self.facts.wall_ms > newest.wall_ms && late_ms.unsigned_abs() <= LIVE_MS.unsigned_abs()
    }

    /// Whether reports like this one keep coming no faster than they were measured. A copy, by a clock that can be believed, is
    /// a copy at any pace.
    fn keeps_pace(&self, run: &Run, fit: Fit, is_refused: bool) -> bool {
        let is_old = fit.agrees && run.has_clock(self.facts);
        let after_ms = if is_old { PACE_AGAINST_CLOCK_MS } else { PACE_MS };
        !(is_old && is_refused && run.has_right_clock()) && Pace::with(self.known.pace, self.facts).is_live(after_ms)
    }

    /// Whether the device can have started since the last live report.
    fn is_short(&self) -> bool {
        self.known.live_ms.is_none_or(|live_ms| self.facts.end_ms <= self.facts.arrival_ms - live_ms + START_SLOP_MS)
    }

    /// Whether a number that the run has seen is that of a restart after all.
    fn is_restart(&self, run: &Run, agrees: bool) -> bool {
        // A clock that reads the same as in the newest report may stand still, or be that report's: it is where the clock went on since
        // and so agrees, or each start has a boot number of its own.
        let is_newest = || run.ends_with(self.facts) && (agrees || !self.known.reuses(run.boot));
        let is_copy = (agrees && run.has_clock(self.facts)) || is_newest();
        let is_opener = || self.known.runs.iter().any(|run| run.openers.contains(&self.digest));
        self.is_short() && !is_copy && !is_opener()
    }
}
