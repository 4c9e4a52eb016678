//! Subscriptions to metrics of clients (KIP-714): what of them can be set. They are kept, described and listed, which is all that a Kafka
//! without a plugin for metrics does with them: no client is told of any.

use std::collections::BTreeMap;

use regex::Regex;

use super::Shown;
use super::kind::{Kind, split_list};
use super::nearest::nearest;
use super::property::Property;

const INTERVAL: &str = "interval.ms";
const MATCH: &str = "match";
const METRICS: &str = "metrics";

/// Every config, by name.
pub(crate) const CLIENT_METRICS: [Property; 3] = [
    Property::served(
        INTERVAL,
        Kind::Int { min: 100, max: 3_600_000 },
        "300000",
        "how often clients are to send the metrics, in milliseconds",
    )
    .while_running(),
    Property::served(
        MATCH,
        Kind::List,
        "",
        "which clients are meant: NAME=REGULAR EXPRESSION with commas between them; empty: all",
    )
    .while_running(),
    Property::served(METRICS, Kind::List, "", "the beginnings of the metrics' names; *: all").while_running(),
];

/// What clients are known by.
const CRITERIA: [&str; 6] = [
    "client_id",
    "client_instance_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// The config of that name.
pub(crate) fn find(name: &str) -> Option<&'static Property> {
    CLIENT_METRICS.iter().find(|property| property.name == name)
}

pub(super) fn misfit(name: &str, value: &str, reason: &str) -> String {
    format!("the config {name}={} of a client metrics subscription {reason}", Shown(value))
}

pub(super) fn unknown(name: &str) -> String {
    let hint =
        nearest(name, CLIENT_METRICS.iter()).map(|near| format!("; did you mean {}?", near.name)).unwrap_or_default();
    format!("unknown config {} of a client metrics subscription{hint}", Shown(name))
}

/// That what clients are matched by can be understood.
///
/// # Errors
/// A sentence.
pub(super) fn check(configs: &BTreeMap<String, String>) -> Result<(), String> {
    let told = |name| configs.get(name).map(String::as_str).unwrap_or_default();
    for name in [MATCH, METRICS] {
        if split_list(told(name)).any(str::is_empty) {
            return Err(format!("{name} has an empty entry: {}", Shown(told(name))));
        }
    }
    split_list(told(MATCH)).try_for_each(check_criterion)
}

fn check_criterion(criterion: &str) -> Result<(), String> {
    let Some((name, pattern)) = criterion.split_once('=') else {
        return Err(format!("{MATCH} has {}, which is no NAME=REGULAR EXPRESSION", Shown(criterion)));
    };
    if !CRITERIA.contains(&name.trim()) {
        let known = CRITERIA.join(", ");
        return Err(format!("{MATCH} names {}; clients are known by {known}", Shown(name)));
    }
    match Regex::new(pattern.trim()) {
        _ if pattern.trim().is_empty() || pattern.contains('=') => {
            Err(format!("{MATCH} has {}, which is no NAME=REGULAR EXPRESSION", Shown(criterion)))
        }
        Ok(_) => Ok(()),
        Err(_) => Err(format!("{MATCH} has {}, which is no regular expression", Shown(pattern))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_matched_by_what_they_are_known_by() {
        let told = |value: &str| check(&BTreeMap::from([(MATCH.to_owned(), value.to_owned())]));
        for good in ["", "client_id=abc.*", "client_software_name=apache-kafka-java, client_source_port=90[0-9]+"] {
            assert_eq!(told(good), Ok(()), "{good}");
        }
        for bad in ["abc", "client=abc", "client_id=(", "client_id=a,b"] {
            assert!(told(bad).is_err(), "{bad}");
        }
        assert!(CLIENT_METRICS.is_sorted_by(|left, right| left.name < right.name));
    }
}
