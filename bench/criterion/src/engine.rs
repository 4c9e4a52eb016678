//! A local engine on the real disk, with one topic.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use ottla_storage::local::disk::SystemDisk;
use ottla_storage::local::{LocalEngine, LocalOptions};
use ottla_storage::{Append, AppendOrigin, Durability, Engine, NewTopic, PartitionId, TopicId};
use tempfile::TempDir;

const TOPIC: TopicId = TopicId([7; 16]);

/// Appends of 1 MiB at most wait together, so that filling takes few flushes.
const FILL_BYTES: usize = 1 << 20;

/// Another number for each start, as the broker's random bits are.
static STARTS: AtomicU64 = AtomicU64::new(1);

/// An engine with its options as in the product. Its folder goes with it.
pub struct BenchEngine {
    engine: Arc<LocalEngine>,
    folder: TempDir,
}

impl BenchEngine {
    /// An engine in a new folder under `parent`, which should lie on the disk that is to be measured, with one topic.
    ///
    /// # Panics
    /// Where the folder cannot be used.
    pub fn with_topic(parent: &Path, partitions: i32) -> Self {
        std::fs::create_dir_all(parent).expect("a folder for data");
        let folder = tempfile::tempdir_in(parent).expect("a folder for data");
        let engine = opened(folder.path());
        let (name, configs) = ("bench".to_string(), BTreeMap::new());
        engine.create_topic(NewTopic { name, id: TOPIC, partitions, configs }).wait().expect("a new topic");
        Self { engine, folder }
    }

    /// The engine.
    pub fn engine(&self) -> Arc<LocalEngine> {
        self.engine.clone()
    }

    /// Appends the same batch as often as it takes to have that many bytes in the topic's first partition.
    ///
    /// # Panics
    /// Where they are not written.
    pub fn fill(&self, batch: &Bytes, bytes: usize) {
        let at_once = (FILL_BYTES / batch.len()).max(1);
        for _ in 0..bytes.div_ceil(batch.len() * at_once) {
            let appends = (0..at_once).map(|_| append(0, batch)).collect();
            let answers = self.engine.append(appends).wait().expect("an engine that writes");
            assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        }
    }

    /// Closes the engine and opens it again: then nothing is in memory and all is in segment files.
    ///
    /// # Panics
    /// Where that fails, or somebody else holds the engine.
    #[must_use]
    pub fn reopened(self) -> Self {
        self.engine.close().wait().expect("a clean end");
        let Self { engine, folder } = self;
        drop(Arc::into_inner(engine).expect("nobody else holds the engine"));
        Self { engine: opened(folder.path()), folder }
    }
}

fn opened(folder: &Path) -> Arc<LocalEngine> {
    let began = Instant::now();
    let clock = Arc::new(move || began.elapsed().as_millis() as u64);
    let options = LocalOptions::new(folder.join("data"), STARTS.fetch_add(1, Ordering::Relaxed), clock);
    Arc::new(LocalEngine::open(options, Arc::new(SystemDisk)).expect("an engine that opens"))
}

/// One partition of the topic.
pub fn partition(index: i32) -> PartitionId {
    PartitionId { topic: TOPIC, index }
}

/// An append that is acknowledged once it is flushed.
pub fn append(index: i32, batch: &Bytes) -> Append {
    let (batches, durability) = (batch.clone(), Durability::Flush);
    Append { partition: partition(index), batches, expected_end: None, depends_on: None, durability, origin: AppendOrigin::Client }
}
