//! Who left a group lately and may be back by now: one that comes and goes disturbs all others.
use alloc::collections::VecDeque;
use alloc::string::String;

/// So many are kept.
const KEPT: usize = 32;

/// One member that said that it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftLately {
    /// Wall time in milliseconds.
    pub at_ms: i64,
    /// The client's own name.
    pub client_id: String,
    /// The client's address.
    pub host: String,
}

/// The last ones, oldest first, kept in memory.
#[derive(Debug, Default)]
pub(crate) struct Departures(VecDeque<LeftLately>);

impl Departures {
    pub(crate) fn note(&mut self, at_ms: i64, client_id: &str, host: &str) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(LeftLately { at_ms, client_id: client_id.into(), host: host.into() });
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &LeftLately> {
        self.0.iter()
    }
}
