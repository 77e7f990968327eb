//! Roles, actions, and the one table that says who may do what.

use serde::{Deserialize, Serialize};

use crate::words::{Both, say};

/// What a person is on this site.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks, and changes nothing.
    Viewer,
    /// Watches the fleet at night: decides about updates, takes part in an incident.
    Noc,
    /// Talks with customers.
    Support,
    /// A branch's staff: as support, for the devices of the own branches, and nothing of others.
    Branch,
    /// Leads incidents.
    Commander,
    /// May everything, and says who may what.
    Admin,
}

/// What somebody wants to do. Each is one column of the table behind [`may`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// See the whole fleet: all pages and what the API reads.
    See,
    /// See devices and incidents, as far as they are of the own branches for who has branches.
    SeeOwn,
    /// See names, telephone numbers and addresses of customers.
    SeeContacts,
    /// Read `/metrics`.
    Scrape,
    /// Decide which update the updater may install.
    DecideGate,
    /// Take part in an incident: acknowledge a page, join, hand over the own part, acknowledge a script, comment.
    TakePart,
    /// Work on devices: record a call, claim a step of the ladder, note what a customer wishes.
    Work,
    /// Bring in contacts of customers.
    ImportContacts,
    /// Propose and agree on a countermeasure.
    Countermeasure,
    /// Sign off a device that cannot be brought to its end.
    SignOff,
    /// Lead an incident: hand out roles, merge, split, promote, demote, spread the countermeasure, review, close.
    Lead,
    /// Add users and tokens, and take them away.
    ManageAccess,
}

/// A part of what a role may, given to a token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read `/metrics`.
    Metrics,
    /// Read the API, contacts apart.
    Read,
    /// Read and bring in contacts.
    Contacts,
    /// Decide about updates.
    Gate,
    /// Take part in incidents and work on devices.
    Work,
    /// Lead incidents.
    Lead,
    /// Manage access.
    Admin,
}

/// Whether `role` may do `action` at all. For [`Role::Branch`] it holds for the own branches only; see
/// [`super::Principal::sees`].
pub const fn may(role: Role, action: Action) -> bool {
    use Role::{Admin, Branch, Commander, Noc, Support, Viewer};
    match action {
        Action::SeeOwn => true,
        Action::See | Action::Scrape => !matches!(role, Branch),
        Action::SeeContacts => matches!(role, Support | Branch | Commander | Admin),
        Action::DecideGate => matches!(role, Noc | Commander | Admin),
        Action::TakePart => !matches!(role, Viewer),
        Action::Work => matches!(role, Support | Branch | Commander | Admin),
        Action::ImportContacts => matches!(role, Support | Commander | Admin),
        // Development has no role of its own: who leads it in an incident is handed that part, and signs in as `noc`.
        Action::Countermeasure => matches!(role, Noc | Commander | Admin),
        Action::SignOff | Action::Lead => matches!(role, Commander | Admin),
        Action::ManageAccess => matches!(role, Admin),
    }
}

impl Role {
    /// Every role, the mightiest last.
    pub const ALL: [Self; 6] = [Self::Viewer, Self::Branch, Self::Noc, Self::Support, Self::Commander, Self::Admin];

    /// The role's name: in the store, in JSON, on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Noc => "noc",
            Self::Support => "support",
            Self::Branch => "branch",
            Self::Commander => "commander",
            Self::Admin => "admin",
        }
    }

    /// What people call it.
    pub const fn title(self) -> Both<&'static str> {
        match self {
            Self::Viewer => say("Viewer", "閲覧者"),
            Self::Branch => say("Branch", "支店"),
            Self::Noc => say("NOC", "NOC"),
            Self::Support => say("Support", "サポート"),
            Self::Commander => say("Incident commander", "指揮者"),
            Self::Admin => say("Administrator", "管理者"),
        }
    }

    /// The role of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 12] = [
        Self::See,
        Self::SeeOwn,
        Self::SeeContacts,
        Self::Scrape,
        Self::DecideGate,
        Self::TakePart,
        Self::Work,
        Self::ImportContacts,
        Self::Countermeasure,
        Self::SignOff,
        Self::Lead,
        Self::ManageAccess,
    ];

    /// The scope that a token needs for it.
    pub const fn scope(self) -> Scope {
        match self {
            Self::See | Self::SeeOwn => Scope::Read,
            Self::SeeContacts | Self::ImportContacts => Scope::Contacts,
            Self::Scrape => Scope::Metrics,
            Self::DecideGate => Scope::Gate,
            Self::TakePart | Self::Work => Scope::Work,
            Self::Countermeasure | Self::SignOff | Self::Lead => Scope::Lead,
            Self::ManageAccess => Scope::Admin,
        }
    }

    /// What is refused, for an error's text: "... may not {}".
    pub const fn as_phrase(self) -> &'static str {
        match self {
            Self::See => "see the whole fleet",
            Self::SeeOwn => "see devices and incidents",
            Self::SeeContacts => "see contacts of customers",
            Self::Scrape => "read the metrics",
            Self::DecideGate => "decide about updates",
            Self::TakePart => "take part in an incident",
            Self::Work => "work on devices",
            Self::ImportContacts => "bring in contacts",
            Self::Countermeasure => "propose or agree on a countermeasure",
            Self::SignOff => "sign off a device",
            Self::Lead => "lead an incident",
            Self::ManageAccess => "manage access",
        }
    }
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] =
        [Self::Metrics, Self::Read, Self::Contacts, Self::Gate, Self::Work, Self::Lead, Self::Admin];

    /// The scope's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Read => "read",
            Self::Contacts => "contacts",
            Self::Gate => "gate",
            Self::Work => "work",
            Self::Lead => "lead",
            Self::Admin => "admin",
        }
    }

    /// The scope of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table as people would write it on a wall: every pair, independently of the code above.
    const TABLE: &str = "
        action         viewer noc support branch commander admin
        See            yes    yes yes     -      yes       yes
        SeeOwn         yes    yes yes     yes    yes       yes
        SeeContacts    -      -   yes     yes    yes       yes
        Scrape         yes    yes yes     -      yes       yes
        DecideGate     -      yes -       -      yes       yes
        TakePart       -      yes yes     yes    yes       yes
        Work           -      -   yes     yes    yes       yes
        ImportContacts -      -   yes     -      yes       yes
        Countermeasure -      yes -       -      yes       yes
        SignOff        -      -   -       -      yes       yes
        Lead           -      -   -       -      yes       yes
        ManageAccess   -      -   -       -      -         yes";

    #[test]
    fn every_pair_of_role_and_action_is_as_the_table_says() {
        let mut lines = TABLE.lines().filter(|line| !line.trim().is_empty());
        let roles: Vec<Role> =
            lines.next().unwrap().split_whitespace().skip(1).map(|name| Role::from_name(name).unwrap()).collect();
        let mut seen = 0;
        for (line, action) in lines.zip(Action::ALL) {
            let mut words = line.split_whitespace();
            assert_eq!(words.next().unwrap(), format!("{action:?}"));
            for (role, word) in roles.iter().zip(words.by_ref()) {
                assert_eq!(may(*role, action), word == "yes", "{role:?} {action:?}");
                seen += 1;
            }
        }
        assert_eq!(seen, Role::ALL.len() * Action::ALL.len());
    }

    #[test]
    fn names_lead_back_to_what_they_name() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.as_str()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.as_str()), Some(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        assert_eq!(Role::from_name("root"), None);
        assert_eq!(Scope::from_name("*"), None);
    }

    #[test]
    fn every_scope_opens_something_and_every_action_has_one() {
        for scope in Scope::ALL {
            assert!(Action::ALL.iter().any(|action| action.scope() == scope), "{scope:?}");
        }
    }
}
