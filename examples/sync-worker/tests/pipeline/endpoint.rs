//! An endpoint that takes calls as Segment does, remembers them, and fails in every way on demand.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, LOCATION, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::{Sleep, sleep};
use tokio_rustls::TlsAcceptor;

/// `POST /v1/batch`, on loopback. Ends with the value.
pub struct Endpoint {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
    /// Kept running.
    runtime: Option<tokio::runtime::Runtime>,
}

/// What goes wrong with a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// All is well, and that is said after this long.
    Slow(Duration),
    /// Nothing is taken, and this is answered.
    Status(u16),
    /// The batch is taken, and this is answered.
    TakenThen(u16),
    /// 429, with this `Retry-After`.
    RetryAfter(&'static str),
    /// The connection is cut before the request has been read.
    CutRequest,
    /// The batch is taken, and the connection cut before there is an answer.
    CutBeforeAnswer,
    /// The batch is taken, and the connection cut in the middle of the answer.
    CutAnswer,
    /// The batch is taken, and the answer has no end.
    Endless,
    /// The batch is taken, and the answer's end never comes.
    Unfinished,
    /// Nothing is taken, and another address is named.
    Redirect(String),
}

/// A post that was answered, or was to be.
#[derive(Debug, Clone)]
pub struct Post {
    pub at: Instant,
    pub fault: Option<Fault>,
    /// Of the body, once it is unpacked.
    pub bytes: usize,
    /// The `messageId`s in it, in their order.
    pub message_ids: Vec<String>,
    /// Counts connections: posts of one share it.
    pub connection: usize,
    pub is_taken: bool,
}

type Refuses = Box<dyn Fn(&Value) -> bool + Send>;

struct State {
    write_key: String,
    /// Of the next posts, one each.
    next: VecDeque<Fault>,
    /// Of all posts after those.
    always: Option<Fault>,
    refuses: Option<Refuses>,
    posts: Vec<Post>,
    taken: Vec<Value>,
    connections: usize,
    /// Posts to other paths, with other methods or keys.
    strays: usize,
}

impl Endpoint {
    /// Lets those in alone who have the key; without one, those who show none.
    pub fn start(write_key: &str) -> Self {
        Self::start_with("http", write_key, None)
    }

    /// Over TLS, by the certificate that [`make_certificates`](crate::certificates::make_certificates)
    /// has made in this directory.
    pub fn start_secure(write_key: &str, directory: &Path) -> Self {
        let certificates = CertificateDer::pem_file_iter(directory.join("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(directory.join("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates.map(Result::unwrap).collect(), key)
            .unwrap();
        Self::start_with("https", write_key, Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn start_with(scheme: &'static str, write_key: &str, tls: Option<TlsAcceptor>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let state = Arc::new(Mutex::new(State {
            write_key: write_key.to_owned(),
            next: VecDeque::new(),
            always: None,
            refuses: None,
            posts: Vec::new(),
            taken: Vec::new(),
            connections: 0,
            strays: 0,
        }));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(listen(listener, tls, state.clone()));
        Self { address, scheme, state, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("{}://localhost:{}/v1/batch", self.scheme, self.address.port())
    }

    /// What goes wrong with the next posts, one each, before what always does.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().next.extend(faults);
    }

    /// What goes wrong with all posts from now on, if anything.
    pub fn fail(&self, fault: Option<Fault>) {
        self.state().always = fault;
    }

    /// Refuses batches that hold a call of which this holds, with 400.
    pub fn refuse(&self, refuses: impl Fn(&Value) -> bool + Send + 'static) {
        self.state().refuses = Some(Box::new(refuses));
    }

    /// Takes another key from now on.
    pub fn take_key(&self, write_key: &str) {
        write_key.clone_into(&mut self.state().write_key);
    }

    /// The calls that were taken, in the order in which they were: whether or not the sender was told.
    pub fn taken(&self) -> Vec<Value> {
        self.state().taken.clone()
    }

    /// Those, which are forgotten here: for who looks every now and then, for long.
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.state().taken)
    }

    /// How often each `messageId` was taken.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.state().taken {
            *counts.entry(message_id(call)).or_default() += 1;
        }
        counts
    }

    pub fn posts(&self) -> Vec<Post> {
        self.state().posts.clone()
    }

    /// How many requests came that were no posts of calls, or had another key.
    pub fn strays(&self) -> usize {
        self.state().strays
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn listen(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (tls, state) = (tls.clone(), state.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, state).await,
                // Who does not trust the certificate is gone again.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, state).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<Mutex<State>>) {
    let connection = {
        let mut state = state.lock().unwrap();
        state.connections += 1;
        state.connections
    };
    let service = service_fn(move |request| answer(request, state.clone(), connection));
    // An error is one of the faults.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The connection is cut.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut")
    }
}

impl std::error::Error for Cut {}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
    connection: usize,
) -> Result<Response<Answer>, Cut> {
    let at = Instant::now();
    let fault = {
        let mut state = state.lock().unwrap();
        let expected = format!("Basic {}", STANDARD.encode(format!("{}:", state.write_key)));
        let is_post = request.method() == "POST" && request.uri().path() == "/v1/batch";
        let has_key = match request.headers().get(AUTHORIZATION) {
            Some(key) => key == &*expected,
            None => state.write_key.is_empty(),
        };
        if !is_post || !has_key {
            state.strays += 1;
            return Ok(plain(if is_post { 401 } else { 404 }));
        }
        state.next.pop_front().or_else(|| state.always.clone())
    };
    if fault == Some(Fault::CutRequest) {
        let post = Post { at, fault, bytes: 0, message_ids: Vec::new(), connection, is_taken: false };
        state.lock().unwrap().posts.push(post);
        return Err(Cut);
    }
    let pause = match &fault {
        Some(Fault::Slow(pause)) => *pause,
        _ => Duration::ZERO,
    };
    let is_packed = request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    let body = request.into_body().collect().await.map_err(|_| Cut)?.to_bytes();
    let body = if is_packed { unpacked(&body) } else { body.to_vec() };
    let calls = match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(mut object)) => match object.remove("batch") {
            Some(Value::Array(calls)) => calls,
            _ => return Ok(plain(400)),
        },
        _ => return Ok(plain(400)),
    };
    let answer = state.lock().unwrap().answer(at, fault, body.len(), calls, connection);
    sleep(pause).await;
    answer
}

impl State {
    /// Takes the calls or doesn't, and says so or something else.
    fn answer(
        &mut self,
        at: Instant,
        fault: Option<Fault>,
        bytes: usize,
        calls: Vec<Value>,
        connection: usize,
    ) -> Result<Response<Answer>, Cut> {
        let is_refused = self.refuses.as_ref().is_some_and(|refuses| calls.iter().any(refuses));
        // Segment's own limits.
        let is_large = bytes > 500_000 || calls.len() > 2_500;
        let takes_none = matches!(fault, Some(Fault::Status(_) | Fault::RetryAfter(_) | Fault::Redirect(_)));
        let is_taken = !takes_none && !is_refused && !is_large;
        let message_ids = calls.iter().map(message_id).collect();
        self.posts.push(Post { at, fault: fault.clone(), bytes, message_ids, connection, is_taken });
        if is_taken {
            self.taken.extend(calls);
        }
        match fault {
            Some(Fault::Status(status)) => Ok(plain(status)),
            Some(Fault::RetryAfter(pause)) => Ok(with(plain(429), RETRY_AFTER, pause)),
            Some(Fault::Redirect(url)) => Ok(with(plain(307), LOCATION, &url)),
            _ if !is_taken => Ok(plain(400)),
            Some(Fault::TakenThen(status)) => Ok(plain(status)),
            Some(Fault::CutBeforeAnswer) => Err(Cut),
            Some(Fault::CutAnswer) => Ok(Response::new(Answer::Cut(None))),
            Some(Fault::Endless) => Ok(Response::new(Answer::Endless)),
            Some(Fault::Unfinished) => Ok(Response::new(Answer::Unfinished)),
            None | Some(Fault::Slow(_) | Fault::CutRequest) => Ok(plain(200)),
        }
    }
}

fn message_id(call: &Value) -> String {
    call["messageId"].as_str().unwrap_or_default().to_owned()
}

fn unpacked(body: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    // What can't be unpacked is no batch either.
    let _ = GzDecoder::new(body).read_to_end(&mut unpacked);
    unpacked
}

fn plain(status: u16) -> Response<Answer> {
    let text = if status < 300 { r#"{"success":true}"# } else { r#"{"success":false}"# };
    let mut response = Response::new(Answer::Whole(Some(Bytes::from_static(text.as_bytes()))));
    *response.status_mut() = status.try_into().unwrap();
    response
}

fn with(mut response: Response<Answer>, name: hyper::header::HeaderName, value: &str) -> Response<Answer> {
    response.headers_mut().insert(name, value.parse().unwrap());
    response
}

enum Answer {
    Whole(Option<Bytes>),
    /// Cut once what it begins with is on its way.
    Cut(Option<Pin<Box<Sleep>>>),
    Endless,
    Unfinished,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let filler = || Some(Ok(Frame::data(Bytes::from_static(&[b' '; 65_536]))));
        match &mut *self {
            Self::Whole(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Cut(pause @ None) => {
                *pause = Some(Box::pin(sleep(Duration::from_millis(100))));
                Poll::Ready(filler())
            }
            Self::Cut(Some(pause)) => pause.as_mut().poll(context).map(|()| Some(Err(Cut))),
            Self::Endless => Poll::Ready(filler()),
            Self::Unfinished => Poll::Pending,
        }
    }
}
