//! The lines of the write-ahead log.

use std::io;

use super::{Dump, Field, resource_fields, text, topic_fields};
use crate::local::inspect::InspectError;
use crate::local::inspect::frames::{FrameAt, FrameWalk, Part, WalFile, wal_files};
use crate::local::segments::hex;
use crate::local::wal::{ATOMIC_RECORDS, Entry, HeaderBlock, is_records};
use crate::{ConfigResource, PartitionId, TopicId};

/// Payloads of frames without records are read up to this size.
pub(super) const PAYLOAD_BYTES: usize = 4 << 20;

/// Hears of each frame.
type EachFrame<'a, 'b> =
    &'a mut dyn FnMut(&mut Dump<'b>, &WalFile, &mut FrameWalk, &FrameAt) -> Result<(), InspectError>;

impl<'b> Dump<'b> {
    fn wal_files(&self) -> Result<Vec<WalFile>, InspectError> {
        let folder = self.root.join("wal");
        wal_files(self.disk, &folder).map_err(|error| InspectError::Io { path: folder, error: error.to_string() })
    }

    pub(super) fn each_frame(&mut self, visit: EachFrame<'_, 'b>) -> Result<(), InspectError> {
        for file in self.wal_files()? {
            self.frames_of(&file, visit)?;
        }
        Ok(())
    }

    fn frames_of(&mut self, file: &WalFile, visit: EachFrame<'_, 'b>) -> Result<(), InspectError> {
        let Some(header) = file.segment() else { return Ok(()) };
        let failed = |error: io::Error| InspectError::Io { path: file.path.clone(), error: error.to_string() };
        let mut walk = FrameWalk::open(self.disk, file, header).map_err(failed)?;
        while let Some(frame) = walk.next().map_err(failed)? {
            visit(self, file, &mut walk, &frame)?;
        }
        Ok(())
    }

    pub(super) fn wal(&mut self) -> Result<(), InspectError> {
        for file in self.wal_files()? {
            if !self.is_filtered() {
                let mut fields = vec![("file", self.file(&file.path)), ("bytes", Field::Count(file.bytes))];
                fields.extend(wal_file_fields(&file.header));
                self.tell("wal", fields)?;
            }
            let mut before = None;
            self.frames_of(&file, &mut |dump, file, walk, frame| {
                let expected = before.map_or(frame.header.sequence, |(sequence, _)| sequence + 1);
                if let (Some((_, end)), true) = (before, frame.header.sequence > expected) {
                    let what = format!("frames {expected} to {} cannot be read", frame.header.sequence - 1);
                    dump.tell_unreadable(&file.path, end, &what)?;
                }
                before = Some((frame.header.sequence, frame.payload.end));
                dump.frame(file, walk, frame)
            })?;
        }
        Ok(())
    }

    fn frame(&mut self, file: &WalFile, walk: &mut FrameWalk, frame: &FrameAt) -> Result<(), InspectError> {
        let mut fields = vec![
            ("file", self.file(&file.path)),
            ("byte", Field::Count(frame.position)),
            ("frame", Field::Count(frame.header.sequence)),
            ("durable", Field::Count(frame.header.durable)),
            ("payload_bytes", Field::Count(frame.payload.end - frame.payload.start)),
        ];
        let failed = |error: io::Error| InspectError::Io { path: file.path.clone(), error: error.to_string() };
        if is_records(frame.header.kind) {
            let Some(parts) = walk.parts(frame).map_err(failed)? else {
                return self.tell_unreadable(&file.path, frame.position, "its records belong to no partition");
            };
            let what = if frame.header.kind == ATOMIC_RECORDS { "atomic records" } else { "records" };
            fields.push(("what", text(what)));
            return parts.iter().try_for_each(|part| self.part(file, walk, &fields, part));
        }
        let payload = walk.view.whole(frame.payload.clone(), PAYLOAD_BYTES).map_err(failed)?.unwrap_or_default();
        let Ok(entry) = Entry::read(frame.header.kind, &payload) else {
            let what = format!("frame {} of kind {} cannot be read", frame.header.sequence, frame.header.kind);
            return self.tell_unreadable(&file.path, frame.position, &what);
        };
        if self.is_filtered() && !entry_partition(&entry).is_some_and(|(topic, index)| self.wants_entry(topic, index)) {
            return Ok(());
        }
        fields.extend(self.entry_fields(&entry));
        self.tell("frame", fields)
    }

    /// The line of one partition's records: each part of an atomic append has one.
    fn part(
        &mut self,
        file: &WalFile,
        walk: &FrameWalk,
        frame: &[(&'static str, Field)],
        part: &Part,
    ) -> Result<(), InspectError> {
        let failed = |error: io::Error| InspectError::Io { path: file.path.clone(), error: error.to_string() };
        let (from, end) = walk.offsets(part).map_err(failed)?;
        if !self.wants(part.partition) || !self.wants_offsets(from, end) {
            return Ok(());
        }
        let mut fields = frame.to_vec();
        fields.extend(self.name(part.partition));
        fields.extend([("base_offset", Field::Number(from)), ("end_offset", Field::Number(end))]);
        self.tell("frame", fields)?;
        match self.wish.records {
            true => self.batches(&file.path, part.partition, walk.batches(part).map_err(failed)?),
            false => Ok(()),
        }
    }

    fn wants_entry(&self, topic: TopicId, index: Option<i32>) -> bool {
        self.wanted.is_none_or(|wanted| wanted == topic)
            && (index.is_none() || self.wish.partition.is_none() || self.wish.partition == index)
    }

    fn entry_fields(&self, entry: &Entry<'_>) -> Vec<(&'static str, Field)> {
        let mut fields = Vec::new();
        match entry {
            Entry::Records { .. } | Entry::AtomicRecords(_) => {}
            Entry::TopicCreated(topic) => {
                fields.push(("what", text("topic created")));
                fields.extend(topic_fields(topic));
            }
            Entry::TopicDeleted(id) => {
                let [topic, _] = self.name(PartitionId { topic: *id, index: 0 });
                fields.extend([("what", text("topic deleted")), topic, ("id", Field::Text(hex(*id)))]);
            }
            Entry::ProducerIds { next } => {
                fields.extend([("what", text("producer ids reserved")), ("next_producer_id", Field::Number(*next))]);
            }
            Entry::LogStart { partition, offset, cause } => {
                fields.push(("what", text("log start moved")));
                fields.extend(self.name(*partition));
                fields.extend([("log_start_offset", Field::Number(*offset)), ("cause", text(format!("{cause:?}")))]);
            }
            Entry::PartitionsCreated { topic, total } => {
                let [topic, _] = self.name(PartitionId { topic: *topic, index: 0 });
                fields.extend([
                    ("what", text("partitions created")),
                    topic,
                    ("partitions", Field::Number((*total).into())),
                ]);
            }
            Entry::ConfigsAltered { resource, configs } => {
                fields.push(("what", text("configs altered")));
                fields.extend(resource_fields(resource, configs));
            }
        }
        fields
    }
}

/// The topic, and perhaps the partition, that an entry is about.
fn entry_partition(entry: &Entry<'_>) -> Option<(TopicId, Option<i32>)> {
    match entry {
        Entry::Records { partition, .. } | Entry::LogStart { partition, .. } => {
            Some((partition.topic, Some(partition.index)))
        }
        Entry::TopicCreated(topic) => Some((topic.id, None)),
        Entry::TopicDeleted(id)
        | Entry::PartitionsCreated { topic: id, .. }
        | Entry::ConfigsAltered { resource: ConfigResource::Topic(id), .. } => Some((*id, None)),
        Entry::AtomicRecords(_) | Entry::ProducerIds { .. } | Entry::ConfigsAltered { .. } => None,
    }
}

fn wal_file_fields(header: &HeaderBlock) -> Vec<(&'static str, Field)> {
    match header {
        HeaderBlock::Segment(header) => vec![
            ("header", text("good")),
            ("wal_segment", Field::Count(header.number)),
            ("incarnation", Field::Bits(header.incarnation)),
            ("previous", Field::Bits(header.previous)),
            ("first_frame", Field::Count(header.first)),
        ],
        HeaderBlock::Unused => vec![("header", text("never used"))],
        HeaderBlock::Newer(format) => vec![("header", text(format!("of format version {format}")))],
        HeaderBlock::Invalid => vec![("header", text("damaged or not finished"))],
    }
}
