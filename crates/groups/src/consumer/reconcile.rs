//! How a member comes from what it has to what it shall have (KIP-848): it first gives up what is not its any more and says so, and
//! gets the rest when those who had it have given it up.
use crate::assignment::Assignment;
use crate::records::{CurrentAssignment, MemberState};
use crate::request::TopicId;
use alloc::vec::Vec;

/// Where a member shall come.
pub(super) struct Goal<'a> {
    /// The epoch of the target assignment.
    pub(super) epoch: i32,
    /// What the member shall have in it.
    pub(super) target: &'a Assignment,
}

/// The next step on a member's way; `None` where it stays as it is. `owned` is what the member says it has; `None` if it did not say, in which case it may have
/// all that it ever had.
pub(super) fn next(
    current: &CurrentAssignment,
    goal: &Goal<'_>,
    owned: Option<&Assignment>,
    is_free: impl Fn(TopicId, i32) -> bool,
) -> Option<CurrentAssignment> {
    let has_any = |revoked: &Assignment| owned.is_none_or(|owned| owned.intersects(revoked));
    match current.state {
        MemberState::Stable if current.member_epoch == goal.epoch => None,
        MemberState::UnrevokedPartitions if has_any(&current.pending_revocation) => None,
        _ => Some(towards(current, goal, has_any, is_free)).filter(|after| after != current),
    }
}

fn towards(
    current: &CurrentAssignment,
    goal: &Goal<'_>,
    has_any: impl Fn(&Assignment) -> bool,
    is_free: impl Fn(TopicId, i32) -> bool,
) -> CurrentAssignment {
    let kept = current.assigned.filter(|topic_id, partition| goal.target.contains(topic_id, partition));
    let revoked = current.assigned.filter(|topic_id, partition| !goal.target.contains(topic_id, partition));
    if !revoked.is_empty() && has_any(&revoked) {
        return CurrentAssignment {
            member_epoch: current.member_epoch,
            previous_member_epoch: current.previous_member_epoch,
            state: MemberState::UnrevokedPartitions,
            assigned_epochs: current.epochs_of(&kept, current.member_epoch),
            pending_epochs: current.epochs_of(&revoked, current.member_epoch),
            assigned: kept,
            pending_revocation: revoked,
        };
    }
    let missing = goal.target.filter(|topic_id, partition| !kept.contains(topic_id, partition));
    let granted = missing.filter(&is_free);
    let is_complete = granted.len() == missing.len();
    let previous_member_epoch =
        if current.member_epoch == goal.epoch { current.previous_member_epoch } else { current.member_epoch };
    let assigned = kept.union(&granted);
    CurrentAssignment {
        member_epoch: goal.epoch,
        previous_member_epoch,
        state: if is_complete { MemberState::Stable } else { MemberState::UnreleasedPartitions },
        assigned_epochs: current.epochs_of(&assigned, goal.epoch),
        assigned,
        pending_revocation: Assignment::none(),
        pending_epochs: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const T: TopicId = [7; 16];

    fn some(partitions: &[i32]) -> Assignment {
        Assignment::of(partitions.iter().map(|&partition| (T, partition)))
    }

    fn stable(member_epoch: i32, partitions: &[i32]) -> CurrentAssignment {
        let assigned = some(partitions);
        CurrentAssignment { member_epoch, previous_member_epoch: member_epoch - 1, assigned, ..Default::default() }
    }

    /// What the member has after the step; since when is another matter.
    fn next(
        current: &CurrentAssignment,
        goal: &Goal<'_>,
        owned: Option<&Assignment>,
        is_free: impl Fn(TopicId, i32) -> bool,
    ) -> CurrentAssignment {
        let after = super::next(current, goal, owned, is_free).unwrap_or_else(|| current.clone());
        CurrentAssignment { assigned_epochs: Vec::new(), pending_epochs: Vec::new(), ..after }
    }

    fn goal(epoch: i32, target: &Assignment) -> Goal<'_> {
        Goal { epoch, target }
    }

    #[test]
    fn what_it_keeps_is_as_old_as_before() {
        let epochs = |current: &CurrentAssignment| (0..3).map(|at| current.epoch_of(T, at)).collect::<Vec<_>>();
        let before = super::next(&stable(1, &[0, 1]), &goal(2, &some(&[0, 1, 2])), None, |_, _| true).unwrap();
        assert_eq!(epochs(&before), [Some(1), Some(1), Some(2)]);
        let told = super::next(&before, &goal(3, &some(&[0])), None, |_, _| true).unwrap();
        assert_eq!((told.state, epochs(&told)), (MemberState::UnrevokedPartitions, vec![Some(1), Some(1), Some(2)]));
        let done = super::next(&told, &goal(3, &some(&[0])), Some(&some(&[0])), |_, _| true).unwrap();
        assert_eq!((done.member_epoch, epochs(&done)), (3, vec![Some(1), None, None]));
    }

    #[test]
    fn what_is_free_is_granted_at_once() {
        let target = some(&[0, 1]);
        let after = next(&stable(0, &[]), &goal(1, &target), Some(&some(&[])), |_, _| true);
        assert_eq!(after, CurrentAssignment { previous_member_epoch: 0, ..stable(1, &[0, 1]) });
    }

    #[test]
    fn nothing_is_granted_before_what_must_go_is_gone() {
        let target = some(&[1, 2]);
        let told = next(&stable(1, &[0, 1]), &goal(2, &target), Some(&some(&[0, 1])), |_, _| true);
        assert_eq!((told.member_epoch, told.state), (1, MemberState::UnrevokedPartitions));
        assert_eq!((&told.assigned, &told.pending_revocation), (&some(&[1]), &some(&[0])));
        // Silence is no confirmation, and neither is part of it.
        assert_eq!(next(&told, &goal(2, &target), None, |_, _| true), told);
        assert_eq!(next(&told, &goal(2, &target), Some(&some(&[0, 1])), |_, _| true), told);
        let done = next(&told, &goal(2, &target), Some(&some(&[1])), |_, _| true);
        assert_eq!(done, stable(2, &[1, 2]));
    }

    #[test]
    fn what_others_still_have_is_waited_for() {
        let target = some(&[0, 1]);
        let waiting = next(&stable(0, &[]), &goal(3, &target), Some(&some(&[])), |_, partition| partition == 0);
        assert_eq!((waiting.member_epoch, waiting.state), (3, MemberState::UnreleasedPartitions));
        assert_eq!(waiting.assigned, some(&[0]));
        let done = next(&waiting, &goal(3, &target), None, |_, _| true);
        assert_eq!((done.state, done.assigned, done.previous_member_epoch), (MemberState::Stable, some(&[0, 1]), 0));
    }

    #[test]
    fn a_member_that_has_what_it_should_stays() {
        let target = some(&[0]);
        assert_eq!(next(&stable(2, &[0]), &goal(2, &target), None, |_, _| false), stable(2, &[0]));
        assert_eq!(next(&stable(2, &[0]), &goal(3, &target), None, |_, _| false), stable(3, &[0]));
    }
}
