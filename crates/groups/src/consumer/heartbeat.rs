//! ConsumerGroupHeartbeat: the one request by which a member joins, lives, hears what it shall have, and says what it has.
use super::admission::{is_silent, says_nothing_new};
use super::live::Quiet;
use super::reconcile::{Goal, next};
use super::seats::hash;
use super::{LEAVE, LEAVE_AND_RETURN};
use crate::answer::{Answer, ConsumerHeartbeatAnswer, Refusal};
use crate::assignment::Assignment;
use crate::event::{ClientInfo, Ticket};
use crate::group_config::GroupConfig;
use crate::planted::planted;
use crate::records::{CurrentAssignment, MemberState, StoredRecord};
use crate::request::ConsumerHeartbeat;
use crate::step::Step;
use alloc::format;
use alloc::string::String;

/// How soon a member asks again that waits for partitions, in milliseconds.
const SOON_MS: i32 = 500;
/// How soon at most others do, in milliseconds.
const SOONEST_MS: i32 = 100;

impl Step<'_> {
    pub(crate) fn consumer_heartbeat(&mut self, ticket: Ticket, client: &ClientInfo, request: ConsumerHeartbeat) {
        let before = self.actions.len();
        let answer = match request.member_epoch {
            LEAVE | LEAVE_AND_RETURN => self.consumer_leave(request),
            1.. if self.beats_quietly(client, &request) => Ok(ConsumerHeartbeatAnswer {
                member_epoch: request.member_epoch,
                heartbeat_interval_ms: self.heartbeat_interval_ms(&request.member_id, MemberState::Stable),
                member_id: request.member_id,
                assignment: None,
            }),
            _ => self.beat_consumer(client, request),
        };
        self.reply(ticket, Answer::ConsumerHeartbeat(answer));
        if planted!(self.settings, HeartbeatReplyBeforeAppend)
            && let Some(late) = self.actions.get_mut(before..)
        {
            late.rotate_right(1);
        }
    }

    /// Most heartbeats: a member that has all it shall have says nothing new, and there is nothing to tell it. Renews its session.
    fn beats_quietly(&mut self, client: &ClientInfo, request: &ConsumerHeartbeat) -> bool {
        let revision = self.group.revision;
        let Some(live) = self.group.consumer.members.get(&request.member_id) else { return false };
        let is_as_before = live.quiet.as_ref().is_some_and(|quiet| quiet.is_like(client, request, revision));
        if live.software != client.software || !(is_as_before || self.is_quiet(client, request)) {
            return false;
        }
        if !is_as_before && let Some(live) = self.group.consumer.members.get_mut(&request.member_id) {
            live.quiet = Some(Quiet::of(client, request, revision));
        }
        if !planted!(self.settings, HeartbeatDoesNotCount) {
            self.renew_consumer_session(&request.member_id);
        }
        true
    }

    fn is_quiet(&self, client: &ClientInfo, request: &ConsumerHeartbeat) -> bool {
        let Some(consumer) = self.group.durable.consumer() else { return false };
        let Some(member) = consumer.members.get(&request.member_id) else { return false };
        let Some(metadata) = &member.metadata else { return false };
        let instances = &self.group.consumer.instances;
        let is_its_own = |instance: &String| instances.get(instance) == Some(&request.member_id);
        consumer.target_epoch == consumer.epoch.epoch
            && member.current.state == MemberState::Stable
            && member.current.member_epoch == consumer.target_epoch
            && request.member_epoch == consumer.target_epoch
            && says_nothing_new(metadata, client, request)
            && request.group_instance_id.as_ref().is_none_or(is_its_own)
    }

    fn beat_consumer(
        &mut self,
        client: &ClientInfo,
        request: ConsumerHeartbeat,
    ) -> Result<ConsumerHeartbeatAnswer, Refusal> {
        let is_joining = request.member_epoch == 0;
        let is_full = is_joining
            || (request.rebalance_timeout_ms.is_some()
                && request.owned.is_some()
                && (request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some()));
        let member_id = self.admit(client, &request)?;
        // It may not have heard of the epoch that it has reached, or of what it was given in it.
        let is_behind = request.member_epoch < self.current(&member_id).member_epoch;
        self.make_target();
        let nothing = Assignment::none();
        let owned = if is_joining { Some(&nothing) } else { request.owned.as_ref() };
        let has_other = self.reconcile(&member_id, owned);
        if !planted!(self.settings, HeartbeatDoesNotCount) {
            self.renew_consumer_session(&member_id);
        }
        let current = self.current(&member_id);
        let (member_epoch, state) = (current.member_epoch, current.state);
        let tells = is_full || is_behind || has_other;
        let assignment = tells.then(|| current.assigned.clone());
        let heartbeat_interval_ms = self.heartbeat_interval_ms(&member_id, state);
        Ok(ConsumerHeartbeatAnswer { member_epoch, member_id, heartbeat_interval_ms, assignment })
    }

    /// When a member shall ask again. One that waits for partitions which others still have asks soon, because nothing else tells it
    /// that they are free. Where a lost connection ends a membership early, all ask twice in that time: so they are heard of over another
    /// connection if their own was lost, and hear soon of others who are gone. The more members, the less often, so that a
    /// large group does not cost more by it. And nobody waits longer than to the end of somebody's session, or of another deadline,
    /// after which it may get what another one had: they ask one after the other then.
    fn heartbeat_interval_ms(&mut self, member_id: &str, state: MemberState) -> i32 {
        let usual_ms = usual_interval_ms(&self.config);
        let milliseconds = |ms: u64| i32::try_from(ms).unwrap_or(i32::MAX).max(SOONEST_MS);
        let waiting_ms = (state == MemberState::UnreleasedPartitions).then_some(SOON_MS);
        let grace_ms = self.config.lost_connection_grace_ms.map(|ms| milliseconds(ms / 2));
        let members = self.group.consumer.members.len();
        let at_least_ms = i32::try_from(members).unwrap_or(i32::MAX);
        let soon_ms =
            [waiting_ms, grace_ms].into_iter().flatten().map(|ms| ms.max(at_least_ms)).fold(usual_ms, i32::min);
        let deadline_ms = milliseconds(self.next_deadline_ms(usual_ms).saturating_add(1));
        if deadline_ms >= soon_ms {
            return soon_ms;
        }
        let turn_ms = i32::try_from(hash(member_id) % members.max(1)).unwrap_or(i32::MAX);
        soon_ms.min(deadline_ms.saturating_add(turn_ms))
    }

    /// How long it is to the group's next deadline, as far as that matters to who asks every `usual_ms`. What is kept of it is too
    /// early for as long as sessions are renewed, so all members are looked at, once in that time.
    fn next_deadline_ms(&mut self, usual_ms: i32) -> u64 {
        let (now_ms, usual_ms) = (self.now.monotonic_ms, u64::try_from(usual_ms).unwrap_or(0));
        let is_near = self.group.wake_at_ms < now_ms.saturating_add(usual_ms);
        if is_near && self.group.looked_at_ms.saturating_add(usual_ms) <= now_ms {
            self.group.find_next_wake(now_ms);
        }
        self.group.wake_at_ms.saturating_sub(now_ms)
    }

    /// What a member has.
    pub(crate) fn current(&self, member_id: &str) -> &CurrentAssignment {
        const NOTHING: &CurrentAssignment = &CurrentAssignment::nothing();
        self.group.durable.consumer_member(member_id).map_or(NOTHING, |member| &member.current)
    }

    /// Lets a member go a step towards what it shall have; answers whether it may read something else by that.
    pub(super) fn reconcile(&mut self, member_id: &str, owned: Option<&Assignment>) -> bool {
        let Some(consumer) = self.group.durable.consumer() else { return false };
        let Some(member) = consumer.members.get(member_id) else { return false };
        let goal = Goal { epoch: consumer.target_epoch, target: &member.target };
        let (live, greedy) = (&self.group.consumer, planted!(self.settings, GrantBeforeRevoke));
        let is_free = |topic_id, partition| greedy || live.is_free(member_id, topic_id, partition);
        let Some(after) = next(&member.current, &goal, owned, is_free) else { return false };
        let has_other = after.assigned != member.current.assigned;
        // Also where it is told to give up other partitions than before.
        let began = after.state == MemberState::UnrevokedPartitions
            && after.pending_revocation != member.current.pending_revocation;
        let patience_ms = member.metadata.as_ref().map_or(0, |metadata| metadata.rebalance_timeout_ms);
        let deadline_ms = self.now.monotonic_ms.saturating_add(u64::try_from(patience_ms).unwrap_or(0));
        let forgets = planted!(self.settings, RevocationTimeoutForgotten);
        let is_revoking = after.state == MemberState::UnrevokedPartitions;
        let cause = match after.state {
            MemberState::Stable => format!("member {member_id} has all it shall have in epoch {}", after.member_epoch),
            _ => format!("member {member_id} is on its way to epoch {}", goal.epoch),
        };
        // It holds what it is to give up until it has.
        let holds_other = has_other || after.pending_revocation != member.current.pending_revocation;
        let before = holds_other.then(|| self.group.consumer_held(member_id, self.topics));
        self.set_current(member_id, after);
        if let Some(before) = before {
            self.tell_consumer_assigned(member_id, before);
        }
        if let Some(live) = self.group.consumer.members.get_mut(member_id) {
            if began {
                live.revoking_since_ms = self.now.wall_ms;
            }
            let deadline_ms = if began { Some(deadline_ms) } else { live.revocation_deadline_ms };
            let is_revoking = is_revoking && !forgets;
            live.revocation_deadline_ms = deadline_ms.filter(|_| is_revoking);
        }
        if began {
            self.group.wake_at(deadline_ms);
        }
        self.settle_state(&cause);
        has_other
    }

    /// Records what a member has, and keeps in mind whose each partition is.
    pub(crate) fn set_current(&mut self, member_id: &str, after: CurrentAssignment) {
        let before = self.current(member_id).clone();
        let live = &mut self.group.consumer;
        for released in [&before.assigned, &before.pending_revocation] {
            live.release(member_id, released);
        }
        for taken in [&after.assigned, &after.pending_revocation] {
            live.take(member_id, taken);
        }
        let (group_id, member_id) = (self.group.group_id.clone(), String::from(member_id));
        self.record(StoredRecord::Current(group_id, member_id, Some(after)));
    }

    pub(super) fn renew_consumer_session(&mut self, member_id: &str) {
        let Some(member) = self.group.consumer.members.get_mut(member_id) else { return };
        let deadline_ms = member.renew_session(self.now, self.config.consumer_session_timeout_ms);
        self.group.wake_at(deadline_ms);
    }
}

/// How often members ask as a rule. A group's own interval may be from before the broker's session timeout was lowered: then it is a
/// third of that, so that a member that does as it is told is not removed.
fn usual_interval_ms(config: &GroupConfig) -> i32 {
    let (usual_ms, session_ms) = (config.consumer_heartbeat_interval_ms, config.consumer_session_timeout_ms);
    if usual_ms < session_ms { usual_ms } else { session_ms / 3 }
}

impl Quiet {
    fn of(client: &ClientInfo, request: &ConsumerHeartbeat, revision: u64) -> Self {
        Quiet {
            revision,
            member_epoch: request.member_epoch,
            client_id: client.client_id.clone(),
            client_host: client.host.clone(),
            group_instance_id: request.group_instance_id.clone(),
        }
    }

    fn is_like(&self, client: &ClientInfo, request: &ConsumerHeartbeat, revision: u64) -> bool {
        self.revision == revision
            && self.member_epoch == request.member_epoch
            && is_silent(request)
            && self.group_instance_id == request.group_instance_id
            && self.client_id == client.client_id
            && self.client_host == client.host
    }
}
