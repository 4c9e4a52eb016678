//! Configuration: Kafka's property names in Kafka's file format, in layers, each property declared once.
//!
//! The tables ([`table`] for the broker, [`topic`] for topics) give every property its type, range, default, help and
//! class; checks, typed settings, DescribeConfigs and `docs/configuration.md` are read off them.

mod document;
mod error;
mod kind;
mod layers;
mod listener;
mod nearest;
mod properties_file;
mod property;
mod settings;
pub(crate) mod table;
pub(crate) mod topic;

use std::sync::Arc;

pub use document::document;
pub use error::ConfigError;
pub(crate) use error::Shown;
pub use kind::Kind;
pub(crate) use layers::Values;
pub use layers::{Given, Layers, Origin};
pub use listener::{Listener, parse_address};
pub use property::{Change, Class, Coarser, Property, Subject};
pub use settings::{BrokerSettings, GroupSettings, StorageKind};
pub use topic::{Compression, TimestampType, TopicSettings, TopicSettingsCache};

/// A broker's whole configuration. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BrokerConfig(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    values: Values,
    settings: BrokerSettings,
    warnings: Vec<String>,
    topic_settings: TopicSettingsCache,
}

impl BrokerConfig {
    fn new(values: Values, warnings: Vec<String>) -> Result<BrokerConfig, ConfigError> {
        let settings = BrokerSettings::of(&values)?;
        let topic_settings = TopicSettingsCache::default();
        Ok(BrokerConfig(Arc::new(Inner { values, settings, warnings, topic_settings })))
    }

    /// A configuration out of these pairs over the defaults, for tests.
    ///
    /// # Panics
    /// When a pair is wrong.
    pub fn of(pairs: &[(&str, &str)]) -> BrokerConfig {
        let mut layers = Layers::default();
        for (name, value) in pairs {
            if let Err(error) = layers.set(&format!("{name}={value}")) {
                panic!("{error}");
            }
        }
        layers.resolve().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Everything typed.
    pub fn settings(&self) -> &BrokerSettings {
        &self.0.settings
    }

    /// One sentence for each property that was given and steers nothing.
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// What holds for a topic; remembered until the topic changes.
    pub fn topic(&self, topic: &Arc<ottla_storage::Topic>) -> Arc<TopicSettings> {
        self.0.topic_settings.get(topic, self)
    }

    pub(crate) fn values(&self) -> &Values {
        &self.0.values
    }
}

impl Default for BrokerConfig {
    fn default() -> Self {
        BrokerConfig::of(&[])
    }
}

#[cfg(test)]
mod tests;
