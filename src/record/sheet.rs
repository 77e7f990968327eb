//! Text on its way into a spreadsheet and back.
//!
//! A field that begins with one of `= + - @`, its full-width form, a tab or a carriage return is run as a formula by
//! spreadsheets, so it is written with one apostrophe before it ([`escape_formula`]); [`unescape_formula`] takes exactly that apostrophe away.

/// Whether a spreadsheet would run the text as a formula.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\t', '\r'])
}

/// The field as written: with an apostrophe before what a spreadsheet would run. Apostrophes that stand before a formula
/// already are doubled by the same rule, so that [`unescape_formula`] is the exact inverse.
pub fn escape_formula(text: &str) -> String {
    if is_formula(text.trim_start_matches('\'')) { format!("'{text}") } else { text.into() }
}

/// The field as meant: without the apostrophe of [`escape_formula`].
pub fn unescape_formula(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest,
        _ => text,
    }
}
