//! Log lines on standard error: text for people, JSON for machines.
//!
//! Standard output is never touched, because results go there. Colour only on a terminal, and not when `NO_COLOR` is
//! set to anything (<https://no-color.org>).

mod line;

use std::ffi::OsStr;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;
use crate::config::kinds::Kind;
use crate::runtime::failure::Failure;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Text; the flag says whether in colour.
    Text(bool),
    /// One JSON object a line.
    Json,
}

/// The style for a format, on a terminal or not, with this value of `NO_COLOR`.
pub fn style(format: LogFormat, terminal: bool, no_color: Option<&OsStr>) -> Style {
    let colour = terminal && no_color.is_none_or(OsStr::is_empty);
    match format {
        LogFormat::Json => Style::Json,
        LogFormat::Text => Style::Text(colour),
        LogFormat::Auto if terminal => Style::Text(colour),
        LogFormat::Auto => Style::Json,
    }
}

/// Installs the subscriber for the whole process. A second call is ignored, so that tests may run commands in turn.
///
/// # Errors
/// When `level` is not a level with optional `target=level` pairs.
pub fn init(format: LogFormat, level: &str) -> Result<(), Failure> {
    let terminal = std::io::stderr().is_terminal();
    let style = style(format, terminal, std::env::var_os("NO_COLOR").as_deref());
    let subscriber = subscriber(style, level, std::io::stderr)?;
    let _ = subscriber.try_init();
    Ok(())
}

/// A subscriber that writes to `writer`.
///
/// # Errors
/// As [`init`].
pub fn subscriber<W>(
    style: Style,
    level: &str,
    writer: W,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, Failure>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let kind = Kind::Levels;
    kind.check(&level.into()).map_err(|rule| Failure::Usage(format!("log level {level:?} {rule}")))?;
    let filter = EnvFilter::try_new(level).map_err(|error| Failure::Usage(format!("log level {level:?}: {error}")))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(match style {
        Style::Text(colour) => Box::new(builder.with_ansi(colour).finish()),
        Style::Json => Box::new(builder.event_format(line::JsonLine).finish()),
    })
}
