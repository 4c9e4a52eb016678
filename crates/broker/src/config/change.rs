//! From what is set on a topic, a broker, a group or a subscription to metrics, and what somebody wants to change about it, to what shall be set: no more than a
//! function.
//!
//! The rules are Kafka's (KIP-339), as observed: what is appended to or subtracted from starts with Kafka's own default where
//! nothing is set; a word is never twice in a list; deleting what is not set is fine.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::{Kind, split_list};
use super::nearest::nearest;
use super::property::{Change, Property};
use super::table::network;
use super::{BrokerConfig, Shown, client_metrics, group, table, topic};

/// What is set: values by property.
pub(crate) type Configs = BTreeMap<String, String>;

/// Whose configs they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    /// A topic.
    Topic,
    /// One broker, or all.
    Broker,
    /// A group.
    Group,
    /// A subscription to metrics of clients.
    ClientMetrics,
}

/// What shall become of one property.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation<'a> {
    /// It gets this value.
    Set(&'a str),
    /// It is not set any more.
    Delete,
    /// These words are added to its list.
    Append(&'a str),
    /// These words are taken out of its list.
    Subtract(&'a str),
}

/// Why nothing is changed: a sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// What is asked for cannot be asked (Kafka's INVALID_REQUEST).
    Request(String),
    /// The config cannot be so (Kafka's INVALID_CONFIG).
    Config(String),
}

/// What shall be set after these operations on `current`.
///
/// # Errors
/// The first operation that cannot be done; then nothing is changed.
pub(crate) fn changed(
    owner: Owner,
    current: &Configs,
    operations: &[(&str, Operation<'_>)],
    config: &BrokerConfig,
) -> Result<Configs, Refusal> {
    let mut seen = BTreeSet::new();
    if let Some((name, _)) = operations.iter().find(|(name, _)| !seen.insert(*name)) {
        return Err(Refusal::Request(format!("the request names the config {} more than once", Shown(name))));
    }
    let mut configs = current.clone();
    for (name, operation) in operations {
        match operation {
            // As in Kafka the name need not even exist: whoever cleans up may find what a later version has left.
            Operation::Delete => {
                configs.remove(*name);
            }
            Operation::Set(value) => {
                configs.insert((*name).to_owned(), checked(owner, find(owner, name)?, value)?);
            }
            Operation::Append(words) => {
                let property = list(owner, name, "appended to")?;
                let value = appended(&present(property, current), words);
                configs.insert((*name).to_owned(), checked(owner, property, &value)?);
            }
            Operation::Subtract(words) => {
                let property = list(owner, name, "subtracted from")?;
                let value = subtracted(&present(property, current), words);
                configs.insert((*name).to_owned(), checked(owner, property, &value)?);
            }
        }
    }
    match owner {
        Owner::Topic => topic::check_together(&configs, config).map_err(Refusal::Config)?,
        Owner::Group => group::check_together(&configs, config).map_err(Refusal::Config)?,
        Owner::ClientMetrics => client_metrics::check(&configs).map_err(Refusal::Config)?,
        Owner::Broker => check_addresses(&configs, config)?,
    }
    Ok(configs)
}

/// That somebody can still connect, and take it back: without overrides no address is left at 0.
fn check_addresses(configs: &Configs, config: &BrokerConfig) -> Result<(), Refusal> {
    let told = |property: &Property| configs.get(property.name).map(String::as_str);
    let has_overrides = match told(&network::MAX_CONNECTIONS_PER_IP_OVERRIDES) {
        Some(overrides) => !overrides.is_empty(),
        None => !config.settings().connection_limits.of_addresses.is_empty(),
    };
    match told(&network::MAX_CONNECTIONS_PER_IP) {
        Some("0") if !has_overrides => Err(Refusal::Request(
            "max.connections.per.ip=0 would keep everybody out; set max.connections.per.ip.overrides first, or at least 1".into(),
        )),
        _ => Ok(()),
    }
}

/// A property that can be set while running.
fn find(owner: Owner, name: &str) -> Result<&'static Property, Refusal> {
    if owner == Owner::Topic {
        let known = topic::table::find(name).ok_or_else(|| Refusal::Config(topic::unknown(name)))?;
        return Ok(&known.property);
    }
    if owner == Owner::Group {
        let known = group::find(name).ok_or_else(|| Refusal::Config(group::unknown(name)))?;
        return Ok(&known.property);
    }
    if owner == Owner::ClientMetrics {
        return client_metrics::find(name).ok_or_else(|| Refusal::Request(client_metrics::unknown(name)));
    }
    let fixed = || {
        Refusal::Request(format!(
            "{} cannot be changed while the broker runs; restart it with another value",
            Shown(name)
        ))
    };
    let property = match table::find(name) {
        Some(property) => property,
        None if table::PREFIXES.iter().any(|prefix| name.starts_with(prefix)) => return Err(fixed()),
        None => return Err(Refusal::Config(unknown(name))),
    };
    match property.change {
        Change::WhileRunning => Ok(property),
        Change::AtStart => Err(fixed()),
    }
}

fn unknown(name: &str) -> String {
    let changeable = table::all().filter(|property| property.change == Change::WhileRunning);
    let near = nearest(name, changeable).or_else(|| nearest(name, table::all()));
    let hint = near.map(|near| format!("; did you mean {}?", near.name)).unwrap_or_default();
    format!("unknown broker config {}{hint}", Shown(name))
}

/// The value as it is stored. Kafka answers a value that does not fit with another code for brokers than for topics.
fn checked(owner: Owner, property: &Property, value: &str) -> Result<String, Refusal> {
    property.kind.check(value).map_err(|reason| match owner {
        Owner::Topic => Refusal::Config(topic::misfit(property.name, value, &reason)),
        Owner::Group => Refusal::Config(group::misfit(property.name, value, &reason)),
        // What is no number at all is another error in Kafka than a number that is too small.
        Owner::ClientMetrics if value.trim().parse::<i32>().is_err() => {
            Refusal::Config(client_metrics::misfit(property.name, value, &reason))
        }
        Owner::ClientMetrics => Refusal::Request(client_metrics::misfit(property.name, value, &reason)),
        Owner::Broker => Refusal::Request(format!("{}={} {reason}", property.name, Shown(value))),
    })
}

fn list(owner: Owner, name: &str, what: &str) -> Result<&'static Property, Refusal> {
    let property = find(owner, name)?;
    match property.kind {
        // Kafka's tables know them as texts.
        _ if owner == Owner::ClientMetrics => Err(Refusal::Config(format!("{name} cannot be {what}; set it instead"))),
        Kind::List | Kind::ListOf(_) | Kind::Replicas => Ok(property),
        _ => Err(Refusal::Config(format!("{name} cannot be {what}: it is no list; set it instead"))),
    }
}

/// The list as it is set, else Kafka's default.
fn present(property: &Property, current: &Configs) -> String {
    let set = current.get(property.name).map(String::as_str);
    set.or(property.default).unwrap_or_default().to_owned()
}

fn appended(present: &str, words: &str) -> String {
    let mut all: Vec<&str> = Vec::new();
    for word in split_list(present).chain(split_list(words)) {
        if !all.contains(&word) {
            all.push(word);
        }
    }
    all.join(",")
}

fn subtracted(present: &str, words: &str) -> String {
    let stays = |word: &&str| !split_list(words).any(|gone| gone == *word);
    split_list(present).filter(stays).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
