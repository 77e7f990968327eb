//! What the claims of a token say: texts, taken exactly as they are.
//!
//! A claim that is one text is one group, whatever stands in it: AD FS, IdentityServer and others write a list of one so, and
//! "helpdesk admin" is not a member of "admin". Only the claim `scope` is a list between spaces by its own standard
//! (RFC 8693, 4.2; RFC 9068, 2.2.3).

use serde_json::{Map, Value};

use super::OidcError;
use crate::record::access::Separator;

/// The claim that is a list in one text.
const SCOPE: &str = "scope";

/// The claim of this name, or where the path with dots leads (`realm_access.roles`). `null` is no claim.
pub(super) fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, part| value.get(part))
    });
    found.filter(|value| !value.is_null())
}

/// A claim as texts: each of a list, or the one that it is. What is no text within a list is nobody's group, and left out.
///
/// # Errors
/// When it is neither a text nor a list.
pub(super) fn texts(
    claims: &Map<String, Value>,
    name: &str,
    separator: Separator,
) -> Result<Option<Vec<String>>, OidcError> {
    let separator = if name.rsplit('.').next() == Some(SCOPE) { Separator::Space } else { separator };
    let texts = match find(claims, name) {
        None => return Ok(None),
        Some(Value::String(text)) => separator.parts(text),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).filter_map(exact).collect(),
        Some(other) => return Err(OidcError::Claim { claim: name.to_owned(), is: kind(other) }),
    };
    Ok(Some(texts))
}

/// One text; `None` where nothing is written in it.
fn exact(text: &str) -> Option<String> {
    Separator::None.parts(text).pop()
}

/// Whether the provider says that it left the groups out: Azure does from 201 groups on, and points elsewhere.
pub(super) fn left_out(claims: &Map<String, Value>, name: &str) -> bool {
    let elsewhere = |claims: &Value| claims.get(name).is_some();
    claims.get("_claim_names").is_some_and(elsewhere)
        || (name == "groups" && claims.get("hasgroups").is_some_and(|value| *value != false))
}

/// What a value is, in words.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn found(value: &Value, name: &str) -> Option<Vec<String>> {
        texts(&claims(value.clone()), name, Separator::None).unwrap()
    }

    #[test]
    fn claims_are_found_by_name_and_by_path() {
        let sample = json!({
            "groups": ["a b", 7, "c,d", ["e"], null, {"f": "g"}, true, ""],
            "realm_access": { "roles": ["noc"], "scope": "x y" },
            "https://x.example/roles": "one two,three",
            "scope": "openid  noc:read admin",
            "nothing": null,
            "empty": "",
        });
        for (name, expected) in [
            ("groups", Some(vec!["a b", "c,d"])),
            ("realm_access.roles", Some(vec!["noc"])),
            ("realm_access.scope", Some(vec!["x", "y"])),
            ("https://x.example/roles", Some(vec!["one two,three"])),
            ("scope", Some(vec!["openid", "noc:read", "admin"])),
            ("realm_access.nothing", None),
            ("groups.0", None),
            ("nothing", None),
            ("absent", None),
            ("empty", Some(vec![])),
        ] {
            let expected = expected.map(|texts| texts.into_iter().map(str::to_owned).collect());
            assert_eq!(found(&sample, name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_text_and_no_list_is_refused_with_what_it_is() {
        for (value, is) in
            [(json!(7), "a number"), (json!(true), "true or false"), (json!({"admin": "admin"}), "an object")]
        {
            let refused = texts(&claims(json!({ "groups": value })), "groups", Separator::None).unwrap_err();
            assert!(matches!(&refused, OidcError::Claim { claim, is: told } if claim == "groups" && *told == is));
        }
    }

    #[test]
    fn a_text_is_split_only_where_it_is_asked_for() {
        let sample = claims(json!({ "groups": "a b, c;d | e" }));
        for (separator, expected) in [
            (Separator::None, vec!["a b, c;d | e"]),
            (Separator::Space, vec!["a", "b,", "c;d", "|", "e"]),
            (Separator::Comma, vec!["a b", "c;d | e"]),
            (Separator::Semicolon, vec!["a b, c", "d | e"]),
            (Separator::Bar, vec!["a b, c;d", "e"]),
        ] {
            assert_eq!(texts(&sample, "groups", separator).unwrap().unwrap(), expected, "{separator:?}");
        }
    }

    #[test]
    fn groups_that_were_left_out_are_told_from_none() {
        for (value, expected) in [
            (json!({ "_claim_names": { "groups": "src1" }, "_claim_sources": {} }), true),
            (json!({ "_claim_names": { "other": "src1" } }), false),
            (json!({ "hasgroups": true }), true),
            (json!({ "hasgroups": "true" }), true),
            (json!({ "hasgroups": false }), false),
            (json!({}), false),
        ] {
            assert_eq!(left_out(&claims(value.clone()), "groups"), expected, "{value}");
        }
    }

    proptest! {
        /// Whatever stands in a group's name, the text alone means what the list of one means.
        #[test]
        fn one_text_is_the_list_of_one(text in any::<String>()) {
            let (alone, listed) = (json!({ "groups": text }), json!({ "groups": [text] }));
            prop_assert_eq!(found(&alone, "groups"), found(&listed, "groups"));
            prop_assert!(found(&alone, "groups").unwrap().len() <= 1);
        }
    }
}
