//! The page of metrics, in Prometheus' text format 0.0.4. What kafka_exporter has is called as there; what only Ottla knows begins
//! with `ottla_`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use ottla_groups::{ExplainedGroup, diagnose};
use ottla_storage::{Bounds, PartitionId};

use crate::Broker;
use crate::explain::{self, Facts, Failure};

/// Measurements of one kind.
struct Metric {
    kind: &'static str,
    help: &'static str,
    lines: Vec<String>,
}

/// All measurements, by name.
#[derive(Default)]
struct Page(BTreeMap<&'static str, Metric>);

impl Page {
    fn add(&mut self, (name, kind, help): Kind, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value)));
        let labels = labels.collect::<Vec<_>>().join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let metric = self.0.entry(name).or_insert(Metric { kind, help, lines: Vec::new() });
        metric.lines.push(format!("{name}{labels} {value}"));
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, Metric { kind, help, lines }) in &self.0 {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            for line in lines {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

/// Name, type, and what it is.
type Kind = (&'static str, &'static str, &'static str);

const BROKERS: Kind = ("kafka_brokers", "gauge", "Number of brokers.");
const BROKER_INFO: Kind = ("kafka_broker_info", "gauge", "Always 1, with the broker's address and id.");
const PARTITIONS: Kind = ("kafka_topic_partitions", "gauge", "Number of partitions of this topic.");
const CURRENT: Kind = ("kafka_topic_partition_current_offset", "gauge", "The high watermark of this partition.");
const OLDEST: Kind = ("kafka_topic_partition_oldest_offset", "gauge", "The log start offset of this partition.");
const LEADER: Kind = ("kafka_topic_partition_leader", "gauge", "The id of the broker that leads this partition.");
const PREFERRED: Kind = ("kafka_topic_partition_leader_is_preferred", "gauge", "1: it is led by its preferred broker.");
const REPLICAS: Kind = ("kafka_topic_partition_replicas", "gauge", "Number of replicas of this partition.");
const IN_SYNC: Kind = ("kafka_topic_partition_in_sync_replica", "gauge", "Number of its replicas that are in sync.");
const UNDER: Kind = ("kafka_topic_partition_under_replicated_partition", "gauge", "1: it has too few replicas.");
const MEMBERS: Kind = ("kafka_consumergroup_members", "gauge", "Number of members of this group.");
const COMMITTED: Kind = ("kafka_consumergroup_current_offset", "gauge", "The offset that the group committed.");
const COMMITTED_SUM: Kind = ("kafka_consumergroup_current_offset_sum", "gauge", "The sum of them over a topic.");
const LAG: Kind = ("kafka_consumergroup_lag", "gauge", "How many offsets the group is behind, -1: never committed.");
const LAG_SUM: Kind = ("kafka_consumergroup_lag_sum", "gauge", "The sum of them over a topic.");
const BEHIND: Kind = ("ottla_consumergroup_behind_seconds", "gauge", "The age of the oldest record that is not read.");
const STATE: Kind = ("ottla_consumergroup_state", "gauge", "Always 1, with the group's state and status.");
const LOST: Kind = ("ottla_records_lost_total", "counter", "Records removed before a group had read them.");
const LOST_MOVES: Kind = ("ottla_log_start_passed_commit_total", "counter", "How often a log start passed a commit.");
const REQUESTS: Kind = ("ottla_request_memory_bytes", "gauge", "Bytes of large requests that arrive or are at work.");
const ANSWERS: Kind = ("ottla_answer_memory_bytes", "gauge", "Bytes of records that wait in answers.");

/// The page as it is now.
///
/// # Errors
/// The groups cannot be looked at now.
pub(super) async fn page(broker: &Arc<Broker>) -> Result<String, Failure> {
    let mut page = Page::default();
    of_broker(&mut page, broker);
    of_topics(&mut page, broker);
    for (group, facts) in explain::everything(broker).await? {
        of_group(&mut page, broker.wall_ms(), &group, &facts);
    }
    Ok(page.text())
}

fn of_broker(page: &mut Page, broker: &Broker) {
    page.add(BROKERS, &[], 1);
    let id = broker.identity().node_id.to_string();
    for listener in &broker.config().settings().listeners {
        page.add(BROKER_INFO, &[("address", &listener.to_string()), ("id", &id)], 1);
    }
    let lost = broker.lost_records();
    page.add(LOST, &[], lost.records);
    page.add(LOST_MOVES, &[], lost.moves);
    page.add(REQUESTS, &[], broker.request_memory_bytes());
    page.add(ANSWERS, &[], broker.answer_memory_bytes());
}

fn of_topics(page: &mut Page, broker: &Broker) {
    let metadata = broker.engine().metadata();
    for topic in metadata.topics().filter(|topic| crate::topics::is_listed(&topic.name)) {
        let name = &*topic.name;
        page.add(PARTITIONS, &[("topic", name)], topic.partitions);
        for index in 0..topic.partitions {
            let Ok(bounds) = broker.engine().bounds(PartitionId { topic: topic.id, index }) else { continue };
            of_partition(page, broker, &[("partition", &index.to_string()), ("topic", name)], bounds);
        }
    }
}

fn of_partition(page: &mut Page, broker: &Broker, labels: &[(&str, &str)], bounds: Bounds) {
    page.add(CURRENT, labels, bounds.high_watermark);
    page.add(OLDEST, labels, bounds.log_start_offset);
    page.add(LEADER, labels, broker.identity().node_id);
    for (one, value) in [(PREFERRED, 1), (REPLICAS, 1), (IN_SYNC, 1), (UNDER, 0)] {
        page.add(one, labels, value);
    }
}

fn of_group(page: &mut Page, now_ms: i64, group: &ExplainedGroup, facts: &Facts) {
    let id = group.group_id.as_str();
    page.add(MEMBERS, &[("consumergroup", id)], group.members.len());
    let status = diagnose(now_ms, group, facts).status.name();
    page.add(STATE, &[("consumergroup", id), ("state", group.state.name()), ("status", status)], 1);
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for ((topic, partition), facts) in facts {
        let offset = group.offset(topic, *partition);
        let partition = partition.to_string();
        let labels = [("consumergroup", id), ("partition", partition.as_str()), ("topic", topic.as_str())];
        let Some(offset) = offset else {
            page.add(LAG, &labels, -1);
            continue;
        };
        let lag = facts.lag(offset.offset);
        page.add(COMMITTED, &labels, offset.offset);
        page.add(LAG, &labels, lag);
        let sum = sums.entry(topic).or_default();
        (sum.0, sum.1) = (sum.0 + offset.offset, sum.1 + lag);
    }
    for (topic, (offset, lag)) in sums {
        page.add(COMMITTED_SUM, &[("consumergroup", id), ("topic", topic)], offset);
        page.add(LAG_SUM, &[("consumergroup", id), ("topic", topic)], lag);
    }
    let behind_ms = explain::behind_ms(now_ms, facts).unwrap_or(0);
    page.add(BEHIND, &[("consumergroup", id)], behind_ms as f64 / 1_000.0);
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_in_the_text_format() {
        let mut page = Page::default();
        page.add(LAG, &[("consumergroup", "a\"b\\c\nd"), ("topic", "t")], 7);
        page.add(BROKERS, &[], 1);
        let expected = "# HELP kafka_brokers Number of brokers.\n# TYPE kafka_brokers gauge\nkafka_brokers 1\n\
             # HELP kafka_consumergroup_lag How many offsets the group is behind, -1: never committed.\n\
             # TYPE kafka_consumergroup_lag gauge\n\
             kafka_consumergroup_lag{consumergroup=\"a\\\"b\\\\c\\nd\",topic=\"t\"} 7\n";
        assert_eq!(page.text(), expected);
    }
}
