//! Options of `score`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::lab::simulation::Scenario;

/// Which stories, seeds and sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum ScoreSet {
    /// 40 devices, two days of history, two seeds: a minute or less.
    Short,
    /// Every story, 150 devices, a week of history, ten seeds.
    #[default]
    Long,
}

/// Where the usual delays come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum BackgroundArg {
    /// The simulator's.
    Fitted,
    /// Measured series.
    Measured,
    /// Measured series without the hours that are unusual by nature.
    Filtered,
}

/// Options of `score`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Stories with a known truth go through the detector on virtual time, and through two Prometheus set-ups beside it; what
is printed is how each did. The same seeds give the same scores. Seeds from 1000 on are kept for the last look: nothing
was tuned on them.

Examples:
  fleetwatch score --set short
  fleetwatch score --scenario nightly --scenario ramp --seeds 1..20
  fleetwatch score --set short --with ratio=1.5 --with delta=2ms     would these settings do better?
  fleetwatch score --seeds 1000..1009 --json > held-out.jsonl
  fleetwatch score --set short --gate          exit code 4 when what must hold does not")]
pub struct ScoreArgs {
    /// Stories, seeds and sizes, unless the options below say otherwise.
    #[arg(long, value_enum, default_value_t, value_name = "SET")]
    pub set: ScoreSet,

    /// Seeds: one, a list 1,2,5, or a range 1..10, both ends included.
    #[arg(long, value_parser = seeds, value_name = "SEEDS")]
    pub seeds: Option<Seeds>,

    /// A story, by its name; may be given several times. All of the set by default.
    #[arg(long, value_name = "NAME")]
    pub scenario: Vec<Scenario>,

    /// Size of the fleet, except in stories that say it themselves.
    #[arg(long, value_parser = clap::value_parser!(u32).range(10..=10_000), value_name = "N")]
    pub devices: Option<u32>,

    /// Days before each story, of one report a minute, from which the baseline is learnt.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=8), value_name = "DAYS")]
    pub history: Option<u32>,

    /// Only on this background; on all by default.
    #[arg(long, value_enum, value_name = "BACKGROUND")]
    pub background: Option<BackgroundArg>,

    /// Folder of measured series for the measured and the filtered background; without it they are skipped.
    #[arg(long, default_value = "../shared/data", value_name = "DIR")]
    pub data: PathBuf,

    /// Another setting of the detector, as with `replay --set`; may be given again for each. The truth stays as it is.
    #[arg(long, value_name = "KEY=VALUE")]
    pub with: Vec<String>,

    /// Threads; as many as there are cores by default.
    #[arg(long, short, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "N")]
    pub jobs: Option<u16>,

    /// Print one JSON object a line for each story, seed and contestant.
    #[arg(long, action = ArgAction::SetTrue)]
    pub json: bool,

    /// Print what the detector said in each story, as `replay` does, with the minutes that prove it.
    #[arg(long, action = ArgAction::SetTrue)]
    pub changes: bool,

    /// Fail unless every found event has one incident, every boundary case is right and nothing false is declared.
    #[arg(long, action = ArgAction::SetTrue)]
    pub gate: bool,
}

/// Seeds of the runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seeds(pub Vec<u64>);

/// `7`, `1,2,5`, `1..10`, or a mixture.
fn seeds(text: &str) -> Result<Seeds, String> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| format!("`{text}` is not a number"));
    let mut seeds = Vec::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once("..") {
            Some((first, last)) => (number(first)?, number(last.trim_start_matches('='))?),
            None => (number(part)?, number(part)?),
        };
        if first > last || last - first >= 10_000 {
            return Err(format!("`{part}` is not a range of at most 10,000 seeds"));
        }
        seeds.extend(first..=last);
    }
    Ok(Seeds(seeds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_numbers_lists_and_ranges() {
        assert_eq!(seeds("7"), Ok(Seeds(vec![7])));
        assert_eq!(seeds("1..3,9"), Ok(Seeds(vec![1, 2, 3, 9])));
        for bad in ["", "a", "3..1", "1..", "0..10000000"] {
            assert!(seeds(bad).is_err(), "{bad}");
        }
    }
}
