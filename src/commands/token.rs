//! `token`: programs that may use the API.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::accounts::{HERE, ListArgs, RecordArgs, branches, deed, described, print, stamp, usage, with_store};
use crate::clock::parse::duration;
use crate::config::Config;
use crate::engine::label;
use crate::engine::time::Timestamp;
use crate::record::access::{AccessStore, ApiToken, Role, Scope, check_name};
use crate::runtime::failure::Failure;
use crate::web::access::secret;

/// What is to be done about tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token for a program and print it, this once.
    Create(TokenCreateArgs),
    /// Print every token, without its secret.
    Ls(ListArgs),
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
/// Runs a command about tokens. The token goes to `out`, what is to be said of it to `aside`.
///
/// # Errors
/// When the record cannot be used, or what is asked for makes no sense; the message says what to do.
pub fn run(config: &Config, command: &TokenCommand, out: &mut dyn Write, aside: &mut dyn Write) -> anyhow::Result<()> {
    with_store(config, async |store, now| match command {
        TokenCommand::Create(args) => create(store, args, now, out, aside).await,
        TokenCommand::Ls(_) => list_tokens(store, now, out).await,
        TokenCommand::Revoke(args) => {
            let deed = deed("token_revoked", &args.id, "", now);
            if !store.revoke_token(&args.id, &deed).await? {
                return Err(Failure::Usage(format!("no token that can be revoked has the id {}", args.id)).into());
            }
            print(out, format_args!("{} is revoked", args.id))
        }
    })
}

async fn create(
    store: &dyn AccessStore,
    args: &TokenCreateArgs,
    now: Timestamp,
    out: &mut dyn Write,
    aside: &mut dyn Write,
) -> anyhow::Result<()> {
    let name = label::form(&args.name).into_owned();
    check_name(&name).map_err(usage)?;
    let branches = branches(args.role, &args.branches)?;
    let (text, id) = secret::new_token()?;
    let mut scopes = args.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let detail = format!("{}: {}", described(args.role, &branches), names.join(","));
    let token = ApiToken {
        id,
        fingerprint: secret::fingerprint(&text),
        name,
        role: args.role,
        branches,
        scopes,
        made_by: HERE.into(),
        made_at: now,
        expires_at: now.plus_ms(i64::try_from(args.expires.as_millis()).unwrap_or(i64::MAX)),
        revoked_at: None,
        used_at: None,
    };
    store.add_token(&token, &deed("token_made", &token.id, &format!("{}, {detail}", token.name), now)).await?;
    print(aside, format_args!("{} for {}, {detail}, until {}", token.id, token.name, stamp(token.expires_at)))?;
    print(out, format_args!("{text}"))
}

async fn list_tokens(store: &dyn AccessStore, now: Timestamp, out: &mut dyn Write) -> anyhow::Result<()> {
    for token in store.tokens().await? {
        let state = match token.revoked_at {
            Some(at) => format!("revoked {}", stamp(at)),
            None if now >= token.expires_at => "expired".to_owned(),
            None => format!("until {}", stamp(token.expires_at)),
        };
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        let used = token.used_at.map_or("never used".to_owned(), |at| format!("used {}", stamp(at)));
        let described = described(token.role, &token.branches);
        let ApiToken { id, name, .. } = &token;
        print(out, format_args!("{id}\t{name}\t{described}\t{}\t{state}\t{used}", scopes.join(",")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::commands::cli::{Cli, Command};
    use crate::store::Sqlite;

    /// What a command prints.
    async fn said(store: &Sqlite, line: &str) -> anyhow::Result<String> {
        let (mut out, now) = (Vec::new(), Timestamp::from_ms(1_000));
        match Cli::try_parse_from(line.split(' ')).unwrap().command {
            Command::Token(TokenCommand::Create(args)) => {
                create(store, &args, now, &mut out, &mut std::io::sink()).await?;
            }
            Command::Token(TokenCommand::Ls(_)) => list_tokens(store, now, &mut out).await?,
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
    async fn a_token_is_printed_once_and_kept_as_its_fingerprint() {
        let (_dir, store) = record().await;
        let line = "fleetwatch token create prometheus --role viewer --scope read,metrics,read --expires 24h";
        let text = said(&store, line).await.unwrap();
        let token = store.token(&secret::fingerprint(text.trim())).await.unwrap().unwrap();
        assert_eq!((token.scopes.len(), token.expires_at), (2, Timestamp::from_ms(86_401_000)));
        let listed = said(&store, "fleetwatch token ls").await.unwrap();
        assert!(
            listed.contains("\tprometheus\tviewer\tmetrics,read\tuntil ") && listed.contains("never used"),
            "{listed}"
        );
        assert!(!listed.contains(text.trim()));
        assert!(
            Cli::try_parse_from("fleetwatch token create x --role viewer".split(' ')).is_err(),
            "scopes are needed"
        );
        assert!(Cli::try_parse_from("fleetwatch token create x --role root --scope read".split(' ')).is_err());
    }
}
