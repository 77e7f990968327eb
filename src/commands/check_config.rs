//! `check-config`: says everything that is wrong before `serve` would.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::devices;
use crate::config::{BrokerMode, ChannelConfig, Config, StoreConfig, zone};
use crate::runtime::{self, failure::Failure};

/// Options of `check-config`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Every fault is told with its place, key, value and rule; exit code 3 when there is any. Environment variables are
checked with the file, as `serve` would read them.

Examples:
  fleetwatch check-config deploy/fleetwatch.toml
  fleetwatch check-config --print            the defaults, as TOML")]
pub struct CheckConfigArgs {
    /// Configuration file; without it the defaults and the environment are checked.
    #[arg(env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Print the whole configuration as it holds, file and environment over the defaults.
    #[arg(long)]
    pub print: bool,
}

/// Checks the configuration and what its keys name: the device list line by line, the form of credentials and passwords, the
/// secrets of channels.
///
/// # Errors
/// With all faults of the configuration; else with those of the device list, or the reason why credentials are unusable.
pub fn run(args: &CheckConfigArgs, env: Vec<(String, String)>, out: &mut dyn Write) -> Result<(), Failure> {
    let config = Config::load(args.file.as_deref(), env).map_err(Failure::Config)?;
    let expected = match &config.devices.expected {
        Some(path) => {
            let list = devices::read_list(path)?;
            if !args.print {
                devices::tell(path, &list.notes, out)?;
            }
            Some(list.rows.len())
        }
        None => None,
    };
    runtime::secrets::check(&config).map_err(Failure::Runtime)?;
    runtime::notify::check(&config).map_err(Failure::Runtime)?;
    let told = if args.print { print(&config, out) } else { summarize(args, &config, expected, out) };
    told.map_err(|error| Failure::write(PathBuf::from("-"), error))
}

/// The whole configuration as it holds, as TOML. It names files with secrets, never a secret.
fn print(config: &Config, out: &mut dyn Write) -> std::io::Result<()> {
    let mut config = config.clone();
    if config.store.url.is_none() {
        config.store.path.get_or_insert_with(|| StoreConfig::FILE.into());
    }
    let text = toml::to_string(&config).map_err(std::io::Error::other)?;
    out.write_all(text.as_bytes())
}

fn summarize(
    args: &CheckConfigArgs,
    config: &Config,
    expected: Option<usize>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let source = args.file.as_ref().map_or_else(|| "the defaults".into(), |path| path.display().to_string());
    let broker = match config.broker.mode {
        BrokerMode::Embedded => format!("embedded on {}", config.broker.embedded.listen),
        BrokerMode::External => format!("{}:{}", config.broker.external.host, config.broker.external.port),
    };
    let devices = expected.map_or_else(
        || format!("at most {}, registered as they report", config.detector.max_devices),
        |count| format!("{count} expected"),
    );
    writeln!(out, "{source}: no fault")?;
    if let Some(warning) = runtime::room::warning(config) {
        writeln!(out, "{source}: warning: {warning}")?;
    }
    writeln!(out, "broker    {broker}, topics {}/v1/...", config.topic.root)?;
    writeln!(out, "devices   {devices}")?;
    let record = match (config.store.file(), &config.store.url) {
        (Some(file), _) => file.display().to_string(),
        (None, url) => url.clone().unwrap_or_default(),
    };
    writeln!(out, "record    {record}")?;
    writeln!(out, "rule      {} minutes without a break", config.detector.hold_min)?;
    writeln!(out, "channels  {}", channels(&config.notify.channel))?;
    if let Some(warning) = zone::warning(config) {
        writeln!(out, "warning   {warning}")?;
    }
    writeln!(out, "pages     http://{}/", config.http.listen)
}

/// Who is told, in one line.
fn channels(channels: &[ChannelConfig]) -> String {
    if channels.is_empty() {
        return "none: nobody is told of an incident but by the pages and metrics".into();
    }
    let shown = channels.iter().map(|channel| format!("{} ({})", channel.name, channel.kind.as_str()));
    shown.collect::<Vec<_>>().join(", ")
}
