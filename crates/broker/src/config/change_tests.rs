use super::*;

fn configs(pairs: &[(&str, &str)]) -> Configs {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn change(owner: Owner, current: &[(&str, &str)], operations: &[(&str, Operation<'_>)]) -> Result<Configs, Refusal> {
    changed(owner, &configs(current), operations, &BrokerConfig::default())
}

#[track_caller]
fn becomes(current: &[(&str, &str)], operations: &[(&str, Operation<'_>)], after: &[(&str, &str)]) {
    assert_eq!(change(Owner::Topic, current, operations), Ok(configs(after)));
}

#[track_caller]
fn refused(owner: Owner, operations: &[(&str, Operation<'_>)], refusal: Refusal) {
    assert_eq!(change(owner, &[("retention.ms", "5")], operations), Err(refusal));
}

use Operation::{Append, Delete, Set, Subtract};

#[test]
fn values_are_set_in_their_plain_form_and_others_stay() {
    becomes(&[("segment.ms", "3")], &[("retention.ms", Set(" +77 "))], &[("retention.ms", "77"), ("segment.ms", "3")]);
    becomes(&[("retention.ms", "1")], &[("retention.ms", Set("2"))], &[("retention.ms", "2")]);
    becomes(&[("retention.ms", "1")], &[], &[("retention.ms", "1")]);
}

#[test]
fn deleting_needs_neither_a_value_nor_a_known_name() {
    becomes(&[("retention.ms", "1"), ("segment.ms", "3")], &[("retention.ms", Delete)], &[("segment.ms", "3")]);
    becomes(&[], &[("retention.ms", Delete)], &[]);
    becomes(&[("of.later", "1")], &[("of.later", Delete)], &[]);
}

/// Each line as Apache Kafka 4.3.1 did it.
#[test]
fn lists_are_appended_to_and_subtracted_from_as_in_kafka() {
    let cases: &[(Option<&str>, Operation<'_>, &str)] = &[
        (Some("delete"), Append("compact"), "delete,compact"),
        (Some("delete,compact"), Append("compact"), "delete,compact"),
        (Some("delete"), Append("compact,delete"), "delete,compact"),
        (None, Append("compact"), "delete,compact"),
        (Some("delete,compact"), Subtract("delete"), "compact"),
        (Some("compact"), Subtract("delete"), "compact"),
        (Some("compact"), Subtract("compact"), ""),
        (Some("compact,compact"), Append(""), "compact"),
        (Some("delete"), Set("compact , compact"), "compact"),
        (Some("delete"), Set(""), ""),
    ];
    for (current, operation, expected) in cases {
        let current: Vec<_> = current.iter().map(|value| ("cleanup.policy", *value)).collect();
        becomes(&current, &[("cleanup.policy", *operation)], &[("cleanup.policy", expected)]);
    }
    let throttled = "leader.replication.throttled.replicas";
    becomes(&[], &[(throttled, Append("0:1,1:1"))], &[(throttled, "0:1,1:1")]);
    becomes(&[(throttled, "0:1,1:1")], &[(throttled, Subtract("0:1"))], &[(throttled, "1:1")]);
    // The broker's own value is nothing that a topic's list would start with.
    let config = BrokerConfig::of(&[("log.cleanup.policy", "compact")]);
    let after = changed(Owner::Topic, &Configs::new(), &[("cleanup.policy", Append("compact"))], &config);
    assert_eq!(after, Ok(configs(&[("cleanup.policy", "delete,compact")])));
}

#[test]
fn what_cannot_be_asked_for_a_topic_is_refused() {
    let config = |reason: &str| Refusal::Config(reason.to_owned());
    refused(
        Owner::Topic,
        &[("retention.mss", Set("1"))],
        config("unknown topic config retention.mss; did you mean retention.ms?"),
    );
    refused(
        Owner::Topic,
        &[("retention.ms", Append("1"))],
        config("retention.ms cannot be appended to: it is no list; set it instead"),
    );
    refused(
        Owner::Topic,
        &[("retention.ms", Subtract("1"))],
        config("retention.ms cannot be subtracted from: it is no list; set it instead"),
    );
    refused(
        Owner::Topic,
        &[("cleanup.policy", Append("nonsense"))],
        config("the topic config cleanup.policy=delete,nonsense is not a list out of compact, delete"),
    );
    refused(
        Owner::Topic,
        &[("segment.ms", Set("7")), ("retention.ms", Set("x"))],
        config("the topic config retention.ms=x is not a whole number from -1 to 9223372036854775807"),
    );
    refused(
        Owner::Topic,
        &[("min.compaction.lag.ms", Set("100")), ("max.compaction.lag.ms", Set("50"))],
        config("min.compaction.lag.ms=100 is above max.compaction.lag.ms=50"),
    );
    refused(
        Owner::Topic,
        &[("retention.ms", Set("5")), ("retention.ms", Delete)],
        Refusal::Request("the request names the config retention.ms more than once".to_owned()),
    );
}

#[test]
fn brokers_take_what_can_change_while_they_run() {
    let after =
        change(Owner::Broker, &[], &[("log.retention.ms", Set("5")), ("log.cleanup.policy", Append("compact"))]);
    assert_eq!(after, Ok(configs(&[("log.cleanup.policy", "delete,compact"), ("log.retention.ms", "5")])));
    let request = |reason: &str| Refusal::Request(reason.to_owned());
    for name in [
        "num.partitions",
        "auto.create.topics.enable",
        "log.retention.hours",
        "log.dirs",
        "ssl.key.password",
        "listener.name.x.ssl.keystore.location",
    ] {
        let fixed = format!("{name} cannot be changed while the broker runs; restart it with another value");
        refused(Owner::Broker, &[(name, Set("3"))], request(&fixed));
    }
    refused(
        Owner::Broker,
        &[("message.max.byte", Set("3"))],
        Refusal::Config("unknown broker config message.max.byte; did you mean message.max.bytes?".to_owned()),
    );
    refused(
        Owner::Broker,
        &[("message.max.bytes", Set("-1"))],
        request("message.max.bytes=-1 is not a whole number from 0 to 2147483647"),
    );
    assert_eq!(change(Owner::Broker, &[("num.partitions", "3")], &[("num.partitions", Delete)]), Ok(Configs::new()));
}
