//! Which bytes of the write-ahead log can be lost without anybody noticing: those of the last writes, that no later one vouches for.
//! Everything before is vouched for, and damage there must be found.

/// All writes to files of the log, in order; the preparation of files is none.
#[derive(Clone, Default)]
pub(super) struct LogWrites {
    writes: Vec<LogWrite>,
    /// So many of them, from the first on, are on the medium.
    flushed: usize,
    /// For so many, one that is on the medium says that they are.
    vouched_for: usize,
}

#[derive(Clone)]
struct LogWrite {
    file: usize,
    start: u64,
    end: u64,
    /// How many were on the medium when it was written, which it says.
    says_flushed: usize,
}

impl LogWrites {
    /// A write begins.
    pub(super) fn begin(&mut self, file: usize, start: u64, data: &[u8]) {
        if data.iter().take(64).any(|byte| *byte != 0) {
            let end = start + data.len() as u64;
            self.writes.push(LogWrite { file, start, end, says_flushed: self.flushed });
        }
    }

    /// All writes to that file are on the medium; it is the only one that may hold such as were not.
    pub(super) fn flushed(&mut self, file: usize) {
        let Some(last) = self.writes.last().filter(|write| write.file == file) else { return };
        self.flushed = self.writes.len();
        self.vouched_for = self.vouched_for.max(last.says_flushed);
    }

    /// Whether a byte belongs to none of the last writes.
    pub(super) fn is_vouched_for(&self, file: usize, byte: u64) -> bool {
        let unsaid = self.writes.get(self.vouched_for..).unwrap_or_default();
        !unsaid.iter().any(|write| write.file == file && (write.start..write.end).contains(&byte))
    }
}
