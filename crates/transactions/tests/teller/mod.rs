//! Tells a story: turns commands into events and actions into lines.
mod lines;

use ottla_transactions::*;
use std::collections::BTreeMap;

/// The state of a story: one coordinator, its log, its clock, and what its clients know.
pub(crate) struct Teller {
    coordinator: Coordinator,
    settings: Settings,
    now: Now,
    log: Vec<Record>,
    /// Which producer each client was last told that it is.
    clients: BTreeMap<String, Producer>,
    /// Who asked under which ticket.
    tickets: BTreeMap<Ticket, String>,
    next_ticket: u64,
    next_producer_id: i64,
    /// Ends and producer ids that are not there yet.
    ends: Vec<EndStep>,
    allotments: Vec<Allotment>,
    /// The shell does at once what it is told, as long as nobody holds it.
    holds: bool,
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
                Some((key, value)) => drop(command.pairs.insert(key, value)),
                None => command.words.push(word),
            }
        }
        command
    }

    fn number<T: std::str::FromStr>(&self, key: &str, default: T) -> T {
        self.pairs.get(key).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{key}={value}")))
    }

    fn list(&self, key: &str) -> Vec<String> {
        let text = self.pairs.get(key).copied().unwrap_or_default();
        text.split(',').filter(|part| !part.is_empty()).map(String::from).collect()
    }

    /// Words like `t-0`, from the third on.
    fn partitions(&self) -> Vec<(&'a str, i32)> {
        let partition = |word: &&'a str| {
            let (topic, number) = word.rsplit_once('-').unwrap();
            (topic, number.parse().unwrap())
        };
        self.words[2..].iter().map(partition).collect()
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
            tickets: BTreeMap::new(),
            next_ticket: 1,
            next_producer_id: 100,
            ends: Vec::new(),
            allotments: Vec::new(),
            holds: false,
        };
        teller.load();
        teller
    }

    /// Runs one command. Those of a client take `id=` (default `x`, the transactional id) and `as=ID:EPOCH` for the producer that it
    /// says it is, where that is not what it was last told.
    ///
    /// - `settings max= interval= expiration=`: begins anew with these
    /// - `init CLIENT [timeout= known]`: `known` tells producer id and epoch
    /// - `add CLIENT TOPIC-PARTITION…`, `verify CLIENT …`: AddPartitionsToTxn
    /// - `produce CLIENT TOPIC-PARTITION… [v=12]`: the gate
    /// - `commit CLIENT [v=5]`, `abort CLIENT [v=5]`
    /// - `describe`, `list [states= ids= longer=]`
    /// - `hold`: ends and producer ids are there only with `go`; `fail` tells that none is to be had
    /// - `advance MS` in honest ticks, `restart [wall=MS]` with what is in the log, `expire`
    /// - `log ID STATE PRODUCER EPOCH [next=ID] …`: such a record was in the log; to be read with `restart`
    /// - `garbage`: a record that cannot be read was in the log
    pub(crate) fn run(&mut self, text: &str) -> String {
        let command = Command::parse(text);
        let client = command.words.get(1).copied().unwrap_or("-").to_string();
        match command.words[0] {
            "settings" => {
                self.settings = Settings::default();
                let settings = &mut self.settings;
                settings.max_timeout_ms = command.number("max", settings.max_timeout_ms);
                settings.abort_interval_ms = command.number("interval", settings.abort_interval_ms);
                settings.id_expiration_ms = command.number("expiration", settings.id_expiration_ms);
                self.load()
            }
            "produce" => self.produce(&command, &client),
            "hold" => {
                self.holds = true;
                String::new()
            }
            "go" => self.release(true),
            "fail" => self.release(false),
            "advance" => self.advance(client.parse().unwrap()),
            "restart" => {
                self.now.wall_ms += command.number("wall", 0);
                self.load()
            }
            "expire" => self.event(Event::ExpireTransactionalIds),
            "log" => self.log_record(&command),
            "garbage" => {
                self.log.push(Record { key: vec![0, 0, 0], value: None });
                String::new()
            }
            _ => {
                let request = self.request(&command, &client);
                self.ask(client, request)
            }
        }
    }

    fn request(&self, command: &Command<'_>, client: &str) -> Request {
        let transactional_id = command.pairs.get("id").unwrap_or(&"x").to_string();
        let Producer { id: producer_id, epoch: producer_epoch } = self.who(command, client);
        match command.words[0] {
            "init" => {
                let knows = command.words.contains(&"known") || command.pairs.contains_key("as");
                let (producer_id, producer_epoch) = if knows { (producer_id, producer_epoch) } else { (-1, -1) };
                let timeout_ms = command.number("timeout", 60_000);
                Request::InitProducer(InitProducer { transactional_id, timeout_ms, producer_id, producer_epoch })
            }
            what @ ("add" | "verify") => {
                let mut partitions: Vec<(String, Vec<i32>)> = Vec::new();
                for (topic, number) in command.partitions() {
                    partitions.push((topic.into(), vec![number]));
                }
                let verify_only = what == "verify";
                let request = AddPartitions { transactional_id, producer_id, producer_epoch, partitions, verify_only };
                Request::AddPartitions(request)
            }
            what @ ("commit" | "abort") => {
                let (commits, bumps_epoch) = (what == "commit", command.number("v", 5) >= 5);
                let request = EndTransaction { transactional_id, producer_id, producer_epoch, commits, bumps_epoch };
                Request::EndTransaction(request)
            }
            "describe" => Request::DescribeTransaction(DescribeTransaction { transactional_id }),
            "list" => Request::ListTransactions(ListTransactions {
                states: command.list("states"),
                producer_ids: command.list("ids").iter().map(|id| id.parse().unwrap()).collect(),
                longer_than_ms: command.number("longer", -1),
            }),
            other => panic!("no such command: {other}"),
        }
    }

    fn who(&self, command: &Command<'_>, client: &str) -> Producer {
        let told = self.clients.get(client).copied().unwrap_or(Producer { id: -1, epoch: -1 });
        let Some((id, epoch)) = command.pairs.get("as").and_then(|text| text.split_once(':')) else { return told };
        Producer { id: id.parse().unwrap(), epoch: epoch.parse().unwrap() }
    }

    /// Asks the gate about each version's way.
    fn produce(&mut self, command: &Command<'_>, client: &str) -> String {
        let (transactional_id, producer) = (command.pairs.get("id").unwrap_or(&"x"), self.who(command, client));
        let partitions = command.partitions();
        let admission = Admission {
            transactional_id,
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            partitions: &partitions,
            membership: match command.number("v", 12) {
                12.. => Membership::Implicit,
                version => Membership::Explicit { knows_abortable: version >= 11 },
            },
        };
        let mut actions = Vec::new();
        let results = self.coordinator.admit(self.now, &admission, &mut actions);
        let mut told = self.note(actions);
        for ((topic, number), result) in partitions.iter().zip(&results) {
            told += &format!("{topic}-{number}: {}\n", lines::result(result, |()| "may be written".into()));
        }
        told
    }

    /// Builds the coordinator from the log, as after a restart. What was not written never will be.
    fn load(&mut self) -> String {
        self.coordinator = Coordinator::new(self.settings.clone());
        self.tickets.clear();
        self.ends.clear();
        self.allotments.clear();
        self.log.iter().for_each(|record| self.coordinator.replay(record));
        let actions = self.coordinator.loaded(self.now);
        self.note(actions)
    }

    /// A record as Kafka has written it.
    fn log_record(&mut self, command: &Command<'_>) -> String {
        let numbers: Vec<i64> = command.words[3..5].iter().map(|word| word.parse().unwrap()).collect();
        let state = records::TransactionState::ALL.iter().position(|state| state.name() == command.words[2]);
        let mut value = vec![0, 1];
        value.extend(numbers[0].to_be_bytes());
        value.extend((numbers[1] as i16).to_be_bytes());
        value.extend(60_000_i32.to_be_bytes());
        value.push(state.unwrap() as u8);
        // One topic, t, with partition 0.
        value.extend([2, 2, b't', 2, 0, 0, 0, 0, 0]);
        value.extend(self.now.wall_ms.to_be_bytes());
        value.extend(self.now.wall_ms.to_be_bytes());
        match command.pairs.get("next") {
            None => value.push(0),
            Some(next) => {
                value.extend([1, 1, 8]);
                value.extend(next.parse::<i64>().unwrap().to_be_bytes());
            }
        }
        let id = command.words[1].as_bytes();
        self.log.push(Record { key: [&[0, 0, 0, id.len() as u8], id].concat(), value: Some(value) });
        String::new()
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

    fn ask(&mut self, client: String, request: Request) -> String {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.tickets.insert(ticket, client);
        self.event(Event::Request { ticket, request })
    }

    fn event(&mut self, event: Event) -> String {
        let actions = self.coordinator.handle(self.now, event);
        self.note(actions)
    }

    /// Lets what was held happen, or fail.
    fn release(&mut self, happens: bool) -> String {
        self.holds = false;
        let mut told = String::new();
        for end in std::mem::take(&mut self.ends) {
            told += &self.finish(end, happens);
        }
        for allotment in std::mem::take(&mut self.allotments) {
            told += &self.allot(allotment, happens);
        }
        told
    }

    fn finish(&mut self, step: EndStep, happens: bool) -> String {
        let result = if happens { Ok(()) } else { Err(EndFailed { problem: "the disk is full".into() }) };
        if happens {
            self.log.push(step.record);
        }
        self.event(Event::Ended { end: step.end, result })
    }

    fn allot(&mut self, allotment: Allotment, happens: bool) -> String {
        self.next_producer_id += i64::from(happens);
        let producer_id = happens.then_some(self.next_producer_id);
        self.event(Event::ProducerIdAllotted { allotment, producer_id })
    }

    /// Writes actions down, and does what they want.
    fn note(&mut self, actions: Vec<Action>) -> String {
        let mut told = String::new();
        for action in actions {
            let who = match &action {
                Action::Reply(ticket, _) => self.tickets.remove(ticket).expect("it is answered once"),
                _ => String::new(),
            };
            told += &lines::action(&action, &who);
            match action {
                Action::Append(record) => self.log.push(record),
                Action::Reply(_, Answer::InitProducer(Ok(producer)) | Answer::EndTransaction(Ok(producer))) => {
                    self.clients.insert(who, producer);
                }
                Action::End(step) if self.holds => self.ends.push(step),
                Action::End(step) => told += &self.finish(step, true),
                Action::AllotProducerId(allotment) if self.holds => self.allotments.push(allotment),
                Action::AllotProducerId(allotment) => told += &self.allot(allotment, true),
                Action::Reply(..) | Action::Event(_) => {}
            }
        }
        told
    }
}
