//! Topics, their partitions, and who leads them.

use std::collections::BTreeMap;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic};

use super::Admin;
use crate::ClientError;
use crate::bootstrap::joined;

/// A topic, or why there is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicListing {
    /// Its name.
    pub name: String,
    /// Why nothing is known of it.
    pub code: ErrorCode,
    /// Address of the leader of each partition; `None` while there is none.
    pub leaders: BTreeMap<i32, Option<String>>,
}

impl Admin {
    /// Topics by their names; none is created by asking.
    ///
    /// # Errors
    /// No answer.
    pub async fn topics(&mut self, names: &[&str]) -> Result<Vec<TopicListing>, ClientError> {
        let named = |name: &&str| MetadataRequestTopic { name: Some((*name).to_owned().into()), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(names.iter().map(named).collect()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let answer = self.any_broker().await?.ask(&request).await?;
        let response: MetadataResponse<'_> = answer.read()?;
        let brokers = addresses(&response);
        Ok(response.topics.iter().map(|topic| listing(topic, &brokers)).collect())
    }

    /// The addresses of all brokers.
    ///
    /// # Errors
    /// No answer.
    pub async fn brokers(&mut self) -> Result<Vec<String>, ClientError> {
        let request = MetadataRequest { allow_auto_topic_creation: false, ..Default::default() };
        let answer = self.any_broker().await?.ask(&request).await?;
        Ok(addresses(&answer.read()?).into_values().collect())
    }
}

fn addresses(response: &MetadataResponse<'_>) -> BTreeMap<i32, String> {
    response.brokers.iter().map(|broker| (broker.node_id, joined(&broker.host, broker.port))).collect()
}

fn listing(topic: &MetadataResponseTopic<'_>, brokers: &BTreeMap<i32, String>) -> TopicListing {
    TopicListing {
        name: topic.name.as_deref().unwrap_or_default().to_owned(),
        code: topic.error_code,
        leaders: topic
            .partitions
            .iter()
            .map(|partition| (partition.partition_index, brokers.get(&partition.leader_id).cloned()))
            .collect(),
    }
}
