//! What people do on the pages: forms read into wishes, and carried out by the desk.
//!
//! A form that is refused is shown again with everything that was typed, and the fault beside the field; nothing has changed then.

use std::collections::BTreeMap;

use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::{Form, extract::Path};

use super::lang::{Lang, refusal};
use crate::incident::Refusal;
use crate::record::access::{Action, Principal};
use crate::record::incidents::DeskError;

/// Something that a person does with a form of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    Acknowledge,
    Join,
    HandOver,
    Note,
    CorrectTime,
    Countermeasure,
    Agree,
    Script,
    ReleaseFix,
    Claim,
    SignOff,
    Lift,
    Promote,
    Demote,
    Merge,
    Split,
    Declare,
    Review,
    Close,
}

impl Act {
    /// Every act.
    pub(super) const ALL: [Self; 19] = [
        Self::Acknowledge,
        Self::Join,
        Self::HandOver,
        Self::Note,
        Self::CorrectTime,
        Self::Countermeasure,
        Self::Agree,
        Self::Script,
        Self::ReleaseFix,
        Self::Claim,
        Self::SignOff,
        Self::Lift,
        Self::Promote,
        Self::Demote,
        Self::Merge,
        Self::Split,
        Self::Declare,
        Self::Review,
        Self::Close,
    ];

    /// The act's name in addresses.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Join => "join",
            Self::HandOver => "hand_over",
            Self::Note => "note",
            Self::CorrectTime => "correct_time",
            Self::Countermeasure => "countermeasure",
            Self::Agree => "agree",
            Self::Script => "script",
            Self::ReleaseFix => "release_fix",
            Self::Claim => "claim",
            Self::SignOff => "sign_off",
            Self::Lift => "lift",
            Self::Promote => "promote",
            Self::Demote => "demote",
            Self::Merge => "merge",
            Self::Split => "split",
            Self::Declare => "declare",
            Self::Review => "review",
            Self::Close => "close",
        }
    }

    /// The act of this name, if there is one.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == name)
    }

    /// What somebody has to be allowed for it, at the least.
    pub(super) const fn needs(self) -> Action {
        match self {
            Self::Acknowledge | Self::Join | Self::HandOver | Self::Note | Self::Script => Action::TakePart,
            Self::Countermeasure | Self::Agree | Self::ReleaseFix => Action::Countermeasure,
            Self::Claim => Action::Work,
            Self::SignOff | Self::Lift => Action::SignOff,
            Self::CorrectTime
            | Self::Promote
            | Self::Demote
            | Self::Merge
            | Self::Split
            | Self::Declare
            | Self::Review
            | Self::Close => Action::Lead,
        }
    }
}

/// What was typed into a form. Of a field that stands twice, the last word counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(BTreeMap<String, String>);

/// A form as it arrives.
pub(super) type Filled = Result<Form<Vec<(String, String)>>, FormRejection>;

/// The incident and the act of an address.
pub(super) type ActPath = Path<(String, String)>;

impl Fields {
    /// The value of a field, without spaces around it; empty where it is absent.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    /// The same fields with one more.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The name under which it is done: who is logged in, and only where nobody is asked what the form says.
    pub(super) fn by(&self, principal: Option<&Principal>) -> String {
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
pub(super) struct Fault {
    pub(super) field: &'static str,
    pub(super) text: String,
}

impl Fault {
    pub(super) fn new(field: &'static str, text: impl Into<String>) -> Self {
        Self { field, text: text.into() }
    }

    /// Why the desk did not do it.
    pub(super) fn of(lang: Lang, error: &DeskError) -> Self {
        let field = match error {
            DeskError::Refused(why) => field_of(why),
            _ => "",
        };
        Self::new(field, refusal::desk_error(lang, error))
    }
}

/// The field that a refusal is about.
const fn field_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Reason => "reason",
        Refusal::Text => "text",
        Refusal::Name | Refusal::Held { .. } => "to",
        Refusal::NotADevice(_) | Refusal::NoDevice | Refusal::AllDevices => "devices",
        Refusal::Script => "script_ja",
        Refusal::Due => "fix_due",
        Refusal::Order(_) | Refusal::Measured => "instant",
        Refusal::Calls { .. } => "kind",
        Refusal::NobodyCalled => "direction",
        _ => "",
    }
}

/// The status of an answer that shows the form again.
pub(super) const fn status_of(error: &DeskError) -> StatusCode {
    match error {
        DeskError::Unknown(_) => StatusCode::NOT_FOUND,
        DeskError::Stale { .. } | DeskError::Repeated => StatusCode::CONFLICT,
        DeskError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        DeskError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::access::{Role, Via};

    #[test]
    fn an_acts_name_leads_back_to_it() {
        for act in Act::ALL {
            assert_eq!(Act::from_name(act.as_str()), Some(act));
        }
        assert_eq!(Act::from_name("delete"), None);
    }

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
