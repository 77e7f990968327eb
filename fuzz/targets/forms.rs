//! Forms, cookies and queries, as a browser or somebody else may send them to the pages.

use crate::{edit, life, site};

const PAGES: &[&str] = &["/", "/devices", "/incidents", "/support", "/report", "/branches", "/gates", "/account"];

/// Places that take a form, and one that is sound.
const FORMS: &[(&str, &str)] = &[
    ("do/acknowledge", "seat=commander"),
    ("do/hand_over", "seat=commander&to=Mori&reason=night"),
    ("do/note", "text=a+word&tell=yes"),
    ("do/correct_time", "milestone=mustered&instant=2026-11-22T01%3A30&reason=x"),
    (
        "do/countermeasure",
        "workaround=WA-1&script_ja=%E6%89%8B%E9%A0%86&script_en=text&fix=2026.11.23&fix_due=2026-11-24T09%3A00",
    ),
    ("do/agree", "version=1"),
    ("do/script", "version=2"),
    ("do/claim", "devices=B-0003%0AB-0006&claim=workaround"),
    ("do/sign_off", "device=B-0003&kind=unreachable&reason=x"),
    ("do/lift", "device=B-0003&reason=x"),
    ("do/merge", "into=INC-2026-0008&reason=x"),
    ("do/split", "devices=B-0003&reason=x"),
    ("do/review", "text=%23+review"),
    ("do/close", "reason="),
    ("/support/call", "incident=INC-2026-0007&device=B-0003&outcome=no_answer&note=x&script=2"),
    ("/support/claim", "incident=INC-2026-0007&device=B-0003&claim=workaround"),
    ("/gates", "version=2026.11.21&gate=hold&by=Sato&reason=x"),
    ("/login", "user=sato&password=x"),
];

/// Once, with these bytes.
pub fn run(data: &[u8]) {
    let [kind, which, cookie_len, rest @ ..] = data else { return };
    let (cookie, rest) = rest.split_at(rest.len().min(usize::from(*cookie_len) % 48));
    let cookie = site::header_text(cookie);
    let site = site::site();
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Cookie", cookie.as_str()),
        ("Accept", "text/html"),
    ];
    if kind % 4 == 0 {
        let page = PAGES[usize::from(*which) % PAGES.len()];
        let query = site::header_text(rest).replace(' ', "+");
        site.check(&format!("GET {page}?{query} HTTP/1.1"), &headers[1..], b"");
        return;
    }
    let (place, sound) = FORMS[usize::from(*which) % FORMS.len()];
    let form = if kind % 4 == 1 { rest.to_vec() } else { edit::edited(sound.as_bytes(), rest) };
    let body = [format!("form_token={}&", site.form_token()).as_bytes(), &form].concat();
    let path = if place.starts_with('/') { place.to_owned() } else { format!("/incidents/{}/{place}", life::NUMBER) };
    site.check(&format!("POST {path} HTTP/1.1"), &headers, &body);
}
