//! What a group of the consumer protocol is not disturbed by: topics that nobody reads, a restart, a member that changes over to
//! the protocol, another default assignor, and members that ask as they are told.
use ottla_groups::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const T4: TopicId = [4; 16];
const T3: TopicId = [3; 16];

struct Bench {
    coordinator: Coordinator,
    log: Vec<Record>,
    events: Vec<GroupEventKind>,
    answers: BTreeMap<Ticket, Answer>,
    now: Now,
    tickets: u64,
    settings: Settings,
    topics: Arc<Topics>,
}

fn topics(shapes: &[(&str, TopicId, i32)]) -> Arc<Topics> {
    let shape =
        |&(name, topic_id, partitions): &(&str, TopicId, i32)| (name.to_owned(), TopicShape { topic_id, partitions });
    Arc::new(Topics::new(shapes.iter().map(shape), |_, _| Err("no expressions here".into())))
}

impl Bench {
    fn new(shapes: &[(&str, TopicId, i32)]) -> Self {
        let now = Now { monotonic_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let settings = Settings::default();
        let mut bench = Bench {
            coordinator: Coordinator::new(settings.clone()),
            log: Vec::new(),
            events: Vec::new(),
            answers: BTreeMap::new(),
            now,
            tickets: 0,
            settings,
            topics: topics(shapes),
        };
        bench.start();
        bench
    }

    /// The process starts, with its log.
    fn start(&mut self) {
        self.coordinator = Coordinator::new(self.settings.clone());
        self.log.iter().for_each(|record| self.coordinator.replay(record));
        self.coordinator.handle(self.now, Event::TopicsChanged(self.topics.clone()));
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
        ticket
    }

    fn ask(&mut self, request: Request) -> Answer {
        let ticket = self.send(request);
        self.answers.remove(&ticket).expect("it is answered at once")
    }

    fn joined(&mut self, ticket: Ticket) -> JoinGroupAnswer {
        match self.answers.remove(&ticket) {
            Some(Answer::JoinGroup(joined)) => joined,
            other => panic!("{other:?}"),
        }
    }

    fn beat(&mut self, heartbeat: ConsumerHeartbeat) -> ConsumerHeartbeatAnswer {
        match self.ask(Request::ConsumerHeartbeat(heartbeat)) {
            Answer::ConsumerHeartbeat(answer) => answer.expect("it is accepted"),
            other => panic!("{other:?}"),
        }
    }

    fn pass_to(&mut self, until: u64) {
        while let Some(next) = self.coordinator.next_deadline().filter(|next| *next <= until) {
            self.now.wall_ms += next.saturating_sub(self.now.monotonic_ms) as i64;
            self.now.monotonic_ms = next.max(self.now.monotonic_ms);
            let actions = self.coordinator.handle(self.now, Event::Tick);
            self.act(actions);
        }
        self.now.wall_ms += until.saturating_sub(self.now.monotonic_ms) as i64;
        self.now.monotonic_ms = until.max(self.now.monotonic_ms);
    }

    fn epoch(&self) -> i32 {
        self.coordinator.state("g").expect("there is a group").1
    }

    fn causes(&self) -> Vec<String> {
        let cause = |event: &GroupEventKind| match event {
            GroupEventKind::StateChanged { cause, .. } => Some(cause.clone()),
            _ => None,
        };
        self.events.iter().filter_map(cause).collect()
    }

    /// Static members of the classic protocol, `i` and perhaps `j`, who have these.
    fn with_static_classic(mut self, given: &[&[(&str, &[i32])]]) -> Self {
        let join = |instance: &str, random| JoinGroup { group_instance_id: Some(instance.into()), ..classic(random) };
        let mut members: Vec<Ticket> = Vec::new();
        for (instance, random) in ["i", "j"].iter().zip(0..).take(given.len()) {
            members.push(self.send(Request::JoinGroup(join(instance, random))));
        }
        if given.len() == 2 {
            // The first one joins again, and so all have.
            let member_id = self.joined(members[0]).member_id;
            members[0] = self.send(Request::JoinGroup(JoinGroup { member_id, ..join("i", 9) }));
        }
        self.pass_to(self.now.monotonic_ms + 200);
        let joined: Vec<_> = members.into_iter().map(|ticket| self.joined(ticket)).collect();
        let assignment = |(joined, given): (&JoinGroupAnswer, &&[(&str, &[i32])])| MemberAssignment {
            member_id: joined.member_id.clone(),
            assignment: [b"\0\x01", &named(given)[..], b"\xff\xff\xff\xff"].concat(),
        };
        let all: Vec<_> = joined.iter().zip(given).map(assignment).collect();
        for member in &joined {
            let request = SyncGroup {
                group_id: "g".into(),
                generation_id: member.generation_id,
                member_id: member.member_id.clone(),
                group_instance_id: None,
                protocol_type: None,
                protocol_name: None,
                assignments: if member.leader == member.member_id { all.clone() } else { Vec::new() },
            };
            let answer = self.ask(Request::SyncGroup(request));
            assert!(matches!(answer, Answer::SyncGroup(Ok(_))), "{answer:?}");
        }
        self
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

/// Reads t3 and t4.
fn classic(random: u64) -> JoinGroup {
    JoinGroup {
        group_id: "g".into(),
        member_id: String::new(),
        group_instance_id: None,
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 20_000,
        protocol_type: "consumer".into(),
        protocols: vec![Protocol {
            name: "range".into(),
            metadata: b"\0\x01\0\0\0\x02\0\x02t3\0\x02t4\xff\xff\xff\xff\0\0\0\0".to_vec(),
        }],
        reason: None,
        require_known_member_id: true,
        supports_skip_assignment: true,
        random: [1, random],
    }
}

fn consumer(member_id: &str) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        group_id: "g".into(),
        member_id: member_id.into(),
        rebalance_timeout_ms: Some(10_000),
        subscribed_topic_names: Some(vec!["t3".into(), "t4".into()]),
        owned: Some(Assignment::none()),
        ..Default::default()
    }
}

fn alive(member_id: &str, member_epoch: i32) -> ConsumerHeartbeat {
    ConsumerHeartbeat { group_id: "g".into(), member_id: member_id.into(), member_epoch, ..Default::default() }
}

const BOTH: &[(&str, TopicId, i32)] = &[("t3", T3, 3), ("t4", T4, 3)];

#[test]
fn a_topic_that_nobody_reads_is_no_change_after_a_static_member_changed_over() {
    let mut bench = Bench::new(BOTH).with_static_classic(&[&[("t3", &[0, 1, 2]), ("t4", &[0, 1, 2])]]);
    let taking = ConsumerHeartbeat { group_instance_id: Some("i".into()), ..consumer("a") };
    assert_eq!(bench.beat(taking).assignment.unwrap().len(), 6);
    let epoch = bench.epoch();
    bench.topics = topics(&[BOTH, &[("unrelated", [9; 16], 1)]].concat());
    let actions = bench.coordinator.handle(bench.now, Event::TopicsChanged(bench.topics.clone()));
    bench.act(actions);
    assert_eq!(bench.epoch(), epoch, "{:?}", bench.causes().last());
}

#[test]
fn nor_is_a_restart_a_change_of_topics() {
    let mut bench = Bench::new(BOTH).with_static_classic(&[&[("t3", &[0, 1, 2]), ("t4", &[0, 1, 2])]]);
    let taking = ConsumerHeartbeat { group_instance_id: Some("i".into()), ..consumer("a") };
    bench.beat(taking);
    let epoch = bench.epoch();
    bench.start();
    assert_eq!(bench.epoch(), epoch, "{:?}", bench.causes().last());
}

#[test]
fn a_static_member_that_changes_over_moves_nothing_where_everything_has_an_owner() {
    // As the range assignor of Java clients gives three partitions each of two topics to two members.
    let mut bench =
        Bench::new(BOTH).with_static_classic(&[&[("t3", &[0, 1]), ("t4", &[0, 1])], &[("t3", &[2]), ("t4", &[2])]]);
    let before = bench.epoch();
    let taking = ConsumerHeartbeat { group_instance_id: Some("i".into()), ..consumer("a") };
    let answer = bench.beat(taking);
    assert_eq!((answer.assignment.unwrap().len(), bench.epoch()), (4, before), "{:?}", bench.causes().last());
}

#[test]
fn another_default_assignor_is_not_a_log_that_ends_in_the_middle() {
    let mut bench = Bench::new(BOTH);
    bench.beat(consumer("a"));
    bench.beat(consumer("b"));
    bench.settings.consumer_assignors = vec![Assignor::Range, Assignor::Uniform];
    bench.start();
    let told = bench.causes();
    assert!(!told.iter().any(|cause| cause.contains("in the middle of a change")), "{told:?}");
}

/// Members that ask as they are told, and began one after the other. Answers how many asked at most in one millisecond, once
/// all have what they shall have.
fn most_at_once(bench: &mut Bench, groups: u64, members: u64, restart_at_ms: u64) -> usize {
    let mut due: BTreeMap<(u64, u64), (i32, Assignment)> = BTreeMap::new();
    let apart_ms = 5_000 / (groups * members);
    for client in 0..groups * members {
        due.insert((bench.now.monotonic_ms + client * apart_ms, client), (0, Assignment::none()));
    }
    let mut asked: BTreeMap<u64, usize> = BTreeMap::new();
    let mut is_restarted = false;
    while let Some(((at, client), (epoch, owned))) = due.pop_first() {
        if at > 200_000 {
            break;
        }
        bench.pass_to(at);
        if at > restart_at_ms && !is_restarted {
            is_restarted = true;
            bench.start();
        }
        let (group_id, member_id) = (format!("g{}", client % groups), format!("m{client:05}"));
        let beat = match epoch {
            0 => consumer(&member_id),
            epoch => ConsumerHeartbeat { owned: Some(owned.clone()), ..alive(&member_id, epoch) },
        };
        let answer = bench.beat(ConsumerHeartbeat { group_id, ..beat });
        // Who was told of something says at once that it has it.
        let next = if answer.assignment.is_some() { 5 } else { answer.heartbeat_interval_ms as u64 };
        due.insert((at + next, client), (answer.member_epoch, answer.assignment.unwrap_or(owned)));
        if at > 100_000 {
            *asked.entry(at).or_default() += 1;
        }
    }
    asked.into_values().max().unwrap_or(0)
}

#[test]
fn members_do_not_all_ask_in_the_same_millisecond() {
    let mut bench = Bench::new(&[("t3", T3, 100), ("t4", T4, 100)]);
    let most = most_at_once(&mut bench, 1, 100, u64::MAX);
    assert!(most <= 10, "{most} of 100 members of one group in one millisecond");
}

#[test]
fn nor_do_all_groups_after_a_restart() {
    let mut bench = Bench::new(&[("t3", T3, 10), ("t4", T4, 10)]);
    let most = most_at_once(&mut bench, 50, 10, 30_000);
    assert!(most <= 50, "{most} of 500 members of 50 groups in one millisecond");
}

/// A group's own consumer.heartbeat.interval.ms, kept from before the broker's session timeout was lowered.
#[test]
fn who_asks_as_it_is_told_is_not_removed() {
    let mut bench = Bench::new(BOTH);
    let own = GroupConfig {
        consumer_session_timeout_ms: 10_000,
        consumer_heartbeat_interval_ms: 15_000,
        lost_connection_grace_ms: None,
    };
    let configs = Arc::new(GroupConfigs::new([("g".to_owned(), own)]));
    bench.coordinator.handle(bench.now, Event::GroupConfigsChanged(configs));
    let answer = bench.beat(consumer("a"));
    bench.pass_to(bench.now.monotonic_ms + answer.heartbeat_interval_ms as u64);
    let told = answer.heartbeat_interval_ms;
    assert!(!bench.events.iter().any(|event| matches!(event, GroupEventKind::MemberRemoved { .. })), "told {told} ms");
}

/// Who fetches is told by client id and address: those of the process that is there now.
#[test]
fn a_static_member_is_known_by_its_newest_process() {
    let mut bench = Bench::new(BOTH).with_static_classic(&[&[("t3", &[0, 1, 2]), ("t4", &[0, 1, 2])]]);
    let client = ClientInfo { client_id: "newer".into(), host: "/10.0.0.9".into(), software: None, connection: None };
    let request = Request::JoinGroup(JoinGroup { group_instance_id: Some("i".into()), ..classic(5) });
    let actions = bench.coordinator.handle(bench.now, Event::Request { ticket: Ticket(100), client, request });
    bench.act(actions);
    let explained = |bench: &mut Bench| match bench.ask(Request::ExplainGroups(ExplainGroups { group_id: "g".into() }))
    {
        Answer::ExplainGroups(Ok(groups)) => {
            let who = &groups[0].members[0].who;
            (who.client_id.clone(), who.host.clone())
        }
        other => panic!("{other:?}"),
    };
    let newer = ("newer".to_owned(), "/10.0.0.9".to_owned());
    assert_eq!(explained(&mut bench), newer);
    bench.start();
    assert_eq!(explained(&mut bench), newer);
}
