//! What `incident` takes about single devices: calls, claims, sign-offs.

use clap::{Args, ValueEnum};

use crate::commands::fetch::ApiServer;

/// What came of a call.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum OutcomeArg {
    /// Somebody was reached.
    Reached,
    /// Nobody answered.
    NoAnswer,
    /// They want to be called again.
    CallBack,
    /// They do not want it.
    Refused,
}

/// How a customer wants to hear of the progress.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum ProgressArg {
    /// Not at all.
    Unwanted,
    /// By telephone.
    Phone,
    /// By mail.
    Mail,
}

/// Options of `incident call`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident call INC-2026-0007 B-0042 no_answer
  fleetwatch incident call INC-2026-0007 B-0042 reached --progress phone --script 2
  fleetwatch incident call INC-2026-0007 B-0042 reached --incoming --progress mail")]
pub struct CallArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// Serial of the device.
    #[arg(value_name = "SERIAL")]
    pub device: String,

    /// What came of it.
    #[arg(value_enum, value_name = "OUTCOME")]
    pub outcome: OutcomeArg,

    /// The customer called us. Without it: we called the customer.
    #[arg(long)]
    pub incoming: bool,

    /// How the customer wants to hear of the progress, when that was asked.
    #[arg(long, value_enum, value_name = "HOW")]
    pub progress: Option<ProgressArg>,

    /// What else was said.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub note: String,

    /// Version of the script that was used.
    #[arg(long, value_name = "VERSION")]
    pub script: Option<u32>,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}

/// A step that people can claim.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum ClaimArg {
    /// The workaround is on.
    Workaround,
    /// The fix is installed.
    Fix,
    /// The workaround is off again.
    Revert,
}

/// Options of `incident claim`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident claim INC-2026-0007 workaround B-0042
  fleetwatch incident claim INC-2026-0007 revert B-0042 B-0043")]
pub struct ClaimArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// What was done.
    #[arg(value_enum, value_name = "STEP")]
    pub claim: ClaimArg,

    /// Serials of the devices.
    #[arg(required = true, value_name = "SERIAL")]
    pub devices: Vec<String>,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}

/// Why a device is never going to be done.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum ExceptionArg {
    /// Nobody answers, as recorded calls show.
    Unreachable,
    /// The customer does not want it.
    Refused,
    /// Another device stands in its place.
    Replaced,
    /// Taken out of service.
    Decommissioned,
}

/// Options of `incident sign-off`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident sign-off INC-2026-0007 B-0042 replaced --evidence new-serial-B-1042")]
pub struct SignOffArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// Serial of the device.
    #[arg(value_name = "SERIAL")]
    pub device: String,

    /// Why it is never going to be done.
    #[arg(value_enum, value_name = "WHY")]
    pub kind: ExceptionArg,

    /// What was tried, or how it is known.
    #[arg(long, value_name = "TEXT")]
    pub evidence: String,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}

/// Options of `incident lift`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch incident lift INC-2026-0007 B-0042 --reason they-called-back")]
pub struct DeviceReasonArgs {
    /// The incident.
    #[arg(value_name = "INCIDENT")]
    pub id: String,

    /// Serial of the device.
    #[arg(value_name = "SERIAL")]
    pub device: String,

    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// Where to say it.
    #[command(flatten)]
    pub api: ApiServer,
}
