//! What was read past the page cache, in a few buffers that are used again and again.
//!
//! A reader that goes through cold data wants every byte once. In the page cache each of its pages would have to be found,
//! filled, handed out and dropped again, which costs more than all else that a consumed byte costs, and pushes out what others
//! need. So such records are read directly, in chunks that begin at a block and end where they are wanted to. All readers of a
//! chunk share it; the least recently used goes first, and those that were sent to their end before all others. Chunks that
//! are being sent stay.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::courtesy::Courtesy;
use crate::local::disk::{AlignedBuffer, BLOCK_BYTES, DiskFile};

/// What a buffer takes: a page, where the system has large ones.
const BUFFER_BYTES: usize = 2 << 20;

/// What a chunk holds at least where so much is wanted, wherever in a block it begins.
pub(super) const CHUNK_BYTES: u64 = (BUFFER_BYTES - BLOCK_BYTES) as u64;

/// Where a chunk begins: the number of an open file, and a multiple of a block.
type ChunkId = (u64, u64);

/// When a chunk was last used, by the count of uses; in front, what counts for its turn to go.
type Used = (u64, u64);

/// A chunk that was sent to its end goes as if it had not been used for so many uses of others. What has really not been used
/// for so long was read ahead for somebody who went away.
const SENT_IS_OLDER_BY: u64 = 256;

/// For whom a chunk is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Demand {
    /// Somebody waits for it.
    Now,
    /// Somebody may want it next. It takes nobody's buffer for that.
    Ahead,
}

/// Up to `limit` chunks.
pub(super) struct Chunks {
    limit: usize,
    state: Mutex<State>,
    loaded: Condvar,
    courtesy: Courtesy,
}

struct State {
    chunks: BTreeMap<ChunkId, Entry>,
    /// In the order in which they go.
    by_use: BTreeMap<Used, ChunkId>,
    uses: u64,
    free: Vec<AlignedBuffer>,
    /// With where they will end.
    loading: Vec<(ChunkId, u64)>,
}

struct Entry {
    chunk: Arc<Chunk>,
    used: Used,
}

/// Bytes of a file.
pub(super) struct Chunk {
    buffer: AlignedBuffer,
    start: u64,
    /// So many of them count.
    bytes: usize,
}

impl Chunk {
    /// Where it ends in the file.
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes as u64
    }

    /// Up to `most` of what it holds from a position in the file on, which lies in it. That keeps it in memory.
    pub(super) fn part(self: &Arc<Self>, position: u64, most: usize) -> Bytes {
        struct Owner(Arc<Chunk>, u64);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                self.0.from(self.1)
            }
        }
        let mut part = Bytes::from_owner(Owner(self.clone(), position));
        part.truncate(most);
        part
    }

    /// What it holds from a position in the file on, which lies in it.
    pub(super) fn from(&self, position: u64) -> &[u8] {
        let before = usize::try_from(position - self.start).unwrap_or(usize::MAX);
        self.buffer.as_slice().get(before..self.bytes).unwrap_or_default()
    }
}

impl Chunks {
    /// None yet. Memory is taken when it is first needed.
    pub(super) fn new(limit: usize, courtesy: Courtesy) -> Self {
        Self { limit, state: Mutex::new(State::default()), loaded: Condvar::new(), courtesy }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The chunk that holds that position of a file, if it is here.
    pub(super) fn get(&self, file: u64, position: u64) -> Option<Arc<Chunk>> {
        let mut state = self.lock();
        let (id, chunk) = state.find(file, position).map(|(id, entry)| (id, entry.chunk.clone()))?;
        state.place(id, 0);
        Some(chunk)
    }

    /// Whether that position of a file is here. Nobody uses it by asking.
    pub(super) fn has(&self, file: u64, position: u64) -> bool {
        self.lock().find(file, position).is_some()
    }

    /// Reads from `position` on, up to `end` at most, where the file has what it should; `None` where no buffer can be had.
    pub(super) fn load(
        &self,
        (file, direct): (u64, &dyn DiskFile),
        position: u64,
        end: u64,
        demand: Demand,
    ) -> io::Result<Option<Arc<Chunk>>> {
        let start = position / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
        let bytes = end.saturating_sub(start).min(BUFFER_BYTES as u64) as usize;
        let id = (file, start);
        let Some(mut buffer) = self.begin(id, position, start + bytes as u64, demand) else {
            return Ok(self.get(file, position));
        };
        let whole = bytes.next_multiple_of(BLOCK_BYTES);
        let read = self.courtesy.read_at(direct, buffer.as_mut_slice().get_mut(..whole).unwrap_or_default(), start);
        let read = read.and_then(|count| if count < bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) });
        let mut state = self.lock();
        state.loading.retain(|(loading, _)| *loading != id);
        let chunk = match read {
            Ok(()) => Ok(Some(state.put(id, Chunk { buffer, start, bytes }))),
            Err(error) => {
                state.free.push(buffer);
                Err(error)
            }
        };
        drop(state);
        self.loaded.notify_all();
        chunk
    }

    /// A buffer to load a chunk into; `None` where its position is here by now, or there is none to be had. Waits for whoever
    /// loads that position.
    fn begin(&self, id: ChunkId, position: u64, end: u64, demand: Demand) -> Option<AlignedBuffer> {
        let is_loading = |state: &mut State| {
            state.loading.iter().any(|&((file, start), end)| file == id.0 && (start..end).contains(&position))
        };
        let mut state = self.loaded.wait_while(self.lock(), is_loading).unwrap_or_else(PoisonError::into_inner);
        if state.find(id.0, position).is_some() {
            return None;
        }
        let buffer = state.take(id).or_else(|| state.buffer(self.limit, demand))?;
        state.loading.push((id, end));
        Some(buffer)
    }

    /// Says that somebody has sent a file up to that position.
    pub(super) fn passed(&self, file: u64, position: u64) {
        let mut state = self.lock();
        // The next chunk may begin with the block that this one ends in.
        let mut before = state.chunks.range(..(file, position)).rev().take(2);
        let ended = before.find(|(id, entry)| id.0 == file && entry.chunk.end() == position);
        if let Some(id) = ended.map(|(id, _)| *id) {
            state.place(id, SENT_IS_OLDER_BY);
        }
    }

    /// Gives the memory of all chunks back that nobody is using.
    pub(super) fn release(&self) {
        let mut state = self.lock();
        let ids: Vec<ChunkId> = state.chunks.keys().copied().collect();
        let freed: Vec<_> = ids.into_iter().filter_map(|id| state.take(id)).collect();
        let free = std::mem::take(&mut state.free);
        drop(state);
        drop((freed, free));
    }
}

impl Default for State {
    fn default() -> Self {
        let uses = SENT_IS_OLDER_BY;
        Self { chunks: BTreeMap::new(), by_use: BTreeMap::new(), uses, free: Vec::new(), loading: Vec::new() }
    }
}

impl State {
    fn find(&self, file: u64, position: u64) -> Option<(ChunkId, &Entry)> {
        let (id, entry) = self.chunks.range(..=(file, position)).next_back()?;
        (id.0 == file && position < entry.chunk.end()).then_some((*id, entry))
    }

    /// Says when a chunk's turn to go comes: as of now, or earlier.
    fn place(&mut self, id: ChunkId, older_by: u64) {
        let used = self.next_use(older_by);
        let Some(entry) = self.chunks.get_mut(&id) else { return };
        self.by_use.remove(&entry.used);
        entry.used = used;
        self.by_use.insert(used, id);
    }

    fn next_use(&mut self, older_by: u64) -> Used {
        self.uses += 1;
        (self.uses.saturating_sub(older_by), self.uses)
    }

    fn put(&mut self, id: ChunkId, chunk: Chunk) -> Arc<Chunk> {
        let (used, chunk) = (self.next_use(0), Arc::new(chunk));
        self.by_use.insert(used, id);
        if let Some(shorter) = self.chunks.insert(id, Entry { chunk: chunk.clone(), used }) {
            self.by_use.remove(&shorter.used);
        }
        chunk
    }

    /// Takes a chunk out, if nobody is using it: who does keeps it, and it stays here.
    fn take(&mut self, id: ChunkId) -> Option<AlignedBuffer> {
        // Nobody gets one but under the lock, so what nobody has now, nobody has.
        let entry = self.chunks.remove(&id)?;
        match Arc::try_unwrap(entry.chunk) {
            Ok(chunk) => {
                self.by_use.remove(&entry.used);
                Some(chunk.buffer)
            }
            Err(chunk) => {
                self.chunks.insert(id, Entry { chunk, ..entry });
                None
            }
        }
    }

    fn buffer(&mut self, limit: usize, demand: Demand) -> Option<AlignedBuffer> {
        if let Some(buffer) = self.free.pop() {
            return Some(buffer);
        }
        if self.chunks.len() + self.loading.len() < limit {
            let mut buffer = AlignedBuffer::new();
            buffer.extend_zeros(BUFFER_BYTES);
            return Some(buffer);
        }
        let is_old = |used: &Used| used.0 + SENT_IS_OLDER_BY <= self.uses + 1;
        let goes = |(used, _): &(&Used, &ChunkId)| demand == Demand::Now || is_old(used);
        let ids: Vec<ChunkId> = self.by_use.iter().take_while(goes).map(|(_, id)| *id).collect();
        ids.into_iter().find_map(|id| self.take(id))
    }
}

#[cfg(test)]
#[path = "chunks_tests.rs"]
mod tests;
