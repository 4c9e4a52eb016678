//! Topics that come, grow, go and come again under another id in the middle of a run, and who hears of that when.
use super::broker::now;
use super::world::{Happening, World};
use ottla_groups::{Assignment, Event, Request, TopicId, TopicShape, Topics};
use std::fmt;
use std::sync::Arc;

/// All topics that there ever are. The first one is there from the beginning.
pub(super) const NAMES: [&str; 3] = ["orders", "orders-eu", "payments"];
/// The first one.
pub(super) const ORDERS: u8 = 0;
/// How many partitions it has at first.
const FIRST_PARTITIONS: u8 = 6;
/// No topic ever has more.
const MOST_PARTITIONS: u8 = 9;
/// When a client has asked for the topics anew at the latest.
const REFRESH_MS: u64 = 2_500;

/// A partition of a topic, as an id names that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Partition {
    /// Which of the names.
    pub(super) name: u8,
    /// The how many-th topic of the run it was made as.
    pub(super) made: u8,
    pub(super) number: u8,
}

/// A partition by the name of its topic, whichever that is.
pub(super) type Named = (u8, u8);

impl Partition {
    pub(super) fn of(topic_id: TopicId, number: i32) -> Self {
        Partition { name: topic_id[15], made: topic_id[0], number: number as u8 }
    }

    pub(super) fn topic_id(self) -> TopicId {
        id(self.name, self.made)
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", NAMES[usize::from(self.name)], self.number)?;
        if self.made > 1 { write!(f, " (topic {})", self.made) } else { Ok(()) }
    }
}

fn id(name: u8, made: u8) -> TopicId {
    let mut id = [made; 16];
    id[15] = name;
    id
}

/// Which of the names it is.
pub(super) fn place(name: &str) -> Option<u8> {
    NAMES.iter().position(|known| *known == name).map(|place| place as u8)
}

pub(super) fn partitions_of(assignment: &Assignment) -> Vec<Partition> {
    assignment.iter().map(|(topic_id, number)| Partition::of(topic_id, number)).collect()
}

/// One topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) made: u8,
    pub(super) partitions: u8,
}

/// The topics at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// Grows with every change.
    pub(super) version: u32,
    topics: [Option<Topic>; NAMES.len()],
}

impl View {
    pub(super) fn first() -> Self {
        let orders = Topic { made: 1, partitions: FIRST_PARTITIONS };
        View { version: 0, topics: [Some(orders), None, None] }
    }

    pub(super) fn topic(&self, name: u8) -> Option<Topic> {
        self.topics.get(usize::from(name)).copied().flatten()
    }

    pub(super) fn topic_id(&self, name: u8) -> Option<TopicId> {
        self.topic(name).map(|topic| id(name, topic.made))
    }

    pub(super) fn has_id(&self, topic_id: TopicId) -> bool {
        self.topic_id(topic_id[15]) == Some(topic_id)
    }

    /// The names that are there.
    pub(super) fn names(&self) -> impl Iterator<Item = u8> {
        (0..NAMES.len() as u8).filter(|&name| self.topic(name).is_some())
    }

    /// The partition that a name means.
    pub(super) fn meant(&self, (name, number): Named) -> Option<Partition> {
        self.topic(name).map(|topic| Partition { name, made: topic.made, number })
    }

    pub(super) fn partitions(&self, name: u8) -> impl Iterator<Item = Partition> {
        let topic = self.topic(name);
        let numbers = 0..topic.map_or(0, |topic| topic.partitions);
        numbers.filter_map(move |number| Some(Partition { name, made: topic?.made, number }))
    }

    /// What the core is told of them.
    pub(super) fn told(&self) -> Arc<Topics> {
        let shape = |name: u8| {
            let topic = self.topic(name)?;
            let shape = TopicShape { topic_id: id(name, topic.made), partitions: topic.partitions.into() };
            Some((NAMES[usize::from(name)].to_string(), shape))
        };
        Arc::new(Topics::new(self.names().filter_map(shape), |pattern, names| {
            Ok(names.iter().filter(|name| matches(pattern, name)).map(|name| name.to_string()).collect())
        }))
    }
}

/// Expressions are alternatives here, whole names or beginnings of names.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    pattern.split('|').any(|alternative| match alternative.strip_suffix(".*") {
        Some(beginning) => name.starts_with(beginning),
        None => name == alternative,
    })
}

/// What a consumer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    Orders,
    Two,
    OrdersByRegex,
    AllByRegex,
}

impl Reads {
    /// One of them; most often the first.
    pub(super) fn of(number: u64) -> Self {
        match number % 6 {
            0..=2 => Reads::Orders,
            3 => Reads::Two,
            4 => Reads::OrdersByRegex,
            _ => Reads::AllByRegex,
        }
    }

    pub(super) fn regex(self) -> Option<&'static str> {
        match self {
            Reads::Orders | Reads::Two => None,
            Reads::OrdersByRegex => Some("orders.*|nothing"),
            Reads::AllByRegex => Some("orders.*|payments"),
        }
    }

    /// The names that it gives, or with a regular expression those that it finds.
    pub(super) fn names(self, view: &View) -> Vec<u8> {
        match self.regex() {
            None if self == Reads::Two => vec![0, 2],
            None => vec![ORDERS],
            Some(regex) => view.names().filter(|&name| matches(regex, NAMES[usize::from(name)])).collect(),
        }
    }
}

impl World {
    /// A topic is made, gets more partitions, is deleted, or is made anew under another id.
    pub(super) fn change_topics(&mut self) {
        let name = self.rng.between(0, NAMES.len() as u64 - 1) as u8;
        let more = self.rng.between(1, 3) as u8;
        match (self.topics.topic(name), self.rng.between(0, 2)) {
            (None, _) => self.make_topic(name, more),
            (Some(topic), 0) if topic.partitions < MOST_PARTITIONS => {
                let partitions = (topic.partitions + more).min(MOST_PARTITIONS);
                self.set_topic(name, Some(Topic { partitions, ..topic }));
            }
            (Some(_), 1) => self.delete_topic(name),
            (Some(_), _) => {
                self.delete_topic(name);
                self.make_topic(name, more);
            }
        }
    }

    /// Everybody reads the first topic: at last it is there.
    pub(super) fn make_missing_topic(&mut self) {
        if self.topics.topic(ORDERS).is_none() {
            self.make_topic(ORDERS, FIRST_PARTITIONS);
        }
    }

    fn make_topic(&mut self, name: u8, partitions: u8) {
        self.topics_made += 1;
        self.set_topic(name, Some(Topic { made: self.topics_made, partitions }));
    }

    fn delete_topic(&mut self, name: u8) {
        let Some(topic_id) = self.topics.topic_id(name) else { return };
        self.set_topic(name, None);
        // Whoever is down is told when it has started. The name may have been used again before anybody is told.
        let after_ms = self.rng.between(0, 400);
        self.plan(after_ms, Happening::TopicGone { life: self.broker.life, topic_id });
        self.checks.topics.untold += 1;
    }

    fn set_topic(&mut self, name: u8, topic: Option<Topic>) {
        self.topics.topics[usize::from(name)] = topic;
        self.topics.version += 1;
        self.checks.topics.now = self.topics;
        self.trace.tell(self.at_ms, || match topic {
            None => format!("topic {} is deleted", NAMES[usize::from(name)]),
            Some(topic) => {
                format!("topic {} ({}) has {} partitions", NAMES[usize::from(name)], topic.made, topic.partitions)
            }
        });
        for client in 0..self.clients.len() {
            let after_ms = self.rng.between(0, REFRESH_MS);
            self.plan(after_ms, Happening::Refresh { client });
        }
    }

    /// The coordinator is told that a topic is gone.
    pub(super) fn tell_gone(&mut self, topic_id: TopicId) {
        self.checks.topics.untold = self.checks.topics.untold.saturating_sub(1);
        let name = NAMES[usize::from(topic_id[15])].to_string();
        self.tell(Event::TopicDeleted { name, topic_id: Some(topic_id) });
    }

    /// A coordinator that has started is told what was deleted meanwhile, as far as its log shows.
    pub(super) fn tell_deletions(&mut self) {
        let Some(coordinator) = self.broker.coordinator.as_ref() else { return };
        let commits = coordinator.durable_groups().flat_map(|(_, group)| group.offsets().values());
        let ids = commits.flat_map(|partitions| partitions.values()).filter_map(|committed| committed.topic_id);
        let mut gone: Vec<TopicId> = ids.filter(|topic_id| !self.topics.has_id(*topic_id)).collect();
        gone.sort_unstable();
        gone.dedup();
        self.checks.topics.untold = gone.len();
        gone.into_iter().for_each(|topic_id| self.tell_gone(topic_id));
    }

    /// Before what may follow from a change, the coordinator is told of it, and not sooner.
    pub(super) fn tell_topics(&mut self, request: &Request) {
        let needs_them = matches!(
            request,
            Request::ConsumerHeartbeat(_) | Request::JoinGroup(_) | Request::Heartbeat(_) | Request::ResetOffsets(_)
        );
        if needs_them && self.topics_told != self.topics {
            self.topics_told = self.topics;
            self.checks.topics.told = self.topics;
            self.tell(Event::TopicsChanged(self.topics.told()));
        }
    }

    /// A coordinator that starts is told of the topics that there are.
    pub(super) fn tell_first_topics(&mut self) {
        self.topics_told = self.topics;
        self.checks.topics.told = self.topics;
        if let Some(coordinator) = self.broker.coordinator.as_mut() {
            coordinator.handle(now(self.at_ms), Event::TopicsChanged(self.topics.told()));
        }
    }

    /// What the broker's handlers do before the core: names become ids, and what is not there is refused. Whether anything is left.
    pub(super) fn look_up(&self, request: &mut Request) -> bool {
        let view = &self.topics;
        let id_of = |name: &str| place(name).and_then(|name| view.topic_id(name));
        let is_there = |topic_id: TopicId, number: i32| {
            view.has_id(topic_id) && view.topic(topic_id[15]).is_some_and(|topic| number < i32::from(topic.partitions))
        };
        match request {
            Request::CommitOffsets(request) => {
                for topic in &mut request.topics {
                    topic.topic_id = topic.topic_id.or_else(|| id_of(&topic.name));
                    let topic_id = topic.topic_id;
                    topic.partitions.retain(|commit| topic_id.is_some_and(|id| is_there(id, commit.partition)));
                }
                request.topics.retain(|topic| !topic.partitions.is_empty());
                !request.topics.is_empty()
            }
            Request::FetchOffsets(request) => {
                let topics = request.topics.iter_mut().flatten();
                topics.for_each(|topic| topic.topic_id = topic.topic_id.or_else(|| id_of(&topic.name)));
                true
            }
            Request::ResetOffsets(request) => {
                for offset in &mut request.offsets {
                    offset.topic_id = id_of(&offset.topic);
                }
                request.offsets.retain(|offset| offset.topic_id.is_some_and(|id| is_there(id, offset.partition)));
                !request.offsets.is_empty() || request.undo
            }
            _ => true,
        }
    }
}
