//! What stands between a browser and the listener, and what can happen to it there.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Through,
    /// Nobody is there: it is dropped at once.
    Gone,
    /// It stands, and nothing comes.
    Silent,
    /// A proxy answers for a server that is not there, with this status.
    Answered(u16),
    /// The same with 200 and a page of its own.
    Maintenance,
}

/// The front.
pub struct Front {
    pub address: SocketAddr,
    way: Arc<watch::Sender<Way>>,
}

impl Front {
    pub async fn of(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(watch::Sender::new(Way::Through));
        let shared = Arc::clone(&way);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, target, shared.subscribe()));
            }
        });
        Self { address, way }
    }

    /// What happens from now on, to connections that stand as well.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn serve(client: TcpStream, target: SocketAddr, mut way: watch::Receiver<Way>) {
    let now = *way.borrow_and_update();
    match now {
        Way::Through => through(client, target, way).await,
        Way::Gone => drop(client),
        Way::Silent => {
            let _ = way.changed().await;
        }
        Way::Answered(status) => answer(client, &format!("{status} Away"), "").await,
        Way::Maintenance => answer(client, "200 OK", "<!DOCTYPE html><title>Maintenance</title><p>Back soon.").await,
    }
}

/// Carries bytes until the way is another. One that has become silent keeps the connection.
async fn through(mut client: TcpStream, target: SocketAddr, mut way: watch::Receiver<Way>) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
        _ = way.changed() => {}
    }
    if *way.borrow_and_update() == Way::Silent {
        let _ = way.changed().await;
    }
}

async fn answer(mut client: TcpStream, status: &str, body: &str) {
    let mut request = [0; 8_192];
    let _ = client.read(&mut request).await;
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let _ = client.write_all(answer.as_bytes()).await;
}
