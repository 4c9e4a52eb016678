//! Fetch (key 1), versions 4 to 18: records of partitions, waiting for them if asked to.
//!
//! Version 5 adds the log start offset, 7 sessions (KIP-227), 9 leader epochs (KIP-320), 11 the rack, 12 diverging epochs and the
//! flexible encoding, 13 topic ids in place of names, 15 to 18 what only replicas say.
//!
//! `max_bytes` is cut to `fetch.max.bytes`. The first batch is sent whole even above all limits (KIP-74). There are no other
//! replicas: no preferred one is ever named, and a request that calls itself a replica is served as a consumer. Larger requests
//! than any client has close the connection.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ottla_protocol::messages::{
    AbortedTransaction, EpochEndOffset, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, PartitionData,
};
use ottla_protocol::{Chunk, ErrorCode, RecordChunks, Uuid};
use ottla_storage::{FileRange, Isolation, TopicId};
use tokio::time::Instant;

use crate::context::{Context, Operation, Resource};
use crate::fetch::{Found, Limits, Opened, SessionRequest, TopicKey, Want, collect};
use crate::groups::wire::decode_up_to;
use crate::request::{Handled, Piece, Request};

const FIRST_VERSION_WITH_TOPIC_IDS: i16 = 13;
const UNKNOWN_OFFSET: i64 = -1;
/// The largest body, in bytes: names of a quarter of a million partitions.
const MAX_BODY_BYTES: usize = 8 << 20;
/// The longest a fetch is parked, whatever it asks for: timers have an end.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

pub(crate) async fn handle(context: Context, mut request: Request) -> Handled {
    let broker = context.broker().clone();
    // Dropped before the wait: a parked fetch keeps only what it still needs.
    let (opened, limits) = {
        let message: FetchRequest<'_> = decode_up_to(&request, MAX_BODY_BYTES)?;
        let limits = limits_of(&context, &request, &message);
        let session = session_request(&message, request.version);
        let random = || broker.random_u64();
        match broker.fetches.sessions.open(session, &broker.fetches.waiters, broker.monotonic_ms(), random) {
            Ok(opened) => (opened, limits),
            Err(error) => {
                return request.respond(&FetchResponse { error_code: error.code(), ..Default::default() });
            }
        }
    };
    request.body = Default::default();
    let Opened { view, session_id, all_partitions } = opened;
    let limits = Limits { all_partitions, ..limits };
    let in_session = session_id != 0;
    let mut unanswered =
        UnansweredSession { context: &context, session_id: if all_partitions { session_id } else { 0 } };
    let collected = collect(&context, view, limits, in_session).await;
    let (found, charge) = collected.tell(&limits);
    if !context.input_ended().is_requested() {
        unanswered.session_id = 0;
    }
    watch(&context, &found);
    Ok(respond(&context, &request, session_id, found, limits.isolation)?.charged(charge))
}

/// Notes who was given what, for the stories of groups.
fn watch(context: &Context, found: &[Found]) {
    if found.is_empty() {
        return;
    }
    let (broker, who) = (context.broker(), context.reader_identity());
    let now_ms = broker.wall_ms();
    for found in found.iter().filter(|found| found.error.is_none()) {
        if let Some(partition) = found.partition {
            broker.fetches.watch.note(partition, &who, found.want.fetch_offset, found.next_offset, now_ms);
        }
    }
}

/// Ends a new session whose client never learned its id, or cannot use it.
struct UnansweredSession<'a> {
    context: &'a Context,
    session_id: i32,
}

impl Drop for UnansweredSession<'_> {
    fn drop(&mut self) {
        if self.session_id != 0 {
            self.context.broker().fetches.sessions.remove(self.session_id);
        }
    }
}

fn limits_of(context: &Context, request: &Request, message: &FetchRequest<'_>) -> Limits {
    let config = context.broker().config();
    let settings = config.settings();
    let wait = Duration::from_millis(u64::try_from(message.max_wait_ms).unwrap_or(0)).min(LONGEST_WAIT);
    let of_quota = request.metered.as_ref().map_or(usize::MAX, |metered| metered.fetch_max_bytes());
    let max_bytes = size(message.max_bytes).min(settings.fetch_max_bytes).min(of_quota);
    Limits {
        // What can never come together is not waited for.
        min_bytes: size(message.min_bytes).min(max_bytes),
        max_bytes,
        deadline: Instant::now() + wait,
        isolation: match message.isolation_level {
            0 => Isolation::ReadUncommitted,
            _ => Isolation::ReadCommitted,
        },
        all_partitions: true,
    }
}

fn size(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

fn topic_key(version: i16, name: &str, id: Uuid) -> TopicKey {
    match version >= FIRST_VERSION_WITH_TOPIC_IDS {
        true => TopicKey::Id(TopicId(id.0)),
        false => TopicKey::Name(Arc::from(name)),
    }
}

fn session_request(message: &FetchRequest<'_>, version: i16) -> SessionRequest {
    let mut forgotten = Vec::new();
    for topic in &message.forgotten_topics_data {
        let key = topic_key(version, &topic.topic, topic.topic_id);
        forgotten.extend(topic.partitions.iter().map(|&index| (key.clone(), index)));
    }
    SessionRequest {
        id: message.session_id,
        epoch: message.session_epoch,
        by_topic_id: version >= FIRST_VERSION_WITH_TOPIC_IDS,
        wants: message.topics.iter().flat_map(|topic| wants(topic, version)).collect(),
        forgotten,
    }
}

fn wants<'m>(topic: &'m FetchTopic<'_>, version: i16) -> impl Iterator<Item = Want> + 'm {
    let key = topic_key(version, &topic.topic, topic.topic_id);
    topic.partitions.iter().map(move |partition| Want {
        topic: key.clone(),
        index: partition.partition,
        fetch_offset: partition.fetch_offset,
        current_leader_epoch: partition.current_leader_epoch,
        last_fetched_epoch: partition.last_fetched_epoch,
        max_bytes: size(partition.partition_max_bytes),
    })
}

fn respond(context: &Context, request: &Request, session_id: i32, found: Vec<Found>, isolation: Isolation) -> Handled {
    let mut response = FetchResponse { session_id, ..Default::default() };
    let mut last: Option<TopicKey> = None;
    let mut ranges = Vec::new();
    for found in found {
        if last.as_ref() != Some(&found.want.topic) {
            response.responses.push(topic_response(&found.want.topic));
            last = Some(found.want.topic.clone());
        }
        if let Some(topic) = response.responses.last_mut() {
            topic.partitions.push(partition_response(context, found, isolation, &mut ranges));
        }
    }
    request.respond_from_files(&response, ranges)
}

fn topic_response(topic: &TopicKey) -> FetchableTopicResponse<'static> {
    match topic {
        TopicKey::Name(name) => FetchableTopicResponse { topic: Cow::Owned(name.to_string()), ..Default::default() },
        TopicKey::Id(id) => FetchableTopicResponse { topic_id: Uuid(id.0), ..Default::default() },
    }
}

/// One partition's part of the answer. Records in files keep their place in it, and their ranges follow those of the
/// partitions before.
fn partition_response(
    context: &Context,
    found: Found,
    isolation: Isolation,
    ranges: &mut Vec<FileRange>,
) -> PartitionData {
    let mut data = PartitionData {
        partition_index: found.want.index,
        error_code: found.error,
        high_watermark: UNKNOWN_OFFSET,
        aborted_transactions: aborted_transactions(&found, isolation),
        records: Some(RecordChunks::default()),
        ..Default::default()
    };
    if !may_read(context, &found.want.topic) {
        data.error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        return data;
    }
    let chunks = found.pieces.into_iter().map(|piece| match piece {
        Piece::Memory(bytes) => Chunk::Here(bytes),
        Piece::File(range) => {
            let place = Chunk::Elsewhere(range.len_bytes());
            ranges.push(range);
            place
        }
    });
    data.records = Some(RecordChunks(chunks.collect()));
    if let Some(bounds) = found.bounds {
        data.high_watermark = bounds.high_watermark;
        data.last_stable_offset = bounds.last_stable_offset;
        data.log_start_offset = bounds.log_start_offset;
    }
    if let Some((epoch, end_offset)) = found.diverging {
        data.diverging_epoch = EpochEndOffset { epoch, end_offset };
    }
    data
}

/// The aborted transactions that touch what was read. Where there are none, this is where Kafka says so with an empty list and where
/// with null.
fn aborted_transactions(found: &Found, isolation: Isolation) -> Option<Vec<AbortedTransaction>> {
    let was_read = found.bounds.is_some() && found.diverging.is_none();
    let unknown = matches!(found.error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID);
    let told = |aborted: &ottla_storage::AbortedTransaction| AbortedTransaction {
        producer_id: aborted.producer_id,
        first_offset: aborted.first_offset,
    };
    let is_told = unknown || (was_read && isolation == Isolation::ReadCommitted);
    is_told.then(|| found.aborted.iter().map(told).collect())
}

fn may_read(context: &Context, topic: &TopicKey) -> bool {
    match topic {
        TopicKey::Name(name) => context.authorize(Operation::Read, Resource::Topic(name)),
        TopicKey::Id(id) => {
            let metadata = context.broker().engine().metadata();
            metadata.by_id(*id).is_none_or(|topic| context.authorize(Operation::Read, Resource::Topic(&topic.name)))
        }
    }
}
