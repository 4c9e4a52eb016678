//! Partitions' folders without the remains of a crash.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::SegmentList;
use super::store::StoreError;
use super::{SegmentName, partition_folder, remove_file};
use crate::local::disk::Disk;
use crate::{PartitionId, TopicId};

/// Removes from each partition's folder, once, what the manifest did not come to know. Whoever makes new files in a folder
/// has this done before: the store and the cleaner, each on a thread of its own.
pub(in crate::local) struct Tidy {
    disk: Arc<dyn Disk>,
    topics: PathBuf,
    done: Mutex<BTreeSet<PartitionId>>,
}

impl Tidy {
    pub(super) fn new(disk: Arc<dyn Disk>, topics: PathBuf) -> Self {
        Self { disk, topics, done: Mutex::default() }
    }

    /// Removes all files of segments that are not in the list, which must be as it is now, and makes the folder where it is
    /// missing; answers whether this is the first time. The lock is held over all of it, so that nobody makes a file there that would be taken for a remain.
    pub(super) fn tidy(&self, partition: PartitionId, segments: &SegmentList) -> Result<bool, StoreError> {
        let mut done = self.lock();
        if done.contains(&partition) {
            return Ok(false);
        }
        let folder = partition_folder(&self.topics, partition);
        let entries = match self.disk.list(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.disk.create_folder(&folder).map_err(StoreError::at(&folder, "create"))?;
                Vec::new()
            }
            listed => listed.map_err(StoreError::at(&folder, "list"))?,
        };
        for entry in entries {
            if SegmentName::of_file(&entry.name).is_some_and(|name| !segments.has(name)) {
                remove_file(&*self.disk, &folder.join(&entry.name));
            }
        }
        done.insert(partition);
        Ok(true)
    }

    /// Whether somebody is at it, so that another thread would wait.
    #[cfg(feature = "simulation")]
    pub(in crate::local) fn is_busy(&self) -> bool {
        self.done.try_lock().is_err()
    }

    /// A topic's folders are gone.
    pub(super) fn forget(&self, topic: TopicId) {
        self.lock().retain(|partition| partition.topic != topic);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PartitionId>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
