//! What lies in a data folder and is not needed: remains of crashes, and things of others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::report::Stranger;
use super::segment::relative;
use crate::PartitionId;
use crate::local::disk::{Disk, FolderEntry};
use crate::local::manifest::Manifest;
use crate::local::segments::{SegmentMeta, SegmentName, hex, partition_folder, topic_of_folder};
use crate::local::state::DurableState;
use crate::local::wal::slot_name;

const NOT_OURS: &str = "not Ottla's";
const UNFINISHED: &str = "was not finished when a crash came";
const TOPIC_GONE: &str = "of a topic that was deleted";
const BELOW_START: &str = "below the log start";
const NOT_IN_MANIFEST: &str = "written after the last checkpoint; the write-ahead log has its records";

/// What the folder should hold at its top.
const OURS: [&str; 5] = ["lock", "manifest", "meta.properties", "topics", "wal"];

/// Finds all of it.
pub(super) fn find(disk: &dyn Disk, root: &Path, manifest: &Manifest, state: &DurableState) -> Vec<Stranger> {
    let mut search = Search { disk, root, found: Vec::new() };
    for entry in search.names(root) {
        if !OURS.contains(&&*entry.name) {
            let unfinished = ["manifest.new", "meta.properties.new"].contains(&&*entry.name);
            search.tell(root.join(&entry.name), if unfinished { UNFINISHED } else { NOT_OURS });
        }
    }
    let wal = root.join("wal");
    for entry in search.names(&wal) {
        if slot_name(&entry.name).is_none() {
            search.tell(wal.join(&entry.name), if entry.name == "probe" { UNFINISHED } else { NOT_OURS });
        }
    }
    let segments = manifest.topics.iter().flat_map(|(topic, records)| {
        let id = |index| PartitionId { topic: topic.id, index };
        (0..).zip(records).map(move |(index, record)| (id(index), &*record.segments))
    });
    search.topics(&segments.collect(), state);
    search.found
}

struct Search<'a> {
    disk: &'a dyn Disk,
    root: &'a Path,
    found: Vec<Stranger>,
}

impl Search<'_> {
    fn names(&self, folder: &Path) -> Vec<FolderEntry> {
        // A folder that cannot be read holds nothing to tell of; what should be in it is missed elsewhere.
        self.disk.list(folder).unwrap_or_default()
    }

    fn tell(&mut self, path: PathBuf, what: &'static str) {
        self.found.push(Stranger { path: relative(self.root, &path), what });
    }

    fn topics(&mut self, segments: &BTreeMap<PartitionId, &[SegmentMeta]>, state: &DurableState) {
        let topics = self.root.join("topics");
        for entry in self.names(&topics) {
            match topic_of_folder(&entry.name).map(|id| (id, state.metadata.by_id(id))) {
                None => self.tell(topics.join(&entry.name), NOT_OURS),
                Some((_, None)) => self.tell(topics.join(&entry.name), TOPIC_GONE),
                Some((id, Some(_))) => {
                    let folder = topics.join(hex(id));
                    for entry in self.names(&folder) {
                        let index = entry.name.parse().ok().filter(|_| entry.is_folder);
                        let partition = index.map(|index| PartitionId { topic: id, index });
                        match partition.and_then(|id| Some((id, state.partitions.get(&id)?))) {
                            None => self.tell(folder.join(&entry.name), NOT_OURS),
                            Some((id, now)) => {
                                let named = segments.get(&id).copied().unwrap_or_default();
                                self.partition(&partition_folder(&topics, id), named, now.log_start_offset);
                            }
                        }
                    }
                }
            }
        }
    }

    fn partition(&mut self, folder: &Path, named: &[SegmentMeta], log_start_offset: i64) {
        let paths = |meta: &SegmentMeta| {
            let is_needed = meta.end_offset > log_start_offset;
            [meta.name().log_path(folder), meta.name().index_path(folder)].map(|path| (path, is_needed))
        };
        let needed: BTreeMap<PathBuf, bool> = named.iter().flat_map(paths).collect();
        for entry in self.names(folder) {
            let path = folder.join(&entry.name);
            let is_segment = SegmentName::of_file(&entry.name).is_some();
            match needed.get(&path) {
                Some(true) => {}
                Some(false) => self.tell(path, BELOW_START),
                None => self.tell(path, if is_segment { NOT_IN_MANIFEST } else { NOT_OURS }),
            }
        }
    }
}
