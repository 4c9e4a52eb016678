//! Configs of topics, brokers and groups, and more partitions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::conformance::sample::Sample;
use crate::conformance::trial::{Trial, nowhere};
use crate::{
    Bounds, ConfigChange, ConfigResource, LogStartCause, Metadata, MetadataError, Observer, PartitionId, ReadError,
    TopicId, Unavailable,
};

type Configs = BTreeMap<String, String>;

fn configs(pairs: &[(&str, &str)]) -> Configs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn change(resource: &ConfigResource, before: &[(&str, &str)], after: &[(&str, &str)]) -> ConfigChange {
    ConfigChange { resource: resource.clone(), before: configs(before), after: configs(after) }
}

fn alter(trial: &Trial, change: ConfigChange) -> Result<(), MetadataError> {
    trial.engine().alter_configs(change).wait()
}

fn of(trial: &Trial, resource: &ConfigResource) -> Configs {
    trial.engine().metadata().configs(resource).cloned().unwrap_or_default()
}

/// One of each kind, with no configs.
fn resources(trial: &mut Trial) -> [ConfigResource; 7] {
    let topic = trial.topic("configured", 2).id;
    [
        ConfigResource::Topic(topic),
        ConfigResource::Broker(Arc::from("")),
        ConfigResource::Broker(Arc::from("1")),
        ConfigResource::Group(Arc::from("billing")),
        ConfigResource::ScramUser(Arc::from("billing")),
        ConfigResource::ClientQuota(Arc::from("billing")),
        ConfigResource::ClientMetrics(Arc::from("billing")),
    ]
}

pub(super) fn are_replaced_whole(trial: &mut Trial) {
    let resources = resources(trial);
    for (resource, value) in resources.iter().zip(["topic", "all", "one", "group", "user", "quota", "metrics"]) {
        alter(trial, change(resource, &[], &[("a", value), ("b", "ü\n=\0\"")])).expect("not altered");
    }
    trial.interlude();
    for (resource, value) in resources.iter().zip(["topic", "all", "one", "group", "user", "quota", "metrics"]) {
        let now = [("a", value), ("b", "ü\n=\0\"")];
        assert_eq!(of(trial, resource), configs(&now));
        alter(trial, change(resource, &now, &[("c", "")])).expect("not altered");
    }
    trial.interlude();
    for resource in &resources {
        assert_eq!(of(trial, resource), configs(&[("c", "")]));
        alter(trial, change(resource, &[("c", "")], &[])).expect("not altered");
    }
    trial.interlude();
    for resource in &resources {
        assert_eq!(of(trial, resource), Configs::new());
    }
    assert_eq!(trial.engine().metadata().configured().len(), 0, "what has no configs takes no place");
    assert_eq!(trial.engine().metadata().by_name("configured").map(|topic| topic.partitions), Some(2));
}

pub(super) fn are_changed_by_who_saw_them(trial: &mut Trial) {
    for resource in &resources(trial) {
        assert_eq!(alter(trial, change(resource, &[("a", "1")], &[])), Err(MetadataError::Changed));
        alter(trial, change(resource, &[], &[("a", "1")])).expect("not altered");
        let engine = trial.engine();
        let race = [("b", "1"), ("b", "2")].map(|pair| change(resource, &[("a", "1")], &[pair]));
        let race = race.map(|change| engine.alter_configs(change));
        assert_eq!(race.map(crate::Pending::wait), [Ok(()), Err(MetadataError::Changed)]);
        assert_eq!(of(trial, resource), configs(&[("b", "1")]));
        assert_eq!(alter(trial, change(resource, &[], &[("a", "1")])), Err(MetadataError::Changed));
        assert_eq!(alter(trial, change(resource, &[("b", "2")], &[("a", "1")])), Err(MetadataError::Changed));
    }
}

pub(super) fn go_with_their_topic(trial: &mut Trial) {
    let unknown = ConfigResource::Topic(nowhere().topic);
    assert_eq!(alter(trial, change(&unknown, &[], &[("a", "1")])), Err(MetadataError::UnknownTopic));
    let [resource, ..] = resources(trial);
    alter(trial, change(&resource, &[], &[("a", "1")])).expect("not altered");
    let ConfigResource::Topic(id) = resource else { unreachable!() };
    trial.interlude();
    trial.engine().delete_topic(id).wait().expect("not deleted");
    assert_eq!(alter(trial, change(&resource, &[("a", "1")], &[])), Err(MetadataError::UnknownTopic));
    trial.topic("configured", 1);
    trial.interlude();
    assert_eq!(trial.engine().metadata().by_name("configured").map(|topic| topic.configs.clone()), Some(configs(&[])));
}

pub(super) fn more_partitions(trial: &mut Trial) {
    let topic = trial.topic("grows", 1);
    let partition = |index| PartitionId { topic: topic.id, index };
    trial.accept(partition(0), &Sample::of(&["a", "b"]));
    trial.interlude();
    let grown = trial.engine().create_partitions(topic.id, 3).wait().expect("not created");
    assert_eq!((grown.id, &grown.name, grown.partitions), (topic.id, &topic.name, 3));
    assert_eq!(trial.bounds(partition(2)), Bounds::default());
    trial.accept(partition(2), &Sample::of(&["c"]));
    assert_eq!(trial.engine().bounds(partition(3)), Err(ReadError::UnknownPartition));
    trial.interlude();
    assert_eq!(trial.engine().metadata().by_id(topic.id), Some(&grown));
    let values = [0, 1, 2].map(|index| trial.values(partition(index)));
    assert_eq!(values, [vec!["a", "b"], vec![], vec!["c"]]);
    trial.accept(partition(1), &Sample::of(&["d"]));
    trial.engine().delete_topic(topic.id).wait().expect("not deleted");
    trial.interlude();
    assert_eq!(trial.engine().bounds(partition(2)), Err(ReadError::UnknownPartition));
}

pub(super) fn never_fewer_partitions(trial: &mut Trial) {
    let topic = trial.topic("stays", 3);
    let ask = |id: TopicId, total| trial.engine().create_partitions(id, total).wait();
    for total in [i32::MIN, -1, 0, 2, 3] {
        assert_eq!(ask(topic.id, total), Err(MetadataError::NotMorePartitions { partitions: 3 }));
    }
    assert_eq!(ask(nowhere().topic, 4), Err(MetadataError::UnknownTopic));
    assert_eq!(trial.engine().metadata().by_id(topic.id), Some(&topic));
}

/// Notes the names and sizes of topics and how many resources have configs, at each call.
#[derive(Default)]
struct Ears(Mutex<Vec<(String, usize)>>);

impl Observer for Ears {
    fn advanced(&self, _: &[PartitionId]) {}
    fn log_start_moved(&self, _: PartitionId, _: i64, _: i64, _: LogStartCause) {}
    fn poisoned(&self, _: &Unavailable) {}

    fn metadata_changed(&self, metadata: &Arc<Metadata>) {
        let topics: Vec<_> = metadata
            .topics()
            .map(|topic| format!("{}/{}/{}", topic.name, topic.partitions, topic.configs.len()))
            .collect();
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push((topics.join(" "), metadata.configured().len()));
    }
}

/// Whoever is answered can rely on it that all observers have heard.
pub(super) fn observers_hear_before_the_caller(trial: &mut Trial) {
    let ears = Arc::new(Ears::default());
    trial.engine().subscribe(ears.clone());
    let last = || ears.0.lock().unwrap_or_else(PoisonError::into_inner).last().cloned();
    let [topic, all, ..] = resources(trial);
    assert_eq!(last(), Some(("configured/2/0".to_owned(), 0)));
    alter(trial, change(&topic, &[], &[("a", "1")])).expect("not altered");
    assert_eq!(last(), Some(("configured/2/1".to_owned(), 0)));
    alter(trial, change(&all, &[], &[("a", "1")])).expect("not altered");
    assert_eq!(last(), Some(("configured/2/1".to_owned(), 1)));
    let ConfigResource::Topic(id) = topic else { unreachable!() };
    trial.engine().create_partitions(id, 5).wait().expect("not created");
    assert_eq!(last(), Some(("configured/5/1".to_owned(), 1)));
    trial.engine().delete_topic(id).wait().expect("not deleted");
    assert_eq!(last(), Some((String::new(), 1)));
    assert!(alter(trial, change(&all, &[], &[])).is_err() && trial.engine().delete_topic(id).wait().is_err());
    let heard = ears.0.lock().unwrap_or_else(PoisonError::into_inner).len();
    assert_eq!(heard, 5, "one call for each change, none where nothing changed");
}
