//! A new password from whoever sits at the terminal, or from standard input; never from an argument.

use std::io::{BufRead, IsTerminal as _, Write as _};

use anyhow::Context as _;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::runtime::failure::Failure;

/// Where passwords come from.
pub(super) enum Prompt<'a> {
    /// Somebody is asked, twice, without echo.
    Terminal,
    /// The first line.
    Piped(Box<dyn BufRead + 'a>),
}

impl<'a> Prompt<'a> {
    /// The terminal if there is one, else standard input.
    pub(super) fn standard() -> Self {
        let input = std::io::stdin();
        if input.is_terminal() { Self::Terminal } else { Self::Piped(Box::new(input.lock())) }
    }

    /// From whatever is no terminal.
    #[cfg(test)]
    pub(super) fn piped(input: impl BufRead + 'a) -> Self {
        Self::Piped(Box::new(input))
    }

    /// A new password; whether it is good enough is for the caller to say.
    ///
    /// # Errors
    /// When there is none, or the two that were typed differ.
    pub(super) fn new_password(&mut self) -> anyhow::Result<String> {
        let usage = |text: &str| anyhow::Error::from(Failure::Usage(text.to_owned()));
        let password = match self {
            Self::Piped(input) => first_line(input)?,
            Self::Terminal => {
                let first = ask("New password: ")?;
                if first != ask("Again: ")? {
                    return Err(usage("the two differ: nothing was changed"));
                }
                first
            }
        };
        if password.is_empty() { Err(usage("there is no password on standard input")) } else { Ok(password) }
    }
}

fn first_line(input: &mut dyn BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line).context("cannot read the password")?;
    // A shell of Windows puts a byte order mark before what it pipes.
    Ok(line.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}').to_owned())
}

/// Puts the terminal back as it was, however the question ends.
struct Echo(rustix::termios::Termios);

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// Asks on standard error, because standard output may be piped, and reads a line without echo.
fn ask(question: &str) -> anyhow::Result<String> {
    let mut error = std::io::stderr();
    let told = |error| Failure::write("standard error".into(), error);
    error.write_all(question.as_bytes()).and_then(|()| error.flush()).map_err(told)?;
    let before = tcgetattr(std::io::stdin()).context("cannot turn off the terminal's echo")?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent).context("cannot turn off the terminal's echo")?;
    let echo = Echo(before);
    let line = first_line(&mut std::io::stdin().lock());
    drop(echo);
    error.write_all(b"\n").map_err(told)?;
    line
}
