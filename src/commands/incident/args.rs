//! The options of the commands on incidents.

use std::path::PathBuf;

use clap::Args;

use crate::commands::fetch::ApiServer;

mod device;

pub use device::{CallArgs, ClaimArg, ClaimArgs, DeviceReasonArgs, ExceptionArg, OutcomeArg, ProgressArg, SignOffArgs};

/// Options of `incident ls`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
One line an incident: number, state, scope, settled of all devices, commander, declared (UTC), suspect.

Examples:
  fleetwatch incident ls
  fleetwatch incident ls --all --json
  fleetwatch incident ls --device B-0042")]
pub struct ListArgs {
    /// Also those that are closed.
    #[arg(long)]
    pub all: bool,

    /// Only incidents that this device is part of.
    #[arg(long, value_name = "SERIAL")]
    pub device: Option<String>,

    /// Where to ask.
    #[command(flatten)]
    pub api: ApiServer,
}

/// An incident.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident show INC-2026-0007
  fleetwatch incident log INC-2026-0007
  fleetwatch incident join INC-2026-0007
  fleetwatch incident close INC-2026-0007")]
pub struct OneArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// Where to ask.
    #[command(flatten)]
    pub api: ApiServer,
}

/// Options of `incident export`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
JSON has the whole of it; CSV its story for a spreadsheet, with the columns at, recorded_at, who, what, detail. Contacts of
customers are in neither.

Examples:
  fleetwatch incident export INC-2026-0007 > incident.json
  fleetwatch incident export INC-2026-0007 --csv > incident.csv")]
pub struct ExportIncidentArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// CSV in place of JSON.
    #[arg(long)]
    pub csv: bool,

    /// Where to ask.
    #[command(flatten)]
    pub api: ApiServer,
}

/// Options of `incident ladder`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
One line a device: serial, step, branch, customer, calls, and what is owed.

Examples:
  fleetwatch incident ladder INC-2026-0007
  fleetwatch incident ladder INC-2026-0007 --open --branch sapporo-03")]
pub struct LadderArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// Only devices that are neither done nor signed off.
    #[arg(long)]
    pub open: bool,

    /// Only devices on this step: affected, contacted, workaround_claimed, ...
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,

    /// Only devices of this branch.
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,

    /// Where to ask.
    #[command(flatten)]
    pub api: ApiServer,
}

/// Options of `incident ack`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident ack INC-2026-0007 commander
  fleetwatch incident ack INC-2026-0007 support_lead@sapporo-03")]
pub struct SeatArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// The role.
    #[arg(value_name = "ROLE")]
    pub seat: String,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}

/// Options of `incident hand-over`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident hand-over INC-2026-0007 commander Ito --reason shift-ends")]
pub struct HandOverArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// The role.
    #[arg(value_name = "ROLE")]
    pub seat: String,

    /// Who answers for it from now on.
    #[arg(value_name = "NAME")]
    pub to: String,

    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}

/// Options of `incident note`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident note INC-2026-0007 vendor-was-called
  fleetwatch incident note INC-2026-0007 --tell the-fix-is-expected-tomorrow")]
pub struct NoteArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// What there is to say.
    #[arg(value_name = "TEXT")]
    pub text: String,

    /// Say it to the staff, too.
    #[arg(long)]
    pub tell: bool,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}

/// Options of `incident propose`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Scripts are read from files: they are what the support desk says and does. A new version has to be agreed before support sees it.

Examples:
  fleetwatch incident propose INC-2026-0007 --workaround WA-1 --script-ja steps.ja.txt
  fleetwatch incident propose INC-2026-0007 --fix-update 2026.11.24
  fleetwatch incident propose INC-2026-0007 --fix-elsewhere the-line-is-repaired")]
pub struct ProposeArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// What a device's status calls the workaround.
    #[arg(long, value_name = "ID", requires = "script")]
    pub workaround: Option<String>,

    /// File with the script in Japanese.
    #[arg(long, value_name = "FILE", group = "script")]
    pub script_ja: Option<PathBuf>,

    /// File with the script in English.
    #[arg(long, value_name = "FILE", group = "script")]
    pub script_en: Option<PathBuf>,

    /// Update that is the fix.
    #[arg(long, value_name = "VERSION", group = "fix")]
    pub fix_update: Option<String>,

    /// What outside the devices is the fix.
    #[arg(long, value_name = "TEXT", group = "fix")]
    pub fix_elsewhere: Option<String>,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}

/// A version of the countermeasure.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident agree INC-2026-0007 1
  fleetwatch incident read INC-2026-0007 1")]
pub struct VersionArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// The countermeasure's version. (The name `version` belongs to the flag that every command has.)
    #[arg(id = "countermeasure", value_name = "VERSION")]
    pub version: u32,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}

/// An incident, or for `declare` an event, and why.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident promote INC-2026-0007 --reason three-branches-call
  fleetwatch incident demote INC-2026-0007 --reason a-test
  fleetwatch incident declare ev-1795305600000-1 --reason customers-call-already")]
pub struct ReasonArgs {
    /// The incident; for `declare` the detector's id of the event.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}

/// Options of `incident merge`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident merge INC-2026-0008 INC-2026-0007 --reason the-same-update")]
pub struct MergeArgs {
    /// The incident that ends.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// The incident that goes on.
    #[arg(value_name = "INTO")]
    pub into: String,

    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}

/// Options of `incident split`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident split INC-2026-0007 B-0042 B-0043 --reason another-line")]
pub struct SplitArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// Serials of the devices.
    #[arg(required = true, value_name = "SERIAL")]
    pub devices: Vec<String>,

    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}

/// Options of `incident review`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident review INC-2026-0007 review.md")]
pub struct ReviewArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// File with the text.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}
