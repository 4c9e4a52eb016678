//! The shell around the pure group core: one coordinator for each partition of `__consumer_offsets`.
//!
//! The core decides; this shell gives it time, writes what it appends, holds its replies until the appends before them are
//! durable, wakes it when a deadline comes, and rebuilds it from its log. No rule about groups lives here.

mod configs;
mod ends;
pub(crate) mod expressions;
pub(crate) mod log;
mod moves;
mod shard;
pub(crate) mod story;
mod timeline;
mod topics;
pub(crate) mod wire;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use ottla_groups::{Answer, ClientInfo, Event, Now, Request};
use ottla_storage::{Dependency, Engine, Topic, TopicId};
use tokio::sync::mpsc;

use crate::config::BrokerConfig;
use crate::pulse::{self, Pulse, Timed};
use crate::time::Clock;
use crate::topics::OFFSETS_TOPIC;
use crate::{Broker, Parts};
use configs::Configured;
pub(crate) use ends::{EndUnderWay, GroupMarkers};
pub(crate) use moves::Move;
use moves::Moves;
use shard::Shard;
pub(crate) use shard::{Awaited, CoordinatorLost};
use timeline::Timeline;
use topics::Seen;

/// All group coordinators of this broker.
pub(crate) struct Groups {
    shards: Vec<Arc<Shard>>,
    surroundings: Arc<Surroundings>,
    moves: Moves,
}

/// Records that were removed before a group had read them, since the broker started; for metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LostRecords {
    /// How often a log start passed a group's commit.
    pub moves: u64,
    /// How many offsets lay between, over all groups.
    pub records: u64,
}

/// What all shards share.
struct Surroundings {
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    /// For creating the internal topic; set by [`Groups::start`].
    broker: OnceLock<Weak<Broker>>,
    tickets: AtomicU64,
    pulse: Arc<Pulse>,
    lost: Mutex<LostRecords>,
    topics: Mutex<Seen>,
    timeline: Timeline,
    /// What was given at the start: nothing of groups in it changes while the broker runs.
    config: BrokerConfig,
    configured: Mutex<Configured>,
    /// The number of the next connection that speaks for members.
    connections: AtomicU64,
}

impl Groups {
    /// Coordinators that have loaded nothing yet.
    pub(crate) fn new(config: &BrokerConfig, parts: &Parts) -> Self {
        let settings = config.settings();
        let partitions = match parts.engine.metadata().by_name(OFFSETS_TOPIC) {
            Some(topic) => topic.partitions,
            None => settings.offsets_topic_partitions,
        };
        let surroundings = Arc::new(Surroundings {
            engine: parts.engine.clone(),
            clock: parts.clock.clone(),
            broker: OnceLock::new(),
            tickets: AtomicU64::new(1),
            pulse: Arc::default(),
            lost: Mutex::default(),
            topics: Mutex::default(),
            timeline: Timeline::default(),
            config: config.clone(),
            configured: Mutex::default(),
            connections: AtomicU64::new(1),
        });
        let core_settings = core_settings(config);
        let shards = (0..partitions.max(1))
            .map(|index| Shard::new(index, core_settings.clone(), surroundings.clone()))
            .collect();
        Groups { shards, surroundings, moves: Moves::default() }
    }

    /// Loads the groups, so that members of before a restart are timed from now on, and starts their timers.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) async fn start(&self, broker: &Arc<Broker>) -> Result<(), String> {
        let _ = self.surroundings.broker.set(Arc::downgrade(broker));
        tokio::spawn(pulse::run(Arc::downgrade(broker), |broker| &broker.groups));
        tokio::spawn(timeline::run(Arc::downgrade(broker)));
        let check_interval =
            Duration::from_millis(broker.config().settings().groups.offsets_retention_check_interval_ms);
        tokio::spawn(pulse::expire(Arc::downgrade(broker), |broker| &broker.groups, check_interval));
        if self.surroundings.has_log() {
            for shard in &self.shards {
                let loaded = shard.load().await;
                loaded.map_err(|problem| format!("the groups cannot be read from {OFFSETS_TOPIC}: {problem}"))?;
            }
        }
        if let Some(moves) = self.moves.take() {
            tokio::spawn(moves::run(Arc::downgrade(broker), moves));
        }
        Ok(())
    }

    /// Where to tell of moved log starts, from any thread.
    pub(crate) fn moves(&self) -> mpsc::UnboundedSender<Move> {
        self.moves.sender()
    }

    /// What was removed before groups had read it.
    pub(crate) fn lost(&self) -> LostRecords {
        *self.surroundings.lost()
    }

    /// The partition of `__consumer_offsets` where a group is.
    pub(crate) fn partition_of(&self, group_id: &str) -> i32 {
        partition_of(group_id, self.shards.len()) as i32
    }

    /// The coordinator of a group.
    fn shard_of(&self, group_id: &str) -> &Arc<Shard> {
        &self.shards[partition_of(group_id, self.shards.len())]
    }

    /// Hands a request to the group's coordinator, at once; the answer comes later. Dropping the returned value cancels.
    pub(crate) fn submit(&self, group_id: &str, request: Request) -> Awaited {
        self.shard_of(group_id).submit(ClientInfo::default(), request)
    }

    /// The same over a connection by which a member may be known.
    pub(crate) fn submit_over(&self, connection: u64, group_id: &str, request: Request) -> Awaited {
        let client = ClientInfo { connection: Some(connection), ..ClientInfo::default() };
        self.shard_of(group_id).submit(client, request)
    }

    /// Hands over a commit in a transaction, as [`Groups::submit_over`] does, to be written behind what it depends on. `None`: the
    /// group is being loaded.
    pub(crate) fn submit_behind(
        &self,
        depends_on: Option<Dependency>,
        connection: u64,
        group_id: &str,
        request: Request,
    ) -> Option<Awaited> {
        let client = ClientInfo { connection: Some(connection), ..ClientInfo::default() };
        self.shard_of(group_id).submit_behind(depends_on, client, request)
    }

    /// Has the coordinator of a group read its log, unless somebody else has it read.
    pub(crate) async fn load(&self, group_id: &str) -> Result<(), CoordinatorLost> {
        self.shard_of(group_id).load().await.map_err(|problem| {
            tracing::error!("cannot load {OFFSETS_TOPIC}: {problem}");
            CoordinatorLost
        })
    }

    /// A number for a connection that speaks for members.
    pub(crate) fn number_connection(&self) -> u64 {
        self.surroundings.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// A connection was closed by its peer, or broke.
    pub(crate) fn connection_lost(&self, connection: u64) {
        for shard in &self.shards {
            shard.connection_lost(connection);
        }
    }

    /// The same for a client that shall be remembered: who joins.
    pub(crate) fn submit_as(&self, client: ClientInfo, group_id: &str, request: Request) -> Awaited {
        self.shard_of(group_id).submit(client, request)
    }

    /// Hands a request to every coordinator (ListGroups) and returns all answers.
    pub(crate) async fn submit_to_all(&self, request: Request) -> Result<Vec<Answer>, CoordinatorLost> {
        if !self.surroundings.has_log() {
            return Ok(Vec::new());
        }
        let submit = |shard: &Arc<Shard>| shard.submit(ClientInfo::default(), request.clone());
        let awaited: Vec<_> = self.shards.iter().map(submit).collect();
        let mut answers = Vec::with_capacity(awaited.len());
        for waiting in awaited {
            answers.push(waiting.answer().await?);
        }
        Ok(answers)
    }

    /// The events of a group from a moment on, oldest first, each a JSON object.
    ///
    /// # Errors
    /// A sentence: they cannot be read.
    pub(crate) async fn timeline(&self, group_id: &str, since_ms: i64) -> Result<Vec<String>, String> {
        let index = partition_of(group_id, self.shards.len()) as i32;
        self.surroundings.timeline.read(index, group_id, since_ms).await
    }

    /// Deletes the commits of a topic that is durably gone.
    pub(crate) fn topic_deleted(&self, topic: &Topic) {
        for shard in &self.shards {
            shard.tell(Event::TopicDeleted { name: topic.name.to_string(), topic_id: Some(topic.id.0) });
        }
    }

    /// How many groups there are.
    pub(crate) fn group_count(&self) -> usize {
        self.shards.iter().map(|shard| shard.group_count()).sum()
    }
}

impl Timed for Groups {
    fn pulse(&self) -> &Arc<Pulse> {
        &self.surroundings.pulse
    }

    fn next_deadline_ms(&self) -> u64 {
        self.shards.iter().filter_map(|shard| shard.next_deadline()).min().unwrap_or(u64::MAX)
    }

    fn wake(&self, now_ms: u64) {
        let is_due = |shard: &&Arc<Shard>| shard.next_deadline().is_some_and(|deadline_ms| deadline_ms <= now_ms);
        self.shards.iter().filter(is_due).for_each(|shard| shard.tell_live(Event::Tick));
    }

    fn expire(&self, index: usize) -> bool {
        let shard = self.shards.get(index);
        shard.is_some_and(|shard| {
            shard.tell_live(Event::ExpireOffsets);
            true
        })
    }

    /// The broker stops: what is being written is still answered, everybody who waits for other members is told to look for
    /// the coordinator again, and nothing new begins.
    fn close(&self) {
        self.shards.iter().for_each(|shard| shard.close());
    }
}

impl Surroundings {
    fn lost(&self) -> MutexGuard<'_, LostRecords> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        Now { monotonic_ms: self.clock.monotonic_ms(), wall_ms: self.clock.wall_ms() }
    }

    fn next_ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether `__consumer_offsets` exists; before the first group there is none.
    fn has_log(&self) -> bool {
        self.engine.metadata().by_name(OFFSETS_TOPIC).is_some()
    }

    /// The internal topic's id; creates the topic where it is missing.
    async fn log_topic(&self) -> Result<TopicId, String> {
        let broker = self.broker.get().and_then(Weak::upgrade).ok_or("the broker is stopping")?;
        let topic = crate::topics::offsets_topic(&broker).await;
        topic.map(|topic| topic.id).map_err(|code| format!("it cannot be created ({code})"))
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

#[allow(clippy::needless_update, reason = "a build with planted bugs has one setting more")]
fn core_settings(config: &BrokerConfig) -> ottla_groups::Settings {
    let groups = &config.settings().groups;
    ottla_groups::Settings {
        min_session_timeout_ms: groups.min_session_timeout_ms,
        max_session_timeout_ms: groups.max_session_timeout_ms,
        initial_rebalance_delay_ms: groups.initial_rebalance_delay_ms,
        max_group_size: groups.max_group_size,
        consumer_session_timeout_ms: groups.consumer_session_timeout_ms,
        consumer_heartbeat_interval_ms: groups.consumer_heartbeat_interval_ms,
        consumer_max_group_size: groups.consumer_max_group_size,
        consumer_assignors: groups.consumer_assignors.clone(),
        migration_policy: groups.migration_policy,
        max_offset_metadata_bytes: groups.max_offset_metadata_bytes,
        lost_connection_grace_ms: groups.lost_connection_grace_ms,
        offsets_retention_ms: i64::from(groups.offsets_retention_minutes) * 60_000,
        ..ottla_groups::Settings::default()
    }
}

/// Which of `partitions` of `__consumer_offsets` a group belongs to: the absolute value of Java's hash of its name, 0 for the
/// one hash that has none, modulo the partitions.
pub(crate) fn partition_of(group_id: &str, partitions: usize) -> usize {
    java_hash(group_id).checked_abs().unwrap_or(0) as usize % partitions
}

/// `String.hashCode` of Java: over UTF-16 units, wrapping.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::{java_hash, partition_of};

    #[test]
    fn groups_hash_as_in_java() {
        // Worked out by the definition: s[0]*31^(n-1) + ... + s[n-1] in 32 bits.
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("test-group"), 627_841_412);
        assert_eq!(java_hash("größe-😀"), 175_616_671);
    }

    #[test]
    fn groups_land_where_kafka_puts_them() {
        // Observed on Apache Kafka 4.3.1 with 50 partitions; three of the hashes are negative, the last one is -2^31.
        let observed = [
            ("test-group", 12),
            ("consumer-group-7", 26),
            ("größe-😀", 21),
            ("hash-a", 4),
            ("hash-b", 3),
            ("hash-d", 1),
            ("polygenelubricants", 0),
        ];
        for (group_id, partition) in observed {
            assert_eq!(partition_of(group_id, 50), partition, "{group_id}");
        }
    }
}
