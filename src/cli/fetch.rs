//! Asks a running instance for its devices, page by page, over its API.
//!
//! A plain HTTP/1.0 request is all it takes, on a listener that is loopback by default; an HTTP client library would be
//! the largest dependency of this command. TLS is the business of a proxy, whose API is then not read with this.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::Failure;
use crate::engine::device::{DeviceId, Label};
use crate::inventory::{MAX_ROWS, Row};

/// Longest wait for the connection, and for each part of an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest answer in bytes: a page of 1,000 devices needs about a tenth of it.
const MAX_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// One page of `/api/v1/devices`; what else it tells is not needed here.
#[derive(Debug, Deserialize)]
struct Page {
    devices: Vec<Device>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Device {
    id: DeviceId,
    branch: Option<Label>,
    model: Option<Label>,
    #[serde(default)]
    customer: Option<Label>,
}

/// All devices of the instance at `url` (`http://host:port`), in the order of their ids.
///
/// # Errors
/// When the instance does not answer, or not as the API of this version does.
pub fn devices(url: &str) -> Result<Vec<Row>, Failure> {
    let host = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    if host.contains(['/', '?', '#', '@']) || host.chars().any(|c| c.is_control() || c == ' ') {
        return Err(Failure::Usage(format!("{url:?} must be http://host:port of a running instance")));
    }
    let host = if has_port(host) { host.to_string() } else { format!("{host}:80") };
    let mut rows: Vec<Row> = Vec::new();
    let mut after = String::new();
    loop {
        let page = page(&host, &after).with_context(|| format!("cannot get the devices from http://{host}"))?;
        let row = |device: Device| Row {
            device: device.id,
            branch: device.branch,
            model: device.model,
            customer: device.customer,
        };
        let before = rows.len();
        rows.extend(page.devices.into_iter().map(row));
        match page.next {
            // An id is its own URL form; a page without devices would ask the same again for ever.
            Some(next) if DeviceId::is_valid(&next) && rows.len() > before && rows.len() < MAX_ROWS => after = next,
            Some(_) => return Err(Failure::Runtime(anyhow::anyhow!("http://{host} gives pages without end"))),
            None => return Ok(rows),
        }
    }
}

/// Whether the host ends in a port; an IPv6 address in brackets has colons of its own.
fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

fn page(host: &str, after: &str) -> anyhow::Result<Page> {
    let address = host.to_socket_addrs()?.next().context("the host has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET /api/v1/devices?limit=1000&after={after} HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES + 1).read_to_end(&mut answer)?;
    if answer.len() as u64 > MAX_ANSWER_BYTES {
        bail!("the answer is larger than {MAX_ANSWER_BYTES} bytes");
    }
    let body = body_of(&answer)?;
    serde_json::from_slice(body).context("the answer is not a device list of this version")
}

/// The body of a whole answer with status 200.
fn body_of(answer: &[u8]) -> anyhow::Result<&[u8]> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("the answer is not HTTP")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        bail!("the answer is {status:?}");
    }
    Ok(&answer[end + 4..])
}
