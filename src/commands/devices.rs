//! `devices import` and `devices export`: the expected fleet, checked on its way in and safe on its way out. `devices forget`: who
//! is no longer part of it.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context;

use serde_json::json;

use super::args::{ExportArgs, ForgetArgs, ImportArgs};
use super::fetch;
use super::fetch::Server;
use crate::engine::device::DeviceId;
use crate::inventory::{self, Fault, List, Row};
use crate::runtime::failure::Failure;

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
