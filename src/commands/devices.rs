//! `devices import` and `devices export`: the expected fleet, checked on its way in and safe on its way out. `devices forget`: who
//! is no longer part of it.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::fetch;
use super::fetch::Server;
use super::gate::GateServer;
use crate::engine::device::DeviceId;
use crate::inventory::{self, Fault, List, Row};
use crate::runtime::failure::Failure;

/// `devices import`, `devices export` and `devices forget`.
#[derive(Clone, Debug, Subcommand)]
pub enum DevicesCommand {
    /// Check a list, and put it in place sorted and in one form.
    Import(ImportArgs),
    /// Write the list of a file or of a running instance as CSV.
    Export(ExportArgs),
    /// Take devices out of the fleet of a running instance: scrapped ones, and names that never were a device.
    Forget(ForgetArgs),
}

/// Options of `devices import`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The first line names the columns, in any order: device (needed), branch, model, customer. UTF-8; a byte order mark and
Windows line ends are fine. All faults are told at once, and a list with a fault is not put in place.

Examples:
  fleetwatch devices import fleet.csv --dry-run
  fleetwatch devices import fleet.csv --to /etc/fleetwatch/devices.csv")]
pub struct ImportArgs {
    /// CSV file, or - for standard input.
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,

    /// Where the list goes: the file that `devices.expected` names. It is replaced whole or not at all.
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    pub to: Option<PathBuf>,

    /// Only check.
    #[arg(long, conflicts_with = "to")]
    pub dry_run: bool,
}

/// Options of `devices export`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
A field that a spreadsheet would run as a formula (it begins with = + - @ or their full-width forms) gets one
apostrophe before it; `devices import` takes exactly that one away again.

Examples:
  fleetwatch devices export > fleet.csv                         those that a running instance knows
  fleetwatch devices export --from /etc/fleetwatch/devices.csv --output checked.csv")]
pub struct ExportArgs {
    /// Address of a running instance, or a CSV file.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL|FILE")]
    pub from: String,

    /// Where to write; standard output by default.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `devices forget`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
All of them are forgotten, or none: what was learnt of them, and whom to call about them. The record keeps who forgot them,
when and why; incidents that are closed keep what they say. A device that reports again is a new one.

A device stays while it is on devices.expected (take it off the list and restart first), is part of an event that is open, or of
an incident that is not closed (except it there, or close the incident). Where people log in, an administrator's token with the
scope admin is needed: FLEETWATCH_TOKEN_FILE names its file.

The broker is told to drop the device's last status, which it would deliver again after a new subscription. One that does not
let fleetwatch write there keeps it; clear it by hand:
  mosquitto_pub -r -n -q 1 -t utm/v1/B-0042/status

Examples:
  fleetwatch devices forget B-0042 --by Sato --reason scrapped
  fleetwatch devices forget B-0042 B-0043 --by Sato --reason moved --server https://noc.example.jp")]
pub struct ForgetArgs {
    /// The devices, by their ids.
    #[arg(value_name = "ID", required = true, num_args = 1..)]
    pub devices: Vec<String>,

    /// Who forgets them, where nobody is asked to log in (access.mode = "none"); elsewhere it is the token's name.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// Why; it stands in the record.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// Where to say it.
    #[command(flatten)]
    pub server: GateServer,
}

/// Runs one of the commands.
///
/// # Errors
/// As [`import`], [`export`] and [`forget`].
pub fn run(command: &DevicesCommand, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        DevicesCommand::Import(args) => import(args, out),
        DevicesCommand::Export(args) => export(args, out),
        DevicesCommand::Forget(args) => forget(args, out),
    }
}

/// Checks a list and puts it in place, sorted and in the canonical form.
///
/// # Errors
/// With all faults of the list, or when a file cannot be read or written. The destination is then as it was.
pub fn import(args: &ImportArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let List { rows, notes } = read_list(&args.file)?;
    tell(&args.file, &notes, out)?;
    if !args.dry_run {
        let to = args.to.as_ref().ok_or_else(|| Failure::Usage("say where the list goes: --to FILE".into()))?;
        replace(to, &rows).with_context(|| format!("cannot write {}", to.display()))?;
    }
    let done = match (&args.to, args.dry_run) {
        (Some(to), false) => format!("written to {}; `serve` reads it at its next start", to.display()),
        _ => "no fault, nothing written".into(),
    };
    writeln!(out, "{} devices: {done}", rows.len()).map_err(|error| Failure::write("-".into(), error))
}

/// Writes the list of a file, or of a running instance, as CSV.
///
/// # Errors
/// As [`import`], and when the instance does not answer.
pub fn export(args: &ExportArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let rows = match &args.from {
        from if from.starts_with("http://") || from.starts_with("https://") => fetch::devices(from)?,
        from => read_list(Path::new(from))?.rows,
    };
    match &args.output {
        Some(path) => replace(path, &rows).with_context(|| format!("cannot write {}", path.display()))?,
        None => inventory::write(out, &rows).map_err(anyhow::Error::from)?,
    }
    Ok(())
}

/// Takes devices out of the fleet of a running instance, all or none.
///
/// # Errors
/// When an id is none, or the instance does not answer or refuses; its reason is told.
pub fn forget(args: &ForgetArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(bad) = args.devices.iter().find(|id| !DeviceId::is_valid(id)) {
        return Err(Failure::Usage(format!("{bad:?} is no device id: 1 to 64 of A-Z a-z 0-9 _ -")));
    }
    let mut body = json!({ "devices": args.devices, "reason": args.reason });
    if let Some(by) = &args.by {
        body["by"] = by.as_str().into();
    }
    let server = Server::parse(&args.server.server)?;
    server.post("/api/v1/devices/forget", &body.to_string()).context("the devices stay")?;
    for id in &args.devices {
        writeln!(out, "{id} is forgotten").map_err(|error| Failure::write("-".into(), error))?;
    }
    Ok(())
}

/// Reads the list at `path`; `-` is standard input.
///
/// # Errors
/// With all faults of the list, or when the file cannot be opened.
pub fn read_list(path: &Path) -> Result<List, Failure> {
    let told = |faults| Failure::Devices(path.to_path_buf(), faults);
    if path.as_os_str() == "-" {
        return inventory::read(std::io::stdin().lock()).map_err(told);
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    inventory::read(file).map_err(told)
}

/// Says what a person should know of the list at `path`.
///
/// # Errors
/// When `out` refuses.
pub fn tell(path: &Path, notes: &[Fault], out: &mut dyn Write) -> Result<(), Failure> {
    let told = notes.iter().try_for_each(|note| writeln!(out, "{}: note: {note}", path.display()));
    told.map_err(|error| Failure::write("-".into(), error))
}

/// Puts the list at `path` whole or not at all: a temporary file beside it, made durable, then renamed over it.
fn replace(path: &Path, rows: &[Row]) -> anyhow::Result<()> {
    let mut name = path.file_name().context("the path names no file")?.to_os_string();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let written = write_durably(&temporary, path, rows).and_then(|()| Ok(std::fs::rename(&temporary, path)?));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
        return written;
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory: PathBuf = parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    File::open(directory)?.sync_all()?;
    Ok(())
}

/// The list holds telephone numbers: a new file is its owner's alone, whatever the umask; in the place of another one it belongs to
/// whom that belonged to, and loses what everybody else could do with it.
fn write_durably(path: &Path, before: &Path, rows: &[Row]) -> anyhow::Result<()> {
    let _ = std::fs::remove_file(path);
    let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    if let Ok(before) = std::fs::metadata(before) {
        let made = file.metadata()?;
        if (before.uid(), before.gid()) != (made.uid(), made.gid()) {
            std::os::unix::fs::fchown(&file, Some(before.uid()), Some(before.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(before.mode() & 0o770 | 0o600))?;
    }
    inventory::write(&file, rows)?;
    file.sync_all()?;
    Ok(())
}
