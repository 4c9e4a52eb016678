//! ConsumerGroupHeartbeat (key 68), versions 0 and 1 (KIP-848).
//!
//! Version 1 adds the subscription by regular expression; from then on members make their own ids.
//!
//! Kafka refuses this request with NOT_COORDINATOR until a client has asked for the coordinator for the first time; here the
//! topic of groups is created with whichever comes first. What a member says is bounded.

use ottla_groups::{Assignment, ConsumerHeartbeat, ConsumerHeartbeatAnswer, Request as Asked};
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ConsumerGroupHeartbeatResponseAssignment,
    ConsumerGroupHeartbeatResponseTopicPartitions,
};
use ottla_protocol::{ErrorCode, OptionalStruct, Str, Uuid};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{client_info, decode_up_to, error_code, expect_answer};
use crate::request::{Handled, Request};

/// The largest body, in bytes: topics and partitions of one member, which is kept. A quarter of a million partitions fit.
const MAX_BODY_BYTES: usize = 1 << 20;
/// From this version on a member must bring its id.
const MEMBERS_MAKE_IDS: i16 = 1;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: ConsumerGroupHeartbeatRequest<'_> = decode_up_to(&request, MAX_BODY_BYTES)?;
    let answer = beat(&context, message, request.version).await;
    request.respond(&answer)
}

async fn beat(
    context: &Context,
    message: ConsumerGroupHeartbeatRequest<'_>,
    version: i16,
) -> ConsumerGroupHeartbeatResponse<'static> {
    if !context.authorize(Operation::Read, Resource::Group(&message.group_id)) {
        return refused(ErrorCode::GROUP_AUTHORIZATION_FAILED, None);
    }
    let broker = context.broker();
    let heartbeat = heartbeat(message, version, [broker.random_u64(), broker.random_u64()]);
    let (group_id, is_joining) = (heartbeat.group_id.clone(), heartbeat.member_epoch == 0);
    let awaited = broker.groups.submit_as(client_info(context), &group_id, Asked::ConsumerHeartbeat(heartbeat));
    match expect_answer!(awaited, ConsumerHeartbeat) {
        Ok(Ok(answer)) => response(answer),
        Ok(Err(refusal)) => {
            if is_joining {
                // Many clients show the error's name alone.
                let (client_id, why) = (context.client_id(), refusal.message.as_deref().unwrap_or_default());
                tracing::info!(group = group_id, client_id, why, "a member cannot join");
            }
            refused(error_code(refusal.error), refusal.message.map(Into::into))
        }
        Err(code) => refused(code, None),
    }
}

fn heartbeat(message: ConsumerGroupHeartbeatRequest<'_>, version: i16, random: [u64; 2]) -> ConsumerHeartbeat {
    let owned = |text: Option<Str<'_>>| text.map(|text| text.into_owned());
    let names = message.subscribed_topic_names;
    ConsumerHeartbeat {
        group_id: message.group_id.into_owned(),
        member_id: message.member_id.into_owned(),
        may_lack_member_id: version < MEMBERS_MAKE_IDS,
        member_epoch: message.member_epoch,
        group_instance_id: owned(message.instance_id),
        rack_id: owned(message.rack_id),
        rebalance_timeout_ms: (message.rebalance_timeout_ms != -1).then_some(message.rebalance_timeout_ms),
        subscribed_topic_names: names.map(|names| names.into_iter().map(|name| name.into_owned()).collect()),
        subscribed_topic_regex: owned(message.subscribed_topic_regex),
        server_assignor: owned(message.server_assignor),
        owned: message.topic_partitions.map(|topics| {
            let partitions = topics.into_iter().flat_map(|topic| {
                let topic_id = topic.topic_id.0;
                topic.partitions.into_iter().map(move |partition| (topic_id, partition))
            });
            Assignment::of(partitions)
        }),
        random,
    }
}

fn response(answer: ConsumerHeartbeatAnswer) -> ConsumerGroupHeartbeatResponse<'static> {
    let assignment = answer.assignment.map(|given| {
        let topics = given.topics().iter().map(|(topic_id, partitions)| {
            ConsumerGroupHeartbeatResponseTopicPartitions { topic_id: Uuid(*topic_id), partitions: partitions.clone() }
        });
        ConsumerGroupHeartbeatResponseAssignment { topic_partitions: topics.collect() }
    });
    ConsumerGroupHeartbeatResponse {
        member_id: Some(answer.member_id.into()),
        member_epoch: answer.member_epoch,
        heartbeat_interval_ms: answer.heartbeat_interval_ms,
        assignment: OptionalStruct(assignment),
        ..Default::default()
    }
}

fn refused(error_code: ErrorCode, error_message: Option<Str<'static>>) -> ConsumerGroupHeartbeatResponse<'static> {
    ConsumerGroupHeartbeatResponse { error_code, error_message, ..Default::default() }
}
