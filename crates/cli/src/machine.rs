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

/// How the file descriptors of the process are shared out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Descriptors {
    /// For the engine's files.
    pub(crate) files: usize,
    /// For connections.
    pub(crate) connections: usize,
}

impl Descriptors {
    /// The most that the engine's files take where nobody asks for more: as many partitions are rarely read at once.
    const FILES: u64 = 4096;
    /// What they take where there are few descriptors, but no more than half.
    const FEW_FILES: u64 = 128;
    /// For listeners, folders that are flushed, the log.
    const OTHERS: u64 = 32;

    /// Shares out what the process may have; without a limit both have all they want. `wanted_files` is
    /// `ottla.open.files.max`, which gets half of them at most: a broker that nobody can connect to is of no use.
    pub(crate) fn share_out(limit: Option<u64>, wanted_files: Option<u64>) -> Self {
        let usize_of = |count| usize::try_from(count).unwrap_or(usize::MAX);
        let Some(limit) = limit else {
            return Descriptors { files: usize_of(wanted_files.unwrap_or(Self::FILES)), connections: usize::MAX };
        };
        let default = (limit / 4).clamp(Self::FEW_FILES, Self::FILES);
        let files = wanted_files.unwrap_or(default).min(limit / 2);
        if let Some(wanted) = wanted_files.filter(|wanted| *wanted > files) {
            tracing::warn!(
                "ottla.open.files.max={wanted} is more than half of the {limit} files that this process may open; {files} it \
                 is; raise the limit (ulimit -n)"
            );
        }
        let connections = limit.saturating_sub(files + Self::OTHERS).max(limit / 4);
        Descriptors { files: usize_of(files), connections: usize_of(connections) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_files() {
        let shared = |limit, wanted| {
            let Descriptors { files, connections } = Descriptors::share_out(limit, wanted);
            (files, connections)
        };
        assert_eq!(shared(Some(1 << 20), None), (4096, (1 << 20) - 4096 - 32));
        assert_eq!(shared(Some(1024), None), (256, 736));
        assert_eq!(shared(Some(256), None), (128, 96));
        assert_eq!(shared(Some(100), None), (50, 25));
        assert_eq!(shared(Some(1024), Some(100)), (100, 892));
        assert_eq!(shared(Some(1024), Some(5000)), (512, 480), "files have half at most");
        assert_eq!(shared(None, None), (4096, usize::MAX));
        assert_eq!(shared(None, Some(100_000)), (100_000, usize::MAX));
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
