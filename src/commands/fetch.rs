//! Asks a running instance over its API: for its devices, page by page, or for one answer.
//!
//! The token comes from the file named by FLEETWATCH_TOKEN_FILE, or from FLEETWATCH_TOKEN; never from an argument, which everybody on the
//! machine can see. Nothing is followed elsewhere: a redirect would take the token along.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use crate::engine::device::{DeviceId, Label};
use crate::inventory::{MAX_ROWS, Row};
use crate::record::incident::Contact;
use crate::runtime::failure::Failure;

/// Longest wait for the connection, and for a whole answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Largest answer in bytes: a page of 1,000 devices needs about a tenth of it.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Where the token is, when no option names its file.
const TOKEN_FILE: &str = "FLEETWATCH_TOKEN_FILE";
/// The token itself.
const TOKEN: &str = "FLEETWATCH_TOKEN";

/// Which running instance, and who asks.
#[derive(Clone, Debug, Args)]
pub struct ApiServer {
    /// Address of a running instance.
    #[arg(long, env = "FLEETWATCH_SERVER", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub server: String,

    /// File with an API token; without it FLEETWATCH_TOKEN_FILE, or the token itself in FLEETWATCH_TOKEN.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Your name, where nobody is asked to log in (access.mode = "none"); elsewhere it is the token's.
    #[arg(long, env = "FLEETWATCH_BY", value_name = "NAME")]
    pub by: Option<String>,

    /// Print the API's JSON.
    #[arg(long)]
    pub json: bool,
}

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

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// A running instance.
#[derive(Debug)]
pub struct Server {
    base: Url,
    client: Client,
    runtime: Runtime,
    headers: HeaderMap,
}

impl Server {
    /// The instance at `url` (`http://host:port`, `https://host`), with the token of the environment if there is one.
    ///
    /// # Errors
    /// When the text is something else, or the token cannot be read.
    pub fn parse(url: &str) -> Result<Self, Failure> {
        Self::with_token(url, None)
    }

    /// The same, with the token in this file before that of the environment.
    ///
    /// # Errors
    /// As [`Server::parse`].
    pub fn with_token(url: &str, token_file: Option<&Path>) -> Result<Self, Failure> {
        let base = base(url).ok_or_else(|| {
            Failure::Usage(format!("{url:?} must be http://host:port or https://host of a running instance"))
        })?;
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        if let Some(token) = token(token_file)? {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).ok();
            let mut value = value.ok_or_else(|| Failure::Usage("the token holds what no token holds".into()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // There is one provider of cryptography here; another part of the process may have said so already.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build();
        let client = client.context("cannot set up HTTP")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
        Ok(Self { base, client, runtime, headers })
    }

    /// Says the name of whoever asks, for an instance that asks nobody (`access.mode = "none"`).
    pub fn say_name(&mut self, name: &str) -> Result<(), Failure> {
        let value = HeaderValue::from_bytes(name.as_bytes());
        let value = value.map_err(|_| Failure::Usage(format!("{name:?} is no name")))?;
        self.headers.insert("x-fleetwatch-by", value);
        Ok(())
    }

    /// The body of the answer; `path` is encoded already.
    ///
    /// # Errors
    /// When nobody answers, or not with success.
    pub fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        body_of(self.ask(&Method::GET, path, HeaderMap::new(), None)?)
    }

    /// Sends a body of JSON and returns that of the answer.
    ///
    /// # Errors
    /// As [`Server::get`].
    pub fn post(&self, path: &str, json: &str) -> anyhow::Result<Vec<u8>> {
        body_of(self.ask(&Method::POST, path, HeaderMap::new(), Some(json))?)
    }

    /// The whole answer, whatever its status.
    ///
    /// # Errors
    /// When nobody answers, or not in HTTP.
    pub fn ask(&self, method: &Method, path: &str, more: HeaderMap, json: Option<&str>) -> anyhow::Result<Answer> {
        let url = self.base.join(path).context("the path of the request is none")?;
        let mut request = self.client.request(method.clone(), url).headers(self.headers.clone()).headers(more);
        if let Some(json) = json {
            request = request.header("content-type", "application/json").body(json.to_owned());
        }
        self.runtime.block_on(async {
            let answered = request.send().await;
            let mut answer = answered.map_err(|error| self.told(error))?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let mut body = Vec::new();
            while let Some(part) = answer.chunk().await.context("the answer ended in the middle")? {
                body.extend_from_slice(&part);
                if body.len() > MAX_ANSWER_BYTES {
                    bail!("the answer is larger than {MAX_ANSWER_BYTES} bytes");
                }
            }
            Ok(Answer { status, headers, body })
        })
    }

    /// Why there is no answer.
    fn told(&self, error: reqwest::Error) -> anyhow::Error {
        let what = if error.is_connect() {
            format!("nobody answers at {}", self.base)
        } else if error.is_timeout() {
            format!("{} does not answer in time", self.base)
        } else {
            "the answer is not HTTP".to_owned()
        };
        anyhow::Error::new(error.without_url()).context(what)
    }
}

/// The address as a base for paths: a host, and nothing behind it.
fn base(url: &str) -> Option<Url> {
    let text = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let base: Url = text.parse().ok()?;
    let plain = base.path() == "/" && base.query().is_none() && base.fragment().is_none() && base.username().is_empty();
    (plain && base.host_str().is_some() && matches!(base.scheme(), "http" | "https")).then_some(base)
}

/// The token, if there is one.
fn token(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let named = std::env::var_os(TOKEN_FILE).filter(|name| !name.is_empty());
    let text = match file.map(Path::to_owned).or(named.map(Into::into)) {
        Some(file) => crate::text::secret_word(&file).context("cannot use the token")?,
        None => std::env::var(TOKEN).unwrap_or_default(),
    };
    let token = text.trim_start_matches('\u{feff}').trim();
    Ok((!token.is_empty()).then(|| token.to_owned()))
}

/// All devices of the instance at `url`, in the order of their ids.
///
/// # Errors
/// When the instance does not answer, or not as the API of this version does.
pub fn devices(url: &str) -> Result<Vec<Row>, Failure> {
    let server = Server::parse(url)?;
    let mut rows: Vec<Row> = Vec::new();
    let mut after = String::new();
    loop {
        let page = page(&server, &after).with_context(|| format!("cannot get the devices from {url}"))?;
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
            Some(_) => return Err(Failure::Runtime(anyhow::anyhow!("{url} gives pages without end"))),
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
    let asking = || format!("cannot get {path} from {url}");
    let answer = server.ask(&Method::GET, path, HeaderMap::new(), None).with_context(asking)?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let body = body_of(answer).with_context(asking)?;
    let read = serde_json::from_slice(&body).context("the answer is not of this version");
    Ok(Some(read.with_context(asking)?))
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

/// The body of an answer with success; what the API says otherwise.
pub fn body_of(answer: Answer) -> anyhow::Result<Vec<u8>> {
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    let hint = match answer.status {
        StatusCode::UNAUTHORIZED => {
            format!(" ({TOKEN_FILE} names the file with a token; see `fleetwatch token create`)")
        }
        _ => String::new(),
    };
    match serde_json::from_slice::<Problem>(&answer.body) {
        // It goes to a terminal.
        Ok(problem) => bail!("{}{hint}", problem.detail.replace(char::is_control, "\u{fffd}")),
        Err(_) => bail!("the answer is {}{hint}", answer.status),
    }
}
