//! The one source of chance.

/// SplitMix64: small, fast, and the same everywhere.
pub(crate) struct Prng(u64);

impl Prng {
    pub(crate) fn new(seed: u64) -> Self {
        let mut prng = Prng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d);
        prng.next();
        prng
    }

    /// The chance of one thing alone: it does not depend on what else happens.
    pub(crate) fn of(seed: u64, key: &[u64]) -> Self {
        let mixed = key.iter().fold(seed, |mixed, part| Prng(mixed ^ part.wrapping_mul(0xff51_afd7_ed55_8ccd)).next());
        Prng::new(mixed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }
}
