//! What `user` and `token` have in common: the record of who may, and how it is told.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::clock::Clock;
use crate::config::Config;
use crate::engine::label;
use crate::engine::time::Timestamp;
use crate::record::access::{AccessStore, Deed, MAX_BRANCHES, Principal, Role, Scope};
use crate::runtime::failure::Failure;
use crate::runtime::location;

/// Which record, by its configuration.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// Configuration of `serve`; its `[store]` says where users and tokens are kept.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Options of the lists.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch user ls
  fleetwatch user log
  fleetwatch token ls")]
pub struct ListArgs {
    /// Where they are kept.
    #[command(flatten)]
    pub record: RecordArgs,
}

impl ValueEnum for Role {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()).help(match self {
            Self::Viewer => "looks, and changes nothing",
            Self::Branch => "works on the devices of its own branches, and sees no others",
            Self::Noc => "decides about updates, takes part in incidents, proposes and agrees on countermeasures",
            Self::Support => "talks with customers: sees contacts, records calls, claims steps",
            Self::Commander => "leads incidents",
            Self::Admin => "may everything",
        }))
    }
}

impl ValueEnum for Scope {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()).help(match self {
            Self::Metrics => "read /metrics",
            Self::Read => "read the API, contacts apart",
            Self::Contacts => "read and bring in contacts",
            Self::Gate => "decide about updates",
            Self::Work => "take part in incidents, work on devices",
            Self::Lead => "countermeasures, sign-offs, leading an incident",
            Self::Admin => "manage access",
        }))
    }
}

/// Who acts from the command line: whoever may write the record has passed the machine's own guards.
pub(super) const HERE: &str = "command line";

pub(super) fn with_store(
    config: &Config,
    work: impl AsyncFnOnce(&dyn AccessStore, Timestamp) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        let location = location::made(&config.store)?;
        let new = config.store.file().filter(|file| !file.exists());
        let store = location.open().await.context("cannot open the record")?;
        if let Some(file) = new {
            belong_to_directory(file)?;
        }
        let worked = work(&*store, Clock::system().now()).await;
        store.close().await;
        worked
    })
}

/// A record that root has just made belongs to whoever owns its directory, or `serve` could not write it.
fn belong_to_directory(path: &std::path::Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    let owner = std::fs::metadata(directory).context("cannot look at the record's directory")?;
    let made = std::fs::metadata(path).context("cannot look at the record")?;
    if (owner.uid(), owner.gid()) != (made.uid(), made.gid()) && rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()))
            .with_context(|| format!("cannot give {} to the owner of its directory", path.display()))?;
    }
    Ok(())
}

pub(super) fn deed(what: &str, about: &str, detail: &str, now: Timestamp) -> Deed {
    Deed { at: now, by: HERE.into(), what: what.into(), about: about.into(), detail: detail.into() }
}

pub(super) fn usage(text: impl ToString) -> anyhow::Error {
    Failure::Usage(text.to_string()).into()
}

pub(super) fn print(out: &mut dyn Write, line: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    writeln!(out, "{line}").map_err(|error| Failure::write("-".into(), error).into())
}

pub(super) fn described(role: Role, branches: &[String]) -> String {
    if branches.is_empty() { role.as_str().to_owned() } else { format!("{} {}", role.as_str(), branches.join(",")) }
}

/// The branches of somebody with this role: a branch has some, others none.
pub(super) fn branches(role: Role, given: &[String]) -> anyhow::Result<Vec<String>> {
    let formed = Principal::branches_of(given);
    let sound = |branch: &String| label::bounded(branch).is_ok();
    match (role, given.len()) {
        (Role::Branch, 0) => Err(usage("the role branch needs --branch: which devices may it see?")),
        (Role::Branch, 1..=MAX_BRANCHES) if formed.len() == given.len() && formed.iter().all(sound) => Ok(formed),
        (Role::Branch, _) => Err(usage(format!("--branch takes 1 to {MAX_BRANCHES} names of branches"))),
        (_, 0) => Ok(Vec::new()),
        _ => Err(usage("--branch is for the role branch; every other role sees all branches")),
    }
}

pub(super) fn stamp(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_ms()).unwrap_or_default().to_string()
}
