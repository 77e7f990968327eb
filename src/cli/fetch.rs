//! Asks a running instance over its API: for its devices, page by page, or for one answer.
//!
//! A plain HTTP/1.0 request is all it takes, on a listener that is loopback by default; an HTTP client library would be
//! the largest dependency of this command. TLS is the business of a proxy, whose API is then not read with this.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Failure;
use crate::engine::device::{DeviceId, Label};
use crate::inventory::{MAX_ROWS, Row};
use crate::record::case::Contact;

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

/// A running instance.
#[derive(Debug)]
pub struct Server {
    /// `host:port`.
    host: String,
}

impl Server {
    /// The instance at `url` (`http://host:port`).
    ///
    /// # Errors
    /// When the text is something else.
    pub fn parse(url: &str) -> Result<Self, Failure> {
        let host = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        if host.is_empty() || host.contains(['/', '?', '#', '@']) || host.chars().any(|c| c.is_control() || c == ' ') {
            return Err(Failure::Usage(format!("{url:?} must be http://host:port of a running instance")));
        }
        Ok(Self { host: if has_port(host) { host.to_string() } else { format!("{host}:80") } })
    }

    /// The body of the answer; `path` is encoded already.
    ///
    /// # Errors
    /// When nobody answers, or not with status 200.
    pub fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        body_of(&self.ask(&self.request_for(path))?).map(<[u8]>::to_vec)
    }

    fn request_for(&self, path: &str) -> String {
        format!("GET {path} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\n\r\n", self.host)
    }

    /// Sends a body of JSON and returns that of the answer.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub fn post(&self, path: &str, json: &str) -> anyhow::Result<Vec<u8>> {
        let answer = self.ask(&format!(
            "POST {path} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{json}",
            self.host,
            json.len()
        ))?;
        body_of(&answer).map(<[u8]>::to_vec)
    }

    /// The whole answer, head and body.
    fn ask(&self, request: &str) -> anyhow::Result<Vec<u8>> {
        let address = self.host.to_socket_addrs()?.next().context("the host has no address")?;
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)
            .with_context(|| format!("nobody answers at http://{}", self.host))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER_BYTES + 1).read_to_end(&mut answer)?;
        if answer.len() as u64 > MAX_ANSWER_BYTES {
            bail!("the answer is larger than {MAX_ANSWER_BYTES} bytes");
        }
        Ok(answer)
    }
}

/// All devices of the instance at `url` (`http://host:port`), in the order of their ids.
///
/// # Errors
/// When the instance does not answer, or not as the API of this version does.
pub fn devices(url: &str) -> Result<Vec<Row>, Failure> {
    let server = Server::parse(url)?;
    let mut rows: Vec<Row> = Vec::new();
    let mut after = String::new();
    loop {
        let page =
            page(&server, &after).with_context(|| format!("cannot get the devices from http://{}", server.host))?;
        let row = |device: Device| Row {
            device: device.id,
            branch: device.branch,
            model: device.model,
            customer: device.customer,
            contact: Contact::default(),
        };
        let before = rows.len();
        rows.extend(page.devices.into_iter().map(row));
        match page.next {
            // An id is its own URL form; a page without devices would ask the same again for ever.
            Some(next) if DeviceId::is_valid(&next) && rows.len() > before && rows.len() < MAX_ROWS => after = next,
            Some(_) => return Err(Failure::Runtime(anyhow::anyhow!("http://{} gives pages without end", server.host))),
            None => return Ok(rows),
        }
    }
}

/// The answer of the instance at `url` to a request for `path`, which is encoded already. `None` when it has no such thing.
///
/// # Errors
/// When the instance does not answer, or not as the API of this version does.
pub fn get<T: DeserializeOwned>(url: &str, path: &str) -> Result<Option<T>, Failure> {
    let server = Server::parse(url)?;
    let asking = || format!("cannot get {path} from http://{}", server.host);
    let answer = server.ask(&server.request_for(path)).with_context(asking)?;
    if status_of(&answer).with_context(asking)? == "404" {
        return Ok(None);
    }
    let read =
        body_of(&answer).and_then(|body| serde_json::from_slice(body).context("the answer is not of this version"));
    Ok(Some(read.with_context(asking)?))
}

/// Whether the host ends in a port; an IPv6 address in brackets has colons of its own.
fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

fn page(server: &Server, after: &str) -> anyhow::Result<Page> {
    let body = server.get(&format!("/api/v1/devices?limit=1000&after={after}"))?;
    serde_json::from_slice(&body).context("the answer is not a device list of this version")
}

/// What the API says when it refuses (RFC 9457).
#[derive(Debug, Deserialize)]
struct Problem {
    detail: String,
}

/// The body of a whole answer with status 200.
fn body_of(answer: &[u8]) -> anyhow::Result<&[u8]> {
    let head = head_of(answer)?;
    let body = &answer[head.len() + 4..];
    if status_of(answer)? != "200" {
        match serde_json::from_slice::<Problem>(body) {
            // It goes to a terminal.
            Ok(problem) => bail!("{}", problem.detail.replace(char::is_control, "\u{fffd}")),
            Err(_) => bail!("the answer is {:?}", head.lines().next().unwrap_or_default()),
        }
    }
    Ok(body)
}

fn status_of(answer: &[u8]) -> anyhow::Result<&str> {
    Ok(head_of(answer)?.lines().next().unwrap_or_default().split(' ').nth(1).unwrap_or_default())
}

fn head_of(answer: &[u8]) -> anyhow::Result<&str> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("the answer is not HTTP")?;
    std::str::from_utf8(&answer[..end]).context("the answer is not HTTP")
}
