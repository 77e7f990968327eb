//! The operators' listener with an incident on its second day behind it, asked over a real connection.

#[path = "../../tests/interfaces/desk.rs"]
pub mod desk;
#[path = "../../tests/interfaces/life.rs"]
pub mod life;
#[path = "../../tests/interfaces/sample.rs"]
pub mod sample;
#[path = "../../tests/interfaces/server.rs"]
pub mod server;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleetwatch::web::HttpConfig;

/// Requests after which the site is made anew: every note and call is kept, and what is kept is shown.
const REQUESTS: u32 = 1_000;

/// Bodies of at most this length are read to their end before they are answered, so that an answer always comes.
const READ_MOST: usize = 8 << 10;

pub struct Site {
    address: SocketAddr,
    form_token: String,
    /// The site ends with it.
    _running: Sender<()>,
}

/// The site, which is made anew now and then.
pub fn site() -> Arc<Site> {
    static SITE: Mutex<Option<(Arc<Site>, u32)>> = Mutex::new(None);
    let mut current = SITE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if current.as_ref().is_none_or(|(_, asked)| *asked >= REQUESTS) {
        *current = Some((Arc::new(start()), 0));
    }
    let (site, asked) = current.as_mut().expect("it was made above");
    *asked += 1;
    Arc::clone(site)
}

fn start() -> Site {
    let (tell, told) = channel();
    let (running, ended) = channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(async {
            let desk = life::desk(vec![life::later(life::NUMBER, &life::hit(60))], life::LATER);
            let snapshot = life::snapshot(60, life::LATER);
            let behind = |state: &mut fleetwatch::web::HttpState| life::behind(&desk, state);
            server::Server::start_with("127.0.0.1:0", snapshot, &[], HttpConfig::default(), behind).await
        });
        tell.send(server.address).unwrap();
        // Nothing is ever sent: it is over when the other end is gone.
        let _ = ended.recv();
    });
    let address = told.recv().unwrap();
    let page = ask(address, &format!("GET /incidents/{} HTTP/1.1", life::NUMBER), &[], b"");
    let text = String::from_utf8_lossy(&page.1).into_owned();
    let mark = "name=\"form_token\" value=\"";
    let from = text.find(mark).expect("the page has a form") + mark.len();
    let form_token = text[from..].split('"').next().unwrap_or_default().to_owned();
    Site { address, form_token, _running: running }
}

impl Site {
    /// Sends a request, and holds that the answer is one that was meant: never a fault of ours, and never none, which is what a panic
    /// leaves.
    pub fn check(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) {
        let (status, answer) = ask(self.address, line, headers, body);
        assert!(status != 500, "{line}: {}", String::from_utf8_lossy(&answer));
        assert!(status != 0 || body.len() > READ_MOST, "{line}: no answer");
    }

    pub fn form_token(&self) -> &str {
        &self.form_token
    }
}

/// A header's value may hold anything but what ends it.
pub fn header_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).filter(|c| (' '..='~').contains(c)).collect()
}

fn ask(address: SocketAddr, line: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("the site is there");
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut head = format!("{line}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    // The site may have said no before it has read everything.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0);
    (status, answer)
}
