//! Listeners, connections, and what a request may cost.

use crate::config::kind::Kind;
use crate::config::property::{Property, declare};

declare! { NETWORK:
    LISTENERS = Property::served(
        "listeners",
        Kind::List,
        "PLAINTEXT://localhost:9092",
        "where the broker listens, as NAME://HOST:PORT with commas between several",
    )
    .more(
        "An empty host means all interfaces, port 0 lets the system choose. `localhost` means both loopback addresses, \
         127.0.0.1 and ::1. Kafka's own default listens on all interfaces; this one is reached from this machine only. \
         `--listen HOST:PORT` is the short form.",
    );
    ADVERTISED_LISTENERS = Property::unset(
        "advertised.listeners",
        Kind::List,
        "the addresses clients are told to connect to, as NAME://HOST:PORT",
    )
    .more(
        "Unset means automatic: every client is told the address it came in by. Needed behind a proxy or a port mapping. \
         `--advertise HOST:PORT` is the short form.",
    );
    OTTLA_HTTP_LISTEN = Property::unset(
        "ottla.http.listen",
        Kind::Text,
        "where /health and /metrics are served over HTTP, as HOST:PORT",
    )
    .more("Unset means nowhere. The metrics have the names and labels of kafka_exporter.");
    LISTENER_SECURITY_PROTOCOL_MAP = Property::served(
        "listener.security.protocol.map",
        Kind::Text,
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        "which protocol a listener name stands for, as NAME:PROTOCOL with commas between them",
    )
    .more("Only PLAINTEXT is served so far; a listener with another protocol is refused at the start.");
    CONTROLLER_LISTENER_NAMES = Property::unset(
        "controller.listener.names",
        Kind::List,
        "the names of listeners that are for controllers only; they are not opened",
    )
    .more("There are no controllers here, but with this a configuration file of Kafka's works as it is.");
    SOCKET_REQUEST_MAX_BYTES = Property::served(
        "socket.request.max.bytes",
        Kind::int(1),
        "104857600",
        "the largest request; a larger one closes the connection before it is read",
    );
    CONNECTIONS_MAX_IDLE_MS = Property::served(
        "connections.max.idle.ms",
        Kind::LONG,
        "600000",
        "how long a connection may be silent before it is closed, in milliseconds",
    )
    .more("A connection that waits for an answer is not silent. A negative value never closes any.");
    MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS = Property::served(
        "max.incremental.fetch.session.cache.slots",
        Kind::int(0),
        "1000",
        "how many incremental fetch sessions are kept",
    )
    .more("Consumers without one send their whole list of partitions with every fetch.");
    FETCH_MAX_BYTES = Property::served(
        "fetch.max.bytes",
        Kind::int(1024),
        "57671680",
        "the most record bytes in one answer to a fetch, whatever the client asks for",
    )
    .more("One whole batch is always returned, so that a consumer can go on.");
    SOCKET_LISTEN_BACKLOG_SIZE = Property::served(
        "socket.listen.backlog.size",
        Kind::int(1),
        "50",
        "how many connections may wait to be accepted",
    )
    .not_yet();
    SOCKET_SEND_BUFFER_BYTES = Property::served(
        "socket.send.buffer.bytes",
        Kind::INT,
        "102400",
        "size of a connection's send buffer in the system",
    )
    .not_yet();
    SOCKET_RECEIVE_BUFFER_BYTES = Property::served(
        "socket.receive.buffer.bytes",
        Kind::INT,
        "102400",
        "size of a connection's receive buffer in the system",
    )
    .not_yet();
    MAX_CONNECTIONS =
        Property::served("max.connections", Kind::int(1), "2147483647", "how many connections may be open; further ones wait until one is closed").while_running();
    MAX_CONNECTIONS_PER_IP = Property::served(
        "max.connections.per.ip",
        Kind::int(0),
        "2147483647",
        "how many connections may be open from one address; further ones are closed at once. 0 needs overrides",
    )
    .while_running();
    MAX_CONNECTIONS_PER_IP_OVERRIDES = Property::served(
        "max.connections.per.ip.overrides",
        Kind::AddressCounts,
        "",
        "other limits for some addresses; names are not resolved",
    )
    .while_running();
    MAX_CONNECTION_CREATION_RATE = Property::served(
        "max.connection.creation.rate",
        Kind::int(1),
        "2147483647",
        "how many connections may be opened in a second; further ones wait",
    )
    .while_running();
    QUOTA_WINDOW_NUM =
        Property::served("quota.window.num", Kind::int(1), "11", "over how many windows a rate is taken for a client's quota");
    QUOTA_WINDOW_SIZE_SECONDS =
        Property::served("quota.window.size.seconds", Kind::int(1), "1", "how long each of these windows is");
    CONTROLLER_QUOTA_WINDOW_NUM = Property::served(
        "controller.quota.window.num",
        Kind::int(1),
        "11",
        "how many windows' worth of partitions may be created or deleted at once under controller_mutation_rate",
    );
    CONTROLLER_QUOTA_WINDOW_SIZE_SECONDS =
        Property::served("controller.quota.window.size.seconds", Kind::int(1), "1", "how long each of these windows is");
    MAX_REQUEST_PARTITION_SIZE_LIMIT = Property::served(
        "max.request.partition.size.limit",
        Kind::int(1),
        "2000",
        "how many partitions one answer to DescribeTopicPartitions may have",
    );
    AUTHORIZER_CLASS_NAME = Property::served(
        "authorizer.class.name",
        Kind::Text,
        "",
        "rights are not checked yet: every client may do everything",
    )
    .not_yet();
}
