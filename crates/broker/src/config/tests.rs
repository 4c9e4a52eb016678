use std::collections::BTreeSet;
use std::path::Path;

use super::*;

fn layers(file: &str, sets: &[&str]) -> Result<Layers, ConfigError> {
    let mut layers = Layers::default();
    layers.file("server.properties", file.as_bytes())?;
    for set in sets {
        layers.set(set)?;
    }
    Ok(layers)
}

#[track_caller]
fn check_error(file: &str, sets: &[&str], expected: &str) {
    let error = layers(file, sets).and_then(Layers::resolve).expect_err("a wrong configuration");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn every_default_fits_its_property() {
    for property in table::all() {
        let Some(default) = property.default else { continue };
        assert_eq!(property.kind.check(default).as_deref(), Ok(default), "{}", property.name);
        assert!(!property.help.is_empty() && !property.help.ends_with('.'), "{}", property.name);
    }
}

#[test]
fn every_name_is_declared_once() {
    let mut names = BTreeSet::new();
    for property in table::all() {
        assert!(names.insert(property.name), "{} is declared twice", property.name);
        for coarser in property.coarser {
            assert!(table::find(coarser.name).is_some(), "{}", coarser.name);
        }
    }
}

/// The list is what Kafka 4.3.1 itself reports: one name and type a line, by `KafkaConfig.configDef()`.
#[test]
fn all_properties_of_kafka_are_known_with_their_types() {
    let kafka: BTreeSet<(&str, i8)> = include_str!("kafka-4.3.1.txt")
        .lines()
        .map(|line| line.split_once(' ').expect("name and type"))
        .map(|(name, code)| (name, code.parse().expect("a type code")))
        .collect();
    let ours: BTreeSet<_> = table::all()
        .filter(|property| !property.name.starts_with("ottla."))
        .map(|property| (property.name, property.kind.wire_code()))
        .collect();
    let differ = |name: &str| ["log.dir", "authorizer.class.name"].contains(&name);
    let different: Vec<_> = kafka.symmetric_difference(&ours).filter(|(name, _)| !differ(name)).collect();
    assert!(different.is_empty(), "{different:?}");
}

#[test]
fn defaults_give_a_broker_on_both_loopbacks() {
    let config = BrokerConfig::default();
    let settings = config.settings();
    let listener = Listener { name: "PLAINTEXT".into(), host: Some("localhost".into()), port: 9092 };
    assert_eq!(settings.listeners, [listener]);
    assert!(settings.advertised_listeners.is_empty() && config.warnings().is_empty());
    assert_eq!(settings.data_dir, Path::new("./ottla-data"));
    assert_eq!((settings.storage, settings.durability), (StorageKind::Local, ottla_storage::Durability::Flush));
    assert_eq!(settings.connections_max_idle_ms, Some(600_000));
    assert_eq!(settings.groups.initial_rebalance_delay_ms, None);
    assert_eq!((settings.num_partitions, settings.offsets_topic_partitions), (1, 50));
}

#[test]
fn flags_win_over_set_over_file_over_defaults() {
    let file =
        "log.dirs=/file\nlisteners=PLAINTEXT://file:1\nnum.partitions=2\nnum.partitions=3\nfetch.max.bytes=2000\n";
    let mut layers = layers(file, &["log.dirs=/set", "num.partitions=4", "num.partitions=5"]).expect("proper layers");
    layers.data("/flag").expect("a folder");
    let config = layers.resolve().expect("a configuration");
    let settings = config.settings();
    assert_eq!(settings.data_dir, Path::new("/flag"));
    assert_eq!(settings.num_partitions, 5);
    assert_eq!(settings.listeners[0].host.as_deref(), Some("file"));
    assert_eq!(settings.fetch_max_bytes, 2000);
    let origins: Vec<String> =
        config.values().given("log.dirs").iter().map(|given| format!("{}: {}", given.origin, given.value)).collect();
    assert_eq!(origins, ["--data: /flag", "--set: /set", "server.properties, line 1: /file"]);
}

#[test]
fn an_unknown_property_is_an_error_with_the_nearest_name() {
    check_error(
        "",
        &["log.retention.mss=1"],
        "unknown property log.retention.mss\n  did you mean log.retention.ms?  \
         (how long a record is kept, in milliseconds; default 604800000)",
    );
    check_error(
        "\n# a comment\nnum.partition=3\n",
        &[],
        "server.properties:3: unknown property num.partition\n  did you mean num.partitions?  \
         (partitions of a topic that is created without saying how many; default 1)",
    );
    check_error(
        "",
        &["zookeeper.connect=x"],
        "unknown property zookeeper.connect; docs/configuration.md lists all there are",
    );
    check_error(
        "",
        &["advertised.listener=x"],
        "unknown property advertised.listener\n  did you mean advertised.listeners?  \
         (the addresses clients are told to connect to, as NAME://HOST:PORT; no default)",
    );
}

#[test]
fn wrong_values_name_property_place_and_range() {
    check_error("", &["num.partitions=0"], "num.partitions=0 is not a whole number from 1 to 10000");
    check_error("a=1\\\n", &[], "server.properties:1: unknown property a; docs/configuration.md lists all there are");
    check_error(
        "num.partitions=1\nottla.durability=maybe",
        &[],
        "server.properties:2: ottla.durability=maybe is not one of flush, os",
    );
    check_error("log.dirs=\\u12", &[], "server.properties:1: the line has a malformed \\uXXXX escape");
    check_error("", &["num.partitions"], "--set num.partitions is not NAME=VALUE");
    let mut layers = Layers::default();
    let error = layers.listen(&["localhost".into()]).expect_err("no port");
    assert_eq!(error.to_string(), "--listen localhost has no port: localhost should be localhost:9092");
    let error = layers.storage("cloud").expect_err("no such storage");
    assert_eq!(error.to_string(), "--storage: ottla.storage=cloud is not one of local, memory");
}

#[test]
fn secrets_are_not_shown_in_errors_or_warnings() {
    let config = BrokerConfig::of(&[("ssl.key.password", "hunter2")]);
    assert_eq!(config.warnings(), ["ssl.key.password has no effect in this version (TLS is not served yet)"]);
}

#[test]
fn what_steers_nothing_is_accepted_with_one_warning_each() {
    let file = "process.roles=broker,controller\nnode.id=1\nnode.id=2\ntransaction.two.phase.commit.enable=true\n\
                listener.name.internal.ssl.keystore.location=/x\n";
    let config = layers(file, &["node.id=3"]).and_then(Layers::resolve).expect("a configuration");
    let why = "has no meaning here (one process is the whole cluster, so there is no quorum of controllers)";
    assert_eq!(
        config.warnings(),
        [
            format!("node.id {why}"),
            format!("server.properties:1: process.roles {why}"),
            "server.properties:4: transaction.two.phase.commit.enable has no effect in this version \
         (a commit in two phases is not served yet)"
                .to_owned(),
            "server.properties:5: listener.name.internal.ssl.keystore.location has no meaning here".to_owned(),
        ]
    );
}

#[test]
fn coarser_units_count_where_the_fine_one_is_unset() {
    let retention = |pairs: &[(&str, &str)]| {
        let config = BrokerConfig::of(pairs);
        topic::effective("retention.ms", &Default::default(), &config).into_owned()
    };
    assert_eq!(retention(&[]), "604800000");
    assert_eq!(retention(&[("log.retention.hours", "2")]), "7200000");
    assert_eq!(retention(&[("log.retention.hours", "2"), ("log.retention.minutes", "3")]), "180000");
    assert_eq!(retention(&[("log.retention.minutes", "3"), ("log.retention.ms", "4")]), "4");
    assert_eq!(retention(&[("log.retention.hours", "-1")]), "-1");
}

/// The properties that a file for one node of Kafka in its own distribution has.
#[test]
fn a_file_written_for_kafka_works() {
    let file = "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:9093\n\
        listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
        advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
        controller.listener.names=CONTROLLER\n\
        listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n\
        num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n\
        socket.receive.buffer.bytes=102400\nsocket.request.max.bytes=104857600\nlog.dirs=/tmp/logs\n\
        num.partitions=1\nnum.recovery.threads.per.data.dir=1\noffsets.topic.replication.factor=1\n\
        share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n\
        transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
        log.retention.hours=168\nlog.segment.bytes=1073741824\nlog.retention.check.interval.ms=300000\n";
    let config = layers(file, &[]).and_then(Layers::resolve).expect("Kafka's file");
    let listener = Listener { name: "PLAINTEXT".into(), host: None, port: 9092 };
    assert_eq!(config.settings().listeners, [listener]);
    assert_eq!(config.settings().advertised_listeners.len(), 1);
}

#[test]
fn listeners_must_be_reachable_and_plaintext() {
    check_error("", &["listeners="], "listeners names no address where clients could connect");
    check_error("", &["listeners=SSL://:9093"], "the listener SSL://:9093 is SSL, and only PLAINTEXT is served so far");
    check_error(
        "",
        &["listeners=INSIDE://:9093"],
        "the listener INSIDE://:9093 has a name that listener.security.protocol.map does not have; \
         call it PLAINTEXT, or add INSIDE:PLAINTEXT there",
    );
    check_error(
        "",
        &["listeners=PLAINTEXT://a:1,PLAINTEXT://a:1"],
        "listeners names the address of PLAINTEXT://a:1 twice",
    );
    check_error(
        "",
        &["listeners=nonsense"],
        "listeners is not NAME://HOST:PORT: nonsense should be PLAINTEXT://nonsense",
    );
    check_error(
        "",
        &["advertised.listeners=PLAINTEXT://:9092"],
        "advertised.listeners has PLAINTEXT://:9092, which no client could connect to; give it a host",
    );
    check_error(
        "",
        &["advertised.listeners=OTHER://a:9092"],
        "advertised.listeners has OTHER://a:9092, but listeners has none called OTHER",
    );
    let mut layers = Layers::default();
    layers.listen(&["localhost:0".into(), "[::1]:0".into()]).expect("two addresses");
    layers.advertise(&["broker.example:19092".into()]).expect("an address");
    let config = layers.resolve().expect("a configuration");
    assert_eq!(config.settings().listeners.len(), 2);
    assert_eq!(config.settings().advertised_listeners[0].to_string(), "PLAINTEXT://broker.example:19092");
}

#[test]
fn values_must_fit_together() {
    check_error(
        "",
        &["group.min.session.timeout.ms=10", "group.max.session.timeout.ms=9"],
        "group.min.session.timeout.ms=10 is above group.max.session.timeout.ms=9: no member could ever join",
    );
    check_error(
        "",
        &["default.replication.factor=3"],
        "default.replication.factor=3 is not possible: every partition has one replica here; leave it out",
    );
    check_error(
        "",
        &["log.dirs=/a,/b"],
        "log.dirs=/a,/b names 2 folders, but all data is kept in one; name the one to use",
    );
    check_error("", &["log.dir="], "log.dir is empty; name the folder to keep data in");
}

#[test]
fn connections_that_are_never_idle() {
    let config = BrokerConfig::of(&[("connections.max.idle.ms", "-1")]);
    assert_eq!(config.settings().connections_max_idle_ms, None);
}
