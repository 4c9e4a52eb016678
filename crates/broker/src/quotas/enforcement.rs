//! Counts what clients do, and tells how long they shall be silent.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use ottla_protocol::ApiKey;
use ottla_storage::Metadata;
use tokio::time::Instant;

use super::limits::{Kind, Limits};
use super::rate::{Bucket, Rate, Windows};
use crate::request::{Handled, HandlerFuture};
use crate::time::Clock;

/// The quotas and what was used of them.
pub(crate) struct Quotas {
    clock: Arc<dyn Clock>,
    windows: Windows,
    mutation_windows: Windows,
    /// Whether users or clients have any.
    concern_clients: AtomicBool,
    state: Mutex<State>,
    /// Makes short what clients call themselves: a name may have 32 KiB, and each request another.
    names: RandomState,
}

#[derive(Debug, Default)]
struct State {
    limits: Limits,
    rates: HashMap<Key, Rate>,
    /// With how fast each fills.
    buckets: HashMap<Key, (Bucket, f64)>,
    /// When it was last looked for meters that nobody uses any more.
    swept_at_ms: u64,
}

/// What is counted together.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    /// With hashes of the names.
    Clients {
        kind: Kind,
        user: Option<u64>,
        client: Option<u64>,
    },
    Address(IpAddr),
}

impl Quotas {
    /// The quotas that the metadata have, measured over these windows.
    pub(crate) fn new(clock: Arc<dyn Clock>, windows: Windows, mutation_windows: Windows, metadata: &Metadata) -> Self {
        let (concern_clients, state) = (AtomicBool::new(false), Mutex::default());
        let quotas = Quotas { clock, windows, mutation_windows, concern_clients, state, names: RandomState::new() };
        quotas.follow(metadata);
        quotas
    }

    /// Takes over what the metadata have; called in the order of the changes.
    pub(crate) fn follow(&self, metadata: &Metadata) {
        let limits = Limits::of(metadata);
        let mut state = self.lock();
        self.concern_clients.store(limits.concern_clients(), Ordering::Release);
        if !limits.concern_clients() {
            state.rates.retain(|key, _| matches!(key, Key::Address(_)));
            state.rates.shrink_to_fit();
            state.buckets = HashMap::new();
        }
        state.limits = limits;
    }

    /// The meters of a request; `None` where nobody has quotas.
    pub(crate) fn meter(
        self: &Arc<Self>,
        user: &Arc<str>,
        client_id: Option<&Arc<str>>,
        request_bytes: usize,
    ) -> Option<Arc<Metered>> {
        self.concern_clients.load(Ordering::Acquire).then(|| {
            let client_id = client_id.cloned().unwrap_or_else(|| Arc::from(""));
            let (quotas, user, owed_ms) = (self.clone(), user.clone(), AtomicU64::new(0));
            Arc::new(Metered { quotas, user, client_id, request_bytes, owed_ms })
        })
    }

    /// Counts a new connection of an address; answers for how long it is to be kept before it is closed, 0 if it may stay; a closed one does not
    /// count.
    pub(crate) fn connected(&self, address: IpAddr) -> u64 {
        let (now_ms, windows) = (self.clock.monotonic_ms(), self.windows);
        let mut state = self.lock();
        let Some(bound) = state.limits.connection_rate(address) else { return 0 };
        state.sweep(self, now_ms);
        let rate = state.rates.entry(Key::Address(address)).or_default();
        rate.record(windows, 1.0, now_ms);
        let throttle_ms = rate.throttle_ms(windows, bound, now_ms);
        if throttle_ms > 0 {
            rate.record(windows, -1.0, now_ms);
        }
        // It keeps a place until then.
        throttle_ms.min(windows.length_ms)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets what nobody uses: client ids are the clients' to choose.
    fn sweep(&mut self, quotas: &Quotas, now_ms: u64) {
        let (windows, mutation_windows) = (quotas.windows, quotas.mutation_windows);
        let every_ms = windows.total_ms().max(mutation_windows.total_ms());
        if now_ms < self.swept_at_ms.saturating_add(every_ms) {
            return;
        }
        self.swept_at_ms = now_ms;
        self.rates.retain(|_, rate| !rate.is_forgotten(windows, now_ms));
        self.rates.shrink_to(self.rates.len() * 2);
        let windows = mutation_windows;
        self.buckets.retain(|_, (bucket, per_second)| !bucket.is_full(windows, *per_second, now_ms));
        self.buckets.shrink_to(self.buckets.len() * 2);
    }
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quotas").finish_non_exhaustive()
    }
}

/// A request of somebody who may have quotas.
#[derive(Debug)]
pub(crate) struct Metered {
    quotas: Arc<Quotas>,
    user: Arc<str>,
    client_id: Arc<str>,
    request_bytes: usize,
    /// For how long its client shall be silent, whatever its answer is.
    owed_ms: AtomicU64,
}

impl Metered {
    /// Counts the answer; says for how long the client shall be silent after it.
    pub(crate) fn answered(&self, api: ApiKey, answer_bytes: usize) -> u64 {
        let for_bytes_ms = match api {
            ApiKey::Produce => self.record(Kind::ProducerBytes, self.request_bytes as f64),
            ApiKey::Fetch => self.record(Kind::ConsumerBytes, answer_bytes as f64),
            _ => 0,
        };
        // Short and often, as in Kafka: who works too much is slowed down, not put to sleep.
        let for_work_ms = self.record(Kind::RequestPercentage, 0.0).min(self.quotas.windows.length_ms);
        for_bytes_ms.max(for_work_ms).max(self.owed_ms.load(Ordering::Relaxed))
    }

    /// How many bytes one answer to a fetch may have, so that it alone does not silence its client.
    pub(crate) fn fetch_max_bytes(&self) -> usize {
        let found = self.quotas.lock().limits.find(Kind::ConsumerBytes, &self.user, &self.client_id);
        found.map_or(usize::MAX, |(bound, _)| self.quotas.windows.allow(bound) as usize)
    }

    /// Asks whether so many partitions may be created or deleted now, and counts them. Where the client knows no error for it
    /// (`is_strict`), it may, and is silent afterwards.
    pub(crate) fn may_mutate(&self, partitions: i32, is_strict: bool) -> bool {
        let (may, owed_ms) = self.mutate(partitions, is_strict);
        self.owed_ms.fetch_max(owed_ms, Ordering::Relaxed);
        may
    }

    /// The same for what nobody asked for by name: a topic that is created because somebody looks for it. Nobody is silent for it.
    pub(crate) fn may_mutate_unasked(&self, partitions: i32) -> bool {
        self.mutate(partitions, true).0
    }

    /// Whether they are counted, and how long to wait.
    fn mutate(&self, partitions: i32, is_strict: bool) -> (bool, u64) {
        let (quotas, windows) = (&self.quotas, self.quotas.mutation_windows);
        let now_ms = quotas.clock.monotonic_ms();
        let mut state = quotas.lock();
        let Some((per_second, key)) = self.find(&state, Kind::ControllerMutations) else { return (true, 0) };
        state.sweep(quotas, now_ms);
        let full = || (Bucket::full(windows, per_second, now_ms), per_second);
        let (bucket, fills) = state.buckets.entry(key).or_insert_with(full);
        *fills = per_second;
        let wait_ms = bucket.wait_ms(windows, per_second, now_ms);
        let may = wait_ms == 0 || !is_strict;
        if may {
            bucket.take(f64::from(partitions));
        }
        let owed_ms = if is_strict { wait_ms } else { bucket.wait_ms(windows, per_second, now_ms) };
        (may, owed_ms)
    }

    /// Counts time of one core.
    fn worked(&self, for_s: f64) {
        self.record(Kind::RequestPercentage, for_s * 100.0);
    }

    fn record(&self, kind: Kind, amount: f64) -> u64 {
        let (quotas, now_ms) = (&self.quotas, self.quotas.clock.monotonic_ms());
        let mut state = quotas.lock();
        let Some((bound, key)) = self.find(&state, kind) else { return 0 };
        state.sweep(quotas, now_ms);
        let rate = state.rates.entry(key).or_default();
        rate.record(quotas.windows, amount, now_ms);
        rate.throttle_ms(quotas.windows, bound, now_ms)
    }

    /// The quota that holds, and what is counted for it.
    fn find(&self, state: &State, kind: Kind) -> Option<(f64, Key)> {
        let (bound, sharing) = state.limits.find(kind, &self.user, &self.client_id)?;
        let hash = |name: &str| self.quotas.names.hash_one(name);
        let user = sharing.by_user.then(|| hash(&self.user));
        let client = sharing.by_client.then(|| hash(&self.client_id));
        Some((bound, Key::Clients { kind, user, client }))
    }
}

/// A handler whose work is counted.
pub(crate) struct Timed {
    pub(crate) handler: HandlerFuture,
    pub(crate) metered: Arc<Metered>,
}

impl Future for Timed {
    type Output = Handled;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Handled> {
        let began = Instant::now();
        let polled = self.handler.as_mut().poll(context);
        self.metered.worked(Instant::now().duration_since(began).as_secs_f64());
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ottla_storage::ConfigResource;

    use super::*;
    use crate::quotas::{CLIENT_ID, Entity};

    #[derive(Debug, Default)]
    struct ByHand(AtomicU64);

    impl Clock for ByHand {
        fn monotonic_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        fn wall_ms(&self) -> i64 {
            0
        }
    }

    fn of_all_clients() -> Metadata {
        let name = Entity::of([(CLIENT_ID, None)].into_iter()).expect("an entity").to_name();
        let configs = BTreeMap::from([("producer_byte_rate".to_owned(), "1000".to_owned())]);
        let mut metadata = Metadata::default();
        metadata.set_configs(ConfigResource::ClientQuota(name.into()), configs);
        metadata
    }

    #[test]
    fn clients_are_forgotten_with_their_windows_or_their_quota() {
        let (clock, windows) = (Arc::new(ByHand::default()), Windows { count: 11, length_ms: 1000 });
        let quotas = Arc::new(Quotas::new(clock.clone(), windows, windows, &of_all_clients()));
        let user = Arc::from("u");
        let ask = |name: usize| {
            let meter = quotas.meter(&user, Some(&Arc::from(format!("client-{name}"))), 1).expect("there are quotas");
            assert_eq!(meter.answered(ApiKey::Produce, 0), 0);
        };
        (0..1000).for_each(ask);
        assert_eq!(quotas.lock().rates.len(), 1000);
        clock.0.store(windows.total_ms(), Ordering::Relaxed);
        ask(7);
        assert_eq!(quotas.lock().rates.len(), 1);
        assert!(quotas.lock().rates.capacity() < 100);
        quotas.follow(&Metadata::default());
        assert!(quotas.lock().rates.is_empty() && quotas.meter(&user, None, 1).is_none());
    }
}
