//! The lines of segments: batches, and the records in them.

use std::path::Path;

use ottla_protocol::records::{self, EndMarker};

use super::{Dump, Field, text};
use crate::PartitionId;
use crate::local::disk::OpenHow;
use crate::local::inspect::InspectError;
use crate::local::inspect::batches::{BatchAt, BatchWalk, Next, Offsets};
use crate::local::inspect::view::View;
use crate::local::manifest::Manifest;
use crate::local::segments::{FIRST_BATCH_AT, SegmentName, hex, partition_folder, topic_of_folder};

/// Batches up to this size are opened for their records, compressed or not.
const OPENED_BYTES: usize = 16 << 20;

/// How much of a key or value is shown.
const SHOWN_BYTES: usize = 48;

impl Dump<'_> {
    pub(super) fn segments(&mut self, manifest: &Manifest) -> Result<(), InspectError> {
        for (topic, partitions) in &manifest.topics {
            for (index, record) in (0..).zip(partitions) {
                let id = PartitionId { topic: topic.id, index };
                for meta in &record.segments {
                    if self.wants(id) && self.wants_offsets(meta.base_offset, meta.end_offset) {
                        let offsets = Offsets { next: meta.base_offset, end: meta.end_offset, gaps: true };
                        self.segment(id, meta.name(), meta.bytes, offsets)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Without a manifest: whatever segment files there are.
    pub(super) fn segments_alone(&mut self) -> Result<(), InspectError> {
        let topics = self.root.join("topics");
        for id in self.names(&topics).iter().filter_map(|name| topic_of_folder(name)) {
            for index in self.names(&topics.join(hex(id))).iter().filter_map(|name| name.parse().ok()) {
                let id = PartitionId { topic: id, index };
                let names = self.names(&partition_folder(&topics, id));
                for name in names.iter().filter_map(|name| SegmentName::of_log(name)) {
                    if self.wants(id) {
                        let offsets = Offsets { next: name.base_offset, end: i64::MAX, gaps: true };
                        self.segment(id, name, u64::MAX, offsets)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        self.disk.list(folder).unwrap_or_default().into_iter().map(|entry| entry.name).collect()
    }

    fn segment(&mut self, id: PartitionId, name: SegmentName, end: u64, offsets: Offsets) -> Result<(), InspectError> {
        let path = name.log_path(&partition_folder(&self.root.join("topics"), id));
        match self.disk.open(&path, OpenHow::READ).and_then(|file| View::new(file, end)) {
            Ok(view) => self.batches(&path, id, BatchWalk::new(view, FIRST_BATCH_AT, end, offsets)),
            Err(error) => self.tell_unreadable(&path, 0, &error.to_string()),
        }
    }

    pub(super) fn batches(&mut self, path: &Path, id: PartitionId, mut walk: BatchWalk) -> Result<(), InspectError> {
        loop {
            match walk.next() {
                Ok(None) => return Ok(()),
                Ok(Some(Next::Bad { position, what, .. })) => self.tell_unreadable(path, position, what)?,
                Err(error) => return self.tell_unreadable(path, 0, &error.to_string()),
                Ok(Some(Next::Batch(batch))) => {
                    if self.wants_offsets(batch.header.base_offset, batch.header.next_offset()) {
                        self.batch(path, id, &mut walk.view, &batch)?;
                    }
                }
            }
        }
    }

    fn batch(&mut self, path: &Path, id: PartitionId, view: &mut View, batch: &BatchAt) -> Result<(), InspectError> {
        let header = &batch.header;
        let mut fields = vec![("file", self.file(path)), ("byte", Field::Count(batch.position))];
        fields.extend(self.name(id));
        let compression =
            header.compression().map_or_else(|_| "unknown".to_owned(), |found| format!("{found:?}").to_lowercase());
        let timestamps = if header.has_log_append_time() { "LogAppendTime" } else { "CreateTime" };
        fields.extend([
            ("base_offset", Field::Number(header.base_offset)),
            ("last_offset", Field::Number(header.last_offset())),
            ("records", Field::Number(header.record_count.into())),
            ("bytes", Field::Count(header.total_bytes() as u64)),
            ("compression", Field::Text(compression)),
            ("timestamp_type", text(timestamps)),
            ("base_timestamp_ms", Field::Number(header.base_timestamp_ms)),
            ("max_timestamp_ms", Field::Number(header.max_timestamp_ms)),
            ("producer_id", Field::Number(header.producer_id)),
            ("producer_epoch", Field::Number(header.producer_epoch.into())),
            ("base_sequence", Field::Number(header.base_sequence.into())),
            ("transactional", Field::Flag(header.is_transactional())),
            ("control", Field::Flag(header.is_control())),
        ]);
        if header.is_control() {
            let range = batch.position..batch.position + header.total_bytes() as u64;
            let bytes = view.whole(range, OPENED_BYTES).ok().flatten().unwrap_or_default();
            fields.extend(marker_fields(&bytes));
        }
        self.tell("batch", fields)?;
        if self.wish.records { self.records(path, id, view, batch) } else { Ok(()) }
    }

    fn records(&mut self, path: &Path, id: PartitionId, view: &mut View, batch: &BatchAt) -> Result<(), InspectError> {
        let range = batch.position..batch.position + batch.header.total_bytes() as u64;
        let Ok(Some(bytes)) = view.whole(range, OPENED_BYTES) else {
            return self.tell_unreadable(path, batch.position, "the batch is too large to be opened here");
        };
        let Ok(open) = records::open(&bytes, OPENED_BYTES) else {
            return self.tell_unreadable(path, batch.position, "the batch cannot be decompressed");
        };
        for record in open.records() {
            let Ok(record) = record else {
                return self.tell_unreadable(path, batch.position, "a record of the batch cannot be read");
            };
            if !self.wants_offsets(record.offset, record.offset.saturating_add(1)) {
                continue;
            }
            let mut fields = self.name(id).to_vec();
            let size = |bytes: Option<&[u8]>| bytes.map_or(Field::Null, |bytes| Field::Count(bytes.len() as u64));
            fields.extend([
                ("offset", Field::Number(record.offset)),
                ("timestamp_ms", Field::Number(record.timestamp_ms)),
                ("key_bytes", size(record.key)),
                ("value_bytes", size(record.value)),
                ("headers", Field::Count(record.headers.len() as u64)),
                ("key", shown(record.key)),
                ("value", shown(record.value)),
            ]);
            self.tell("record", fields)?;
        }
        Ok(())
    }
}

/// What the marker of a transaction says.
fn marker_fields(batch: &[u8]) -> Vec<(&'static str, Field)> {
    let Some(marker) = EndMarker::of(batch) else { return Vec::new() };
    let kind = if marker.is_commit { "commit" } else { "abort" };
    vec![("marker", text(kind)), ("coordinator_epoch", Field::Number(marker.coordinator_epoch.into()))]
}

/// The beginning of a key or value, with what is not printable escaped.
fn shown(bytes: Option<&[u8]>) -> Field {
    let Some(bytes) = bytes else { return Field::Null };
    let short = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let more = if bytes.len() > SHOWN_BYTES { "..." } else { "" };
    let words = match std::str::from_utf8(short) {
        Ok(words) if !words.chars().any(char::is_control) => words.to_owned(),
        _ => short.escape_ascii().to_string(),
    };
    Field::Text(words + more)
}
