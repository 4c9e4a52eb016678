//! A consumer as the real ones behave: joins, assigns if it leads, syncs, sends heartbeats, commits, and gives up in time.
use super::consumer_client::ConsumerPart;
use super::embedded::{assignment, partitions, subscribed, subscription};
use super::topics::{NAMES, Named, Partition, Reads, View};
use ottla_groups::{Answer, GroupError, JoinGroupAnswer, MemberAssignment, Protocol, Request, SyncedMember};
use ottla_groups::{CommitOffsets, CommitPartition, CommitTopic, FetchOffsets, FetchTopic, Heartbeat, JoinGroup};
use ottla_groups::{LeaveGroup, LeavingMember, SyncGroup};

/// How long a consumer waits for a parked request: longer than any member's rebalance timeout, as real ones do, or one
/// that gives up at the very moment of the answer would keep its group rebalancing for ever.
const PATIENCE_MS: u64 = 7_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits before it joins again.
    Backoff,
    Joining,
    Syncing,
    /// Has its assignment, or (a lazy one) has not asked for it.
    Stable,
    /// The process is gone.
    Gone,
}

/// What a client's clock wakes it for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    Join,
    Heartbeat,
    Commit,
    /// It has stopped working on what it must give up.
    Stopped,
    /// A request was not answered in time.
    GiveUp(u64),
}

/// What a client wants from the world.
#[expect(clippy::large_enum_variant, reason = "they live for a moment")]
pub(super) enum Wish {
    /// Send a request under this number; give up after a while.
    Send { rpc: u64, request: Request, patience_ms: u64 },
    /// Wake me, unless my epoch has changed.
    Wake { after_ms: u64, what: Wake },
}

impl Wake {
    /// Tells what a client is woken for from everything else.
    pub(super) fn number(self) -> u64 {
        match self {
            Wake::Join => 0,
            Wake::Heartbeat => 1,
            Wake::Commit => 2,
            Wake::Stopped => 3,
            Wake::GiveUp(_) => 4,
        }
    }
}

/// What a member of the classic protocol joins again for when it changes: the topics that it knows, and what it reads of them.
type Grounds = (u32, Reads, u8);

/// One consumer process.
pub(super) struct Client {
    /// Which of the run's members it is, and what tells this process from all others.
    pub(super) slot: usize,
    pub(super) key: u64,
    /// Whether it commits at all.
    pub(super) commits: bool,
    pub(super) name: String,
    pub(super) group_id: String,
    pub(super) instance: Option<String>,
    pub(super) session_timeout_ms: u64,
    pub(super) rebalance_timeout_ms: u64,
    pub(super) require_known_member_id: bool,
    pub(super) supports_skip_assignment: bool,
    /// Whether it prefers the second protocol.
    pub(super) prefers_second: bool,
    /// Changes when its subscription changes.
    pub(super) subscription: u8,
    pub(super) reads: Reads,
    /// The topics as it knows them.
    pub(super) view: View,
    /// With what it last joined; `None` for a process that was let into its place without that.
    joined_with: Option<Grounds>,
    /// Which generation it has assigned last.
    led: Option<i32>,
    /// Will forget to ask for its assignment, once.
    pub(super) lazy: bool,
    /// Has forgotten it, and sends heartbeats all the same.
    forgot: bool,
    pub(super) phase: Phase,
    pub(super) member_id: String,
    pub(super) generation_id: i32,
    pub(super) owned: Vec<Partition>,
    /// The next process of its name may use the other protocol.
    pub(super) may_change: bool,
    /// The last of its requests that the broker has got, of those that a connection must keep in order.
    pub(super) last_arrived: u64,
    /// Set for one of the consumer protocol.
    pub(super) consumer: Option<ConsumerPart>,
    /// Wakes of an earlier epoch are void.
    pub(super) epoch: u64,
    /// The join or sync under way.
    pub(super) current_rpc: Option<u64>,
    pub(super) last_heard_ms: u64,
    /// Over which connection it speaks now.
    pub(super) connection: u64,
    next_rpc: u64,
}

impl Client {
    pub(super) fn new(name: String, group_id: String, instance: Option<String>) -> Self {
        Client {
            slot: 0,
            key: 0,
            commits: true,
            name,
            group_id,
            instance,
            session_timeout_ms: 6_000,
            rebalance_timeout_ms: 5_000,
            require_known_member_id: true,
            supports_skip_assignment: true,
            prefers_second: false,
            subscription: 0,
            reads: Reads::Orders,
            view: View::first(),
            joined_with: None,
            led: None,
            lazy: false,
            forgot: false,
            phase: Phase::Backoff,
            member_id: String::new(),
            generation_id: -1,
            owned: Vec::new(),
            may_change: false,
            last_arrived: 0,
            consumer: None,
            epoch: 0,
            current_rpc: None,
            last_heard_ms: 0,
            connection: 0,
            next_rpc: 1,
        }
    }

    /// Grows with everything that it asks.
    pub(super) fn turn(&self) -> u64 {
        self.next_rpc
    }

    fn rpc(&mut self) -> u64 {
        self.next_rpc += 1;
        self.next_rpc
    }

    /// Whether the order counts in which requests of that kind arrive. One that joins a group of the consumer protocol says by it
    /// that it has given up what it had.
    pub(super) fn is_in_order(&self, request: &Request) -> bool {
        match request {
            Request::ConsumerHeartbeat(_) => true,
            Request::JoinGroup(_) | Request::SyncGroup(_) => self.may_change,
            _ => false,
        }
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
        self.current_rpc = None;
        self.forgot = false;
        if phase != Phase::Stable {
            self.owned.clear();
            self.consumer.iter_mut().for_each(|consumer| consumer.wanted = None);
        }
    }

    pub(super) fn stop(&mut self) {
        self.enter(Phase::Gone);
    }

    pub(super) fn back_off(&mut self, after_ms: u64, wishes: &mut Vec<Wish>) {
        self.enter(Phase::Backoff);
        wishes.push(Wish::Wake { after_ms, what: Wake::Join });
    }

    pub(super) fn forget_member_id(&mut self) {
        self.member_id.clear();
        self.generation_id = -1;
    }

    /// Joins, for the first time or again.
    pub(super) fn join(&mut self, wishes: &mut Vec<Wish>) {
        if self.consumer.is_some() {
            return self.join_consumers(wishes);
        }
        self.enter(Phase::Joining);
        let names = if self.prefers_second { ["second", "first"] } else { ["first", "second"] };
        let metadata = subscription(&self.reads.names(&self.view), self.subscription);
        // Nobody assigns anew for a static member that comes back, though topics may have changed meanwhile.
        let comes_back = self.instance.is_some() && self.member_id.is_empty();
        self.joined_with = (!comes_back || self.view.version == 0).then_some(self.grounds());
        let request = JoinGroup {
            group_id: self.group_id.clone(),
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
            session_timeout_ms: self.session_timeout_ms as i32,
            rebalance_timeout_ms: self.rebalance_timeout_ms as i32,
            protocol_type: "consumer".into(),
            protocols: names.map(|name| Protocol { name: name.into(), metadata: metadata.clone() }).to_vec(),
            reason: None,
            require_known_member_id: self.require_known_member_id,
            supports_skip_assignment: self.supports_skip_assignment,
            // Drawn by the broker.
            random: [0, 0],
        };
        self.send_current(Request::JoinGroup(request), PATIENCE_MS, wishes);
    }

    pub(super) fn send_current(&mut self, request: Request, patience_ms: u64, wishes: &mut Vec<Wish>) {
        let rpc = self.rpc();
        self.current_rpc = Some(rpc);
        wishes.push(Wish::Send { rpc, request, patience_ms });
    }

    /// The broker is gone, and with it the knowledge of who has asked for its assignment: no broker could notice any more
    /// what this client forgot, so it remembers by itself.
    pub(super) fn connection_lost(&mut self) -> Vec<Wish> {
        let mut wishes = Vec::new();
        if self.forgot {
            self.back_off(500, &mut wishes);
        }
        wishes
    }

    pub(super) fn leave(&mut self) -> Request {
        let (member_id, group_instance_id) = (self.member_id.clone(), self.instance.clone());
        let member = LeavingMember { member_id, group_instance_id, reason: None };
        Request::LeaveGroup(LeaveGroup { group_id: self.group_id.clone(), members: vec![member] })
    }

    pub(super) fn woken(&mut self, now_ms: u64, what: Wake, commit: i64) -> Vec<Wish> {
        let mut wishes = Vec::new();
        match what {
            Wake::Join if self.phase == Phase::Backoff => self.join(&mut wishes),
            Wake::Heartbeat if self.phase == Phase::Stable && self.consumer.is_some() => {
                self.beat_consumers(&mut wishes)
            }
            Wake::Heartbeat if self.phase == Phase::Stable => self.beat(now_ms, &mut wishes),
            Wake::Stopped => self.has_stopped(&mut wishes),
            Wake::GiveUp(rpc)
                if self.current_rpc == Some(rpc) && self.consumer.is_some() && self.phase == Phase::Stable =>
            {
                self.current_rpc = None;
                self.says_all_again();
            }
            Wake::Commit if self.phase == Phase::Stable => self.commit(commit, &mut wishes),
            Wake::GiveUp(rpc) if self.current_rpc == Some(rpc) => self.back_off(50, &mut wishes),
            _ => {}
        }
        wishes
    }

    fn beat(&mut self, now_ms: u64, wishes: &mut Vec<Wish>) {
        if now_ms > self.last_heard_ms + self.session_timeout_ms {
            // Nobody has answered for a session: it must assume that it was evicted.
            return self.back_off(20, wishes);
        }
        if self.joined_with != Some(self.grounds()) {
            return self.join(wishes);
        }
        let request = Heartbeat {
            group_id: self.group_id.clone(),
            generation_id: self.generation_id,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
        };
        wishes.push(Wish::Send { rpc: self.rpc(), request: Request::Heartbeat(request), patience_ms: 0 });
        wishes.push(Wish::Wake { after_ms: self.session_timeout_ms / 4, what: Wake::Heartbeat });
    }

    /// Commits to all it owns, and asks what is committed.
    fn commit(&mut self, offset: i64, wishes: &mut Vec<Wish>) {
        wishes.push(Wish::Wake { after_ms: 400, what: Wake::Commit });
        if self.owned.is_empty() || !self.commits {
            return;
        }
        let request = CommitOffsets {
            group_id: self.group_id.clone(),
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
            generation_id: self.generation_id,
            knows_epochs: self.consumer.is_some(),
            retention_time_ms: None,
            topics: self.committed_topics(offset),
        };
        wishes.push(Wish::Send { rpc: self.rpc(), request: Request::CommitOffsets(request), patience_ms: 0 });
        let topics = self.owned_topics().map(|topic| FetchTopic {
            name: NAMES[usize::from(topic[0].name)].into(),
            topic_id: None,
            partitions: topic.iter().map(|partition| partition.number.into()).collect(),
        });
        let topics = Some(topics.collect());
        let request = FetchOffsets { group_id: self.group_id.clone(), topics, member: None, require_stable: true };
        wishes.push(Wish::Send { rpc: self.rpc(), request: Request::FetchOffsets(request), patience_ms: 0 });
    }

    fn grounds(&self) -> Grounds {
        (self.view.version, self.reads, self.subscription)
    }

    fn owned_topics(&self) -> impl Iterator<Item = &[Partition]> {
        self.owned.chunk_by(|one, next| one.topic_id() == next.topic_id())
    }

    /// Members of the consumer protocol know their topics by id.
    fn committed_topics(&self, offset: i64) -> Vec<CommitTopic> {
        let partition = |partition: &Partition| CommitPartition {
            partition: partition.number.into(),
            offset,
            leader_epoch: -1,
            metadata: String::new(),
            seen: Default::default(),
        };
        let topic = |topic: &[Partition]| CommitTopic {
            name: NAMES[usize::from(topic[0].name)].into(),
            topic_id: self.consumer.is_some().then(|| topic[0].topic_id()),
            partitions: topic.iter().map(partition).collect(),
        };
        self.owned_topics().map(topic).collect()
    }

    /// It learns which topics there are. Who knows them by name works no more on what is gone.
    pub(super) fn refresh(&mut self, view: &View) {
        self.view = *view;
        if self.consumer.is_none() {
            self.owned.retain(|partition| view.has_id(partition.topic_id()));
        }
    }

    /// An answer comes, with what names of topics meant when it was given.
    pub(super) fn answered(&mut self, now_ms: u64, rpc: u64, answer: &Answer, meant: &View) -> Vec<Wish> {
        let mut wishes = Vec::new();
        match answer {
            Answer::ConsumerHeartbeat(answer) if self.current_rpc == Some(rpc) => {
                self.consumer_answered(now_ms, answer, &mut wishes);
            }
            Answer::JoinGroup(joined) if self.current_rpc == Some(rpc) => self.joined(now_ms, joined, &mut wishes),
            Answer::SyncGroup(synced) if self.current_rpc == Some(rpc) => {
                self.synced(now_ms, synced, meant, &mut wishes)
            }
            Answer::Heartbeat(Ok(())) => self.last_heard_ms = now_ms,
            Answer::Heartbeat(Err(error)) if self.phase == Phase::Stable => self.failed(*error, &mut wishes),
            Answer::CommitOffsets(Err(error)) if self.phase == Phase::Stable => self.failed(*error, &mut wishes),
            _ => {}
        }
        wishes
    }

    fn failed(&mut self, error: GroupError, wishes: &mut Vec<Wish>) {
        match error {
            GroupError::FencedInstanceId => self.stop(),
            // It hears of its new epoch with its next heartbeat.
            GroupError::StaleMemberEpoch => {}
            // Its id is its own.
            GroupError::UnknownMemberId if self.consumer.is_some() => self.back_off(10, wishes),
            GroupError::UnknownMemberId => {
                self.forget_member_id();
                self.back_off(10, wishes);
            }
            GroupError::CoordinatorLoadInProgress | GroupError::GroupIdNotFound if self.phase == Phase::Stable => {}
            _ => self.back_off(10, wishes),
        }
    }

    fn joined(&mut self, now_ms: u64, joined: &JoinGroupAnswer, wishes: &mut Vec<Wish>) {
        if let Some(error) = joined.error {
            if error == GroupError::MemberIdRequired {
                self.member_id = joined.member_id.clone();
                return self.back_off(0, wishes);
            }
            return self.failed(error, wishes);
        }
        self.member_id = joined.member_id.clone();
        self.generation_id = joined.generation_id;
        self.last_heard_ms = now_ms;
        if self.lazy {
            self.lazy = false;
            self.settle(wishes);
            self.forgot = true;
            return;
        }
        self.enter(Phase::Syncing);
        let leads = joined.leader == joined.member_id && !joined.skip_assignment;
        // It gave up on an answer and leads the same generation again: either assignment may count, the older one without topics that
        // have come since. No broker can tell them apart, so it will join once more.
        if leads && self.led.replace(self.generation_id) == Some(self.generation_id) {
            self.joined_with = None;
        }
        let request = SyncGroup {
            group_id: self.group_id.clone(),
            generation_id: self.generation_id,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: joined.protocol_type.clone(),
            protocol_name: joined.protocol_name.clone(),
            assignments: if leads { assign(joined, &self.view) } else { Vec::new() },
        };
        self.send_current(Request::SyncGroup(request), PATIENCE_MS, wishes);
    }

    pub(super) fn settle(&mut self, wishes: &mut Vec<Wish>) {
        self.enter(Phase::Stable);
        wishes.push(Wish::Wake { after_ms: self.session_timeout_ms / 4, what: Wake::Heartbeat });
        wishes.push(Wish::Wake { after_ms: 300, what: Wake::Commit });
    }

    fn synced(&mut self, now_ms: u64, synced: &Result<SyncedMember, GroupError>, meant: &View, wishes: &mut Vec<Wish>) {
        match synced {
            Err(error) => self.failed(*error, wishes),
            Ok(synced) => {
                self.settle(wishes);
                self.last_heard_ms = now_ms;
                self.owned =
                    partitions(&synced.assignment).into_iter().filter_map(|named| meant.meant(named)).collect();
                self.owned.sort_unstable();
            }
        }
    }
}

/// Deals the partitions of each topic out in turn to those who read it, beginning with another one for the second protocol.
fn assign(joined: &JoinGroupAnswer, view: &View) -> Vec<MemberAssignment> {
    let turn = usize::from(joined.protocol_name.as_deref() == Some("second"));
    let reads: Vec<Vec<u8>> = joined.members.iter().map(|member| subscribed(&member.metadata)).collect();
    let mut shares: Vec<Vec<Named>> = vec![Vec::new(); reads.len()];
    for name in view.names() {
        let readers: Vec<usize> = (0..reads.len()).filter(|&at| reads[at].contains(&name)).collect();
        for partition in view.partitions(name).take_while(|_| !readers.is_empty()) {
            let reader = readers[(usize::from(partition.number) + turn) % readers.len()];
            shares[reader].push((name, partition.number));
        }
    }
    let members = joined.members.iter().zip(&shares);
    members
        .map(|(m, share)| MemberAssignment { member_id: m.member_id.clone(), assignment: assignment(share) })
        .collect()
}
