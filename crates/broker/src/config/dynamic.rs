//! Configs that are changed while the broker runs: kept in the engine's metadata, over everything that was given at the start.
//!
//! A [`BrokerConfig`] never changes. When the metadata say something else, a new one takes its place ([`CurrentConfig`]), with
//! nothing remembered of what held before.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ottla_storage::{CleanerConfig, ConfigResource, LogConfig, LogConfigs, Metadata, Topic, TopicId};

use super::layers::{Candidate, Source};
use super::property::Change;
use super::{BrokerConfig, table};

/// The name under which the configs of all brokers are kept.
const ALL_BROKERS: &str = "";

/// What is set for this broker and for all brokers. A name or value that this version cannot use (a later one may have
/// written it) is not in here.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Dynamic {
    this_broker: BTreeMap<&'static str, String>,
    all_brokers: BTreeMap<&'static str, String>,
}

impl Dynamic {
    /// What the metadata have for this broker.
    pub(super) fn of(metadata: &Metadata, node_id: i32) -> Dynamic {
        Dynamic::usable(&Raw::of(metadata, &resources(node_id)))
    }

    fn usable(Raw([this_broker, all_brokers]): &Raw) -> Dynamic {
        let usable = |configs: &BTreeMap<String, String>| {
            let usable = configs.iter().filter_map(|(name, value)| {
                let property = table::find(name).filter(|property| property.change == Change::WhileRunning)?;
                Some((property.name, property.kind.check(value).ok()?))
            });
            usable.collect()
        };
        Dynamic { this_broker: usable(this_broker), all_brokers: usable(all_brokers) }
    }

    /// What is set for a property: the first one counts.
    pub(super) fn candidates(&self, name: &str) -> impl Iterator<Item = Candidate<'_>> {
        let layers = [(&self.this_broker, Source::ThisBroker), (&self.all_brokers, Source::AllBrokers)];
        layers.into_iter().filter_map(move |(layer, source)| {
            let (name, value) = layer.get_key_value(name)?;
            Some(Candidate { name, value, source })
        })
    }

    /// What is set for all brokers, by name.
    pub(crate) fn all_brokers(&self) -> impl Iterator<Item = Candidate<'_>> {
        self.all_brokers.iter().map(|(name, value)| Candidate { name, value, source: Source::AllBrokers })
    }
}

/// What is kept for this broker and for all brokers, as it is kept.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Raw([BTreeMap<String, String>; 2]);

impl Raw {
    fn of(metadata: &Metadata, resources: &[ConfigResource; 2]) -> Raw {
        let [this_broker, all_brokers] = resources.each_ref().map(|resource| metadata.configs(resource));
        Raw([this_broker.cloned().unwrap_or_default(), all_brokers.cloned().unwrap_or_default()])
    }

    /// Whether the metadata still have it, without a copy of theirs.
    fn is_kept_in(&self, metadata: &Metadata, resources: &[ConfigResource; 2]) -> bool {
        let same = |(resource, raw): (&ConfigResource, &BTreeMap<String, String>)| match metadata.configs(resource) {
            Some(configs) => configs == raw,
            None => raw.is_empty(),
        };
        resources.iter().zip(&self.0).all(same)
    }
}

/// Under which names configs are kept: of this broker, of all.
fn resources(node_id: i32) -> [ConfigResource; 2] {
    [ConfigResource::Broker(node_id.to_string().into()), ConfigResource::Broker(ALL_BROKERS.into())]
}

/// The configuration that holds now.
#[derive(Debug)]
pub(crate) struct CurrentConfig {
    node_id: i32,
    now: RwLock<BrokerConfig>,
}

impl CurrentConfig {
    /// What was given at the start, under what the metadata have.
    pub(crate) fn new(given: &BrokerConfig, node_id: i32, metadata: &Metadata) -> CurrentConfig {
        CurrentConfig { node_id, now: RwLock::new(given.under(Dynamic::of(metadata, node_id))) }
    }

    /// What holds now.
    pub(crate) fn now(&self) -> BrokerConfig {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over what the metadata have; called in the order of the changes.
    pub(crate) fn follow(&self, metadata: &Metadata) {
        let dynamic = Dynamic::of(metadata, self.node_id);
        let now = self.now();
        if *now.values().dynamic() != dynamic {
            *self.now.write().unwrap_or_else(PoisonError::into_inner) = now.under(dynamic);
        }
    }
}

/// Tells the engine what holds for each topic's log.
#[derive(Debug)]
pub struct TopicLogs {
    resources: [ConfigResource; 2],
    given: BrokerConfig,
    known: Mutex<Known>,
}

/// What was worked out last. Everything in it belongs to `raw`.
#[derive(Debug)]
struct Known {
    raw: Raw,
    config: BrokerConfig,
    /// By topic, with the configs of its own that it was worked out from.
    topics: HashMap<TopicId, (BTreeMap<String, String>, LogConfig)>,
}

impl TopicLogs {
    /// By this configuration, under what the metadata have for the broker.
    pub fn new(given: BrokerConfig, node_id: i32) -> Arc<TopicLogs> {
        let known = Known { raw: Raw::default(), config: given.clone(), topics: HashMap::new() };
        Arc::new(TopicLogs { resources: resources(node_id), given, known: Mutex::new(known) })
    }

    /// What holds with these metadata; worked out anew where the broker's configs are others than the last time.
    fn known_with(&self, metadata: &Metadata) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.raw.is_kept_in(metadata, &self.resources) {
            let raw = Raw::of(metadata, &self.resources);
            let config = self.given.under(Dynamic::usable(&raw));
            *known = Known { raw, config, topics: HashMap::new() };
        }
        known
    }
}

impl LogConfigs for TopicLogs {
    fn log_config(&self, metadata: &Metadata, topic: &Topic) -> LogConfig {
        let mut known = self.known_with(metadata);
        match known.topics.get(&topic.id) {
            _ if topic.configs.is_empty() => known.config.log_config(),
            Some((configs, config)) if *configs == topic.configs => *config,
            _ => known.work_out(metadata, topic),
        }
    }

    fn cleaner_config(&self, metadata: &Metadata) -> CleanerConfig {
        self.known_with(metadata).config.settings().cleaner
    }
}

impl Known {
    /// So many topics that are gone may be remembered beside as many as there are.
    const SLACK: usize = 64;

    fn work_out(&mut self, metadata: &Metadata, topic: &Topic) -> LogConfig {
        let config = super::topic::log_config(topic, &self.config);
        if self.topics.len() > 2 * metadata.topics().len() + Self::SLACK {
            self.topics.retain(|id, _| metadata.by_id(*id).is_some());
        }
        self.topics.insert(topic.id, (topic.configs.clone(), config));
        config
    }
}

#[cfg(test)]
#[path = "dynamic_tests.rs"]
mod tests;
