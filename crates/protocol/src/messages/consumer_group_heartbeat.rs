//! ConsumerGroupHeartbeat (key 68): a member of a group of the consumer protocol joins, lives and leaves (KIP-848). Version 1:
//! subscription by regular expression, and the member makes its own id.

use crate::{ErrorCode, OptionalStruct, Str, Uuid};

messages! {
    api ConsumerGroupHeartbeat<'a>, versions 0..=1, flexible 0;

    /// What a member says; null, or -1 for the timeout, where it is as before.
    request ConsumerGroupHeartbeatRequest<'a> {
        group_id: Str<'a> [0..],
        member_id: Str<'a> [0..],
        /// 0 to join, -1 to leave, -2 for a static member that will come back.
        member_epoch: i32 [0..],
        instance_id: Option<Str<'a>> [0..],
        rack_id: Option<Str<'a>> [0..],
        rebalance_timeout_ms: i32 [0.., default -1],
        subscribed_topic_names: Option<Vec<Str<'a>>> [0..],
        subscribed_topic_regex: Option<Str<'a>> [1..],
        server_assignor: Option<Str<'a>> [0..],
        topic_partitions: Option<Vec<ConsumerGroupHeartbeatRequestTopicPartitions>> [0..],
    }

    /// What the member has of one topic.
    part ConsumerGroupHeartbeatRequestTopicPartitions {
        topic_id: Uuid [0..],
        partitions: Vec<i32> [0..],
    }

    /// What the member may read from now on; null where that has not changed.
    response ConsumerGroupHeartbeatResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0..],
        member_id: Option<Str<'a>> [0..],
        member_epoch: i32 [0..],
        heartbeat_interval_ms: i32 [0..],
        assignment: OptionalStruct<ConsumerGroupHeartbeatResponseAssignment> [0..],
    }

    /// All that the member may read.
    part ConsumerGroupHeartbeatResponseAssignment {
        topic_partitions: Vec<ConsumerGroupHeartbeatResponseTopicPartitions> [0..],
    }

    /// Of one topic.
    part ConsumerGroupHeartbeatResponseTopicPartitions {
        topic_id: Uuid [0..],
        partitions: Vec<i32> [0..],
    }
}
