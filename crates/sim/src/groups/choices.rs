//! What a run may do without: so a run that fails is made again with less and less in it, until what is left tells a story.
use std::collections::BTreeSet;

/// Something that a run may do or leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Choice {
    /// There is this member.
    Member(usize),
    /// It commits.
    Commits(usize),
    /// There is this fault.
    Fault(u64),
    /// Some time passes before this fault.
    Pause(u64),
    /// Something befalls this message.
    Trouble(u64),
}

/// What is left out of a run, and what was chosen of the rest.
#[derive(Debug, Clone, Default)]
pub(super) struct Choices {
    without: BTreeSet<Choice>,
    /// When the faults stop, if not at the usual time.
    pub(super) quiet_at_ms: Option<u64>,
    made: Vec<Choice>,
}

impl Choices {
    pub(super) fn without(without: BTreeSet<Choice>, quiet_at_ms: Option<u64>) -> Self {
        Choices { without, quiet_at_ms, made: Vec::new() }
    }

    /// Whether the run does that.
    pub(super) fn choose(&mut self, choice: Choice) -> bool {
        let is_in = self.has(choice);
        if is_in {
            self.made.push(choice);
        }
        is_in
    }

    /// Whether the run may do that.
    pub(super) fn has(&self, choice: Choice) -> bool {
        self.without.is_empty() || !self.without.contains(&choice)
    }

    /// Whether this is the whole run of a seed.
    pub(super) fn are_all(&self) -> bool {
        self.without.is_empty() && self.quiet_at_ms.is_none()
    }

    pub(super) fn into_made(self) -> Vec<Choice> {
        self.made
    }
}
