//! Values of a TOML file: without their spans, as they were written, and as a fault may repeat them.

use serde_json::Value;
use toml::de::DeValue;

use super::kinds::Kind;

/// A value as a fault may repeat it: somebody may have written the secret itself where the path of its file belongs, or into an
/// address.
pub(super) fn repeated(kind: &Kind, shown: String) -> Option<String> {
    let hidden = match kind {
        Kind::SecretFile => !shown.contains('/'),
        Kind::DatabaseUrl => true,
        Kind::WebAddress => shown.contains('@') || shown.contains('?'),
        Kind::List(_, kind) => return repeated(kind, shown),
        _ => false,
    };
    (!hidden).then_some(shown)
}

/// A TOML value without its spans. What JSON cannot hold (NaN, infinity, dates) becomes null and fails every check.
pub(super) fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).map_or(Value::Null, Value::from),
        DeValue::Float(n) => n.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Array(items) => items.iter().map(|item| plain(item.get_ref())).collect(),
        DeValue::Datetime(_) | DeValue::Table(_) => Value::Null,
    }
}

/// A value roughly as it was written.
pub(super) fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(n) => n.as_str().to_string(),
        DeValue::Float(n) => n.as_str().to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(at) => at.to_string(),
        DeValue::Table(_) => "a table".into(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().take(32).map(|item| written(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
    }
}
