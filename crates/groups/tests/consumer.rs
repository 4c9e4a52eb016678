//! Groups of the consumer protocol (KIP-848), through the coordinator alone.
use ottla_groups::records::ConsumerMemberMetadata;
use ottla_groups::*;
use std::sync::Arc;

const T4: TopicId = [4; 16];
const T7: TopicId = [7; 16];

/// A coordinator, its log, and a clock.
struct Bench {
    coordinator: Coordinator,
    log: Vec<Record>,
    events: Vec<GroupEventKind>,
    now: Now,
    tickets: u64,
    settings: Settings,
    topics: Arc<Topics>,
}

/// Understands a beginning with a star.
fn beginnings(pattern: &str, names: &[&str]) -> Result<Vec<String>, String> {
    let beginning = pattern.strip_suffix('*').ok_or("no star")?;
    Ok(names.iter().filter(|name| name.starts_with(beginning)).map(|name| (*name).to_owned()).collect())
}

fn topics(shapes: &[(&str, TopicId, i32)]) -> Arc<Topics> {
    let shape =
        |&(name, topic_id, partitions): &(&str, TopicId, i32)| (name.to_owned(), TopicShape { topic_id, partitions });
    Arc::new(Topics::new(shapes.iter().map(shape), beginnings))
}

impl Bench {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let now = Now { monotonic_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let mut bench = Bench {
            coordinator: Coordinator::new(settings.clone()),
            log: Vec::new(),
            events: Vec::new(),
            now,
            tickets: 0,
            settings,
            topics: topics(&[("t4", T4, 4), ("t7", T7, 7)]),
        };
        bench.coordinator.handle(now, Event::TopicsChanged(bench.topics.clone()));
        bench.coordinator.loaded(now);
        bench
    }

    fn act(&mut self, actions: Vec<Action>) -> Option<Answer> {
        let mut answer = None;
        for action in actions {
            match action {
                Action::Append(record) => self.log.push(record),
                Action::AppendInTransaction(..) => unreachable!("nobody commits in a transaction"),
                Action::Reply(_, given) => answer = Some(given),
                Action::Event(event) => self.events.push(event.kind),
            }
        }
        answer
    }

    fn ask(&mut self, request: Request) -> Answer {
        let answer = self.send(request);
        self.check_replay();
        answer
    }

    fn send(&mut self, request: Request) -> Answer {
        self.tickets += 1;
        let client = ClientInfo { client_id: "app".into(), host: "/10.0.0.1".into(), software: None, connection: None };
        let event = Event::Request { ticket: Ticket(self.tickets), client, request };
        let actions = self.coordinator.handle(self.now, event);
        self.act(actions).expect("every request is answered")
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
        self.now.wall_ms += (until - self.now.monotonic_ms) as i64;
        self.now.monotonic_ms = until;
    }

    /// The process ends and starts again.
    fn restart(&mut self) {
        self.coordinator = Coordinator::new(self.settings.clone());
        self.log.iter().for_each(|record| self.coordinator.replay(record));
        self.coordinator.handle(self.now, Event::TopicsChanged(self.topics.clone()));
        let actions = self.coordinator.loaded(self.now);
        self.act(actions);
    }

    fn change_topics(&mut self, shapes: &[(&str, TopicId, i32)]) {
        self.topics = topics(shapes);
        let actions = self.coordinator.handle(self.now, Event::TopicsChanged(self.topics.clone()));
        self.act(actions);
    }

    fn beat(&mut self, heartbeat: ConsumerHeartbeat) -> Result<ConsumerHeartbeatAnswer, Refusal> {
        match self.ask(Request::ConsumerHeartbeat(heartbeat)) {
            Answer::ConsumerHeartbeat(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// Epoch and assignment (partition numbers of the topics together).
    fn ok(&mut self, heartbeat: ConsumerHeartbeat) -> (i32, Option<Vec<i32>>) {
        let answer = self.beat(heartbeat).expect("it is accepted");
        (answer.member_epoch, answer.assignment.map(|given| given.iter().map(|(_, partition)| partition).collect()))
    }

    fn refused(&mut self, heartbeat: ConsumerHeartbeat) -> GroupError {
        self.beat(heartbeat).expect_err("it is refused").error
    }

    fn described(&mut self) -> DescribedConsumerGroup {
        match self.ask(Request::DescribeConsumerGroup(DescribeGroup { group_id: "g".into() })) {
            Answer::DescribeConsumerGroup(described) => described.expect("there is a group"),
            other => panic!("{other:?}"),
        }
    }

    fn commit(&mut self, member_id: &str, epoch: i32) -> Result<(), GroupError> {
        let partition = CommitPartition {
            partition: 0,
            offset: 5,
            leader_epoch: -1,
            metadata: String::new(),
            seen: Default::default(),
        };
        let topic = CommitTopic { name: "t4".into(), topic_id: Some(T4), partitions: vec![partition] };
        let answer = self.ask(Request::CommitOffsets(CommitOffsets {
            group_id: "g".into(),
            member_id: member_id.into(),
            group_instance_id: None,
            generation_id: epoch,
            knows_epochs: true,
            retention_time_ms: None,
            topics: vec![topic],
        }));
        match answer {
            Answer::CommitOffsets(result) => result.map(|_| ()),
            other => panic!("{other:?}"),
        }
    }
}

fn join(member_id: &str, topic: &str) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        group_id: "g".into(),
        member_id: member_id.into(),
        rebalance_timeout_ms: Some(10_000),
        subscribed_topic_names: Some(vec![topic.into()]),
        owned: Some(Assignment::none()),
        ..Default::default()
    }
}

fn join_static(member_id: &str, instance: &str) -> ConsumerHeartbeat {
    ConsumerHeartbeat { group_instance_id: Some(instance.into()), ..join(member_id, "t4") }
}

fn lives(member_id: &str, epoch: i32) -> ConsumerHeartbeat {
    ConsumerHeartbeat { group_id: "g".into(), member_id: member_id.into(), member_epoch: epoch, ..Default::default() }
}

fn owns(member_id: &str, epoch: i32, partitions: &[i32]) -> ConsumerHeartbeat {
    let owned = Assignment::of(partitions.iter().map(|&partition| (T4, partition)));
    ConsumerHeartbeat { owned: Some(owned), ..lives(member_id, epoch) }
}

#[test]
fn the_first_member_gets_everything_at_once() {
    let mut bench = Bench::new();
    // Epochs as on Apache Kafka 4.3.1.
    assert_eq!(bench.ok(join("a", "t4")), (2, Some(vec![0, 1, 2, 3])));
    assert_eq!(bench.ok(owns("a", 2, &[0, 1, 2, 3])), (2, None));
    assert_eq!(bench.described().state, GroupState::Stable);
}

#[test]
fn a_second_member_gets_its_share_when_the_first_has_given_it_up() {
    let mut bench = Bench::new();
    bench.ok(join("a", "t4"));
    assert_eq!(bench.ok(join("b", "t4")), (3, Some(vec![])));
    let waits = bench.coordinator.waits(bench.now, "g");
    let blocking: Vec<_> = waits.iter().filter(|wait| wait.name.blocks()).collect();
    let hears = blocking.iter().map(|wait| (wait.name, wait.culprit.as_ref().unwrap().member_id.as_str()));
    assert_eq!(hears.collect::<Vec<_>>(), [(WaitName::MemberToHear, "a")]);
    assert_eq!(bench.ok(lives("a", 2)), (2, Some(vec![0, 1])));
    let waits = bench.coordinator.waits(bench.now, "g");
    let revoke = waits.iter().find(|wait| wait.name == WaitName::MemberToRevoke).expect("it is waited for");
    assert_eq!((revoke.culprit.as_ref().unwrap().member_id.as_str(), revoke.deadline_ms), ("a", 11_000));
    assert_eq!(bench.ok(owns("a", 2, &[0, 1, 2])), (2, None));
    assert_eq!(bench.ok(lives("b", 3)), (3, None));
    assert_eq!(bench.ok(owns("a", 2, &[0, 1])), (3, None));
    assert_eq!(bench.ok(lives("b", 3)), (3, Some(vec![2, 3])));
    assert_eq!(bench.described().state, GroupState::Stable);
}

#[test]
fn its_story_has_no_partition_twice_and_keeps_the_cause() {
    let mut bench = Bench::new();
    bench.ok(join("a", "t4"));
    bench.ok(join("b", "t4"));
    bench.ok(lives("a", 2));
    let cause = bench.events.iter().rev().find_map(|event| match event {
        GroupEventKind::StateChanged { to: GroupState::Reconciling, cause, .. } => Some(cause.as_str()),
        _ => None,
    });
    assert_eq!(cause, Some("member b joins: who shall have what is decided"));
    bench.ok(owns("a", 2, &[0, 1]));
    bench.ok(lives("b", 3));
    let told = bench.events.iter().filter_map(|event| match event {
        GroupEventKind::Assigned { changes, .. } => Some(changes),
        _ => None,
    });
    let of_t4 = |held: &Held| held.iter().flat_map(|(_, partitions)| partitions.clone()).collect::<Vec<i32>>();
    let told: Vec<_> = told
        .flatten()
        .map(|change| (change.member.member_id.as_str(), of_t4(&change.before), of_t4(&change.after)))
        .collect();
    let expected = [("a", vec![], vec![0, 1, 2, 3]), ("a", vec![0, 1, 2, 3], vec![0, 1]), ("b", vec![], vec![2, 3])];
    assert_eq!(told, expected);
}

#[test]
fn who_does_not_give_up_in_time_is_removed() {
    let mut bench = Bench::new();
    bench.ok(join("a", "t4"));
    bench.ok(join("b", "t4"));
    bench.ok(lives("a", 2));
    for _ in 0..9 {
        bench.pass(1_100);
        bench.ok(lives("a", 2));
        bench.ok(lives("b", 3));
    }
    bench.pass(1_100);
    assert_eq!(bench.refused(lives("a", 2)), GroupError::UnknownMemberId);
    assert_eq!(bench.ok(lives("b", 3)), (4, Some(vec![0, 1, 2, 3])));
}

#[test]
fn who_is_not_heard_of_is_removed() {
    let mut bench = Bench::new();
    bench.ok(join("a", "t4"));
    bench.pass(44_000);
    bench.ok(lives("a", 2));
    bench.pass(44_900);
    assert_eq!(bench.described().members.len(), 1);
    bench.pass(200);
    assert_eq!(bench.described().state, GroupState::Empty);
    assert_eq!(bench.refused(lives("a", 2)), GroupError::UnknownMemberId);
}

#[test]
fn epochs_are_checked() {
    let mut bench = Bench::new();
    bench.ok(join("a", "t4"));
    bench.ok(ConsumerHeartbeat { subscribed_topic_names: Some(vec!["t7".into()]), ..owns("a", 2, &[]) });
    let epoch = bench.described().members[0].member_epoch;
    assert_eq!(epoch, 3);
    assert_eq!(bench.refused(lives("a", 4)), GroupError::FencedMemberEpoch);
    assert_eq!(bench.refused(lives("a", 2)), GroupError::FencedMemberEpoch);
    assert_eq!(bench.refused(owns("a", 2, &[3])), GroupError::FencedMemberEpoch);
    assert_eq!(bench.refused(owns("a", 1, &[])), GroupError::FencedMemberEpoch);
    // It missed the last answer, and hears it again.
    assert_eq!(bench.ok(owns("a", 2, &[])), (3, Some((0..7).collect())));
    // After being fenced it joins with its old id.
    assert_eq!(bench.ok(join("a", "t7")), (3, Some((0..7).collect())));
    assert_eq!(bench.refused(lives("nobody", 2)), GroupError::UnknownMemberId);
    assert_eq!(
        bench.refused(ConsumerHeartbeat { group_id: "other".into(), ..lives("a", 2) }),
        GroupError::GroupIdNotFound
    );
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut bench = Bench::new();
    let good = || join("a", "t4");
    for bad in [
        ConsumerHeartbeat { group_id: " ".into(), ..good() },
        ConsumerHeartbeat { member_id: String::new(), ..good() },
        ConsumerHeartbeat { member_epoch: -3, ..good() },
        ConsumerHeartbeat { member_epoch: -2, ..good() },
        ConsumerHeartbeat { rebalance_timeout_ms: None, ..good() },
        ConsumerHeartbeat { owned: None, ..good() },
        ConsumerHeartbeat { owned: Some(Assignment::of([(T4, 0)])), ..good() },
        ConsumerHeartbeat { subscribed_topic_names: None, ..good() },
        ConsumerHeartbeat { group_instance_id: Some(String::new()), ..good() },
        ConsumerHeartbeat { rack_id: Some(String::new()), ..good() },
    ] {
        assert_eq!(bench.refused(bad.clone()), GroupError::InvalidRequest, "{bad:?}");
    }
    let assignor = ConsumerHeartbeat { server_assignor: Some("nope".into()), ..good() };
    assert_eq!(bench.refused(assignor), GroupError::UnsupportedAssignor);
    let regex = ConsumerHeartbeat { subscribed_topic_regex: Some("(".into()), ..good() };
    assert_eq!(bench.refused(regex), GroupError::InvalidRegularExpression);
    assert_eq!(bench.coordinator.group_count(), 0);
    assert!(bench.log.is_empty());
    // Version 0 may leave the id to the broker.
    let nameless = ConsumerHeartbeat { member_id: String::new(), may_lack_member_id: true, ..good() };
    assert_eq!(bench.beat(nameless).unwrap().member_id.len(), 22);
}

#[test]
fn a_static_member_keeps_its_place_while_it_is_away() {
    let mut bench = Bench::new();
    bench.ok(join_static("a1", "a"));
    bench.ok(join("b", "t4"));
    bench.ok(lives("a1", 2));
    bench.ok(owns("a1", 2, &[0, 1]));
    assert_eq!(bench.ok(lives("b", 3)), (3, Some(vec![2, 3])));
    assert_eq!(bench.refused(join_static("a2", "a")), GroupError::UnreleasedInstanceId);
    let away = ConsumerHeartbeat { group_instance_id: Some("a".into()), ..lives("a1", -2) };
    assert_eq!(bench.ok(away), (-2, None));
    assert_eq!(bench.ok(lives("b", 3)), (3, None));
    assert_eq!(bench.ok(join_static("a2", "a")), (3, Some(vec![0, 1])));
    let old = ConsumerHeartbeat { group_instance_id: Some("a".into()), ..lives("a1", 3) };
    assert_eq!(bench.refused(old), GroupError::FencedInstanceId);
    assert_eq!(bench.described().epoch, 3);
    assert!(bench.events.iter().any(|event| matches!(event, GroupEventKind::StaticMemberReplaced { .. })));
}

#[test]
fn a_static_member_that_stays_away_is_removed() {
    let mut bench = Bench::new();
    bench.ok(join_static("a1", "a"));
    bench.ok(join("b", "t4"));
    bench.ok(ConsumerHeartbeat { group_instance_id: Some("a".into()), ..lives("a1", -2) });
    for _ in 0..5 {
        bench.pass(9_500);
        bench.ok(lives("b", 3));
    }
    assert_eq!(bench.described().members.len(), 1);
    assert_eq!(bench.ok(lives("b", 4)), (4, None));
    assert_eq!(bench.described().members[0].assigned, [(T4, "t4".to_owned(), vec![0, 1, 2, 3])]);
}

#[test]
fn who_leaves_makes_room() {
    let mut bench = Bench::new();
    bench.ok(join("a", "t4"));
    bench.ok(join("b", "t4"));
    assert_eq!(bench.ok(lives("a", -1)), (-1, None));
    assert_eq!(bench.described().state, GroupState::Assigning);
    assert_eq!(bench.ok(lives("b", 3)), (4, Some(vec![0, 1, 2, 3])));
    assert_eq!(bench.refused(lives("a", 2)), GroupError::UnknownMemberId);
    assert_eq!(bench.ok(lives("b", -1)), (-1, None));
    assert_eq!(bench.described().state, GroupState::Empty);
    assert!(matches!(
        bench.ask(Request::DeleteGroup(DeleteGroup { group_id: "g".into() })),
        Answer::DeleteGroup(Ok(()))
    ));
    assert_eq!(bench.coordinator.group_count(), 0);
}

#[test]
fn topics_that_come_grow_and_go_are_followed() {
    let mut bench = Bench::new();
    bench.ok(ConsumerHeartbeat { subscribed_topic_names: Some(vec!["new".into()]), ..join("a", "t4") });
    bench.change_topics(&[("t4", T4, 4), ("new", [9; 16], 1)]);
    assert_eq!(bench.ok(lives("a", 2)), (3, Some(vec![0])));
    bench.change_topics(&[("t4", T4, 4), ("new", [9; 16], 2)]);
    assert_eq!(bench.ok(lives("a", 3)), (4, Some(vec![0, 1])));
    bench.change_topics(&[("t4", T4, 5), ("new", [9; 16], 2)]);
    assert_eq!(bench.ok(lives("a", 4)), (4, None));
    bench.change_topics(&[("t4", T4, 5)]);
    assert_eq!(bench.ok(owns("a", 4, &[])), (5, Some(vec![])));
}

#[test]
fn a_regular_expression_means_topics_as_they_come() {
    let mut bench = Bench::new();
    let regex =
        ConsumerHeartbeat { subscribed_topic_names: None, subscribed_topic_regex: Some("t*".into()), ..join("a", "") };
    assert_eq!(bench.ok(regex).1.unwrap().len(), 11);
    bench.change_topics(&[("t4", T4, 4), ("t7", T7, 7), ("t8", [8; 16], 8), ("other", [1; 16], 1)]);
    assert_eq!(bench.ok(lives("a", 2)).1.unwrap().len(), 19);
}

#[test]
fn a_restart_in_the_middle_changes_nothing() {
    let mut bench = Bench::new();
    bench.ok(join("a", "t4"));
    bench.ok(join("b", "t4"));
    assert_eq!(bench.ok(lives("a", 2)), (2, Some(vec![0, 1])));
    bench.restart();
    assert_eq!(bench.ok(lives("b", 3)), (3, None));
    assert_eq!(bench.ok(owns("a", 2, &[0, 1])), (3, None));
    bench.restart();
    assert_eq!(bench.ok(lives("b", 3)), (3, Some(vec![2, 3])));
    bench.restart();
    assert_eq!(bench.described().state, GroupState::Stable);
    // A change of topics while nobody was there is noticed.
    bench.topics = topics(&[("t4", T4, 6)]);
    bench.restart();
    assert_eq!(bench.described().epoch, 4);
}

#[test]
fn commits_need_the_epoch() {
    let mut bench = Bench::new();
    assert_eq!(bench.commit("", -1), Ok(()));
    bench.ok(join("a", "t4"));
    assert_eq!(bench.commit("a", 2), Ok(()));
    assert_eq!(bench.commit("a", 1), Err(GroupError::StaleMemberEpoch));
    assert_eq!(bench.commit("a", 3), Err(GroupError::StaleMemberEpoch));
    assert_eq!(bench.commit("b", 2), Err(GroupError::UnknownMemberId));
    assert_eq!(bench.commit("", -1), Err(GroupError::UnknownMemberId));
    bench.ok(lives("a", -1));
    assert_eq!(bench.commit("", -1), Ok(()));
}

#[test]
fn a_group_is_full_at_its_size() {
    let mut bench = Bench::with(Settings { consumer_max_group_size: 1, ..Settings::default() });
    bench.ok(join("a", "t4"));
    assert_eq!(bench.refused(join("b", "t4")), GroupError::GroupMaxSizeReached);
    bench.ok(join("a", "t4"));
}

#[test]
fn members_say_who_they_are() {
    let mut bench = Bench::new();
    bench.ok(ConsumerHeartbeat {
        rack_id: Some("r1".into()),
        server_assignor: Some("range".into()),
        ..join("a", "t4")
    });
    let described = bench.described();
    assert_eq!(described.assignor, "range");
    let expected = ConsumerMemberMetadata {
        group_instance_id: None,
        rack_id: Some("r1".into()),
        client_id: "app".into(),
        client_host: "/10.0.0.1".into(),
        subscribed_topic_names: vec!["t4".into()],
        subscribed_topic_regex: None,
        rebalance_timeout_ms: 10_000,
        server_assignor: Some("range".into()),
        classic: None,
    };
    assert_eq!(described.members[0].metadata, expected);
}

#[test]
fn each_order_to_give_up_has_its_own_time() {
    let mut bench = Bench::new();
    let owns = |partitions: i32| ConsumerHeartbeat {
        owned: Some((0..partitions).map(|partition| (T7, partition)).collect()),
        ..lives("a", 2)
    };
    bench.ok(join("a", "t7"));
    bench.ok(join("b", "t7"));
    assert_eq!(bench.ok(owns(7)), (2, Some(vec![0, 1, 2, 3])));
    bench.pass(9_000);
    bench.ok(join("c", "t7"));
    assert_eq!(bench.ok(owns(4)), (2, Some(vec![0, 1, 2])), "10 s from now, not 1 s");
    bench.pass(9_500);
    assert_eq!(bench.ok(owns(3)), (4, None));
}

#[test]
fn the_state_follows_a_target_that_moves_nobody() {
    let mut bench = Bench::new();
    bench.ok(join("a", "t4"));
    bench.ok(join("b", "t4"));
    bench.ok(lives("a", 2));
    bench.ok(lives("b", -1));
    bench.ok(lives("a", 2));
    let described = bench.described();
    assert_eq!((described.state, described.epoch, described.target_epoch), (GroupState::Reconciling, 4, 4));
}

#[test]
fn a_member_that_takes_the_place_of_another_leaves_its_own() {
    let mut bench = Bench::new();
    bench.ok(join_static("a1", "a"));
    bench.ok(join("b", "t4"));
    bench.ok(lives("a1", 2));
    bench.ok(owns("a1", 2, &[0, 1]));
    bench.ok(lives("b", 3));
    bench.ok(ConsumerHeartbeat { group_instance_id: Some("a".into()), ..lives("a1", -2) });
    let (epoch, told) = bench.ok(join_static("b", "a"));
    assert_eq!((epoch, told), (4, Some(vec![0, 1, 2, 3])), "alone now");
    assert_eq!(bench.described().members.len(), 1);
}

#[test]
fn a_member_may_speak_for_another_instance() {
    let mut bench = Bench::new();
    bench.ok(join_static("a1", "i"));
    bench.ok(join_static("a1", "j"));
    bench.ok(ConsumerHeartbeat { group_instance_id: Some("j".into()), ..lives("a1", 2) });
    bench.ok(lives("a1", -1));
    bench.ok(join_static("a2", "i"));
    bench.ok(join_static("a3", "j"));
}

fn classic_join(member_id: &str) -> Request {
    Request::JoinGroup(JoinGroup {
        group_id: "g".into(),
        member_id: member_id.into(),
        group_instance_id: None,
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![Protocol { name: "range".into(), metadata: vec![] }],
        reason: None,
        require_known_member_id: true,
        supports_skip_assignment: true,
        random: [1, 2],
    })
}

fn join_error(answer: Answer) -> Option<GroupError> {
    match answer {
        Answer::JoinGroup(answer) => answer.error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_classic_member_to_be_keeps_nobody_out() {
    let mut bench = Bench::new();
    assert_eq!(join_error(bench.ask(classic_join(""))), Some(GroupError::MemberIdRequired));
    bench.ok(join("a", "t4"));
    assert_eq!(join_error(bench.ask(classic_join(""))), Some(GroupError::InconsistentGroupProtocol));
}

#[test]
fn only_somebody_who_can_join_turns_a_group_to_the_classic_protocol() {
    let mut bench = Bench::new();
    bench.ok(join("a", "t4"));
    bench.ok(lives("a", -1));
    assert_eq!(join_error(bench.ask(classic_join("nobody"))), Some(GroupError::UnknownMemberId));
    assert_eq!(bench.described().state, GroupState::Empty);
    assert_eq!(join_error(bench.ask(classic_join(""))), Some(GroupError::MemberIdRequired));
    assert_eq!(bench.refused(lives("a", 2)), GroupError::GroupIdNotFound);
}

#[test]
fn who_waits_for_partitions_asks_soon_and_the_less_often_the_more_members_there_are() {
    let mut bench = Bench::new();
    assert_eq!(bench.beat(join("a", "t4")).unwrap().heartbeat_interval_ms, 5_000);
    assert_eq!(bench.beat(join("b", "t4")).unwrap().heartbeat_interval_ms, 500);
    assert_eq!(bench.beat(lives("a", 2)).unwrap().heartbeat_interval_ms, 5_000, "it has nothing to wait for");
    assert_eq!(bench.beat(owns("a", 2, &[0, 1])).unwrap().heartbeat_interval_ms, 5_000);
    assert_eq!(bench.beat(lives("b", 3)).unwrap().heartbeat_interval_ms, 5_000, "it has got them");
    for number in 3..600 {
        bench.send(Request::ConsumerHeartbeat(join(&format!("m{number}"), "t7")));
    }
    // Nobody has given up anything for it.
    assert_eq!(bench.beat(join("waits", "t4")).unwrap().heartbeat_interval_ms, 600);
}

#[test]
fn where_a_lost_connection_ends_a_membership_everybody_asks_twice_in_that_time() {
    let with = |grace_ms| Bench::with(Settings { lost_connection_grace_ms: Some(grace_ms), ..Settings::default() });
    let interval_ms = |grace_ms| with(grace_ms).beat(join("a", "t4")).unwrap().heartbeat_interval_ms;
    assert_eq!(interval_ms(800), 400);
    assert_eq!(interval_ms(10), 100);
    assert_eq!(interval_ms(60_000), 5_000);
}

#[test]
fn nobody_asks_later_than_somebodys_session_ends() {
    let mut bench = Bench::new();
    bench.beat(join("a", "t4")).unwrap();
    bench.pass(2_000);
    bench.beat(join("dies", "t4")).unwrap();
    bench.beat(owns("a", 2, &[0, 1])).unwrap();
    bench.beat(lives("dies", 3)).unwrap();
    for _ in 0..7 {
        bench.pass(5_000);
        assert_eq!(bench.beat(lives("a", 3)).unwrap().heartbeat_interval_ms, 5_000);
    }
    bench.pass(8_500);
    assert_eq!(bench.beat(lives("a", 3)).unwrap().heartbeat_interval_ms, 1_501, "then the other's session is over");
    bench.pass(1_501);
    assert_eq!(bench.ok(lives("a", 3)), (4, Some(vec![0, 1, 2, 3])));
    assert_eq!(bench.beat(lives("a", 4)).unwrap().heartbeat_interval_ms, 5_000);
}
