//! `explain`: why an incident was declared, why a near miss was not, how a device was judged.
//!
//! An incident's explanation is what its changes carry; it comes from the record, from a running instance, or from a
//! replay. A device's minutes are in the engine alone, so they always come from a replay.
//!
//! | module | what it owns |
//! |---|---|
//! | [`args`] | what is asked for |
//! | [`gather`] | where an explanation comes from |
//! | [`mod@event`] | an incident or a near miss in words and drawings |
//! | [`device`] | a device's last hours, minute by minute |
//! | [`damage`] | what carries the damage, with the distributions before and during it |
//! | [`chart`] | strips and bars of characters that read without colour |
//! | [`words`] | phrases that the report shares |

use std::io::{self, IsTerminal, Write};

use anyhow::Context as _;

use crate::config::Config;
use crate::engine::device::DeviceId;
use crate::runtime::failure::Failure;
use crate::words::Zone;

pub mod args;
pub mod chart;
pub mod damage;
pub mod device;
pub mod event;
pub mod gather;
pub mod words;

use args::ExplainArgs;
use chart::Pen;

/// Runs the command with the process' own streams.
///
/// # Errors
/// When there is nothing of that name, the source cannot be read, or an output fails.
pub fn run(config: &Config, args: &ExplainArgs) -> anyhow::Result<()> {
    let zone = Zone::named(&config.http.time_zone)?;
    let pen = Pen::for_terminal(args.ascii, io::stdout().is_terminal());
    let mut text = String::new();
    if is_event(&args.what) {
        let (record, lifecycle) = gather::event(config, &args.what, args.from.as_deref())?;
        event::write(&record, lifecycle, &zone, pen, args.minutes, &mut text);
    } else {
        let id = DeviceId::parse(&args.what).map_err(|error| {
            Failure::Usage(format!("{:?} is neither an incident, an event nor a device: {error}", args.what))
        })?;
        let life = device::gather(config, &id, args, &zone)?;
        device::write(&life, &zone, pen, args.minutes, &mut text);
    }
    io::stdout().lock().write_all(text.as_bytes()).context("cannot write to standard output")
}

/// Whether this is an incident's number or an event's id, and not a device's.
fn is_event(what: &str) -> bool {
    let digits = what.strip_prefix("INC-").or_else(|| what.strip_prefix("E-"));
    digits.is_some_and(|digits| {
        digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    })
}
