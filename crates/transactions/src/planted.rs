//! Bugs that the simulation must catch. They sit in the product's decision code, behind the feature `planted-bugs`,
//! never in the simulator or its checks: an alarm that has never rung is not known to ring.

/// `planted!(settings, Name)`: whether that bug is switched on; always false in a product build.
#[cfg(feature = "planted-bugs")]
macro_rules! planted {
    ($settings:expr, $bug:ident) => {
        $settings.bug == Some(crate::PlantedBug::$bug)
    };
}

/// See above.
#[cfg(not(feature = "planted-bugs"))]
macro_rules! planted {
    ($settings:expr, $bug:ident) => {{
        let _ = &$settings;
        false
    }};
}

pub(crate) use planted;

#[cfg(feature = "planted-bugs")]
macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// One bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum PlantedBug {
            $($(#[doc = $doc])+ $name,)+
        }

        impl PlantedBug {
            /// All of them.
            pub const ALL: &'static [PlantedBug] = &[$(PlantedBug::$name,)+];

            /// What it is called on a command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(PlantedBug::$name => stringify!($name),)+
                }
            }

            /// What it does, in one sentence.
            pub fn sentence(self) -> &'static str {
                match self {
                    $(PlantedBug::$name => concat!($($doc),+),)+
                }
            }
        }
    };
}

#[cfg(feature = "planted-bugs")]
bugs! {
    /// A producer that was fenced goes on writing.
    FencedProducerWrites,
    /// An end is recorded by itself, and its markers come later.
    HalfAnEnd,
    /// An end is answered before it is durable.
    EndAnsweredBeforeDurable,
    /// A transaction that took too long is aborted, and its producer is not fenced.
    TimeOutKeepsTheEpoch,
    /// A producer that asks again for an end that was done is refused.
    RetriedEndRefused,
    /// A producer that asks again for an end that was done moves the epoch again.
    RetriedEndDoneTwice,
    /// An end that is asked for again ends the next transaction.
    RetriedEndEndsTheNext,
    /// A producer that asks for a commit after its transaction was aborted is told that it is committed.
    AbortedEndToldAsCommit,
    /// A partition joins a transaction whose end is decided.
    PartitionAddedToFinished,
    /// A partition that was not added may be written to.
    NotAddedMayBeWritten,
    /// A second process gets the epoch of the first.
    SecondProcessDoesNotFence,
    /// Whoever says an epoch of its own gets the next one, be it old or not.
    KnownEpochNotChecked,
    /// An epoch is told before it is durable.
    InitAnsweredBeforeDurable,
    /// An ongoing transaction that was loaded may take for ever.
    TimeOutForgottenAfterStart,
    /// An end that was not written is not tried again.
    FailedEndForgotten,
    /// A loaded transaction misses its last partition.
    PartitionLostOnReplay,
    /// After the last epoch a producer id begins with the first one again.
    EpochsWrapRound,
    /// A transactional id is forgotten while its transaction is not over.
    OngoingExpires,
    /// The partition of a group gets no marker.
    GroupLeftOut,
}
