//! What `replay` prints: a change as one JSON object on a line.

use std::io::{self, Write};

use serde::Serialize;

use crate::engine::device::DeviceId;
use crate::engine::effect::{Change, ChangeKind, ProofMinute, Scope, Severity, Suspect};
use crate::engine::time::Timestamp;

/// One line of output: the fields of the contract, and no others.
#[derive(Serialize)]
struct Printed<'a> {
    at: Timestamp,
    event: ChangeKind,
    event_id: &'a str,
    incident: Option<&'a str>,
    severity: Severity,
    scope: Scope,
    impact_started_at: Timestamp,
    streak_s: u64,
    devices: &'a [DeviceId],
    cause: Option<PrintedCause<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<&'a [ProofMinute]>,
}

#[derive(Serialize)]
struct PrintedCause<'a> {
    #[serde(flatten)]
    suspect: &'a Suspect,
    confidence: f64,
    runner_up: Option<PrintedRunnerUp<'a>>,
}

#[derive(Serialize)]
struct PrintedRunnerUp<'a> {
    #[serde(flatten)]
    suspect: &'a Suspect,
    confidence: f64,
}

/// Writes a change as a line. With `proof`, a declaration carries its minutes.
///
/// # Errors
/// When the output fails.
pub fn write(change: &Change, proof: bool, out: &mut impl Write) -> io::Result<()> {
    let cause = change.cause.as_ref().map(|cause| PrintedCause {
        suspect: &cause.suspect,
        confidence: cause.confidence,
        runner_up: cause
            .runner_up
            .as_ref()
            .map(|runner_up| PrintedRunnerUp { suspect: &runner_up.suspect, confidence: runner_up.confidence }),
    });
    let printed = Printed {
        at: change.at,
        event: change.kind,
        event_id: &change.event_id,
        incident: change.incident.as_deref(),
        severity: change.severity,
        scope: change.scope,
        impact_started_at: change.impact_started_at,
        streak_s: change.streak_s,
        devices: &change.devices,
        cause,
        proof: (proof && !change.proof.is_empty()).then_some(&change.proof),
    };
    serde_json::to_writer(&mut *out, &printed)?;
    out.write_all(b"\n")
}
