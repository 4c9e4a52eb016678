//! Configuration: Kafka's property names in Kafka's file format, in layers, each property declared once.
//!
//! The tables ([`table`] for the broker, [`topic`] for topics) give every property its type, range, default, help and
//! class; checks, typed settings, DescribeConfigs and `docs/configuration.md` are read off them.

pub(crate) mod change;
pub(crate) mod client_metrics;
mod connection_limits;
mod document;
mod dynamic;
mod error;
pub(crate) mod group;
mod kind;
mod layers;
mod listener;
mod nearest;
mod properties_file;
mod property;
mod settings;
pub(crate) mod table;
pub(crate) mod topic;

use std::borrow::Cow;
use std::sync::Arc;

use ottla_storage::LogConfig;

pub use connection_limits::ConnectionLimits;
pub use document::document;
pub use dynamic::TopicLogs;
pub(crate) use dynamic::{CurrentConfig, Dynamic};
pub use error::ConfigError;
pub(crate) use error::Shown;
pub use kind::Kind;
pub use layers::{Given, Layers, Origin};
pub(crate) use layers::{Source, Values};
pub use listener::{Listener, parse_address};
pub use nearest::nearest_by;
pub use property::{Change, Class, Coarser, Property, Subject};
pub use settings::{BrokerSettings, GroupSettings, StorageKind};
pub use topic::{TimestampType, TopicSettings, TopicSettingsCache};

/// A broker's whole configuration at one moment. Cheap to clone; it never changes, another one takes its place.
#[derive(Clone, Debug)]
pub struct BrokerConfig(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    values: Values,
    settings: BrokerSettings,
    warnings: Vec<String>,
    topic_settings: TopicSettingsCache,
    /// What holds for the log of a topic without configs of its own.
    log_config: LogConfig,
}

impl BrokerConfig {
    fn new(values: Values, warnings: Vec<String>) -> Result<BrokerConfig, ConfigError> {
        let settings = BrokerSettings::of(&values)?;
        Ok(BrokerConfig::with(values, settings, warnings))
    }

    fn with(values: Values, settings: BrokerSettings, warnings: Vec<String>) -> BrokerConfig {
        let topic_settings = TopicSettingsCache::default();
        let log_config = topic::inherited_log_config(&values);
        BrokerConfig(Arc::new(Inner { values, settings, warnings, topic_settings, log_config }))
    }

    /// The same with other values set while running.
    fn under(&self, dynamic: Dynamic) -> BrokerConfig {
        let values = self.0.values.under(dynamic);
        // What is set while running was checked one by one; should it not fit together, what was typed before stays.
        let settings = BrokerSettings::of(&values).unwrap_or_else(|why| {
            tracing::warn!("what is set while running does not fit together, and has no effect: {why}");
            self.0.settings.clone()
        });
        BrokerConfig::with(values, settings, self.0.warnings.clone())
    }

    /// What holds for the log of a topic without configs of its own.
    pub(crate) fn log_config(&self) -> LogConfig {
        self.0.log_config
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

/// What holds for topics or groups without a value of their own, and from where that comes: what their broker property has.
pub(crate) fn inherited<'a>(property: &Property, broker: Option<&str>, values: &'a Values) -> (Cow<'a, str>, Source) {
    match broker.and_then(table::find).map(|property| values.effective(property)) {
        Some(layers::Effective { value: Some(value), source }) => (value, source),
        _ => (Cow::Borrowed(property.default.unwrap_or_default()), Source::Default),
    }
}

impl Default for BrokerConfig {
    fn default() -> Self {
        BrokerConfig::of(&[])
    }
}

#[cfg(test)]
mod tests;
