//! Going through record batches in a file, past what is damaged.

use std::io;

use ottla_protocol::records::{BatchHeader, HEADER_BYTES};

use super::view::View;
use crate::batches::LEADER_EPOCH;

/// Where the CRC-32C of a batch begins to cover it.
const COVERED_FROM: u64 = 21;

/// A batch that is whole and matches its checksum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BatchAt {
    pub(super) position: u64,
    pub(super) header: BatchHeader,
}

/// What lies next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    Batch(BatchAt),
    /// Bytes that are no batch that belongs there, up to `until`.
    Bad {
        position: u64,
        until: u64,
        what: &'static str,
        /// The offsets that are missing: from here, up to but without the other.
        from: i64,
        to: i64,
    },
}

/// What offsets may lie where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Offsets {
    /// That of the next record.
    pub(super) next: i64,
    /// The offset after the last record.
    pub(super) end: i64,
    /// Whether offsets may be left out, as compaction does.
    pub(super) gaps: bool,
}

/// A walk over the batches between two places of a file.
pub(super) struct BatchWalk {
    pub(super) view: View,
    position: u64,
    end: u64,
    pub(super) offsets: Offsets,
}

impl BatchWalk {
    /// From `position` to `end`, or to the file's end where that comes before.
    pub(super) fn new(view: View, position: u64, end: u64, offsets: Offsets) -> Self {
        let end = end.min(view.end());
        Self { view, position, end, offsets }
    }

    /// The next batch, or the next damage; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Next>> {
        if self.position >= self.end {
            return Ok(None);
        }
        let at = self.position;
        match self.look(at)? {
            Ok(batch) => {
                self.position += batch.header.total_bytes() as u64;
                self.offsets.next = batch.header.next_offset();
                Ok(Some(Next::Batch(batch)))
            }
            Err(what) => {
                let good = self.next_good()?;
                let until = good.map_or(self.end, |good| good.position);
                let from = self.offsets.next;
                let to = good.map_or(self.offsets.end, |good| good.header.base_offset);
                self.position = until;
                self.offsets.next = to;
                Ok(Some(Next::Bad { position: at, until, what, from, to }))
            }
        }
    }

    /// The batch at a position, or what is wrong with it.
    fn look(&mut self, position: u64) -> io::Result<Result<BatchAt, &'static str>> {
        let Some(header) = self.header(position)? else { return Ok(Err("there is no record batch")) };
        if let Err(what) = self.fits(&header) {
            return Ok(Err(what));
        }
        let range = position + COVERED_FROM..position + header.total_bytes() as u64;
        let matches = self.view.crc_32c(range)? == Some(header.crc);
        Ok(if matches { Ok(BatchAt { position, header }) } else { Err("a record batch does not match its CRC-32C") })
    }

    /// A header at a position whose batch ends within the walk.
    fn header(&mut self, position: u64) -> io::Result<Option<BatchHeader>> {
        let left = self.end.saturating_sub(position);
        let header = BatchHeader::parse(self.view.at(position, HEADER_BYTES)?).ok();
        Ok(header.filter(|header| header.total_bytes() as u64 <= left && header.last_offset_delta >= 0))
    }

    /// Whether a batch may lie where the walk is.
    fn fits(&self, header: &BatchHeader) -> Result<(), &'static str> {
        let Offsets { next, end, gaps } = self.offsets;
        if header.base_offset < next || header.next_offset() <= next {
            return Err("a record batch has offsets that were there before");
        }
        if header.base_offset != next && !gaps {
            return Err("a record batch has other offsets than those that follow");
        }
        if header.base_offset >= end || header.next_offset() > end {
            return Err("a record batch has offsets beyond the end");
        }
        if header.partition_leader_epoch != LEADER_EPOCH {
            return Err("a record batch has a leader epoch that was never written");
        }
        Ok(())
    }

    /// The next good batch after the damage at the position: where the damaged one says that it ends, or else wherever one
    /// is found.
    fn next_good(&mut self) -> io::Result<Option<BatchAt>> {
        let gaps = std::mem::replace(&mut self.offsets.gaps, true);
        let found = self.search();
        self.offsets.gaps = gaps;
        found
    }

    fn search(&mut self) -> io::Result<Option<BatchAt>> {
        if let Some(damaged) = self.header(self.position)?
            && let Ok(batch) = self.look(self.position + damaged.total_bytes() as u64)?
        {
            return Ok(Some(batch));
        }
        for position in self.position + 1..self.end {
            let plausible = self.header(position)?.is_some_and(|header| self.fits(&header).is_ok());
            if plausible && let Ok(batch) = self.look(position)? {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}
