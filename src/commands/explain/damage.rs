//! What carries the damage: classes, tests and rules, with the distributions of latency before and during it.

use std::fmt::Write;

use super::chart::Pen;
use crate::engine::effect::Damage;
use crate::record::distribution::{Distribution, axis};
use crate::words::length::micros;
use crate::words::number::{counted, share};

/// Columns of a histogram.
const COLUMNS: usize = 56;

/// Most rules that are named for a pair.
const RULES: usize = 5;

/// Writes the section; nothing where nothing is known.
pub fn write(damage: &[Damage], pen: Pen, out: &mut String) {
    if damage.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", pen.heading("What carries the damage"));
    let mut rules = None;
    for pair in damage {
        let before = pair.share_before.map_or_else(|| "not known".to_owned(), share);
        let _ = writeln!(
            out,
            "  {:<6} {:<16} {:>12}   {before} -> {} above threshold",
            pair.class.as_str(),
            pair.test,
            counted(u64::from(pair.devices), "device"),
            share(pair.share_during),
        );
        // Both tests of flags of a class see the same rules.
        let told = rules.replace((pair.class, &pair.rules));
        for rule in pair.rules.iter().take(if told == rules { 0 } else { RULES }) {
            let (before, during) = (rule.per_hour_before, rule.per_hour_during);
            let _ = writeln!(out, "         rule {}: {before:.1} flags an hour before, {during:.1} during", rule.rule);
        }
        distributions(pair, pen, out);
    }
}

fn distributions(pair: &Damage, pen: Pen, out: &mut String) {
    let read = |text: &Option<String>| text.as_deref().and_then(Distribution::decode);
    let (before, during) = (read(&pair.latency_before), read(&pair.latency_during));
    let both: Vec<(&str, &Distribution)> = [("before", &before), ("during", &during)]
        .into_iter()
        .filter_map(|(name, of)| Some((name, of.as_ref()?)))
        .collect();
    if both.is_empty() {
        return;
    }
    let range = axis(&both.iter().map(|(_, of)| *of).collect::<Vec<_>>());
    let _ = writeln!(out, "         added delay     p50       p90       p95       p99");
    for (name, of) in &both {
        let quantiles = [0.5, 0.9, 0.95, 0.99].map(|q| format!("{:>8}", micros(of.quantile_us(q))));
        let _ = writeln!(out, "         {name}     {}  of {}", quantiles.join("  "), counted(of.count(), "value"));
    }
    for (name, of) in &both {
        let _ = writeln!(out, "         {name} |{}|", pen.bars(&of.columns(range, COLUMNS)));
    }
    let (from, to) = (micros(range.0), micros(range.1));
    let _ = writeln!(out, "                 {from:<left$}{to}", left = COLUMNS.saturating_sub(to.len()));
}
