//! What may be suspected of a device, from what it said of itself.

use std::sync::Arc;

use crate::engine::device::Label;
use crate::engine::suspect::{Attribute, AttributeKey, Attributes, Kind};

use super::facts::Facts;

/// Every attribute, with its install minute where that is known. A pair comes with its update.
pub fn of(facts: &Facts) -> Attributes {
    let mut attributes: Vec<Attribute> = vec![(AttributeKey { kind: Kind::Fleet, value: Label::from("all") }, None)];
    let mut push = |kind, value: Option<Label>, installed| {
        if let Some(value) = value {
            attributes.push((AttributeKey { kind, value }, installed));
        }
    };
    let (update, installed) = (&facts.update, facts.update_installed);
    push(Kind::Update, update.clone(), installed);
    push(Kind::UpdateModel, pair(update.as_ref(), facts.model.as_ref()), installed);
    push(Kind::UpdateFirmware, pair(update.as_ref(), facts.firmware.as_ref()), installed);
    push(Kind::Branch, facts.branch.clone(), None);
    push(Kind::Firmware, facts.firmware.clone(), None);
    push(Kind::Model, facts.model.clone(), None);
    for (package, installed) in &facts.packages {
        push(Kind::Package, Some(Arc::clone(package)), *installed);
    }
    attributes.into()
}

fn pair(update: Option<&Label>, other: Option<&Label>) -> Option<Label> {
    Some(format!("{}+{}", update?, other?).into())
}

/// Whether a device that has not got `key` may still get it: it has another version of the same thing.
pub fn may_still_get(facts: &Facts, key: &AttributeKey) -> bool {
    let on = |other: Option<&Label>| {
        let (Some(update), Some(other)) = (&facts.update, other) else { return false };
        key.value.strip_suffix(&**other).and_then(|rest| rest.strip_suffix('+')).is_some_and(|pair| pair != &**update)
    };
    match key.kind {
        Kind::Update => facts.update.as_ref().is_some_and(|update| *update != key.value),
        Kind::UpdateModel => on(facts.model.as_ref()),
        Kind::UpdateFirmware => on(facts.firmware.as_ref()),
        Kind::Package => {
            let name_of = |package: &str| package.split_once(' ').map(|(name, _)| name.to_owned());
            let name = name_of(&key.value);
            facts.packages.iter().any(|(package, _)| *package != key.value && name_of(package) == name)
        }
        Kind::Branch | Kind::Firmware | Kind::Model | Kind::Fleet => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            model: Some("B200".into()),
            firmware: Some("5.2.1".into()),
            update: Some("2026.11.20".into()),
            packages: vec![("signatures 9.9.0".into(), None)],
            ..Facts::default()
        }
    }

    fn key(kind: Kind, value: &str) -> AttributeKey {
        AttributeKey { kind, value: value.into() }
    }

    #[test]
    fn a_pair_has_the_updates_install_time() {
        let facts = Facts { update_installed: Some(crate::engine::time::Minute(7)), ..facts() };
        let found = of(&facts);
        let pair = found.iter().find(|(found, _)| *found == key(Kind::UpdateModel, "2026.11.20+B200"));
        assert_eq!(pair.expect("there").1, facts.update_installed);
        assert!(of(&Facts::default()).iter().all(|(key, _)| key.kind == Kind::Fleet));
    }

    #[test]
    fn only_what_another_version_stands_for_may_still_come() {
        for (kind, value, may) in [
            (Kind::Update, "2026.11.21", true),
            (Kind::Update, "2026.11.20", false),
            (Kind::UpdateModel, "2026.11.21+B200", true),
            (Kind::UpdateModel, "2026.11.20+B200", false),
            (Kind::UpdateModel, "2026.11.21+B300", false),
            (Kind::UpdateFirmware, "2026.11.21+5.2.1", true),
            (Kind::Package, "signatures 9.9.1", true),
            (Kind::Package, "signatures 9.9.0", false),
            (Kind::Package, "engine 9.9.1", false),
            (Kind::Branch, "sapporo-03", false),
        ] {
            assert_eq!(may_still_get(&facts(), &key(kind, value)), may, "{value}");
        }
    }
}
