//! `gate`: the decisions about updates of a running instance, over its API.

use std::io::Write;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::fetch::Server;
use crate::engine::gate::{Decision, Gate};
use crate::runtime::failure::Failure;

/// What is to be done about the gates of updates.
#[derive(Clone, Debug, Subcommand)]
pub enum GateCommand {
    /// Print what the updater is told about each version.
    List(GateListArgs),
    /// Stop an update: the updater installs it on no further device.
    Hold(GateSetArgs),
    /// Let the updater go on with an update.
    Release(GateSetArgs),
}

/// Which running instance.
#[derive(Clone, Debug, Args)]
pub struct GateServer {
    /// Address of a running instance.
    #[arg(long, env = "FLEETWATCH_SERVER", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub server: String,
}

/// Options of `gate list`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
One line a version: version, hold or release, who decided, when (UTC), incident or event, and why.

Examples:
  fleetwatch gate list
  fleetwatch gate list --json")]
pub struct GateListArgs {
    /// Where to ask.
    #[command(flatten)]
    pub server: GateServer,

    /// Print the API's JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `gate hold` and `gate release`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The decision is recorded with name and reason, and stands until a person changes it: the detector no longer decides about
this version. Where people log in, a token with the scope gate is needed: FLEETWATCH_TOKEN_FILE names its file.

Examples:
  fleetwatch gate hold 2026.11.21 --by Sato --reason withdrawn
  fleetwatch gate release 2026.11.21 --by Sato --reason see-INC-2026-0001")]
pub struct GateSetArgs {
    /// The update's version, as devices send it.
    #[arg(value_name = "VERSION")]
    pub update: String,

    /// Who decides, where nobody is asked to log in (access.mode = "none"); elsewhere it is the token's name.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// Why; people read it in the incident's record.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// Where to say it.
    #[command(flatten)]
    pub server: GateServer,
}

#[derive(Debug, Deserialize)]
struct Listed {
    gates: Vec<Decision>,
    #[serde(default)]
    untold: u64,
}

/// Runs one of the commands.
///
/// # Errors
/// When the instance does not answer, or refuses; its reason is told.
pub fn run(command: &GateCommand, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        GateCommand::List(args) => list(args, out),
        GateCommand::Hold(args) => set(args, Gate::Hold, out),
        GateCommand::Release(args) => set(args, Gate::Release, out),
    }
}

fn list(args: &GateListArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let server = Server::parse(&args.server.server)?;
    let answer = server.get("/api/v1/gates").context("cannot get the gates")?;
    let told = |error| Failure::write("-".into(), error);
    if args.json {
        return out.write_all(&answer).and_then(|()| writeln!(out)).map_err(told);
    }
    let listed: Listed = serde_json::from_slice(&answer).context("the answer is no list of gates of this version")?;
    for decision in &listed.gates {
        writeln!(out, "{}", line(decision)).map_err(told)?;
    }
    if listed.untold > 0 {
        let untold = listed.untold;
        writeln!(out, "The updater has not been told yet: the broker does not hold {untold} of these messages.")
            .map_err(told)?;
    }
    Ok(())
}

fn set(args: &GateSetArgs, gate: Gate, out: &mut dyn Write) -> Result<(), Failure> {
    let server = Server::parse(&args.server.server)?;
    let mut body = json!({ "gate": gate, "reason": args.reason });
    if let Some(by) = &args.by {
        body["by"] = by.as_str().into();
    }
    let body = body.to_string();
    let path = format!("/api/v1/gates/{}", encoded(&args.update));
    let answer = server.post(&path, &body).context("the decision was not taken")?;
    let decision: Decision =
        serde_json::from_slice(&answer).context("the answer is no decision of this version of fleetwatch")?;
    writeln!(out, "{}", line(&decision)).map_err(|error| Failure::write("-".into(), error))
}

/// A decision in one line. What others wrote is shown without its control characters: this goes to a terminal.
fn line(decision: &Decision) -> String {
    let Decision { version, gate, by, reason, incident, event, at, .. } = decision;
    let at = jiff::Timestamp::from_millisecond(at.as_ms()).unwrap_or_default();
    let event = incident.as_deref().or(event.as_deref()).unwrap_or("-");
    let text = format!("{version}  {}  {by}  {at}  {event}  {reason}", gate.as_str());
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A path segment.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
