//! Which channel reaches whom.

use std::collections::BTreeMap;

use crate::incident::Audience;
use crate::record::directory::Address;

/// The addresses of everybody who may have to be told something.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Directory {
    pub staff: Vec<Address>,
    pub support_queue: Vec<Address>,
    /// By name, as in the rota.
    pub people: BTreeMap<String, Vec<Address>>,
}

impl Directory {
    /// Where the audience is reached, each place once. A person who is not listed is sought where the staff is: a page to nobody
    /// would be silence.
    pub fn of(&self, audience: &Audience) -> Vec<Address> {
        let mut found = match audience {
            Audience::Staff => self.staff.clone(),
            Audience::SupportQueue if self.support_queue.is_empty() => self.staff.clone(),
            Audience::SupportQueue => self.support_queue.clone(),
            Audience::People(people) => people
                .iter()
                .flat_map(|person| self.people.get(person).filter(|listed| !listed.is_empty()).unwrap_or(&self.staff))
                .cloned()
                .collect(),
        };
        found.sort_unstable();
        found.dedup();
        found
    }
}
