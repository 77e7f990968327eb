//! Drawings of characters: one a minute, one a column of a histogram. Each verdict has a shape of its own, so that they
//! read without colour, and a twin in ASCII.

use std::env;

use crate::engine::effect::Verdict;

/// Eighths of a cell, and their twins in ASCII.
const EIGHTHS: [char; 9] =
    [' ', '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];
const ASCII: [char; 9] = [' ', '.', ':', '-', '=', '+', '*', '#', '@'];

/// How may be drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pen {
    pub ascii: bool,
    pub colour: bool,
}

impl Pen {
    /// The pen for standard output: colour on a terminal unless `NO_COLOR` is set, ASCII where the locale is not UTF-8.
    pub fn for_terminal(ascii: bool, terminal: bool) -> Self {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        Self { ascii: ascii || !utf8, colour: terminal && set("NO_COLOR").is_none() }
    }

    /// The character of a verdict.
    pub fn verdict(self, verdict: Verdict) -> char {
        match (verdict, self.ascii) {
            (Verdict::Degraded, false) => '\u{2588}',
            (Verdict::Degraded, true) => '#',
            (Verdict::Healthy, false) => '\u{2581}',
            (Verdict::Healthy, true) => '_',
            (Verdict::Indeterminate, false) => '\u{2592}',
            (Verdict::Indeterminate, true) => '?',
            (Verdict::Unknown, false) => '\u{b7}',
            (Verdict::Unknown, true) => '.',
        }
    }

    /// A bar of one character for a share, 0..=1; what is above nothing is seen.
    pub fn bar(self, share: f64) -> char {
        let step = (share.clamp(0.0, 1.0) * 8.0).round() as usize;
        let step = if share > 0.0 { step.max(1) } else { 0 };
        if self.ascii { ASCII[step] } else { EIGHTHS[step] }
    }

    /// Verdicts in a row, coloured where they may be: vermilion, green and blue of Okabe and Ito's set.
    pub fn strip(self, verdicts: &[Verdict]) -> String {
        let mut out = String::new();
        for run in verdicts.chunk_by(|a, b| a == b) {
            let text: String = run.iter().map(|verdict| self.verdict(*verdict)).collect();
            let colour = match run[0] {
                Verdict::Degraded => 166,
                Verdict::Healthy => 36,
                Verdict::Indeterminate | Verdict::Unknown => 104,
            };
            out.push_str(&self.coloured(&text, colour));
        }
        out
    }

    /// Shares in a row, the highest one as high as a cell.
    pub fn bars(self, shares: &[f64]) -> String {
        let most = shares.iter().copied().fold(0.0, f64::max);
        shares.iter().map(|share| self.bar(if most > 0.0 { share / most } else { 0.0 })).collect()
    }

    /// A heading.
    pub fn heading(self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn coloured(self, text: &str, colour: u8) -> String {
        if self.colour { format!("\x1b[38;5;{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What the characters mean.
    pub fn legend(self) -> String {
        let words = [
            (Verdict::Degraded, "degraded"),
            (Verdict::Healthy, "healthy"),
            (Verdict::Indeterminate, "undecided"),
            (Verdict::Unknown, "no data"),
        ];
        words.map(|(verdict, word)| format!("{} {word}", self.strip(&[verdict]))).join("  ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Verdict; 4] = [Verdict::Degraded, Verdict::Healthy, Verdict::Indeterminate, Verdict::Unknown];

    #[test]
    fn every_verdict_has_a_shape_of_its_own_with_and_without_unicode() {
        for ascii in [false, true] {
            let pen = Pen { ascii, colour: false };
            let mut shapes: Vec<char> = ALL.map(|verdict| pen.verdict(verdict)).to_vec();
            assert_eq!(pen.strip(&ALL).chars().collect::<Vec<_>>(), shapes);
            assert_eq!(shapes.iter().all(char::is_ascii), ascii);
            shapes.sort_unstable();
            shapes.dedup();
            assert_eq!(shapes.len(), 4);
        }
    }

    #[test]
    fn colour_is_added_around_and_changes_no_character() {
        let (plain, coloured) = (Pen { ascii: false, colour: false }, Pen { ascii: false, colour: true });
        let drawn = coloured.strip(&ALL);
        assert!(drawn.contains('\u{1b}'));
        assert_eq!(console::strip_ansi_codes(&drawn), plain.strip(&ALL));
    }

    #[test]
    fn a_bar_is_as_high_as_its_share_and_a_little_is_not_nothing() {
        let pen = Pen { ascii: true, colour: false };
        assert_eq!(pen.bars(&[0.0, 0.001, 0.5, 1.0]), " .=@");
        assert_eq!(pen.bars(&[0.0, 0.0]), "  ");
        assert_eq!(pen.bars(&[0.25, 0.5]), "=@", "against the highest");
    }
}
