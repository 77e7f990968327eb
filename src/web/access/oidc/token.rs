//! An ID token: its signature, and the few claims on which a login stands.
//!
//! The protocol's library reads each standard claim into a type of its own and fails on one that a provider writes in another form
//! (`"email_verified": "true"`), though nobody asked for it. So the library checks the signature here, and of the claims only those
//! are read that decide: everything else in the token may be of any form.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm as Alg};
use openidconnect::{JsonWebKey, JsonWebKeyAlgorithm, JsonWebKeyUse as _, JwsSigningAlgorithm as _};
use serde_json::{Map, Value};
use thiserror::Error;

use super::claims::kind;
use crate::engine::time::Timestamp;

/// How far the provider's clock may be ahead of ours, in seconds.
const AHEAD_S: f64 = 300.0;

/// How long a token still counts after its end, in seconds: it comes straight from the provider.
const OVER_S: f64 = 60.0;

/// Signatures that count: only such as need the provider's private key.
const ALGORITHMS: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];

/// Why an ID token does not hold.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum TokenError {
    #[error("{0}")]
    Form(String),
    #[error("its signature is not by one of the provider's keys ({0})")]
    Signature(String),
    #[error("its issuer (iss) is {0}, not access.oidc.issuer")]
    Issuer(String),
    #[error("{0}")]
    Audience(String),
    #[error("{0}: compare this machine's clock with the provider's")]
    Time(String),
    #[error("it was made for another login (nonce)")]
    Nonce,
}

/// What a token has to say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    /// Further audiences that may stand beside ours.
    pub(super) audiences: &'a [String],
    pub(super) nonce: &'a str,
    /// As other machines see it.
    pub(super) now: Timestamp,
}

/// The claims of a token that one of these keys has signed. What they say is checked by [`check`].
///
/// # Errors
/// [`TokenError::Form`] and [`TokenError::Signature`].
pub(super) fn signed(token: &str, keys: &CoreJsonWebKeySet) -> Result<Map<String, Value>, TokenError> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        let why = format!("it has {} parts instead of 3: an encrypted token cannot be read", parts.len());
        return Err(TokenError::Form(why));
    };
    let alg = algorithm(&object(header, "header")?)?;
    let header_map = object(header, "header")?;
    let id = header_map.get("kid").and_then(Value::as_str);
    let signature =
        URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Form("its signature is no base64url".to_owned()))?;
    let message = &token[..header.len() + 1 + payload.len()];
    let mut fitting = keys.keys().iter().filter(|key| may_have_signed(key, &alg, id)).peekable();
    if fitting.peek().is_none() {
        return Err(TokenError::Signature(format!("none has the id {id:?} and fits {alg:?}")));
    }
    // Without an id in the header, each of them may have been the one.
    if !fitting.any(|key| key.verify_signature(&alg, message.as_bytes(), &signature).is_ok()) {
        return Err(TokenError::Signature(format!("{alg:?} does not hold")));
    }
    object(payload, "payload")
}

fn object(part: &str, name: &str) -> Result<Map<String, Value>, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(part).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    json.ok_or_else(|| TokenError::Form(format!("its {name} is no JSON object in base64url")))
}

/// The algorithm that the header names, when everything that the header asks for can be done.
fn algorithm(header: &Map<String, Value>) -> Result<Alg, TokenError> {
    // What must be understood, and is not (RFC 7515, 4.1.11); a token in a token; what is no ID token (RFC 9068, logout).
    for asked in ["crit", "cty", "enc"] {
        if header.contains_key(asked) {
            return Err(TokenError::Form(format!("its header has {asked}, which is not supported")));
        }
    }
    if let Some(kind) = header.get("typ") {
        let text = kind.as_str().unwrap_or_default().to_ascii_lowercase();
        if !["jwt", "jose"].contains(&text.strip_prefix("application/").unwrap_or(&text)) {
            return Err(TokenError::Form(format!("its type (typ) is {kind}, not JWT")));
        }
    }
    let named = header.get("alg").cloned().unwrap_or(Value::Null);
    let alg = serde_json::from_value::<Alg>(named.clone()).ok().filter(|alg| ALGORITHMS.contains(alg));
    alg.ok_or_else(|| TokenError::Signature(format!("the algorithm {named} is not taken")))
}

fn may_have_signed(key: &CoreJsonWebKey, alg: &Alg, id: Option<&str>) -> bool {
    let same_id = id.is_none_or(|id| key.key_id().is_none_or(|own| own.as_str() == id));
    let for_signatures = key.key_use().is_none_or(|usage| usage.allows_signature());
    let same_alg = match key.signing_alg() {
        JsonWebKeyAlgorithm::Algorithm(own) => own == alg,
        JsonWebKeyAlgorithm::Unspecified => true,
        _ => false,
    };
    same_id && for_signatures && same_alg && alg.key_type().is_some_and(|of_alg| of_alg == *key.key_type())
}

/// Checks issuer, audience, times and nonce, and gives the provider's id of the person (OpenID Connect Core 1.0, 3.1.3.7).
///
/// # Errors
/// What does not hold.
pub(super) fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<String, TokenError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(TokenError::Issuer(said(claims, "iss")));
    }
    audience(claims, expected)?;
    times(claims, expected.now)?;
    if text("nonce") != Some(expected.nonce) {
        return Err(TokenError::Nonce);
    }
    let subject = text("sub").filter(|subject| !subject.is_empty() && subject.chars().count() <= 255);
    subject.map(str::to_owned).ok_or_else(|| TokenError::Form(format!("its subject (sub) is {}", said(claims, "sub"))))
}

/// A claim as it may be repeated in the log: short, and without control characters.
fn said(claims: &Map<String, Value>, name: &str) -> String {
    match claims.get(name) {
        None => "missing".to_owned(),
        Some(Value::String(text)) => format!("{:?}", text.chars().take(100).collect::<String>()),
        Some(other) => kind(other).to_owned(),
    }
}

fn audience(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), TokenError> {
    let refused = |why: String| Err(TokenError::Audience(why));
    let all: Option<Vec<&str>> = match claims.get("aud") {
        Some(Value::String(one)) => Some(vec![one]),
        Some(Value::Array(items)) => items.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let Some(all) = all else { return refused(format!("its audience (aud) is {}, not texts", said(claims, "aud"))) };
    let listed = || all.iter().map(|one| one.chars().take(100).collect::<String>()).take(10).collect::<Vec<_>>();
    if !all.contains(&expected.client_id) {
        return refused(format!("its audience (aud) is {:?}, without access.oidc.client_id", listed()));
    }
    // Who asked for the token. Another client's token is not ours, though it names us.
    let asked_by = claims.get("azp").filter(|azp| !azp.is_null());
    if asked_by.is_some_and(|azp| azp.as_str() != Some(expected.client_id)) {
        return refused(format!("it was made for another client: azp is {}", said(claims, "azp")));
    }
    let trusted = |one: &&str| *one == expected.client_id || expected.audiences.iter().any(|known| known == one);
    if asked_by.is_none() && !all.iter().all(trusted) {
        let why = "and neither azp names us nor access.oidc.audiences all of them";
        return refused(format!("its audience (aud) is {:?}, {why}", listed()));
    }
    Ok(())
}

fn times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), TokenError> {
    let refused = |why: String| Err(TokenError::Time(why));
    let now_s = now.as_ms() as f64 / 1_000.0;
    let at = |name: &str| claims.get(name).filter(|value| !value.is_null()).map(|value| value.as_f64().ok_or(value));
    match at("exp") {
        Some(Ok(end)) if end + OVER_S > now_s => {}
        Some(Ok(end)) => return refused(format!("it expired {:.0} s ago (exp)", now_s - end)),
        _ => return Err(TokenError::Form(format!("its end (exp) is {}, not a number", said(claims, "exp")))),
    }
    for (name, needed) in [("iat", true), ("nbf", false)] {
        match at(name) {
            None if !needed => {}
            Some(Ok(begin)) if begin <= now_s + AHEAD_S => {}
            Some(Ok(begin)) => return refused(format!("it is of {:.0} s ahead ({name})", begin - now_s)),
            _ => return Err(TokenError::Form(format!("its {name} is {}, not a number", said(claims, name)))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW_S: i64 = 1_795_000_000;

    /// What the check says of good claims with these changed; `null` takes one away.
    fn with(changed: &Value) -> Result<String, TokenError> {
        let mut claims = json!({
            "iss": "https://id.example", "sub": "u-1", "aud": "fleetwatch", "exp": NOW_S + 300, "iat": NOW_S, "nonce": "n",
        });
        for (name, value) in changed.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let audiences = ["account".to_owned()];
        let expected = Expected {
            issuer: "https://id.example",
            client_id: "fleetwatch",
            audiences: &audiences,
            nonce: "n",
            now: Timestamp::from_ms(NOW_S * 1_000),
        };
        check(claims.as_object().unwrap(), &expected)
    }

    #[test]
    fn our_id_has_to_be_among_the_audiences_and_the_token_ours() {
        for (good, changed) in [
            (true, json!({ "aud": ["fleetwatch"] })),
            (true, json!({ "aud": ["3381", "fleetwatch", "9911"], "azp": "fleetwatch" })),
            (true, json!({ "aud": ["fleetwatch", "account"] })),
            (true, json!({ "aud": ["fleetwatch", "fleetwatch"] })),
            (false, json!({ "aud": ["fleetwatch", "unlisted"] })),
            (false, json!({ "aud": ["fleetwatch", "account"], "azp": "account" })),
            (false, json!({ "aud": "fleetwatch", "azp": "other" })),
            (false, json!({ "aud": "fleetwatch", "azp": ["fleetwatch"] })),
            (false, json!({ "aud": ["other"], "azp": "fleetwatch" })),
            (false, json!({ "aud": ["account"] })),
            (false, json!({ "aud": ["fleetwatch", 7], "azp": "fleetwatch" })),
            (false, json!({ "aud": "fleetwatch account" })),
            (false, json!({ "aud": {"fleetwatch": true} })),
            (false, json!({ "aud": [] })),
            (false, json!({ "aud": null })),
        ] {
            let checked = with(&changed);
            assert_eq!(checked.is_ok(), good, "{changed}: {checked:?}");
            assert!(good || matches!(checked, Err(TokenError::Audience(_))), "{changed}: {checked:?}");
        }
    }

    #[test]
    fn a_token_counts_from_its_begin_to_its_end() {
        for (good, changed) in [
            (true, json!({ "exp": NOW_S - 59 })),
            (false, json!({ "exp": NOW_S - 60 })),
            (false, json!({ "exp": NOW_S - 86_400 })),
            (true, json!({ "iat": NOW_S + 300, "nbf": NOW_S + 300 })),
            (true, json!({ "iat": NOW_S as f64 + 0.5, "exp": NOW_S as f64 + 30.25 })),
            (false, json!({ "iat": NOW_S + 301 })),
            (false, json!({ "iat": NOW_S + 86_400, "exp": NOW_S + 90_000 })),
            (false, json!({ "nbf": NOW_S + 86_400, "exp": NOW_S + 90_000 })),
            (true, json!({ "iat": NOW_S - 86_400 })),
        ] {
            let checked = with(&changed);
            assert!(
                if good { checked.is_ok() } else { matches!(checked, Err(TokenError::Time(_))) },
                "{changed} {checked:?}"
            );
        }
        for changed in [
            json!({ "exp": null }),
            json!({ "exp": "tomorrow" }),
            json!({ "iat": null }),
            json!({ "iat": [NOW_S] }),
            json!({ "nbf": "x" }),
            json!({ "sub": null }),
            json!({ "sub": 7 }),
            json!({ "sub": "" }),
        ] {
            assert!(matches!(with(&changed), Err(TokenError::Form(_))), "{changed}");
        }
        assert!(matches!(with(&json!({ "iss": "https://id.example/" })), Err(TokenError::Issuer(_))));
        for other in [json!({ "nonce": "other" }), json!({ "nonce": null }), json!({ "nonce": ["n"] })] {
            assert_eq!(with(&other), Err(TokenError::Nonce), "{other}");
        }
    }

    #[test]
    fn a_header_asks_for_nothing_that_cannot_be_done() {
        let asked = |header: Value| algorithm(header.as_object().unwrap());
        for typ in [json!("JWT"), json!("jwt"), json!("application/JOSE"), json!("application/jwt")] {
            assert_eq!(asked(json!({ "alg": "ES256", "typ": typ })), Ok(Alg::EcdsaP256Sha256));
        }
        for bad in [
            json!({}),
            json!({ "alg": "none" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": "es256" }),
            json!({ "alg": 7 }),
            json!({ "alg": "ES256", "crit": [] }),
            json!({ "alg": "ES256", "cty": "JWT" }),
            json!({ "alg": "ES256", "typ": "at+jwt" }),
            json!({ "alg": "ES256", "typ": 7 }),
        ] {
            assert!(asked(bad.clone()).is_err(), "{bad}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("[a-z_]{1,8}", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Every standard claim on which nothing stands here.
    const UNUSED: [&str; 23] = [
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "profile",
        "picture",
        "website",
        "email",
        "email_verified",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "phone_number",
        "phone_number_verified",
        "address",
        "updated_at",
        "auth_time",
        "acr",
        "amr",
        "at_hash",
        "c_hash",
    ];

    proptest! {
        #[test]
        fn a_claim_that_nobody_asked_for_may_be_anything(name in proptest::sample::select(&UNUSED[..]), value in any_json()) {
            prop_assert_eq!(with(&json!({ name: value })), Ok("u-1".to_owned()));
        }

        #[test]
        fn no_claim_of_any_form_makes_it_panic(
            name in proptest::sample::select(&["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce"][..]),
            value in any_json(),
        ) {
            let _ = with(&json!({ name: value }));
        }
    }
}
