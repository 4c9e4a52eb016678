//! The second half of a cleaning: what stays of each batch.

use std::collections::BTreeSet;

use bytes::Bytes;
use ottla_protocol::records::{BatchError, BatchHeader, Encoding, EndMarker, OpenBatch, Record, without_records};

use super::{Survey, open};

/// What becomes of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It stays as it is.
    Keep,
    /// This takes its place.
    Replace(Bytes),
    /// It goes.
    Remove,
}

/// What a cleaning did.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Records that stay.
    pub records_kept: u64,
    /// Records that go.
    pub records_removed: u64,
    /// Batches that could not be opened or not be written again; they stay as they are.
    pub batches_not_opened: u64,
}

/// Says what stays of the batches before the end of a survey.
pub struct Filter<'a> {
    survey: &'a Survey,
    now_ms: i64,
    delete_retention_ms: u64,
    counts: Counts,
    /// Producers of transactions that have records before the batch at hand, and no marker yet.
    with_records: BTreeSet<i64>,
}

/// What there is to do about one opened batch.
#[derive(Default)]
struct Judged {
    kept: u64,
    removed: u64,
    keeps_tombstones: bool,
}

impl<'a> Filter<'a> {
    /// One that goes by that survey. `now_ms` is the wall clock; `delete_retention_ms` counts from it for tombstones that no
    /// cleaning saw before.
    pub fn new(survey: &'a Survey, now_ms: i64, delete_retention_ms: u64) -> Self {
        let (counts, with_records) = (Counts::default(), BTreeSet::new());
        Self { survey, now_ms, delete_retention_ms, counts, with_records }
    }

    /// The offset from which on it keeps everything.
    pub fn end_offset(&self) -> i64 {
        self.survey.end_offset()
    }

    /// What became of the batches so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Decides about one batch. They come in the order of the log, from its start on.
    pub fn apply(&mut self, batch: &[u8]) -> Fate {
        let Ok(header) = BatchHeader::parse(batch) else { return self.keep_unopened() };
        if header.base_offset >= self.survey.end_offset() {
            return Fate::Keep;
        }
        if header.is_control() {
            return self.apply_marker(&header, batch).unwrap_or(Fate::Keep);
        }
        if self.survey.is_aborted(&header) {
            self.counts.records_removed += u64::from(header.record_count.unsigned_abs());
            return self.emptied(&header, batch).unwrap_or(Fate::Remove);
        }
        let kept_before = self.counts.records_kept;
        let fate = self.apply_records(batch);
        let keeps_any = self.counts.records_kept > kept_before || fate == Fate::Keep && header.record_count > 0;
        if header.is_transactional() && keeps_any {
            self.with_records.insert(header.producer_id);
        }
        fate
    }

    /// Nothing is left of a batch, but what rule 4 asks for.
    fn emptied(&self, header: &BatchHeader, batch: &[u8]) -> Result<Fate, BatchError> {
        let is_last = header.next_offset() == self.survey.end_offset();
        match (is_last, header.record_count) {
            (false, _) => Ok(Fate::Remove),
            (true, 0) => Ok(Fate::Keep),
            (true, _) => Ok(Fate::Replace(without_records(batch)?)),
        }
    }

    /// What becomes of a control batch.
    fn apply_marker(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<Fate, BatchError> {
        let has_records = self.with_records.remove(&header.producer_id);
        if header.record_count == 0 {
            return self.emptied(header, batch);
        }
        if has_records || EndMarker::of(batch).is_none() {
            return Ok(Fate::Keep);
        }
        match header.delete_horizon_ms() {
            Some(horizon_ms) if self.now_ms >= horizon_ms => {
                self.counts.records_removed += 1;
                self.emptied(header, batch)
            }
            Some(_) => Ok(Fate::Keep),
            None => {
                let horizon_ms = self.now_ms.saturating_add_unsigned(self.delete_retention_ms);
                let marked = open(batch)?.with_delete_horizon(horizon_ms)?;
                Ok(Fate::Replace(marked.rebuild(Encoding::None, |_| true)?))
            }
        }
    }

    fn apply_records(&mut self, batch: &[u8]) -> Fate {
        let Ok(opened) = open(batch) else { return self.keep_unopened() };
        let judged = self.judge(&opened);
        let fate = match self.fate(opened, &judged) {
            Ok(fate) => fate,
            Err(_) => return self.keep_unopened(),
        };
        self.counts.records_kept += judged.kept;
        self.counts.records_removed += judged.removed;
        fate
    }

    fn keep_unopened(&mut self) -> Fate {
        self.counts.batches_not_opened += 1;
        Fate::Keep
    }

    fn judge(&self, opened: &OpenBatch<'_>) -> Judged {
        let mut judged = Judged::default();
        for record in opened.records().flatten() {
            if self.keeps(&opened.header, &record) {
                judged.kept += 1;
                judged.keeps_tombstones |= record.value.is_none();
            } else {
                judged.removed += 1;
            }
        }
        judged
    }

    fn keeps(&self, header: &BatchHeader, record: &Record<'_>) -> bool {
        if record.offset >= self.survey.end_offset() {
            return true;
        }
        let is_newest = record.key.is_some_and(|key| self.survey.is_newest(key, record.offset));
        let has_passed = header.delete_horizon_ms().is_some_and(|horizon_ms| self.now_ms >= horizon_ms);
        is_newest && (record.value.is_some() || !has_passed)
    }

    fn fate(&self, opened: OpenBatch<'_>, judged: &Judged) -> Result<Fate, BatchError> {
        let header = opened.header;
        if judged.kept == 0 {
            let is_last = header.next_offset() == self.survey.end_offset();
            return match (is_last, judged.removed) {
                (false, _) => Ok(Fate::Remove),
                (true, 0) => Ok(Fate::Keep),
                (true, _) => Ok(Fate::Replace(opened.rebuild(Encoding::None, |_| false)?)),
            };
        }
        // Without one a tombstone stays for good: where its key was not noted, what it deletes may still be there.
        let needs_horizon = judged.keeps_tombstones
            && header.delete_horizon_ms().is_none()
            && self.survey.has_noted(header.base_offset);
        if judged.removed == 0 && !needs_horizon {
            return Ok(Fate::Keep);
        }
        let encoding = Encoding::of(header.compression()?);
        // The records are judged by the horizon that the batch came with: a new one does not end before this cleaning does.
        let keep = |record: &Record<'_>| self.keeps(&header, record);
        let rebuilt = if needs_horizon {
            let horizon_ms = self.now_ms.saturating_add_unsigned(self.delete_retention_ms);
            opened.with_delete_horizon(horizon_ms)?.rebuild(encoding, keep)?
        } else {
            opened.rebuild(encoding, keep)?
        };
        Ok(Fate::Replace(rebuilt))
    }
}
