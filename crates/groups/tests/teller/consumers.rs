//! Members of the consumer protocol, and the topics that they read.
use super::{Command, Teller};
use ottla_groups::*;
use std::sync::Arc;

/// Every expression is a beginning of names and `.*`.
fn beginnings(pattern: &str, names: &[&str]) -> Result<Vec<String>, String> {
    let beginning = pattern.strip_suffix(".*").ok_or("no end")?;
    Ok(names.iter().filter(|name| name.starts_with(beginning)).map(|name| name.to_string()).collect())
}

/// Topics are told apart by their first letters.
fn topic_id(name: &str) -> TopicId {
    [name.as_bytes()[0]; 16]
}

/// `t:0-3,u:1-1`.
fn partitions(text: &str) -> Assignment {
    Assignment::of(text.split(',').filter(|part| !part.is_empty()).flat_map(|part| {
        let (topic, numbers) = part.split_once(':').unwrap();
        let (first, last) = numbers.split_once('-').unwrap();
        (first.parse::<i32>().unwrap()..=last.parse().unwrap()).map(move |partition| (topic_id(topic), partition))
    }))
}

impl Teller {
    pub(super) fn topics(&mut self, command: &Command<'_>) -> String {
        let shapes = command.words[1..].iter().map(|word| {
            let (name, partitions) = word.split_once(':').unwrap();
            (name.to_string(), TopicShape { topic_id: topic_id(name), partitions: partitions.parse().unwrap() })
        });
        self.event(Event::TopicsChanged(Arc::new(Topics::new(shapes, beginnings))))
    }

    pub(super) fn beat(&mut self, command: &Command<'_>, group_id: String, client: String) -> String {
        let (reached, given) = self.consumers.get(&client).cloned().unwrap_or((0, Assignment::none()));
        let member_epoch = command.number("epoch", reached);
        let is_joining = member_epoch == 0;
        let reads = command.pairs.get("reads").map(|reads| reads.split(',').map(String::from).collect());
        let has = match command.pairs.get("has").copied() {
            Some("given") => Some(given),
            Some("nothing") => Some(Assignment::none()),
            Some(text) => Some(partitions(text)),
            None => is_joining.then(Assignment::none),
        };
        let reads_names = is_joining && !command.pairs.contains_key("regex");
        let request = ConsumerHeartbeat {
            group_id,
            member_id: command.text("id").unwrap_or(client.clone()),
            member_epoch,
            group_instance_id: command.text("instance"),
            rebalance_timeout_ms: is_joining.then(|| command.number("rebalance", 60_000)),
            subscribed_topic_names: reads.or_else(|| reads_names.then(|| vec!["t".into()])),
            subscribed_topic_regex: command.text("regex"),
            server_assignor: command.text("assignor"),
            owned: has,
            ..Default::default()
        };
        self.ask(client, Request::ConsumerHeartbeat(request))
    }

    pub(super) fn learn_of_consumer(&mut self, who: &str, answer: &ConsumerHeartbeatAnswer) {
        let before = self.consumers.remove(who).map_or(Assignment::none(), |(_, given)| given);
        let given =
            if answer.member_epoch > 0 { answer.assignment.clone().unwrap_or(before) } else { Assignment::none() };
        self.consumers.insert(who.into(), (answer.member_epoch.max(0), given));
    }
}
