//! What a look at a data folder says.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::TopicId;

/// Why nothing can be said about a folder. Each displays as a sentence that says what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InspectError {
    /// It is none.
    NotADataFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// A broker has it open.
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A later version wrote it.
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The newest one this version reads.
        supported: u32,
    },
    /// The topic that was asked for is not there.
    UnknownTopic {
        /// As it was typed.
        topic: String,
    },
    /// The system refused to read something.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// What was found could not be handed on.
    Output {
        /// The kind of failure: a closed pipe is none for whoever looks at the first lines only.
        kind: std::io::ErrorKind,
        /// What the system said.
        error: String,
    },
}

impl fmt::Display for InspectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InspectError::NotADataFolder { folder } => write!(
                f,
                "{} is not a data folder: it has neither a manifest nor a write-ahead log; name the folder that the broker \
                 was given with --data",
                folder.display()
            ),
            InspectError::InUse { folder } => write!(
                f,
                "a broker has {} open; stop it first, then what is on disk stands still and can be looked at",
                folder.display()
            ),
            InspectError::NewerFormat { path, found, supported } => write!(
                f,
                "{} has format version {found} and this version reads up to {supported}; use the newer ottla that wrote it",
                path.display()
            ),
            InspectError::UnknownTopic { topic } => {
                write!(f, "there is no topic {topic} in this folder; `ottla storage dump DIR manifest` lists all")
            }
            InspectError::Io { path, error } => {
                write!(f, "could not read {}: {error}; make it readable and try again", path.display())
            }
            InspectError::Output { error, .. } => write!(f, "could not write what was found: {error}"),
        }
    }
}

impl std::error::Error for InspectError {}

/// What a check of a data folder found.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct CheckReport {
    /// The manifest; `None` where there is none or it cannot be read.
    pub manifest: Option<ManifestFacts>,
    /// The write-ahead log.
    pub wal: WalFacts,
    /// Every partition that is there after recovery, by the topic's name and the partition's index.
    pub partitions: Vec<PartitionFacts>,
    /// What is damaged.
    pub damage: Vec<Damage>,
    /// What lies in the folder and is not needed.
    pub strangers: Vec<Stranger>,
}

impl CheckReport {
    /// Whether nothing is damaged.
    pub fn is_intact(&self) -> bool {
        self.damage.is_empty()
    }

    /// All that is lost.
    pub fn lost(&self) -> impl Iterator<Item = &Lost> {
        self.damage.iter().flat_map(|damage| &damage.lost)
    }

    /// Whether a broker would start on the folder.
    pub fn starts(&self) -> bool {
        !self.damage.iter().any(|damage| damage.prevents_start)
    }
}

/// The manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ManifestFacts {
    /// All frames before this one are in segment files.
    pub next_sequence: u64,
    /// How many topics it knows.
    pub topics: usize,
}

/// The write-ahead log.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct WalFacts {
    /// How many files it has, used or not.
    pub files: usize,
    /// Their sizes together.
    pub bytes: u64,
    /// How many frames recovery applies.
    pub frames: u64,
    /// The sequence number that comes next.
    pub next_sequence: u64,
}

/// One partition after recovery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionFacts {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's id.
    pub topic_id: TopicId,
    /// Its index.
    pub partition: i32,
    /// Where its log starts.
    pub log_start_offset: i64,
    /// The offset after its last record.
    pub end_offset: i64,
    /// How many segments the manifest names and the log start has not passed.
    pub segments: usize,
    /// How much of their files counts.
    pub bytes: u64,
    /// How many batches in them were read and found good.
    pub batches: u64,
}

/// Something that is not as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The file, from the data folder on.
    pub path: PathBuf,
    /// Where in the file.
    pub byte: Option<u64>,
    /// What is wrong, as a clause.
    pub what: String,
    /// The records that are lost by it. None: it costs only time.
    pub lost: Vec<Lost>,
    /// Whether a broker refuses to start for it.
    pub prevents_start: bool,
}

impl Damage {
    /// Whether look-ups take longer and that is all.
    pub fn costs_only_time(&self) -> bool {
        self.lost.is_empty() && !self.prevents_start
    }
}

/// Records of one partition that cannot be read any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lost {
    /// The topic's name, or its id where the name is lost too.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub from: i64,
    /// The offset after the last.
    pub to: i64,
    /// Fewer records may be lost than offsets: compaction left some out, or too many places are damaged to be told apart.
    pub at_most: bool,
}

impl Lost {
    /// How many offsets: as many as records, but where `at_most` holds.
    pub fn offsets(&self) -> u64 {
        self.to.saturating_sub(self.from).max(0).unsigned_abs()
    }
}

/// A file or folder that the next start removes or writes over, or that is not Ottla's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stranger {
    /// Where, from the data folder on.
    pub path: PathBuf,
    /// How it came there, as far as can be said.
    pub what: &'static str,
}
