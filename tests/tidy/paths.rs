//! Which paths a Rust text mentions: `use` trees flattened, and paths written out in code. Comments and texts in quotes do
//! not count.

/// The paths, such as `crate::engine::time::Timestamp` or `std::fs`, in the order in which they stand.
pub fn paths(text: &str) -> Vec<String> {
    let tokens = tokens(&bare(text));
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = is_word(&tokens[at]) && tokens.get(at + 1).is_some_and(|token| token == "::");
        let continues = at > 0 && tokens[at - 1] == "::";
        if begins && !continues {
            at = tree(&tokens, at, String::new(), &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads the tree that begins at `at` with the path `prefix` before it; gives the place after it.
fn tree(tokens: &[String], mut at: usize, mut prefix: String, found: &mut Vec<String>) -> usize {
    while let Some(token) = tokens.get(at) {
        if token == "{" && prefix.ends_with("::") {
            at += 1;
            while tokens.get(at).is_some_and(|token| token != "}") {
                // `as name` and commas stand between the parts.
                match tokens[at].as_str() {
                    "as" => at += 2,
                    token if is_word(token) || token == "::" || token == "{" => {
                        at = tree(tokens, at, prefix.clone(), found);
                    }
                    _ => at += 1,
                }
            }
            return at + 1;
        }
        if is_word(token) && (prefix.is_empty() || prefix.ends_with("::")) {
            prefix.push_str(token);
        } else if token == "::" {
            prefix.push_str("::");
        } else {
            break;
        }
        at += 1;
    }
    found.push(prefix.trim_end_matches("::").to_string());
    at
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::` and single signs.
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            tokens.push(rest[..length].to_string());
        }
        rest = &rest[length..];
    }
    tokens
}

/// The text without comments, and with every quoted text emptied.
pub fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_text(rest) {
            length
        } else if first == '"' {
            quoted(rest)
        } else if first == '\'' {
            character(rest)
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        out.push(' ');
        rest = &rest[skip..];
    }
    out
}

/// Length of the raw text that begins here.
pub fn raw_text(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = rest.len() - body.len();
    Some(body.find(&end).map_or(rest.len(), |at| start + at + end.len()))
}

/// Length of the text in double quotes that begins here.
pub fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of the character that begins here, or 1 for a lifetime.
pub fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => rest[2..].char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 3),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[test]
fn use_trees_are_flattened_and_quotes_and_comments_left_out() {
    let text = r##"
        use crate::{engine::{time::Timestamp, device as d}, clock};
        use std::io::{self, Read as _};
        /// [`x`](crate::broker)
        fn f<'a>(x: &'a str) { let c = '"'; let s = "crate::ingest"; let r = r#"std::fs"#; std::thread::spawn(|| '\''); }
    "##;
    assert_eq!(
        paths(text),
        [
            "crate::engine::time::Timestamp",
            "crate::engine::device",
            "crate::clock",
            "std::io::self",
            "std::io::Read",
            "std::thread::spawn"
        ]
    );
}
