//! `ottla.http.listen`: `/health` for whoever keeps the process alive, and `/metrics` for Prometheus, with the names and labels of
//! kafka_exporter, so that its dashboards work as they are.

mod metrics;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::{Broker, explain};

/// So many connections at the same time; more wait until one is closed.
const MOST_CONNECTIONS: usize = 256;
/// How long a client may take to send its request's head.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may last in all: who does not read its answers must not keep others out.
const LIFETIME: Duration = Duration::from_secs(30);
/// How long to wait when the system has no file descriptor for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers until the broker stops.
pub(crate) async fn serve(broker: Arc<Broker>, socket: TcpListener) {
    let mut connections = JoinSet::new();
    let one_page = Arc::new(Mutex::new(()));
    let stop = broker.stop.wait();
    tokio::pin!(stop);
    loop {
        let has_room = connections.len() < MOST_CONNECTIONS;
        tokio::select! {
            () = &mut stop => return,
            Some(_) = connections.join_next() => {}
            accepted = socket.accept(), if has_room => match accepted {
                Ok((stream, _)) => drop(connections.spawn(answer_all(broker.clone(), one_page.clone(), stream))),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

async fn answer_all(broker: Arc<Broker>, one_page: Arc<Mutex<()>>, stream: TcpStream) {
    let service = service_fn(|request: Request<Incoming>| {
        let (broker, one_page) = (broker.clone(), one_page.clone());
        async move { Ok::<_, Infallible>(answer(&broker, &one_page, request.method(), request.uri().path()).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // A client that goes away or speaks something else is its own affair.
    let served = http.serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(LIFETIME, served).await;
}

async fn answer(broker: &Arc<Broker>, one_page: &Mutex<()>, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match path {
        "/health" if broker.stop.is_requested() => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        "/health" => match broker.failure.reason() {
            None => text(StatusCode::OK, "ok\n"),
            Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{reason}\n")),
        },
        "/metrics" => match one_at_a_time(broker, one_page).await {
            Ok(page) => {
                let mut response = text(StatusCode::OK, &page);
                let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, format);
                response
            }
            Err((_, sentence)) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{sentence}\n")),
        },
        _ => text(StatusCode::NOT_FOUND, "there are /health and /metrics\n"),
    }
}

/// A page takes memory and a look at every group: they are made one after the other.
async fn one_at_a_time(broker: &Arc<Broker>, one_page: &Mutex<()>) -> Result<String, explain::Failure> {
    let _turn = one_page.lock().await;
    metrics::page(broker).await
}

fn text(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
