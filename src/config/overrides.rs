//! Settings of the detector given as `KEY=VALUE` on a command line: what-if.
//!
//! The keys, kinds and ranges are those of the `detector` section ([`super::keys`]), the rules that join keys those of
//! [`super::rules`]. A key may be written with its unit (`hold_min=45`) or without; then a length of time carries one
//! (`hold=45m`, `delta=5ms`). All faults are told at once.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::Value;

use super::fault::{Fault, Place, shown};
use super::keys;
use super::kinds::{Key, Kind};
use super::layer::Entry;
use super::settings::Config;
use super::{rules, zone};
use crate::engine::settings::Settings;

/// Section whose keys may be set.
const SECTION: &str = "detector.";

/// Most settings in a grid: each is a whole replay.
const MAX_GRID: usize = 256;

/// What takes an objective away.
const NONE: &str = "none";

/// Endings of keys that count time, with the length of one of them in microseconds.
const UNITS: &[(&str, i64, &str)] =
    &[("_min", 60_000_000, "minutes"), ("_ms", 1_000, "milliseconds"), ("_us", 1, "microseconds")];

/// One point of a grid: what was set, as it was written, and the settings that follow.
#[derive(Clone, PartialEq, Debug)]
pub struct Point {
    /// Key and value as written, in the order of the axes; empty for the reference.
    pub set: Vec<(String, String)>,
    pub settings: Settings,
}

impl Point {
    /// `hold=45m ratio=1.5`.
    pub fn label(&self) -> String {
        self.set.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }
}

/// The settings of `config` with each `KEY=VALUE` of `sets` in force. Warning marks that were not set and would come
/// after the hour are left out.
///
/// # Errors
/// All faults: what cannot be read, unknown keys, values out of range, broken rules.
pub fn apply(config: &Config, sets: &[String]) -> Result<Settings, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut chosen: Vec<Choice> = Vec::new();
    for text in sets {
        match Choice::read(text, "--set", &mut faults) {
            Some(choice) if chosen.iter().any(|earlier| earlier.key.path == choice.key.path) => {
                faults.push(fault("--set", &choice.name, Some(&choice.written), "is set twice", None));
            }
            choice => chosen.extend(choice),
        }
    }
    let settings = merged(config, &chosen, "--set", &mut faults);
    if faults.is_empty() { Ok(settings) } else { Err(faults) }
}

/// The product of the axes `KEY=VALUE,VALUE,...`, the first axis moving slowest. Values of a key that is a list itself
/// (`warn_group`) are kept apart by `;`.
///
/// # Errors
/// All faults, as [`apply`]; and a grid that is too large.
pub fn grid(config: &Config, axes: &[String]) -> Result<Vec<Point>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut read: Vec<Vec<Choice>> = Vec::new();
    for text in axes {
        let axis = axis(text, &mut faults);
        let Some(first) = axis.first() else { continue };
        if read.iter().any(|earlier| earlier[0].key.path == first.key.path) {
            faults.push(fault("--grid", &first.name, None, "has an axis already", None));
        } else {
            read.push(axis);
        }
    }
    let size = read.iter().fold(1_usize, |size, axis| size.saturating_mul(axis.len()));
    if size > MAX_GRID {
        let rule = format!("the grid has {size} settings, and {MAX_GRID} are the most");
        faults.push(fault("--grid", "", None, &rule, None));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut combinations: Vec<Vec<Choice>> = vec![Vec::new()];
    for axis in &read {
        let longer = |rest: &Vec<Choice>| {
            let rest = rest.clone();
            axis.iter().map(move |choice| [rest.clone(), vec![choice.clone()]].concat())
        };
        combinations = combinations.iter().flat_map(longer).collect();
    }
    let mut points = Vec::with_capacity(combinations.len());
    for chosen in combinations {
        let set: Vec<_> = chosen.iter().map(|choice| (choice.name.clone(), choice.written.clone())).collect();
        let mut point = Point { set, settings: config.detector.clone() };
        let place = format!("--grid, at {}", point.label());
        point.settings = merged(config, &chosen, &place, &mut faults);
        points.push(point);
    }
    if faults.is_empty() { Ok(points) } else { Err(faults) }
}

fn axis(text: &str, faults: &mut Vec<Fault>) -> Vec<Choice> {
    let Some((name, values)) = text.split_once('=') else {
        // It has no value: the reader of a single one says so.
        Choice::read(text, "--grid", faults);
        return Vec::new();
    };
    let list = find(name.trim()).is_ok_and(|(key, _)| matches!(key.kind, Kind::Marks));
    let mut axis: Vec<Choice> = Vec::new();
    let mut told = false;
    for value in values.split(if list { ';' } else { ',' }) {
        let before = faults.len();
        let choice = Choice::read(&format!("{name}={value}"), "--grid", faults);
        let Some(choice) = choice else {
            // An unknown key is one fault, not one for each value.
            let unknown = find(name.trim()).is_err();
            faults.truncate(if unknown && told { before } else { faults.len() });
            told |= unknown;
            continue;
        };
        if axis.iter().any(|earlier| earlier.value == choice.value) {
            faults.push(fault("--grid", &choice.name, Some(&choice.written), "stands twice", None));
        } else {
            axis.push(choice);
        }
    }
    axis
}

/// One checked `KEY=VALUE`.
#[derive(Clone, Debug)]
struct Choice {
    key: &'static Key,
    /// As written.
    name: String,
    written: String,
    value: Value,
}

impl Choice {
    fn read(text: &str, option: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        let Some((name, written)) = text.split_once('=') else {
            faults.push(fault(option, &shown(text), None, "has no value: write KEY=VALUE, such as hold=45m", None));
            return None;
        };
        let (name, written) = (name.trim(), written.trim());
        let (key, unit) = match find(name) {
            Ok(found) => found,
            Err(hint) => {
                let rule = "is not a setting of the detector";
                faults.push(fault(option, &shown(name), Some(&shown(written)), rule, hint));
                return None;
            }
        };
        let read = value_of(key, unit, name, written);
        let checked = read.and_then(|value| {
            let absent = value.is_null() && written == NONE;
            if absent { Ok(value) } else { key.kind.check(&value).map(|()| value).map_err(|rule| (rule, None)) }
        });
        match checked {
            Ok(value) => Some(Self { key, name: name.to_owned(), written: written.to_owned(), value }),
            Err((rule, hint)) => {
                faults.push(fault(option, name, Some(&shown(written)), &rule, hint));
                None
            }
        }
    }
}

fn fault(option: &str, key: &str, value: Option<&str>, rule: &str, hint: Option<String>) -> Fault {
    let place = Place::Option(option.to_owned());
    Fault { place, key: key.to_owned(), value: value.map(str::to_owned), rule: rule.to_owned(), hint }
}

/// The key of this name, and its unit where the name left it out.
type Found = (&'static Key, Option<&'static (&'static str, i64, &'static str)>);

/// Finds a key by its name with or without its unit.
///
/// # Errors
/// With what was probably meant.
fn find(name: &str) -> Result<Found, Option<String>> {
    let name = name.strip_prefix(SECTION).unwrap_or(name);
    let of_section = || keys::KEYS.iter().filter_map(|key| key.path.strip_prefix(SECTION).map(|short| (short, key)));
    for (short, key) in of_section() {
        if short == name {
            return Ok((key, None));
        }
        if let Some(unit) = UNITS.iter().find(|unit| short.strip_suffix(unit.0) == Some(name)) {
            return Ok((key, Some(unit)));
        }
    }
    let bare = |short: &'static str| UNITS.iter().find_map(|unit| short.strip_suffix(unit.0)).unwrap_or(short);
    let lower = name.to_ascii_lowercase();
    let scored = of_section().flat_map(|(short, _)| [short, bare(short)]).map(|n| (keys::distance(&lower, n), n));
    let near = scored.min_by_key(|(score, name)| (*score, name.len()));
    let near = near.filter(|(score, near)| score * 3 <= near.len().max(name.len()));
    Err(near.map(|(_, name)| format!("did you mean {name}?")))
}

/// What `written` says for the key.
///
/// # Errors
/// The broken rule, and what was probably meant.
fn value_of(
    key: &Key,
    missing: Option<&(&str, i64, &str)>,
    name: &str,
    written: &str,
) -> Result<Value, (String, Option<String>)> {
    let optional = key.path.contains(".objective_") || matches!(key.kind, Kind::Zone);
    if optional && written == NONE {
        return Ok(Value::Null);
    }
    let unit = missing.or_else(|| UNITS.iter().find(|unit| key.path.ends_with(unit.0)));
    let Some(unit) = unit else { return Ok(key.kind.from_text(written)) };
    let one = |text: &str| length(text, unit, missing.is_some(), name);
    if matches!(key.kind, Kind::Marks) {
        let inner = written.trim_start_matches('[').trim_end_matches(']');
        let marks = inner.split(',').map(str::trim).filter(|mark| !mark.is_empty()).map(one);
        return marks.collect::<Result<Vec<i64>, _>>().map(Value::from);
    }
    one(written).map(Value::from)
}

/// A length of time in whole units: `45m`, `1h30m`, `5ms`; a bare number only where the key's name says the unit.
fn length(text: &str, unit: &(&str, i64, &str), needs_unit: bool, name: &str) -> Result<i64, (String, Option<String>)> {
    let &(suffix, microseconds, words) = unit;
    let example = match suffix {
        "_min" => "45m",
        "_ms" => "90s",
        _ => "5ms",
    };
    if let Ok(number) = text.replace('_', "").parse::<i64>() {
        let short = suffix.trim_start_matches('_').trim_end_matches("in");
        let hint = || Some(format!("did you mean {name}={number}{short} or {name}{suffix}={number}?"));
        return if needs_unit { Err((format!("must have a unit, such as {example}"), hint())) } else { Ok(number) };
    }
    let parsed: SignedDuration =
        text.parse().map_err(|_| (format!("must be a length of time, such as {example}"), None))?;
    let total = parsed.as_micros();
    if total % i128::from(microseconds) != 0 || parsed.subsec_nanos() % 1_000 != 0 {
        return Err((format!("must be in whole {words}"), None));
    }
    i64::try_from(total / i128::from(microseconds))
        .map_err(|_| (format!("must be a length of time, such as {example}"), None))
}

/// The settings with the choices in force; broken rules go to `faults`.
fn merged(config: &Config, chosen: &[Choice], option: &str, faults: &mut Vec<Fault>) -> Settings {
    let mut merged = config.clone();
    let mut plain = serde_json::to_value(&config.detector).unwrap_or_default();
    for choice in chosen {
        plain[&choice.key.path[SECTION.len()..]] = choice.value.clone();
    }
    match serde_json::from_value(plain) {
        Ok(settings) => merged.detector = settings,
        // Each value has passed its key's check, so only a key table that disagrees with the struct can fail here.
        Err(error) => faults.push(fault(option, "", None, &format!("cannot be taken over: {error}"), None)),
    }
    let is_set = |name: &str| chosen.iter().any(|choice| choice.key.path == name);
    if is_set("detector.time_zone") {
        zone::settle(&mut merged, true);
    } else if is_set(zone::OFFSET) {
        merged.detector.time_zone = None;
    } else {
        merged.detector.zone = config.detector.zone.clone();
    }
    let hold = merged.detector.hold_min;
    if !is_set("detector.warn_group_min") {
        merged.detector.warn_group_min.retain(|mark| *mark < hold);
    }
    if !is_set("detector.warn_device_min") {
        merged.detector.warn_device_min.retain(|mark| *mark < hold);
    }
    let place = Place::Option(option.to_owned());
    let entries: Vec<Entry> = chosen
        .iter()
        .map(|choice| Entry { key: choice.key, value: choice.value.clone(), place: place.clone(), inner: Vec::new() })
        .collect();
    rules::check(&merged, &entries, &BTreeSet::new(), faults);
    merged.detector
}

#[cfg(test)]
mod tests;
