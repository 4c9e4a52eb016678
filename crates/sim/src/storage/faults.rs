//! What goes wrong in one life of the engine, besides its end.

use super::disk::Operation;
use crate::prng::Prng;

const EIO: i32 = 5;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;

/// One fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    None,
    /// One operation fails: the first of its kind from that one on.
    Once {
        at: u64,
        kind: Kind,
        errno: i32,
    },
    /// No file or folder can be opened from one operation to another.
    Starved {
        from: u64,
        to: u64,
    },
    /// The disk is full for a while. The disk itself knows; here is only until which step.
    Full {
        until_step: u64,
    },
}

/// Which operations fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Any,
    Flush,
    Look,
    Change,
}

impl Fault {
    /// What goes wrong from operation `now` on, and from step 0 on.
    pub(crate) fn draw(rng: &mut Prng, now: u64) -> Self {
        let at = now + rng.between(1, 150);
        let once = |kind, errno| Fault::Once { at, kind, errno };
        match rng.between(0, 19) {
            0 => once(Kind::Any, EIO),
            1..=2 => once(Kind::Flush, EIO),
            3 => once(Kind::Flush, ENOSPC),
            4 => once(Kind::Look, EIO),
            5 => once(Kind::Change, EIO),
            6 => once(Kind::Change, ENOSPC),
            7 => Fault::Starved { from: at, to: at + rng.between(1, 60) },
            8..=9 => Fault::Full { until_step: rng.between(10, 60) },
            _ => Fault::None,
        }
    }

    /// The error number that an operation fails with, if so. A fault that strikes once is over then.
    pub(crate) fn strikes(&mut self, operation: Operation, now: u64) -> Option<i32> {
        match *self {
            Fault::Once { at, kind, errno } if now >= at && kind.is_of(operation) => {
                *self = Fault::Once { at: u64::MAX, kind, errno };
                Some(errno)
            }
            Fault::Starved { from, to } if (from..to).contains(&now) && opens(operation) => Some(EMFILE),
            _ => None,
        }
    }

    /// Whether the engine may stop writing because of it. A lack of space or of file descriptors must pass.
    pub(crate) fn may_poison(self) -> bool {
        matches!(self, Fault::Once { .. })
    }

    /// Whether it is over by itself after a while, at that operation and step.
    pub(crate) fn has_passed(self, now: u64, step: u64) -> bool {
        match self {
            Fault::Starved { to, .. } => now >= to,
            Fault::Full { until_step } => step >= until_step,
            Fault::None | Fault::Once { .. } => false,
        }
    }
}

impl Kind {
    fn is_of(self, operation: Operation) -> bool {
        match self {
            Kind::Any => true,
            Kind::Flush => operation.flushes(),
            Kind::Look => operation.only_looks(),
            Kind::Change => !operation.only_looks() && !operation.flushes(),
        }
    }
}

/// Whether the operation needs a file descriptor of its own.
fn opens(operation: Operation) -> bool {
    matches!(operation, Operation::Open | Operation::Create | Operation::List | Operation::SyncFolder | Operation::Lock)
}
