//! Whoever a request comes from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Action, ApiToken, Fingerprint, Role, Scope, Session, may};
use crate::engine::device::DeviceId;
use crate::engine::label;

/// By what a principal is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Via {
    /// Nobody is asked (`access.mode = "none"`): the name is what the person says.
    Open,
    /// A browser's session.
    Session(Fingerprint),
    /// A header that a trusted proxy has set.
    Proxy,
    /// A token with these scopes.
    Token { id: String, scopes: Vec<Scope> },
}

/// A person, or a program with a token: who does what is done. [`Principal::name`] stands in the record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    pub name: String,
    pub role: Role,
    /// The own branches, in their one form; only a [`Role::Branch`] is bound to them.
    pub branches: Vec<String>,
    /// The devices of these branches by the list of devices, each with its branch; empty for whoever is bound to none.
    pub devices: Listed,
    pub via: Via,
}

/// Devices with the branch that looks after them, as the list of devices has them.
pub type Listed = Arc<BTreeMap<DeviceId, String>>;

impl Principal {
    /// Whether this action is allowed at all. Ask [`Principal::sees`] too wherever one device is meant.
    pub fn may(&self, action: Action) -> bool {
        let in_scope = match &self.via {
            Via::Token { scopes, .. } => scopes.contains(&action.scope()),
            Via::Open | Via::Session(_) | Via::Proxy => true,
        };
        in_scope && may(self.role, action)
    }

    /// Whether this device is any of the principal's business. The one place where that is decided: by the list, which people keep, and
    /// never by the branch that the device itself says, which anybody can say. A device that is on no list is nobody's branch's.
    pub fn sees(&self, device: &DeviceId) -> bool {
        self.role != Role::Branch || self.devices.contains_key(device)
    }

    /// [`Principal::may`] for this device.
    pub fn may_on(&self, action: Action, device: &DeviceId) -> bool {
        self.may(action) && self.sees(device)
    }

    /// Whether the branch of this name (`None`: no branch) is any of the principal's business. Of a device ask [`Principal::sees`].
    pub fn sees_branch(&self, branch: Option<&str>) -> bool {
        self.role != Role::Branch
            || branch.is_some_and(|branch| {
                let branch = label::form(branch);
                self.branches.iter().any(|own| *own == branch)
            })
    }

    /// Under which branch the principal finds a device that says it is `told`'s: those bound to branches find it where the list has it.
    pub fn branch_of<'a>(&'a self, device: &DeviceId, told: Option<&'a str>) -> Option<&'a str> {
        if self.role == Role::Branch { self.devices.get(device).map(String::as_str) } else { told }
    }

    /// Branches as the principal knows them: in their one form, whoever named them and when.
    pub fn branches_of(named: &[String]) -> Vec<String> {
        named.iter().map(|branch| label::form(branch).into_owned()).filter(|branch| !branch.is_empty()).collect()
    }

    /// Whether the name was proved, and not merely said.
    pub fn is_proved(&self) -> bool {
        self.via != Via::Open
    }
}

impl From<&Session> for Principal {
    fn from(session: &Session) -> Self {
        let Session { fingerprint, name, role, branches, .. } = session;
        let (name, branches, devices) = (name.clone(), Self::branches_of(branches), Listed::default());
        Self { name, role: *role, branches, devices, via: Via::Session(*fingerprint) }
    }
}

impl From<&ApiToken> for Principal {
    fn from(token: &ApiToken) -> Self {
        let ApiToken { id, name, role, branches, scopes, .. } = token;
        let via = Via::Token { id: id.clone(), scopes: scopes.clone() };
        Self { name: name.clone(), role: *role, branches: Self::branches_of(branches), devices: Listed::default(), via }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str) -> DeviceId {
        DeviceId::parse(id).unwrap()
    }

    fn principal(role: Role, via: Via) -> Principal {
        let devices = Arc::new([(device("B-1"), "sapporo-03".to_owned())].into());
        Principal { name: "Sato".into(), role, branches: vec!["sapporo-03".into()], devices, via }
    }

    #[test]
    fn a_token_may_what_both_its_role_and_its_scopes_allow() {
        let token = |role, scopes: &[Scope]| principal(role, Via::Token { id: "a".into(), scopes: scopes.to_vec() });
        let work = token(Role::Support, &[Scope::Read, Scope::Work]);
        for action in Action::ALL {
            let expected = matches!(action, Action::See | Action::SeeOwn | Action::TakePart | Action::Work);
            assert_eq!(work.may(action), expected, "{action:?}");
        }
        let viewer = token(Role::Viewer, &Scope::ALL);
        assert!(!viewer.may(Action::Work) && !viewer.may(Action::ManageAccess) && viewer.may(Action::See));
        assert!(Action::ALL.iter().all(|action| !token(Role::Admin, &[]).may(*action)));
    }

    #[test]
    fn a_branch_sees_its_own_branches_and_others_see_all() {
        let branch = principal(Role::Branch, Via::Proxy);
        assert!(branch.sees_branch(Some("sapporo-03")));
        assert!(!branch.sees_branch(Some("sapporo-04")) && !branch.sees_branch(None));
        assert!(!branch.sees_branch(Some("sapporo")));
        let (own, other) = (device("B-1"), device("B-2"));
        assert!(branch.may_on(Action::Work, &own) && !branch.may_on(Action::Lead, &own));
        assert!(!branch.may_on(Action::Work, &other) && !branch.sees(&other), "it is not on the list");
        assert_eq!(branch.branch_of(&own, Some("otaru-01")), Some("sapporo-03"), "whatever the device says");
        assert_eq!(branch.branch_of(&other, Some("sapporo-03")), None);
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Branch) {
            let all = principal(role, Via::Proxy);
            assert!(all.sees_branch(None) && all.sees(&other), "{role:?}");
            assert_eq!(all.branch_of(&own, Some("otaru-01")), Some("otaru-01"));
        }
    }
}
