//! `user`: who may log in, and as what.

use std::io::Write;
use std::path::Path;

use anyhow::bail;
use clap::{Args, Subcommand};

use super::accounts::{ListArgs, RecordArgs, branches, deed, described, print, stamp, usage, with_store};
use super::password::Prompt;
use crate::config::Config;
use crate::engine::label;
use crate::engine::time::Timestamp;
use crate::record::access::{AccessStore, Deed, Role, User, check_name};
use crate::web::access::password;

/// Deeds that `user log` prints.
const LOG: u32 = 200;

/// What is to be done about users.
#[derive(Clone, Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user; the password is asked for, or read from standard input.
    Add(UserAddArgs),
    /// Give a user a new password; all of the user's sessions end.
    Passwd(UserNameArgs),
    /// Give a user another role or other branches; all of the user's sessions end.
    Role(UserRoleArgs),
    /// Keep a user from logging in; all of the user's sessions end. The name stays taken.
    Disable(UserNameArgs),
    /// Let a disabled user log in again.
    Enable(UserNameArgs),
    /// Print every user.
    Ls(ListArgs),
    /// Print who came, went, and changed what about access.
    Log(ListArgs),
}

/// Options of `user add`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The password has at least 12 characters. On a terminal it is asked for twice and not shown; otherwise standard input has it on its
first line. It is never an argument: arguments can be seen by everybody on the machine.

The first user of a new installation is an administrator. Run this as the user that `serve` runs as, or as root.

Examples:
  fleetwatch user add Sato --role admin --config /etc/fleetwatch/fleetwatch.toml
  fleetwatch user add Abe --role branch --branch sapporo-03 --branch sapporo-04")]
pub struct UserAddArgs {
    /// Name; stands in the record beside what the user does.
    #[arg(value_name = "NAME")]
    pub name: String,

    /// What the user may.
    #[arg(long, value_enum, value_name = "ROLE")]
    pub role: Role,

    /// A branch that a user with the role branch looks after; several times for several.
    #[arg(long = "branch", value_name = "BRANCH")]
    pub branches: Vec<String>,

    /// Where users are kept.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// Options of `user role`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch user role Sato commander
  fleetwatch user role Abe branch --branch sapporo-03")]
pub struct UserRoleArgs {
    /// The user.
    #[arg(value_name = "NAME")]
    pub name: String,

    /// What the user may from now on.
    #[arg(value_enum, value_name = "ROLE")]
    pub role: Role,

    /// The branches of a user with the role branch, in place of those before.
    #[arg(long = "branch", value_name = "BRANCH")]
    pub branches: Vec<String>,

    /// Where users are kept.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// Options of the commands that take a user.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch user passwd Sato
  fleetwatch user disable Sato
  fleetwatch user enable Sato")]
pub struct UserNameArgs {
    /// The user.
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Where users are kept.
    #[command(flatten)]
    pub record: RecordArgs,
}

impl UserCommand {
    /// The configuration that says where users are kept.
    pub fn config(&self) -> Option<&Path> {
        let record = match self {
            Self::Add(args) => &args.record,
            Self::Passwd(args) | Self::Disable(args) | Self::Enable(args) => &args.record,
            Self::Role(args) => &args.record,
            Self::Ls(args) | Self::Log(args) => &args.record,
        };
        record.config.as_deref()
    }
}

/// Runs a command about users.
///
/// # Errors
/// When the record cannot be used, or what is asked for makes no sense; the message says what to do.
pub fn run(config: &Config, command: &UserCommand, out: &mut dyn Write) -> anyhow::Result<()> {
    with_store(config, async |store, now| match command {
        UserCommand::Add(args) => add(store, args, now, &mut Prompt::standard(), out).await,
        UserCommand::Passwd(args) => {
            let user = existing(store, &args.name).await?;
            let password = hashed(&mut Prompt::standard(), &args.name)?;
            change(store, User { password, ..user }, "a new password", now, out).await
        }
        UserCommand::Role(args) => {
            let user = existing(store, &args.name).await?;
            let branches = branches(args.role, &args.branches)?;
            let detail = described(args.role, &branches);
            change(store, User { role: args.role, branches, ..user }, &detail, now, out).await
        }
        UserCommand::Disable(args) => {
            let user = existing(store, &args.name).await?;
            change(store, User { disabled: true, ..user }, "disabled", now, out).await
        }
        UserCommand::Enable(args) => {
            let user = existing(store, &args.name).await?;
            change(store, User { disabled: false, ..user }, "enabled", now, out).await
        }
        UserCommand::Ls(_) => list(store, out).await,
        UserCommand::Log(_) => log(store, out).await,
    })
}

fn hashed(prompt: &mut Prompt<'_>, name: &str) -> anyhow::Result<String> {
    let password = prompt.new_password()?;
    password::hash(&password, name).map_err(usage)
}

async fn existing(store: &dyn AccessStore, name: &str) -> anyhow::Result<User> {
    let found = match store.user(&label::form(name)).await? {
        // One that was added before names had one form.
        None => store.user(name).await?,
        found => found,
    };
    found.ok_or_else(|| usage(format!("there is no user {name:?}; see `fleetwatch user ls`")))
}

async fn add(
    store: &dyn AccessStore,
    args: &UserAddArgs,
    now: Timestamp,
    prompt: &mut Prompt<'_>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let name = label::form(&args.name).into_owned();
    check_name(&name).map_err(usage)?;
    let branches = branches(args.role, &args.branches)?;
    let detail = described(args.role, &branches);
    // Before anybody is asked for a password.
    if store.user(&name).await?.is_some() {
        return Err(usage(format!("there is a user {name:?} already; see `fleetwatch user passwd`")));
    }
    let user = User {
        password: hashed(prompt, &name)?,
        name,
        role: args.role,
        branches,
        disabled: false,
        made_at: now,
        changed_at: now,
    };
    if !store.add_user(&user, &deed("user_added", &user.name, &detail, now)).await? {
        bail!("the user {:?} was added by somebody else just now", user.name);
    }
    print(out, format_args!("{} may log in as {detail}", user.name))
}

async fn change(
    store: &dyn AccessStore,
    user: User,
    detail: &str,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let user = User { changed_at: now, ..user };
    if !store.change_user(&user, &deed("user_changed", &user.name, detail, now)).await? {
        bail!("the user {:?} is gone", user.name);
    }
    print(out, format_args!("{}: {detail}; all sessions ended", user.name))
}

async fn list(store: &dyn AccessStore, out: &mut dyn Write) -> anyhow::Result<()> {
    for user in store.users().await? {
        let state = if user.disabled { "disabled" } else { "active" };
        let described = described(user.role, &user.branches);
        print(out, format_args!("{}\t{state}\t{described}\tchanged {}", user.name, stamp(user.changed_at)))?;
    }
    Ok(())
}

async fn log(store: &dyn AccessStore, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut deeds = store.deeds(LOG).await?;
    deeds.reverse();
    for Deed { at, by, what, about, detail } in deeds {
        print(out, format_args!("{}\t{what}\t{about}\t{detail}\tby {by}", stamp(at)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::commands::cli::{Cli, Command};
    use crate::store::Sqlite;

    /// What a command prints, with this standard input.
    async fn said(store: &Sqlite, line: &str, input: &str) -> anyhow::Result<String> {
        let (mut out, now) = (Vec::new(), Timestamp::from_ms(1_000));
        match Cli::try_parse_from(line.split(' ')).unwrap().command {
            Command::User(UserCommand::Add(args)) => {
                add(store, &args, now, &mut Prompt::piped(input.as_bytes()), &mut out).await?;
            }
            Command::User(UserCommand::Ls(_)) => list(store, &mut out).await?,
            Command::User(UserCommand::Log(_)) => log(store, &mut out).await?,
            other => panic!("{other:?}"),
        }
        Ok(String::from_utf8(out).unwrap())
    }

    async fn record() -> (tempfile::TempDir, Sqlite) {
        let dir = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&dir.path().join("r.sqlite")).await.unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn users_are_added_with_a_password_from_standard_input() {
        let (_dir, store) = record().await;
        let added = said(&store, "fleetwatch user add Sato --role admin", "correct horse battery\n").await.unwrap();
        assert_eq!(added, "Sato may log in as admin\n");
        let user = store.user("Sato").await.unwrap().unwrap();
        assert!(user.password.starts_with("$argon2id$") && user.role == Role::Admin);
        for (line, input, told) in [
            ("fleetwatch user add Sato --role admin", "correct horse battery", "already"),
            ("fleetwatch user add Abe --role branch", "correct horse battery", "--branch"),
            ("fleetwatch user add Abe --role noc --branch a", "correct horse battery", "role branch"),
            ("fleetwatch user add clock --role noc", "correct horse battery", "fleetwatch's own"),
            ("fleetwatch user add Abe --role noc", "short", "12 characters"),
            ("fleetwatch user add Abe --role noc", "", "no password"),
        ] {
            let refused = said(&store, line, input).await.unwrap_err().to_string();
            assert!(refused.contains(told) && !refused.contains("correct horse"), "{line}: {refused}");
        }
        said(&store, "fleetwatch user add Abe --role branch --branch a --branch b", "correct horse battery")
            .await
            .unwrap();
        let listed = said(&store, "fleetwatch user ls", "").await.unwrap();
        assert!(listed.starts_with("Abe\tactive\tbranch a,b\t") && !listed.contains("argon2"), "{listed}");
        let logged = said(&store, "fleetwatch user log", "").await.unwrap();
        assert!(logged.lines().nth(1).unwrap().ends_with("user_added\tAbe\tbranch a,b\tby command line"), "{logged}");
    }
}
