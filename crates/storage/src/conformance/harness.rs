//! What the suite needs to know about an engine.

use std::sync::Arc;

use crate::Engine;

/// One engine under test, with its data.
pub trait Harness {
    /// The engine as it is now.
    fn engine(&self) -> Arc<dyn Engine>;

    /// Ends the engine and opens another one on the same data. With `gracefully` it was closed before; without, it has to end
    /// as if the process had been killed: what is not durable by then is lost or not, as it happens.
    fn reopen(&mut self, gracefully: bool) {
        unreachable!("an engine without durable data was asked to reopen (gracefully: {gracefully})")
    }
}

/// What happens at the marked points of each case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interlude {
    /// Nothing.
    Nothing,
    /// [`Engine::maintain`] with a large budget: checkpoints are taken.
    Maintain,
    /// The engine is closed and opened.
    Reopen,
    /// Maintained, then closed and opened.
    MaintainAndReopen,
    /// Ended without a close, and opened.
    Kill,
    /// Maintained, then ended without a close, and opened.
    MaintainAndKill,
}

impl Interlude {
    /// Whether the engine is maintained.
    pub fn maintains(self) -> bool {
        matches!(self, Self::Maintain | Self::MaintainAndReopen | Self::MaintainAndKill)
    }

    /// Whether the engine is opened again, and if so, whether it is closed before.
    pub fn reopens(self) -> Option<bool> {
        match self {
            Self::Nothing | Self::Maintain => None,
            Self::Reopen | Self::MaintainAndReopen => Some(true),
            Self::Kill | Self::MaintainAndKill => Some(false),
        }
    }
}
