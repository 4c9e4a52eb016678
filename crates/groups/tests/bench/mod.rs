//! A coordinator with its log and a clock, and members of the classic protocol that speak to it.
use ottla_groups::records::FormerOffset;
use ottla_groups::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const ORDERS: TopicId = [1; 16];

pub(crate) struct Bench {
    coordinator: Coordinator,
    log: Vec<Record>,
    answers: BTreeMap<Ticket, Answer>,
    pub(crate) events: Vec<GroupEventKind>,
    pub(crate) now: Now,
    tickets: u64,
    topics: Arc<Topics>,
}

/// A member, or who wants to be one.
pub(crate) struct Client {
    client_id: String,
    pub(crate) member_id: String,
    generation_id: i32,
}

/// What a leader gives, in the format that consumers use.
pub(crate) fn assignment(topic: &str, partitions: &[i32]) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0, 0, 1];
    bytes.extend((topic.len() as i16).to_be_bytes());
    bytes.extend(topic.as_bytes());
    bytes.extend((partitions.len() as i32).to_be_bytes());
    partitions.iter().for_each(|partition| bytes.extend(partition.to_be_bytes()));
    bytes.extend((-1i32).to_be_bytes());
    bytes
}

/// What the shell would know of a partition of `orders`.
pub(crate) fn partition_facts(partition: i32, log_start: i64, end: i64) -> ((String, i32), PartitionFacts) {
    (("orders".into(), partition), PartitionFacts { log_start, end, ..PartitionFacts::default() })
}

impl Bench {
    pub(crate) fn new() -> Self {
        let now = Now { monotonic_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let shape = TopicShape { topic_id: ORDERS, partitions: 3 };
        let topics = Arc::new(Topics::new([("orders".into(), shape)], |_, _| Ok(Vec::new())));
        let mut bench = Bench {
            coordinator: Coordinator::new(Settings::default()),
            log: Vec::new(),
            answers: BTreeMap::new(),
            events: Vec::new(),
            now,
            tickets: 0,
            topics,
        };
        bench.load();
        bench
    }

    fn load(&mut self) {
        self.coordinator.handle(self.now, Event::TopicsChanged(self.topics.clone()));
        let actions = self.coordinator.loaded(self.now);
        self.act(actions);
    }

    /// The process ends and starts again.
    pub(crate) fn restart(&mut self) {
        self.coordinator = Coordinator::new(Settings::default());
        self.log.iter().for_each(|record| self.coordinator.replay(record));
        self.load();
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

    fn send(&mut self, client_id: &str, request: Request) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let client =
            ClientInfo { client_id: client_id.into(), host: "/127.0.0.1".into(), software: None, connection: None };
        let actions = self.coordinator.handle(self.now, Event::Request { ticket, client, request });
        self.act(actions);
        self.check_replay();
        ticket
    }

    fn ask(&mut self, client_id: &str, request: Request) -> Answer {
        let ticket = self.send(client_id, request);
        self.answers.remove(&ticket).expect("it is answered at once")
    }

    fn check_replay(&self) {
        let mut replayed = Coordinator::new(Settings::default());
        self.log.iter().for_each(|record| replayed.replay(record));
        let (live, again) = (self.coordinator.durable_groups(), replayed.durable_groups());
        assert_eq!(live.collect::<Vec<_>>(), again.collect::<Vec<_>>());
    }

    /// Time passes, and timers fire.
    pub(crate) fn advance(&mut self, ms: u64) {
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

    pub(crate) fn client(&self, client_id: &str) -> Client {
        Client { client_id: client_id.into(), member_id: String::new(), generation_id: -1 }
    }

    fn join(&mut self, client: &Client, reason: Option<&str>) -> Ticket {
        self.tickets += 1;
        let request = JoinGroup {
            group_id: "g".into(),
            member_id: client.member_id.clone(),
            group_instance_id: None,
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
            protocol_type: "consumer".into(),
            protocols: vec![Protocol { name: "range".into(), metadata: Vec::new() }],
            reason: reason.map(String::from),
            require_known_member_id: false,
            supports_skip_assignment: false,
            random: [self.tickets, self.tickets],
        };
        self.send(&client.client_id, Request::JoinGroup(request))
    }

    /// All of them join, and the rebalance ends.
    pub(crate) fn join_all(&mut self, clients: &mut [&mut Client]) {
        let first = self.join(clients[0], None);
        self.learn(clients[0], first);
        let mut tickets: Vec<_> = clients[1..].iter().map(|client| self.join(client, None)).collect();
        tickets.insert(0, self.join(clients[0], None));
        // More members are waited for a moment.
        self.advance(100);
        clients.iter_mut().zip(tickets).for_each(|(client, ticket)| self.learn(client, ticket));
    }

    /// A member joins again; who is answered at once learns its generation.
    pub(crate) fn rejoin(&mut self, client: &mut Client, reason: Option<&str>) {
        let ticket = self.join(client, reason);
        self.learn(client, ticket);
    }

    fn learn(&mut self, client: &mut Client, ticket: Ticket) {
        if let Some(Answer::JoinGroup(joined)) = self.answers.remove(&ticket) {
            assert_eq!(joined.error, None);
            (client.member_id, client.generation_id) = (joined.member_id, joined.generation_id);
        }
    }

    /// The first of them leads and assigns.
    pub(crate) fn sync_all(&mut self, given: &[(&Client, Vec<u8>)]) {
        let assignment = |(client, assignment): &(&Client, Vec<u8>)| MemberAssignment {
            member_id: client.member_id.clone(),
            assignment: assignment.clone(),
        };
        for (at, (client, _)) in given.iter().enumerate() {
            let request = SyncGroup {
                group_id: "g".into(),
                generation_id: client.generation_id,
                member_id: client.member_id.clone(),
                group_instance_id: None,
                protocol_type: None,
                protocol_name: None,
                assignments: if at == 0 { given.iter().map(assignment).collect() } else { Vec::new() },
            };
            let answer = self.ask(&client.client_id, Request::SyncGroup(request));
            assert!(matches!(answer, Answer::SyncGroup(Ok(_))), "{answer:?}");
        }
    }

    pub(crate) fn leave(&mut self, client: &Client) {
        let (member_id, reason) = (client.member_id.clone(), None);
        let members = vec![LeavingMember { member_id, group_instance_id: None, reason }];
        self.ask(&client.client_id, Request::LeaveGroup(LeaveGroup { group_id: "g".into(), members }));
    }

    pub(crate) fn keep_alive(&mut self, clients: &[&Client]) {
        for client in clients {
            let request = Heartbeat {
                group_id: "g".into(),
                generation_id: client.generation_id,
                member_id: client.member_id.clone(),
                group_instance_id: None,
            };
            self.ask(&client.client_id, Request::Heartbeat(request));
        }
    }

    /// Commits to a partition of `orders`, whose log ends there.
    pub(crate) fn commit(&mut self, client: &Client, partition: i32, offset: i64, end: i64) -> Result<(), GroupError> {
        let seen = Seen { log_start: Some(0), log_end: Some(end), read: None };
        let partition = CommitPartition { partition, offset, leader_epoch: -1, metadata: String::new(), seen };
        let topic = CommitTopic { name: "orders".into(), topic_id: Some(ORDERS), partitions: vec![partition] };
        let request = CommitOffsets {
            group_id: "g".into(),
            member_id: client.member_id.clone(),
            group_instance_id: None,
            generation_id: client.generation_id,
            knows_epochs: false,
            retention_time_ms: None,
            topics: vec![topic],
        };
        match self.ask(&client.client_id, Request::CommitOffsets(request)) {
            Answer::CommitOffsets(result) => result.map(|_| ()),
            other => panic!("{other:?}"),
        }
    }

    /// The commit of a partition of `orders`, -1 without one.
    pub(crate) fn committed(&mut self, partition: i32) -> i64 {
        let offsets = self.explain().offsets;
        offsets.iter().find(|offset| offset.partition == partition).map_or(-1, |offset| offset.offset)
    }

    pub(crate) fn explain(&mut self) -> ExplainedGroup {
        match self.ask("tool", Request::ExplainGroups(ExplainGroups { group_id: "g".into() })) {
            Answer::ExplainGroups(Ok(groups)) => groups.into_iter().next().expect("there is a group"),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn diagnose(&mut self, facts: &[((String, i32), PartitionFacts)]) -> Diagnosis {
        diagnose(self.now.wall_ms, &self.explain(), &facts.iter().cloned().collect())
    }

    pub(crate) fn offsets(&self, offsets: &[(i32, i64)]) -> Vec<FormerOffset> {
        let offset = |&(partition, offset): &(i32, i64)| FormerOffset {
            topic: "orders".into(),
            topic_id: Some(ORDERS),
            partition,
            offset,
        };
        offsets.iter().map(offset).collect()
    }

    pub(crate) fn reset(&mut self, request: ResetOffsets) -> Result<Vec<ResetResult>, Refusal> {
        let request = ResetOffsets { group_id: "g".into(), ..request };
        match self.ask("tool", Request::ResetOffsets(request)) {
            Answer::ResetOffsets(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// The broker looks for what has expired.
    pub(crate) fn expire(&mut self) {
        let actions = self.coordinator.handle(self.now, Event::ExpireOffsets);
        self.act(actions);
    }
}
