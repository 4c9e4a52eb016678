//! Fetch sessions (KIP-227): the broker remembers what a client fetches, requests name only changes, answers only news.
//!
//! The cache is bounded. A new session takes the place of one that was not used for [`EVICTION_MS`], or else of a smaller one
//! that lives that long already; otherwise its client fetches without a session. Client's epochs catch lost or doubled
//! requests: the first is answered in epoch 0, then they count from 1, and after the largest comes 1 again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ottla_protocol::ErrorCode;

use super::lock;
use super::view::{TopicKey, View, Want};
use super::waiters::Waiters;

/// A session that was not used for so long may be given up for another one
/// (`min.incremental.fetch.session.eviction.ms`, Kafka's default).
const EVICTION_MS: u64 = 120_000;
/// A client with more partitions than this fetches without a session: what it costs is then its own affair.
const MAX_PARTITIONS: usize = 100_000;
/// Epoch of a request that opens a session.
const INITIAL_EPOCH: i32 = 0;
/// Epoch of a request without a session, or of one that ends it.
const FINAL_EPOCH: i32 = -1;

/// What a request says about its session.
#[derive(Debug)]
pub(crate) struct SessionRequest {
    /// 0 for none.
    pub(crate) id: i32,
    /// 0 opens, -1 goes without, others continue.
    pub(crate) epoch: i32,
    /// Whether it names topics by id (version 13 and later).
    pub(crate) by_topic_id: bool,
    /// Partitions to add or change.
    pub(crate) wants: Vec<Want>,
    /// Partitions to take out.
    pub(crate) forgotten: Vec<(TopicKey, i32)>,
}

/// What to fetch with.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The slots.
    pub(crate) view: Arc<View>,
    /// The session's id for the answer, 0 without one.
    pub(crate) session_id: i32,
    /// The answer must name every partition.
    pub(crate) all_partitions: bool,
}

/// Why a session cannot go on; the code for the whole answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OpenError {
    /// Given up, or never made by this broker.
    NotFound,
    /// A request of this session was lost or came twice.
    WrongEpoch,
    /// It began with topic names and goes on with ids, or the other way round.
    TopicIdMix,
}

impl OpenError {
    /// The code on the wire.
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            OpenError::NotFound => ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
            OpenError::WrongEpoch => ErrorCode::INVALID_FETCH_SESSION_EPOCH,
            OpenError::TopicIdMix => ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR,
        }
    }
}

#[derive(Debug)]
struct Session {
    view: Arc<View>,
    by_topic_id: bool,
    next_epoch: i32,
    created_ms: u64,
    used_ms: u64,
}

/// All sessions of the broker.
#[derive(Debug)]
pub(crate) struct SessionCache {
    slots: usize,
    sessions: Mutex<HashMap<i32, Session>>,
}

impl SessionCache {
    /// An empty cache for so many sessions.
    pub(crate) fn new(slots: usize) -> Self {
        SessionCache { slots, sessions: Mutex::default() }
    }

    /// Finds, opens or ends a session, as the request says. `random` gives ids for new ones.
    ///
    /// # Errors
    /// The session cannot go on.
    pub(crate) fn open(
        &self,
        request: SessionRequest,
        waiters: &Arc<Waiters>,
        now_ms: u64,
        random: impl FnMut() -> u64,
    ) -> Result<Opened, OpenError> {
        match request.epoch {
            INITIAL_EPOCH | FINAL_EPOCH => Ok(self.open_full(request, waiters, now_ms, random)),
            _ => self.resume(request, waiters, now_ms),
        }
    }

    fn open_full(
        &self,
        request: SessionRequest,
        waiters: &Arc<Waiters>,
        now_ms: u64,
        mut random: impl FnMut() -> u64,
    ) -> Opened {
        let mut sessions = lock(&self.sessions);
        let ended = if request.id == 0 { None } else { sessions.remove(&request.id) };
        let count = request.wants.len();
        let wants_session = request.epoch == INITIAL_EPOCH && count <= MAX_PARTITIONS;
        let admitted = wants_session && make_room(&mut sessions, self.slots, count, now_ms);
        let opened = if admitted {
            let view = Arc::new(View::new(waiters));
            request.wants.into_iter().for_each(|want| view.set(want));
            let session_id = new_id(&sessions, &mut random);
            let by_topic_id = request.by_topic_id;
            let session =
                Session { view: view.clone(), by_topic_id, next_epoch: 1, created_ms: now_ms, used_ms: now_ms };
            sessions.insert(session_id, session);
            Opened { view, session_id, all_partitions: true }
        } else {
            Opened { view: Arc::new(View::once(waiters, request.wants)), session_id: 0, all_partitions: true }
        };
        drop(sessions);
        // Outside the lock: it takes its partitions out of the waiters one by one.
        drop(ended);
        opened
    }

    fn resume(&self, request: SessionRequest, waiters: &Arc<Waiters>, now_ms: u64) -> Result<Opened, OpenError> {
        let mut sessions = lock(&self.sessions);
        let session = sessions.get_mut(&request.id).ok_or(OpenError::NotFound)?;
        if session.next_epoch != request.epoch {
            return Err(OpenError::WrongEpoch);
        }
        if session.by_topic_id != request.by_topic_id {
            return Err(OpenError::TopicIdMix);
        }
        session.next_epoch = next_epoch(session.next_epoch);
        session.used_ms = now_ms;
        let view = session.view.clone();
        request.wants.into_iter().for_each(|want| view.set(want));
        request.forgotten.into_iter().for_each(|(topic, index)| view.forget(topic, index));
        if view.len() > MAX_PARTITIONS {
            sessions.remove(&request.id);
            return Err(OpenError::NotFound);
        }
        if view.len() == 0 {
            sessions.remove(&request.id);
            let view = Arc::new(View::once(waiters, Vec::new()));
            return Ok(Opened { view, session_id: 0, all_partitions: true });
        }
        Ok(Opened { view, session_id: request.id, all_partitions: false })
    }

    /// Ends a session whose first answer never left.
    pub(crate) fn remove(&self, session_id: i32) {
        let ended = lock(&self.sessions).remove(&session_id);
        drop(ended);
    }
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

fn new_id(sessions: &HashMap<i32, Session>, random: &mut impl FnMut() -> u64) -> i32 {
    loop {
        let id = (random() & 0x7fff_ffff) as i32;
        if id != 0 && !sessions.contains_key(&id) {
            return id;
        }
    }
}

/// Whether a session with so many partitions may be added; another one may have been given up for it.
fn make_room(sessions: &mut HashMap<i32, Session>, slots: usize, partitions: usize, now_ms: u64) -> bool {
    if sessions.len() < slots {
        return true;
    }
    let oldest = sessions.iter().min_by_key(|(_, session)| session.used_ms);
    let stale = oldest.filter(|(_, session)| now_ms.saturating_sub(session.used_ms) > EVICTION_MS);
    let victim = stale.or_else(|| {
        let settled = sessions.iter().filter(|(_, session)| now_ms.saturating_sub(session.created_ms) > EVICTION_MS);
        settled.min_by_key(|(_, session)| session.view.len()).filter(|(_, session)| session.view.len() < partitions)
    });
    match victim.map(|(&id, _)| id) {
        Some(id) => sessions.remove(&id).is_some(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use ottla_storage::TopicId;

    use super::*;

    fn want(index: i32) -> Want {
        Want {
            topic: TopicKey::Id(TopicId([1; 16])),
            index,
            fetch_offset: 0,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            max_bytes: 1,
        }
    }

    struct Fixture {
        cache: SessionCache,
        waiters: Arc<Waiters>,
        random: u64,
    }

    impl Fixture {
        fn new(slots: usize) -> Self {
            Fixture { cache: SessionCache::new(slots), waiters: Arc::default(), random: 0 }
        }

        fn open(&mut self, id: i32, epoch: i32, partitions: i32, now_ms: u64) -> Result<Opened, OpenError> {
            let wants = (0..partitions).map(want).collect();
            let request = SessionRequest { id, epoch, by_topic_id: true, wants, forgotten: Vec::new() };
            let random = &mut self.random;
            self.cache.open(request, &self.waiters, now_ms, || {
                *random += 1;
                *random
            })
        }
    }

    #[test]
    fn epochs_count_and_mistakes_are_told_apart() {
        let mut fixture = Fixture::new(2);
        let id = fixture.open(0, 0, 1, 0).expect("opens").session_id;
        assert_ne!(id, 0);
        assert!(!fixture.open(id, 1, 0, 0).expect("goes on").all_partitions);
        assert_eq!(fixture.open(id, 1, 0, 0).expect_err("came twice"), OpenError::WrongEpoch);
        assert_eq!(fixture.open(id + 1, 1, 0, 0).expect_err("never made"), OpenError::NotFound);
        let mixed = SessionRequest { id, epoch: 2, by_topic_id: false, wants: Vec::new(), forgotten: Vec::new() };
        let mixed = fixture.cache.open(mixed, &fixture.waiters, 0, || 0);
        assert_eq!(mixed.expect_err("names after ids"), OpenError::TopicIdMix);
        assert_eq!(fixture.open(id, -1, 1, 0).expect("ends").session_id, 0);
        assert_eq!(fixture.open(id, 2, 0, 0).expect_err("was ended"), OpenError::NotFound);
        assert_eq!(next_epoch(i32::MAX), 1);
    }

    #[test]
    fn a_session_without_partitions_ends() {
        let mut fixture = Fixture::new(2);
        let id = fixture.open(0, 0, 1, 0).expect("opens").session_id;
        let forgotten = vec![(TopicKey::Id(TopicId([1; 16])), 0)];
        let request = SessionRequest { id, epoch: 1, by_topic_id: true, wants: Vec::new(), forgotten };
        let opened = fixture.cache.open(request, &fixture.waiters, 0, || 0).expect("is answered");
        assert_eq!(opened.session_id, 0);
        assert_eq!(fixture.open(id, 2, 0, 0).expect_err("has ended"), OpenError::NotFound);
    }

    #[test]
    fn the_cache_is_bounded_and_evicts_by_kafkas_rules() {
        let mut fixture = Fixture::new(2);
        let small = fixture.open(0, 0, 1, 0).expect("opens").session_id;
        let large = fixture.open(0, 0, 5, 0).expect("opens").session_id;
        assert_eq!(fixture.open(0, 0, 9, EVICTION_MS).expect("is answered").session_id, 0, "both are young");
        fixture.open(small, 1, 0, EVICTION_MS).expect("goes on");
        fixture.open(large, 1, 0, EVICTION_MS).expect("goes on");
        let now = EVICTION_MS + 1;
        assert_eq!(fixture.open(0, 0, 1, now).expect("is answered").session_id, 0, "it is not larger");
        let newcomer = fixture.open(0, 0, 3, now).expect("opens").session_id;
        assert_ne!(newcomer, 0);
        assert_eq!(fixture.open(small, 2, 0, now).expect_err("had to go"), OpenError::NotFound);
        let late = fixture.open(0, 0, 1, 2 * EVICTION_MS + 1).expect("opens").session_id;
        assert_ne!(late, 0, "the large one was not used for too long");
        assert_eq!(fixture.open(large, 2, 0, now).expect_err("had to go"), OpenError::NotFound);
    }

    #[test]
    fn sessions_that_end_wait_for_nothing() {
        let mut fixture = Fixture::new(2);
        let opened = fixture.open(0, 0, 3, 0).expect("opens");
        let partition = ottla_storage::PartitionId { topic: TopicId([1; 16]), index: 2 };
        opened.view.watch(2, Some(partition));
        assert_eq!(fixture.waiters.len(), 1);
        let id = opened.session_id;
        drop(opened);
        fixture.cache.remove(id);
        assert_eq!(fixture.waiters.len(), 0);
    }
}
