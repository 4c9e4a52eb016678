//! Ottla's own requests (`docs/explain.md`): why a group stands where it stands, and resets under its members.

use ottla_protocol::ApiKey;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    OttlaGroupExplainRequest, OttlaGroupExplainResponse, OttlaGroupResetPartition, OttlaGroupResetRequest,
    OttlaGroupResetResponse, OttlaGroupResetTopic,
};

use super::offsets::by_topic;
use super::{Admin, PartitionOffset, is_transient};
use crate::ClientError;

/// A reset of committed offsets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupReset {
    /// Whose.
    pub group: String,
    /// Also if the group has members, which are fenced.
    pub online: bool,
    /// Only say what would happen.
    pub validate_only: bool,
    /// Bring back what the last reset replaced; without `offsets`.
    pub undo: bool,
    /// The new offsets; -1 takes a commit away.
    pub offsets: Vec<PartitionOffset>,
}

/// What has become of a reset. Every partition was set, or none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResetOutcome {
    /// Why it was refused as a whole.
    pub code: ErrorCode,
    /// The broker's sentence, if it had one.
    pub message: Option<String>,
    /// Each partition.
    pub partitions: Vec<PartitionReset>,
}

/// What has become of one partition's commit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PartitionReset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why it was refused.
    pub code: ErrorCode,
    /// The broker's sentence, if it had one.
    pub message: Option<String>,
    /// The commit before, if there was one.
    pub from: Option<i64>,
    /// The commit after, if there is one.
    pub to: Option<i64>,
}

impl ResetOutcome {
    /// Whether nothing was refused.
    pub fn is_done(&self) -> bool {
        self.code.is_none() && self.partitions.iter().all(|partition| partition.code.is_none())
    }
}

impl Admin {
    /// One view of a group, or the status of all where `group` is empty: the broker's JSON as it is. `since_ms` (milliseconds since 1970,
    /// -1 for all) counts for events.
    ///
    /// # Errors
    /// [`ClientError::Unsupported`] from a broker that is no Ottla; a refusal such as GROUP_ID_NOT_FOUND.
    pub async fn explain(&mut self, group: &str, view: &str, since_ms: i64) -> Result<String, ClientError> {
        self.retried(async |admin| {
            let connection = match group {
                "" => admin.any_broker().await?,
                _ => admin.coordinator(group).await?,
            };
            let request = OttlaGroupExplainRequest { group_id: group.into(), view: view.into(), since_ms };
            let answer = connection.ask(&request).await?;
            let response: OttlaGroupExplainResponse<'_> = answer.read()?;
            ClientError::check(ApiKey::OttlaGroupExplain, response.error_code, response.error_message.as_deref())?;
            Ok(String::from_utf8_lossy(&response.json).into_owned())
        })
        .await
    }

    /// Sets offsets, or takes the last reset back.
    ///
    /// # Errors
    /// No answer. A refusal stands in the outcome, with what it says of each partition.
    pub async fn reset_group(&mut self, reset: &GroupReset) -> Result<ResetOutcome, ClientError> {
        self.retried(async |admin| {
            let connection = admin.coordinator(&reset.group).await?;
            let answer = connection.ask(&request(reset)).await?;
            let response: OttlaGroupResetResponse<'_> = answer.read()?;
            if is_transient(response.error_code) {
                let message = response.error_message.as_deref();
                ClientError::check(ApiKey::OttlaGroupReset, response.error_code, message)?;
            }
            Ok(outcome(&response))
        })
        .await
    }
}

fn request(reset: &GroupReset) -> OttlaGroupResetRequest<'_> {
    let topics = by_topic(&reset.offsets, |offset| (&offset.topic, offset));
    let topic = |(name, offsets): (&'_ str, Vec<&PartitionOffset>)| OttlaGroupResetTopic {
        name: name.to_owned().into(),
        partitions: offsets
            .into_iter()
            .map(|offset| OttlaGroupResetPartition { partition_index: offset.partition, offset: offset.offset })
            .collect(),
    };
    OttlaGroupResetRequest {
        group_id: reset.group.as_str().into(),
        online: reset.online,
        validate_only: reset.validate_only,
        undo: reset.undo,
        topics: topics.into_iter().map(topic).collect(),
    }
}

fn outcome(response: &OttlaGroupResetResponse<'_>) -> ResetOutcome {
    let words = |message: Option<&str>| message.filter(|words| !words.is_empty()).map(str::to_owned);
    let committed = |offset: i64| Some(offset).filter(|offset| *offset >= 0);
    let mut partitions = Vec::new();
    for topic in &response.topics {
        partitions.extend(topic.partitions.iter().map(|partition| PartitionReset {
            topic: topic.name.clone().into_owned(),
            partition: partition.partition_index,
            code: partition.error_code,
            message: words(partition.error_message.as_deref()),
            from: committed(partition.from_offset),
            to: committed(partition.to_offset),
        }));
    }
    ResetOutcome { code: response.error_code, message: words(response.error_message.as_deref()), partitions }
}
