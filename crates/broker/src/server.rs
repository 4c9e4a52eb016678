//! From a configuration to a broker that answers, and back.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::config::{BrokerConfig, Listener as ConfiguredListener};
use crate::context::{Connection, Listener};
use crate::observer::BrokerObserver;
use crate::places::{Admission, Place, Places};
use crate::{Broker, Identity, Parts, connection};

/// Connections that the system holds ready for us.
const BACKLOG: i32 = 1024;
/// How long requests that are being answered may still take when the broker stops.
const DRAIN_LIMIT: Duration = Duration::from_millis(300);
/// How long to wait when the system has no file descriptor for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// With port 0 both loopbacks get the same port; the second one may be taken, then another pair is tried.
const PORT_PAIR_ATTEMPTS: usize = 16;

/// Why a broker could not be started. The text is one sentence for the user: what, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// A broker that answers requests.
#[derive(Debug)]
pub struct RunningBroker {
    broker: Arc<Broker>,
    addresses: Vec<String>,
    http_addresses: Vec<SocketAddr>,
    accepting: Vec<JoinHandle<()>>,
}

/// Starts a broker: loads its groups, binds its listeners, and answers from the moment this resolves.
///
/// # Errors
/// A listener's address cannot be had, or the groups cannot be loaded.
pub async fn start(identity: Identity, config: BrokerConfig, parts: Parts) -> Result<RunningBroker, StartError> {
    start_bounded(identity, config, parts, usize::MAX).await
}

/// [`start`], with at most so many connections open at the same time. Further ones are closed at once: each takes a file
/// descriptor, and the engine needs some for its files.
///
/// # Errors
/// As for [`start`].
pub async fn start_bounded(
    identity: Identity,
    config: BrokerConfig,
    parts: Parts,
    max_connections: usize,
) -> Result<RunningBroker, StartError> {
    let bound = bind_all(&config)?;
    let http = bind_http(&config)?;
    let broker = Arc::new(Broker::new(identity, config, parts));
    broker.engine().subscribe(Arc::new(BrokerObserver::new(&broker)));
    broker.groups.start(&broker).await.map_err(StartError)?;
    broker.transactions.start(&broker).await.map_err(StartError)?;
    let mut addresses = Vec::new();
    let mut accepting = Vec::new();
    let places = Arc::new(Places::new(max_connections));
    for Bound { listener, sockets } in bound {
        addresses.push(display_address(&listener));
        let listener = Arc::new(listener);
        for socket in sockets {
            accepting.push(tokio::spawn(accept(broker.clone(), listener.clone(), socket, places.clone())));
        }
    }
    let mut http_addresses = Vec::new();
    for socket in http {
        http_addresses.extend(socket.local_addr());
        accepting.push(tokio::spawn(crate::http::serve(broker.clone(), socket)));
    }
    Ok(RunningBroker { broker, addresses, http_addresses, accepting })
}

impl RunningBroker {
    /// Where it listens, one `HOST:PORT` for each listener, with the ports that the system chose.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Where it serves `/health` and `/metrics`; nowhere unless `ottla.http.listen` says so.
    pub fn http_addresses(&self) -> &[SocketAddr] {
        &self.http_addresses
    }

    /// The broker itself.
    pub fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// How many topics there are, without Kafka's internal ones.
    pub fn topic_count(&self) -> usize {
        let metadata = self.broker.engine().metadata();
        metadata.topics().filter(|topic| !crate::topics::is_internal(&topic.name)).count()
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.broker.groups.group_count()
    }

    /// Resolves with a sentence when the broker cannot go on; the process shall end with exit code 1.
    pub async fn failed(&self) -> String {
        self.broker.failure.wait().await
    }

    /// Stops: accepts nothing more, lets requests under way finish for a moment, and closes the engine.
    ///
    /// # Errors
    /// What the engine says when its files cannot be closed in order.
    pub async fn shutdown(self) -> Result<(), String> {
        self.broker.stop.request();
        for accepting in self.accepting {
            let _ = accepting.await;
        }
        self.broker.engine().close().await.map_err(|unavailable| unavailable.to_string())
    }
}

fn display_address(listener: &Listener) -> String {
    match listener.host.as_deref() {
        None => format!("0.0.0.0:{}", listener.port),
        Some(host) if host.contains(':') => format!("[{host}]:{}", listener.port),
        Some(host) => format!("{host}:{}", listener.port),
    }
}

/// A listener with its sockets; `localhost` has one for each loopback.
struct Bound {
    listener: Listener,
    sockets: Vec<TcpListener>,
}

fn bind_all(config: &BrokerConfig) -> Result<Vec<Bound>, StartError> {
    let settings = config.settings();
    let mut all = Vec::new();
    for configured in &settings.listeners {
        let advertised = settings.advertised_listeners.iter().find(|advertised| advertised.name == configured.name);
        let advertised = advertised.and_then(|listener| Some((listener.host.clone()?, listener.port)));
        let sockets = bind(configured).map_err(|(address, error)| refused(configured, address, &error))?;
        let port = sockets.first().and_then(|socket| socket.local_addr().ok()).map_or(0, |address| address.port());
        let listener = Listener {
            name: configured.name.clone(),
            host: configured.host.clone(),
            port,
            both_loopbacks: is_localhost(configured) && sockets.len() == 2,
            advertised: advertised.map(|(host, told)| (host, if told == 0 { port } else { told })),
        };
        all.push(Bound { listener, sockets });
    }
    Ok(all)
}

/// The sockets of `ottla.http.listen`.
fn bind_http(config: &BrokerConfig) -> Result<Vec<TcpListener>, StartError> {
    let Some((host, port)) = config.settings().http_listen.clone() else { return Ok(Vec::new()) };
    let listener = ConfiguredListener { name: "http".to_owned(), host, port };
    bind(&listener).map_err(|(address, error)| {
        let place = address.map_or_else(|| listener.to_string(), |address| address.to_string());
        StartError(format!("cannot serve HTTP on {place}: {error}; choose another ottla.http.listen"))
    })
}

fn is_localhost(listener: &ConfiguredListener) -> bool {
    listener.host.as_deref().is_some_and(|host| host.eq_ignore_ascii_case("localhost"))
}

type BindFailure = (Option<SocketAddr>, io::Error);

fn bind(listener: &ConfiguredListener) -> Result<Vec<TcpListener>, BindFailure> {
    if is_localhost(listener) {
        return bind_loopbacks(listener.port);
    }
    let Some(host) = listener.host.as_deref() else { return bind_any(listener.port) };
    let mut last = (None, io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    let addresses = std::net::ToSocketAddrs::to_socket_addrs(&(host, listener.port)).map_err(|error| (None, error))?;
    for address in addresses {
        match bind_one(address) {
            Ok(socket) => return Ok(vec![socket]),
            Err(error) => last = (Some(address), error),
        }
    }
    Err(last)
}

/// All interfaces: both families on one socket where the system has IPv6.
fn bind_any(port: u16) -> Result<Vec<TcpListener>, BindFailure> {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    match bind_one(both) {
        Ok(socket) => Ok(vec![socket]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err((Some(both), error)),
        Err(_) => bind_one(v4).map(|socket| vec![socket]).map_err(|error| (Some(v4), error)),
    }
}

fn bind_loopbacks(port: u16) -> Result<Vec<TcpListener>, BindFailure> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let first = bind_one(v4).map_err(|error| (Some(v4), error))?;
        let chosen = first.local_addr().map_err(|error| (Some(v4), error))?.port();
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, chosen));
        match bind_one(v6) {
            Ok(second) => return Ok(vec![first, second]),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if port != 0 || attempt == PORT_PAIR_ATTEMPTS {
                    return Err((Some(v6), error));
                }
            }
            Err(error) => {
                tracing::warn!("listening on 127.0.0.1:{chosen} only: this system has no ::1 ({error})");
                return Ok(vec![first]);
            }
        }
    }
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if let IpAddr::V6(ip) = address.ip() {
        // One socket for both families only where all interfaces were asked for.
        socket.set_only_v6(!ip.is_unspecified())?;
    }
    // A restarted broker gets its port back while old connections still time out. An active listener is refused all the same.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn refused(listener: &ConfiguredListener, address: Option<SocketAddr>, error: &io::Error) -> StartError {
    let place = address.map_or_else(|| listener.to_string(), |address| address.to_string());
    StartError(match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {} is taken: another program listens on {place}; stop it, or choose another port with --listen HOST:PORT",
            listener.port
        ),
        io::ErrorKind::PermissionDenied => {
            format!("this user may not listen on {place}; choose a port above 1023 with --listen HOST:PORT")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{place} is no address of this machine; choose another with --listen HOST:PORT")
        }
        _ => format!("cannot listen on {place}: {error}; choose another address with --listen HOST:PORT"),
    })
}

/// Accepts connections until the broker stops, then lets them finish.
async fn accept(broker: Arc<Broker>, listener: Arc<Listener>, socket: TcpListener, places: Arc<Places>) {
    let mut connections = JoinSet::new();
    let stop = broker.stop.wait();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = accept_one(&broker, &socket, &places) => match accepted {
                Ok((stream, peer)) => match places.take(&broker, peer) {
                    Admission::Admitted(place) => open(&broker, &listener, (stream, peer, place), &mut connections),
                    Admission::Throttled(place, pause) => {
                        connections.spawn(async move {
                            tokio::time::sleep(pause).await;
                            drop((stream, place));
                        });
                    }
                    Admission::Refused => {}
                },
                Err(error) => {
                    if let Some(more) = places.may_say(broker.monotonic_ms()) {
                        tracing::warn!("cannot accept a connection ({more} more since this was last said): {error}");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => report_panic(ended),
        }
    }
    drop(socket);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_LIMIT, drained).await.is_err() {
        tracing::debug!("closing {} connections with requests that still wait", connections.len());
        connections.shutdown().await;
    }
}

/// The next connection, once there may be one more.
async fn accept_one(broker: &Broker, socket: &TcpListener, places: &Places) -> io::Result<(TcpStream, SocketAddr)> {
    places.may_accept(broker).await;
    socket.accept().await
}

fn open(
    broker: &Arc<Broker>,
    listener: &Arc<Listener>,
    (stream, peer, place): (TcpStream, SocketAddr, Place),
    connections: &mut JoinSet<()>,
) {
    // A connection that fails here is gone already; its reads will say so.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let connection = Arc::new(Connection::new(broker.clone(), listener.clone(), peer, local));
    let serving = connection::serve(stream, connection);
    connections.spawn(async move {
        serving.await;
        drop(place);
    });
}

/// Handlers' panics are caught closer to them; this is for the rest.
fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection's task panicked, which is a bug of the broker: {error}");
    }
}
