//! Topics and their configs.

use std::sync::Arc;

use crate::conformance::sample::Sample;
use crate::conformance::trial::{Trial, nowhere};
use crate::{AppendError, Bounds, MetadataError, NewTopic, PartitionId, ReadError};

pub(super) fn are_found_with_their_configs(trial: &mut Trial) {
    let configs =
        [("retention.ms", "1000"), ("cleanup.policy", "compact,delete"), ("ottla.note", ""), ("odd", "ü\n=\0\"")];
    let configs = configs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let new = NewTopic { configs: configs.clone().into(), ..trial.new_topic("with.configs-1_2", 3) };
    let id = new.id;
    let made = trial.engine().create_topic(new).wait().expect("not created");
    let other = trial.topic("other", 1);
    trial.interlude();
    let metadata = trial.engine().metadata();
    let found = metadata.by_name("with.configs-1_2").expect("not found by name");
    assert_eq!(found, &made);
    assert_eq!(metadata.by_id(id), Some(&made));
    assert_eq!((found.id, found.partitions), (id, 3));
    assert_eq!(found.configs, configs.into());
    assert_eq!(metadata.by_name("other"), Some(&other));
    assert_eq!(metadata.topics().len(), 2);
    assert!(metadata.by_name("none").is_none());
    let has = |index| metadata.has(PartitionId { topic: id, index });
    assert!(has(0) && has(2) && !has(3) && !has(-1));
}

pub(super) fn names_are_taken_once(trial: &mut Trial) {
    let first = trial.topic("taken", 2);
    let partition = PartitionId { topic: first.id, index: 1 };
    trial.accept(partition, &Sample::of(&["a"]));
    trial.interlude();
    let again = trial.new_topic("taken", 5);
    assert_eq!(trial.engine().create_topic(again).wait(), Err(MetadataError::TopicExists));
    let (one, two) = (trial.new_topic("race", 1), trial.new_topic("race", 1));
    let engine = trial.engine();
    let (one, two) = (engine.create_topic(one), engine.create_topic(two));
    let (one, two) = (one.wait(), two.wait());
    assert!(one.is_ok(), "{one:?}");
    assert_eq!(two, Err(MetadataError::TopicExists), "also where the first is not durable yet");
    drop(engine);
    trial.interlude();
    assert_eq!(trial.engine().metadata().by_name("taken"), Some(&first));
    assert_eq!(trial.engine().metadata().by_name("race"), one.as_ref().ok());
    assert_eq!(trial.values(partition), ["a"]);
}

pub(super) fn unknown_topics_cannot_be_deleted(trial: &mut Trial) {
    let id = nowhere().topic;
    assert_eq!(trial.engine().delete_topic(id).wait(), Err(MetadataError::UnknownTopic));
    let topic = trial.topic("short", 1);
    trial.engine().delete_topic(topic.id).wait().expect("not deleted");
    assert_eq!(trial.engine().delete_topic(topic.id).wait(), Err(MetadataError::UnknownTopic));
}

fn fill(trial: &Trial, partition: PartitionId) {
    trial.accept(partition, &Sample::of(&["old", "older"]).by_producer(5, 0, 0));
    trial.accept(partition, &Sample::of(&["oldest"]).by_producer(5, 0, 2));
    trial.delete_records(partition, 1).expect("not deleted");
}

fn is_new(trial: &Trial, partition: PartitionId) {
    assert_eq!(trial.bounds(partition), Bounds::default());
    assert!(trial.values(partition).is_empty(), "records of the old topic came back");
    let first = trial.append(partition, &Sample::of(&["new", "newer"]).by_producer(5, 0, 0)).expect("not accepted");
    assert_eq!((first.first_offset, first.duplicate), (0, false), "producers of the old topic came back");
    assert_eq!(trial.values(partition), ["new", "newer"]);
}

fn is_gone(trial: &Trial, partition: PartitionId) {
    assert!(trial.engine().metadata().by_id(partition.topic).is_none());
    assert_eq!(trial.engine().bounds(partition), Err(ReadError::UnknownPartition));
    assert_eq!(trial.read(partition, 0, 1).err(), Some(ReadError::UnknownPartition));
    assert_eq!(trial.delete_records(partition, 0), Err(ReadError::UnknownPartition));
    assert_eq!(trial.append(partition, &Sample::of(&["late"])), Err(AppendError::UnknownPartition));
}

pub(super) fn made_again_are_empty(trial: &mut Trial) {
    let old = PartitionId { topic: trial.topic("again", 1).id, index: 0 };
    fill(trial, old);
    trial.interlude();
    trial.engine().delete_topic(old.topic).wait().expect("not deleted");
    assert!(trial.engine().metadata().by_name("again").is_none());
    is_gone(trial, old);
    trial.interlude();
    assert!(trial.engine().metadata().by_name("again").is_none());
    is_gone(trial, old);
    let new = PartitionId { topic: trial.topic("again", 2).id, index: 0 };
    trial.interlude();
    is_new(trial, new);
    is_gone(trial, old);
    trial.interlude();
    assert_eq!(trial.values(new), ["new", "newer"]);
}

pub(super) fn made_again_without_an_interlude_between(trial: &mut Trial) {
    let old = PartitionId { topic: trial.topic("again", 1).id, index: 0 };
    fill(trial, old);
    trial.engine().delete_topic(old.topic).wait().expect("not deleted");
    let new = PartitionId { topic: trial.topic("again", 1).id, index: 0 };
    is_new(trial, new);
    trial.interlude();
    is_gone(trial, old);
    assert_eq!(trial.values(new), ["new", "newer"]);
    assert_eq!(trial.engine().metadata().topics().len(), 1);
}

pub(super) fn a_snapshot_does_not_change(trial: &mut Trial) {
    let topic = trial.topic("first", 1);
    let held = trial.engine().metadata();
    trial.topic("second", 1);
    trial.engine().delete_topic(topic.id).wait().expect("not deleted");
    assert_eq!(held.topics().len(), 1);
    assert_eq!(held.by_name("first"), Some(&topic));
    let now = trial.engine().metadata();
    let names: Vec<_> = now.topics().map(|topic| topic.name.clone()).collect();
    assert_eq!(names, [Arc::from("second")]);
}

pub(super) fn many_of_them(trial: &mut Trial) {
    let names: Vec<_> = (100..160).map(|n| format!("topic-{n}")).collect();
    let news: Vec<_> = names.iter().map(|name| trial.new_topic(name, 4)).collect();
    let engine = trial.engine();
    let pending: Vec<_> = news.into_iter().map(|new| engine.create_topic(new)).collect();
    let made: Vec<_> = pending.into_iter().map(|pending| pending.wait().expect("not created")).collect();
    for topic in made.iter().step_by(3) {
        engine.delete_topic(topic.id).wait().expect("not deleted");
    }
    drop(engine);
    trial.interlude();
    let metadata = trial.engine().metadata();
    let left: Vec<_> = metadata.topics().map(|topic| topic.name.to_string()).collect();
    let expected: Vec<_> = (0..60).filter(|n| n % 3 != 0).map(|n| names[n].clone()).collect();
    assert_eq!(left, expected);
    for topic in made.iter().enumerate().filter(|(n, _)| n % 3 != 0).map(|(_, topic)| topic) {
        trial.accept(PartitionId { topic: topic.id, index: 3 }, &Sample::of(&["x"]));
    }
}
