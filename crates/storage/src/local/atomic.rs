//! Appends to several partitions at once, all or nothing: how a transaction ends.
//!
//! All parts are decided before anything changes, and lie in one frame of the log, which a start finds whole or not at all. What
//! the frame holds becomes visible with everything else of its group, under one lock.

use super::flusher::Flusher;
use super::group::{Group, Placed};
use super::inbox::{Prepared, PreparedBatches};
use super::planted::planted;
use super::wal::{ATOMIC_HEAD_BYTES, PART_HEAD_BYTES};
use crate::batches::{BatchSpan, set_offsets};
use crate::decide::Decision;
use crate::{AppendError, Appended, Durability, PartitionId};

/// A part that is to be written.
struct Part {
    partition: PartitionId,
    batches: PreparedBatches,
    first_offset: i64,
}

/// How large the payload of the frame will be at most.
pub(super) fn payload_bytes(appends: &[Prepared]) -> usize {
    let bytes = |append: &Prepared| append.batches.as_ref().map_or(0, |batches| batches.bytes.len());
    ATOMIC_HEAD_BYTES + appends.iter().map(|append| PART_HEAD_BYTES + bytes(append)).sum::<usize>()
}

impl Flusher {
    pub(super) fn decide_atomically(
        &mut self,
        appends: Vec<Prepared>,
        group: &mut Group,
    ) -> Result<Vec<Appended>, AppendError> {
        let (mut parts, mut answers) = (Vec::new(), Vec::new());
        let mut flush = false;
        for append in appends {
            let partition = append.partition;
            self.state.check_dependency(&append, self.planted)?;
            let state = self.state.partitions.get(&partition).ok_or(AppendError::UnknownPartition)?;
            let decision = state.decide(&append, self.planted)?;
            let batches = append.batches?;
            let (first_offset, log_start_offset) = (state.end_offset, state.log_start_offset);
            flush |= append.durability == Durability::Flush;
            answers.push(match decision {
                Decision::Refuse(refusal) => return Err(AppendError::Refused(refusal)),
                Decision::Duplicate { first_offset, end_offset } => {
                    Appended { first_offset, end_offset, log_start_offset, duplicate: true }
                }
                Decision::Accept => {
                    let count = |span: &BatchSpan| i64::from(span.record_count);
                    let end_offset = batches.spans.iter().map(count).fold(first_offset, i64::saturating_add);
                    parts.push(Part { partition, batches, first_offset });
                    Appended { first_offset, end_offset, log_start_offset, duplicate: false }
                }
            });
        }
        group.flush |= flush;
        if planted!(self.planted, AtomicInPieces) {
            parts.into_iter().for_each(|part| self.take_parts(vec![part], flush, group));
        } else if !parts.is_empty() {
            self.take_parts(parts, flush, group);
        }
        Ok(answers)
    }

    /// Accepts parts, and puts them into one frame.
    fn take_parts(&mut self, parts: Vec<Part>, flush: bool, group: &mut Group) {
        let payload: Vec<_> = parts.iter().map(|part| (part.partition, &part.batches.bytes[..])).collect();
        let places = self.wal.put_atomic(&payload, |number, batches| {
            if let Some(part) = parts.get(number) {
                set_offsets(batches, &part.batches.spans, part.first_offset);
            }
        });
        for (part, place) in parts.into_iter().zip(places) {
            let Part { partition, batches: PreparedBatches { spans, .. }, first_offset } = part;
            let Some(state) = self.state.partitions.get_mut(&partition) else { continue };
            let aborted = state.accept(&spans, self.now_ms);
            let first_open_offset = state.first_open_offset(&aborted, self.planted);
            if !flush {
                let messages = (state.end_offset - first_offset).unsigned_abs();
                group.flush |= self.unflushed.count(&self.state.metadata, partition, messages);
            }
            group.placed.push(Placed { partition, place, spans, first_offset, first_open_offset, aborted });
        }
    }
}
