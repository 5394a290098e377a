//! From connections to answers. Whatever is sent, the worst that comes of it is the end of its own connection.

use crate::asked::Words;
use crate::body::{self, Body, Patient};
use crate::door::{self, Door};
use crate::handlers::events;
use crate::keyed;
use crate::refusal::Refusal;
use crate::routes::{self, Answer, JSON, Matched, Reply, Verb};
use crate::served::Served;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Connections at a time, those that listen to events among them.
const CONNECTIONS: usize = 64;
/// For the head of a request to come; also for the next one on the same connection.
const HEAD: Duration = Duration::from_secs(10);
const LONGEST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 64;
/// For an answer, which may have to wait for home.
const ANSWER: Duration = Duration::from_secs(60);
/// After an error that is not one connection's: there may be no descriptors left.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) async fn of_socket(served: Arc<Served>, listener: UnixListener) {
    let owner = nix::unistd::getuid().as_raw();
    loop {
        match listener.accept().await {
            // Whoever else came so far learns nothing.
            Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == owner) => connected(&served, stream, Door::Socket),
            Ok(_) => {}
            Err(_) => sleep(PAUSE).await,
        }
    }
}

pub(crate) async fn of_tcp(served: Arc<Served>, listener: TcpListener) {
    loop {
        match (listener.accept().await, listener.local_addr()) {
            (Ok((stream, _)), Ok(address)) => connected(&served, stream, Door::Tcp(address)),
            _ => sleep(PAUSE).await,
        }
    }
}

fn connected<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(served: &Arc<Served>, stream: S, door: Door) {
    let counted = served.connect();
    // One too many is answered too, so that it learns why; a flood is not.
    let full = served.connections() > CONNECTIONS;
    if served.connections() > 2 * CONNECTIONS {
        return;
    }
    let served = Arc::clone(served);
    tokio::spawn(async move {
        let service = service_fn(|request| answer(&served, door, full, request));
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(LONGEST_HEAD).max_headers(MOST_HEADERS).keep_alive(!full);
        // How it ended is between the two of them.
        server.serve_connection(TokioIo::new(Patient::new(stream)), service).await.ok();
        drop(counted);
    });
}

async fn answer(served: &Arc<Served>, door: Door, full: bool, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let answering = served.answering();
    let answered = match full {
        true => Err(Refusal::new(503, format!("{CONNECTIONS} connections are open"), "close some, or ask again in a moment").into()),
        false => found(served, door, request).await,
    };
    let mut response = match answered {
        Ok(Answered::Whole(reply)) => {
            let mut response = Response::new(Body::Whole { bytes: reply.body.into(), _answering: answering });
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(reply.media));
            if let Some(total) = reply.total {
                response.headers_mut().insert("x-total-count", HeaderValue::from(total));
            }
            response
        }
        Ok(Answered::Events(events)) => {
            let mut response = Response::new(Body::Events(events));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(routes::EVENTS));
            response
        }
        Err(Refused { refusal, verbs }) => {
            let mut response = Response::new(Body::Whole { bytes: Reply::json(&refusal.said).body.into(), _answering: answering });
            *response.status_mut() = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
            if let Ok(verbs) = HeaderValue::from_str(&verbs.join(", "))
                && !verbs.is_empty()
            {
                response.headers_mut().insert(ALLOW, verbs);
            }
            if refusal.status == 401 {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            response
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    Ok(response)
}

enum Answered {
    Whole(Reply),
    Events(mpsc::Receiver<Bytes>),
}

struct Refused {
    refusal: Refusal,
    /// What could be asked of the same address.
    verbs: Vec<&'static str>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused { refusal, verbs: Vec::new() }
    }
}

async fn found(served: &Arc<Served>, door: Door, request: Request<Incoming>) -> Result<Answered, Refused> {
    let (head, body) = request.into_parts();
    let verb = head.method.as_str();
    door::may_enter(served, door, &head.headers, verb != Verb::Get.word())?;
    let path = head.uri.path();
    let (route, parts) = match routes::find(verb, path) {
        Matched::Route(route, parts) => (route, parts),
        Matched::Nothing => {
            let error = format!("there is nothing at {}", path.escape_debug());
            return Err(Refusal::new(404, error, "GET /v1/openapi.json says what there is").into());
        }
        Matched::Verbs(verbs) => {
            let refusal = Refusal::new(405, format!("{verb} is not for {path}"), format!("use {}", verbs.join(" or ")));
            return Err(Refused { refusal, verbs });
        }
    };
    let header = |name: &str| HeaderName::try_from(name).ok().and_then(|name| head.headers.get(name)).map(HeaderValue::as_bytes);
    let (body, _large) = match route.verb {
        Verb::Get => (Vec::new(), None),
        Verb::Post => {
            // A form of a page cannot send this, so it is no page's form.
            let is_json = |media: &[u8]| {
                media.split(|b| *b == b';').next().is_some_and(|media| media.trim_ascii().eq_ignore_ascii_case(JSON.as_bytes()))
            };
            if header("content-type").is_some_and(|media| !is_json(media)) {
                return Err(Refusal::new(415, "the body is not said to be JSON", "send `Content-Type: application/json`").into());
            }
            body::read(body).await?
        }
    };
    let key = header("idempotency-key").filter(|_| route.changes);
    let key = key.map(|key| keyed::key(key, verb, &head.uri.to_string(), &body)).transpose()?;
    let words = Words { path: parts, query: head.uri.query().unwrap_or_default().to_string(), body };
    match &route.answer {
        Answer::AtOnce(handler) => Ok(Answered::Whole(handler(served, words, key)?)),
        Answer::InTime(handler) => {
            let served = Arc::clone(served);
            let working = tokio::task::spawn_blocking(move || handler(&served, words, key));
            match timeout(ANSWER, working).await {
                Ok(Ok(reply)) => Ok(Answered::Whole(reply?)),
                Ok(Err(_)) => {
                    Err(Refusal::new(500, "this went wrong within neronet", "daemon.log in home says where; please report it").into())
                }
                Err(_) => Err(Refusal::new(
                    503,
                    format!("this was not done within {} seconds", ANSWER.as_secs()),
                    "see whether it was done before asking again, or ask with an Idempotency-Key",
                )
                .into()),
            }
        }
        Answer::Events => {
            let place = events::place(served, words, header("last-event-id"))?;
            let (sender, receiver) = mpsc::channel(1);
            tokio::spawn(events::tell(Arc::clone(served), place, sender));
            Ok(Answered::Events(receiver))
        }
    }
}
