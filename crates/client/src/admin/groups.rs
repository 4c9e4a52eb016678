//! Which groups there are, and who is in them, by Kafka's own requests.

use std::collections::BTreeMap;

use ottla_protocol::messages::{
    ConsumerGroupDescribeGroup, ConsumerGroupDescribeMember, ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse, ConsumerProtocolAssignment, DescribeGroupsRequest, DescribeGroupsResponse,
    DescribedGroup, DescribedGroupMember, ListGroupsRequest, ListGroupsResponse,
};
use ottla_protocol::{ApiKey, ErrorCode};

use super::Admin;
use crate::ClientError;

/// One group of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupListing {
    /// Its id.
    pub group: String,
    /// `consumer`, or what the clients call it.
    pub protocol_type: String,
    /// Kafka's word; empty from brokers before version 2.6.
    pub state: String,
    /// `classic`, `consumer`, ...; `classic` from brokers that know nothing else.
    pub group_type: String,
}

/// A group with its members.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupDescription {
    /// Its id.
    pub group: String,
    /// `classic` or `consumer`.
    pub group_type: &'static str,
    /// `consumer`, or what the clients call it.
    pub protocol_type: String,
    /// Kafka's word.
    pub state: String,
    /// The epoch of the consumer protocol; Kafka does not tell generations of classic groups.
    pub epoch: Option<i32>,
    /// The assignor; empty where none is chosen.
    pub assignor: String,
    /// Its members.
    pub members: Vec<MemberDescription>,
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemberDescription {
    /// Its id.
    pub member_id: String,
    /// The id of a static member.
    pub group_instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Its address, without Kafka's slash.
    pub host: String,
    /// The partitions that it has, by topic, in ascending order.
    pub partitions: BTreeMap<String, Vec<i32>>,
}

impl Admin {
    /// All groups of all brokers, by id.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn list_groups(&mut self) -> Result<Vec<GroupListing>, ClientError> {
        self.retried(async |admin| {
            let mut groups = Vec::new();
            for address in admin.brokers().await? {
                let answer = admin.connection(&address).await?.ask(&ListGroupsRequest::default()).await?;
                let response: ListGroupsResponse<'_> = answer.read()?;
                ClientError::check(ApiKey::ListGroups, response.error_code, None)?;
                groups.extend(response.groups.iter().map(|group| GroupListing {
                    group: group.group_id.clone().into_owned(),
                    protocol_type: group.protocol_type.clone().into_owned(),
                    state: group.group_state.clone().into_owned(),
                    group_type: if group.group_type.is_empty() {
                        "classic".into()
                    } else {
                        group.group_type.to_string()
                    },
                }));
            }
            groups.sort_by(|left, right| left.group.cmp(&right.group));
            Ok(groups)
        })
        .await
    }

    /// A group of either protocol with its members.
    ///
    /// # Errors
    /// No answer, or a refusal: GROUP_ID_NOT_FOUND for a group that does not exist.
    pub async fn describe_group(&mut self, group: &str) -> Result<GroupDescription, ClientError> {
        self.retried(async |admin| {
            if admin.serves(ApiKey::ConsumerGroupDescribe)
                && let Some(described) = admin.describe_consumer(group).await?
            {
                return Ok(described);
            }
            admin.describe_classic(group).await
        })
        .await
    }

    /// `None`: there is no such group of the consumer protocol.
    async fn describe_consumer(&mut self, group: &str) -> Result<Option<GroupDescription>, ClientError> {
        let request = ConsumerGroupDescribeRequest { group_ids: vec![group.into()], ..Default::default() };
        let answer = self.coordinator(group).await?.ask(&request).await?;
        let response: ConsumerGroupDescribeResponse<'_> = answer.read()?;
        let found = response.groups.first().filter(|found| found.error_code != ErrorCode::GROUP_ID_NOT_FOUND);
        let Some(found) = found else { return Ok(None) };
        ClientError::check(ApiKey::ConsumerGroupDescribe, found.error_code, found.error_message.as_deref())?;
        Ok(Some(consumer_group(found)))
    }

    async fn describe_classic(&mut self, group: &str) -> Result<GroupDescription, ClientError> {
        let request = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
        let answer = self.coordinator(group).await?.ask(&request).await?;
        let response: DescribeGroupsResponse<'_> = answer.read()?;
        let found = response.groups.first().cloned().unwrap_or_default();
        // Before version 6 a group that does not exist is a dead one.
        let dead = found.error_code.is_none() && matches!(found.group_state.as_ref(), "" | "Dead");
        let code = if dead { ErrorCode::GROUP_ID_NOT_FOUND } else { found.error_code };
        ClientError::check(ApiKey::DescribeGroups, code, found.error_message.as_deref())?;
        Ok(classic_group(&found))
    }
}

fn consumer_group(found: &ConsumerGroupDescribeGroup<'_>) -> GroupDescription {
    GroupDescription {
        group: found.group_id.to_string(),
        group_type: "consumer",
        protocol_type: "consumer".to_owned(),
        state: found.group_state.to_string(),
        epoch: Some(found.group_epoch),
        assignor: found.assignor_name.to_string(),
        members: found.members.iter().map(consumer_member).collect(),
    }
}

fn consumer_member(member: &ConsumerGroupDescribeMember<'_>) -> MemberDescription {
    let assigned = &member.assignment.topic_partitions;
    let sorted = |partitions: &[i32]| ascending(partitions);
    MemberDescription {
        member_id: member.member_id.to_string(),
        group_instance_id: member.instance_id.as_deref().map(str::to_owned),
        client_id: member.client_id.to_string(),
        host: without_slash(&member.client_host),
        partitions: assigned.iter().map(|one| (one.topic_name.to_string(), sorted(&one.partitions))).collect(),
    }
}

fn classic_group(found: &DescribedGroup<'_>) -> GroupDescription {
    GroupDescription {
        group: found.group_id.to_string(),
        group_type: "classic",
        protocol_type: found.protocol_type.to_string(),
        state: found.group_state.to_string(),
        epoch: None,
        assignor: found.protocol_data.to_string(),
        members: found.members.iter().map(|member| classic_member(member, &found.protocol_type)).collect(),
    }
}

fn classic_member(member: &DescribedGroupMember<'_>, protocol_type: &str) -> MemberDescription {
    // What other protocols hand each other, such as that of Kafka Connect, is theirs.
    let assignment = match protocol_type {
        "consumer" => ConsumerProtocolAssignment::parse(&member.member_assignment).unwrap_or_default(),
        _ => ConsumerProtocolAssignment::default(),
    };
    let assigned = assignment.assigned_partitions.iter();
    MemberDescription {
        member_id: member.member_id.to_string(),
        group_instance_id: member.group_instance_id.as_deref().map(str::to_owned),
        client_id: member.client_id.to_string(),
        host: without_slash(&member.client_host),
        partitions: assigned.map(|one| (one.topic.to_string(), ascending(&one.partitions))).collect(),
    }
}

fn ascending(partitions: &[i32]) -> Vec<i32> {
    let mut sorted = partitions.to_vec();
    sorted.sort_unstable();
    sorted
}

fn without_slash(host: &str) -> String {
    host.strip_prefix('/').unwrap_or(host).to_owned()
}
