//! Whoever a request comes from.

use super::{Action, ApiToken, Fingerprint, Role, Scope, Session, may};
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
    pub via: Via,
}

impl Principal {
    /// Whether this action is allowed at all. Ask [`Principal::sees_branch`] too wherever one device is meant.
    pub fn may(&self, action: Action) -> bool {
        let in_scope = match &self.via {
            Via::Token { scopes, .. } => scopes.contains(&action.scope()),
            Via::Open | Via::Session(_) | Via::Proxy => true,
        };
        in_scope && may(self.role, action)
    }

    /// Whether a device of this branch (`None`: of no known one) is any of the principal's business.
    pub fn sees_branch(&self, branch: Option<&str>) -> bool {
        self.role != Role::Branch
            || branch.is_some_and(|branch| {
                let branch = label::form(branch);
                self.branches.iter().any(|own| *own == branch)
            })
    }

    /// [`Principal::may`] for a device of this branch.
    pub fn may_on_branch(&self, action: Action, branch: Option<&str>) -> bool {
        self.may(action) && self.sees_branch(branch)
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
        Self { name: name.clone(), role: *role, branches: Self::branches_of(branches), via: Via::Session(*fingerprint) }
    }
}

impl From<&ApiToken> for Principal {
    fn from(token: &ApiToken) -> Self {
        let ApiToken { id, name, role, branches, scopes, .. } = token;
        let via = Via::Token { id: id.clone(), scopes: scopes.clone() };
        Self { name: name.clone(), role: *role, branches: Self::branches_of(branches), via }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(role: Role, via: Via) -> Principal {
        Principal { name: "Sato".into(), role, branches: vec!["sapporo-03".into()], via }
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
        assert!(branch.may_on_branch(Action::Work, Some("sapporo-03")));
        assert!(
            !branch.may_on_branch(Action::Work, Some("sapporo"))
                && !branch.may_on_branch(Action::Lead, Some("sapporo-03"))
        );
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Branch) {
            assert!(principal(role, Via::Proxy).sees_branch(None), "{role:?}");
        }
    }
}
