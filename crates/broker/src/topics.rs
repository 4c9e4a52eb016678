//! Topics: what they may be called, and how they come to be, by request, by being asked for, and the internal ones.

mod creation;

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_storage::{Metadata, MetadataError, NewTopic, Topic};

use crate::context::{Context, Operation, Resource};
use crate::{Broker, errors};
pub(crate) use creation::{Creating, Creations};

/// The topic that holds groups and committed offsets.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// The topic that holds the stories of groups; Kafka has none like it, and clients are not told of it.
pub(crate) const EVENTS_TOPIC: &str = "__ottla_group_events";
/// The topic that holds transactional ids and how their transactions stand.
pub(crate) const TRANSACTIONS_TOPIC: &str = "__transaction_state";
/// Kafka's log of its own metadata; no client may make a topic of that name.
pub(crate) const METADATA_TOPIC: &str = "__cluster_metadata";

/// Longest name: with a partition's number it must still make a file name.
const LONGEST_NAME: usize = 249;

/// Whether it is one of Kafka's internal topics, which clients see as such.
pub(crate) fn is_internal(name: &str) -> bool {
    [OFFSETS_TOPIC, TRANSACTIONS_TOPIC, EVENTS_TOPIC].contains(&name)
}

/// Whether clients are told of it without asking for it by name.
pub(crate) fn is_listed(name: &str) -> bool {
    name != EVENTS_TOPIC
}

/// Whether only the broker itself may create and delete a topic of this name. Kafka lets clients do both with its internal
/// topics; here that would tear the groups from their coordinators.
pub(crate) fn is_reserved(name: &str) -> bool {
    is_internal(name) || name == METADATA_TOPIC
}

/// Checks a name against Kafka's rules.
///
/// # Errors
/// Which rule it breaks, as a sentence for the client.
pub(crate) fn check_topic_name(name: &str) -> Result<(), String> {
    let proper = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match name {
        "" => Err("a topic needs a name".to_owned()),
        "." | ".." => Err(format!("a topic cannot be called {name}")),
        _ if name.len() > LONGEST_NAME => {
            Err(format!("a topic's name has at most {LONGEST_NAME} characters, this one {}", name.chars().count()))
        }
        _ if !name.bytes().all(proper) => {
            Err("a topic's name consists of letters and digits of ASCII, '.', '_' and '-'".to_owned())
        }
        _ => Ok(()),
    }
}

/// The topic whose name differs from this one only in '.' against '_'. Kafka refuses such pairs, because metrics show both
/// as the same.
pub(crate) fn colliding<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a Arc<Topic>> {
    let either = |byte: u8| if byte == b'.' { b'_' } else { byte };
    if !name.contains(['.', '_']) {
        return None;
    }
    let collides = |other: &str| {
        other.len() == name.len() && other != name && other.bytes().map(either).eq(name.bytes().map(either))
    };
    metadata.topics().find(|topic| collides(&topic.name))
}

/// Creates a topic that a client asked for without creating it (`auto.create.topics.enable`), and answers once it is there:
/// where several ask at once they get the same one. Kafka answers LEADER_NOT_AVAILABLE first and lets the client ask again.
///
/// # Errors
/// Creation is switched off or not allowed, the name is no name for a topic, or the engine refuses.
pub(crate) async fn auto_create(context: &Context, name: &str) -> Result<Arc<Topic>, ErrorCode> {
    let broker = context.broker();
    let config = broker.config();
    let settings = config.settings();
    if !settings.auto_create_topics {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    if !context.authorize(Operation::Create, Resource::Topic(name)) {
        return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    }
    if name == OFFSETS_TOPIC {
        return offsets_topic(broker).await;
    }
    if name == TRANSACTIONS_TOPIC {
        return transactions_topic(broker).await;
    }
    if is_reserved(name) {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    if check_topic_name(name).is_err() || colliding(&broker.engine().metadata(), name).is_some() {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    ensure(broker, name, settings.num_partitions, BTreeMap::new()).await
}

/// The topic of groups and committed offsets, created where it is missing.
///
/// # Errors
/// The engine refuses.
pub(crate) async fn offsets_topic(broker: &Arc<Broker>) -> Result<Arc<Topic>, ErrorCode> {
    let config = broker.config();
    let settings = config.settings();
    let configs = [
        ("cleanup.policy", "compact".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("segment.bytes", settings.offsets_topic_segment_bytes.to_string()),
    ];
    let configs = configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    ensure(broker, OFFSETS_TOPIC, settings.offsets_topic_partitions, configs).await
}

/// The topic of transactional ids, created where it is missing.
///
/// # Errors
/// The engine refuses.
pub(crate) async fn transactions_topic(broker: &Arc<Broker>) -> Result<Arc<Topic>, ErrorCode> {
    let config = broker.config();
    let settings = &config.settings().transactions;
    let configs = [
        ("cleanup.policy", "compact".to_owned()),
        ("compression.type", "uncompressed".to_owned()),
        ("segment.bytes", settings.log_segment_bytes.to_string()),
    ];
    let configs = configs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    ensure(broker, TRANSACTIONS_TOPIC, settings.log_partitions, configs).await
}

/// The topic of the stories of groups, with as many partitions as there are coordinators; created where it is missing.
///
/// # Errors
/// The engine refuses.
pub(crate) async fn events_topic(broker: &Arc<Broker>) -> Result<Arc<Topic>, ErrorCode> {
    let partitions = offsets_topic(broker).await?.partitions;
    let configs = [
        ("cleanup.policy", "compact,delete"),
        ("compression.type", "producer"),
        ("retention.ms", "604800000"),
        ("segment.bytes", "16777216"),
    ];
    let configs = configs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    ensure(broker, EVENTS_TOPIC, partitions, configs).await
}

/// The topic of that name, created where it is missing.
async fn ensure(
    broker: &Arc<Broker>,
    name: &str,
    partitions: i32,
    configs: BTreeMap<String, String>,
) -> Result<Arc<Topic>, ErrorCode> {
    if let Some(topic) = broker.engine().metadata().by_name(name) {
        return Ok(topic.clone());
    }
    let new = NewTopic { name: name.to_owned(), id: broker.new_topic_id(), partitions, configs };
    match broker.creations.begin(broker, new).topic().await {
        // Somebody was faster, between our look and the engine's.
        Err(MetadataError::TopicExists) => {
            broker.engine().metadata().by_name(name).cloned().ok_or(ErrorCode::LEADER_NOT_AVAILABLE)
        }
        created => created.map_err(|error| errors::of_metadata(&error)),
    }
}

#[cfg(test)]
mod tests {
    use ottla_storage::TopicId;

    use super::*;

    #[test]
    fn names_follow_kafkas_rules() {
        let longest = "a".repeat(249);
        for name in ["a", "A-b_c.9", "...", "__consumer_offsets", &longest] {
            assert_eq!(check_topic_name(name), Ok(()), "{name}");
        }
        let too_long = "a".repeat(250);
        for name in ["", ".", "..", "a b", "ä", "a/b", "a\0", "a:b", &too_long] {
            assert!(check_topic_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn dots_and_underscores_collide() {
        let mut metadata = Metadata::default();
        let topic = |id, name: &str| Topic {
            id: TopicId([id; 16]),
            name: name.into(),
            partitions: 1,
            configs: BTreeMap::new(),
        };
        metadata.insert(topic(1, "a.b_c"));
        metadata.insert(topic(2, "plain"));
        let found = |name| colliding(&metadata, name).map(|topic| topic.name.to_string());
        assert_eq!(found("a_b_c").as_deref(), Some("a.b_c"));
        assert_eq!(found("a.b.c").as_deref(), Some("a.b_c"));
        assert_eq!(found("a.b_c"), None, "a name does not collide with itself");
        assert_eq!(found("a-b_c"), None);
        assert_eq!(found("a.b_d"), None);
        assert_eq!(found("plain"), None);
    }
}
