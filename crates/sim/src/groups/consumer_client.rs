//! A consumer of the consumer protocol (KIP-848) as the real ones behave: one kind of request, sent again and again, in order.
use super::client::{Client, Phase, Wake, Wish};
use super::topics::{NAMES, Partition, partitions_of};
use ottla_groups::{Assignment, ConsumerHeartbeat, ConsumerHeartbeatAnswer, GroupError, Refusal, Request};

/// How long it waits for an answer before it sends again.
const PATIENCE_MS: u64 = 1_500;
const LEAVE: i32 = -1;
const LEAVE_AND_RETURN: i32 = -2;

/// What only such a consumer has.
#[derive(Debug, Clone, Default)]
pub(super) struct ConsumerPart {
    /// What it shall have as soon as it has stopped working on the rest.
    pub(super) wanted: Option<Vec<Partition>>,
    /// How long it takes to stop; `None` for ever.
    pub(super) stops_in_ms: Option<u64>,
    /// The next heartbeat says everything again: the last one may have been lost.
    pub(super) says_all: bool,
    /// When it shall ask again, as it was told last.
    pub(super) asks_after_ms: Option<u64>,
    /// Every other heartbeat says nothing that has not changed.
    pub(super) turns: u32,
}

impl Client {
    /// From now on it gives up partitions well within its rebalance timeout, also where it is told twice: two that do not would put
    /// each other out for ever.
    pub(super) fn stops_in_time(&mut self) {
        let in_time_ms = self.rebalance_timeout_ms / 4;
        if let Some(consumer) = &mut self.consumer {
            consumer.stops_in_ms = Some(consumer.stops_in_ms.unwrap_or(in_time_ms).min(in_time_ms));
        }
    }

    pub(super) fn join_consumers(&mut self, wishes: &mut Vec<Wish>) {
        self.enter(Phase::Joining);
        self.generation_id = 0;
        let request = self.everything(0);
        self.send_current(Request::ConsumerHeartbeat(request), PATIENCE_MS, wishes);
    }

    fn everything(&self, member_epoch: i32) -> ConsumerHeartbeat {
        let regex = self.reads.regex();
        let names = if regex.is_some() { Vec::new() } else { self.reads.names(&self.view) };
        // Reading a topic that is not there is a change all the same.
        let also = format!("also-{}", self.subscription);
        let names = names.into_iter().map(|name| NAMES[usize::from(name)].to_string()).chain([also]);
        ConsumerHeartbeat {
            rebalance_timeout_ms: Some(self.rebalance_timeout_ms as i32),
            subscribed_topic_names: Some(names.collect()),
            subscribed_topic_regex: Some(regex.unwrap_or_default().to_string()),
            server_assignor: Some(if self.prefers_second { "range" } else { "uniform" }.into()),
            owned: Some(self.owned_partitions()),
            ..self.alive(member_epoch)
        }
    }

    fn alive(&self, member_epoch: i32) -> ConsumerHeartbeat {
        ConsumerHeartbeat {
            group_id: self.group_id.clone(),
            member_id: self.member_id.clone(),
            member_epoch,
            group_instance_id: self.instance.clone(),
            ..Default::default()
        }
    }

    fn owned_partitions(&self) -> Assignment {
        Assignment::of(self.owned.iter().map(|partition| (partition.topic_id(), i32::from(partition.number))))
    }

    pub(super) fn beat_consumers(&mut self, wishes: &mut Vec<Wish>) {
        let told_ms = self.consumer.as_ref().and_then(|consumer| consumer.asks_after_ms);
        let after_ms = told_ms.unwrap_or(u64::MAX).min(self.session_timeout_ms / 5);
        wishes.push(Wish::Wake { after_ms, what: Wake::Heartbeat });
        if self.current_rpc.is_some() {
            // One at a time; if it is lost, the next one says everything.
            return;
        }
        let epoch = self.generation_id;
        let owned = self.owned_partitions();
        let Some(consumer) = &mut self.consumer else { return };
        consumer.turns += 1;
        let (says_all, is_silent) = (core::mem::take(&mut consumer.says_all), consumer.turns.is_multiple_of(2));
        let request = match (says_all, is_silent) {
            (true, _) => self.everything(epoch),
            (false, true) => self.alive(epoch),
            (false, false) => ConsumerHeartbeat { owned: Some(owned), ..self.alive(epoch) },
        };
        self.send_current(Request::ConsumerHeartbeat(request), self.session_timeout_ms / 4, wishes);
    }

    /// The last heartbeat was not answered.
    pub(super) fn says_all_again(&mut self) {
        if let Some(consumer) = &mut self.consumer {
            consumer.says_all = true;
        }
    }

    pub(super) fn leave_consumers(&self, comes_back: bool) -> Request {
        let comes_back = comes_back && self.instance.is_some();
        Request::ConsumerHeartbeat(self.alive(if comes_back { LEAVE_AND_RETURN } else { LEAVE }))
    }

    pub(super) fn consumer_answered(
        &mut self,
        now_ms: u64,
        answer: &Result<ConsumerHeartbeatAnswer, Refusal>,
        wishes: &mut Vec<Wish>,
    ) {
        self.current_rpc = None;
        match answer {
            Ok(answer) => {
                self.last_heard_ms = now_ms;
                self.generation_id = answer.member_epoch;
                if let Some(consumer) = &mut self.consumer {
                    consumer.asks_after_ms = u64::try_from(answer.heartbeat_interval_ms).ok().filter(|ms| *ms > 0);
                }
                if self.phase == Phase::Joining {
                    self.settle(wishes);
                }
                if let Some(assignment) = &answer.assignment {
                    self.shall_have(partitions_of(assignment), wishes);
                }
            }
            // Fatal for real ones; another process is started then.
            Err(refusal)
                if matches!(refusal.error, GroupError::UnreleasedInstanceId | GroupError::FencedInstanceId) =>
            {
                self.stop();
            }
            Err(refusal) if refusal.error == GroupError::CoordinatorLoadInProgress && self.phase == Phase::Stable => {}
            // Whatever it had is not its any more.
            Err(_) => self.back_off(20, wishes),
        }
    }

    /// It stops working on what it shall not have any more, which takes its time, and then begins with what is new.
    fn shall_have(&mut self, wanted: Vec<Partition>, wishes: &mut Vec<Wish>) {
        let Some(consumer) = &mut self.consumer else { return };
        let must_stop = self.owned.iter().any(|partition| !wanted.contains(partition));
        if !must_stop {
            self.owned = wanted;
            consumer.wanted = None;
            return;
        }
        consumer.wanted = Some(wanted);
        if let Some(after_ms) = consumer.stops_in_ms {
            wishes.push(Wish::Wake { after_ms, what: Wake::Stopped });
        }
    }

    pub(super) fn has_stopped(&mut self, wishes: &mut Vec<Wish>) {
        let Some(wanted) = self.consumer.as_mut().and_then(|consumer| consumer.wanted.take()) else { return };
        self.owned = wanted;
        // It says so at once.
        self.says_all_again();
        wishes.push(Wish::Wake { after_ms: 0, what: Wake::Heartbeat });
    }
}
