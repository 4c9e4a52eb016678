//! What the local engine is told at its opening, and why it may refuse to open.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::BLOCK_BYTES;
use super::planted::Planted;
#[cfg(feature = "planted-bugs")]
use super::planted::PlantedBug;
use crate::{LogConfig, LogConfigs, MonotonicMs, WallMs};

/// How many files are kept for other things than segments and their indexes.
const OTHER_FILES: usize = 48;

/// How the local engine works. [`LocalOptions::new`] gives the defaults.
#[derive(Clone)]
pub struct LocalOptions {
    /// The data folder; made where it is missing.
    pub folder: PathBuf,
    /// How large the write-ahead log may be on disk (`ottla.wal.max.bytes`). At the bound producers wait for a checkpoint.
    pub wal_max_bytes: u64,
    /// Size of one file of the write-ahead log. The first is smaller, so that a start is quick.
    pub wal_segment_bytes: u64,
    /// How often what is in the write-ahead log goes to the segment files and the manifest; 0: only when there is need.
    pub checkpoint_interval_ms: u64,
    /// How often logs are looked through for records that are too old or too many (`log.retention.check.interval.ms`); 0: only
    /// when the engine is maintained.
    pub retention_check_interval_ms: u64,
    /// How much of the newest records is kept in memory over all partitions. Producers wait where that much is not yet in
    /// segment files.
    pub tail_bytes: usize,
    /// Every how many bytes of a segment the index has an entry.
    pub index_interval_bytes: u64,
    /// How many files the engine may have open (`ottla.open.files.max`). A few more are opened for one use each while all of
    /// these are in use.
    pub open_files: usize,
    /// How many buffers of 2 MiB there are for records that are read past the page cache; with none they come through it.
    pub read_buffers: usize,
    /// How many threads read records that are not in memory.
    pub readers: usize,
    /// How many reads may wait for them; one more is refused with a retriable error.
    pub reads_waiting: usize,
    /// Random bits; they tell this run's write-ahead log from what was in its files before.
    pub random: u64,
    /// The clock for intervals.
    pub monotonic_ms: MonotonicMs,
    /// The clock that records and producers grow old by. What it says is written down, so it goes on over restarts.
    pub wall_ms: WallMs,
    /// What holds for each topic's log.
    pub log_configs: Arc<dyn LogConfigs>,
    /// How long after their last batch came silent idempotent producers are forgotten (`producer.id.expiration.ms`), by the
    /// wall clock and not by the timestamps in the batch, which are the producer's to choose. Looked at with each checkpoint.
    /// `None`: never.
    pub producer_expiration_ms: Option<i64>,
    /// Whether logs are compacted (`log.cleaner.enable`). How, the log configs say.
    pub cleaner_enable: bool,
    /// The planted bug to run with.
    #[cfg(feature = "planted-bugs")]
    pub planted_bug: Option<PlantedBug>,
}

impl LocalOptions {
    /// The defaults for a data folder: Kafka's for all topics, and a wall clock that stands still in 1970, so that nothing
    /// grows old. `random` must differ from start to start.
    pub fn new(folder: impl Into<PathBuf>, random: u64, monotonic_ms: MonotonicMs) -> Self {
        Self {
            folder: folder.into(),
            wal_max_bytes: 256 << 20,
            wal_segment_bytes: 16 << 20,
            checkpoint_interval_ms: 60_000,
            retention_check_interval_ms: 300_000,
            tail_bytes: 32 << 20,
            index_interval_bytes: 64 << 10,
            open_files: 1024,
            read_buffers: 12,
            readers: 2,
            reads_waiting: 1024,
            random,
            monotonic_ms,
            wall_ms: Arc::new(|| 0),
            log_configs: Arc::new(LogConfig::default()),
            producer_expiration_ms: None,
            cleaner_enable: true,
            #[cfg(feature = "planted-bugs")]
            planted_bug: None,
        }
    }

    /// How many segment and index files may be open: what is left after the write-ahead log's and the few that are opened
    /// for a moment.
    pub(super) fn open_files(&self) -> usize {
        self.open_files.saturating_sub(OTHER_FILES).max(self.open_files / 2)
    }

    /// The size of one file of the write-ahead log, such that at least four fit under the bound.
    pub(super) fn wal_segment_bytes(&self) -> u64 {
        let block = BLOCK_BYTES as u64;
        let quarter = self.wal_max_bytes / 4;
        (self.wal_segment_bytes.min(quarter) / block * block).max(16 * block)
    }

    /// The planted bug to run with; none in a product build.
    #[cfg_attr(not(feature = "planted-bugs"), expect(clippy::unused_self, reason = "the planted twin reads it"))]
    pub(super) fn planted(&self) -> Planted {
        #[cfg(feature = "planted-bugs")]
        return Planted::new(self.planted_bug);
        #[cfg(not(feature = "planted-bugs"))]
        Planted::default()
    }
}

impl fmt::Debug for LocalOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalOptions")
            .field("folder", &self.folder)
            .field("wal_max_bytes", &self.wal_max_bytes)
            .field("tail_bytes", &self.tail_bytes)
            .finish_non_exhaustive()
    }
}

/// Why the engine did not open. Each displays as a sentence that says what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// Another process has the folder open.
    Locked {
        /// The data folder.
        folder: PathBuf,
    },
    /// The folder cannot be made or written.
    NotWritable {
        /// The data folder.
        folder: PathBuf,
        /// What the system said.
        error: String,
    },
    /// Something else has the folder's name, or that of a folder on the way to it.
    NotAFolder {
        /// What should be the data folder.
        path: PathBuf,
    },
    /// A later version wrote the folder.
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest one this version reads.
        supported: u32,
    },
    /// Acknowledged data cannot be read any more.
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong and what is lost, as a clause.
        what: String,
    },
    /// The system refused something else.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as in "read" or "create".
        doing: &'static str,
        /// What the system said.
        error: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Locked { folder } => write!(
                f,
                "the data folder {} is in use by another broker; stop that one or choose another folder with --data",
                folder.display()
            ),
            OpenError::NotWritable { folder, error } => write!(
                f,
                "the data folder {} cannot be written ({error}); change its owner or mode, or choose another with --data",
                folder.display()
            ),
            OpenError::NotAFolder { path } => write!(
                f,
                "{} cannot be a data folder: it, or what should be a folder on the way to it, is a file or a link to nothing; name \
                 another with --data, which is made where it is missing",
                path.display()
            ),
            OpenError::NewerFormat { path, found, supported } => write!(
                f,
                "{} has format version {found} and this broker reads versions up to {supported}; start the newer broker \
                 that wrote it, or choose another folder with --data",
                path.display()
            ),
            OpenError::Damaged { path, what } => write!(
                f,
                "{} is damaged: {what}; the broker does not start on incomplete data: restore the data folder from a copy, \
                 or choose another folder with --data",
                path.display()
            ),
            OpenError::Io { path, doing, error } => {
                write!(f, "could not {doing} {}: {error}; make it accessible and start again", path.display())
            }
        }
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    pub(super) fn io(path: impl Into<PathBuf>, doing: &'static str, error: &std::io::Error) -> Self {
        OpenError::Io { path: path.into(), doing, error: error.to_string() }
    }

    pub(super) fn damaged(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        OpenError::Damaged { path: path.into(), what: what.into() }
    }
}
