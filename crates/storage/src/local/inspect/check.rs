//! The check of a whole folder: the manifest, what recovery would say of the write-ahead log, every segment, and what lies
//! around.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frames::{FrameWalk, wal_files};
use super::report::{CheckReport, Damage, InspectError, Lost, ManifestFacts, PartitionFacts};
use super::segment::{Partition, relative};
use super::{enter, strangers};
use crate::local::disk::Disk;
use crate::local::manifest::{Manifest, PartitionRecord};
use crate::local::options::OpenError;
use crate::local::planted::Planted;
use crate::local::segments::{SegmentName, hex, partition_folder, topic_of_folder};
use crate::local::state::DurableState;
use crate::local::wal::{Entry, NotApplied, is_records, replay};
use crate::{PartitionId, Topic};

/// Checks a data folder that no broker has open, and changes nothing. Takes memory for what the manifest says and for one
/// piece of one file.
///
/// # Errors
/// [`InspectError`], where nothing can be said about the folder.
pub fn check(folder: &Path, disk: &dyn Disk) -> Result<CheckReport, InspectError> {
    let (disk, _lock) = enter(folder, disk)?;
    let mut check = Check { disk: &disk, folder, report: CheckReport::default() };
    match check.manifest()? {
        None => {
            check.wal_files()?;
            check.segments_alone();
        }
        Some(manifest) => {
            let state = check.wal(&manifest)?;
            check.partitions(&manifest, &state);
            check.report.strangers = strangers::find(&disk, folder, &manifest, &state);
        }
    }
    Ok(check.report)
}

struct Check<'a> {
    disk: &'a dyn Disk,
    folder: &'a Path,
    report: CheckReport,
}

/// What the log says after the manifest.
struct Replayed {
    state: DurableState,
    frames: u64,
}

impl Check<'_> {
    fn topics(&self) -> PathBuf {
        self.folder.join("topics")
    }

    /// The manifest, an empty one where none was ever written, none where it is damaged.
    fn manifest(&mut self) -> Result<Option<Manifest>, InspectError> {
        match Manifest::read(self.disk, self.folder) {
            Ok(None) => Ok(Some(Manifest::empty())),
            Ok(Some(manifest)) => {
                let (next_sequence, topics) = (manifest.wal.next_sequence, manifest.topics.len());
                self.report.manifest = Some(ManifestFacts { next_sequence, topics });
                Ok(Some(manifest))
            }
            Err(error) => {
                self.refusal(error)?;
                Ok(None)
            }
        }
    }

    /// Notes why a broker would not start.
    fn refusal(&mut self, error: OpenError) -> Result<(), InspectError> {
        let (path, what) = match error {
            OpenError::Damaged { path, what } => (path, what),
            OpenError::Io { path, doing, error } => (path, format!("could not {doing} it: {error}")),
            OpenError::NewerFormat { path, found, supported } => {
                return Err(InspectError::NewerFormat { path, found, supported });
            }
            OpenError::Locked { folder }
            | OpenError::NotWritable { folder, .. }
            | OpenError::NotAFolder { path: folder } => {
                return Err(InspectError::InUse { folder });
            }
        };
        let path = relative(self.folder, &path);
        self.report.damage.push(Damage { path, byte: None, what, lost: Vec::new(), prevents_start: true });
        Ok(())
    }

    fn wal_files(&mut self) -> Result<(), InspectError> {
        let folder = self.folder.join("wal");
        let files = match wal_files(self.disk, &folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            found => found.map_err(|error| InspectError::Io { path: folder, error: error.to_string() })?,
        };
        self.report.wal.files = files.len();
        self.report.wal.bytes = files.iter().map(|file| file.bytes).sum();
        Ok(())
    }

    /// Does what recovery would do, without the records; answers the state up to the end or to the damage.
    fn wal(&mut self, manifest: &Manifest) -> Result<DurableState, InspectError> {
        self.wal_files()?;
        let folder = self.folder.join("wal");
        let mut replayed = Replayed { state: DurableState::from_manifest(manifest), frames: 0 };
        let chain = replay(self.disk, &folder, manifest.wal, Planted::default(), &mut |entry| replayed.apply(entry));
        self.report.wal.frames = replayed.frames;
        self.report.wal.next_sequence = manifest.wal.next_sequence + replayed.frames;
        if let Err(error) = chain {
            self.refusal(error)?;
            let (byte, lost) = self.behind_the_damage(&folder, &replayed.state);
            if let Some(damage) = self.report.damage.last_mut() {
                (damage.byte, damage.lost) = (byte, lost);
            }
        }
        Ok(replayed.state)
    }

    /// Where the frame lies that recovery misses, and what the frames after it say is lost with it: they hold records that no
    /// start would reach.
    fn behind_the_damage(&self, folder: &Path, state: &DurableState) -> (Option<u64>, Vec<Lost>) {
        let missing = self.report.wal.next_sequence;
        let mut ends = BTreeMap::new();
        let mut byte = None;
        for file in wal_files(self.disk, folder).unwrap_or_default() {
            let Some(header) = file.segment() else { continue };
            let Ok(mut walk) = FrameWalk::open(self.disk, &file, header) else { continue };
            while let Ok(Some(frame)) = walk.next() {
                if frame.header.sequence + 1 == missing {
                    byte = Some(frame.payload.end);
                }
                if frame.header.sequence < missing || !is_records(frame.header.kind) {
                    continue;
                }
                for part in walk.parts(&frame).ok().flatten().unwrap_or_default() {
                    let known: &mut i64 = ends.entry(part.partition).or_default();
                    *known = (*known).max(walk.offsets(&part).map_or(0, |(_, end)| end));
                }
            }
        }
        (byte, ends.into_iter().filter_map(|(partition, end)| unreached(partition, end, state)).collect())
    }

    /// Everything that the manifest names and recovery does not remove.
    fn partitions(&mut self, manifest: &Manifest, state: &DurableState) {
        let records: BTreeMap<PartitionId, &PartitionRecord> = manifest
            .topics
            .iter()
            .flat_map(|(topic, records)| {
                (0..).zip(records).map(|(index, record)| (PartitionId { topic: topic.id, index }, record))
            })
            .collect();
        for topic in state.metadata.topics() {
            for index in 0..topic.partitions {
                let id = PartitionId { topic: topic.id, index };
                let Some(now) = state.partitions.get(&id) else { continue };
                let partition = self.partition(id, topic.name.clone(), now.log_start_offset);
                let none = PartitionRecord::default();
                let record = records.get(&id).copied().unwrap_or(&none);
                let mut damage = Vec::new();
                let facts = partition.check(record, now.end_offset, &mut damage);
                self.report.damage.append(&mut damage);
                self.report.partitions.push(facts);
            }
        }
    }

    fn partition(&self, id: PartitionId, topic: Arc<str>, log_start_offset: i64) -> Partition<'_> {
        let folder = partition_folder(&self.topics(), id);
        Partition { disk: self.disk, root: self.folder, folder, id, topic, log_start_offset }
    }

    /// Without a manifest: what the segment files hold by themselves.
    fn segments_alone(&mut self) {
        let topics = self.disk.list(&self.topics()).unwrap_or_default();
        for id in topics.iter().filter_map(|entry| topic_of_folder(&entry.name)) {
            let folder = self.topics().join(hex(id));
            let partitions = self.disk.list(&folder).unwrap_or_default();
            for index in partitions.iter().filter_map(|entry| entry.name.parse().ok()) {
                let partition = self.partition(PartitionId { topic: id, index }, hex(id).into(), 0);
                let names = self.disk.list(&partition.folder).unwrap_or_default();
                let segments = names.iter().filter_map(|entry| SegmentName::of_log(&entry.name)).collect();
                let mut damage = Vec::new();
                let facts = partition.check_alone(segments, &mut damage);
                self.report.damage.append(&mut damage);
                self.report.partitions.push(facts);
            }
        }
    }
}

/// What of a partition lies behind the damage of the log.
fn unreached(id: PartitionId, end: i64, state: &DurableState) -> Option<Lost> {
    let from = state.partitions.get(&id).map_or(0, |partition| partition.end_offset);
    let topic = state.metadata.by_id(id.topic).map_or_else(|| hex(id.topic).into(), |topic| topic.name.clone());
    (from < end).then_some(Lost { topic, partition: id.index, from, to: end, at_most: false })
}

impl Partition<'_> {
    /// Looks at all segments of a partition.
    fn check(&self, record: &PartitionRecord, end_offset: i64, damage: &mut Vec<Damage>) -> PartitionFacts {
        damage.extend(self.gaps(record));
        let wanted = record.segments.iter().filter(|meta| meta.end_offset > self.log_start_offset);
        let mut facts = self.facts(end_offset);
        for meta in wanted {
            facts.segments += 1;
            facts.bytes += meta.bytes;
            facts.batches += self.check_segment(meta, damage);
        }
        facts
    }

    /// Offsets that no segment has by the manifest's own word, and that no compaction can have left out.
    fn gaps(&self, record: &PartitionRecord) -> Option<Damage> {
        let mut lost = Vec::new();
        let mut next = self.log_start_offset.max(record.clean_end);
        let mut may_have_gaps = false;
        for meta in &record.segments {
            if next < meta.base_offset && !may_have_gaps && meta.generation == 0 {
                lost.extend(self.lost(next, meta.base_offset));
            }
            next = next.max(meta.end_offset);
            may_have_gaps = meta.generation > 0;
        }
        if !may_have_gaps {
            lost.extend(self.lost(next, record.end_offset));
        }
        let what = format!("it names no segment for some offsets of {}/{}", self.topic, self.id.index);
        let path = PathBuf::from("manifest");
        (!lost.is_empty()).then_some(Damage { path, byte: None, what, lost, prevents_start: false })
    }

    fn lost(&self, from: i64, to: i64) -> Option<Lost> {
        let (topic, partition) = (self.topic.clone(), self.id.index);
        (from < to).then_some(Lost { topic, partition, from, to, at_most: false })
    }

    /// Looks at segment files of which nothing is known but their names.
    fn check_alone(&self, segments: Vec<SegmentName>, damage: &mut Vec<Damage>) -> PartitionFacts {
        let mut facts = self.facts(0);
        facts.log_start_offset = segments.first().map_or(0, |name| name.base_offset);
        for name in segments {
            if let Ok(found) = self.check_unknown(name, damage) {
                facts.segments += 1;
                facts.bytes += found.bytes;
                facts.batches += found.batches;
                facts.end_offset = facts.end_offset.max(found.end_offset);
            }
        }
        facts
    }

    fn facts(&self, end_offset: i64) -> PartitionFacts {
        PartitionFacts {
            topic: self.topic.clone(),
            topic_id: self.id.topic,
            partition: self.id.index,
            log_start_offset: self.log_start_offset,
            end_offset,
            segments: 0,
            bytes: 0,
            batches: 0,
        }
    }
}

fn wrong(what: &str) -> NotApplied {
    NotApplied::Wrong(what.to_owned())
}

impl Replayed {
    fn records(&mut self, partition: PartitionId, batches: &[u8]) -> Result<(), NotApplied> {
        let state = self.state.partitions.get_mut(&partition);
        let state = state.ok_or_else(|| wrong("it holds records of a partition that is not there"))?;
        let spans = crate::batches::split(batches).map_err(wrong)?;
        state.replay(&spans, 0).ok_or_else(|| wrong("its records do not follow those before"))?;
        Ok(())
    }

    /// As recovery does, but for the records themselves.
    fn apply(&mut self, entry: Entry<'_>) -> Result<(), NotApplied> {
        match entry {
            Entry::Records { partition, batches } => self.records(partition, batches)?,
            Entry::AtomicRecords(parts) => {
                parts.into_iter().try_for_each(|(partition, batches)| self.records(partition, batches))?;
            }
            Entry::TopicCreated(topic) => {
                self.state.create_topic(Topic::clone(&topic));
            }
            Entry::TopicDeleted(id) => {
                self.state.delete_topic(id).ok_or_else(|| wrong("it deletes a topic that is not there"))?;
            }
            Entry::ProducerIds { next } => self.state.next_producer_id = next,
            Entry::PartitionsCreated { topic, total } => {
                let created = self.state.create_partitions(topic, total);
                created.ok_or_else(|| wrong("it gives partitions to a topic that is not there"))?;
            }
            Entry::ConfigsAltered { resource, configs } => {
                if !self.state.alter_configs(resource, configs) {
                    return Err(wrong("it configures a topic that is not there"));
                }
            }
            Entry::LogStart { partition, offset, .. } => {
                let state = self.state.partitions.get_mut(&partition);
                let state = state.ok_or_else(|| wrong("it trims a partition that is not there"))?;
                state.log_start_offset = state.log_start_offset.max(offset);
            }
        }
        self.frames += 1;
        Ok(())
    }
}
