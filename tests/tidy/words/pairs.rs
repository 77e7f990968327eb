//! The pairs in a Rust text: what stands in `words!`, `phrase!` and `say(..)`.

use crate::paths::{character, quoted, raw_text};

/// A text in both languages.
#[derive(PartialEq, Eq, Debug)]
pub struct Pair {
    /// What the source calls it.
    pub name: String,
    pub en: String,
    pub ja: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

use Token::{Sign, Text, Word};

/// Every pair, in the order in which they stand.
pub fn pairs(text: &str) -> Vec<Pair> {
    let tokens = tokens(text);
    found(&tokens).into_iter().map(|(_, pair)| pair).collect()
}

/// Texts with Japanese in them that are no half of a pair.
pub fn loose(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    // A pair is a text, a comma and a text.
    let paired: Vec<usize> = found(&tokens).iter().flat_map(|(at, _)| [*at, *at + 2]).collect();
    let texts = tokens.iter().enumerate().filter_map(|(at, token)| match token {
        Text(text) if !paired.contains(&at) && text.chars().any(is_japanese) => Some(text.clone()),
        _ => None,
    });
    texts.collect()
}

/// Kana and kanji.
pub fn is_japanese(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}')
}

/// Every pair, with the place of its English among the tokens.
fn found(tokens: &[Token]) -> Vec<(usize, Pair)> {
    let mut pairs = Vec::new();
    let mut item = String::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at..] {
            [Word(kind), Sign('!'), Sign('{'), ..] if kind == "words" || kind == "phrase" => {
                let end = closing(tokens, at + 2);
                let inner = if kind == "words" { table(tokens, at + 3, end) } else { phrase(tokens, at + 3, end) };
                pairs.extend(inner);
                at = end;
            }
            [Word(keyword), Word(name), ..]
                if is_item(keyword) && tokens.get(at.wrapping_sub(1)) != Some(&Sign('\'')) =>
            {
                item.clone_from(name);
            }
            [Word(say), Sign('('), rest @ ..] if say == "say" => {
                pairs.extend(pair(rest, item.clone()).map(|pair| (at + 2, pair)));
            }
            _ => {}
        }
        at += 1;
    }
    pairs
}

/// Whether a name follows; `'static` is a lifetime.
fn is_item(keyword: &str) -> bool {
    ["fn", "const", "static"].contains(&keyword)
}

/// The pair with which `tokens` begin.
fn pair(tokens: &[Token], name: String) -> Option<Pair> {
    let [Text(en), Sign(','), Text(ja), ..] = tokens else { return None };
    Some(Pair { name, en: en.clone(), ja: ja.clone() })
}

/// The pairs of a table: `pub struct Text { name: "..", ".."; name(..) { arms } name[..] { arms } name[..] = path; }`.
fn table(tokens: &[Token], from: usize, to: usize) -> Vec<(usize, Pair)> {
    let mut pairs = Vec::new();
    let body = until(tokens, from, to, |rest| rest[0] == Sign('{'));
    let (mut at, end) = (body + 1, closing(tokens, body));
    let mut name = String::new();
    while at < end {
        match &tokens[at] {
            Sign('(' | '[') => at = closing(tokens, at),
            Sign(':') => {
                pairs.extend(pair(&tokens[at + 1..], name.clone()).map(|pair| (at + 1, pair)));
                at = until(tokens, at, end, |rest| rest[0] == Sign(';'));
            }
            Sign('{') => {
                let close = closing(tokens, at);
                pairs.extend(arms(tokens, at + 1, close, &name));
                at = close;
            }
            Sign('=') => at = until(tokens, at, end, |rest| rest[0] == Sign(';')),
            Word(word) => name.clone_from(word),
            _ => {}
        }
        at += 1;
    }
    pairs
}

/// The pairs of a function: `fn name(..) -> String = "..", "..";` or `fn name(..) -> String match value { arms }`.
fn phrase(tokens: &[Token], from: usize, to: usize) -> Vec<(usize, Pair)> {
    let named = until(tokens, from, to, |rest| rest[0] == Word("fn".to_owned()));
    let Some(Word(name)) = tokens.get(named + 1) else { return Vec::new() };
    let chosen = until(tokens, named, to, |rest| rest[0] == Sign('=') || rest[0] == Word("match".to_owned()));
    if tokens.get(chosen) == Some(&Sign('=')) {
        return pair(&tokens[chosen + 1..], name.clone()).map(|pair| (chosen + 1, pair)).into_iter().collect();
    }
    let open = until(tokens, chosen, to, |rest| rest[0] == Sign('{'));
    arms(tokens, open + 1, closing(tokens, open), name)
}

/// The pairs of `pattern => "..", "..", value = ..;`.
fn arms(tokens: &[Token], from: usize, to: usize, name: &str) -> Vec<(usize, Pair)> {
    let mut pairs = Vec::new();
    let mut start = from;
    while start < to {
        let arrow = until(tokens, start, to, |rest| matches!(rest, [Sign('='), Sign('>'), ..]));
        if arrow >= to {
            break;
        }
        let name = format!("{name}, {}", written(&tokens[start..arrow]));
        pairs.extend(pair(&tokens[arrow + 2..], name).map(|pair| (arrow + 2, pair)));
        start = until(tokens, arrow, to, |rest| rest[0] == Sign(';')) + 1;
    }
    pairs
}

/// The first place from `at` on where `is_here` holds, outside of brackets that open on the way; `to` when there is none.
fn until(tokens: &[Token], mut at: usize, to: usize, is_here: impl Fn(&[Token]) -> bool) -> usize {
    while at < to {
        if is_here(&tokens[at..]) {
            return at;
        }
        if matches!(tokens[at], Sign('{' | '(' | '[')) {
            at = closing(tokens, at);
        }
        at += 1;
    }
    to
}

/// Where the bracket closes that opens at `at`.
fn closing(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (place, token) in tokens.iter().enumerate().skip(at) {
        match token {
            Sign('{' | '(' | '[') => depth += 1,
            Sign('}' | ')' | ']') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return place;
        }
    }
    tokens.len()
}

/// The tokens as a line of source.
fn written(tokens: &[Token]) -> String {
    let mut line = String::new();
    for token in tokens {
        let spaced = line.ends_with([',', '|', '{', '=']) || line.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        match token {
            Word(word) if spaced => line.extend([" ", word]),
            Word(word) => line.push_str(word),
            Text(text) => line.push_str(&format!("{text:?}")),
            Sign(sign @ ('{' | '}' | '|')) => line.extend([' ', *sign]),
            Sign(sign) => line.push(*sign),
        }
    }
    line
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(length) = raw_text(rest) {
            let text = rest[..length].trim_start_matches(['b', 'r', '#']).trim_end_matches('#');
            tokens.push(Text(text.trim_matches('"').to_owned()));
            length
        } else if first == '"' {
            let length = quoted(rest);
            tokens.push(Text(said(&rest[1..length - 1])));
            length
        } else if first == '\'' {
            tokens.push(Sign(first));
            character(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Word(rest[..length].to_owned()));
            length
        } else {
            if !first.is_whitespace() {
                tokens.push(Sign(first));
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// What a text in double quotes says.
fn said(quoted: &str) -> String {
    let mut said = String::new();
    let mut rest = quoted;
    while let Some((before, after)) = rest.split_once('\\') {
        said.push_str(before);
        let mut chars = after.chars();
        rest = match chars.next() {
            Some('\n') => chars.as_str().trim_start(),
            Some('n') => {
                said.push('\n');
                chars.as_str()
            }
            Some('u') => {
                let (code, behind) = after[2..].split_once('}').unwrap();
                said.extend(u32::from_str_radix(code, 16).ok().and_then(char::from_u32));
                behind
            }
            Some(other) => {
                said.push(other);
                chars.as_str()
            }
            None => "",
        };
    }
    said + rest
}

#[test]
fn every_form_of_a_pair_is_found() {
    let text = r##"
        words! {
            /// "no", "pair";
            pub struct Text {
                fleet: "Fleet", "装置";
                since(at: &str, n: u64): "since {at}", "{at}から", at = f(n, "x");
                count(n: u64) { 1 => "1", "1台"; _ if n > 2 => "{n} \"many\"", "{n}台"; }
                state[State] = names::state;
                verdict[Verdict] { Verdict::Healthy { x, .. } | Verdict::A => "healthy\n\
                    again", "正常"; }
            }
        }
        phrase! { pub const fn role(role: Role) -> Both<&'static str> match role { Role::A => "a", "あ"; } }
        phrase! { fn more(lang: Lang, n: u64) -> String = "{n} more", "ほか{n}台"; }
        const ANSWER: Both<&'static str> = say("yes", "はい");
        fn f() { g("見えない"); let c = '、'; }
    "##;
    let found: Vec<[String; 3]> = pairs(text).into_iter().map(|pair| [pair.name, pair.en, pair.ja]).collect();
    assert_eq!(
        found,
        [
            ["fleet", "Fleet", "装置"],
            ["since", "since {at}", "{at}から"],
            ["count, 1", "1", "1台"],
            ["count, _ if n>2", "{n} \"many\"", "{n}台"],
            ["verdict, Verdict::Healthy { x,.. } | Verdict::A", "healthy\nagain", "正常"],
            ["role, Role::A", "a", "あ"],
            ["more", "{n} more", "ほか{n}台"],
            ["ANSWER", "yes", "はい"],
        ]
    );
    assert_eq!(loose(text), ["見えない"]);
}
