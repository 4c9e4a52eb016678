//! Who fetches what: Fetch carries no group, so what a group's members read is concluded from this. Kept is, for each partition and each
//! client that looks like another (name, address, software), when it last fetched and which offsets it was given.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use ottla_storage::PartitionId;

use super::lock;
use crate::context::Software;

/// A reader that was not heard of for so long is forgotten, in milliseconds.
const FORGOTTEN_AFTER_MS: i64 = 10 * 60 * 1_000;
/// So many readers are kept before the silent ones are looked for.
const MANY_READERS: usize = 10_000;
/// So many ranges of offsets are kept of a reader; of one with more nothing is said any more.
const MOST_RANGES: usize = 16;
/// So many readers are kept of a partition; another one takes the place of who was silent longest.
const MOST_READERS: usize = 64;
/// So much of a client's name is kept, in bytes.
const MOST_NAME_BYTES: usize = 256;

/// What a client says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ReaderIdentity {
    pub(crate) client_id: Arc<str>,
    pub(crate) address: IpAddr,
    pub(crate) software: Option<Software>,
}

impl ReaderIdentity {
    /// Of a client's name, address and software; a name that is too long is cut.
    pub(crate) fn new(client_id: Option<&Arc<str>>, address: IpAddr, software: Option<Software>) -> Self {
        let client_id = match client_id {
            None => Arc::from(""),
            Some(name) if name.len() <= MOST_NAME_BYTES => name.clone(),
            Some(name) => {
                let fits = (0..=MOST_NAME_BYTES).rev().find(|&length| name.is_char_boundary(length)).unwrap_or(0);
                Arc::from(name.get(..fits).unwrap_or_default())
            }
        };
        ReaderIdentity { client_id, address, software }
    }
}

/// A client that fetches from a partition.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) who: Arc<ReaderIdentity>,
    /// Wall time of the last fetch that brought something or asked anew, in milliseconds.
    pub(crate) last_ms: i64,
    /// Up to where it was given records the last time; it may have been further before.
    pub(crate) position: i64,
    /// What it was given: from the first offset to that after the last, ascending.
    pub(crate) ranges: Vec<(i64, i64)>,
    /// It was given more than these.
    is_incomplete: bool,
}

impl Reader {
    fn note(&mut self, from: i64, to: i64) {
        self.position = to;
        let at = self.ranges.partition_point(|(_, end)| *end < from);
        let overlapping = self.ranges.iter().skip(at).take_while(|(start, _)| *start <= to).count();
        let merged = self.ranges.drain(at..at + overlapping).fold((from, to), |(a, b), (c, d)| (a.min(c), b.max(d)));
        self.ranges.insert(at, merged);
        if self.ranges.len() > MOST_RANGES {
            self.ranges.remove(0);
            self.is_incomplete = true;
        }
    }
}

/// All readers.
#[derive(Debug, Default)]
pub(crate) struct FetchWatch {
    readers: Mutex<Readers>,
}

#[derive(Debug, Default)]
struct Readers {
    by_partition: HashMap<PartitionId, Vec<Reader>>,
    count: usize,
    /// At how many readers the silent ones are looked for again.
    look_at: usize,
}

impl FetchWatch {
    /// A client fetched at offset `from`, and was given records up to `to` (the same, if there were none).
    pub(crate) fn note(&self, partition: PartitionId, who: &Arc<ReaderIdentity>, from: i64, to: i64, now_ms: i64) {
        let mut all = lock(&self.readers);
        let readers = all.by_partition.entry(partition).or_default();
        if let Some(reader) = readers.iter_mut().find(|reader| reader.who == *who) {
            reader.last_ms = now_ms;
            return reader.note(from, to);
        }
        let reader =
            Reader { who: who.clone(), last_ms: now_ms, position: to, ranges: vec![(from, to)], is_incomplete: false };
        if readers.len() >= MOST_READERS {
            if let Some(silent) = readers.iter_mut().min_by_key(|reader| reader.last_ms) {
                *silent = reader;
            }
            return;
        }
        readers.push(reader);
        all.count += 1;
        if all.count > all.look_at.max(MANY_READERS) {
            all.forget_silent(now_ms);
        }
    }

    /// Who fetches from a partition.
    pub(crate) fn readers(&self, partition: PartitionId, now_ms: i64) -> Vec<Reader> {
        let all = lock(&self.readers);
        let readers = all.by_partition.get(&partition).into_iter().flatten();
        readers.filter(|reader| !is_forgotten(reader, now_ms)).cloned().collect()
    }

    /// What a client was given of a partition; `None` if it fetched nothing, or in too many pieces to remember.
    pub(crate) fn ranges(&self, partition: PartitionId, who: &ReaderIdentity) -> Option<Vec<(i64, i64)>> {
        let all = lock(&self.readers);
        let reader = all.by_partition.get(&partition)?.iter().find(|reader| *reader.who == *who)?;
        (!reader.is_incomplete).then(|| reader.ranges.clone())
    }
}

fn is_forgotten(reader: &Reader, now_ms: i64) -> bool {
    now_ms.saturating_sub(reader.last_ms) > FORGOTTEN_AFTER_MS
}

impl Readers {
    fn forget_silent(&mut self, now_ms: i64) {
        self.by_partition.retain(|_, readers| {
            readers.retain(|reader| !is_forgotten(reader, now_ms));
            !readers.is_empty()
        });
        self.count = self.by_partition.values().map(Vec::len).sum();
        self.look_at = self.count * 2;
    }
}

#[cfg(test)]
mod tests {
    use ottla_storage::TopicId;

    use super::*;

    fn reader() -> Arc<ReaderIdentity> {
        Arc::new(ReaderIdentity { client_id: "a".into(), address: IpAddr::from([127, 0, 0, 1]), software: None })
    }

    #[test]
    fn what_was_given_is_kept_as_ranges() {
        let (watch, who) = (FetchWatch::default(), reader());
        let partition = PartitionId { topic: TopicId([1; 16]), index: 0 };
        for (from, to) in [(0, 10), (10, 20), (20, 20), (50, 60), (15, 25), (60, 70)] {
            watch.note(partition, &who, from, to, 1);
        }
        assert_eq!(watch.ranges(partition, &who), Some(vec![(0, 25), (50, 70)]));
        watch.note(partition, &who, 20, 55, 1);
        assert_eq!(watch.ranges(partition, &who), Some(vec![(0, 70)]));
    }

    #[test]
    fn a_partition_has_room_for_so_many_readers() {
        let watch = FetchWatch::default();
        let partition = PartitionId { topic: TopicId([1; 16]), index: 0 };
        for name in 0..500 {
            let name: Arc<str> = format!("{name}{}", "x".repeat(30_000)).into();
            let who = ReaderIdentity::new(Some(&name), IpAddr::from([127, 0, 0, 1]), None);
            assert_eq!(who.client_id.len(), MOST_NAME_BYTES);
            watch.note(partition, &Arc::new(who), 0, 1, 1);
        }
        assert_eq!(watch.readers(partition, 1).len(), MOST_READERS);
    }

    #[test]
    fn who_went_back_is_where_it_went() {
        let (watch, who) = (FetchWatch::default(), reader());
        let partition = PartitionId { topic: TopicId([1; 16]), index: 0 };
        for (from, to) in [(0, 50), (10, 20)] {
            watch.note(partition, &who, from, to, 1);
        }
        let positions: Vec<i64> = watch.readers(partition, 1).iter().map(|reader| reader.position).collect();
        assert_eq!(positions, [20]);
    }

    #[test]
    fn of_a_reader_in_many_pieces_nothing_is_said() {
        let (watch, who) = (FetchWatch::default(), reader());
        let partition = PartitionId { topic: TopicId([1; 16]), index: 0 };
        (0..=MOST_RANGES as i64).for_each(|piece| watch.note(partition, &who, piece * 10, piece * 10 + 1, 1));
        assert_eq!(watch.ranges(partition, &who), None);
    }

    #[test]
    fn silent_readers_are_forgotten() {
        let (watch, who) = (FetchWatch::default(), reader());
        for index in 0..=MANY_READERS as i32 {
            let partition = PartitionId { topic: TopicId([1; 16]), index };
            watch.note(partition, &who, 0, 1, i64::from(index) * 1_000);
        }
        let left = lock(&watch.readers).by_partition.len();
        assert!(left < MANY_READERS, "{left}");
    }
}
