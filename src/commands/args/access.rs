//! `user` and `token`: who may use the pages and the API.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::clock::parse::duration;
use crate::record::access::{Role, Scope};

/// Which record, by its configuration.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// Configuration of `serve`; its `[store]` says where users and tokens are kept.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ValueEnum for Role {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.as_str()).help(match self {
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

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.as_str()).help(match self {
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
    Ls(UserListArgs),
    /// Print who came, went, and changed what about access.
    Log(UserListArgs),
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

/// Options of the lists.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch user ls
  fleetwatch user log
  fleetwatch token ls")]
pub struct UserListArgs {
    /// Where they are kept.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// What is to be done about tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token for a program and print it, this once.
    Create(TokenCreateArgs),
    /// Print every token, without its secret.
    Ls(UserListArgs),
    /// Make a token worthless at once.
    Revoke(TokenRevokeArgs),
}

/// Options of `token create`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
A token may what its role may, as far as its scopes go. Standard output has the token alone, so that it can go straight into a file
that only the program may read; what else there is to say is on standard error. Nothing of it can be shown a second time.

Examples:
  fleetwatch token create prometheus --role viewer --scope metrics --expires 8760h > /etc/prometheus/fleetwatch-token
  fleetwatch token create ticket-system --role noc --scope read,work")]
pub struct TokenCreateArgs {
    /// Name of the program; stands in the record beside what it does.
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Role whose rights are the bound.
    #[arg(long, value_enum, value_name = "ROLE")]
    pub role: Role,

    /// What of them the token has.
    #[arg(long = "scope", value_enum, required = true, value_delimiter = ',', value_name = "SCOPE,...")]
    pub scopes: Vec<Scope>,

    /// The branches of a token with the role branch.
    #[arg(long = "branch", value_name = "BRANCH")]
    pub branches: Vec<String>,

    /// When it ends by itself, from now.
    #[arg(long, value_parser = duration, default_value = "2160h", value_name = "TIME")]
    pub expires: Duration,

    /// Where tokens are kept.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// Options of `token revoke`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch token revoke 0123456789")]
pub struct TokenRevokeArgs {
    /// Id, as `token ls` prints it.
    #[arg(value_name = "ID")]
    pub id: String,

    /// Where tokens are kept.
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

impl TokenCommand {
    /// The configuration that says where tokens are kept.
    pub fn config(&self) -> Option<&Path> {
        let record = match self {
            Self::Create(args) => &args.record,
            Self::Ls(args) => &args.record,
            Self::Revoke(args) => &args.record,
        };
        record.config.as_deref()
    }
}
