//! The broker's state, shared by all connections.

use std::fmt;
use std::sync::Arc;

use ottla_storage::{Engine, Topic, TopicId};

use crate::config::{BrokerConfig, BrokerSettings, CurrentConfig};
use crate::failure::Failure;
use crate::fetch::FetchState;
use crate::groups::{Groups, LostRecords};
use crate::memory::{AnswerMemory, RequestMemory};
use crate::quotas::Quotas;
use crate::stop::Stop;
use crate::time::{Clock, Entropy, random_u64, random_uuid};
use crate::topics::Creations;
use crate::transactions::Transactions;

/// Who this broker is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Kafka's `cluster.id`: made once for a data folder and kept there.
    pub cluster_id: String,
    /// Kafka's `node.id`.
    pub node_id: i32,
}

/// What the broker does not pick itself.
#[derive(Clone)]
pub struct Parts {
    /// Where everything is kept.
    pub engine: Arc<dyn Engine>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random numbers.
    pub entropy: Arc<dyn Entropy>,
}

/// A broker: what handlers share. Started with [`crate::start`].
pub struct Broker {
    identity: Identity,
    pub(crate) config: Arc<CurrentConfig>,
    parts: Parts,
    pub(crate) fetches: Arc<FetchState>,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    pub(crate) requests: RequestMemory,
    pub(crate) answers: AnswerMemory,
    pub(crate) failure: Arc<Failure>,
    pub(crate) creations: Creations,
    pub(crate) stop: Stop,
    pub(crate) quotas: Arc<Quotas>,
}

impl Broker {
    /// The state of a broker that is not listening yet.
    pub(crate) fn new(identity: Identity, config: BrokerConfig, parts: Parts) -> Self {
        let current = CurrentConfig::new(&config, identity.node_id, &parts.engine.metadata());
        let settings = config.settings();
        Broker {
            fetches: Arc::new(FetchState::new(settings.fetch_session_cache_slots)),
            groups: Groups::new(&config, &parts),
            transactions: Transactions::new(&config, &parts),
            requests: RequestMemory::new(),
            answers: AnswerMemory::new(),
            failure: Arc::new(Failure::default()),
            creations: Creations::default(),
            stop: Stop::default(),
            quotas: Arc::new(quotas(settings, &parts)),
            identity,
            config: Arc::new(current),
            parts,
        }
    }

    /// Who this broker is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The configuration that holds now.
    pub fn config(&self) -> BrokerConfig {
        self.config.now()
    }

    /// Where everything is kept.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.parts.engine
    }

    /// Milliseconds since 1970, UTC.
    pub fn wall_ms(&self) -> i64 {
        self.parts.clock.wall_ms()
    }

    /// Milliseconds since some fixed moment of this process.
    pub fn monotonic_ms(&self) -> u64 {
        self.parts.clock.monotonic_ms()
    }

    /// 64 random bits.
    pub(crate) fn random_u64(&self) -> u64 {
        random_u64(&*self.parts.entropy)
    }

    /// A fresh topic id.
    pub(crate) fn new_topic_id(&self) -> TopicId {
        TopicId(random_uuid(&*self.parts.entropy))
    }

    /// In how many partitions fetches that wait, or sessions, are interested; for metrics.
    pub fn parked_fetch_partitions(&self) -> usize {
        self.fetches.waiters.len()
    }

    /// Bytes of large requests that arrive or are at work; for metrics.
    pub fn request_memory_bytes(&self) -> usize {
        self.requests.used_bytes()
    }

    /// Bytes of records that wait in answers; for metrics.
    pub fn answer_memory_bytes(&self) -> usize {
        self.answers.used_bytes()
    }

    /// Records that were removed before a group had read them; for metrics.
    pub fn lost_records(&self) -> LostRecords {
        self.groups.lost()
    }

    /// To be called once a topic is durably gone: parked fetches answer, and its commits are deleted.
    pub(crate) fn topic_deleted(&self, topic: &Topic) {
        self.fetches.topic_deleted(topic);
        self.groups.topic_deleted(topic);
    }
}

fn quotas(settings: &BrokerSettings, parts: &Parts) -> Quotas {
    let (windows, mutation_windows) = (settings.quota_windows, settings.mutation_quota_windows);
    Quotas::new(parts.clock.clone(), windows, mutation_windows, &parts.engine.metadata())
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("identity", &self.identity).finish_non_exhaustive()
    }
}
