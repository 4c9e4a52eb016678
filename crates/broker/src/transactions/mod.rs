//! The shell around the pure transaction core: one coordinator for each partition of `__transaction_state`.
//!
//! The core decides; this shell gives it time and producer ids, writes what it appends, ends transactions in one step of the
//! engine, and rebuilds it from its log. No rule about transactions lives here.

mod end;
mod shard;
mod story;
pub(crate) mod wire;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use ottla_groups::Now;
use ottla_storage::{Engine, TopicId};
use ottla_transactions::{Admission, Answer, Event, Request, Settings, TransactionError};

use crate::config::BrokerConfig;
use crate::groups::CoordinatorLost;
use crate::groups::partition_of;
use crate::pulse::{self, Pulse, Timed};
use crate::time::Clock;
use crate::topics::TRANSACTIONS_TOPIC;
use crate::{Broker, Parts};
use shard::Shard;
pub(crate) use shard::{Admitted, Awaited};

/// The epoch of the coordinators: the leader epoch of their partitions, which never changes on one node.
pub(crate) const COORDINATOR_EPOCH: i32 = 0;

/// All transaction coordinators of this broker.
pub(crate) struct Transactions {
    shards: Vec<Arc<Shard>>,
    surroundings: Arc<Surroundings>,
}

/// What all shards share.
struct Surroundings {
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    /// For creating the internal topic, and for the groups; set by [`Transactions::start`].
    broker: OnceLock<Weak<Broker>>,
    tickets: AtomicU64,
    pulse: Arc<Pulse>,
}

impl Transactions {
    /// Coordinators that have loaded nothing yet.
    pub(crate) fn new(config: &BrokerConfig, parts: &Parts) -> Self {
        let settings = &config.settings().transactions;
        let partitions = match parts.engine.metadata().by_name(TRANSACTIONS_TOPIC) {
            Some(topic) => topic.partitions,
            None => settings.log_partitions,
        };
        let surroundings = Arc::new(Surroundings {
            engine: parts.engine.clone(),
            clock: parts.clock.clone(),
            broker: OnceLock::new(),
            tickets: AtomicU64::new(1),
            pulse: Arc::default(),
        });
        let core = core_settings(config);
        let shards = (0..partitions.max(1)).map(|index| Shard::new(index, core.clone(), surroundings.clone()));
        Transactions { shards: shards.collect(), surroundings }
    }

    /// Loads the transactions, and starts their timers.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) async fn start(&self, broker: &Arc<Broker>) -> Result<(), String> {
        let _ = self.surroundings.broker.set(Arc::downgrade(broker));
        tokio::spawn(pulse::run(Arc::downgrade(broker), |broker| &broker.transactions));
        let interval = Duration::from_millis(broker.config().settings().transactions.expiry_interval_ms);
        tokio::spawn(pulse::expire(Arc::downgrade(broker), |broker| &broker.transactions, interval));
        if self.surroundings.has_log() {
            for shard in &self.shards {
                let loaded = shard.load().await;
                loaded.map_err(|problem| {
                    format!("the transactions cannot be read from {TRANSACTIONS_TOPIC}: {problem}")
                })?;
            }
        }
        Ok(())
    }

    /// The coordinator of a transactional id.
    fn shard_of(&self, transactional_id: &str) -> Option<&Arc<Shard>> {
        self.shards.get(partition_of(transactional_id, self.shards.len()))
    }

    /// Hands a request to the id's coordinator, at once; the answer comes later.
    pub(crate) fn submit(&self, transactional_id: &str, request: Request) -> Awaited {
        self.shard_of(transactional_id).map_or_else(Awaited::lost, |shard| shard.submit(request))
    }

    /// The same for a request about what must be there already; `None` where nobody ever used a transactional id.
    pub(crate) fn ask(&self, transactional_id: &str, request: Request) -> Option<Awaited> {
        self.surroundings.has_log().then(|| self.submit(transactional_id, request))
    }

    /// Hands a request to every coordinator (ListTransactions) and returns all answers.
    pub(crate) async fn submit_to_all(&self, request: &Request) -> Result<Vec<Answer>, CoordinatorLost> {
        if !self.surroundings.has_log() {
            return Ok(Vec::new());
        }
        let awaited: Vec<_> = self.shards.iter().map(|shard| shard.submit(request.clone())).collect();
        let mut answers = Vec::with_capacity(awaited.len());
        for waiting in awaited {
            answers.push(waiting.answer().await?);
        }
        Ok(answers)
    }

    /// The gate: asks whether transactional batches may be appended, one verdict for each partition, and lets `append` give those
    /// that may to the engine under the coordinator's lock, with what they depend on. So an end that is decided later lies later in the log.
    pub(crate) fn admit<T>(&self, admission: &Admission<'_>, append: impl FnOnce(Admitted) -> T) -> T {
        match self.shard_of(admission.transactional_id) {
            Some(shard) => shard.admit(admission, append),
            None => {
                let verdicts = vec![Err(TransactionError::CoordinatorNotAvailable); admission.partitions.len()];
                append(Admitted { verdicts, depends_on: None })
            }
        }
    }
}

impl Timed for Transactions {
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
            shard.tell_live(Event::ExpireTransactionalIds);
            true
        })
    }

    /// The broker stops: what is being written is still answered, and nothing new begins.
    fn close(&self) {
        self.shards.iter().for_each(|shard| shard.close());
    }
}

impl Surroundings {
    fn now(&self) -> Now {
        Now { monotonic_ms: self.clock.monotonic_ms(), wall_ms: self.clock.wall_ms() }
    }

    fn next_ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    fn broker(&self) -> Option<Arc<Broker>> {
        self.broker.get().and_then(Weak::upgrade)
    }

    /// Whether `__transaction_state` exists; before the first transactional id there is none.
    fn has_log(&self) -> bool {
        self.engine.metadata().by_name(TRANSACTIONS_TOPIC).is_some()
    }

    /// The internal topic's id; creates the topic where it is missing.
    async fn log_topic(&self) -> Result<TopicId, String> {
        let broker = self.broker().ok_or("the broker is stopping")?;
        let topic = crate::topics::transactions_topic(&broker).await;
        topic.map(|topic| topic.id).map_err(|code| format!("it cannot be created ({code})"))
    }
}

impl fmt::Debug for Transactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transactions").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

#[allow(clippy::needless_update, reason = "a build with planted bugs has one setting more")]
fn core_settings(config: &BrokerConfig) -> Settings {
    let transactions = &config.settings().transactions;
    Settings {
        max_timeout_ms: transactions.max_timeout_ms,
        abort_interval_ms: transactions.abort_interval_ms,
        id_expiration_ms: transactions.id_expiration_ms,
        ..Settings::default()
    }
}
