//! What people write in a review, as it is read: headings, lists, tables and paragraphs of Markdown. All else is text.

use maud::{Markup, html};

/// One piece of a text.
enum Block<'a> {
    /// Its depth, 1 the outermost.
    Heading(usize, &'a str),
    Items(Vec<&'a str>),
    /// The first row is the head.
    Table(Vec<Vec<String>>),
    Lines(Vec<&'a str>),
}

/// The text with its headings below those of the page.
pub(in crate::web) fn render(text: &str) -> Markup {
    html! {
        div.text { @for block in blocks(text) { @match block {
            Block::Heading(1, words) => h2 { (inline(words)) },
            Block::Heading(2, words) => h3 { (inline(words)) },
            Block::Heading(_, words) => h4 { (inline(words)) },
            Block::Items(items) => ul { @for item in items { li { (inline(item)) } } },
            Block::Table(rows) => (table(&rows)),
            Block::Lines(lines) => p { @for (index, line) in lines.iter().enumerate() { @if index > 0 { br; } (inline(line)) } },
        } } }
    }
}

fn table(rows: &[Vec<String>]) -> Markup {
    let Some((head, body)) = rows.split_first() else { return html! {} };
    html! {
        div.wide { table {
            thead { tr { @for cell in head { th scope="col" { (inline(cell)) } } } }
            tbody { @for row in body { tr { @for cell in row { td { (inline(cell)) } } } } }
        } }
    }
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut is_new = true;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            is_new = true;
            continue;
        }
        let joined = if is_new { None } else { blocks.last_mut() };
        is_new = false;
        if let Some((depth, words)) = heading(trimmed) {
            blocks.push(Block::Heading(depth, words));
            is_new = true;
        } else if let Some(item) = trimmed.strip_prefix("- ").or_else(|| trimmed.strip_prefix("* ")) {
            match joined {
                Some(Block::Items(items)) => items.push(item),
                _ => blocks.push(Block::Items(vec![item])),
            }
        } else if trimmed.starts_with('|') {
            let row = cells(trimmed);
            let is_rule = row.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':')));
            match joined {
                Some(Block::Table(_)) if is_rule => {}
                Some(Block::Table(rows)) => rows.push(row),
                _ => blocks.push(Block::Table(vec![row])),
            }
        } else {
            match joined {
                Some(Block::Lines(lines)) => lines.push(trimmed),
                _ => blocks.push(Block::Lines(vec![trimmed])),
            }
        }
    }
    blocks
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let depth = line.bytes().take_while(|byte| *byte == b'#').count();
    let words = line[depth..].strip_prefix(' ')?;
    (1..=6).contains(&depth).then_some((depth, words.trim()))
}

/// The cells of a row. A bar after a backslash is part of its cell.
fn cells(row: &str) -> Vec<String> {
    let inner = row.trim_start_matches('|');
    let mut cells = vec![String::new()];
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match (c, cells.last_mut()) {
            ('|', _) => cells.push(String::new()),
            (c, Some(cell)) => {
                cell.push(c);
                if c == '\\' {
                    cell.extend(chars.next());
                }
            }
            (_, None) => {}
        }
    }
    // What follows the last bar is no cell.
    if cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}

/// Words between pairs of `**` are strong; a sign after a backslash is itself.
fn inline(text: &str) -> Markup {
    let mut runs = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_strong = c == '*' && chars.peek() == Some(&'*');
        if is_strong {
            chars.next();
            runs.push(String::new());
            continue;
        }
        let c = match c {
            '\\' => chars.next_if(char::is_ascii_punctuation).unwrap_or(c),
            c => c,
        };
        if let Some(run) = runs.last_mut() {
            run.push(c);
        }
    }
    if runs.len() % 2 == 0 {
        // One pair was begun and not ended.
        let rest = runs.pop().unwrap_or_default();
        if let Some(run) = runs.last_mut() {
            run.push_str("**");
            run.push_str(&rest);
        }
    }
    html! { @for (index, run) in runs.iter().enumerate() { @if index % 2 == 1 { strong { (run) } } @else { (run) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_reads_as_it_was_meant() {
        let text = "# INC: review\n\n- a\n- b **c**\n\n## Times\n\n| at | what |\n|---|---|\n| 09:00 | x \\| y |\n\nOne\ntwo \\*not\\* <b>\n";
        assert_eq!(
            render(text).0,
            "<div class=\"text\"><h2>INC: review</h2><ul><li>a</li><li>b <strong>c</strong></li></ul><h3>Times</h3>\
             <div class=\"wide\"><table><thead><tr><th scope=\"col\">at</th><th scope=\"col\">what</th></tr></thead><tbody><tr><td>09:00</td>\
             <td>x | y</td></tr></tbody></table></div><p>One<br>two *not* &lt;b&gt;</p></div>"
        );
    }

    #[test]
    fn what_is_no_markdown_stays_as_it_is() {
        for (text, expected) in [
            ("#hashtag", "<p>#hashtag</p>"),
            ("2 ** 3", "<p>2 ** 3</p>"),
            ("####### deep", "<p>####### deep</p>"),
            ("C:\\temp", "<p>C:\\temp</p>"),
            ("|", "<div class=\"wide\"><table><thead><tr></tr></thead><tbody></tbody></table></div>"),
        ] {
            assert_eq!(render(text).0, format!("<div class=\"text\">{expected}</div>"), "{text}");
        }
    }
}
