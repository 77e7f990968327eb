//! The connections: how many, from whom, and how long each may take to say something.
//!
//! A connection is busy from the head of a request to the last byte of its answer. One that is not, because its request has
//! been half sent or the next one has not begun, makes room for a newcomer when there is none: whoever holds connections without
//! asking anything holds up nobody. How long a busy one lasts is bounded by the request's time limit and by how slowly an
//! answer may be read.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::ConnectInfo;
use axum::http::Request;
use axum::serve::Listener;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, Sleep, sleep};

use crate::web::access::origin::Peer;

/// Bounds of the listener.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Names, beside the loopback ones and that of the public address, under which the listener may be asked. On a loopback address no
    /// other name is answered; on any other address every name, when there is none at all.
    pub allowed_hosts: Vec<String>,
    /// Longest time that one answer may take.
    pub request_timeout: Duration,
    /// Most connections at a time, and never more than a quarter of the descriptors that the process may have. A further one takes the
    /// place of one that is not being answered.
    pub max_connections: usize,
    /// Most of them from one address; this machine and trusted proxies are not bound.
    pub max_connections_of_one: usize,
    /// Longest time from the end of one request (or the connection's begin) to the end of the next one's head.
    pub header_timeout: Duration,
    /// A connection on which nothing arrives for this long is closed.
    pub idle_timeout: Duration,
    /// A connection is closed when what was sent is not read for this long.
    pub stall_timeout: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            request_timeout: Duration::from_secs(10),
            max_connections: 512,
            max_connections_of_one: 128,
            header_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(20),
        }
    }
}

/// Room for the head of a request, and for what waits to be written.
const BUFFER_BYTES: usize = 128 * 1024;

/// What has to be read of an answer within the time that a reader may take.
const READ_AT_LEAST: usize = 64 * 1024;

/// Answers with `router` on `listener` until `shutdown` is done; then finishes what it has begun. `free`: networks without a bound
/// of their own, because many people are behind each address; this machine is one always.
pub(in crate::web) async fn serve(
    mut listener: TcpListener,
    router: Router,
    (config, free): (&HttpConfig, Vec<IpNet>),
    shutdown: impl Future<Output = ()>,
) {
    let connections = Arc::new(Connections::new(config, free));
    let (stop, stopped) = watch::channel(false);
    let (finished, unfinished) = watch::channel(());
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        // The listener's own `accept` retries what can be retried (no descriptors left, for one).
        let (stream, peer) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = &mut shutdown => break,
        };
        let place = tokio::select! {
            place = connections.enter(peer.ip()) => place,
            () = &mut shutdown => break,
        };
        let Some(place) = place else { continue };
        let io = Connection::new(stream, config);
        let (router, header, stopped, unfinished) =
            (router.clone(), config.header_timeout, stopped.clone(), unfinished.clone());
        tokio::spawn(async move {
            answer(io, router, Peer(peer), &place, header, stopped).await;
            drop(unfinished);
        });
    }
    drop((listener, unfinished));
    stop.send_replace(true);
    finished.closed().await;
}

/// Answers on one connection until it ends, or has to make room.
async fn answer(
    io: Connection,
    router: Router,
    peer: Peer,
    place: &Place,
    header: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let held = Arc::clone(&place.held);
    let service = service_fn(move |request: Request<Incoming>| {
        let busy = Busy::begin(&held);
        let router = TowerToHyperService::new(router.clone());
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let response = router.call(request).await?;
            Ok::<_, Infallible>(response.map(|body| Answered { body, _busy: busy }))
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(header).max_buf_size(BUFFER_BYTES);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(io), service));
    let mut stopping = false;
    loop {
        tokio::select! {
            // What goes wrong on a connection is the other end's business.
            _ = connection.as_mut() => return,
            () = place.held.leave.notified() => return,
            _ = stopped.wait_for(|stopped| *stopped), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// A connection that has a place.
#[derive(Debug)]
struct Held {
    /// The address, or of an IPv6 one its network: that is what one subscriber has.
    network: IpAddr,
    /// Requests that are being answered.
    busy: AtomicU32,
    /// Whether it has ever asked anything.
    known: AtomicBool,
    leave: Notify,
}

/// The connections that there are, the oldest first.
#[derive(Debug)]
struct Connections {
    held: Mutex<(u64, BTreeMap<u64, Arc<Held>>)>,
    /// Somebody has gone, or is no longer busy.
    changed: Notify,
    most: usize,
    most_of_one: usize,
    free: Vec<IpNet>,
}

/// A place among the connections, until it is dropped.
#[derive(Debug)]
struct Place {
    connections: Arc<Connections>,
    id: u64,
    held: Arc<Held>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().1.remove(&self.id);
        self.connections.changed.notify_one();
    }
}

impl Connections {
    fn new(config: &HttpConfig, free: Vec<IpNet>) -> Self {
        // Journal, record and broker need descriptors too.
        let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let quarter = descriptors.map_or(usize::MAX, |all| usize::try_from(all / 4).unwrap_or(usize::MAX));
        let most = config.max_connections.min(quarter).max(1);
        let most_of_one = config.max_connections_of_one.min(most).max(1);
        Self { held: Mutex::default(), changed: Notify::new(), most, most_of_one, free }
    }

    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Arc<Held>>)> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place; `None` when this address has all that it may have, and is busy on each.
    async fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let bound = !address.is_loopback() && !self.free.iter().any(|network| network.contains(&address));
        loop {
            match self.try_enter(subscriber(address), bound) {
                Ok(place) => return place,
                Err(()) => self.changed.notified().await,
            }
        }
    }

    /// A place now. `Err`: there is none yet.
    fn try_enter(self: &Arc<Self>, network: IpAddr, bound: bool) -> Result<Option<Place>, ()> {
        let mut guard = self.lock();
        let (next, held) = &mut *guard;
        let own = held.values().filter(|held| held.network == network).count();
        if bound && own >= self.most_of_one && !evict(held, |held| held.network == network) {
            return Ok(None);
        }
        if held.len() >= self.most && !evict(held, |_| true) {
            return Err(());
        }
        *next += 1;
        let (busy, known, leave) = (AtomicU32::new(0), AtomicBool::new(false), Notify::new());
        let one = Arc::new(Held { network, busy, known, leave });
        held.insert(*next, Arc::clone(&one));
        Ok(Some(Place { connections: Arc::clone(self), id: *next, held: one }))
    }
}

/// Makes the oldest of these that is not busy leave: first of those that never asked anything. Whether there was one.
fn evict(held: &mut BTreeMap<u64, Arc<Held>>, of: impl Fn(&Held) -> bool) -> bool {
    let waiting = held.iter().filter(|(_, held)| held.busy.load(Ordering::Relaxed) == 0 && of(held));
    let oldest = waiting.min_by_key(|(id, held)| (held.known.load(Ordering::Relaxed), **id)).map(|(id, _)| *id);
    let Some(one) = oldest.and_then(|id| held.remove(&id)) else { return false };
    one.leave.notify_one();
    true
}

/// The address, or of an IPv6 one its /64.
pub(in crate::web) fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// While it lives, the connection answers something.
#[derive(Debug)]
struct Busy(Arc<Held>);

impl Busy {
    fn begin(held: &Arc<Held>) -> Self {
        held.known.store(true, Ordering::Relaxed);
        held.busy.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(held))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body: with its last byte the connection is free again.
struct Answered {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose reads fail once nothing has moved on it for the idle time, and whose writes fail when the other end
/// reads too slowly.
struct Connection {
    stream: TcpStream,
    idle: Duration,
    deadline: Pin<Box<Sleep>>,
    stall: Duration,
    /// Since when the other end has not taken what it was sent, and how much it has taken since.
    stalled: Option<(Pin<Box<Sleep>>, usize)>,
}

impl Connection {
    fn new(stream: TcpStream, config: &HttpConfig) -> Self {
        let (idle, stall) = (config.idle_timeout, config.stall_timeout);
        Self { stream, idle, deadline: Box::pin(sleep(idle)), stall, stalled: None }
    }

    fn moved(&mut self) {
        let deadline = Instant::now() + self.idle;
        self.deadline.as_mut().reset(deadline);
    }

    /// What is to be said of a write of `wanted` bytes.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<usize>>,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Ready(Ok(taken)) => {
                self.moved();
                if let Some((_, so_far)) = &mut self.stalled {
                    *so_far += taken;
                    // All that there was, or enough of it: it reads.
                    if *taken >= wanted || *so_far >= READ_AT_LEAST {
                        self.stalled = None;
                    }
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let (deadline, _) = self.stalled.get_or_insert_with(|| (Box::pin(sleep(self.stall)), 0));
                if deadline.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        polled
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if polled.is_ready() {
            self.moved();
        } else if self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, polled, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, polled, bufs.iter().map(|buf| buf.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(most: usize, of_one: usize) -> Arc<Connections> {
        let config = HttpConfig { max_connections: most, max_connections_of_one: of_one, ..HttpConfig::default() };
        Arc::new(Connections::new(&config, vec!["10.0.0.0/8".parse().unwrap()]))
    }

    fn enter(connections: &Arc<Connections>, address: &str) -> Result<Option<Place>, ()> {
        let address: IpAddr = address.parse().unwrap();
        let bound = !address.is_loopback() && !connections.free.iter().any(|network| network.contains(&address));
        connections.try_enter(subscriber(address), bound)
    }

    fn left(place: &Place) -> bool {
        !place.connections.lock().1.contains_key(&place.id)
    }

    #[test]
    fn who_asks_nothing_makes_room_for_a_newcomer_the_oldest_first() {
        let all = connections(3, 3);
        let places: Vec<Place> = (0..3).map(|_| enter(&all, "127.0.0.1").unwrap().unwrap()).collect();
        let asks = Busy::begin(&places[0].held);
        drop(Busy::begin(&places[1].held));
        let fourth = enter(&all, "127.0.0.1").unwrap().unwrap();
        let gone: Vec<bool> = places.iter().map(left).collect();
        assert_eq!(gone, [false, false, true], "the one that never asked anything went, though it was the youngest");
        let _fifth = enter(&all, "127.0.0.1").unwrap().unwrap();
        assert!(left(&fourth) && !left(&places[1]), "and again");
        drop(asks);
        let held = (0..8).map(|_| Busy::begin(&enter(&all, "127.0.0.1").unwrap().unwrap().held));
        drop(held.collect::<Vec<_>>());
    }

    #[test]
    fn while_all_are_busy_a_newcomer_waits() {
        let all = connections(2, 2);
        let places: Vec<Place> = (0..2).map(|_| enter(&all, "127.0.0.1").unwrap().unwrap()).collect();
        let busy: Vec<Busy> = places.iter().map(|place| Busy::begin(&place.held)).collect();
        assert!(enter(&all, "127.0.0.1").is_err());
        drop(busy);
        assert!(enter(&all, "127.0.0.1").unwrap().is_some());
    }

    #[test]
    fn one_address_takes_its_share_and_no_more() {
        let all = connections(100, 2);
        let places: Vec<Place> = (0..2).map(|_| enter(&all, "192.0.2.1").unwrap().unwrap()).collect();
        let third = enter(&all, "192.0.2.1").unwrap().unwrap();
        assert!(left(&places[0]) && !left(&places[1]), "its own oldest");
        let _busy = [Busy::begin(&places[1].held), Busy::begin(&third.held)];
        assert!(enter(&all, "192.0.2.1").unwrap().is_none(), "busy on each");
        assert!(enter(&all, "192.0.2.2").unwrap().is_some(), "another address is another one");
        let mut held = Vec::new();
        for address in ["2001:db8::1", "2001:db8::2", "2001:db8::3"] {
            let place = enter(&all, address).unwrap();
            assert_eq!(place.is_some(), address != "2001:db8::3", "{address}: one subscriber's");
            held.extend(place.map(|place| (Busy::begin(&place.held), place)));
        }
    }

    #[test]
    fn where_many_are_behind_an_address_it_has_no_share_of_its_own() {
        let all = connections(100, 2);
        for address in ["127.0.0.1", "10.1.2.3"] {
            let places: Vec<Place> = (0..20).map(|_| enter(&all, address).unwrap().unwrap()).collect();
            assert!(!places.iter().any(left), "{address}");
        }
    }
}
