//! Committed offsets, and the offsets that partitions have.

use std::collections::BTreeMap;

use ottla_protocol::messages::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic, OffsetCommitRequest,
    OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchRequestGroup, OffsetFetchResponse,
};
use ottla_protocol::{ApiKey, ErrorCode};

use super::Admin;
use crate::ClientError;

/// Commits and fetches of commits name topics by their ids from version 10 on.
const LAST_WITH_NAMES: i16 = 9;

/// A partition with an offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
}

/// What a group has committed for a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// What the client wrote beside it.
    pub metadata: String,
}

/// A partition's offset at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OffsetQuery {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// In milliseconds since 1970, or one of the special timestamps of ListOffsets (-1: the end, -2: the start).
    pub timestamp: i64,
}

/// The first record from a time on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Its offset; `None`: there is no such record.
    pub offset: Option<i64>,
    /// Its timestamp in milliseconds since 1970, where the question was for a time.
    pub timestamp: Option<i64>,
}

/// A partition whose commit was not changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OffsetRefusal {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why.
    pub code: ErrorCode,
}

/// Gathers by topic, in the order of names.
pub(super) fn by_topic<'a, I, T>(items: &'a [I], of: impl Fn(&'a I) -> (&'a String, T)) -> BTreeMap<&'a str, Vec<T>> {
    let mut topics: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    for item in items {
        let (topic, value) = of(item);
        topics.entry(topic).or_default().push(value);
    }
    topics
}

impl Admin {
    /// Everything that a group has committed; nothing for a group that does not exist.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn committed_offsets(&mut self, group: &str) -> Result<Vec<CommittedOffset>, ClientError> {
        self.retried(async |admin| {
            let connection = admin.coordinator(group).await?;
            let version = connection.version_of::<OffsetFetchRequest<'_>>(LAST_WITH_NAMES)?;
            let request = match version {
                0..=7 => OffsetFetchRequest { group_id: group.into(), topics: None, ..Default::default() },
                _ => OffsetFetchRequest {
                    groups: vec![OffsetFetchRequestGroup {
                        group_id: group.into(),
                        topics: None,
                        ..Default::default()
                    }],
                    ..Default::default()
                },
            };
            let answer = connection.ask_version(&request, version).await?;
            committed(&answer.read()?)
        })
        .await
    }

    /// Offsets of partitions by time, each from the leader of its partition, in no particular order.
    ///
    /// # Errors
    /// No answer, or a refusal for any of them.
    pub async fn list_offsets(&mut self, queries: &[OffsetQuery]) -> Result<Vec<ListedOffset>, ClientError> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        self.retried(async |admin| {
            let mut found = Vec::with_capacity(queries.len());
            for (leader, queries) in admin.by_leader(queries).await? {
                let request = list_request(&queries);
                let answer = admin.connection(&leader).await?.ask(&request).await?;
                listed(&answer.read()?, &mut found)?;
            }
            Ok(found)
        })
        .await
    }

    async fn by_leader(&mut self, queries: &[OffsetQuery]) -> Result<BTreeMap<String, Vec<OffsetQuery>>, ClientError> {
        let names: Vec<&str> = by_topic(queries, |query| (&query.topic, ())).into_keys().collect();
        let topics = self.topics(&names).await?;
        let mut leaders: BTreeMap<String, Vec<OffsetQuery>> = BTreeMap::new();
        for query in queries {
            let topic = topics.iter().find(|topic| topic.name == query.topic);
            let known = topic.and_then(|topic| topic.leaders.get(&query.partition));
            let Some(Some(leader)) = known else {
                let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
                let code = match known {
                    Some(_) => ErrorCode::LEADER_NOT_AVAILABLE,
                    None => topic.map(|topic| topic.code).filter(|code| !code.is_none()).unwrap_or(unknown),
                };
                return Err(ClientError::NoLeader { topic: query.topic.clone(), partition: query.partition, code });
            };
            leaders.entry(leader.clone()).or_default().push(query.clone());
        }
        Ok(leaders)
    }

    /// Commits for a group without members, from outside; gives those that were refused.
    ///
    /// # Errors
    /// No answer.
    pub async fn commit_offsets(
        &mut self,
        group: &str,
        offsets: &[PartitionOffset],
    ) -> Result<Vec<OffsetRefusal>, ClientError> {
        self.retried(async |admin| {
            let connection = admin.coordinator(group).await?;
            let version = connection.version_of::<OffsetCommitRequest<'_>>(LAST_WITH_NAMES)?;
            let answer = connection.ask_version(&commit_request(group, offsets), version).await?;
            let response: OffsetCommitResponse<'_> = answer.read()?;
            let refusals = response.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|one| (topic.name.as_ref(), one.partition_index, one.error_code))
            });
            refused(ApiKey::OffsetCommit, refusals)
        })
        .await
    }

    /// Takes commits away; gives those that were refused.
    ///
    /// # Errors
    /// No answer, or a refusal of the whole.
    pub async fn delete_offsets(
        &mut self,
        group: &str,
        partitions: &[(String, i32)],
    ) -> Result<Vec<OffsetRefusal>, ClientError> {
        self.retried(async |admin| {
            let connection = admin.coordinator(group).await?;
            let answer = connection.ask(&delete_request(group, partitions)).await?;
            let response: OffsetDeleteResponse<'_> = answer.read()?;
            ClientError::check(ApiKey::OffsetDelete, response.error_code, None)?;
            let refusals = response.topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|one| (topic.name.as_ref(), one.partition_index, one.error_code))
            });
            refused(ApiKey::OffsetDelete, refusals)
        })
        .await
    }
}

/// Those that were refused; one that is worth another try is an error of the whole.
fn refused<'a>(
    api: ApiKey,
    codes: impl Iterator<Item = (&'a str, i32, ErrorCode)>,
) -> Result<Vec<OffsetRefusal>, ClientError> {
    let mut refusals = Vec::new();
    for (topic, partition, code) in codes.filter(|(.., code)| !code.is_none()) {
        if super::is_transient(code) {
            ClientError::check(api, code, None)?;
        }
        refusals.push(OffsetRefusal { topic: topic.to_owned(), partition, code });
    }
    Ok(refusals)
}

fn committed(response: &OffsetFetchResponse<'_>) -> Result<Vec<CommittedOffset>, ClientError> {
    let mut commits = Vec::new();
    let mut add = |topic: &str, partition, offset, metadata: Option<&str>, code| {
        ClientError::check(ApiKey::OffsetFetch, code, None)?;
        if offset >= 0 {
            let metadata = metadata.unwrap_or_default().to_owned();
            commits.push(CommittedOffset { topic: topic.to_owned(), partition, offset, metadata });
        }
        Ok(())
    };
    ClientError::check(ApiKey::OffsetFetch, response.error_code, None)?;
    for topic in &response.topics {
        for one in &topic.partitions {
            add(&topic.name, one.partition_index, one.committed_offset, one.metadata.as_deref(), one.error_code)?;
        }
    }
    for group in &response.groups {
        ClientError::check(ApiKey::OffsetFetch, group.error_code, None)?;
        for topic in &group.topics {
            for one in &topic.partitions {
                add(&topic.name, one.partition_index, one.committed_offset, one.metadata.as_deref(), one.error_code)?;
            }
        }
    }
    Ok(commits)
}

fn list_request(queries: &[OffsetQuery]) -> ListOffsetsRequest<'_> {
    let partition = |query: &OffsetQuery| ListOffsetsPartition {
        partition_index: query.partition,
        timestamp: query.timestamp,
        ..Default::default()
    };
    let topics = by_topic(queries, |query| (&query.topic, partition(query)));
    let topics = topics.into_iter().map(|(name, partitions)| ListOffsetsTopic { name: name.into(), partitions });
    ListOffsetsRequest { replica_id: -1, topics: topics.collect(), ..Default::default() }
}

fn listed(response: &ListOffsetsResponse<'_>, found: &mut Vec<ListedOffset>) -> Result<(), ClientError> {
    for topic in &response.topics {
        for one in &topic.partitions {
            let message = format!("{}/{}", topic.name, one.partition_index);
            ClientError::check(ApiKey::ListOffsets, one.error_code, Some(&message))?;
            found.push(ListedOffset {
                topic: topic.name.clone().into_owned(),
                partition: one.partition_index,
                offset: Some(one.offset).filter(|offset| *offset >= 0),
                timestamp: Some(one.timestamp).filter(|timestamp| *timestamp >= 0),
            });
        }
    }
    Ok(())
}

fn commit_request<'a>(group: &'a str, offsets: &'a [PartitionOffset]) -> OffsetCommitRequest<'a> {
    let partition = |offset: &PartitionOffset| OffsetCommitRequestPartition {
        partition_index: offset.partition,
        committed_offset: offset.offset,
        ..Default::default()
    };
    let topics = by_topic(offsets, |offset| (&offset.topic, partition(offset)));
    let topic = |(name, partitions): (&'a str, _)| OffsetCommitRequestTopic {
        name: name.into(),
        partitions,
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: group.into(),
        topics: topics.into_iter().map(topic).collect(),
        ..Default::default()
    }
}

fn delete_request<'a>(group: &'a str, partitions: &'a [(String, i32)]) -> OffsetDeleteRequest<'a> {
    let topics = by_topic(partitions, |(topic, partition)| {
        (topic, OffsetDeleteRequestPartition { partition_index: *partition })
    });
    let topics =
        topics.into_iter().map(|(name, partitions)| OffsetDeleteRequestTopic { name: name.into(), partitions });
    OffsetDeleteRequest { group_id: group.into(), topics: topics.collect() }
}
