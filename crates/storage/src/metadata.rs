//! Topics and configs as they are at one moment, and what may become of them: the same checks for all engines.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{MetadataError, PartitionId, TopicId};

/// A topic as it is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// Its name; the broker has checked it against Kafka's rules.
    pub name: Arc<str>,
    /// How many partitions it has.
    pub partitions: i32,
    /// The configs set on the topic itself, by Kafka's property names; defaults are the broker's business.
    pub configs: BTreeMap<String, String>,
}

/// What configs can be set on, after its creation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ConfigResource {
    /// A topic.
    Topic(TopicId),
    /// A broker by its id, as text; "" is the default of all brokers.
    Broker(Arc<str>),
    /// A group by its id.
    Group(Arc<str>),
    /// A user's SCRAM credentials, by the user's name.
    ScramUser(Arc<str>),
    /// The quotas of clients; the broker writes down in the name which clients are meant.
    ClientQuota(Arc<str>),
    /// A subscription to metrics of clients, by its name.
    ClientMetrics(Arc<str>),
}

/// Replaces all configs of a resource, if they are still what the caller saw.
#[derive(Clone, Debug)]
pub struct ConfigChange {
    /// Whose.
    pub resource: ConfigResource,
    /// What the caller saw; empty where none were set.
    pub before: BTreeMap<String, String>,
    /// What shall be set from now on, checked by the caller.
    pub after: BTreeMap<String, String>,
}

/// All topics, and all configs of whatever else has some, at one moment. Cheap to hold: an engine replaces it whole when something changes.
#[derive(Clone, Default, Debug)]
pub struct Metadata {
    by_name: BTreeMap<Arc<str>, Arc<Topic>>,
    by_id: BTreeMap<TopicId, Arc<Topic>>,
    /// None of them empty. Those of a topic are in the topic.
    configs: BTreeMap<ConfigResource, Arc<BTreeMap<String, String>>>,
}

impl Metadata {
    /// The topic of that name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    /// The topic of that id.
    pub fn by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// Whether the partition exists.
    pub fn has(&self, partition: PartitionId) -> bool {
        self.by_id.get(&partition.topic).is_some_and(|topic| (0..topic.partitions).contains(&partition.index))
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<Topic>> {
        self.by_name.values()
    }

    /// Adds a topic or replaces the one of that name.
    pub fn insert(&mut self, topic: Topic) -> Arc<Topic> {
        let topic = Arc::new(topic);
        if let Some(replaced) = self.by_name.insert(topic.name.clone(), topic.clone()) {
            self.by_id.remove(&replaced.id);
        }
        self.by_id.insert(topic.id, topic.clone());
        topic
    }

    /// Removes a topic.
    pub fn remove(&mut self, id: TopicId) -> Option<Arc<Topic>> {
        let topic = self.by_id.remove(&id)?;
        self.by_name.remove(&topic.name);
        Some(topic)
    }

    /// The configs set on a resource; `None` or empty where none are.
    pub fn configs(&self, resource: &ConfigResource) -> Option<&BTreeMap<String, String>> {
        match resource {
            ConfigResource::Topic(id) => self.by_id(*id).map(|topic| &topic.configs),
            _ => self.configs.get(resource).map(|configs| &**configs),
        }
    }

    /// All but topics that has configs, with these.
    pub fn configured(&self) -> impl ExactSizeIterator<Item = (&ConfigResource, &BTreeMap<String, String>)> {
        self.configs.iter().map(|(resource, configs)| (resource, &**configs))
    }

    /// Sets all configs of a resource; false where it is a topic that does not exist.
    pub fn set_configs(&mut self, resource: ConfigResource, configs: BTreeMap<String, String>) -> bool {
        match resource {
            ConfigResource::Topic(id) => {
                let Some(topic) = self.by_id(id).cloned() else { return false };
                self.insert(Topic { configs, ..Topic::clone(&topic) });
            }
            _ if configs.is_empty() => {
                self.configs.remove(&resource);
            }
            _ => {
                self.configs.insert(resource, Arc::new(configs));
            }
        }
        true
    }

    /// That a change of configs may be made.
    ///
    /// # Errors
    /// [`MetadataError::UnknownTopic`], [`MetadataError::Changed`].
    pub fn check_configs(&self, change: &ConfigChange) -> Result<(), MetadataError> {
        let none = BTreeMap::new();
        let now = match (&change.resource, self.configs(&change.resource)) {
            (ConfigResource::Topic(_), None) => return Err(MetadataError::UnknownTopic),
            (_, now) => now.unwrap_or(&none),
        };
        if *now == change.before { Ok(()) } else { Err(MetadataError::Changed) }
    }

    /// That a topic may get `total` partitions; answers the topic as it is.
    ///
    /// # Errors
    /// [`MetadataError::UnknownTopic`], [`MetadataError::NotMorePartitions`].
    pub fn check_partitions(&self, topic: TopicId, total: i32) -> Result<&Arc<Topic>, MetadataError> {
        let topic = self.by_id(topic).ok_or(MetadataError::UnknownTopic)?;
        let partitions = topic.partitions;
        if total > partitions { Ok(topic) } else { Err(MetadataError::NotMorePartitions { partitions }) }
    }
}
