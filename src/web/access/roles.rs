//! Which role the words of a provider or a proxy mean.

use crate::record::access::Role;

/// Stands for every word: whoever is known at all has the role.
const ANYBODY: &str = "*";

/// For each role the words (groups, roles) that give it. The mightiest role that a word gives counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoleMap(pub Vec<(Role, Vec<String>)>);

impl RoleMap {
    /// The role of somebody of whom these words are said; `None`: known, but nothing here is theirs.
    pub(super) fn role_of(&self, words: &[String]) -> Option<Role> {
        let gives = |given: &[String]| given.iter().any(|word| word == ANYBODY || words.contains(word));
        let given = |role: &Role| self.0.iter().any(|(of, words)| of == role && gives(words));
        Role::ALL.into_iter().rev().find(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mightiest_role_counts_and_nothing_is_given_for_nothing() {
        let words = |words: &[&str]| -> Vec<String> { words.iter().map(ToString::to_string).collect() };
        let map = RoleMap(vec![(Role::Noc, words(&["night", "ops"])), (Role::Admin, words(&["root"]))]);
        assert_eq!(map.role_of(&words(&["ops", "root"])), Some(Role::Admin));
        assert_eq!(map.role_of(&words(&["x", "night"])), Some(Role::Noc));
        for other in [&["nigh"][..], &["Root"], &["*"], &[""], &[]] {
            assert_eq!(map.role_of(&words(other)), None, "{other:?}");
        }
        let open = RoleMap(vec![(Role::Viewer, words(&["*"])), (Role::Admin, words(&["root"]))]);
        assert_eq!(open.role_of(&[]), Some(Role::Viewer));
        assert_eq!(open.role_of(&words(&["root"])), Some(Role::Admin));
    }
}
