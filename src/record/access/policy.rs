//! Who may do what to an incident: the one lock, for pages, the support desk and the API alike.

use super::{Action, Principal, Role};
use crate::incident::{Command, Incident};
use crate::record::incidents::Reshape;

/// Why somebody may not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// The role does not allow this action.
    Role(Action),
    /// The role does, but for the own branches only.
    Branch,
}

/// Whether the principal may carry out the command on the incident.
///
/// # Errors
/// Why not.
pub fn allows(principal: &Principal, command: &Command, incident: &Incident) -> Result<(), Denied> {
    holds(principal, needed(principal, command, incident))?;
    if sees(principal, incident) && is_own(principal, command, incident) { Ok(()) } else { Err(Denied::Branch) }
}

/// Whether the principal may do this to incidents, of which it concerns more than one, or makes one: whoever may lead one may.
///
/// # Errors
/// Why not.
pub fn allows_reshape(principal: &Principal, reshape: &Reshape) -> Result<(), Denied> {
    match reshape {
        Reshape::Merge { .. } | Reshape::Split { .. } | Reshape::Declare { .. } => holds(principal, Action::Lead),
    }
}

/// Whether the incident has a device that the principal may see. Who is bound to no branch sees every incident.
pub fn sees(principal: &Principal, incident: &Incident) -> bool {
    principal.role != Role::Branch || incident.ladder.iter().any(|(device, _)| principal.sees(device))
}

fn holds(principal: &Principal, action: Action) -> Result<(), Denied> {
    if principal.may(action) { Ok(()) } else { Err(Denied::Role(action)) }
}

/// What a command takes.
fn needed(principal: &Principal, command: &Command, incident: &Incident) -> Action {
    match command {
        Command::Acknowledge { .. } | Command::Join | Command::Note { .. } | Command::AcknowledgeScript { .. } => {
            Action::TakePart
        }
        // One's own part may be handed on; another's is for whoever leads.
        Command::HandOver { seat, .. } => {
            let holder = incident.muster.posts.get(seat).and_then(|post| post.holder.as_deref());
            if holder == Some(&principal.name) { Action::TakePart } else { Action::Lead }
        }
        Command::RegisterCountermeasure { .. } | Command::AgreeCountermeasure { .. } | Command::ReleaseFix => {
            Action::Countermeasure
        }
        Command::RecordCall { .. } | Command::Claim { .. } => Action::Work,
        Command::SignOff { .. } | Command::LiftException { .. } => Action::SignOff,
        Command::CorrectTime { .. }
        | Command::Promote { .. }
        | Command::Demote { .. }
        | Command::FileReview { .. }
        | Command::Close => Action::Lead,
    }
}

/// Whether the command stays within the principal's branches: its devices, and for somebody of a branch the seat.
fn is_own(principal: &Principal, command: &Command, incident: &Incident) -> bool {
    // A device that is not part of the incident is refused by the incident itself.
    let sees = |device| !incident.ladder.contains(device) || principal.sees(device);
    let seat = command.seat().filter(|_| principal.role == Role::Branch);
    command.devices().iter().all(sees) && seat.is_none_or(|seat| principal.sees_branch(seat.branch.as_deref()))
}
