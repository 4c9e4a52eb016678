//! The machine that the broker runs on: its clock, its randomness, its limits. Picked here and nowhere else.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ottla_broker::{Clock, Entropy};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The system's clocks; monotonic time counts from the start of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// To be called first of all, so that the time to the ready line is the time people wait.
    pub(crate) fn start() -> Self {
        SystemClock { started: Instant::now() }
    }

    /// How long the process has been running.
    pub(crate) fn running(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Clock for SystemClock {
    fn monotonic_ms(&self) -> u64 {
        millis(self.started.elapsed())
    }

    fn wall_ms(&self) -> i64 {
        // A clock before 1970 is a broken clock; 0 is as good as any other wrong time.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(millis(since_1970)).unwrap_or(i64::MAX)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Random numbers from the kernel, drawn in blocks: a system call for every member id would be waste.
pub(crate) struct SystemEntropy {
    pool: std::sync::Mutex<Pool>,
}

struct Pool {
    bytes: [u8; 256],
    used: usize,
}

impl SystemEntropy {
    /// Draws the first block, so that a system without randomness is found out at the start.
    ///
    /// # Errors
    /// What the system says instead of giving random bytes.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 256];
        getrandom::fill(&mut bytes)?;
        Ok(SystemEntropy { pool: std::sync::Mutex::new(Pool { bytes, used: 0 }) })
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let mut pool = self.pool.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for byte in buffer {
            if pool.used == pool.bytes.len() {
                // The kernel answered once at the start; after that it cannot fail. Predictable ids would be worse than none.
                if let Err(error) = getrandom::fill(&mut pool.bytes) {
                    panic!("the system no longer gives random numbers: {error}");
                }
                pool.used = 0;
            }
            let used = pool.used;
            *byte = std::mem::take(&mut pool.bytes[used]);
            pool.used += 1;
        }
    }
}

impl fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemEntropy")
    }
}

/// Allows this process as many open files as the system lets it: connections and segment files both count. Answers the limit.
pub(crate) fn raise_open_file_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!("the limit of open files stays at {:?}: {error}", limit.current);
            return limit.current;
        }
    }
    limit.maximum
}

/// How many file descriptors are kept from connections, for the engine's files, folders, listeners and the log.
const DESCRIPTORS_FOR_FILES: u64 = 128;

/// How many connections may be open where so many files may be: where there are few, no more than half.
pub(crate) fn max_connections(open_files: u64) -> usize {
    let rest = open_files.saturating_sub(DESCRIPTORS_FOR_FILES).max(open_files / 2);
    usize::try_from(rest).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_files() {
        assert_eq!(max_connections(1 << 20), (1 << 20) - 128);
        assert_eq!(max_connections(1024), 896);
        assert_eq!(max_connections(256), 128);
        assert_eq!(max_connections(100), 50);
        assert_eq!(max_connections(u64::MAX), usize::MAX - 128);
    }

    #[test]
    fn entropy_never_gives_the_same_bytes_twice() {
        let entropy = SystemEntropy::new().expect("random numbers");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let mut id = [0; 16];
            entropy.fill(&mut id);
            assert!(seen.insert(id), "16 random bytes came twice");
        }
    }

    #[test]
    fn entropy_fills_more_than_a_block() {
        let mut long = vec![0; 2000];
        SystemEntropy::new().expect("random numbers").fill(&mut long);
        assert!(long.chunks(64).all(|piece| piece.iter().any(|byte| *byte != 0)));
    }
}
