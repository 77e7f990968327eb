//! `incident`: a client of the API of incidents.
//!
//! Every write carries an idempotency key of its own, so that one whose answer got lost is sent once more without being carried out twice.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::fetch::{ApiServer, Server, body_of};
use crate::record::open_items::Lifecycle;
use crate::runtime::failure::Failure;

pub mod args;

use args::{
    CallArgs, ClaimArgs, DeviceReasonArgs, ExportIncidentArgs, HandOverArgs, LadderArgs, ListArgs, MergeArgs, NoteArgs,
    OneArgs, ProposeArgs, ReasonArgs, ReviewArgs, SeatArgs, SignOffArgs, SplitArgs, VersionArgs,
};

/// Largest script or review in bytes.
const MAX_TEXT_BYTES: u64 = 64 * 1024;

/// What is to be done about incidents.
#[derive(Clone, Debug, Subcommand)]
#[command(after_long_help = "\
An incident is named as people say it: INC-2026-0007. What you do stands in its record with your name.

A night in commands:
  fleetwatch incident ls
  fleetwatch incident show INC-2026-0007
  fleetwatch incident ack INC-2026-0007 commander
  fleetwatch incident note INC-2026-0007 --tell the-night-update-is-suspected
  fleetwatch incident ladder INC-2026-0007 --open
  fleetwatch incident call INC-2026-0007 B-0042 reached --progress mail
  fleetwatch incident claim INC-2026-0007 workaround B-0042
  fleetwatch incident close INC-2026-0007")]
pub enum IncidentCommand {
    /// List incidents.
    Ls(ListArgs),
    /// Show one incident: state, people, ladder, promise, and what is still open.
    Show(OneArgs),
    /// Print its record, entry by entry.
    Log(OneArgs),
    /// Write everything on record about it, to hand it on.
    Export(ExportIncidentArgs),
    /// List its devices and how far each has come.
    Ladder(LadderArgs),
    /// Answer for a role: commander, development_lead, support_lead, communications_lead, or ROLE@BRANCH.
    Ack(SeatArgs),
    /// Say that you are there.
    Join(OneArgs),
    /// Give a role to somebody else.
    HandOver(HandOverArgs),
    /// Write something into the record; --tell says it to the staff too.
    Note(NoteArgs),
    /// Record a call to a device's customer.
    Call(CallArgs),
    /// Claim that a step was done on devices; telemetry has to show it.
    Claim(ClaimArgs),
    /// Sign off a device that is never going to be done.
    SignOff(SignOffArgs),
    /// Take a sign-off back.
    Lift(DeviceReasonArgs),
    /// Register what is to be done: a workaround, a fix, or both.
    Propose(ProposeArgs),
    /// Agree to a version of the countermeasure, as development.
    Agree(VersionArgs),
    /// Say that you have read a version of the script.
    Read(VersionArgs),
    /// Say that the agreed fix can be had.
    ReleaseFix(OneArgs),
    /// Make an isolated incident one of the whole fleet.
    Promote(ReasonArgs),
    /// Say that it was no major incident.
    Demote(ReasonArgs),
    /// Join an incident into another one, which goes on.
    Merge(MergeArgs),
    /// Give devices an incident of their own.
    Split(SplitArgs),
    /// Declare an event that was only warned of.
    Declare(ReasonArgs),
    /// File the review.
    Review(ReviewArgs),
    /// Close the incident; refused until everything is done.
    Close(OneArgs),
}

/// Runs one of the commands.
///
/// # Errors
/// When the instance does not answer, or refuses; its reason is told.
pub fn run(command: &IncidentCommand, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        IncidentCommand::Ls(args) => list(args, out),
        IncidentCommand::Show(args) => show(args, out),
        IncidentCommand::Log(args) => log(args, out),
        IncidentCommand::Export(args) => {
            let format = if args.csv { "csv" } else { "json" };
            let path = format!("{}/export?format={format}", path_of(&args.id));
            let body = server(&args.api)?.get(&path).context("cannot get the export")?;
            out.write_all(&body).map_err(|error| Failure::write("-".into(), error))
        }
        IncidentCommand::Ladder(args) => ladder(args, out),
        IncidentCommand::Merge(args) => {
            let body = json!({ "into": args.into, "reason": args.reason });
            write(&args.api, &format!("{}/merge", path_of(&args.id)), &body, out)
        }
        IncidentCommand::Split(args) => {
            let body = json!({ "devices": args.devices, "reason": args.reason });
            write(&args.api, &format!("{}/split", path_of(&args.id)), &body, out)
        }
        IncidentCommand::Declare(args) => {
            let body = json!({ "event_id": args.id, "reason": args.reason });
            write(&args.api, "/api/v1/incidents", &body, out)
        }
        request => {
            let (id, api, body) = command_of(request)?;
            write(api, &format!("{}/commands", path_of(id)), &body, out)
        }
    }
}

/// Which incident, where, and the command as the API takes it.
fn command_of(command: &IncidentCommand) -> Result<(&str, &ApiServer, Value), Failure> {
    use IncidentCommand as C;
    let (id, api, body) = match command {
        C::Ack(args) => (&args.id, &args.api, json!({ "command": "acknowledge", "seat": args.seat })),
        C::Join(args) => (&args.id, &args.api, json!({ "command": "join" })),
        C::HandOver(args) => {
            let body = json!({ "command": "hand_over", "seat": args.seat, "to": args.to, "reason": args.reason });
            (&args.id, &args.api, body)
        }
        C::Note(NoteArgs { id, text, tell, api }) => {
            (id, api, json!({ "command": "note", "text": text, "tell": tell }))
        }
        C::Call(args) => (&args.id, &args.api, call(args)),
        C::Claim(args) => {
            let body = json!({ "command": "claim", "devices": args.devices, "claim": name(&args.claim) });
            (&args.id, &args.api, body)
        }
        C::SignOff(args) => {
            let body = json!({ "command": "sign_off", "device": args.device, "kind": name(&args.kind),
                               "evidence": args.evidence });
            (&args.id, &args.api, body)
        }
        C::Lift(args) => {
            let body = json!({ "command": "lift_exception", "device": args.device, "reason": args.reason });
            (&args.id, &args.api, body)
        }
        C::Propose(args) => (&args.id, &args.api, proposal(args)?),
        C::Agree(args) => (&args.id, &args.api, json!({ "command": "agree_countermeasure", "version": args.version })),
        C::Read(args) => (&args.id, &args.api, json!({ "command": "acknowledge_script", "version": args.version })),
        C::ReleaseFix(args) => (&args.id, &args.api, json!({ "command": "release_fix" })),
        C::Promote(args) => (&args.id, &args.api, json!({ "command": "promote", "reason": args.reason })),
        C::Demote(args) => (&args.id, &args.api, json!({ "command": "demote", "reason": args.reason })),
        C::Review(ReviewArgs { id, file, api }) => {
            (id, api, json!({ "command": "file_review", "text": text_in(file)? }))
        }
        C::Close(args) => (&args.id, &args.api, json!({ "command": "close" })),
        C::Ls(_) | C::Show(_) | C::Log(_) | C::Ladder(_) | C::Export(_) | C::Merge(_) | C::Split(_) | C::Declare(_) => {
            return Err(Failure::Usage("this is no command on one incident".into()));
        }
    };
    Ok((id, api, body))
}

/// The name of a choice, as on the command line and in the API.
fn name(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn call(args: &CallArgs) -> Value {
    let progress = args.progress.as_ref().map(name);
    let direction = if args.incoming { "incoming" } else { "outgoing" };
    let call = json!({
        "outcome": name(&args.outcome),
        "direction": direction,
        "progress": progress,
        "note": args.note,
        "script": args.script,
    });
    json!({ "command": "record_call", "device": args.device, "call": call })
}

fn proposal(args: &ProposeArgs) -> Result<Value, Failure> {
    let script = |file: &Option<std::path::PathBuf>| file.as_deref().map(text_in).transpose();
    let (ja, en) = (script(&args.script_ja)?.unwrap_or_default(), script(&args.script_en)?.unwrap_or_default());
    let workaround = args.workaround.as_ref().map(|id| json!({ "id": id, "script": { "ja": ja, "en": en } }));
    let update = args.fix_update.as_ref().map(|version| json!({ "kind": "update", "value": version }));
    let elsewhere = args.fix_elsewhere.as_ref().map(|what| json!({ "kind": "elsewhere", "value": what }));
    Ok(json!({ "command": "register_countermeasure", "workaround": workaround, "fix": update.or(elsewhere) }))
}

fn text_in(file: &Path) -> Result<String, Failure> {
    let told = || format!("cannot read {}", file.display());
    let length = std::fs::metadata(file).with_context(told)?.len();
    if length > MAX_TEXT_BYTES {
        return Err(Failure::Usage(format!("{} has more than {MAX_TEXT_BYTES} bytes", file.display())));
    }
    let bytes = std::fs::read(file).with_context(told)?;
    let (text, _) = crate::text::decoded(&bytes).with_context(told)?;
    Ok(text.into_owned())
}

fn server(api: &ApiServer) -> Result<Server, Failure> {
    let mut server = Server::with_token(&api.server, api.token_file.as_deref())?;
    if let Some(name) = &api.by {
        server.say_name(name)?;
    }
    Ok(server)
}

/// Path of an incident. What people type is encoded.
fn path_of(id: &str) -> String {
    format!("/api/v1/incidents/{}", super::gate::encoded(id))
}

fn key() -> Result<HeaderValue, Failure> {
    let (_, id) = crate::web::access::secret::new_token().context("no idempotency key can be made")?;
    HeaderValue::from_str(&format!("cli-{id}")).context("no idempotency key can be made").map_err(Failure::Runtime)
}

/// Carries out a write, and prints the incident as it stands afterwards.
fn write(api: &ApiServer, path: &str, body: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    let server = server(api)?;
    let headers = HeaderMap::from_iter([(reqwest::header::HeaderName::from_static("idempotency-key"), key()?)]);
    let text = body.to_string();
    let send = || server.ask(&Method::POST, path, headers.clone(), Some(&text));
    let answer = match send() {
        Ok(answer) => answer,
        // Its answer may have got lost; under the same key it is not carried out twice.
        Err(_) => send().context("it cannot be said whether this was carried out")?,
    };
    let body = body_of(answer).context("this was not carried out")?;
    if api.json {
        return raw(&body, out);
    }
    print(out, &line(&read(&body)?))
}

fn raw(body: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    out.write_all(body).and_then(|()| writeln!(out)).map_err(|error| Failure::write("-".into(), error))
}

fn read(body: &[u8]) -> anyhow::Result<Value> {
    serde_json::from_slice(body).context("the answer is not of this version of fleetwatch")
}

/// What others wrote is shown without its control characters: this goes to a terminal.
fn print(out: &mut dyn Write, line: &str) -> Result<(), Failure> {
    let line: String = line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    writeln!(out, "{line}").map_err(|error| Failure::write("-".into(), error))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn stamp(value: &Value) -> String {
    let at = value.as_i64().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

/// An incident in one line.
fn line(incident: &Value) -> String {
    let cause = match &incident["cause"] {
        Value::Null => "-".to_owned(),
        cause => format!("{} {}", text(&cause["kind"]), text(&cause["value"])),
    };
    let [number, state, scope] = ["number", "state", "scope"].map(|field| text(&incident[field]));
    let state = Lifecycle::from_name(&state).map_or(state, |lifecycle| lifecycle.words().en.to_owned());
    let [settled, devices] = ["settled", "devices"].map(|field| text(&incident[field]));
    let (commander, declared) = (text(&incident["commander"]), stamp(&incident["declared_at"]));
    format!("{number}  {state}  {scope}  {settled}/{devices}  {commander}  {declared}  {cause}")
}

fn list(args: &ListArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let device = args.device.as_ref().map(|device| format!("&device={}", super::gate::encoded(device)));
    let path = format!("/api/v1/incidents?limit=500&open={}{}", !args.all, device.unwrap_or_default());
    let body = server(&args.api)?.get(&path).context("cannot get the incidents")?;
    if args.api.json {
        return raw(&body, out);
    }
    let listed = read(&body)?;
    listed["incidents"].as_array().into_iter().flatten().try_for_each(|incident| print(out, &line(incident)))
}

fn show(args: &OneArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let body = server(&args.api)?.get(&path_of(&args.id)).context("cannot get the incident")?;
    if args.api.json {
        return raw(&body, out);
    }
    let incident = read(&body)?;
    print(out, &line(&incident))?;
    for (milestone, at) in incident["milestones"].as_object().into_iter().flatten() {
        print(out, &format!("  {milestone}: {}", stamp(at)))?;
    }
    for seat in incident["muster"].as_array().into_iter().flatten() {
        print(out, &format!("  {}: {} {}", text(&seat["seat"]), text(&seat["status"]), text(&seat["holder"])))?;
    }
    let steps = incident["steps"].as_object().into_iter().flatten().filter(|(_, count)| **count != json!(0));
    for (step, count) in steps {
        print(out, &format!("  {step}: {count}"))?;
    }
    print(out, &format!("  signed off: {}", text(&incident["excepted"])))?;
    let promise = &incident["promise"];
    let missed = if promise["missed"] == json!(true) { ", as it goes it will be missed" } else { "" };
    let forecast = stamp(&promise["forecast"]["ends_at"]);
    print(out, &format!("  promised by {}, forecast {forecast}{missed}", stamp(&promise["promised_at"])))?;
    for (what, count) in incident["obstacles"].as_object().into_iter().flatten() {
        if count.as_u64().is_some_and(|count| count > 0) {
            print(out, &format!("  still in the way: {count} {what}"))?;
        }
    }
    Ok(())
}

/// Whether the items of an answer are returned, beside being looked at one by one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    None,
    All,
}

impl Keep {
    fn when(json: bool) -> Self {
        if json { Self::All } else { Self::None }
    }
}

/// Pages of an answer, until the last.
fn pages(
    server: &Server,
    first: &str,
    items: &str,
    keep: Keep,
    mut each: impl FnMut(&Value) -> Result<(), Failure>,
) -> Result<Vec<Value>, Failure> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let more = after.as_ref().map(|after| format!("&after={}", super::gate::encoded(after)));
        let body = server.get(&format!("{first}{}", more.unwrap_or_default())).context("cannot get the incident")?;
        let mut page = read(&body)?;
        let found = page[items].as_array_mut().map(std::mem::take).unwrap_or_default();
        for item in &found {
            each(item)?;
        }
        let next = match &page["next"] {
            Value::Null => None,
            next => Some(text(next)),
        };
        if next.is_some() && (next == after || found.is_empty()) {
            return Err(Failure::Runtime(anyhow::anyhow!("the instance gives pages without end")));
        }
        if keep == Keep::All {
            all.extend(found);
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

fn log(args: &OneArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let (server, json) = (server(&args.api)?, args.api.json);
    let first = format!("{}/record?limit=1000", path_of(&args.id));
    let entries = pages(&server, &first, "entries", Keep::when(json), |entry| {
        if json {
            return Ok(());
        }
        let (at, by, action) = (stamp(&entry["at"]), text(&entry["by"]), text(&entry["action"]));
        print(out, &format!("{at}  {by}  {action}  {}", entry["detail"]))
    })?;
    if json { raw(json!({ "entries": entries }).to_string().as_bytes(), out) } else { Ok(()) }
}

fn ladder(args: &LadderArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let (server, json) = (server(&args.api)?, args.api.json);
    let mut first = format!("{}/ladder?limit=1000", path_of(&args.id));
    let filters = [("step", &args.step), ("branch", &args.branch)];
    for (name, value) in filters.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        first.push_str(&format!("&{name}={}", super::gate::encoded(value)));
    }
    if args.open {
        first.push_str("&settled=false");
    }
    let devices = pages(&server, &first, "devices", Keep::when(json), |rung| {
        if json {
            return Ok(());
        }
        let [device, step, branch, customer, calls] =
            ["device", "step", "branch", "customer", "calls"].map(|field| text(&rung[field]));
        let signed = match &rung["exception"] {
            Value::Null => String::new(),
            exception => format!("  signed off: {} by {}", text(&exception["kind"]), text(&exception["signed_by"])),
        };
        print(out, &format!("{device}  {step}  {branch}  {customer}  {calls} calls{signed}"))
    })?;
    if json { raw(json!({ "devices": devices }).to_string().as_bytes(), out) } else { Ok(()) }
}
