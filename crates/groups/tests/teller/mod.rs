//! Tells a story: turns commands into events and actions into lines.
mod consumers;
mod lines;

use ottla_groups::*;
use std::collections::BTreeMap;

/// A dash and a UUID.
const RANDOM_END_BYTES: usize = 37;

/// The state of a story: one coordinator, its log, its clock, and what its clients know.
pub(crate) struct Teller {
    coordinator: Coordinator,
    settings: Settings,
    now: Now,
    log: Vec<Record>,
    /// What each client was last told: its member id and generation.
    clients: BTreeMap<String, (String, i32)>,
    /// What each client of the consumer protocol was last told: its epoch and what it has.
    consumers: BTreeMap<String, (i32, Assignment)>,
    /// Who asked under which ticket.
    tickets: BTreeMap<Ticket, String>,
    short_names: Vec<(String, String)>,
    next_ticket: u64,
}

/// A command: its words and its `key=value` pairs.
struct Command<'a> {
    words: Vec<&'a str>,
    pairs: BTreeMap<&'a str, &'a str>,
}

impl<'a> Command<'a> {
    fn parse(text: &'a str) -> Self {
        let mut command = Command { words: Vec::new(), pairs: BTreeMap::new() };
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) if !key.contains('/') => drop(command.pairs.insert(key, value)),
                _ => command.words.push(word),
            }
        }
        command
    }

    fn text(&self, key: &str) -> Option<String> {
        self.pairs.get(key).map(|value| value.to_string())
    }

    fn number<T: std::str::FromStr>(&self, key: &str, default: T) -> T {
        self.pairs.get(key).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{key}={value}")))
    }

    fn list(&self, key: &str, default: &'a str) -> Vec<(&'a str, &'a str)> {
        let text = self.pairs.get(key).copied().unwrap_or(default);
        text.split(',').filter(|part| !part.is_empty()).map(|part| part.split_once(':').unwrap_or((part, ""))).collect()
    }
}

impl Teller {
    pub(crate) fn new() -> Self {
        let mut teller = Teller {
            coordinator: Coordinator::new(Settings::default()),
            settings: Settings::default(),
            now: Now { monotonic_ms: 0, wall_ms: 1_000_000 },
            log: Vec::new(),
            clients: BTreeMap::new(),
            consumers: BTreeMap::new(),
            tickets: BTreeMap::new(),
            short_names: Vec::new(),
            next_ticket: 1,
        };
        teller.load();
        teller
    }

    /// Runs one command. All take `group=` (default `g`).
    ///
    /// - `settings delay= max_size= min_session= max_session= max_metadata= retention=`: begins anew with these.
    /// - `join CLIENT [v= new id= instance= session= rebalance= type= protocols=name:topic,… reason=]`
    /// - `sync CLIENT [assign=CLIENT:text,… gen= id= instance= protocol=]`
    /// - `heartbeat CLIENT [gen= id= instance=]`
    /// - `leave CLIENT… [instance=]`
    /// - `commit CLIENT|- TOPIC/PARTITION=OFFSET… [gen= id= instance= metadata= keep= topic_id=]`
    /// - `fetch [TOPIC/PARTITION…] [topic_id=]`, `delete-offsets TOPIC/PARTITION…`, `delete-group`, `describe`, `list [states= types=]`
    /// - `advance MS` in honest ticks, `stall MS` in one, `restart`, `cancel CLIENT`, `topic-deleted TOPIC`, `waits`
    /// - `topics NAME:PARTITIONS…`: these are all, each with the id that is its first letter
    /// - `beat CLIENT [epoch= instance= id= reads=TOPIC,… regex= has=TOPIC:FIRST-LAST,…|given|nothing rebalance= assignor=]`: a
    ///   member of the consumer protocol; epoch 0 joins, -1 leaves, -2 leaves to return
    /// - `expire`: looks for commits that have expired
    /// - `log-start TOPIC/PARTITION=FROM..TO [cause=retention topic_id=]`: the log start moved
    pub(crate) fn run(&mut self, text: &str) -> String {
        let command = Command::parse(text);
        let group_id = command.text("group").unwrap_or("g".into());
        let client = command.words.get(1).copied().unwrap_or("-").to_string();
        match command.words[0] {
            "settings" => self.settings(&command),
            "join" => self.join(&command, group_id, client),
            "sync" => self.sync(&command, group_id, client),
            "heartbeat" => {
                let (member_id, generation_id) = self.who(&command, &client);
                let group_instance_id = command.text("instance");
                let request = Heartbeat { group_id, generation_id, member_id, group_instance_id };
                self.ask(client, Request::Heartbeat(request))
            }
            "leave" => self.leave(&command, group_id),
            "commit" => self.commit(&command, group_id, client),
            "fetch" => {
                let topics = (command.words.len() > 1).then(|| partitions(&command));
                self.ask(
                    "-".into(),
                    Request::FetchOffsets(FetchOffsets { group_id, topics, member: None, require_stable: true }),
                )
            }
            "delete-offsets" => {
                let topics = partitions(&command);
                self.ask("-".into(), Request::DeleteOffsets(DeleteOffsets { group_id, topics }))
            }
            "delete-group" => self.ask("-".into(), Request::DeleteGroup(DeleteGroup { group_id })),
            "describe" => self.ask("-".into(), Request::DescribeGroup(DescribeGroup { group_id })),
            "list" => {
                let words = |key| command.list(key, "").iter().map(|(word, _)| word.to_string()).collect();
                self.ask("-".into(), Request::ListGroups(ListGroups { states: words("states"), types: words("types") }))
            }
            "advance" => self.advance(client.parse().unwrap()),
            "stall" => {
                self.pass(client.parse().unwrap());
                self.event(Event::Tick)
            }
            "restart" => self.load(),
            "cancel" => {
                let ticket = *self.tickets.iter().rev().find(|(_, who)| **who == client).unwrap().0;
                self.tickets.remove(&ticket);
                self.event(Event::Cancelled { ticket })
            }
            "topic-deleted" => self.event(Event::TopicDeleted { name: client, topic_id: topic_id(&command) }),
            "topics" => self.topics(&command),
            "beat" => self.beat(&command, group_id, client),
            "expire" => self.event(Event::ExpireOffsets),
            "log-start" => self.log_start(&command),
            "waits" => lines::waits(&self.coordinator.waits(self.now, &group_id), self.now, &self.short_names),
            other => panic!("no such command: {other}"),
        }
    }

    fn log_start(&mut self, command: &Command<'_>) -> String {
        let (place, moved) = command.words[1].split_once('=').unwrap();
        let (topic, partition) = place.split_once('/').unwrap();
        let (from, to) = moved.split_once("..").unwrap();
        let cause = match command.pairs.get("cause") {
            Some(&"retention") => LogStartCause::Retention,
            _ => LogStartCause::DeleteRecords,
        };
        self.event(Event::LogStartMoved(LogStartMoved {
            topic: topic.into(),
            topic_id: topic_id(command),
            partition: partition.parse().unwrap(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            cause,
        }))
    }

    fn settings(&mut self, command: &Command<'_>) -> String {
        let standard = Settings::default();
        self.settings = Settings {
            initial_rebalance_delay_ms: command.pairs.get("delay").map(|delay| delay.parse().unwrap()),
            max_group_size: command.number("max_size", standard.max_group_size),
            min_session_timeout_ms: command.number("min_session", standard.min_session_timeout_ms),
            max_session_timeout_ms: command.number("max_session", standard.max_session_timeout_ms),
            max_offset_metadata_bytes: command.number("max_metadata", standard.max_offset_metadata_bytes),
            offsets_retention_ms: command.number("retention", standard.offsets_retention_ms),
            ..standard
        };
        self.load()
    }

    /// Builds the coordinator from the log, as after a restart.
    fn load(&mut self) -> String {
        self.coordinator = Coordinator::new(self.settings.clone());
        self.tickets.clear();
        self.log.iter().for_each(|record| self.coordinator.replay(record));
        let actions = self.coordinator.loaded(self.now);
        self.note(actions)
    }

    fn pass(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.wall_ms += ms as i64;
    }

    /// Lets time pass with a tick at every deadline, as an honest shell does.
    fn advance(&mut self, ms: u64) -> String {
        let end = self.now.monotonic_ms + ms;
        let mut told = String::new();
        loop {
            let next = self.coordinator.next_deadline().unwrap_or(u64::MAX).clamp(self.now.monotonic_ms, end);
            self.pass(next - self.now.monotonic_ms);
            let output = self.event(Event::Tick);
            if !output.is_empty() {
                told += &format!("at +{} ms\n{output}", ms - (end - self.now.monotonic_ms));
            }
            if next == end {
                return told;
            }
        }
    }

    /// Member id and generation that a client speaks for, unless the command says otherwise.
    fn who(&self, command: &Command<'_>, client: &str) -> (String, i32) {
        let (member_id, generation_id) = self.clients.get(client).cloned().unwrap_or((String::new(), -1));
        let member_id = command.pairs.get("id").map_or(member_id, |id| self.long_name(id));
        (member_id, command.number("gen", generation_id))
    }

    fn long_name(&self, short: &str) -> String {
        let long = self.short_names.iter().find(|(_, name)| name == short);
        long.map_or(short.to_string(), |(long, _)| long.clone())
    }

    fn join(&mut self, command: &Command<'_>, group_id: String, client: String) -> String {
        let version: i16 = command.number("v", 9);
        let (mut member_id, _) = self.who(command, &client);
        if command.words.contains(&"new") {
            member_id.clear();
        }
        if member_id.is_empty() {
            let prefix = command.text("instance").unwrap_or(client.clone());
            self.name(&format!("{prefix}-00000000-0000-4{:03x}-8000-000000000000", self.next_ticket));
        }
        let protocols = command.list("protocols", "range:t1");
        let session_timeout_ms = command.number("session", 10_000);
        let request = JoinGroup {
            group_id,
            member_id,
            group_instance_id: command.text("instance"),
            session_timeout_ms,
            rebalance_timeout_ms: command.number("rebalance", 60_000),
            protocol_type: command.text("type").unwrap_or("consumer".into()),
            protocols: protocols.iter().map(|(name, topic)| protocol(name, topic)).collect(),
            reason: command.text("reason"),
            require_known_member_id: version >= 4,
            supports_skip_assignment: version >= 9,
            random: [self.next_ticket, 0],
        };
        self.ask(client, Request::JoinGroup(request))
    }

    fn sync(&mut self, command: &Command<'_>, group_id: String, client: String) -> String {
        let (member_id, generation_id) = self.who(command, &client);
        let assignments = command.list("assign", "").into_iter().map(|(who, what)| MemberAssignment {
            member_id: self.clients.get(who).map_or(who.to_string(), |(id, _)| id.clone()),
            assignment: what.as_bytes().to_vec(),
        });
        let request = SyncGroup {
            group_id,
            generation_id,
            member_id,
            group_instance_id: command.text("instance"),
            protocol_type: command.text("type"),
            protocol_name: command.text("protocol"),
            assignments: assignments.collect(),
        };
        self.ask(client, Request::SyncGroup(request))
    }

    fn leave(&mut self, command: &Command<'_>, group_id: String) -> String {
        let group_instance_id = command.text("instance");
        let leaving = |member_id| LeavingMember { member_id, group_instance_id: None, reason: command.text("reason") };
        let mut members: Vec<_> = command.words[1..].iter().map(|c| leaving(self.who(command, c).0)).collect();
        if members.is_empty() {
            members.push(leaving(command.pairs.get("id").map_or(String::new(), |id| self.long_name(id))));
        }
        members[0].group_instance_id = group_instance_id;
        self.ask("-".into(), Request::LeaveGroup(LeaveGroup { group_id, members }))
    }

    fn commit(&mut self, command: &Command<'_>, group_id: String, client: String) -> String {
        let (member_id, generation_id) = self.who(command, &client);
        let mut topics: Vec<CommitTopic> = Vec::new();
        for word in command.words[2..].iter() {
            let (place, offset) = word.split_once('=').unwrap();
            let (name, partition) = place.split_once('/').unwrap();
            let partition = CommitPartition {
                partition: partition.parse().unwrap(),
                offset: offset.parse().unwrap(),
                leader_epoch: -1,
                metadata: command.text("metadata").unwrap_or_default(),
                seen: Default::default(),
            };
            topics.push(CommitTopic { name: name.into(), topic_id: topic_id(command), partitions: vec![partition] });
        }
        let request = CommitOffsets {
            group_id,
            member_id,
            group_instance_id: command.text("instance"),
            generation_id,
            knows_epochs: false,
            retention_time_ms: command.pairs.get("keep").map(|keep| keep.parse().unwrap()),
            topics,
        };
        self.ask(client, Request::CommitOffsets(request))
    }

    fn ask(&mut self, who: String, request: Request) -> String {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.tickets.insert(ticket, who.clone());
        let client = ClientInfo { client_id: who, host: "/127.0.0.1".into(), software: None, connection: None };
        self.event(Event::Request { ticket, client, request })
    }

    fn event(&mut self, event: Event) -> String {
        let actions = self.coordinator.handle(self.now, event);
        self.note(actions)
    }

    /// Keeps what the story needs to go on, and says what happened.
    fn note(&mut self, actions: Vec<Action>) -> String {
        let mut askers = Vec::new();
        for action in &actions {
            if let Action::Append(record) = action {
                self.log.push(record.clone());
            }
            let who = match action {
                Action::Reply(ticket, _) => self.tickets.remove(ticket).expect("a reply for nobody"),
                _ => String::new(),
            };
            if let Action::Reply(_, Answer::JoinGroup(joined)) = action {
                self.learn(&who, joined);
            }
            if let Action::Reply(_, Answer::ConsumerHeartbeat(Ok(answer))) = action {
                self.learn_of_consumer(&who, answer);
            }
            askers.push(who);
        }
        let lines = actions.iter().zip(&askers).map(|(action, who)| lines::action(action, who, &self.short_names));
        lines.collect()
    }

    /// Gives a member id a name that people can read. Its random end is known beforehand.
    fn name(&mut self, member_id: &str) {
        let prefix = &member_id[..member_id.len() - RANDOM_END_BYTES];
        let count = self.short_names.iter().filter(|(_, short)| short.starts_with(&format!("{prefix}#"))).count();
        self.short_names.push((member_id.into(), format!("{prefix}#{}", count + 1)));
    }

    fn learn(&mut self, who: &str, joined: &JoinGroupAnswer) {
        let member_id = joined.member_id.clone();
        if matches!(joined.error, None | Some(GroupError::MemberIdRequired)) {
            self.clients.insert(who.into(), (member_id, joined.generation_id));
        }
    }
}

/// A protocol with a consumer's subscription to one topic; without a topic, with bytes that are no subscription.
fn protocol(name: &str, topic: &str) -> Protocol {
    let mut metadata = vec![0, 1, 0, 0, 0, 1, 0, topic.len() as u8];
    metadata.extend_from_slice(topic.as_bytes());
    if topic.is_empty() {
        metadata = b"?".to_vec();
    }
    Protocol { name: name.into(), metadata }
}

fn topic_id(command: &Command<'_>) -> Option<TopicId> {
    command.pairs.get("topic_id").map(|id| [id.parse().unwrap(); 16])
}

fn partitions(command: &Command<'_>) -> Vec<FetchTopic> {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for word in &command.words[1..] {
        let (name, partition) = word.split_once('/').unwrap();
        let partition = partition.parse().unwrap();
        match topics.iter_mut().find(|topic| topic.name == name) {
            Some(topic) => topic.partitions.push(partition),
            None => {
                topics.push(FetchTopic { name: name.into(), topic_id: topic_id(command), partitions: vec![partition] })
            }
        }
    }
    topics
}
