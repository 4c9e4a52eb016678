//! Configs of single groups, and what a lost connection does to groups that look at it, through the coordinator alone.
use ottla_groups::*;
use std::sync::Arc;

const T4: TopicId = [4; 16];
const GRACE_MS: u64 = 2_000;

/// A coordinator, its log, and a clock.
struct Bench {
    coordinator: Coordinator,
    log: Vec<Record>,
    removed: Vec<(String, String)>,
    now: Now,
    tickets: u64,
}

fn configs(groups: &[(&str, GroupConfig)]) -> Arc<GroupConfigs> {
    Arc::new(GroupConfigs::new(groups.iter().map(|(group_id, config)| ((*group_id).to_owned(), *config))))
}

const OWN: GroupConfig = GroupConfig {
    consumer_session_timeout_ms: 50_000,
    consumer_heartbeat_interval_ms: 7_000,
    lost_connection_grace_ms: None,
};
const WITH_GRACE: GroupConfig = GroupConfig {
    consumer_session_timeout_ms: 45_000,
    consumer_heartbeat_interval_ms: 5_000,
    lost_connection_grace_ms: Some(GRACE_MS),
};

impl Bench {
    fn with(groups: &[(&str, GroupConfig)]) -> Self {
        let now = Now { monotonic_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let coordinator = Coordinator::new(Settings::default());
        let mut bench = Bench { coordinator, log: Vec::new(), removed: Vec::new(), now, tickets: 0 };
        bench.load(groups);
        bench
    }

    fn load(&mut self, groups: &[(&str, GroupConfig)]) {
        let shape = TopicShape { topic_id: T4, partitions: 4 };
        let topics = Topics::new([("t4".to_owned(), shape)], |_, _| Ok(Vec::new()));
        self.coordinator.handle(self.now, Event::TopicsChanged(Arc::new(topics)));
        self.configure(groups);
        let actions = self.coordinator.loaded(self.now);
        self.act(actions);
    }

    /// The process ends and starts again.
    fn restart(&mut self, groups: &[(&str, GroupConfig)]) {
        self.coordinator = Coordinator::new(Settings::default());
        self.log.iter().for_each(|record| self.coordinator.replay(record));
        self.load(groups);
    }

    fn act(&mut self, actions: Vec<Action>) -> Option<Answer> {
        let mut answer = None;
        for action in actions {
            match action {
                Action::Append(record) => self.log.push(record),
                Action::AppendInTransaction(..) => unreachable!("nobody commits in a transaction"),
                Action::Reply(_, given) => answer = Some(given),
                Action::Event(GroupEvent { kind: GroupEventKind::MemberRemoved { member, cause, .. }, .. }) => {
                    self.removed.push((member.member_id, cause));
                }
                Action::Event(_) => {}
            }
        }
        answer
    }

    fn configure(&mut self, groups: &[(&str, GroupConfig)]) {
        let actions = self.coordinator.handle(self.now, Event::GroupConfigsChanged(configs(groups)));
        self.act(actions);
    }

    fn ask(&mut self, connection: u64, request: Request) -> Option<Answer> {
        self.tickets += 1;
        let client = ClientInfo { client_id: "app".into(), connection: Some(connection), ..Default::default() };
        let event = Event::Request { ticket: Ticket(self.tickets), client, request };
        let actions = self.coordinator.handle(self.now, event);
        self.act(actions)
    }

    fn lose(&mut self, connection: u64) {
        let actions = self.coordinator.handle(self.now, Event::ConnectionLost { connection });
        self.act(actions);
    }

    /// Lets time pass, with every tick at its time.
    fn pass(&mut self, ms: u64) {
        let until = self.now.monotonic_ms + ms;
        while let Some(due) = self.coordinator.next_deadline().filter(|due| *due <= until) {
            self.jump(due.max(self.now.monotonic_ms));
        }
        self.now.wall_ms += (until - self.now.monotonic_ms) as i64;
        self.now.monotonic_ms = until;
    }

    /// Nobody is called until then, and then comes a tick.
    fn jump(&mut self, at_ms: u64) {
        self.now.wall_ms += (at_ms - self.now.monotonic_ms) as i64;
        self.now.monotonic_ms = at_ms;
        let actions = self.coordinator.handle(self.now, Event::Tick);
        self.act(actions);
    }

    fn consumer(&mut self, connection: u64, group: &str, member: &str, epoch: i32) -> ConsumerHeartbeatAnswer {
        let heartbeat = ConsumerHeartbeat {
            group_id: group.into(),
            member_id: member.into(),
            member_epoch: epoch,
            group_instance_id: member.starts_with("static").then(|| member.into()),
            rebalance_timeout_ms: Some(10_000),
            subscribed_topic_names: Some(vec!["t4".into()]),
            owned: (epoch == 0).then(Assignment::none),
            ..Default::default()
        };
        match self.ask(connection, Request::ConsumerHeartbeat(heartbeat)) {
            Some(Answer::ConsumerHeartbeat(answer)) => answer.expect("it is accepted"),
            other => panic!("{other:?}"),
        }
    }

    /// Joins a group of the classic protocol; answers the member id, and none while the join is parked.
    fn join(&mut self, connection: u64, member: &str, instance: Option<&str>) -> Option<JoinGroupAnswer> {
        let protocol = Protocol { name: "range".into(), metadata: Vec::new() };
        let join = JoinGroup {
            group_id: "g".into(),
            member_id: member.into(),
            group_instance_id: instance.map(Into::into),
            session_timeout_ms: 45_000,
            rebalance_timeout_ms: 45_000,
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            reason: None,
            require_known_member_id: true,
            supports_skip_assignment: false,
            random: [connection, 7],
        };
        match self.ask(connection, Request::JoinGroup(join)) {
            Some(Answer::JoinGroup(joined)) => Some(joined),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    /// The only member of a stable group of the classic protocol; answers its id.
    fn settle(&mut self, connection: u64, instance: Option<&str>) -> String {
        let mut joined = self.join(connection, "", instance).expect("an answer");
        if joined.error == Some(GroupError::MemberIdRequired) {
            joined = self.join(connection, &joined.member_id, None).expect("an answer");
        }
        assert_eq!(joined.error, None);
        let sync = SyncGroup {
            group_id: "g".into(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: instance.map(Into::into),
            protocol_type: None,
            protocol_name: None,
            assignments: Vec::new(),
        };
        let answer = self.ask(connection, Request::SyncGroup(sync));
        assert!(matches!(answer, Some(Answer::SyncGroup(Ok(_)))), "{answer:?}");
        joined.member_id
    }

    fn heartbeat(&mut self, connection: u64, member: &str) {
        let (group_id, member_id) = ("g".into(), member.into());
        let request = Heartbeat { group_id, generation_id: 1, member_id, group_instance_id: None };
        let answer = self.ask(connection, Request::Heartbeat(request));
        assert_eq!(answer, Some(Answer::Heartbeat(Ok(()))));
    }

    fn lost_waits(&self) -> Vec<(String, u64, WaitOutcome)> {
        let waits = self.coordinator.waits(self.now, "g").into_iter();
        let lost = waits.filter(|wait| wait.name == WaitName::LostConnection);
        let told = lost.map(|wait| {
            let left_ms = wait.deadline_ms - self.now.monotonic_ms;
            assert_eq!(wait.until_ms - self.now.wall_ms, left_ms as i64);
            (wait.culprit.expect("somebody").member_id, left_ms, wait.then)
        });
        told.collect()
    }

    #[track_caller]
    fn only_removed(&mut self, member: &str) {
        let removed = core::mem::take(&mut self.removed);
        let [(member_id, cause)] = &removed[..] else { panic!("{removed:?}") };
        assert_eq!((member_id.as_str(), cause.contains("connection was lost")), (member, true), "{cause}");
    }
}

#[test]
fn a_group_has_timeouts_of_its_own_at_once() {
    let mut bench = Bench::with(&[]);
    assert_eq!(bench.consumer(1, "g", "a", 0).heartbeat_interval_ms, 5_000);
    bench.configure(&[("g", OWN)]);
    // The session that runs is as it was; the next heartbeat begins one of the new length.
    assert_eq!(bench.consumer(1, "g", "a", 2).heartbeat_interval_ms, 7_000);
    bench.pass(49_999);
    assert_eq!(bench.removed, []);
    bench.pass(1);
    assert_eq!(bench.removed.len(), 1);
    // A group that is not there yet.
    assert_eq!(bench.consumer(1, "other", "a", 0).heartbeat_interval_ms, 5_000);
    bench.configure(&[("new", OWN)]);
    assert_eq!(bench.consumer(1, "new", "a", 0).heartbeat_interval_ms, 7_000);
    assert_eq!(bench.consumer(1, "g", "a", 0).heartbeat_interval_ms, 5_000);
}

#[test]
fn a_loaded_group_has_sessions_of_its_own_length() {
    let mut bench = Bench::with(&[]);
    bench.consumer(1, "g", "a", 0);
    bench.restart(&[("g", OWN)]);
    bench.pass(49_999);
    assert_eq!(bench.removed, []);
    bench.pass(1);
    assert_eq!(bench.removed.len(), 1);
}

#[test]
fn without_the_config_nobody_looks_at_connections() {
    let mut bench = Bench::with(&[("other", WITH_GRACE), ("g", OWN)]);
    bench.consumer(1, "g", "a", 0);
    assert!(bench.coordinator.looks_at_connections());
    bench.lose(1);
    bench.pass(GRACE_MS + 1);
    assert_eq!((bench.removed.len(), bench.lost_waits()), (0, vec![]));
    bench.configure(&[("g", OWN)]);
    assert!(!bench.coordinator.looks_at_connections());
}

#[test]
fn who_loses_its_connection_makes_room_after_the_grace() {
    let mut bench = Bench::with(&[("g", WITH_GRACE)]);
    bench.consumer(1, "g", "a", 0);
    bench.consumer(2, "g", "b", 0);
    bench.lose(1);
    assert_eq!(bench.lost_waits(), [("a".to_owned(), GRACE_MS, WaitOutcome::MemberRemoved)]);
    bench.pass(GRACE_MS - 1);
    assert_eq!(bench.removed, []);
    bench.pass(1);
    bench.only_removed("a");
    assert_eq!(bench.lost_waits(), []);
    let given = bench.consumer(2, "g", "b", 3).assignment.expect("it is told");
    assert_eq!(given.iter().count(), 4);
}

#[test]
fn a_classic_member_makes_room_as_well() {
    let mut bench = Bench::with(&[("g", WITH_GRACE)]);
    let member = bench.settle(1, None);
    bench.lose(1);
    assert_eq!(bench.lost_waits(), [(member.clone(), GRACE_MS, WaitOutcome::MemberRemoved)]);
    bench.pass(GRACE_MS);
    bench.only_removed(&member);
    assert_eq!(bench.coordinator.state("g").map(|(state, _)| state), Some(GroupState::Empty));
}

#[test]
fn who_is_heard_of_again_in_time_stays() {
    let mut bench = Bench::with(&[("g", WITH_GRACE)]);
    let member = bench.settle(1, None);
    bench.lose(1);
    bench.pass(GRACE_MS - 1);
    bench.heartbeat(2, &member);
    assert_eq!(bench.lost_waits(), []);
    bench.pass(2 * GRACE_MS);
    assert_eq!(bench.removed, []);
    // It speaks over another connection before the old one is known to be lost.
    bench.heartbeat(3, &member);
    bench.lose(2);
    bench.pass(2 * GRACE_MS);
    assert_eq!(bench.removed, []);
    bench.lose(3);
    bench.pass(GRACE_MS);
    bench.only_removed(&member);
}

#[test]
fn even_a_request_that_is_refused_shows_that_a_member_is_there() {
    let mut bench = Bench::with(&[("g", WITH_GRACE)]);
    let member = bench.settle(1, None);
    bench.lose(1);
    let request = Heartbeat { group_id: "g".into(), generation_id: 9, member_id: member, group_instance_id: None };
    let answer = bench.ask(2, Request::Heartbeat(request));
    assert_eq!(answer, Some(Answer::Heartbeat(Err(GroupError::IllegalGeneration))));
    bench.pass(2 * GRACE_MS);
    assert_eq!(bench.removed, []);
}

#[test]
fn static_members_have_their_session() {
    let mut bench = Bench::with(&[("g", WITH_GRACE), ("g2", WITH_GRACE)]);
    bench.settle(1, Some("i"));
    bench.consumer(1, "g2", "static", 0);
    bench.lose(1);
    assert_eq!(bench.lost_waits(), []);
    bench.pass(44_999);
    assert_eq!(bench.removed, []);
    bench.pass(1);
    assert_eq!(bench.removed.len(), 2);
}

#[test]
fn one_connection_may_be_that_of_several_members() {
    let mut bench = Bench::with(&[("g", WITH_GRACE)]);
    for (connection, member) in [(1, "a"), (1, "b"), (2, "c")] {
        bench.consumer(connection, "g", member, 0);
    }
    bench.consumer(1, "other", "a", 0);
    bench.lose(1);
    bench.pass(GRACE_MS);
    let removed: Vec<&str> = bench.removed.iter().map(|(member_id, _)| member_id.as_str()).collect();
    assert_eq!(removed, ["a", "b"]);
}

#[test]
fn a_member_id_that_was_only_given_is_forgotten_after_the_grace() {
    let mut bench = Bench::with(&[("g", WITH_GRACE)]);
    let given = bench.join(1, "", None).expect("an answer").member_id;
    bench.lose(1);
    assert_eq!(bench.lost_waits(), [(given.clone(), GRACE_MS, WaitOutcome::MemberIdForgotten)]);
    bench.pass(GRACE_MS);
    assert_eq!(bench.join(2, &given, None).expect("an answer").error, Some(GroupError::UnknownMemberId));
}

#[test]
fn a_broker_that_stood_still_gives_the_time_back() {
    let mut bench = Bench::with(&[("g", WITH_GRACE)]);
    bench.consumer(1, "g", "a", 0);
    bench.lose(1);
    bench.jump(bench.now.monotonic_ms + 30_000);
    assert_eq!(bench.removed, []);
    assert!(!bench.lost_waits().is_empty());
    bench.pass(GRACE_MS);
    bench.only_removed("a");
}

#[test]
fn who_turns_it_off_keeps_those_who_are_away() {
    let mut bench = Bench::with(&[("g", WITH_GRACE)]);
    bench.consumer(1, "g", "a", 0);
    bench.lose(1);
    bench.configure(&[]);
    bench.pass(2 * GRACE_MS);
    assert_eq!((bench.removed.len(), bench.lost_waits()), (0, vec![]));
}
