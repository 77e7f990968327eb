//! A server that keeps every request and answers as the test says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Status, a header and the body; no status: no answer at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) header: Option<(&'static str, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(super) fn json(body: &serde_json::Value) -> Self {
        Self { status: 200, body: body.to_string(), ..Self::default() }
    }
}

/// Answers a request that nothing was queued for.
type Usual = Arc<dyn Fn(&Got) -> Answer + Send + Sync>;

#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    got: Mutex<Vec<Got>>,
    next: Mutex<VecDeque<Answer>>,
    usual: Usual,
}

impl Receiver {
    /// One that answers as `usual` says.
    pub(super) async fn start(usual: impl Fn(&Got) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { got: Mutex::default(), next: Mutex::default(), usual: Arc::new(usual) });
        let app = Router::new().fallback(keep).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, shared }
    }

    /// One that takes everything.
    pub(super) async fn good() -> Self {
        Self::start(|_| Answer::status(204)).await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What the next requests are answered.
    pub(super) fn next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.next.lock().unwrap().extend(answers);
    }

    /// What came since the last call.
    pub(super) fn got(&self) -> Vec<Got> {
        std::mem::take(&mut *self.shared.got.lock().unwrap())
    }
}

async fn keep(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let got = Got { method, path: uri.path().to_owned(), headers, body };
    let queued = shared.next.lock().unwrap().pop_front();
    let answer = queued.unwrap_or_else(|| (shared.usual)(&got));
    shared.got.lock().unwrap().push(got);
    if answer.status == 0 {
        std::future::pending::<()>().await;
    }
    let mut response = Response::builder().status(answer.status);
    if let Some((name, value)) = answer.header {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}
