//! The local engine is ended at every step it takes on the disk, by a kill and by a power cut, and must then have all that
//! it acknowledged, once, and go on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::collections::BTreeMap;

use local_support::{MemoryDisk, append_as, batch_of, new_topic, open, partition, records_from};
use ottla_storage::local::LocalEngine;
use ottla_storage::{
    AppendError, ConfigChange, ConfigResource, Durability, Engine, MetadataError, PartitionId, Topic, TopicId,
};

/// One thing that the workload does.
#[derive(Clone, Debug)]
enum Step {
    Create {
        name: &'static str,
        id: u8,
        partitions: i32,
    },
    Delete {
        id: u8,
    },
    Append {
        partition: PartitionId,
        value: Vec<u8>,
        producer_id: i64,
        sequence: i32,
        durability: Durability,
    },
    DeleteRecords {
        partition: PartitionId,
        before: i64,
    },
    ProducerId,
    /// Replaces the configs of the topic or, with 0, of all brokers.
    Alter {
        id: u8,
        value: &'static str,
    },
    Grow {
        id: u8,
        partitions: i32,
    },
    Maintain,
}

/// Everything at least once, with sizes that run over segments, log files and memory.
fn workload(with_os: bool) -> Vec<Step> {
    let mut steps = vec![Step::Create { name: "a", id: 1, partitions: 3 }, Step::ProducerId];
    let mut sequences: BTreeMap<(i64, PartitionId), i32> = BTreeMap::new();
    let mut append = |steps: &mut Vec<Step>, n: usize, to: PartitionId, size: usize| {
        let producer_id = 10 + (n % 2) as i64;
        let sequence = sequences.entry((producer_id, to)).or_default();
        let mut value = format!("{n}-").into_bytes();
        value.resize(size.max(value.len()), b'.');
        let durability = if with_os && n.is_multiple_of(3) { Durability::Os } else { Durability::Flush };
        steps.push(Step::Append { partition: to, value, producer_id, sequence: *sequence, durability });
        *sequence += 1;
    };
    for n in 0..40 {
        append(&mut steps, n, partition(1, n as i32 % 3), n * 211 % 7000);
        match n {
            10 | 25 => steps.push(Step::Maintain),
            15 => steps.push(Step::DeleteRecords { partition: partition(1, 0), before: 3 }),
            18 => steps.push(Step::Create { name: "b", id: 2, partitions: 1 }),
            19..22 => append(&mut steps, 100 + n, partition(2, 0), 3000),
            24 => steps.push(Step::Delete { id: 2 }),
            26 => steps.push(Step::Create { name: "b", id: 3, partitions: 2 }),
            27..30 => append(&mut steps, 200 + n, partition(3, 1), 20_000),
            12 => steps.push(Step::Alter { id: 1, value: "topic" }),
            13 => steps.push(Step::Alter { id: 0, value: "all" }),
            31 => steps.push(Step::Grow { id: 3, partitions: 4 }),
            30 => steps.push(Step::Alter { id: 0, value: "all again" }),
            34 => append(&mut steps, 400, partition(3, 3), 500),
            32 => append(&mut steps, 300, partition(1, 1), 100_000),
            33 => steps.push(Step::DeleteRecords { partition: partition(3, 1), before: -1 }),
            35 => steps.push(Step::ProducerId),
            _ => {}
        }
    }
    steps
}

/// What must be there.
#[derive(Default)]
struct Model {
    topics: BTreeMap<u8, i32>,
    records: BTreeMap<PartitionId, Vec<Vec<u8>>>,
    log_starts: BTreeMap<PartitionId, i64>,
    producer_ids: Vec<i64>,
    configs: BTreeMap<u8, &'static str>,
}

fn resource(id: u8) -> ConfigResource {
    if id == 0 { ConfigResource::Broker("".into()) } else { ConfigResource::Topic(TopicId([id; 16])) }
}

impl Model {
    /// Does one step; false where the engine did not acknowledge it.
    fn step(&mut self, engine: &LocalEngine, step: &Step, again: bool) -> bool {
        match step {
            Step::Create { name, id, partitions } => {
                match engine.create_topic(new_topic(name, *id, *partitions)).wait() {
                    Ok(_) => {}
                    Err(MetadataError::TopicExists) if again => {}
                    Err(_) => return false,
                }
                self.topics.insert(*id, *partitions);
                for index in 0..*partitions {
                    self.records.insert(partition(*id, index), Vec::new());
                }
                true
            }
            Step::Delete { id } => {
                match engine.delete_topic(TopicId([*id; 16])).wait() {
                    Ok(()) => {}
                    Err(MetadataError::UnknownTopic) if again => {}
                    Err(_) => return false,
                }
                self.topics.remove(id);
                self.records.retain(|partition, _| partition.topic != TopicId([*id; 16]));
                true
            }
            Step::Append { partition, value, producer_id, sequence, durability } => {
                let batch = batch_of(value, *producer_id, *sequence);
                match append_as(engine, *partition, batch, *durability) {
                    Ok(appended) => {
                        let records = self.records.get_mut(partition).unwrap();
                        assert_eq!(appended.first_offset, records.len() as i64, "{step:?}");
                        assert!(again || !appended.duplicate);
                        records.push(value.clone());
                        true
                    }
                    Err(AppendError::Unavailable(_) | AppendError::Unknown(_)) => false,
                    Err(error) => panic!("{error:?}"),
                }
            }
            Step::DeleteRecords { partition, before } => {
                let Ok(start) = engine.delete_records(*partition, *before).wait() else { return false };
                self.log_starts.insert(*partition, start);
                true
            }
            Step::ProducerId => {
                let Ok(id) = engine.init_producer().wait() else { return false };
                assert!(!self.producer_ids.contains(&id), "producer id {id} came twice");
                self.producer_ids.push(id);
                true
            }
            Step::Alter { id, value } => {
                let resource = resource(*id);
                let before = engine.metadata().configs(&resource).cloned().unwrap_or_default();
                let after = BTreeMap::from([("value".to_owned(), (*value).to_owned())]);
                let altered = engine.alter_configs(ConfigChange { resource, before, after }).wait().is_ok();
                altered.then(|| self.configs.insert(*id, value));
                altered
            }
            Step::Grow { id, partitions } => {
                match engine.create_partitions(TopicId([*id; 16]), *partitions).wait() {
                    Ok(_) => {}
                    Err(MetadataError::NotMorePartitions { .. }) if again => {}
                    Err(_) => return false,
                }
                self.topics.insert(*id, *partitions);
                for index in 0..*partitions {
                    self.records.entry(partition(*id, index)).or_default();
                }
                true
            }
            Step::Maintain => engine.maintain(usize::MAX).wait().is_ok(),
        }
    }

    /// All that was acknowledged is there. `doubtful` was done or not, but not acknowledged.
    fn check(&self, engine: &LocalEngine, doubtful: Option<&Step>) {
        let metadata = engine.metadata();
        for (id, partitions) in &self.topics {
            let topic = metadata.by_id(TopicId([*id; 16]));
            let grown = |topic: &Topic| matches!(doubtful, Some(Step::Grow { id: doubtful, partitions }) if doubtful == id && topic.partitions == *partitions);
            let deleted = matches!(doubtful, Some(Step::Delete { id: doubtful }) if doubtful == id);
            assert!(
                topic.is_some_and(|topic| topic.partitions == *partitions || grown(topic)) || deleted,
                "topic {id}"
            );
        }
        for topic in metadata.topics() {
            let id = topic.id.0[0];
            let created = matches!(doubtful, Some(Step::Create { id: doubtful, .. }) if *doubtful == id);
            assert!(self.topics.contains_key(&id) || created, "topic {id} should not be there");
        }
        for (id, value) in &self.configs {
            let Some(found) = metadata.configs(&resource(*id)) else { continue };
            let doubtful = matches!(doubtful, Some(Step::Alter { id: doubtful, .. }) if doubtful == id);
            assert!(found.get("value").is_some_and(|found| found == value) || doubtful, "configs of {id}: {found:?}");
        }
        for (partition, expected) in &self.records {
            let Ok(bounds) = engine.bounds(*partition) else { continue };
            let start = self.log_starts.get(partition).copied().unwrap_or(0);
            let trimmed =
                matches!(doubtful, Some(Step::DeleteRecords { partition: doubtful, .. }) if doubtful == partition);
            assert!(bounds.log_start_offset == start || (trimmed && bounds.log_start_offset > start), "{partition:?}");
            let found = records_from(engine, *partition, bounds.log_start_offset);
            let mut expected: Vec<_> = (0..).zip(expected.clone()).skip(bounds.log_start_offset as usize).collect();
            if let Some(Step::Append { partition: doubtful, value, .. }) = doubtful
                && doubtful == partition
                && found.len() == expected.len() + 1
            {
                expected.push((bounds.high_watermark - 1, value.clone()));
            }
            assert!(found == expected, "{partition:?}: found {} records, expected {}", found.len(), expected.len());
        }
    }
}

/// How the engine ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Kill,
    PowerCut,
    /// With the seed of what is left.
    TornPowerCut(u64),
    /// Of the process that comes after the killed one.
    KillThenPowerCut,
}

/// Runs the workload, ends the engine after so many changes on the disk, and goes on. Answers whether it ended early.
fn run(end: End, changes: u64) -> bool {
    let disk = MemoryDisk::default();
    disk.cut_off_after(changes);
    let steps = workload(matches!(end, End::Kill));
    let mut model = Model::default();
    let done = match open(&disk) {
        Ok(engine) => steps.iter().position(|step| !model.step(&engine, step, false)).unwrap_or(steps.len()),
        Err(_) => 0,
    };
    match end {
        End::Kill | End::KillThenPowerCut => disk.restart(),
        End::PowerCut => disk.cut_power(None),
        End::TornPowerCut(seed) => disk.cut_power(Some(seed * 1_000 + changes)),
    }
    let again = || open(&disk).unwrap_or_else(|error| panic!("{end:?} after {changes} changes: {error}"));
    let mut engine = again();
    model.check(&engine, steps.get(done));
    for (number, step) in steps.iter().enumerate().skip(done) {
        assert!(model.step(&engine, step, number == done), "{end:?} after {changes} changes: {step:?}");
    }
    model.check(&engine, None);
    if matches!(end, End::KillThenPowerCut) {
        drop(engine);
        disk.cut_power(None);
        engine = again();
        model.check(&engine, None);
    }
    engine.close().wait().unwrap();
    drop(engine);
    disk.cut_power(None);
    model.check(&again(), None);
    assert_eq!(disk.files(&format!("/data/topics/{}", "02".repeat(16))), [], "a deleted topic leaves no file");
    done < steps.len()
}

/// Ends the engine after each number of changes, until it does not end early any more.
fn run_all(end: End) {
    let ended = (0..).take_while(|changes| run(end, *changes)).count();
    assert!(ended > 200, "the workload changes the disk more often than {ended} times");
}

#[test]
fn a_kill_at_any_step_loses_nothing() {
    run_all(End::Kill);
}

/// What a process left unflushed when it was killed is still there for the next one, which must not take it for durable.
#[test]
fn a_power_cut_after_a_kill_loses_nothing() {
    run_all(End::KillThenPowerCut);
}

#[test]
fn a_power_cut_at_any_step_loses_nothing() {
    run_all(End::PowerCut);
}

#[test]
fn a_power_cut_that_leaves_parts_of_writes_loses_nothing() {
    (0..5).for_each(|seed| run_all(End::TornPowerCut(seed)));
}

/// The rounds above can fail: an engine that answers before the flush does not survive a power cut.
#[test]
#[cfg(feature = "planted-bugs")]
fn the_planted_bug_is_caught() {
    use ottla_storage::local::PlantedBug;

    let disk = MemoryDisk::default();
    let mut options = local_support::options();
    options.planted_bug = Some(PlantedBug::AckBeforeFlush);
    let engine = LocalEngine::open(options, std::sync::Arc::new(disk.clone())).unwrap();
    local_support::create(&engine, "a", 1, 1);
    let appended = append_as(&engine, partition(1, 0), batch_of(b"lost", 1, 0), Durability::Flush);
    assert!(appended.is_ok());
    drop(engine);
    disk.cut_power(None);
    assert!(open(&disk).map_or(true, |engine| engine.bounds(partition(1, 0)).is_err()), "the record should be lost");
}
