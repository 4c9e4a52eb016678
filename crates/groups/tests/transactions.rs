//! Offsets that are committed in transactions (KIP-98, KIP-447), through the coordinator alone.
use ottla_groups::*;

const ORDERS: TopicId = [1; 16];
const FIRST: Producer = Producer { id: 7, epoch: 0 };
const SECOND: Producer = Producer { id: 8, epoch: 3 };

/// What lies in the log.
#[derive(Clone)]
enum Entry {
    Plain(Record),
    InTransaction(i64, Record),
    End(i64, bool),
}

struct Bench {
    coordinator: Coordinator,
    log: Vec<Entry>,
    now: Now,
    tickets: u64,
    settings: Settings,
}

impl Bench {
    fn new() -> Self {
        let settings = Settings { offsets_retention_ms: 1_000, ..Settings::default() };
        let now = Now { monotonic_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let mut coordinator = Coordinator::new(settings.clone());
        coordinator.loaded(now);
        Bench { coordinator, log: Vec::new(), now, tickets: 0, settings }
    }

    fn act(&mut self, actions: Vec<Action>) -> Option<Answer> {
        let mut answer = None;
        for action in actions {
            match action {
                Action::Append(record) => self.log.push(Entry::Plain(record)),
                Action::AppendInTransaction(producer, record) => {
                    self.log.push(Entry::InTransaction(producer.id, record));
                }
                Action::Reply(_, given) => answer = Some(given),
                Action::Event(_) => {}
            }
        }
        self.replays();
        answer
    }

    fn replayed(&self) -> Coordinator {
        let mut replayed = Coordinator::new(self.settings.clone());
        for entry in &self.log {
            match entry {
                Entry::Plain(record) => replayed.replay(record),
                Entry::InTransaction(producer_id, record) => replayed.replay_in_transaction(*producer_id, record),
                Entry::End(producer_id, commits) => replayed.replay_transaction_end(*producer_id, *commits),
            }
        }
        replayed
    }

    /// Replaying the log gives what is there.
    fn replays(&self) {
        assert!(self.coordinator.durable_groups().eq(self.replayed().durable_groups()));
    }

    fn ask(&mut self, request: Request) -> Answer {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let event = Event::Request { ticket, client: ClientInfo::default(), request };
        let actions = self.coordinator.handle(self.now, event);
        self.act(actions).expect("it is answered at once")
    }

    fn commit(&mut self, producer: Option<Producer>, partition: i32, offset: i64) -> Result<(), GroupError> {
        self.commit_as(producer, "", -1, partition, offset)
    }

    fn commit_as(
        &mut self,
        producer: Option<Producer>,
        member_id: &str,
        generation_id: i32,
        partition: i32,
        offset: i64,
    ) -> Result<(), GroupError> {
        let seen = Seen::default();
        let commit = CommitPartition { partition, offset, leader_epoch: -1, metadata: String::new(), seen };
        let commit = CommitOffsets {
            group_id: "g".into(),
            member_id: member_id.into(),
            group_instance_id: None,
            generation_id,
            knows_epochs: false,
            retention_time_ms: None,
            topics: vec![CommitTopic { name: "orders".into(), topic_id: Some(ORDERS), partitions: vec![commit] }],
        };
        let request = match producer {
            Some(producer) => Request::CommitInTransaction(CommitInTransaction { producer, commit }),
            None => Request::CommitOffsets(commit),
        };
        match self.ask(request) {
            Answer::CommitOffsets(result) => result.map(|_| ()),
            other => panic!("{other:?}"),
        }
    }

    /// The markers are in the log.
    fn end(&mut self, producer: Producer, commits: bool) {
        self.log.push(Entry::End(producer.id, commits));
        let ended = Event::TransactionEnded { producer_id: producer.id, commits };
        let actions = self.coordinator.handle(self.now, ended);
        assert_eq!(self.act(actions), None);
    }

    fn fetch(&mut self, partition: i32, require_stable: bool) -> Result<i64, GroupError> {
        let topic = FetchTopic { name: "orders".into(), topic_id: Some(ORDERS), partitions: vec![partition] };
        let request = FetchOffsets { group_id: "g".into(), topics: Some(vec![topic]), member: None, require_stable };
        match self.ask(Request::FetchOffsets(request)) {
            Answer::FetchOffsets(Ok(topics)) => {
                let fetched = &topics[0].partitions[0];
                fetched.error.map_or(Ok(fetched.offset), Err)
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_commit_counts_once_its_transaction_has_committed() {
    let mut bench = Bench::new();
    bench.commit(None, 0, 10).unwrap();
    bench.commit(Some(FIRST), 0, 50).unwrap();
    assert_eq!(bench.fetch(0, false), Ok(10));
    assert_eq!(bench.fetch(0, true), Err(GroupError::UnstableOffsetCommit));
    assert_eq!(bench.fetch(1, true), Ok(-1), "nobody commits there");
    bench.end(FIRST, true);
    assert_eq!((bench.fetch(0, false), bench.fetch(0, true)), (Ok(50), Ok(50)));
}

#[test]
fn a_commit_of_an_aborted_transaction_never_counts() {
    let mut bench = Bench::new();
    bench.commit(Some(FIRST), 0, 50).unwrap();
    bench.commit(Some(SECOND), 1, 7).unwrap();
    bench.end(FIRST, false);
    assert_eq!(bench.fetch(0, true), Ok(-1));
    assert_eq!(bench.fetch(1, true), Err(GroupError::UnstableOffsetCommit));
    bench.end(SECOND, true);
    assert_eq!(bench.fetch(1, true), Ok(7));
}

#[test]
fn what_is_later_in_the_log_counts() {
    let mut bench = Bench::new();
    bench.commit(Some(FIRST), 0, 50).unwrap();
    bench.commit(None, 0, 60).unwrap();
    bench.end(FIRST, true);
    assert_eq!(bench.fetch(0, true), Ok(60));
}

#[test]
fn a_group_of_pending_commits_survives_a_restart_and_no_expiry() {
    let mut bench = Bench::new();
    bench.commit(None, 0, 10).unwrap();
    bench.commit(Some(FIRST), 0, 50).unwrap();
    bench.now.wall_ms += 10_000;
    bench.coordinator = bench.replayed();
    let actions = bench.coordinator.loaded(bench.now);
    bench.act(actions);
    let actions = bench.coordinator.handle(bench.now, Event::ExpireOffsets);
    bench.act(actions);
    assert_eq!(bench.fetch(0, false), Ok(10));
    bench.end(FIRST, true);
    assert_eq!(bench.fetch(0, true), Ok(50));
}

#[test]
fn a_deleted_group_and_a_deleted_topic_take_pending_commits_along() {
    for of_group in [true, false] {
        let mut bench = Bench::new();
        bench.commit(Some(FIRST), 0, 50).unwrap();
        if of_group {
            let deleted = bench.ask(Request::DeleteGroup(DeleteGroup { group_id: "g".into() }));
            assert_eq!(deleted, Answer::DeleteGroup(Ok(())));
        } else {
            let gone = Event::TopicDeleted { name: "orders".into(), topic_id: Some(ORDERS) };
            let actions = bench.coordinator.handle(bench.now, gone);
            bench.act(actions);
        }
        bench.end(FIRST, true);
        assert_eq!(bench.fetch(0, true), Ok(-1), "of_group: {of_group}");
    }
}

#[test]
fn who_says_who_it_is_must_be_it() {
    let mut bench = Bench::new();
    let unknown = bench.commit_as(Some(FIRST), "m", 3, 0, 50);
    assert_eq!(unknown, Err(GroupError::IllegalGeneration), "there is no such group");
    bench.commit(None, 0, 10).unwrap();
    assert_eq!(bench.commit_as(Some(FIRST), "m", 3, 0, 50), Err(GroupError::UnknownMemberId));
    assert_eq!(bench.fetch(0, true), Ok(10));
    // Older clients do not say.
    bench.commit(Some(FIRST), 0, 50).unwrap();
}
