//! What the broker needs from outside itself: time and random numbers. The command line picks them, tests replace them.

use std::fmt;

/// The time, twice: deadlines are monotonic, stored times are wall time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Milliseconds since some fixed moment of this process; never runs backwards.
    fn monotonic_ms(&self) -> u64;
    /// Milliseconds since 1970, UTC.
    fn wall_ms(&self) -> i64;
}

/// Random numbers that nobody can guess: topic ids, member ids, fetch session ids.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// 64 random bits.
pub(crate) fn random_u64(entropy: &dyn Entropy) -> u64 {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// A random UUID (version 4), as topic ids are. Never one of Kafka's two reserved ids (all zero, and one).
pub(crate) fn random_uuid(entropy: &dyn Entropy) -> [u8; 16] {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}
