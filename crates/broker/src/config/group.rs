//! Group configs: what single groups may be told, and what holds where they are told nothing.

use std::collections::BTreeMap;

use ottla_groups::GroupConfig;

use super::kind::Kind;
use super::nearest::nearest;
use super::property::Property;
use super::table::{self, groups as broker};
use super::{BrokerConfig, Shown, Values, inherited};

/// A group config.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupProperty {
    /// Name, type, help, class; its default is its broker property's.
    pub(crate) property: Property,
    /// The broker's property that holds for groups without a value of their own.
    pub(crate) broker: &'static str,
    /// The broker's properties between which a value must be.
    bounds: Option<(&'static str, &'static str)>,
}

const SESSION_TIMEOUT: &str = "consumer.session.timeout.ms";
const HEARTBEAT_INTERVAL: &str = "consumer.heartbeat.interval.ms";
const LOST_CONNECTION_GRACE: &str = "ottla.lost.connection.grace.ms";

/// Every config, by name.
pub(crate) const GROUP: &[GroupProperty] = &[
    GroupProperty {
        property: Property::served(
            "consumer.assignment.interval.ms",
            Kind::int(0),
            "1000",
            "a target assignment is made with the heartbeat that needs it, without an interval",
        )
        .not_yet()
        .while_running(),
        broker: "group.consumer.assignment.interval.ms",
        bounds: Some(("group.consumer.min.assignment.interval.ms", "group.consumer.max.assignment.interval.ms")),
    },
    GroupProperty {
        property: Property::served(
            HEARTBEAT_INTERVAL,
            Kind::int(1),
            "5000",
            "how often members of the consumer protocol are told to send heartbeats, in milliseconds",
        )
        .more("It is told with the next heartbeat.")
        .while_running(),
        broker: broker::GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS.name,
        bounds: Some((
            broker::GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS.name,
            broker::GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS.name,
        )),
    },
    GroupProperty {
        property: Property::served(
            SESSION_TIMEOUT,
            Kind::int(1),
            "45000",
            "after how long without a heartbeat a member of the consumer protocol is removed, in milliseconds",
        )
        .more("It counts from the next heartbeat on.")
        .while_running(),
        broker: broker::GROUP_CONSUMER_SESSION_TIMEOUT_MS.name,
        bounds: Some((
            broker::GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS.name,
            broker::GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS.name,
        )),
    },
    GroupProperty {
        property: broker::OTTLA_LOST_CONNECTION_GRACE_MS.while_running(),
        broker: broker::OTTLA_LOST_CONNECTION_GRACE_MS.name,
        bounds: None,
    },
];

/// The config of that name.
pub(crate) fn find(name: &str) -> Option<&'static GroupProperty> {
    GROUP.iter().find(|config| config.property.name == name)
}

pub(super) fn misfit(name: &str, value: &str, reason: &str) -> String {
    format!("the group config {name}={} {reason}", Shown(value))
}

pub(super) fn unknown(name: &str) -> String {
    let near = nearest(name, GROUP.iter().map(|config| &config.property));
    let hint = near.map(|near| format!("; did you mean {}?", near.name)).unwrap_or_default();
    format!("unknown group config {}{hint}", Shown(name))
}

/// That values are within the broker's bounds and fit together, right as each may be by itself.
///
/// # Errors
/// A sentence.
pub(super) fn check_together(configs: &BTreeMap<String, String>, config: &BrokerConfig) -> Result<(), String> {
    let values = config.values();
    let own = GROUP.iter().filter_map(|known| Some((known, configs.get(known.property.name)?.parse::<i64>().ok()?)));
    for (known, value) in own {
        let Some((least, most)) = known.bounds else { continue };
        let (low, high) = (number(least, values), number(most, values));
        let name = known.property.name;
        if value < low {
            return Err(format!("{name}={value} is below the broker's {least}={low}"));
        }
        if value > high {
            return Err(format!("{name}={value} is above the broker's {most}={high}"));
        }
    }
    let (session_ms, beat_ms) =
        (effective(SESSION_TIMEOUT, configs, values), effective(HEARTBEAT_INTERVAL, configs, values));
    if beat_ms >= session_ms {
        return Err(format!(
            "{HEARTBEAT_INTERVAL}={beat_ms} must be below {SESSION_TIMEOUT}={session_ms}: each member would be removed before its \
             next heartbeat"
        ));
    }
    Ok(())
}

fn number(name: &str, values: &Values) -> i64 {
    let value = table::find(name).and_then(|property| values.effective(property).value);
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// What holds for a group with these configs: its own value, within the bounds that the broker has now, else the broker's. A
/// stored value that does not fit its property (a later version may have written it) counts as unset.
fn effective(name: &str, configs: &BTreeMap<String, String>, values: &Values) -> i64 {
    let Some(known) = find(name) else { return 0 };
    let own = configs.get(name).filter(|own| known.property.kind.check(own).is_ok());
    match (own.and_then(|own| own.parse::<i64>().ok()), known.bounds) {
        (Some(own), Some((least, most))) => own.min(number(most, values)).max(number(least, values)),
        (Some(own), None) => own,
        (None, _) => inherited(&known.property, Some(known.broker), values).0.parse().unwrap_or(0),
    }
}

/// What the group core is told of a group with these configs.
pub(crate) fn config(configs: &BTreeMap<String, String>, config: &BrokerConfig) -> GroupConfig {
    let number = |name| effective(name, configs, config.values());
    let time = |name| i32::try_from(number(name)).unwrap_or(i32::MAX);
    GroupConfig {
        consumer_session_timeout_ms: time(SESSION_TIMEOUT),
        consumer_heartbeat_interval_ms: time(HEARTBEAT_INTERVAL),
        lost_connection_grace_ms: u64::try_from(number(LOST_CONNECTION_GRACE)).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn configs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn every_config_has_its_brokers_default() {
        let config = BrokerConfig::default();
        for known in GROUP {
            let broker = table::find(known.broker).unwrap_or_else(|| panic!("{} is no broker property", known.broker));
            assert_eq!((known.property.default, known.property.kind), (broker.default, broker.kind), "{}", broker.name);
            assert_eq!(known.property.class, broker.class, "{}", broker.name);
            for bound in known.bounds.into_iter().flat_map(|(least, most)| [least, most]) {
                assert!(table::find(bound).is_some(), "{bound} is no broker property");
            }
            let (value, source) = inherited(&known.property, Some(known.broker), config.values());
            assert_eq!((Some(&*value), source), (known.property.default, Source::Default));
        }
        assert!(GROUP.is_sorted_by(|left, right| left.property.name < right.property.name));
    }

    #[test]
    fn values_are_bounded_by_the_brokers() {
        let broker = BrokerConfig::of(&[
            ("group.consumer.min.session.timeout.ms", "1000"),
            ("group.consumer.min.heartbeat.interval.ms", "500"),
        ]);
        let error = |pairs: &[(&str, &str)]| check_together(&configs(pairs), &broker).expect_err("wrong configs");
        let below = "consumer.session.timeout.ms=999 is below the broker's group.consumer.min.session.timeout.ms=1000";
        assert_eq!(error(&[(SESSION_TIMEOUT, "999")]), below);
        let above =
            "consumer.heartbeat.interval.ms=15001 is above the broker's group.consumer.max.heartbeat.interval.ms=15000";
        assert_eq!(error(&[(HEARTBEAT_INTERVAL, "15001")]), above);
        assert!(error(&[(SESSION_TIMEOUT, "5000")]).starts_with("consumer.heartbeat.interval.ms=5000 must be below "));
        assert_eq!(
            check_together(&configs(&[(SESSION_TIMEOUT, "1000"), (HEARTBEAT_INTERVAL, "999")]), &broker),
            Ok(())
        );
    }

    #[test]
    fn what_is_kept_follows_the_bounds_of_today() {
        let kept = configs(&[(SESSION_TIMEOUT, "50000"), (HEARTBEAT_INTERVAL, "7000"), (LOST_CONNECTION_GRACE, "-1")]);
        let broker = BrokerConfig::of(&[
            ("group.consumer.max.session.timeout.ms", "48000"),
            ("group.consumer.max.heartbeat.interval.ms", "6000"),
            (LOST_CONNECTION_GRACE, "3000"),
        ]);
        let told = |session, beat, grace| GroupConfig {
            consumer_session_timeout_ms: session,
            consumer_heartbeat_interval_ms: beat,
            lost_connection_grace_ms: grace,
        };
        assert_eq!(config(&kept, &broker), told(48_000, 6_000, None));
        assert_eq!(config(&BTreeMap::new(), &broker), told(45_000, 5_000, Some(3_000)));
        assert_eq!(config(&configs(&[(SESSION_TIMEOUT, "x")]), &broker), told(45_000, 5_000, Some(3_000)));
    }
}
