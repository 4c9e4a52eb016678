//! Who asks, over which listener, from where: what every handler gets besides its request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::Broker;
use crate::fetch::ReaderIdentity;
use crate::stop::Stop;

/// On whose behalf a request acts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Principal {
    /// The kind of name, `User` for all that exist now.
    pub(crate) kind: &'static str,
    /// The name.
    pub(crate) name: Arc<str>,
}

impl Principal {
    /// Whoever comes over a listener without authentication.
    pub(crate) fn anonymous() -> Self {
        Principal { kind: "User", name: Arc::from("ANONYMOUS") }
    }
}

/// What a client wants to do with a resource; Kafka's own ACL operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(
    dead_code,
    reason = "the complete set of Kafka's operations, so that no handler has to squeeze into another one"
)]
pub(crate) enum Operation {
    /// Fetch, read commits, join groups.
    Read,
    /// Produce.
    Write,
    /// Create topics.
    Create,
    /// Delete topics, records or groups.
    Delete,
    /// Change a resource.
    Alter,
    /// See that it exists and how it is.
    Describe,
    /// What only a cluster does.
    ClusterAction,
    /// See its configs.
    DescribeConfigs,
    /// Change its configs.
    AlterConfigs,
    /// Produce with sequence numbers.
    IdempotentWrite,
}

/// What an operation acts on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(dead_code, reason = "the complete set of Kafka's resource kinds")]
pub(crate) enum Resource<'a> {
    /// A topic by name.
    Topic(&'a str),
    /// A group by id.
    Group(&'a str),
    /// The whole cluster.
    Cluster,
    /// A transactional id.
    TransactionalId(&'a str),
}

/// One of the broker's listeners.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Listener {
    /// Kafka's listener name, as in `PLAINTEXT://localhost:9092`.
    pub(crate) name: String,
    /// The host as it was asked for; `None` for all interfaces.
    pub(crate) host: Option<String>,
    /// The port it is bound to.
    pub(crate) port: u16,
    /// It is bound on 127.0.0.1 and on ::1, so that `localhost` reaches it whichever a client tries first.
    pub(crate) both_loopbacks: bool,
    /// What clients are told instead of the address they connected to (`advertised.listeners`).
    pub(crate) advertised: Option<(String, u16)>,
}

/// A client library's name and version, told in ApiVersions since version 3 (KIP-511).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Software {
    /// As in `apache-kafka-java`.
    pub(crate) name: String,
    /// As in `4.3.1`.
    pub(crate) version: String,
}

/// What is the same for all requests of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) broker: Arc<Broker>,
    pub(crate) principal: Principal,
    pub(crate) listener: Arc<Listener>,
    /// The peer's address.
    pub(crate) peer: SocketAddr,
    /// Our own address as the client reached it.
    pub(crate) local: SocketAddr,
    pub(crate) software: OnceLock<Software>,
    /// Requests whose effect is still to come; while there is one, no later request of the connection starts.
    order_holds: AtomicUsize,
    /// Requested once the peer sends nothing more; it may still read.
    pub(crate) input_ended: Stop,
    /// Its number for the groups, once it has spoken for a member of one.
    member_connection: OnceLock<u64>,
}

impl Connection {
    /// A connection that has not said anything yet.
    pub(crate) fn new(broker: Arc<Broker>, listener: Arc<Listener>, peer: SocketAddr, local: SocketAddr) -> Self {
        Connection {
            broker,
            principal: Principal::anonymous(),
            listener,
            peer,
            local,
            software: OnceLock::new(),
            order_holds: AtomicUsize::new(0),
            input_ended: Stop::default(),
            member_connection: OnceLock::new(),
        }
    }

    /// The peer has closed it, or the network did: members that were heard of over it may be gone. What the broker's own stop ends
    /// says nothing about them.
    pub(crate) fn lost(&self) {
        if let Some(number) = self.member_connection.get().filter(|_| !self.broker.stop.is_requested()) {
            self.broker.groups.connection_lost(*number);
        }
    }

    /// Whether an effect is still to come that later requests must not overtake.
    pub(crate) fn order_is_held(&self) -> bool {
        self.order_holds.load(Ordering::Acquire) > 0
    }
}

/// What a handler may use. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    connection: Arc<Connection>,
    client_id: Option<Arc<str>>,
}

impl Context {
    /// The context of one request.
    pub(crate) fn new(connection: Arc<Connection>, client_id: Option<Arc<str>>) -> Self {
        Context { connection, client_id }
    }

    /// The broker.
    pub(crate) fn broker(&self) -> &Arc<Broker> {
        &self.connection.broker
    }

    /// On whose behalf the request acts.
    pub(crate) fn principal(&self) -> &Principal {
        &self.connection.principal
    }

    /// The listener the client came over.
    pub(crate) fn listener(&self) -> &Listener {
        &self.connection.listener
    }

    /// The request's `client.id`, empty if it has none.
    pub(crate) fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or_default()
    }

    /// The client library's name and version, if it told.
    pub(crate) fn software(&self) -> Option<&Software> {
        self.connection.software.get()
    }

    /// Remembers the client library's name and version; the first telling counts.
    pub(crate) fn set_software(&self, software: Software) {
        let _ = self.connection.software.set(software);
    }

    /// The client's address as Kafka writes it in group descriptions: a slash and the IP address.
    pub(crate) fn client_host(&self) -> String {
        format!("/{}", self.connection.peer.ip().to_canonical())
    }

    /// What the client says of itself, as far as its fetches are concerned.
    pub(crate) fn reader_identity(&self) -> Arc<ReaderIdentity> {
        let address = self.connection.peer.ip().to_canonical();
        Arc::new(ReaderIdentity::new(self.client_id.as_ref(), address, self.software().cloned()))
    }

    /// The address the client connected to.
    pub(crate) fn local(&self) -> SocketAddr {
        self.connection.local
    }

    /// The connection's number for the groups: it speaks for a member.
    pub(crate) fn member_connection(&self) -> u64 {
        let connection = &self.connection;
        *connection.member_connection.get_or_init(|| connection.broker.groups.number_connection())
    }

    /// Requested once the client sends nothing more: it has gone, or at least asks for nothing else.
    pub(crate) fn input_ended(&self) -> &Stop {
        &self.connection.input_ended
    }

    /// Whether the principal may do this. The one place where rights will be looked up; now everybody may do everything.
    pub(crate) fn authorize(&self, operation: Operation, resource: Resource<'_>) -> bool {
        let _ = (self.principal(), operation, resource);
        true
    }

    /// Keeps later requests of this connection from starting until the guard is dropped. For a handler that must wait
    /// *before* its effect and must not be overtaken.
    pub(crate) fn hold_order(&self) -> OrderHold {
        self.connection.order_holds.fetch_add(1, Ordering::AcqRel);
        OrderHold(self.connection.clone())
    }
}

/// While it lives, no later request of the connection starts.
#[derive(Debug)]
pub(crate) struct OrderHold(Arc<Connection>);

impl Drop for OrderHold {
    fn drop(&mut self) {
        self.0.order_holds.fetch_sub(1, Ordering::AcqRel);
    }
}
