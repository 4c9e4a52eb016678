//! What happened in a run: always as a hash, and as text if somebody wants to read it.

/// What of a run shall be text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    Nothing,
    /// What a person needs who wants to understand it.
    Story,
    Everything,
}

/// The trace of one run.
pub(crate) struct Trace {
    hash: u64,
    telling: Telling,
    lines: Vec<String>,
}

impl Trace {
    pub(crate) fn new(telling: Telling) -> Self {
        Trace { hash: 0xcbf2_9ce4_8422_2325, telling, lines: Vec::new() }
    }

    /// Mixes something that happened into the hash.
    pub(crate) fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn mix_number(&mut self, number: u64) {
        self.mix(&number.to_le_bytes());
    }

    /// Notes a line, made only if somebody wants it.
    pub(crate) fn note(&mut self, at_ms: u64, line: impl FnOnce() -> String) {
        if self.telling == Telling::Everything {
            self.lines.push(format!("{at_ms:>7} {}", line()));
        }
    }

    /// Notes a line that belongs to the story as well.
    pub(crate) fn tell(&mut self, at_ms: u64, line: impl FnOnce() -> String) {
        self.tell_if(at_ms, || Some(line()));
    }

    /// The same, where it may not be worth it.
    pub(crate) fn tell_if(&mut self, at_ms: u64, line: impl FnOnce() -> Option<String>) {
        match self.telling {
            Telling::Nothing => {}
            Telling::Everything => self.lines.extend(line().map(|line| format!("{at_ms:>7} * {line}"))),
            Telling::Story => {
                let seconds = at_ms as f64 / 1_000.0;
                self.lines.extend(line().map(|line| format!("{seconds:>7.3} s  {line}")));
            }
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
