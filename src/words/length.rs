//! Lengths of time as people read them.

use super::{Lang, phrase};

phrase! {
    /// A length to the minute; below two minutes to the second.
    pub fn lasting(lang: Lang, seconds: u64) -> String match seconds {
        0..120 => "{seconds} s", "{seconds}秒";
        120..3_600 => "{minutes} min", "{minutes}分", minutes = seconds / 60;
        _ =>
            "{hours} h {minutes:02} min",
            "{hours}時間{minutes:02}分",
            hours = seconds / 3_600,
            minutes = seconds / 60 % 60;
    }
}

phrase! {
    /// A length on the one-hour clock, in minutes.
    pub fn minutes(lang: Lang, seconds: u64) -> String =
        "{minutes} min", "{minutes}分", minutes = seconds / 60;
}

phrase! {
    /// How far an instant lies in the past or ahead.
    pub fn relative(lang: Lang, is_past: bool, lasting: &str) -> String match is_past {
        true => "({lasting} ago)", "（{lasting}前）";
        false => "(in {lasting})", "（あと{lasting}）";
    }
}

/// `mm:ss`, or `h:mm:ss` above the hour.
pub fn clock(seconds: u64) -> String {
    if seconds > 3_600 {
        format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
    } else {
        format!("{:02}:{:02}", seconds / 60, seconds % 60)
    }
}

/// Microseconds in the unit that reads best: `850 us`, `2.1 ms`, `1.20 s`.
pub fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{:.0} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_as_exact_as_it_is_short() {
        let read = |seconds| Lang::ALL.map(|lang| lasting(lang, seconds));
        assert_eq!(read(119), ["119 s", "119秒"]);
        assert_eq!(read(120), ["2 min", "2分"]);
        assert_eq!(read(3_900), ["1 h 05 min", "1時間05分"]);
        assert_eq!([2_300, 3_600, 4_000].map(clock), ["38:20", "60:00", "1:06:40"]);
        assert_eq!([850, 2_100, 1_200_000].map(micros), ["850 us", "2.1 ms", "1.20 s"]);
    }
}
