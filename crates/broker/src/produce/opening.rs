//! Opening batches off the reactor, bounded in number and in memory.
//!
//! Two requests have their batches opened at the same time; what an open batch takes is bounded by [`super::inspect`]. What was
//! written anew stays in memory until it is appended, and the request's own bytes, which are accounted for, say nothing
//! about its size: so it has an account of its own. A request waits for that while it still has its turn at opening,
//! with all its memory asked for at once, so those that have theirs never wait for anything but the engine.

use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ErrorCode;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Rejection;
use super::inspect::{OPENED_MAX_BYTES, inspect};
use crate::config::TopicSettings;

/// Requests whose batches are opened at the same time, in the whole process.
const OPEN_AT_ONCE: usize = 2;
/// By how much a request may grow when its batches are written anew.
const GROWTH_MAX_BYTES: usize = OPENED_MAX_BYTES;
/// What batches that were written anew may take together until they are appended.
const REWRITTEN_MAX_BYTES: usize = 256 * 1024 * 1024;
const UNIT_BYTES: usize = 1024;
const REWRITTEN_UNITS: usize = REWRITTEN_MAX_BYTES / UNIT_BYTES;

static OPENING: Semaphore = Semaphore::const_new(OPEN_AT_ONCE);
static REWRITTEN: Semaphore = Semaphore::const_new(REWRITTEN_UNITS);

/// A batch to look into.
#[derive(Clone, Debug)]
pub(crate) struct Inspection {
    /// The batch.
    pub(crate) batch: Bytes,
    /// What its topic asks for.
    pub(crate) topic: Arc<TopicSettings>,
}

/// What became of batches.
#[derive(Debug)]
pub(crate) struct Opened {
    /// For each, in order: how it is stored, or why it is refused.
    pub(crate) verdicts: Vec<Result<Bytes, Rejection>>,
    /// The share of the account; to be kept until the batches are appended.
    pub(crate) share: Option<SemaphorePermit<'static>>,
}

/// Looks into batches, once it is their turn.
pub(crate) async fn open_all(inspections: Vec<Inspection>, now_ms: i64) -> Opened {
    let count = inspections.len();
    let turn = OPENING.acquire().await;
    // The turn goes with the work: a connection that is closed meanwhile drops this future, but the thread goes on.
    let opened = tokio::task::spawn_blocking(move || (inspect_each(&inspections, now_ms), turn));
    // It fails only by a panic, which must not let a batch through.
    let Ok(((verdicts, rewritten_bytes), turn)) = opened.await else {
        return Opened { verdicts: vec![Err(ErrorCode::UNKNOWN_SERVER_ERROR.into()); count], share: None };
    };
    let share = match rewritten_bytes.div_ceil(UNIT_BYTES).min(REWRITTEN_UNITS) {
        0 => None,
        units => REWRITTEN.acquire_many(u32::try_from(units).unwrap_or(u32::MAX)).await.ok(),
    };
    drop(turn);
    Opened { verdicts, share }
}

/// The verdicts, and how many bytes were written anew.
fn inspect_each(inspections: &[Inspection], now_ms: i64) -> (Vec<Result<Bytes, Rejection>>, usize) {
    let came: usize = inspections.iter().map(|inspection| inspection.batch.len()).sum();
    let room = came.saturating_add(GROWTH_MAX_BYTES);
    let mut rewritten_bytes = 0;
    let mut verdict = |inspection: &Inspection| {
        let stored = inspect(&inspection.batch, &inspection.topic, now_ms)?;
        if stored.as_ptr() != inspection.batch.as_ptr() {
            if stored.len() > room - rewritten_bytes {
                return Err(too_much());
            }
            rewritten_bytes += stored.len();
        }
        Ok(stored)
    };
    let verdicts = inspections.iter().map(&mut verdict).collect();
    (verdicts, rewritten_bytes)
}

fn too_much() -> Rejection {
    let message = format!(
        "the batches of this request grow by more than {GROWTH_MAX_BYTES} bytes as their topics store them; send fewer in one request"
    );
    Rejection::new(ErrorCode::RECORD_LIST_TOO_LARGE, message)
}

#[cfg(test)]
mod tests {
    use ottla_protocol::records::{BatchBuilder, Encoding};

    use super::*;

    #[test]
    fn a_request_may_not_grow_without_bound() {
        let mut builder = BatchBuilder::new();
        builder.push(1_000, None, Some(&vec![0; 20 << 20]), &[]);
        let batch = builder.build_compressed(Encoding::Zstd(1)).expect("compresses");
        let topic = TopicSettings {
            stored_as: Some(Encoding::None),
            max_message_bytes: usize::MAX,
            ..super::super::default_topic()
        };
        let inspection = Inspection { batch, topic: Arc::new(topic) };
        let (verdicts, rewritten_bytes) = inspect_each(&vec![inspection; 5], 1_000);
        let codes: Vec<_> = verdicts
            .iter()
            .map(|verdict| verdict.as_ref().map_or_else(|refused| refused.error, |_| ErrorCode::NONE))
            .collect();
        let too_large = ErrorCode::RECORD_LIST_TOO_LARGE;
        assert_eq!(codes, [ErrorCode::NONE, ErrorCode::NONE, ErrorCode::NONE, too_large, too_large]);
        assert!((60 << 20..OPENED_MAX_BYTES).contains(&rewritten_bytes));
    }
}
