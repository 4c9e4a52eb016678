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
    /// A new member is let into a stable generation as a second leader, and its assignment is accepted.
    TwoOwnersInOneGeneration,
    /// A commit is accepted whatever generation it names.
    StaleGenerationCommits,
    /// Offsets are reset under members that are not fenced.
    ResetUndoneByAnOldCommit,
    /// Members hear of a new generation before it is durable.
    JoinReplyBeforeAppend,
    /// The leader's assignment is answered before it is durable.
    SyncReplyBeforeAppend,
    /// A commit is acknowledged before it is durable.
    CommitReplyBeforeAppend,
    /// A loaded group misses its last member.
    MemberLostOnReplay,
    /// An old member id may go on speaking for its instance.
    StaticFenceSkipped,
    /// A group is not looked at again after one of its timers was due.
    TimerNotRearmed,
    /// A heartbeat is answered but does not renew the session.
    HeartbeatDoesNotCount,
    /// A member id that was given and never used is waited for without end.
    PendingMemberNeverExpires,
    /// A rebalance hands out the generation number that was there before.
    GenerationNotBumped,
    /// A member leaves, and nobody is told.
    LeaveDoesNotRebalance,
    /// A member is answered with the assignment of the next one.
    SyncAnswersForAnother,
    /// Members that never ask for their assignment are kept.
    SyncTimeoutForgotten,
    /// A leader is gone before it has assigned, and the others wait for it.
    LeaderLostInSync,
    /// What was deleted is there again after a start.
    TombstoneNotReplayed,
    /// A heartbeat of a member that was removed is answered as if it were one still.
    HeartbeatRevivesTheEvicted,
    /// A join that is sent again, because its answer is late, makes a second member.
    RetriedJoinMakesASecondMember,
    /// A member id that rejoins in place of a static member loses its assignment.
    StaticRejoinLosesAssignment,
    /// Commits of a group with members expire.
    ExpiryWithALiveMember,
    /// A broker that stood still evicts its members.
    StallEvicts,
    /// A partition is granted to its next owner before the former one has given it up.
    GrantBeforeRevoke,
    /// A member hears of an epoch or of partitions before they are durable.
    HeartbeatReplyBeforeAppend,
    /// A member of the consumer protocol may be in any epoch.
    MemberEpochNotChecked,
    /// A member that does not give up partitions in time is waited for without end.
    RevocationTimeoutForgotten,
    /// Members of a loaded group have nothing until they are heard of.
    OwnersLostOnReplay,
    /// A member that comes back over another connection is removed all the same.
    ReconnectDoesNotCount,
    /// A static member is removed because its connection was lost.
    GraceForStaticMembers,
    /// A group takes up the consumer protocol, and what its members had is free.
    UpgradeForgetsAssignments,
    /// A group goes back to the classic protocol without one of its members.
    DowngradeForgetsAMember,
    /// A member of the classic protocol in a consumer group is given what it shall have, whoever has it still.
    ClassicSyncGivesTheTarget,
    /// A coordinator that loads half a migration goes on with it.
    HalfAMigrationCounts,
    /// What a static member should have had counts as free where another process takes its place.
    ReplacedMembersTargetIsFree,
    /// Members hear of topics that came, grew or went only when something else changes.
    TopicChangesNotSeen,
    /// Commits of a deleted topic stay.
    DeletedTopicKeepsCommits,
    /// A deleted topic takes the commits of the one along that was made anew under its name.
    DeletionTakesNewCommits,
    /// An offset that is committed in a transaction counts before the transaction has ended.
    PendingOffsetCounts,
    /// The offsets of an aborted transaction count.
    AbortedOffsetsCount,
    /// Offsets of a transaction that has not ended are forgotten at a start.
    PendingLostOnReplay,
    /// A start passes over the markers that end transactions.
    MarkerNotReplayed,
    /// An offset is told as the last one, though a transaction that has not ended committed another.
    UnstableOffsetTold,
}

#[cfg(feature = "planted-bugs")]
impl PlantedBug {
    /// Those that show in transactions alone.
    pub const IN_TRANSACTIONS: &'static [PlantedBug] = &[
        PlantedBug::PendingOffsetCounts,
        PlantedBug::AbortedOffsetsCount,
        PlantedBug::PendingLostOnReplay,
        PlantedBug::MarkerNotReplayed,
        PlantedBug::UnstableOffsetTold,
    ];
}
