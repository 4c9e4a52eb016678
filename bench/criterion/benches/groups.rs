//! What a large group costs its coordinator: 10,000 members of the consumer protocol on 100,000 partitions. Only the core is
//! measured: no socket, no log.
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ottla_groups::{
    Action, Answer, Assignment, ClientInfo, ConsumerHeartbeat, ConsumerHeartbeatAnswer, Coordinator, Event, Now,
    Request, Settings, Ticket, TopicShape, Topics,
};

const MEMBERS: usize = 10_000;
const PARTITIONS: i32 = 100_000;

struct Bench {
    coordinator: Coordinator,
    now: Now,
    tickets: u64,
    delivered: u64,
    actions: Vec<Action>,
}

fn topics(partitions: Option<i32>) -> Arc<Topics> {
    let shape = |partitions| ("big".to_owned(), TopicShape { topic_id: [7; 16], partitions });
    Arc::new(Topics::new(partitions.map(shape), |_, _| Ok(Vec::new())))
}

fn client() -> ClientInfo {
    ClientInfo { client_id: "app".into(), host: "/10.0.0.1".into(), software: None, connection: None }
}

fn joins(member: usize) -> ConsumerHeartbeat {
    ConsumerHeartbeat {
        group_id: "g".into(),
        member_id: format!("member-{member:08}-0123456789"),
        rebalance_timeout_ms: Some(300_000),
        subscribed_topic_names: Some(vec!["big".into()]),
        owned: Some(Assignment::none()),
        ..Default::default()
    }
}

fn lives(member: usize, epoch: i32) -> ConsumerHeartbeat {
    let joins = joins(member);
    ConsumerHeartbeat {
        group_id: joins.group_id,
        member_id: joins.member_id,
        member_epoch: epoch,
        ..Default::default()
    }
}

fn request(ticket: u64, heartbeat: ConsumerHeartbeat) -> Event {
    Event::Request { ticket: Ticket(ticket), client: client(), request: Request::ConsumerHeartbeat(heartbeat) }
}

impl Bench {
    /// All have joined, and the topic is not there yet.
    fn gathered() -> Self {
        let now = Now { monotonic_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let mut bench = Bench {
            coordinator: Coordinator::new(Settings::default()),
            now,
            tickets: 0,
            delivered: 0,
            actions: Vec::new(),
        };
        bench.event(Event::TopicsChanged(topics(None)));
        bench.coordinator.loaded(now);
        for member in 0..MEMBERS {
            bench.beat(joins(member));
        }
        bench.event(Event::TopicsChanged(topics(Some(PARTITIONS))));
        bench
    }

    /// Everybody has what it shall have; answers the epoch.
    fn settled() -> (Self, i32) {
        let mut bench = Bench::gathered();
        let mut epoch = 0;
        for _ in 0..2 {
            for member in 0..MEMBERS {
                epoch = bench.beat(joins(member)).member_epoch;
            }
        }
        (bench, epoch)
    }

    fn event(&mut self, event: Event) {
        self.actions.clear();
        // As the shell does: a coordinator that nobody calls in time takes it for a stall.
        while self.coordinator.next_deadline().is_some_and(|due| due <= self.now.monotonic_ms) {
            self.coordinator.handle_into(self.now, Event::Tick, &mut self.actions);
        }
        self.coordinator.handle_into(self.now, event, &mut self.actions);
    }

    fn send(&mut self, heartbeat: ConsumerHeartbeat) {
        self.tickets += 1;
        self.deliver(request(self.tickets, heartbeat));
    }

    fn deliver(&mut self, request: Event) {
        self.delivered += 1;
        // Slowly enough for nobody's session to end while others are looked at.
        self.now.monotonic_ms = 1_000 + self.delivered / 64;
        self.event(request);
    }

    fn beat(&mut self, heartbeat: ConsumerHeartbeat) -> ConsumerHeartbeatAnswer {
        self.send(heartbeat);
        let answer = self.actions.drain(..).find_map(|action| match action {
            Action::Reply(_, Answer::ConsumerHeartbeat(answer)) => Some(answer),
            _ => None,
        });
        answer.expect("it is answered").expect("it is accepted")
    }
}

/// What this process has in memory, in bytes.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|line| line.split(' ').nth(1)?.parse::<u64>().ok());
    pages.expect("Linux tells it in pages of 4 KiB") * 4_096
}

/// What the whole group takes, its target and everybody's current assignment included. Printed, because Criterion knows only times.
fn tell_memory() {
    let before = resident_bytes();
    let (bench, _) = Bench::settled();
    let taken = resident_bytes().saturating_sub(before);
    println!("10,000 members on 100,000 partitions: {:.1} MB of memory", taken as f64 / 1e6);
    drop(bench);
}

fn groups(criterion: &mut Criterion) {
    tell_memory();
    let mut group = criterion.benchmark_group("10,000 members on 100,000 partitions");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(5));
    group.bench_function("first assignment", |bencher| {
        let first = |mut bench: Bench| {
            bench.send(joins(0));
            bench
        };
        bencher.iter_batched(Bench::gathered, first, BatchSize::PerIteration);
    });
    let (mut bench, mut epoch) = Bench::settled();
    let mut next = MEMBERS;
    group.bench_function("a join", |bencher| {
        bencher.iter(|| {
            bench.send(joins(next));
            next += 1;
        });
    });
    let mut leaver = MEMBERS;
    group.bench_function("a join and a leave", |bencher| {
        bencher.iter(|| {
            bench.send(ConsumerHeartbeat { member_epoch: -1, ..lives(leaver, -1) });
            leaver += 1;
            bench.send(joins(next));
            next += 1;
        });
    });
    (bench, epoch) = Bench::settled();
    // As they come: nobody's neighbour first, and each just read from its connection.
    let mut turn = 0;
    let mut requests = || {
        turn += 100;
        (turn..turn + 100).map(|turn| request(0, lives(turn * 7_919 % MEMBERS, epoch))).collect::<Vec<_>>()
    };
    group.bench_function("100 heartbeats", |bencher| {
        let all = |requests: Vec<Event>| requests.into_iter().for_each(|request| bench.deliver(request));
        bencher.iter_batched(&mut requests, all, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, groups);
criterion_main!(benches);
