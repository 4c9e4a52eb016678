//! Whether a segment and its index hold what the manifest says they hold.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batches::{BatchAt, BatchWalk, Next, Offsets};
use super::report::{Damage, Lost};
use super::view::View;
use crate::PartitionId;
use crate::local::disk::{Disk, OpenHow};
use crate::local::segments::{
    ENTRY_BYTES, FIRST_BATCH_AT, FileKind, IndexEntry, SegmentMeta, SegmentName, check_header, entry_at,
};

/// How many damaged places of one file are told one by one.
const PLACES_TOLD: usize = 16;

/// A partition whose segments are looked at.
pub(super) struct Partition<'a> {
    pub(super) disk: &'a dyn Disk,
    /// The data folder, which paths are told from.
    pub(super) root: &'a Path,
    /// The partition's folder.
    pub(super) folder: PathBuf,
    pub(super) id: PartitionId,
    pub(super) topic: Arc<str>,
    /// Nobody misses what lies below.
    pub(super) log_start_offset: i64,
}

impl Partition<'_> {
    /// Looks at one segment; answers how many of its batches are good.
    pub(super) fn check_segment(&self, meta: &SegmentMeta, damage: &mut Vec<Damage>) -> u64 {
        let mut told = Told { partition: self, path: meta.name().log_path(&self.folder), meta, damage, places: 0 };
        let mut index = IndexCheck::open(self, meta);
        let mut batches = 0;
        match self.walk(meta, &mut told, |next| match next {
            Next::Batch(batch) => {
                batches += 1;
                index.take(batch);
            }
            Next::Bad { .. } => index.lose_track(),
        }) {
            Ok(true) => damage.extend(index.end()),
            Ok(false) => {}
            Err(error) => told.whole(None, format!("it cannot be read: {error}")),
        }
        batches
    }

    /// Looks at a segment file of which nothing is known but its name. Where its batches end is taken for its end: what a crash
    /// left behind them cannot be told from damage there.
    pub(super) fn check_unknown(&self, name: SegmentName, damage: &mut Vec<Damage>) -> io::Result<Found> {
        let path = name.log_path(&self.folder);
        let mut view = View::new(self.disk.open(&path, OpenHow::READ)?, u64::MAX)?;
        let mut found = Found { bytes: view.end(), batches: 0, end_offset: name.base_offset };
        let mut tell = |byte, what: &str, lost: Option<Lost>| {
            let (path, what, lost) = (relative(self.root, &path), what.to_owned(), lost.into_iter().collect());
            damage.push(Damage { path, byte: Some(byte), what, lost, prevents_start: false });
        };
        if let Err(what) = header_at(&mut view, FileKind::Log, self.id, name)? {
            tell(0, what, None);
        }
        let (end, offsets) = (view.end(), Offsets { next: name.base_offset, end: i64::MAX, gaps: true });
        let mut walk = BatchWalk::new(view, FIRST_BATCH_AT, end, offsets);
        while let Some(next) = walk.next()? {
            match next {
                Next::Batch(batch) => {
                    found.batches += 1;
                    found.end_offset = batch.header.next_offset();
                }
                Next::Bad { position, until, what, from, to } if until < end => {
                    let (topic, partition) = (self.topic.clone(), self.id.index);
                    tell(position, what, Some(Lost { topic, partition, from, to, at_most: true }));
                }
                Next::Bad { .. } => {}
            }
        }
        Ok(found)
    }

    /// Answers whether the batches were looked at.
    fn walk(&self, meta: &SegmentMeta, told: &mut Told<'_>, mut each: impl FnMut(&Next)) -> io::Result<bool> {
        let file = match self.disk.open(&told.path, OpenHow::READ) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                told.whole(None, "it is missing".to_owned());
                return Ok(false);
            }
            opened => opened?,
        };
        let size = file.size()?;
        let mut view = View::new(file, meta.bytes)?;
        if let Err(what) = header_at(&mut view, FileKind::Log, self.id, meta.name())? {
            told.whole(Some(0), format!("{what}, so no batch in it is read"));
            return Ok(false);
        }
        let offsets = Offsets { next: meta.base_offset, end: meta.end_offset, gaps: may_have_gaps(meta) };
        let mut walk = BatchWalk::new(view, FIRST_BATCH_AT, meta.bytes, offsets);
        while let Some(next) = walk.next()? {
            each(&next);
            if let Next::Bad { position, until, what, from, to } = next {
                told.place(position, format!("{what}, in the {} bytes from there on", until - position), from, to);
            }
        }
        let Offsets { next, end, .. } = walk.offsets;
        if size < meta.bytes {
            told.place(size, format!("it ends there, {} bytes too early", meta.bytes - size), next, end);
        } else if next < end && !may_have_gaps(meta) {
            told.place(meta.bytes, "records are missing before the end".to_owned(), next, end);
        }
        Ok(true)
    }
}

/// What a segment file holds by itself.
pub(super) struct Found {
    pub(super) bytes: u64,
    pub(super) batches: u64,
    pub(super) end_offset: i64,
}

/// Whether batches of a segment may leave out offsets.
fn may_have_gaps(meta: &SegmentMeta) -> bool {
    meta.generation > 0
}

/// Whether a file begins with the header of just this file; the clause says what is wrong.
fn header_at(
    view: &mut View,
    kind: FileKind,
    partition: PartitionId,
    name: SegmentName,
) -> io::Result<Result<(), &'static str>> {
    Ok(match view.at(0, FIRST_BATCH_AT as usize)?.first_chunk() {
        Some(header) => check_header(header, kind, partition, name),
        None => Err("it has no header"),
    })
}

/// The damage of one segment file as it is found.
struct Told<'a> {
    partition: &'a Partition<'a>,
    path: PathBuf,
    meta: &'a SegmentMeta,
    damage: &'a mut Vec<Damage>,
    places: usize,
}

impl Told<'_> {
    /// The file as a whole.
    fn whole(&mut self, byte: Option<u64>, what: String) {
        let lost = self.lost(self.meta.base_offset, self.meta.end_offset);
        self.push(byte, what, lost);
    }

    /// One place in it, with the offsets that are missing for it.
    fn place(&mut self, byte: u64, what: String, from: i64, to: i64) {
        let lost = self.lost(from, to);
        self.places += 1;
        match self.damage.last_mut() {
            // So many places that a list of them says no more than their extent.
            Some(last) if self.places > PLACES_TOLD => {
                if let (Some(known), Some(more)) = (last.lost.last_mut(), &lost) {
                    known.to = more.to;
                    known.at_most = true;
                } else {
                    last.lost.extend(lost);
                }
            }
            _ => self.push(Some(byte), what, lost),
        }
    }

    fn push(&mut self, byte: Option<u64>, what: String, lost: Option<Lost>) {
        let path = relative(self.partition.root, &self.path);
        self.damage.push(Damage { path, byte, what, lost: lost.into_iter().collect(), prevents_start: false });
    }

    fn lost(&self, from: i64, to: i64) -> Option<Lost> {
        let from = from.max(self.partition.log_start_offset);
        let (topic, partition) = (self.partition.topic.clone(), self.partition.id.index);
        (from < to).then(|| Lost { topic, partition, from, to, at_most: may_have_gaps(self.meta) })
    }
}

/// A path as it is told.
pub(super) fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// Holds an index against the batches as they come by.
struct IndexCheck {
    path: PathBuf,
    /// `None` where it cannot be read at all.
    view: Option<View>,
    entries: u32,
    /// The entry that comes next, and what it says.
    number: u32,
    next: Option<IndexEntry>,
    /// The largest timestamp so far.
    max_timestamp_ms: i64,
    all_known: bool,
    wrong: u32,
    /// The first place where it is wrong.
    first: Option<(Option<u64>, String)>,
}

impl IndexCheck {
    fn open(partition: &Partition<'_>, meta: &SegmentMeta) -> Self {
        let path = meta.name().index_path(&partition.folder);
        let mut check = Self {
            path: relative(partition.root, &path),
            view: None,
            entries: meta.index_entries,
            number: 0,
            next: None,
            max_timestamp_ms: i64::MIN,
            all_known: true,
            wrong: 0,
            first: None,
        };
        let opened = partition.disk.open(&path, OpenHow::READ);
        let viewed = opened.and_then(|file| View::new(file, entry_at(meta.index_entries))).and_then(|mut view| {
            let header = header_at(&mut view, FileKind::Index, partition.id, meta.name())?;
            Ok((view, header))
        });
        match viewed {
            Ok((view, header)) => {
                // Nothing reads the header of an index, so its entries serve all the same.
                check.first = header.err().map(|what| (Some(0), what.to_owned()));
                check.view = Some(view);
                check.read_entry();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => check.first = Some((None, "it is missing".into())),
            Err(error) => check.first = Some((None, format!("it cannot be read: {error}"))),
        }
        check
    }

    /// Moves to the next entry that can be read.
    fn read_entry(&mut self) {
        self.next = None;
        while let (Some(view), true) = (&mut self.view, self.next.is_none() && self.number < self.entries) {
            let at = entry_at(self.number);
            let bytes = view.at(at, ENTRY_BYTES).ok().and_then(|bytes| bytes.first_chunk::<ENTRY_BYTES>());
            match bytes.map(IndexEntry::read) {
                Some(Ok(entry)) => self.next = Some(entry),
                Some(Err(_)) => self.note("does not match its checksum"),
                None => self.note("is missing"),
            }
        }
    }

    /// Counts the entry at hand as wrong, and passes it.
    fn note(&mut self, what: &str) {
        self.wrong += 1;
        let (number, at) = (self.number, entry_at(self.number));
        self.first.get_or_insert_with(|| (Some(at), format!("entry {number} {what}")));
        self.number += 1;
    }

    /// There is damage in the segment: which batches and timestamps there were is not known any more.
    fn lose_track(&mut self) {
        self.all_known = false;
    }

    fn take(&mut self, batch: &BatchAt) {
        let all_known = self.all_known;
        while let Some(entry) = self.next {
            if entry.position > batch.position {
                break;
            }
            let leads_there = entry.position == batch.position && entry.offset == batch.header.base_offset;
            let in_time = !all_known || entry.max_timestamp_before_ms == self.max_timestamp_ms;
            match (leads_there || !all_known, in_time) {
                (false, _) => self.note("leads to no batch"),
                (true, false) => self.note("has another timestamp than the batches before it"),
                (true, true) => self.number += 1,
            }
            self.read_entry();
        }
        self.max_timestamp_ms = self.max_timestamp_ms.max(batch.header.max_timestamp_ms);
    }

    /// What is wrong with it all in all.
    fn end(mut self) -> Option<Damage> {
        while self.next.is_some() && self.all_known {
            self.note("leads beyond the last batch");
            self.read_entry();
        }
        let (byte, mut what) = self.first?;
        if self.wrong > 1 {
            what = format!("{} of its {} entries are wrong, first: {what}", self.wrong, self.entries);
        }
        Some(Damage { path: self.path, byte, what, lost: Vec::new(), prevents_start: false })
    }
}
