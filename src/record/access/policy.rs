//! Who may do what to an incident: the one lock, for pages, the support desk and the API alike.

use super::{Action, Principal, Role};
use crate::incident::{Command, Duty, Incident};
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
    // One's own part may be handed on; another's is for whoever leads.
    if let Command::HandOver { seat, .. } = command
        && incident.muster.posts.get(seat).and_then(|post| post.holder.as_deref()) == Some(&principal.name)
    {
        return Action::TakePart;
    }
    right(command.duty())
}

/// The right that a role needs for a duty.
pub const fn right(duty: Duty) -> Action {
    match duty {
        Duty::TakePart => Action::TakePart,
        Duty::Work => Action::Work,
        Duty::Countermeasure => Action::Countermeasure,
        Duty::SignOff => Action::SignOff,
        Duty::Lead => Action::Lead,
    }
}

/// Whether the command stays within the principal's branches: its devices, and for somebody of a branch the seat.
fn is_own(principal: &Principal, command: &Command, incident: &Incident) -> bool {
    // A device that is not part of the incident is refused by the incident itself.
    let sees = |device| !incident.ladder.contains(device) || principal.sees(device);
    let seat = command.seat().filter(|_| principal.role == Role::Branch);
    command.devices().iter().all(sees) && seat.is_none_or(|seat| principal.sees_branch(seat.branch.as_deref()))
}
