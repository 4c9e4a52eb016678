//! Bugs that the simulation and the crash rounds must catch. They sit in the engine's own decisions, behind the feature
//! `planted-bugs`, never in a simulator or a check: an alarm that has never rung is not known to ring.

/// Which planted bug is switched on. Without the feature there is none, and this is nothing.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Planted {
    #[cfg(feature = "planted-bugs")]
    bug: Option<PlantedBug>,
}

#[cfg(feature = "planted-bugs")]
impl Planted {
    pub(super) fn new(bug: Option<PlantedBug>) -> Self {
        Self { bug }
    }

    pub(super) fn is(self, bug: PlantedBug) -> bool {
        self.bug == Some(bug)
    }
}

/// `planted!(planted, Name)`: whether that bug is switched on; always false in a product build.
#[cfg(feature = "planted-bugs")]
macro_rules! planted {
    ($planted:expr, $bug:ident) => {
        $planted.is(crate::local::PlantedBug::$bug)
    };
}

/// See above.
#[cfg(not(feature = "planted-bugs"))]
macro_rules! planted {
    ($planted:expr, $bug:ident) => {{
        let _ = &$planted;
        false
    }};
}

pub(super) use planted;

#[cfg(feature = "planted-bugs")]
macro_rules! bugs {
    ($($text:literal $name:ident: $sentence:literal,)+) => {
        /// A bug compiled in on purpose.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum PlantedBug {
            $(#[doc = $sentence] $name,)+
        }

        impl PlantedBug {
            /// All of them.
            pub const ALL: &'static [PlantedBug] = &[$(PlantedBug::$name,)+];

            /// The name by which a command line asks for it.
            pub fn name(self) -> &'static str {
                match self {
                    $(PlantedBug::$name => $text,)+
                }
            }

            /// What it does, in one sentence.
            pub fn sentence(self) -> &'static str {
                match self {
                    $(PlantedBug::$name => $sentence,)+
                }
            }

            /// The bug of that name.
            pub fn by_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|bug| bug.name() == name)
            }
        }
    };
}

#[cfg(feature = "planted-bugs")]
bugs! {
    "ack-before-flush" AckBeforeFlush:
        "Appends are answered when the operating system has them; the write-ahead log is never flushed.",
    "answer-before-write" AnswerBeforeWrite:
        "Appends are answered before they are written.",
    "duplicate-answered-early" DuplicateAnsweredEarly:
        "A duplicate is answered at once, while its original is still on its way to the disk.",
    "order-lost" OrderLost:
        "Of two waiting appends the second goes first if it has no producer id.",
    "goes-on-after-failed-write" GoesOnAfterFailedWrite:
        "A failed write of the log is treated like a full disk.",
    "topic-not-flushed" TopicNotFlushed:
        "The creation of a topic is answered without a flush.",
    "log-start-not-flushed" LogStartNotFlushed:
        "A log start is not durable before the files below it are removed.",
    "flushes-own-write-only" FlushesOwnWriteOnly:
        "A flush covers its own write, not the unflushed ones before it.",
    "tail-block-rewritten" TailBlockRewritten:
        "A write of the log goes on in the block that the last one began.",
    "log-file-name-not-flushed" LogFileNameNotFlushed:
        "A new file of the log is used before its name is durable.",
    "stale-frame-accepted" StaleFrameAccepted:
        "Recovery takes an intact frame of an earlier use of the file for one that follows.",
    "damage-taken-for-end" DamageTakenForEnd:
        "Recovery does not look for what later frames call durable.",
    "recovery-stops-early" RecoveryStopsEarly:
        "Recovery takes the padding of a write for the end of a segment.",
    "end-not-flushed" EndNotFlushed:
        "Recovery does not flush what it found written and not flushed.",
    "cache-believed" CacheBelieved:
        "Recovery flushes what it read after a failed flush, and does not write it again first.",
    "segments-not-flushed" SegmentsNotFlushed:
        "A checkpoint does not flush the segment files.",
    "manifest-not-flushed" ManifestNotFlushed:
        "A manifest is renamed into place before it is flushed.",
    "log-freed-early" LogFreedEarly:
        "A checkpoint frees the log before its manifest is in place.",
    "producers-lost-with-log" ProducersLostWithLog:
        "The manifest forgets the producers.",
    "log-start-not-in-manifest" LogStartNotInManifest:
        "The manifest forgets the log starts.",
    "second-flush" SecondFlush:
        "A failed flush of a segment file is tried again, and believed.",
    "folder-not-flushed" FolderNotFlushed:
        "The folder of a new partition is not flushed.",
    "last-values-dropped" LastValuesDropped:
        "Compaction drops a batch as a whole when one of its records goes, and with it the last values of other keys.",
    "tombstones-not-kept" TombstonesNotKept:
        "Compaction removes tombstones as soon as it has seen them, whatever delete.retention.ms says.",
    "compacted-not-flushed" CompactedNotFlushed:
        "What compaction wrote takes the place of the old segments before it is flushed.",
    "compacted-names-not-flushed" CompactedNamesNotFlushed:
        "What compaction wrote takes the place of the old segments before the names of its files are durable.",
    "replaced-removed-early" ReplacedRemovedEarly:
        "Segments that compaction has replaced are removed before a manifest names the new ones.",
    "trimmed-too-far" TrimmedTooFar:
        "With the segments below a log start the first one above it is removed.",
    "retention-goes-too-far" RetentionGoesTooFar:
        "Retention moves a log start past the first segment that should stay.",
    "stable-offset-past-open" StableOffsetPastOpen:
        "When a transaction is aborted the last stable offset goes to the end, whatever else is open.",
    "atomic-in-pieces" AtomicInPieces:
        "An atomic append is written as one frame for each of its partitions.",
    "aborted-lost-at-checkpoint" AbortedLostAtCheckpoint:
        "The manifest forgets which transactions were aborted.",
    "open-lost-at-start" OpenLostAtStart:
        "A start forgets which transactions the manifest calls open when it says how far committed records go.",
    "fenced-producer-writes" FencedProducerWrites:
        "A batch of an epoch that is over is accepted.",
    "aborted-taken-for-committed" AbortedTakenForCommitted:
        "Compaction takes records of aborted transactions for committed ones.",
    "index-past-data" IndexPastData:
        "An index entry leads to the end of its batch.",
    "dependency-not-checked" DependencyNotChecked:
        "What a batch depends on need not be there.",
}

#[cfg(feature = "planted-bugs")]
impl PlantedBug {
    /// Those that show in transactions alone.
    pub const IN_TRANSACTIONS: &'static [PlantedBug] = &[PlantedBug::DependencyNotChecked];
}
