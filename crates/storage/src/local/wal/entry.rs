//! What the frames of the write-ahead log say. The numbers of the kinds are part of the format and never change meaning.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::local::fields::{Fields, Malformed, put_bytes, put_count};
use crate::{ConfigResource, LogStartCause, PartitionId, Topic, TopicId};

pub(in crate::local) const RECORDS: u16 = 1;
pub(in crate::local) const TOPIC_CREATED: u16 = 2;
pub(in crate::local) const TOPIC_DELETED: u16 = 3;
pub(in crate::local) const PRODUCER_IDS: u16 = 4;
pub(in crate::local) const LOG_START: u16 = 5;
pub(in crate::local) const CONFIGS_ALTERED: u16 = 6;
pub(in crate::local) const PARTITIONS_CREATED: u16 = 7;
/// As [`RECORDS`], in a frame that leaves it to the batches' own checksums to cover what they cover.
pub(in crate::local) const CHECKED_RECORDS: u16 = 8;

/// Batches of several partitions, which are there all or none.
pub(in crate::local) const ATOMIC_RECORDS: u16 = 9;

/// Whether a frame of that kind holds records.
pub(in crate::local) fn is_records(kind: u16) -> bool {
    matches!(kind, RECORDS | CHECKED_RECORDS | ATOMIC_RECORDS)
}

/// Size of what stands before the batches in a payload of [`RECORDS`].
pub(in crate::local) const RECORDS_HEAD_BYTES: usize = 16 + 4;

/// Size of what stands before the parts in a payload of [`ATOMIC_RECORDS`].
pub(in crate::local) const ATOMIC_HEAD_BYTES: usize = 4;

/// Size of what stands before the batches of each part.
pub(in crate::local) const PART_HEAD_BYTES: usize = RECORDS_HEAD_BYTES + 4;

/// One payload, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::local) enum Entry<'a> {
    /// Batches of one partition, with their offsets set.
    Records { partition: PartitionId, batches: &'a [u8] },
    /// Batches of several partitions, with their offsets set.
    AtomicRecords(Vec<(PartitionId, &'a [u8])>),
    /// A new topic.
    TopicCreated(Topic),
    /// A topic is gone, with its records.
    TopicDeleted(TopicId),
    /// Producer ids below this one may have been handed out.
    ProducerIds { next: i64 },
    /// The log of a partition starts here.
    LogStart { partition: PartitionId, offset: i64, cause: LogStartCause },
    /// These are all configs of a resource.
    ConfigsAltered { resource: ConfigResource, configs: BTreeMap<String, String> },
    /// A topic has so many partitions in all.
    PartitionsCreated { topic: TopicId, total: i32 },
}

/// What stands before the batches in a payload of [`RECORDS`].
pub(in crate::local) fn records_head(partition: PartitionId) -> [u8; RECORDS_HEAD_BYTES] {
    let mut head = [0; RECORDS_HEAD_BYTES];
    head[..16].copy_from_slice(&partition.topic.0);
    head[16..].copy_from_slice(&partition.index.to_be_bytes());
    head
}

/// What stands before the batches of a part in a payload of [`ATOMIC_RECORDS`]: [`records_head`], and how many bytes follow.
pub(in crate::local) fn part_head(partition: PartitionId, batches: &[u8]) -> [u8; PART_HEAD_BYTES] {
    debug_assert!(u32::try_from(batches.len()).is_ok(), "the engine refuses larger appends");
    let mut head = [0; PART_HEAD_BYTES];
    head[..RECORDS_HEAD_BYTES].copy_from_slice(&records_head(partition));
    head[RECORDS_HEAD_BYTES..].copy_from_slice(&(batches.len() as u32).to_be_bytes());
    head
}

fn take_atomic_records<'a>(fields: &mut Fields<'a>) -> Result<Entry<'a>, Malformed> {
    let count = fields.count(PART_HEAD_BYTES)?;
    let parts = (0..count).map(|_| Ok((take_partition(fields)?, fields.bytes()?))).collect::<Result<_, _>>()?;
    Ok(Entry::AtomicRecords(parts))
}

/// The payload of [`LOG_START`].
pub(in crate::local) fn log_start(partition: PartitionId, offset: i64, cause: LogStartCause) -> Vec<u8> {
    let mut payload = records_head(partition).to_vec();
    payload.extend_from_slice(&offset.to_be_bytes());
    payload.push(match cause {
        LogStartCause::DeleteRecords => 1,
        LogStartCause::Retention => 2,
    });
    payload
}

fn take_log_start<'a>(fields: &mut Fields<'_>) -> Result<Entry<'a>, Malformed> {
    let (partition, offset) = (take_partition(fields)?, fields.offset()?);
    let cause = match fields.u8()? {
        1 => LogStartCause::DeleteRecords,
        2 => LogStartCause::Retention,
        _ => return Err(Malformed),
    };
    Ok(Entry::LogStart { partition, offset, cause })
}

/// The payload of [`PARTITIONS_CREATED`].
pub(in crate::local) fn partitions_created(topic: TopicId, total: i32) -> Vec<u8> {
    [&topic.0[..], &total.to_be_bytes()].concat()
}

fn take_partitions_created<'a>(fields: &mut Fields<'_>) -> Result<Entry<'a>, Malformed> {
    let (topic, total) = (TopicId(fields.array()?), fields.i32()?);
    if total < 1 { Err(Malformed) } else { Ok(Entry::PartitionsCreated { topic, total }) }
}

/// Appends a resource with all its configs: the payload of [`CONFIGS_ALTERED`], and how the manifest writes them.
pub(in crate::local) fn put_resource(out: &mut Vec<u8>, resource: &ConfigResource, configs: &BTreeMap<String, String>) {
    match resource {
        ConfigResource::Topic(id) => {
            out.push(1);
            out.extend_from_slice(&id.0);
        }
        ConfigResource::Broker(name) => {
            out.push(2);
            put_bytes(out, name.as_bytes());
        }
        ConfigResource::Group(name) => {
            out.push(3);
            put_bytes(out, name.as_bytes());
        }
        ConfigResource::ScramUser(name) => {
            out.push(4);
            put_bytes(out, name.as_bytes());
        }
        ConfigResource::ClientQuota(name) => {
            out.push(5);
            put_bytes(out, name.as_bytes());
        }
        ConfigResource::ClientMetrics(name) => {
            out.push(6);
            put_bytes(out, name.as_bytes());
        }
    }
    put_configs(out, configs);
}

/// Reads what [`put_resource`] wrote.
pub(in crate::local) fn take_resource(
    fields: &mut Fields<'_>,
) -> Result<(ConfigResource, BTreeMap<String, String>), Malformed> {
    let resource = match fields.u8()? {
        1 => ConfigResource::Topic(TopicId(fields.array()?)),
        2 => ConfigResource::Broker(Arc::from(fields.text()?)),
        3 => ConfigResource::Group(Arc::from(fields.text()?)),
        4 => ConfigResource::ScramUser(Arc::from(fields.text()?)),
        5 => ConfigResource::ClientQuota(Arc::from(fields.text()?)),
        6 => ConfigResource::ClientMetrics(Arc::from(fields.text()?)),
        _ => return Err(Malformed),
    };
    Ok((resource, take_configs(fields)?))
}

fn put_configs(out: &mut Vec<u8>, configs: &BTreeMap<String, String>) {
    put_count(out, configs.len());
    for (name, value) in configs {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    }
}

fn take_configs(fields: &mut Fields<'_>) -> Result<BTreeMap<String, String>, Malformed> {
    let mut configs = BTreeMap::new();
    for _ in 0..fields.count(8)? {
        configs.insert(fields.text()?.to_owned(), fields.text()?.to_owned());
    }
    Ok(configs)
}

/// Appends a topic; also how the manifest writes one.
pub(in crate::local) fn put_topic(out: &mut Vec<u8>, topic: &Topic) {
    out.extend_from_slice(&topic.id.0);
    put_bytes(out, topic.name.as_bytes());
    out.extend_from_slice(&topic.partitions.to_be_bytes());
    put_configs(out, &topic.configs);
}

/// Reads what [`put_topic`] wrote.
pub(in crate::local) fn take_topic(fields: &mut Fields<'_>) -> Result<Topic, Malformed> {
    let id = TopicId(fields.array()?);
    let name = Arc::from(fields.text()?);
    let partitions = fields.i32()?;
    if partitions < 1 {
        return Err(Malformed);
    }
    Ok(Topic { id, name, partitions, configs: take_configs(fields)? })
}

/// Reads a partition's id.
fn take_partition(fields: &mut Fields<'_>) -> Result<PartitionId, Malformed> {
    let (topic, index) = (TopicId(fields.array()?), fields.i32()?);
    if index < 0 { Err(Malformed) } else { Ok(PartitionId { topic, index }) }
}

impl<'a> Entry<'a> {
    /// Reads the payload of a frame of that kind.
    pub(in crate::local) fn read(kind: u16, payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(payload);
        let entry = match kind {
            RECORDS | CHECKED_RECORDS => {
                return Ok(Entry::Records { partition: take_partition(&mut fields)?, batches: fields.rest() });
            }
            ATOMIC_RECORDS => take_atomic_records(&mut fields)?,
            TOPIC_CREATED => Entry::TopicCreated(take_topic(&mut fields)?),
            TOPIC_DELETED => Entry::TopicDeleted(TopicId(fields.array()?)),
            PRODUCER_IDS => Entry::ProducerIds { next: fields.offset()? },
            LOG_START => take_log_start(&mut fields)?,
            CONFIGS_ALTERED => {
                let (resource, configs) = take_resource(&mut fields)?;
                Entry::ConfigsAltered { resource, configs }
            }
            PARTITIONS_CREATED => take_partitions_created(&mut fields)?,
            _ => return Err(Malformed),
        };
        fields.end()?;
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        Topic {
            id: TopicId([7; 16]),
            name: Arc::from("orders"),
            partitions: 3,
            configs: BTreeMap::from([("retention.ms".to_owned(), "5".to_owned())]),
        }
    }

    #[test]
    fn entries_come_back_and_cut_ones_are_malformed() {
        let partition = PartitionId { topic: TopicId([9; 16]), index: 4 };
        let mut created = Vec::new();
        put_topic(&mut created, &topic());
        let configs = topic().configs;
        let altered = |resource: &ConfigResource| {
            let mut payload = Vec::new();
            put_resource(&mut payload, resource, &configs);
            (CONFIGS_ALTERED, payload, Entry::ConfigsAltered { resource: resource.clone(), configs: configs.clone() })
        };
        let starts =
            |cause| (LOG_START, log_start(partition, 77, cause), Entry::LogStart { partition, offset: 77, cause });
        let topic_id = TopicId([9; 16]);
        let parts = [(partition, &b"batches"[..]), (PartitionId { index: 5, ..partition }, &b"more"[..])];
        let mut atomic = 2_u32.to_be_bytes().to_vec();
        for (partition, batches) in parts {
            atomic.extend_from_slice(&part_head(partition, batches));
            atomic.extend_from_slice(batches);
        }
        let cases: [(u16, Vec<u8>, Entry<'_>); 13] = [
            (ATOMIC_RECORDS, atomic, Entry::AtomicRecords(parts.to_vec())),
            (TOPIC_CREATED, created, Entry::TopicCreated(topic())),
            (TOPIC_DELETED, vec![9; 16], Entry::TopicDeleted(TopicId([9; 16]))),
            (PRODUCER_IDS, 5000_i64.to_be_bytes().to_vec(), Entry::ProducerIds { next: 5000 }),
            starts(LogStartCause::DeleteRecords),
            starts(LogStartCause::Retention),
            altered(&ConfigResource::Topic(topic_id)),
            altered(&ConfigResource::Broker(Arc::from(""))),
            altered(&ConfigResource::Group(Arc::from("billing"))),
            altered(&ConfigResource::ScramUser(Arc::from("somebody"))),
            altered(&ConfigResource::ClientQuota(Arc::from("{\"user\":null}"))),
            altered(&ConfigResource::ClientMetrics(Arc::from("latencies"))),
            (
                PARTITIONS_CREATED,
                partitions_created(topic_id, 12),
                Entry::PartitionsCreated { topic: topic_id, total: 12 },
            ),
        ];
        for (kind, payload, entry) in &cases {
            assert_eq!(Entry::read(*kind, payload).as_ref(), Ok(entry));
            for length in 0..payload.len() {
                assert_eq!(Entry::read(*kind, &payload[..length]), Err(Malformed), "kind {kind}, {length} bytes");
            }
            let longer = [payload, &[0][..]].concat();
            assert_eq!(Entry::read(*kind, &longer), Err(Malformed));
        }
        let records = [&records_head(partition)[..], b"batches"].concat();
        assert_eq!(Entry::read(RECORDS, &records), Ok(Entry::Records { partition, batches: b"batches" }));
        assert_eq!(Entry::read(99, b""), Err(Malformed));
    }
}
