//! The lines of the manifest.

use super::{Dump, Field, resource_fields, topic_fields};
use crate::local::inspect::InspectError;
use crate::local::manifest::{Manifest, PartitionRecord};
use crate::local::segments::SegmentMeta;
use crate::{AbortedTransaction, PartitionId};

impl Dump<'_> {
    pub(super) fn manifest(&mut self, manifest: &Manifest) -> Result<(), InspectError> {
        let wal = manifest.wal;
        if !self.is_filtered() {
            self.tell(
                "manifest",
                vec![
                    ("next_frame", Field::Count(wal.next_sequence)),
                    ("wal_segment", Field::Count(wal.number)),
                    ("incarnation", Field::Bits(wal.incarnation)),
                    ("wal_byte", Field::Count(wal.offset)),
                    ("next_producer_id", Field::Number(manifest.next_producer_id)),
                    ("topics", Field::Count(manifest.topics.len() as u64)),
                ],
            )?;
        }
        for (topic, records) in &manifest.topics {
            if self.wanted.is_none_or(|wanted| wanted == topic.id) {
                self.tell("topic", topic_fields(topic))?;
            }
            for (index, record) in (0..).zip(records) {
                self.manifest_partition(PartitionId { topic: topic.id, index }, record)?;
            }
        }
        if !self.is_filtered() {
            for (resource, configs) in &manifest.configs {
                self.tell("configs", resource_fields(resource, configs))?;
            }
        }
        Ok(())
    }

    fn manifest_partition(&mut self, id: PartitionId, record: &PartitionRecord) -> Result<(), InspectError> {
        if !self.wants(id) {
            return Ok(());
        }
        let mut fields = self.name(id).to_vec();
        fields.extend([
            ("log_start_offset", Field::Number(record.log_start_offset)),
            ("end_offset", Field::Number(record.end_offset)),
            ("clean_end", Field::Number(record.clean_end)),
            ("segments", Field::Count(record.segments.len() as u64)),
            ("producers", Field::Count(record.producers.len() as u64)),
            ("open_transactions", Field::Count(record.producers.open_transactions() as u64)),
            ("aborted_transactions", Field::Count(record.aborted.all().len() as u64)),
        ]);
        self.tell("partition", fields)?;
        for aborted in record.aborted.all() {
            if self.wants_offsets(aborted.first_offset, aborted.last_offset.saturating_add(1)) {
                let mut fields = self.name(id).to_vec();
                fields.extend(aborted_fields(aborted));
                self.tell("aborted", fields)?;
            }
        }
        for meta in &record.segments {
            if self.wants_offsets(meta.base_offset, meta.end_offset) {
                let mut fields = self.name(id).to_vec();
                fields.extend(segment_fields(meta));
                self.tell("segment", fields)?;
            }
        }
        Ok(())
    }
}

fn aborted_fields(aborted: &AbortedTransaction) -> Vec<(&'static str, Field)> {
    vec![
        ("producer_id", Field::Number(aborted.producer_id)),
        ("first_offset", Field::Number(aborted.first_offset)),
        ("last_offset", Field::Number(aborted.last_offset)),
        ("last_stable_offset", Field::Number(aborted.last_stable_offset)),
    ]
}

fn segment_fields(meta: &SegmentMeta) -> Vec<(&'static str, Field)> {
    vec![
        ("base_offset", Field::Number(meta.base_offset)),
        ("end_offset", Field::Number(meta.end_offset)),
        ("generation", Field::Count(meta.generation.into())),
        ("bytes", Field::Count(meta.bytes)),
        ("index_entries", Field::Count(meta.index_entries.into())),
        ("indexed_bytes", Field::Count(meta.indexed_bytes)),
        ("first_timestamp_ms", Field::Number(meta.first_timestamp_ms)),
        ("max_timestamp_ms", Field::Number(meta.max_timestamp_ms)),
        ("created_ms", Field::Number(meta.created_ms)),
        ("written_ms", Field::Number(meta.written_ms)),
    ]
}
