//! Groups with members that change between the classic and the consumer protocol, through the coordinator alone.
use ottla_groups::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const T4: TopicId = [4; 16];

/// A coordinator, its log, and a clock.
struct Bench {
    coordinator: Coordinator,
    log: Vec<Record>,
    events: Vec<GroupEventKind>,
    answers: BTreeMap<Ticket, Answer>,
    now: Now,
    tickets: u64,
    settings: Settings,
}

fn topics() -> Arc<Topics> {
    let shape = TopicShape { topic_id: T4, partitions: 4 };
    Arc::new(Topics::new([("t4".to_owned(), shape)], |_, _| Err("no expressions here".into())))
}

impl Bench {
    fn new() -> Self {
        Self::with(MigrationPolicy::Bidirectional)
    }

    fn with(migration_policy: MigrationPolicy) -> Self {
        let now = Now { monotonic_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let settings = Settings { migration_policy, ..Settings::default() };
        let mut bench = Bench {
            coordinator: Coordinator::new(settings.clone()),
            log: Vec::new(),
            events: Vec::new(),
            answers: BTreeMap::new(),
            now,
            tickets: 0,
            settings,
        };
        bench.start(usize::MAX);
        bench
    }

    /// The process starts, with so much of its log.
    fn start(&mut self, surviving: usize) {
        self.log.truncate(surviving);
        self.coordinator = Coordinator::new(self.settings.clone());
        self.log.iter().for_each(|record| self.coordinator.replay(record));
        self.coordinator.handle(self.now, Event::TopicsChanged(topics()));
        let actions = self.coordinator.loaded(self.now);
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Append(record) => self.log.push(record),
                Action::AppendInTransaction(..) => unreachable!("nobody commits in a transaction"),
                Action::Reply(ticket, answer) => drop(self.answers.insert(ticket, answer)),
                Action::Event(event) => self.events.push(event.kind),
            }
        }
    }

    fn send(&mut self, request: Request) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let client = ClientInfo { client_id: "app".into(), host: "/10.0.0.1".into(), software: None, connection: None };
        let actions = self.coordinator.handle(self.now, Event::Request { ticket, client, request });
        self.act(actions);
        self.check_replay();
        ticket
    }

    fn ask(&mut self, request: Request) -> Answer {
        let ticket = self.send(request);
        self.answers.remove(&ticket).expect("it is answered at once")
    }

    /// Replaying the log gives what is there.
    fn check_replay(&self) {
        let mut replayed = Coordinator::new(self.settings.clone());
        self.log.iter().for_each(|record| replayed.replay(record));
        assert!(self.coordinator.durable_groups().eq(replayed.durable_groups()));
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now.monotonic_ms + ms;
        while let Some(next) = self.coordinator.next_deadline().filter(|next| *next <= until) {
            self.now.wall_ms += next.saturating_sub(self.now.monotonic_ms) as i64;
            self.now.monotonic_ms = next.max(self.now.monotonic_ms);
            let actions = self.coordinator.handle(self.now, Event::Tick);
            self.act(actions);
        }
        self.now.monotonic_ms = until;
    }

    fn beat(&mut self, heartbeat: ConsumerHeartbeat) -> Result<(i32, Option<Vec<i32>>), Refusal> {
        match self.ask(Request::ConsumerHeartbeat(heartbeat)) {
            Answer::ConsumerHeartbeat(answer) => answer.map(|answer| {
                let given = answer.assignment.map(|given| given.iter().map(|(_, partition)| partition).collect());
                (answer.member_epoch, given)
            }),
            other => panic!("{other:?}"),
        }
    }

    fn join(&mut self, join: JoinGroup) -> JoinGroupAnswer {
        let random = [self.tickets, 7];
        joined(self.ask(Request::JoinGroup(JoinGroup { random, ..join })))
    }

    /// Generation of a member that joins with what it has.
    fn joins(&mut self, member_id: &str, owned: &[i32]) -> i32 {
        let answer = self.join(classic(member_id, owned));
        assert_eq!(answer.error, None);
        answer.generation_id
    }

    fn sync(&mut self, member_id: &str, generation_id: i32) -> Result<Vec<i32>, GroupError> {
        self.sync_with(member_id, generation_id, &[])
    }

    fn sync_with(&mut self, member_id: &str, generation: i32, all: &[(&str, &[i32])]) -> Result<Vec<i32>, GroupError> {
        match self.ask(sync(member_id, generation, all)) {
            Answer::SyncGroup(answer) => answer.map(|synced| partitions(&synced.assignment)),
            other => panic!("{other:?}"),
        }
    }

    fn lives(&mut self, member_id: &str, generation_id: i32) -> Result<(), GroupError> {
        let (group_id, member_id) = ("g".into(), member_id.into());
        match self.ask(Request::Heartbeat(Heartbeat { group_id, generation_id, member_id, group_instance_id: None })) {
            Answer::Heartbeat(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn commit(
        &mut self,
        member_id: &str,
        epoch: i32,
        knows_epochs: bool,
        partitions: &[i32],
    ) -> Result<(), GroupError> {
        let commit = |&partition| CommitPartition {
            partition,
            offset: 5,
            leader_epoch: -1,
            metadata: String::new(),
            seen: Default::default(),
        };
        let partitions = partitions.iter().map(commit).collect();
        let answer = self.ask(Request::CommitOffsets(CommitOffsets {
            group_id: "g".into(),
            member_id: member_id.into(),
            group_instance_id: None,
            generation_id: epoch,
            knows_epochs,
            retention_time_ms: None,
            topics: vec![CommitTopic { name: "t4".into(), topic_id: None, partitions }],
        }));
        match answer {
            Answer::CommitOffsets(result) => result.map(|_| ()),
            other => panic!("{other:?}"),
        }
    }

    fn described(&mut self) -> DescribedConsumerGroup {
        match self.ask(Request::DescribeConsumerGroup(DescribeGroup { group_id: "g".into() })) {
            Answer::DescribeConsumerGroup(described) => described.expect("it is a consumer group"),
            other => panic!("{other:?}"),
        }
    }

    fn described_classic(&mut self) -> DescribedGroup {
        match self.ask(Request::DescribeGroup(DescribeGroup { group_id: "g".into() })) {
            Answer::DescribeGroup(described) => described.expect("it is a classic group"),
            other => panic!("{other:?}"),
        }
    }

    /// A stable classic group: `m` with everything.
    fn with_a_classic_member(mut self) -> Self {
        let member = self.join(JoinGroup { require_known_member_id: false, ..classic("", &[]) }).member_id;
        assert_eq!(self.sync_with(&member, 1, &[(&member, &[0, 1, 2, 3])]), Ok(vec![0, 1, 2, 3]));
        self
    }

    fn classic_member(&mut self) -> String {
        self.described_classic().members[0].member_id.clone()
    }

    fn member(&mut self, member_id: &str) -> DescribedConsumer {
        let members = self.described().members;
        members.into_iter().find(|member| member.member_id == member_id).expect("it is a member")
    }
}

fn joined(answer: Answer) -> JoinGroupAnswer {
    match answer {
        Answer::JoinGroup(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn named(topics: &[(&str, &[i32])]) -> Vec<u8> {
    let mut bytes = (topics.len() as i32).to_be_bytes().to_vec();
    for (name, partitions) in topics {
        bytes.extend((name.len() as i16).to_be_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend((partitions.len() as i32).to_be_bytes());
        bytes.extend(partitions.iter().flat_map(|partition| partition.to_be_bytes()));
    }
    bytes
}

/// A subscription to t4, version 1.
fn subscription(owned: &[i32]) -> Vec<u8> {
    let owned = if owned.is_empty() { named(&[]) } else { named(&[("t4", owned)]) };
    [b"\0\x01\0\0\0\x01\0\x02t4\xff\xff\xff\xff", &owned[..]].concat()
}

/// The partitions of t4 in an assignment.
fn partitions(assignment: &[u8]) -> Vec<i32> {
    let Some(numbers) = assignment.get(14..assignment.len() - 4) else { return Vec::new() };
    numbers.chunks(4).map(|number| i32::from_be_bytes([number[0], number[1], number[2], number[3]])).collect()
}

fn classic(member_id: &str, owned: &[i32]) -> JoinGroup {
    JoinGroup {
        group_id: "g".into(),
        member_id: member_id.into(),
        group_instance_id: None,
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 20_000,
        protocol_type: "consumer".into(),
        protocols: vec![Protocol { name: "cooperative-sticky".into(), metadata: subscription(owned) }],
        reason: None,
        require_known_member_id: true,
        supports_skip_assignment: true,
        random: [1, 2],
    }
}

fn sync(member_id: &str, generation_id: i32, all: &[(&str, &[i32])]) -> Request {
    let assignment = |partitions: &[i32]| [b"\0\x01", &named(&[("t4", partitions)])[..], b"\xff\xff\xff\xff"].concat();
    let assignments = all.iter().map(|(member_id, partitions)| MemberAssignment {
        member_id: (*member_id).into(),
        assignment: assignment(partitions),
    });
    Request::SyncGroup(SyncGroup {
        group_id: "g".into(),
        generation_id,
        member_id: member_id.into(),
        group_instance_id: None,
        protocol_type: None,
        protocol_name: None,
        assignments: assignments.collect(),
    })
}

fn consumer(member_id: &str) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        group_id: "g".into(),
        member_id: member_id.into(),
        rebalance_timeout_ms: Some(10_000),
        subscribed_topic_names: Some(vec!["t4".into()]),
        owned: Some(Assignment::none()),
        ..Default::default()
    }
}

fn alive(member_id: &str, member_epoch: i32) -> ConsumerHeartbeat {
    ConsumerHeartbeat { group_id: "g".into(), member_id: member_id.into(), member_epoch, ..Default::default() }
}

fn owns(member_id: &str, epoch: i32, partitions: &[i32]) -> ConsumerHeartbeat {
    let owned = Assignment::of(partitions.iter().map(|&partition| (T4, partition)));
    ConsumerHeartbeat { owned: Some(owned), ..alive(member_id, epoch) }
}

#[test]
fn the_first_consumer_takes_a_classic_group_along() {
    let mut bench = Bench::new().with_a_classic_member();
    let m = bench.classic_member();
    // Epochs and answers as on Apache Kafka 4.3.1.
    assert_eq!(bench.beat(consumer("a")), Ok((2, Some(vec![]))));
    assert_eq!(bench.described().state, GroupState::Reconciling);
    let taken = bench.member(&m);
    assert_eq!((taken.member_epoch, &taken.assigned[0].2), (1, &vec![0, 1, 2, 3]));
    assert_eq!(taken.metadata.classic.unwrap().session_timeout_ms, 10_000);
    assert!(bench.events.iter().any(|event| matches!(event, GroupEventKind::ProtocolMigrated { to: "consumer", .. })));
    // A cooperative member: it gives up its part, says so by joining again, and then is in the epoch.
    assert_eq!(bench.lives(&m, 1), Err(GroupError::RebalanceInProgress));
    assert_eq!(bench.joins(&m, &[0, 1, 2, 3]), 1);
    assert_eq!(bench.sync(&m, 1), Ok(vec![0, 1]));
    assert_eq!(bench.beat(alive("a", 2)), Ok((2, None)));
    assert_eq!(bench.lives(&m, 1), Err(GroupError::RebalanceInProgress));
    assert_eq!(bench.joins(&m, &[0, 1]), 2);
    assert_eq!(bench.sync(&m, 2), Ok(vec![0, 1]));
    assert_eq!(bench.lives(&m, 2), Ok(()));
    assert_eq!(bench.beat(alive("a", 2)), Ok((2, Some(vec![2, 3]))));
    assert_eq!(bench.described().state, GroupState::Stable);
}

#[test]
fn the_last_consumer_leaves_the_group_to_the_classic_members() {
    let mut bench = Bench::new().with_a_classic_member();
    let m = bench.classic_member();
    bench.beat(consumer("a")).unwrap();
    assert_eq!(bench.joins(&m, &[]), 2);
    assert_eq!(bench.sync(&m, 2), Ok(vec![0, 1]));
    assert_eq!(bench.beat(alive("a", -1)), Ok((-1, None)));
    let described = bench.described_classic();
    assert_eq!(described.state, GroupState::PreparingRebalance);
    assert_eq!(partitions(&described.members[0].assignment), [0, 1]);
    assert_eq!(bench.lives(&m, 2), Err(GroupError::RebalanceInProgress));
    let again = bench.join(classic(&m, &[0, 1]));
    assert_eq!((again.error, again.generation_id, again.leader), (None, 3, m.clone()));
    // And back again.
    assert_eq!(bench.sync_with(&m, 3, &[(&m, &[0, 1, 2, 3])]), Ok(vec![0, 1, 2, 3]));
    assert_eq!(bench.beat(consumer("a")), Ok((4, Some(vec![]))));
}

#[test]
fn a_classic_member_that_leaves_is_told_as_one_that_left() {
    let mut bench = Bench::new().with_a_classic_member();
    let m = bench.classic_member();
    bench.beat(consumer("a")).unwrap();
    for (member_id, departure) in [(m.as_str(), Departure::Left), ("a", Departure::Removed)] {
        let leaving = LeavingMember { member_id: member_id.into(), group_instance_id: None, reason: None };
        bench.ask(Request::LeaveGroup(LeaveGroup { group_id: "g".into(), members: vec![leaving] }));
        let Some(GroupEventKind::MemberRemoved { member, how, .. }) =
            bench.events.iter().rfind(|event| matches!(event, GroupEventKind::MemberRemoved { .. }))
        else {
            panic!("{:?}", bench.events)
        };
        assert_eq!((member.member_id.as_str(), *how), (member_id, departure));
    }
}

#[test]
fn a_group_that_is_rebalancing_is_taken_along_with_what_its_members_have() {
    let mut bench = Bench::new().with_a_classic_member();
    let m = bench.classic_member();
    let n = bench.join(classic("", &[])).member_id;
    let parked = bench.send(Request::JoinGroup(classic(&n, &[])));
    assert_eq!(bench.described_classic().state, GroupState::PreparingRebalance);
    assert_eq!(bench.joins(&m, &[0, 1, 2, 3]), 2);
    assert_eq!(joined(bench.answers.remove(&parked).unwrap()).generation_id, 2);
    // The generation has begun, but its leader has not assigned: everybody has what it had before.
    let waiting = bench.send(sync(&n, 2, &[]));
    bench.beat(consumer("a")).unwrap();
    assert_eq!(bench.answers.remove(&waiting), Some(Answer::SyncGroup(Err(GroupError::RebalanceInProgress))));
    assert_eq!(bench.member(&m).assigned[0].2, [0, 1, 2, 3]);
    assert_eq!(bench.member(&n).assigned, []);
}

#[test]
fn a_parked_join_is_to_be_sent_again() {
    let mut bench = Bench::new().with_a_classic_member();
    let n = bench.join(classic("", &[])).member_id;
    let parked = bench.send(Request::JoinGroup(classic(&n, &[])));
    bench.beat(consumer("a")).unwrap();
    assert_eq!(joined(bench.answers.remove(&parked).unwrap()).error, Some(GroupError::RebalanceInProgress));
    assert_eq!(bench.joins(&n, &[]), 2);
}

#[test]
fn a_classic_member_must_join_again_and_sync_in_time() {
    let mut bench = Bench::new().with_a_classic_member();
    let m = bench.classic_member();
    bench.beat(consumer("a")).unwrap();
    for _ in 0..4 {
        assert_eq!(bench.lives(&m, 1), Err(GroupError::RebalanceInProgress));
        bench.beat(alive("a", 2)).unwrap();
        bench.pass(5_000);
    }
    // Alone, the one of the consumer protocol gets what it had.
    assert_eq!(bench.lives(&m, 1), Err(GroupError::UnknownMemberId));
    assert_eq!(bench.beat(alive("a", 2)), Ok((3, Some(vec![0, 1, 2, 3]))));
    let n = bench.join(classic("", &[])).member_id;
    let epoch = bench.joins(&n, &[]);
    let waits = bench.coordinator.waits(bench.now, "g");
    assert!(waits.iter().any(|wait| wait.name == WaitName::MemberToSync));
    for _ in 0..4 {
        assert_eq!(bench.lives(&n, epoch), Ok(()));
        bench.pass(5_000);
    }
    assert_eq!(bench.lives(&n, epoch), Err(GroupError::UnknownMemberId));
}

#[test]
fn a_classic_member_has_its_own_session() {
    let mut bench = Bench::new();
    bench.beat(consumer("a")).unwrap();
    let n = bench.join(classic("", &[])).member_id;
    bench.joins(&n, &[]);
    bench.pass(10_000);
    assert_eq!(bench.described().members.len(), 1);
}

#[test]
fn commits_of_an_earlier_epoch_count_for_what_was_there_by_then() {
    let mut bench = Bench::new();
    bench.beat(consumer("a")).unwrap();
    let n = bench.join(classic("", &[])).member_id;
    assert_eq!(bench.joins(&n, &[]), 3);
    assert_eq!(bench.beat(owns("a", 2, &[0, 1, 2, 3])), Ok((2, Some(vec![0, 1]))));
    assert_eq!(bench.beat(owns("a", 2, &[0, 1])), Ok((3, None)));
    // Of the consumer protocol: KIP-1251, as on Apache Kafka 4.3.1.
    assert_eq!(bench.commit("a", 2, true, &[0, 1]), Ok(()));
    assert_eq!(bench.commit("a", 2, true, &[1, 2]), Err(GroupError::StaleMemberEpoch));
    assert_eq!(bench.commit("a", 1, true, &[0]), Err(GroupError::StaleMemberEpoch));
    assert_eq!(bench.commit("a", 4, true, &[0]), Err(GroupError::StaleMemberEpoch));
    assert_eq!(bench.commit("a", 3, false, &[0]), Err(GroupError::UnsupportedVersion));
    // Of the classic one.
    assert_eq!(bench.lives(&n, 3), Err(GroupError::RebalanceInProgress));
    assert_eq!(bench.joins(&n, &[]), 3);
    assert_eq!(bench.sync(&n, 3), Ok(vec![2, 3]));
    assert_eq!(bench.commit(&n, 3, false, &[2]), Ok(()));
    assert_eq!(bench.commit(&n, 2, false, &[2]), Err(GroupError::IllegalGeneration));
    assert_eq!(bench.commit(&n, 4, false, &[2]), Err(GroupError::IllegalGeneration));
}

#[test]
fn policies_keep_groups_as_they_are() {
    for policy in [MigrationPolicy::Downgrade, MigrationPolicy::Disabled] {
        let mut bench = Bench::with(policy).with_a_classic_member();
        let refusal = bench.beat(consumer("a")).unwrap_err();
        assert_eq!(refusal.error, GroupError::GroupIdNotFound);
        assert!(refusal.message.unwrap().contains(policy.name()));
        assert_eq!(bench.described_classic().state, GroupState::Stable);
    }
    let mut bench = Bench::with(MigrationPolicy::Disabled);
    bench.beat(consumer("a")).unwrap();
    assert_eq!(bench.join(classic("", &[])).error, Some(GroupError::InconsistentGroupProtocol));
    // Those of the classic protocol stay in the consumer group, where there is no way back.
    let mut bench = Bench::with(MigrationPolicy::Upgrade);
    bench.beat(consumer("a")).unwrap();
    let n = bench.join(classic("", &[])).member_id;
    bench.joins(&n, &[]);
    bench.beat(alive("a", -1)).unwrap();
    assert_eq!(bench.described().members.len(), 1);
    assert_eq!(bench.lives(&n, 3), Err(GroupError::RebalanceInProgress));
    assert_eq!(bench.joins(&n, &[]), 4);
    assert_eq!(bench.sync(&n, 4), Ok(vec![0, 1, 2, 3]));
}

#[test]
fn what_cannot_be_read_is_refused() {
    let mut bench = Bench::new();
    let unreadable = vec![Protocol { name: "range".into(), metadata: vec![0] }];
    let join = JoinGroup { protocols: unreadable.clone(), require_known_member_id: false, ..classic("", &[]) };
    let m = bench.join(join).member_id;
    let refusal = bench.beat(consumer("a")).unwrap_err();
    assert_eq!(refusal.error, GroupError::GroupIdNotFound);
    assert!(refusal.message.unwrap().contains(&format!("The subscription of {m} in group g cannot be read")));
    let mut bench = Bench::new();
    bench.beat(consumer("a")).unwrap();
    let join = JoinGroup { protocols: unreadable, require_known_member_id: false, ..classic("", &[]) };
    assert_eq!(bench.join(join).error, Some(GroupError::InconsistentGroupProtocol));
    let other_type = JoinGroup { protocol_type: "connect".into(), ..classic("", &[]) };
    assert_eq!(bench.join(other_type).error, Some(GroupError::InconsistentGroupProtocol));
    // Who was put out and has not heard of it must first give up what it had.
    assert_eq!(bench.join(classic("n", &[0])).error, Some(GroupError::UnknownMemberId));
    assert_eq!(bench.joins("n", &[]), 3);
    let others = vec![Protocol { name: "range".into(), metadata: subscription(&[]) }];
    let join = JoinGroup { protocols: others, ..classic("o", &[]) };
    assert_eq!(bench.join(join).error, Some(GroupError::InconsistentGroupProtocol));
}

#[test]
fn static_members_keep_their_place_across_protocols() {
    let mut bench = Bench::new();
    bench.beat(ConsumerHeartbeat { group_instance_id: Some("i".into()), ..consumer("a") }).unwrap();
    let n = bench.join(classic("", &[])).member_id;
    bench.joins(&n, &[]);
    let taking = JoinGroup { group_instance_id: Some("i".into()), ..classic("", &[]) };
    let answer = bench.join(taking);
    assert_eq!((answer.error, answer.generation_id), (None, 3));
    // It was the last one of the consumer protocol.
    let described = bench.described_classic();
    assert_eq!((described.state, described.members.len()), (GroupState::PreparingRebalance, 2));
    // One of the consumer protocol takes the place as well, though the other does not say that it goes.
    let old = answer.member_id;
    let taking = |member_id| ConsumerHeartbeat { group_instance_id: Some("i".into()), ..consumer(member_id) };
    bench.beat(taking("b")).unwrap();
    let members: Vec<_> = bench.described().members.iter().map(|member| member.member_id.clone()).collect();
    assert!(members.len() == 2 && members.contains(&"b".into()) && !members.contains(&old), "{members:?}");
    // Where both speak the consumer protocol, nobody takes the place of one that is there.
    assert_eq!(bench.beat(taking("c")).unwrap_err().error, GroupError::UnreleasedInstanceId);
    bench.check_replay();
}

#[test]
fn a_static_member_changes_to_the_consumer_protocol_with_what_it_has() {
    let mut bench = Bench::new();
    let static_member = |member_id: &str| JoinGroup { group_instance_id: Some("i".into()), ..classic(member_id, &[]) };
    let old = bench.join(static_member("")).member_id;
    bench.sync_with(&old, 1, &[(&old, &[0, 1, 2, 3])]).unwrap();
    // It stops, which a static member says to nobody, and starts again with the other protocol.
    let taking = ConsumerHeartbeat { group_instance_id: Some("i".into()), ..consumer("b") };
    let (epoch, given) = bench.beat(taking).unwrap();
    assert_eq!((epoch, given), (1, Some(vec![0, 1, 2, 3])));
    assert_eq!(bench.described().members.len(), 1);
    assert!(bench.commit(&old, 1, true, &[0]).is_err());
    // And back.
    let answer = bench.join(static_member(""));
    assert_eq!((answer.error, answer.generation_id), (None, 1));
    assert_eq!(bench.described_classic().members.len(), 1);
}

#[test]
fn a_static_member_that_changes_over_gets_what_nobody_has() {
    let static_member = |member_id: &str| JoinGroup { group_instance_id: Some("i".into()), ..classic(member_id, &[]) };
    let taking = ConsumerHeartbeat { group_instance_id: Some("i".into()), ..consumer("b") };
    // Another member has left, and nobody has joined again.
    let mut bench = Bench::new();
    let old = bench.join(static_member("")).member_id;
    bench.sync_with(&old, 1, &[(&old, &[0, 1, 2, 3])]).unwrap();
    let leaver = bench.join(classic("", &[])).member_id;
    let parked = bench.send(Request::JoinGroup(classic(&leaver, &[])));
    bench.join(static_member(&old));
    bench.answers.remove(&parked);
    bench.sync_with(&old, 2, &[(&old, &[0, 1]), (&leaver, &[2, 3])]).unwrap();
    let leaving = LeavingMember { member_id: leaver, group_instance_id: None, reason: None };
    bench.ask(Request::LeaveGroup(LeaveGroup { group_id: "g".into(), members: vec![leaving] }));
    let (epoch, given) = bench.beat(taking.clone()).unwrap();
    assert_eq!((epoch > 2, given), (true, Some(vec![0, 1, 2, 3])));
    // One that has joined and does not know yet what it has.
    let mut bench = Bench::new();
    bench.join(static_member(""));
    assert_eq!(bench.beat(taking.clone()).unwrap(), (2, Some(vec![0, 1, 2, 3])));
    // One that is gone before its first join is answered.
    let mut bench = Bench::new().with_a_classic_member();
    let parked = JoinGroup { require_known_member_id: false, ..static_member("") };
    let ticket = bench.send(Request::JoinGroup(parked));
    let actions = bench.coordinator.handle(bench.now, Event::Cancelled { ticket });
    bench.act(actions);
    let member = bench.classic_member();
    let leaving = LeavingMember { member_id: member, group_instance_id: None, reason: None };
    bench.ask(Request::LeaveGroup(LeaveGroup { group_id: "g".into(), members: vec![leaving] }));
    let (epoch, given) = bench.beat(taking).unwrap();
    assert_eq!((epoch > 0, given), (true, Some(vec![0, 1, 2, 3])));
    bench.check_replay();
}

#[test]
fn a_static_member_whose_join_is_not_answered_yet_does_not_hold_its_place() {
    let mut bench = Bench::new().with_a_classic_member();
    let parked = JoinGroup { group_instance_id: Some("i".into()), require_known_member_id: false, ..classic("", &[]) };
    let ticket = bench.send(Request::JoinGroup(parked));
    assert!(!bench.answers.contains_key(&ticket), "it waits for the other member");
    let taking = ConsumerHeartbeat { group_instance_id: Some("i".into()), ..consumer("b") };
    bench.beat(taking).unwrap();
    assert_eq!(bench.member("b").metadata.group_instance_id.as_deref(), Some("i"));
    assert_eq!(bench.described().members.len(), 2);
}

#[test]
fn a_log_that_ends_in_the_middle_of_a_migration_has_a_whole_group() {
    let mut bench = Bench::new().with_a_classic_member();
    let m = bench.classic_member();
    let n = bench.join(classic("", &[])).member_id;
    let parked = bench.send(Request::JoinGroup(classic(&n, &[])));
    bench.joins(&m, &[0, 1, 2, 3]);
    bench.answers.remove(&parked);
    bench.sync_with(&m, 2, &[(&m, &[0, 1]), (&n, &[2, 3])]).unwrap();
    let before = bench.log.len();
    bench.beat(consumer("a")).unwrap();
    let upgraded = bench.log.clone();
    for surviving in before..upgraded.len() {
        bench.log = upgraded.clone();
        bench.start(surviving);
        let members = match bench.ask(Request::DescribeGroup(DescribeGroup { group_id: "g".into() })) {
            Answer::DescribeGroup(Ok(described)) => described.members.len(),
            _ => bench.described().members.iter().filter(|member| member.metadata.classic.is_some()).count(),
        };
        assert_eq!(members, 2, "{surviving}");
        bench.check_replay();
        bench.beat(consumer("a")).unwrap();
        assert_eq!(bench.member(&m).assigned[0].2, [0, 1], "{surviving}");
    }
    bench.log = upgraded;
    bench.start(usize::MAX);
    let before = bench.log.len();
    bench.beat(alive("a", -1)).unwrap();
    let downgraded = bench.log.clone();
    for surviving in before..=downgraded.len() {
        bench.log = downgraded.clone();
        bench.start(surviving);
        bench.check_replay();
        bench.beat(consumer("b")).unwrap();
        assert_eq!(bench.member(&n).assigned[0].2, [2, 3], "{surviving}");
        assert_eq!(bench.member(&m).assigned[0].2, [0, 1], "{surviving}");
    }
}

#[test]
fn two_processes_of_one_instance_do_not_put_each_other_out_for_ever() {
    let mut bench = Bench::new();
    bench.beat(consumer("a")).unwrap();
    let taking = JoinGroup { group_instance_id: Some("i".into()), ..classic("", &[]) };
    let first = bench.join(taking.clone()).member_id;
    bench.join(taking);
    let partition = CommitPartition {
        partition: 0,
        offset: 5,
        leader_epoch: -1,
        metadata: String::new(),
        seen: Default::default(),
    };
    let answer = bench.ask(Request::CommitOffsets(CommitOffsets {
        group_id: "g".into(),
        member_id: first,
        group_instance_id: Some("i".into()),
        generation_id: 3,
        knows_epochs: true,
        retention_time_ms: None,
        topics: vec![CommitTopic { name: "t4".into(), topic_id: None, partitions: vec![partition] }],
    }));
    assert_eq!(answer, Answer::CommitOffsets(Err(GroupError::FencedInstanceId)));
}
