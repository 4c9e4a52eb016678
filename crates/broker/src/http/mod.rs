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
use tokio::task::JoinSet;

use crate::Broker;

/// So many connections at the same time; more wait until one is closed.
const MOST_CONNECTIONS: usize = 64;
/// How long a client may take to send its request's head.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait when the system has no file descriptor for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers until the broker stops.
pub(crate) async fn serve(broker: Arc<Broker>, socket: TcpListener) {
    let mut connections = JoinSet::new();
    let stop = broker.stop.wait();
    tokio::pin!(stop);
    loop {
        let has_room = connections.len() < MOST_CONNECTIONS;
        tokio::select! {
            () = &mut stop => return,
            Some(_) = connections.join_next() => {}
            accepted = socket.accept(), if has_room => match accepted {
                Ok((stream, _)) => drop(connections.spawn(answer_all(broker.clone(), stream))),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

async fn answer_all(broker: Arc<Broker>, stream: TcpStream) {
    let service = service_fn(|request: Request<Incoming>| {
        let broker = broker.clone();
        async move { Ok::<_, Infallible>(answer(&broker, request.method(), request.uri().path()).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // A client that goes away or speaks something else is its own affair.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(broker: &Arc<Broker>, method: &Method, path: &str) -> Response<Full<Bytes>> {
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
        "/metrics" => match metrics::page(broker).await {
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

fn text(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
