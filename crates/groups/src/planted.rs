//! Bugs that the simulation must catch. They sit in the product's decision code, behind the feature `planted-bugs`,
//! never in the simulator or its checks: an alarm that has never rung is not known to ring.

/// One bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlantedBug {
    /// A new member is let into a stable generation as a second leader, and its assignment is accepted.
    TwoOwnersInOneGeneration,
}

impl PlantedBug {
    /// All of them.
    pub const ALL: &'static [PlantedBug] = &[PlantedBug::TwoOwnersInOneGeneration];
}
