//! `user` and `token`: the record's part about access, changed from the command line. A running `serve` sees it with its next request.

use std::io::Write;

use anyhow::{Context as _, bail};

use crate::clock::Clock;
use crate::commands::args::{TokenCommand, TokenCreateArgs, UserAddArgs, UserCommand};
use crate::config::Config;
use crate::engine::label;
use crate::engine::time::Timestamp;
use crate::record::access::{AccessStore, ApiToken, Deed, MAX_BRANCHES, Principal, Role, User, check_name};
use crate::runtime::failure::Failure;
use crate::web::access::{password, secret};

use super::password::Prompt;
use crate::runtime::location;

/// Who acts from the command line: whoever may write the record has passed the machine's own guards.
const HERE: &str = "command line";

/// Deeds that `user log` prints.
const LOG: u32 = 200;

/// Runs a command about users.
///
/// # Errors
/// When the record cannot be used, or what is asked for makes no sense; the message says what to do.
pub fn users(config: &Config, command: &UserCommand, out: &mut dyn Write) -> anyhow::Result<()> {
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

/// Runs a command about tokens. The token goes to `out`, what is to be said of it to `aside`.
///
/// # Errors
/// As [`users`].
pub fn tokens(
    config: &Config,
    command: &TokenCommand,
    (out, aside): (&mut dyn Write, &mut dyn Write),
) -> anyhow::Result<()> {
    with_store(config, async |store, now| match command {
        TokenCommand::Create(args) => create(store, args, now, (out, aside)).await,
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

fn with_store(
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

fn deed(what: &str, about: &str, detail: &str, now: Timestamp) -> Deed {
    Deed { at: now, by: HERE.into(), what: what.into(), about: about.into(), detail: detail.into() }
}

fn usage(text: impl ToString) -> anyhow::Error {
    Failure::Usage(text.to_string()).into()
}

fn print(out: &mut dyn Write, line: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    writeln!(out, "{line}").map_err(|error| Failure::write("-".into(), error).into())
}

fn described(role: Role, branches: &[String]) -> String {
    if branches.is_empty() { role.as_str().to_owned() } else { format!("{} {}", role.as_str(), branches.join(",")) }
}

/// The branches of somebody with this role: a branch has some, others none.
fn branches(role: Role, given: &[String]) -> anyhow::Result<Vec<String>> {
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

async fn create(
    store: &dyn AccessStore,
    args: &TokenCreateArgs,
    now: Timestamp,
    (out, aside): (&mut dyn Write, &mut dyn Write),
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

fn stamp(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_ms()).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::args::{Cli, Command};
    use crate::store::Sqlite;
    use clap::Parser as _;

    fn parsed(line: &str) -> Command {
        Cli::try_parse_from(line.split(' ')).unwrap().command
    }

    /// What a command prints, with this standard input.
    async fn said(store: &Sqlite, line: &str, input: &str) -> anyhow::Result<String> {
        let (mut out, now) = (Vec::new(), Timestamp::from_ms(1_000));
        match parsed(line) {
            Command::User(UserCommand::Add(args)) => {
                add(store, &args, now, &mut Prompt::piped(input.as_bytes()), &mut out).await?;
            }
            Command::User(UserCommand::Ls(_)) => list(store, &mut out).await?,
            Command::User(UserCommand::Log(_)) => log(store, &mut out).await?,
            Command::Token(TokenCommand::Create(args)) => {
                create(store, &args, now, (&mut out, &mut std::io::sink())).await?;
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

    #[tokio::test]
    async fn a_token_is_printed_once_and_kept_as_its_fingerprint() {
        let (_dir, store) = record().await;
        let line = "fleetwatch token create prometheus --role viewer --scope read,metrics,read --expires 24h";
        let text = said(&store, line, "").await.unwrap();
        let token = store.token(&secret::fingerprint(text.trim())).await.unwrap().unwrap();
        assert_eq!((token.scopes.len(), token.expires_at), (2, Timestamp::from_ms(86_401_000)));
        let listed = said(&store, "fleetwatch token ls", "").await.unwrap();
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
