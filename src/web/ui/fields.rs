//! What was typed into a form, and what is wrong with it.

use std::collections::BTreeMap;

use crate::record::access::Principal;

/// What was typed into a form. Of a field that stands twice, the last word counts.
#[derive(Clone, Debug, Default)]
pub(in crate::web) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// The value of a field, without spaces around it; empty where it is absent.
    pub(in crate::web) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    /// The same fields with one more.
    pub(in crate::web) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The name under which it is done: who is logged in, and only where nobody is asked what the form says.
    pub(in crate::web) fn by(&self, principal: Option<&Principal>) -> String {
        match (principal, self.get("by")) {
            (Some(principal), said) if principal.is_proved() || said.is_empty() => principal.name.clone(),
            (_, said) => said.to_owned(),
        }
    }
}

impl From<Vec<(String, String)>> for Fields {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// What is wrong with a form: beside which field, and why. An empty field means the form as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::web) struct Fault {
    pub(in crate::web) field: &'static str,
    pub(in crate::web) text: String,
}

impl Fault {
    pub(in crate::web) fn new(field: &'static str, text: impl Into<String>) -> Self {
        Self { field, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::access::{Role, Via};

    #[test]
    fn a_name_is_typed_only_where_nobody_is_asked() {
        let fields = Fields::from(vec![("by".to_owned(), " Abe ".to_owned())]);
        let who = |via| {
            let (name, devices) = ("Sato".into(), crate::record::access::Listed::default());
            Principal { name, role: Role::Noc, branches: Vec::new(), devices, via }
        };
        assert_eq!(fields.by(Some(&who(Via::Open))), "Abe");
        assert_eq!(fields.by(Some(&who(Via::Proxy))), "Sato");
        assert_eq!(Fields::default().by(Some(&who(Via::Open))), "Sato");
    }
}
