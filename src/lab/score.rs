//! `score`: the detection benchmark. Stories with a known truth, each with the days before it, on virtual time straight into the
//! engine; beside it, on the same reports, what two Prometheus set-ups would have said.
//!
//! | module | what it owns |
//! |---|---|
//! | [`story`] | one run: the days before, the story, every contestant's alarms |
//! | [`options`] | what is run, as `--help` teaches it |
//! | [`measured`] | the files of measured series |
//! | [`outcome`] | alarms against the truth |
//! | [`prometheus`] | the other contestants, and what of Prometheus is emulated |
//! | [`table`] | sums and the printed tables |
//!
//! The days before are the same for most stories of a seed, so they are lived through once and taken up as state.

pub mod measured;
pub mod options;
pub mod outcome;
pub mod prometheus;
pub mod story;
pub mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::clock;
use crate::config::{Config, Place, overrides};
use crate::engine::settings::Settings;
use crate::lab::simulation::Scenario;
use crate::runtime::failure::Failure;

use crate::recording::change_line;
use options::{BackgroundArg, ScoreArgs, ScoreSet};
use outcome::Outcome;
use story::{Background, CONTESTANTS, Cost, Learnt, Past, Quiet, Setup, Told};
use table::Sum;

/// Stories that the short set leaves out: they take as long as all others together.
const LONG_ONLY: [Scenario; 2] = [Scenario::FleetOfThousand, Scenario::SlowDrift];

const SHORT_DEVICES: u32 = 40;
const SHORT_HISTORY_DAYS: u32 = 2;
const SHORT_SEEDS: u64 = 2;
const LONG_DEVICES: u32 = 150;
const LONG_HISTORY_DAYS: u32 = 7;
const LONG_SEEDS: u64 = 10;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub backgrounds: Vec<Background>,
    pub scenarios: Vec<Scenario>,
    pub seeds: Vec<u64>,
    pub setup: Setup,
    pub jobs: usize,
}

/// What all runs came to.
#[derive(Debug)]
pub struct Scored {
    /// By background, scenario and seed.
    pub told: Vec<Told>,
    /// The days before the stories, each once.
    pub quiet: Vec<Quiet>,
    pub took: Duration,
}

/// One past and its stories that are still to be told.
struct Chapter {
    past: Past,
    stories: Vec<Scenario>,
    next: AtomicUsize,
    /// `None` before it is learnt and after the last story was begun.
    learnt: Mutex<Option<Arc<Learnt>>>,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    scenario: &'a str,
    seed: u64,
    contestant: &'a str,
    background: &'a str,
    devices: u32,
    history_days: u32,
    #[serde(flatten)]
    outcome: &'a Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<u32>,
}

/// Runs the command with the process' own streams.
///
/// # Errors
/// When the output fails; with `--gate`, a [`Failure::NotSeen`] when what must hold does not.
pub fn run(args: &ScoreArgs) -> anyhow::Result<()> {
    let plan = plan(args)?;
    let bar = progress(plan.runs());
    let scored = score(&plan, || bar.inc(1))?;
    bar.finish_and_clear();
    let mut out = io::stdout().lock();
    if args.changes {
        changes(&scored, &mut out).context("cannot write to standard output")?;
    }
    let text = match (args.json, args.changes) {
        (true, _) => json(&scored, &plan)?,
        (false, true) => String::new(),
        (false, false) => printed(&scored, &plan),
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to standard output")?;
    let ours = table::sum(&scored.told.iter().collect::<Vec<_>>(), 0, None);
    let calm = scored.quiet.iter().all(|past| past.false_fleet == 0);
    if args.gate && !(ours.holds() && calm) {
        return Err(Failure::NotSeen(why(&ours)).into());
    }
    Ok(())
}

fn plan(args: &ScoreArgs) -> anyhow::Result<Plan> {
    let short = args.set == ScoreSet::Short;
    let chosen = |scenario: &Scenario| match args.scenario.as_slice() {
        [] => !short || !LONG_ONLY.contains(scenario),
        named => named.contains(scenario),
    };
    let wanted = |background| args.background.is_none_or(|only| only == background);
    let mut backgrounds = Vec::new();
    if wanted(BackgroundArg::Fitted) {
        backgrounds.push(Background::Fitted);
    }
    let mut series = Vec::new();
    let of_series = [(BackgroundArg::Measured, Background::Measured), (BackgroundArg::Filtered, Background::Filtered)];
    let of_series: Vec<_> = of_series.into_iter().filter(|(arg, _)| wanted(*arg)).map(|(_, of)| of).collect();
    if !of_series.is_empty() {
        series = measured::read(&args.data)?;
        if series.is_empty() {
            let told = writeln!(io::stderr(), "measured backgrounds skipped: no series in {}", args.data.display());
            told.context("cannot write to standard error")?;
        } else {
            backgrounds.extend(of_series);
        }
    }
    Ok(Plan {
        backgrounds,
        scenarios: Scenario::ALL.into_iter().filter(chosen).collect(),
        seeds: args
            .seeds
            .clone()
            .map_or_else(|| (1..=if short { SHORT_SEEDS } else { LONG_SEEDS }).collect(), |seeds| seeds.0),
        setup: Setup {
            series,
            devices: args.devices.unwrap_or(if short { SHORT_DEVICES } else { LONG_DEVICES }),
            history_days: args.history.unwrap_or(if short { SHORT_HISTORY_DAYS } else { LONG_HISTORY_DAYS }),
            settings: settings(&args.with)?,
        },
        jobs: args.jobs.map_or_else(cores, usize::from),
    })
}

impl Plan {
    /// The short set on the fitted background: what the tests run.
    pub fn short(seeds: Vec<u64>) -> Self {
        Self {
            backgrounds: vec![Background::Fitted],
            scenarios: Scenario::ALL.into_iter().filter(|scenario| !LONG_ONLY.contains(scenario)).collect(),
            seeds,
            setup: Setup {
                series: Vec::new(),
                devices: SHORT_DEVICES,
                history_days: SHORT_HISTORY_DAYS,
                settings: Settings { utc_offset_min: 0, ..Settings::default() },
            },
            jobs: cores(),
        }
    }

    /// Every story that will be told.
    fn stories(&self) -> impl Iterator<Item = (Background, Scenario, u64)> {
        let scenarios = self.backgrounds.iter().flat_map(|&background| {
            self.scenarios.iter().filter(move |scenario| background.tells(**scenario)).map(move |s| (background, *s))
        });
        scenarios.flat_map(|(background, scenario)| self.seeds.iter().map(move |&seed| (background, scenario, seed)))
    }

    fn runs(&self) -> usize {
        self.stories().count()
    }
}

/// Runs everything; `each` is called after every story.
///
/// # Errors
/// When a state that was learnt cannot be taken up.
///
/// # Panics
/// When a thread does.
pub fn score(plan: &Plan, each: impl Fn() + Sync) -> anyhow::Result<Scored> {
    let began = clock::monotonic();
    let chapters = chapters(plan);
    let unlearnt = AtomicUsize::new(0);
    let (told, quiet) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let work = |chapter: &Chapter| -> anyhow::Result<()> {
        loop {
            let learnt = {
                // Whoever comes while another learns waits here, and then helps with the stories.
                let mut place = chapter.learnt.lock().unwrap_or_else(PoisonError::into_inner);
                if chapter.next.load(Relaxed) >= chapter.stories.len() {
                    *place = None;
                    return Ok(());
                }
                if place.is_none() {
                    let learnt = Arc::new(story::learn(&chapter.past, &plan.setup));
                    quiet.lock().unwrap_or_else(PoisonError::into_inner).push(learnt.quiet);
                    *place = Some(learnt);
                }
                Arc::clone(place.as_ref().expect("it was just put there"))
            };
            let Some(&scenario) = chapter.stories.get(chapter.next.fetch_add(1, Relaxed)) else { continue };
            let run = story::tell(scenario, &chapter.past, &learnt, &plan.setup)?;
            told.lock().unwrap_or_else(PoisonError::into_inner).push(run);
            each();
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.jobs.max(1))
            .map(|_| {
                scope.spawn(|| {
                    while let Some(chapter) = chapters.get(unlearnt.fetch_add(1, Relaxed)) {
                        work(chapter)?;
                    }
                    chapters.iter().try_for_each(work)
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker panicked"))
    })?;
    let mut told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    told.sort_by_key(|run: &Told| (run.background, run.scenario, run.seed));
    let quiet = quiet.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Scored { told, quiet, took: clock::monotonic().duration_since(began) })
}

/// The pasts that the plan needs, each with its stories. Those with most to do come first, so that the end is not one
/// worker's alone.
fn chapters(plan: &Plan) -> Vec<Chapter> {
    let mut chapters: BTreeMap<Past, Vec<Scenario>> = BTreeMap::new();
    for (background, scenario, seed) in plan.stories() {
        chapters.entry(Past::of(background, scenario, seed, &plan.setup)).or_default().push(scenario);
    }
    let mut chapters: Vec<_> = chapters
        .into_iter()
        .map(|(past, stories)| Chapter { past, stories, next: AtomicUsize::new(0), learnt: Mutex::new(None) })
        .collect();
    chapters.sort_by_key(|chapter| std::cmp::Reverse((chapter.past.devices, chapter.stories.len())));
    chapters
}

/// The default settings with what `--with` changes of them; the stories live by UTC.
fn settings(with: &[String]) -> Result<Settings, Failure> {
    let mut config = Config::default();
    config.detector.utc_offset_min = 0;
    overrides::apply(&config, with).map_err(|mut faults| {
        for fault in &mut faults {
            if let Place::Option(option) = &mut fault.place {
                *option = option.replace("--set", "--with");
            }
        }
        Failure::Options(faults)
    })
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn progress(runs: usize) -> ProgressBar {
    let bar = ProgressBar::new(runs as u64);
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {elapsed}, {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn json(scored: &Scored, plan: &Plan) -> anyhow::Result<String> {
    let mut out = String::new();
    for run in &scored.told {
        for (index, outcome) in run.outcomes.iter().enumerate() {
            let line = Line {
                scenario: run.scenario.name(),
                seed: run.seed,
                contestant: CONTESTANTS[index],
                background: run.background.name(),
                devices: run.devices,
                history_days: plan.setup.history_days,
                outcome,
                groups: (index == 2).then_some(run.groups),
            };
            out += &serde_json::to_string(&line).context("a score cannot be written as JSON")?;
            out.push('\n');
        }
    }
    Ok(out)
}

/// What our detector said, story by story, in the form of `replay`.
fn changes(scored: &Scored, out: &mut impl Write) -> io::Result<()> {
    for run in &scored.told {
        for change in &run.changes {
            write!(out, "{} {} {} ", run.background.name(), run.scenario, run.seed)?;
            change_line::write(change, true, out)?;
        }
    }
    Ok(())
}

/// The tables by background, and how fast it went.
fn printed(scored: &Scored, plan: &Plan) -> String {
    let mut out = String::new();
    for &background in &plan.backgrounds {
        let told: Vec<&Told> = scored.told.iter().filter(|run| run.background == background).collect();
        let quiet: Vec<&Quiet> = scored.quiet.iter().filter(|past| past.background == background).collect();
        let devices = told.iter().map(|run| run.devices).min().unwrap_or_default();
        let _ = writeln!(
            out,
            "{} background, {devices} devices, {} days of history\n",
            background.name(),
            plan.setup.history_days
        );
        if background == Background::Filtered {
            out += &left_out(plan);
        }
        out += &table::by_scenario(&told, 0);
        let (totals, days) = (table::totals(&told), table::quiet_days(&quiet));
        let _ = write!(out, "\n{totals}\n{days}\n{}\n", table::not_right(&told));
    }
    let mut cost = Cost::default();
    scored.quiet.iter().map(|past| &past.cost).chain(scored.told.iter().map(|run| &run.cost)).for_each(|c| cost.add(c));
    let took_s = scored.took.as_secs_f64();
    let _ = writeln!(
        out,
        "{} stories, {:.0} fleet-days, {} reports, {} slots in {took_s:.1} s on {} threads: {:.0} slots/s a thread, {:.0} \
         fleet-days/min",
        scored.told.len(),
        cost.fleet_days,
        cost.reports,
        cost.slots,
        plan.jobs,
        cost.slots as f64 / took_s / plan.jobs as f64,
        cost.fleet_days * 60.0 / took_s,
    );
    out
}

/// What the filter left out of the measured series.
fn left_out(plan: &Plan) -> String {
    let series = &plan.setup.series;
    let with = series.iter().filter(|series| !series.unusual().is_empty()).count();
    let stretches: Vec<_> = series.iter().flat_map(|series| series.unusual()).collect();
    let hours = |ms: i64| ms as f64 / 3_600_000.0;
    let bad_h = hours(stretches.iter().map(|stretch| stretch.end - stretch.start).sum());
    let days = hours(series.iter().map(|series| series.end_ms() - series.start_ms()).sum()) / 24.0;
    let offered = |background| {
        let pieces = plan.seeds.iter().map(|&seed| story::offered(background, seed, &plan.setup).len());
        pieces.min().unwrap_or_default()
    };
    format!(
        "left out: every piece with one of {} unusual stretches, {bad_h:.0} h in all, which {with} of {} series have in \
         {days:.0} days; of {} pieces {} remain\n\n",
        stretches.len(),
        series.len(),
        offered(Background::Measured),
        offered(Background::Filtered),
    )
}

fn why(ours: &Sum) -> String {
    format!(
        "the gate does not hold: {} of {} found events have one incident, {} of {} boundary cases are right, {} false \
         declarations of fleet scope, {} before the hour",
        ours.exactly_one, ours.found, ours.boundaries_right, ours.boundaries, ours.false_fleet, ours.premature
    )
}
