//! Topic configs: what a topic may be told, and what holds where it is told nothing.

mod log;
mod settings;
pub(crate) mod table;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub(crate) use log::log_config;
pub(super) use log::{durability, inherited_log_config};
pub use settings::{TimestampType, TopicSettings, TopicSettingsCache};

use super::layers::Source;
use super::nearest::nearest;
use super::{BrokerConfig, Shown, Values};
use table::{TOPIC, TopicProperty, find};

/// Checks the configs of a new topic and answers them as they are stored.
///
/// # Errors
/// A sentence: an unknown name, a null, a value that does not fit, or values that do not fit together.
pub(crate) fn check<'a>(
    configs: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    config: &BrokerConfig,
) -> Result<BTreeMap<String, String>, String> {
    let mut checked = BTreeMap::new();
    for (name, value) in configs {
        let Some(known) = find(name) else { return Err(unknown(name)) };
        let value = value.ok_or_else(|| format!("the topic config {name} has no value (null)"))?;
        let stored = known.property.kind.check(value).map_err(|reason| misfit(name, value, &reason))?;
        checked.insert(name.to_owned(), stored);
    }
    check_together(&checked, config)?;
    Ok(checked)
}

pub(super) fn misfit(name: &str, value: &str, reason: &str) -> String {
    format!("the topic config {name}={} {reason}", Shown(value))
}

pub(super) fn unknown(name: &str) -> String {
    let near = nearest(name, TOPIC.iter().map(|config| &config.property));
    let hint = near.map(|near| format!("; did you mean {}?", near.name)).unwrap_or_default();
    format!("unknown topic config {}{hint}", Shown(name))
}

/// That values fit together, right as each may be by itself.
pub(super) fn check_together(configs: &BTreeMap<String, String>, config: &BrokerConfig) -> Result<(), String> {
    let number = |name| effective(name, configs, config).parse::<i64>().unwrap_or(0);
    let (min, max) = (number("min.compaction.lag.ms"), number("max.compaction.lag.ms"));
    if min > max {
        return Err(format!("min.compaction.lag.ms={min} is above max.compaction.lag.ms={max}"));
    }
    if configs.get("remote.storage.enable").is_some_and(|value| value == "true") {
        return Err("remote.storage.enable=true is not possible: there is no tiered storage".to_owned());
    }
    Ok(())
}

/// What holds for a topic with these configs: its own value, else the broker's, else the default. A stored value that
/// does not fit its property (a later version may have written it) counts as unset.
pub(crate) fn effective<'a>(
    name: &str,
    configs: &'a BTreeMap<String, String>,
    config: &'a BrokerConfig,
) -> Cow<'a, str> {
    let Some(known) = find(name) else { return Cow::Borrowed("") };
    match configs.get(name) {
        Some(own) if known.property.kind.check(own).is_ok() => Cow::Borrowed(own),
        _ => inherited(known, config.values()).0,
    }
}

/// What holds for topics without a value of their own, and from where that comes.
pub(crate) fn inherited<'a>(known: &TopicProperty, values: &'a Values) -> (Cow<'a, str>, Source) {
    super::inherited(&known.property, known.broker, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Class;
    use crate::config::table as broker_table;

    #[track_caller]
    fn check_error(configs: &[(&str, Option<&str>)], expected: &str) {
        let error = check(configs.iter().copied(), &BrokerConfig::default()).expect_err("wrong configs");
        assert_eq!(error, expected);
    }

    #[test]
    fn configs_are_stored_in_their_plain_form() {
        let configs = [("cleanup.policy", Some("compact , delete")), ("retention.ms", Some(" +5 "))];
        let checked = check(configs.into_iter(), &BrokerConfig::default()).expect("proper configs");
        let checked: Vec<_> = checked.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(checked, [("cleanup.policy", "compact,delete"), ("retention.ms", "5")]);
    }

    #[test]
    fn wrong_configs_are_refused_with_a_reason() {
        check_error(&[("retention.mss", Some("1"))], "unknown topic config retention.mss; did you mean retention.ms?");
        check_error(&[("no\nsuch", Some("1"))], "unknown topic config no\\nsuch");
        check_error(&[("retention.ms", None)], "the topic config retention.ms has no value (null)");
        check_error(
            &[("retention.ms", Some("-2"))],
            "the topic config retention.ms=-2 is not a whole number from -1 to 9223372036854775807",
        );
        check_error(
            &[("min.insync.replicas", Some("0"))],
            "the topic config min.insync.replicas=0 is not a whole number from 1 to 2147483647",
        );
        check_error(
            &[("min.compaction.lag.ms", Some("6")), ("max.compaction.lag.ms", Some("5"))],
            "min.compaction.lag.ms=6 is above max.compaction.lag.ms=5",
        );
        check_error(
            &[("remote.storage.enable", Some("true"))],
            "remote.storage.enable=true is not possible: there is no tiered storage",
        );
    }

    #[test]
    fn every_config_fits_its_own_default_and_its_brokers() {
        let config = BrokerConfig::default();
        for known in TOPIC {
            let property = &known.property;
            let default = property.default.expect("topic configs have defaults");
            assert!(property.kind.check(default).is_ok(), "{}={default}", property.name);
            assert_eq!(inherited(known, config.values()), (default.into(), Source::Default), "{}", property.name);
            let Some(name) = known.broker else { continue };
            let broker = broker_table::find(name).unwrap_or_else(|| panic!("{name} is no broker property"));
            let silent = |class| class != Class::Served;
            if silent(broker.class) {
                assert!(silent(property.class), "{} is served and {name} is not", property.name);
            }
        }
    }

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(TOPIC.is_sorted_by(|left, right| left.property.name < right.property.name));
    }
}
