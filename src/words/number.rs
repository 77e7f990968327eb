//! Counts, shares and certainties as people read them.

use std::fmt;

use super::{Lang, phrase};

phrase! {
    /// So many devices.
    pub fn devices(lang: Lang, n: usize) -> String match n {
        1 => "1 device", "1台";
        _ => "{n} devices", "{n}台";
    }
}

/// `1 device`, `2 devices`: for the terminal, which is English.
pub fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A ratio in whole percent. What is not quite all does not read as 100.
pub fn percent(ratio: f64) -> u32 {
    let rounded = (ratio.clamp(0.0, 1.0) * 100.0).round() as u32;
    if rounded == 100 && ratio < 1.0 { 99 } else { rounded }
}

/// A small share with the digits that matter: `0.2 %`, `63 %`.
pub fn share(ratio: f64) -> String {
    if ratio < 0.1 { format!("{:.1} %", ratio * 100.0) } else { format!("{} %", percent(ratio)) }
}

/// A confidence, 0..=1, as people read it: nothing is ever certain, so neither 100 % nor 0 % is said of it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Certainty(pub f64);

impl Certainty {
    /// As this reader writes it.
    pub fn text(self, lang: Lang) -> String {
        certainty(lang, self.0 * 100.0)
    }
}

/// In English: `97 %`, `over 99 %`, `under 1 %`.
impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

phrase! {
    fn certainty(lang: Lang, percent: f64) -> String match percent {
        _ if percent >= 99.5 => "over 99 %", "99%超";
        // What is no number is no certainty either.
        _ if percent >= 1.0 => "{whole} %", "{whole}%", whole = percent.round() as u32;
        _ => "under 1 %", "1%未満";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_not_rounded_into_what_they_are_not() {
        assert_eq!((share(0.002), share(0.634)), ("0.2 %".to_owned(), "63 %".to_owned()));
        assert_eq!((counted(1, "device"), counted(2, "device")), ("1 device".to_owned(), "2 devices".to_owned()));
        assert_eq!((percent(0.999), percent(1.0), percent(f64::NAN)), (99, 100, 0));
    }

    #[test]
    fn nothing_is_certain() {
        let read = |confidence| Lang::ALL.map(|lang| Certainty(confidence).text(lang));
        assert_eq!(read(1.0), ["over 99 %", "99%超"]);
        assert_eq!(read(0.956), ["96 %", "96%"]);
        for none in [0.0, f64::NAN] {
            assert_eq!(read(none), ["under 1 %", "1%未満"]);
        }
    }
}
