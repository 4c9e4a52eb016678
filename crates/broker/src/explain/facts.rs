//! What the broker knows of a group's partitions: where their logs begin and end, how old the first unread record is, who fetches.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_groups::{ExplainedGroup, OpenTransaction, PartitionFacts, ReaderFacts};
use ottla_protocol::records;
use ottla_storage::{Isolation, PartitionId, Read, Topic};

use super::Facts;
use crate::Broker;
use crate::config::BrokerConfig;
use crate::config::topic::log_config;
use crate::fetch::Reader;

/// How many partitions of a group are looked at for the age of their first unread record: each may have to be read from the disk.
const MOST_READS: usize = 1_000;

/// Facts of every partition that a group has or has committed to, as far as it exists. All ends are taken before the first wait, so
/// they are of one moment.
pub(super) async fn of(broker: &Arc<Broker>, group: &ExplainedGroup) -> Facts {
    let (metadata, now_ms, config) = (broker.engine().metadata(), broker.wall_ms(), broker.config());
    let mut facts = Facts::new();
    let (mut unread, mut open) = (Vec::new(), Vec::new());
    for (name, index) in concerned(group) {
        let Some(topic) = metadata.by_name(name) else { continue };
        let partition = PartitionId { topic: topic.id, index };
        let Ok(bounds) = broker.engine().bounds(partition) else { continue };
        let readers = broker.fetches.watch.readers(partition, now_ms);
        let known = PartitionFacts {
            log_start: bounds.log_start_offset,
            end: bounds.high_watermark,
            open: None,
            unread_since_ms: None,
            retention_ms: retention_ms(&config, topic),
            readers: readers.iter().map(reader).collect(),
        };
        let committed = group.offset(name, index).map(|offset| known.unread_from(offset.offset));
        if let Some(committed) = committed.filter(|&at| at < known.end) {
            unread.push(((name.to_owned(), index), partition, committed));
        }
        if bounds.last_stable_offset < bounds.high_watermark {
            open.push(((name.to_owned(), index), partition));
        }
        facts.insert((name.to_owned(), index), known);
    }
    for (key, partition) in open.into_iter().take(MOST_READS) {
        let transaction = oldest_open(broker, partition).await;
        if let Some(facts) = facts.get_mut(&key) {
            facts.open = transaction;
        }
    }
    for (key, partition, offset) in unread.into_iter().take(MOST_READS) {
        let since_ms = timestamp_at(broker, partition, offset).await;
        if let Some(facts) = facts.get_mut(&key) {
            facts.unread_since_ms = since_ms;
        }
    }
    facts
}

async fn oldest_open(broker: &Broker, partition: PartitionId) -> Option<OpenTransaction> {
    let producers = broker.engine().describe_producers(partition).await.ok()?;
    let open = producers.iter().filter_map(|producer| {
        let (producer_id, last_write_ms) = (producer.producer_id, producer.last_timestamp_ms);
        Some(OpenTransaction { from: producer.transaction_start_offset?, producer_id, last_write_ms })
    });
    open.min_by_key(|open| open.from)
}

fn concerned(group: &ExplainedGroup) -> BTreeSet<(&str, i32)> {
    let committed = group.offsets.iter().map(|offset| (offset.topic.as_str(), offset.partition));
    let held = group.members.iter().flat_map(|member| &member.held);
    let held = held.flat_map(|(topic, partitions)| partitions.iter().map(|&partition| (topic.as_str(), partition)));
    committed.chain(held).collect()
}

fn retention_ms(config: &BrokerConfig, topic: &Topic) -> Option<i64> {
    let config = log_config(topic, config);
    config.retention_ms.filter(|_| config.delete).and_then(|ms| i64::try_from(ms).ok())
}

fn reader(reader: &Reader) -> ReaderFacts {
    let software = reader.who.software.as_ref().map(|software| (software.name.clone(), software.version.clone()));
    ReaderFacts {
        client_id: reader.who.client_id.to_string(),
        host: format!("/{}", reader.who.address),
        software,
        position: reader.position,
        last_fetch_ms: reader.last_ms,
    }
}

/// The timestamp of the record at that offset, or of the batch that holds it where it is compressed.
async fn timestamp_at(broker: &Broker, partition: PartitionId, offset: i64) -> Option<i64> {
    let read = Read {
        partition,
        offset,
        max_bytes: 1,
        at_least_one_batch: true,
        isolation: Isolation::ReadUncommitted,
        may_name_file: false,
    };
    let outcome = broker.engine().read(read).await.ok()?;
    let blob = outcome.batches.first()?;
    let batch = records::batches(blob).next()?.ok()?;
    Some(batch.header.base_timestamp_ms).filter(|&at_ms| at_ms >= 0)
}
