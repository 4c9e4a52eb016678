//! Where data is kept, and what an acknowledgement means.

use crate::config::kind::Kind;
use crate::config::property::{Property, declare};

/// What an acknowledgement may mean.
pub(crate) const DURABILITY: Kind = Kind::Choice(&["flush", "os"]);

declare! { STORAGE:
    LOG_DIRS = Property::unset("log.dirs", Kind::List, "the data folder; wins over log.dir")
        .more("Kafka allows several; here it is one. `--data DIR` is the short form.");
    LOG_DIR = Property::served("log.dir", Kind::Text, "./ottla-data", "the data folder, where log.dirs is not set")
        .more("Kafka's own default is /tmp/kafka-logs.");
    OTTLA_STORAGE = Property::served(
        "ottla.storage",
        Kind::Choice(&["local", "memory"]),
        "local",
        "where records are kept: local (the data folder) or memory (gone when the broker stops)",
    )
    .more("`--storage memory` is the short form.");
    OTTLA_DURABILITY = Property::served(
        "ottla.durability",
        DURABILITY,
        "flush",
        "what an acknowledgement of acks=1 or acks=all means: flush (on disk) or os (with the operating system)",
    )
    .more(
        "With `flush` acknowledged records survive a power cut. With `os` they survive the death of the broker, but not \
         that of the machine. Topics, groups and committed offsets are always flushed. A topic's own \
         `ottla.durability` wins.",
    )
    .while_running();
    OTTLA_WAL_MAX_BYTES = Property::served(
        "ottla.wal.max.bytes",
        Kind::Long { min: 16 << 20, max: 1 << 40 },
        "268435456",
        "how large the write-ahead log may grow on disk before producers wait for a checkpoint",
    );
    OTTLA_CHECKPOINT_INTERVAL_MS = Property::served(
        "ottla.checkpoint.interval.ms",
        Kind::long(0),
        "60000",
        "how often the write-ahead log is moved to the segment files, in milliseconds; 0: only when it must",
    );
    OTTLA_TAIL_BYTES = Property::served(
        "ottla.tail.bytes",
        Kind::Long { min: 1 << 20, max: 1 << 40 },
        "33554432",
        "how much of the newest records of all partitions is kept in memory",
    );
    OTTLA_OPEN_FILES_MAX = Property::unset(
        "ottla.open.files.max",
        Kind::Long { min: 64, max: 1 << 30 },
        "how many files of records and their indexes may be open; the least recently used are closed for others",
    )
    .more(
        "Unset, it is a quarter of the limit of the process (`ulimit -n`), at least 128 and at most 4096. It is never more \
         than half of that limit: the rest is for connections. Files that nobody uses are closed in any case.",
    );
}
