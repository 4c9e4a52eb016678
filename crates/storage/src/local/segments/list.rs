//! The segment files of one partition.

use std::sync::Arc;

use super::{SegmentMeta, SegmentName};

/// A partition's segment files.
#[derive(Clone, Default, Debug)]
pub(in crate::local) struct SegmentList {
    /// Complete ones, by offset.
    pub(in crate::local) sealed: Arc<Vec<SegmentMeta>>,
    /// The one that grows.
    pub(in crate::local) active: Option<SegmentMeta>,
    /// The offset up to which the log was compacted (Kafka's cleaner checkpoint).
    pub(in crate::local) clean_end: i64,
}

impl SegmentList {
    /// From what a manifest says: the last one is active.
    pub(in crate::local) fn from_all(mut all: Vec<SegmentMeta>, clean_end: i64) -> Self {
        let active = all.pop();
        Self { sealed: Arc::new(all), active, clean_end }
    }

    /// All, by offset.
    pub(in crate::local) fn all(&self) -> impl Iterator<Item = &SegmentMeta> {
        self.sealed.iter().chain(&self.active)
    }

    /// Whether there is a segment of that name.
    pub(in crate::local) fn has(&self, name: SegmentName) -> bool {
        self.all().any(|meta| meta.name() == name)
    }

    /// The first segment that ends after `offset`.
    pub(in crate::local) fn at(&self, offset: i64) -> Option<SegmentMeta> {
        let index = self.sealed.partition_point(|meta| meta.end_offset <= offset);
        let active = || self.active.filter(|meta| meta.end_offset > offset);
        self.sealed.get(index).copied().or_else(active)
    }

    /// Puts what [`append`](super::SegmentStore::append) answered in the active segment's place.
    pub(in crate::local) fn replace_active(&mut self, mut written: Vec<SegmentMeta>) {
        let Some(active) = written.pop() else { return };
        if !written.is_empty() {
            Arc::make_mut(&mut self.sealed).extend(written);
        }
        self.active = Some(active);
    }

    /// Puts others in the place of sealed segments; false, and nothing is done, where not all of these are there.
    pub(in crate::local) fn replace_sealed(&mut self, replaced: &[SegmentMeta], others: Vec<SegmentMeta>) -> bool {
        let Some(first) = replaced.first() else { return false };
        let start = self.sealed.partition_point(|meta| meta.base_offset < first.base_offset);
        let there = self.sealed.get(start..).is_some_and(|rest| rest.starts_with(replaced));
        if there {
            Arc::make_mut(&mut self.sealed).splice(start..start + replaced.len(), others);
        }
        there
    }

    /// Takes out the segments that end at or before `log_start`.
    pub(in crate::local) fn take_before(&mut self, log_start: i64) -> Vec<SegmentMeta> {
        let count = self.sealed.partition_point(|meta| meta.end_offset <= log_start);
        let mut taken: Vec<SegmentMeta> = Vec::new();
        if count > 0 {
            taken.extend(Arc::make_mut(&mut self.sealed).drain(..count));
        }
        if self.sealed.is_empty() {
            taken.extend(self.active.take_if(|meta| meta.end_offset <= log_start));
        }
        taken
    }
}
