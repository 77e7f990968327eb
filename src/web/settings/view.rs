//! What is in force, to read.

use maud::{Markup, html};
use serde_json::Value;

use super::channels;
use crate::incident::{LifeSettings, Rota};
use crate::record::channel_health::ChannelsHealth;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::view::View;
use crate::words::names;

/// Seconds after which the page reloads where it cannot be kept live.
const REFRESH_S: u32 = 30;

/// Parts of keys whose values are not for the eye, wherever they stand.
const SECRET: [&str; 4] = ["password", "secret", "token", "credential"];

/// The page. `configuration`: the whole of it, as it was read.
pub(in crate::web) fn page(
    view: &View<'_>,
    configuration: &Value,
    life: Option<(&LifeSettings, &Rota)>,
    channels: &ChannelsHealth,
) -> Markup {
    let text = view.lang.support();
    let body = html! {
        h1 { (text.settings) }
        p { (text.settings_note) }
        @if let Some((settings, rota)) = life {
            section aria-labelledby="rota" {
                h2 id="rota" { (text.rota) }
                (people(view, rota))
            }
            (channels::table(view, channels))
            section aria-labelledby="life" {
                h2 id="life" { (text.life) }
                (table(view, "", &serde_json::to_value(settings).unwrap_or_default()))
            }
        }
        // A demo has none.
        @if let Some(sections) = configuration.as_object().filter(|sections| !sections.is_empty()) {
            section aria-labelledby="file" {
                h2 id="file" { (text.file) }
                @for (section, values) in sections {
                    h3 { (section) }
                    (table(view, section, values))
                }
            }
        }
    };
    framed(view, text.settings, Place::Settings, Fresh::Whole(Some(REFRESH_S)), &body)
}

fn people(view: &View<'_>, rota: &Rota) -> Markup {
    let text = view.lang.support();
    html! {
        @if rota.0.is_empty() { p { (text.no_rota) } }
        dl.facts { @for (seat, steps) in &rota.0 {
            dt { (names::seat(view.lang, seat)) }
            dd { @for (index, step) in steps.iter().enumerate() {
                p { ((text.rota_step)(index + 1, &step.people.join(", "), step.timeout_min)) }
            } }
        } }
    }
}

fn table(view: &View<'_>, section: &str, values: &Value) -> Markup {
    let text = view.lang.support();
    let mut rows = Vec::new();
    flatten(section, values, &mut rows);
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    html! {
        table.small {
            thead { tr { th scope="col" { (text.key) } th scope="col" { (text.value) } } }
            tbody { @for (key, value) in rows { tr { th scope="row" { code { (key) } } td { (shown(view, &key, &value)) } } } }
        }
    }
}

/// Every key with its value, nested ones with dots.
fn flatten(path: &str, value: &Value, rows: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, rows);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{path}.{index}"), item, rows);
            }
        }
        value => rows.push((path.to_owned(), value.clone())),
    }
}

fn shown(view: &View<'_>, key: &str, value: &Value) -> Markup {
    let text = view.lang.support();
    let last = key.rsplit('.').next().unwrap_or(key);
    // A path of a file that holds a secret may be read; the secret itself would be another key.
    let secret = SECRET.iter().any(|word| last.contains(word)) && !last.ends_with("_file");
    match value {
        Value::Null => html! { span.note { (text.not_set) } },
        _ if secret => html! { span.note { (text.hidden) } },
        Value::String(value) => html! { (without_user(value)) },
        Value::Array(items) => {
            let items = items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            html! { (items.collect::<Vec<_>>().join(", ")) }
        }
        value => html! { (value.to_string()) },
    }
}

/// An address without user and password, and without what a chat's address is secret by.
fn without_user(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    // The path of an incoming webhook is its password.
    let path = if path.len() > 1 && scheme.starts_with("http") { "/..." } else { path };
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_told_with_their_whole_path() {
        let mut rows = Vec::new();
        flatten(
            "broker",
            &json!({"mode": "external", "external": {"host": "a", "port": 1}, "list": [{"x": 1}]}),
            &mut rows,
        );
        // By their names: in which order an object tells its keys hangs on a feature of another crate.
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        let keys: Vec<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["broker.external.host", "broker.external.port", "broker.list.0.x", "broker.mode"]);
    }

    #[test]
    fn no_address_gives_a_secret_away() {
        assert_eq!(without_user("postgres://fleet:pw@db:5432/fleetwatch"), "postgres://db:5432/fleetwatch");
        assert_eq!(without_user("https://hooks.example/services/T0/B0/xyz"), "https://hooks.example/...");
        assert_eq!(without_user("https://am.example:9093"), "https://am.example:9093");
        assert_eq!(without_user("/var/lib/fleetwatch"), "/var/lib/fleetwatch");
    }
}
