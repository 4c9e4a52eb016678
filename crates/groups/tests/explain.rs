//! What a group says about itself, and what an administrator's reset does to it.
#![allow(clippy::unwrap_used, clippy::panic)]
mod bench;

use bench::{Bench, Client, assignment, partition_facts};
use ottla_groups::*;

/// Two members of the classic protocol that share `orders`: 0 and 1 for the first, 2 for the second.
fn shared() -> (Bench, Client, Client) {
    let mut bench = Bench::new();
    let (mut first, mut second) = (bench.client("worker-1"), bench.client("worker-2"));
    bench.join_all(&mut [&mut first, &mut second]);
    bench.sync_all(&[(&first, assignment("orders", &[0, 1])), (&second, assignment("orders", &[2]))]);
    bench.events.clear();
    (bench, first, second)
}

#[test]
fn members_and_what_they_hold_are_in_the_picture() {
    let (mut bench, first, _) = shared();
    let group = bench.explain();
    assert_eq!(
        (group.state, group.group_type, group.protocol_type.as_str()),
        (GroupState::Stable, "classic", "consumer")
    );
    assert_eq!(group.cause, "the leader has assigned");
    let owners = group.owners();
    let owner = owners[&("orders", 1)];
    assert_eq!((&owner.who.client_id, &owner.who.member_id), (&"worker-1".to_string(), &first.member_id));
    assert_eq!(owner.held, [("orders".to_string(), vec![0, 1])]);
    assert!(!owners.contains_key(&("orders", 3)));
}

#[test]
fn a_rebalance_says_who_it_waits_for_and_why() {
    let (mut bench, mut first, second) = shared();
    bench.advance(2_000);
    bench.rejoin(&mut first, Some("rebalance enforced by user"));
    bench.advance(1_000);
    let group = bench.explain();
    let diagnosis = diagnose(bench.now.wall_ms, &group, &Default::default());
    assert_eq!(diagnosis.status, Status::Rebalancing);
    let finding = &diagnosis.findings[0];
    assert_eq!(finding.text, "it is PreparingRebalance for 1 s: it waits for 1 of 2 members to join again");
    assert_eq!(finding.member.as_ref().unwrap().member_id, second.member_id);
    assert!(finding.evidence[0].contains("rebalance enforced by user"), "{:?}", finding.evidence);
    // What it had is known until the next assignment.
    assert_eq!(group.member(&second.member_id).unwrap().held, [("orders".to_string(), vec![2])]);
}

#[test]
fn events_tell_what_members_had_and_have() {
    let (mut bench, mut first, second) = shared();
    bench.leave(&second);
    bench.rejoin(&mut first, None);
    bench.sync_all(&[(&first, assignment("orders", &[0, 1, 2]))]);
    let left = bench.events.iter().find_map(|event| match event {
        GroupEventKind::MemberRemoved { member, how, held, .. } => Some((member.client_id.clone(), *how, held.clone())),
        _ => None,
    });
    assert_eq!(left, Some(("worker-2".into(), Departure::Left, vec![("orders".into(), vec![2])])));
    let changes = bench.events.iter().find_map(|event| match event {
        GroupEventKind::Assigned { changes, .. } => Some(changes.clone()),
        _ => None,
    });
    let [change] = &changes.unwrap()[..] else { panic!("one member is left") };
    assert_eq!(change.before, [("orders".to_string(), vec![0, 1])]);
    assert_eq!(change.after, [("orders".to_string(), vec![0, 1, 2])]);
}

#[test]
fn the_same_offset_again_and_again_is_a_stall() {
    let (mut bench, first, _) = shared();
    for _ in 0..5 {
        bench.advance(4_000);
        bench.commit(&first, 0, 81_204, 100_000).unwrap();
        bench.keep_alive(&[&first]);
    }
    let diagnosis = bench.diagnose(&[partition_facts(0, 0, 129_414)]);
    let finding = diagnosis.findings.iter().find(|finding| finding.status == Status::Stall).unwrap();
    assert_eq!(finding.place, Some(("orders".into(), 0)));
    assert_eq!(finding.text, "orders/0 commits but does not advance for 16 s");
    assert!(finding.evidence.contains(&"offset 81,204 was committed 5 times".into()), "{:?}", finding.evidence);
    assert!(finding.next.contains(&"ottla group reset g --partition orders/0 --to 81205 --online".into()));
    let caught_up = bench.diagnose(&[partition_facts(0, 0, 81_204)]);
    assert!(caught_up.findings.iter().all(|finding| finding.status != Status::Stall), "there is nothing more to read");
}

#[test]
fn silence_after_regular_commits_is_a_stop() {
    let (mut bench, first, second) = shared();
    for step in 0..4 {
        bench.advance(3_000);
        bench.commit(&first, 0, 100 * step, 1_000).unwrap();
    }
    let stopped = |bench: &mut Bench| {
        let diagnosis = bench.diagnose(&[partition_facts(0, 0, 1_000)]);
        diagnosis.findings.iter().any(|finding| finding.status == Status::Stop)
    };
    bench.advance(9_000);
    assert!(!stopped(&mut bench), "its window spans 9 s, and 10 s are always waited");
    bench.keep_alive(&[&first, &second]);
    bench.advance(2_000);
    assert!(stopped(&mut bench));
}

#[test]
fn going_back_is_told_and_found() {
    let (mut bench, first, _) = shared();
    bench.commit(&first, 0, 500, 1_000).unwrap();
    bench.advance(2_000);
    bench.commit(&first, 0, 120, 1_000).unwrap();
    let moved = bench.events.iter().find_map(|event| match event {
        GroupEventKind::OffsetsMoved(moved) => Some((moved.from, moved.to, moved.not_read, moved.is_inferred)),
        _ => None,
    });
    assert_eq!(moved, Some((Some(500), 120, 0, false)));
    let diagnosis = bench.diagnose(&[partition_facts(0, 0, 1_000)]);
    assert_eq!(diagnosis.status, Status::Rewind);
    assert_eq!(diagnosis.findings[0].text, "orders/0 went back: 380 records are read again");
}

#[test]
fn going_back_is_over_once_it_is_where_it_was() {
    let (mut bench, first, _) = shared();
    for offset in [500, 120, 499] {
        bench.commit(&first, 0, offset, 1_000).unwrap();
        bench.advance(2_000);
    }
    assert_eq!(bench.diagnose(&[partition_facts(0, 0, 1_000)]).status, Status::Rewind);
    bench.commit(&first, 0, 500, 1_000).unwrap();
    let diagnosis = bench.diagnose(&[partition_facts(0, 0, 1_000)]);
    assert!(diagnosis.findings.iter().all(|finding| finding.status != Status::Rewind), "{diagnosis:?}");
}

#[test]
fn growing_lag_is_slow() {
    let (mut bench, first, second) = shared();
    for step in 1..=4 {
        bench.advance(2_000);
        bench.keep_alive(&[&second]);
        bench.commit(&first, 0, 10 * step, 100 * step).unwrap();
    }
    let diagnosis = bench.diagnose(&[partition_facts(0, 0, 500)]);
    assert_eq!(diagnosis.status, Status::Warn);
    assert!(diagnosis.findings[0].evidence[0].starts_with("its lag grew from 90 to 360"), "{diagnosis:?}");
}

#[test]
fn retention_is_a_risk_before_it_is_a_loss() {
    let (mut bench, first, _) = shared();
    bench.commit(&first, 0, 100, 1_000).unwrap();
    let now_ms = bench.now.wall_ms;
    let facts = |log_start, age_ms| {
        let (key, facts) = partition_facts(0, log_start, 1_000);
        let (unread_since_ms, retention_ms) = (Some(now_ms - age_ms), Some(400_000));
        (key, PartitionFacts { unread_since_ms, retention_ms, ..facts })
    };
    assert_eq!(bench.diagnose(&[facts(0, 250_000)]).status, Status::Ok);
    let risk = bench.diagnose(&[facts(0, 353_000)]);
    assert_eq!(
        (risk.status, risk.findings[0].text.as_str()),
        (Status::Risk, "loses data on orders/0 in about 47 s (retention)")
    );
    let lost = bench.diagnose(&[facts(150, 100)]);
    assert_eq!(
        (lost.status, lost.findings[0].text.as_str()),
        (Status::Lost, "orders/0 lost 50 records before they were read")
    );
}

#[test]
fn a_transaction_that_nobody_ends_is_named_before_the_member_that_waits_for_it() {
    let (mut bench, first, second) = shared();
    bench.commit(&first, 0, 20, 50).unwrap();
    bench.advance(6_000);
    bench.keep_alive(&[&first, &second]);
    bench.advance(5_000);
    let now_ms = bench.now.wall_ms;
    let with = |from, ago_ms| {
        let (key, facts) = partition_facts(0, 0, 50);
        let open = Some(OpenTransaction { from, producer_id: 7, last_write_ms: now_ms - ago_ms });
        (key, PartitionFacts { open, ..facts })
    };
    let held_up = bench.diagnose(&[with(20, 10_000)]);
    assert_eq!(held_up.status, Status::Stall);
    assert_eq!(held_up.findings[0].text, "orders/0 is held up by a transaction that is open since offset 20");
    assert_eq!(held_up.findings[0].evidence[0], "producer 7 wrote to it last 10 s ago");
    assert_eq!(bench.diagnose(&[with(20, 9_999)]).status, Status::Starved, "it may still be at work");
    assert_eq!(bench.diagnose(&[with(21, 60_000)]).status, Status::Starved, "there is a record before it");
}

#[test]
fn who_does_not_fetch_what_it_was_given_is_starved() {
    let (mut bench, first, second) = shared();
    bench.advance(6_000);
    bench.keep_alive(&[&first, &second]);
    bench.advance(5_000);
    let now_ms = bench.now.wall_ms;
    let reader = |client_id: &str, position, ago_ms| ReaderFacts {
        client_id: client_id.into(),
        host: "/127.0.0.1".into(),
        software: None,
        position,
        last_fetch_ms: now_ms - ago_ms,
    };
    let with = |readers: Vec<ReaderFacts>| {
        let (key, facts) = partition_facts(0, 0, 50);
        (key, PartitionFacts { readers, ..facts })
    };
    assert_eq!(bench.diagnose(&[with(vec![])]).status, Status::Starved);
    assert_eq!(bench.diagnose(&[with(vec![reader("worker-1", 20, 300)])]).status, Status::Ok);
    assert_eq!(bench.diagnose(&[with(vec![reader("worker-1", 50, 60_000)])]).status, Status::Ok, "it has all there is");
    let other = bench.diagnose(&[with(vec![reader("somebody", 20, 300)])]);
    assert_eq!((other.status, other.findings[0].certainty), (Status::Starved, Certainty::Inferred));
}

#[test]
fn idle_and_lopsided_and_silent_are_found() {
    let mut bench = Bench::new();
    let (mut first, mut second) = (bench.client("worker-1"), bench.client("worker-2"));
    bench.join_all(&mut [&mut first, &mut second]);
    bench.sync_all(&[(&first, assignment("orders", &[0, 1])), (&second, assignment("orders", &[]))]);
    bench.commit(&first, 0, 10, 1_000).unwrap();
    bench.commit(&first, 1, 1_000, 1_000).unwrap();
    let diagnosis = bench.diagnose(&[partition_facts(0, 0, 1_000), partition_facts(1, 0, 1_000)]);
    let statuses: Vec<_> = diagnosis.findings.iter().map(|finding| finding.status).collect();
    assert_eq!(statuses, [Status::Warn, Status::Idle]);
    assert!(diagnosis.findings[0].text.starts_with("100 % of what waits is in orders/0"), "{diagnosis:?}");
    bench.advance(6_000);
    let silent = bench.diagnose(&[]);
    assert!(silent.findings[0].text.contains("has not been heard of for 6 s; it is removed in 4 s"), "{silent:?}");
}

/// The texts of what is not well, worst first.
fn texts(diagnosis: &Diagnosis) -> Vec<&str> {
    diagnosis.findings.iter().map(|finding| finding.text.as_str()).collect()
}

#[test]
fn of_one_that_is_not_heard_of_nothing_else_is_said() {
    let (mut bench, first, second) = shared();
    for step in 0..12 {
        bench.advance(1_000);
        bench.commit(&first, 0, step * 10, 100_000).unwrap();
        bench.keep_alive(&[&first, &second]);
    }
    // Both gave a sign of life each second, so after 4 s that is known, long before the session of 10 s ends.
    bench.advance(2_000);
    bench.keep_alive(&[&second]);
    bench.advance(2_500);
    let diagnosis = bench.diagnose(&[partition_facts(0, 0, 100_000), partition_facts(2, 0, 0)]);
    assert_eq!(texts(&diagnosis), ["worker-1 has not been heard of for 4 s; it is removed in 5 s"]);
}

#[test]
fn who_fetched_before_a_restart_is_not_known() {
    let (mut bench, first, second) = shared();
    for _ in 0..8 {
        bench.advance(5_000);
        bench.keep_alive(&[&first, &second]);
    }
    bench.restart();
    let facts = || [partition_facts(0, 0, 0), partition_facts(2, 0, 50)];
    for _ in 0..2 {
        bench.advance(4_500);
        bench.keep_alive(&[&first, &second]);
        assert_eq!(bench.diagnose(&facts()).status, Status::Ok);
    }
    bench.advance(1_500);
    assert_eq!(texts(&bench.diagnose(&facts())), ["orders/2 is assigned but not fetched for 10 s"]);
}

#[test]
fn what_is_lost_is_not_called_a_stall() {
    let (mut bench, first, _) = shared();
    for _ in 0..5 {
        bench.advance(4_000);
        bench.commit(&first, 0, 20, 1_000).unwrap();
    }
    let statuses = |bench: &mut Bench, log_start| {
        let diagnosis = bench.diagnose(&[partition_facts(0, log_start, 1_000)]);
        diagnosis.findings.iter().map(|finding| finding.status).collect::<Vec<_>>()
    };
    assert!(statuses(&mut bench, 0).contains(&Status::Stall));
    let lost = statuses(&mut bench, 800);
    assert!(lost.contains(&Status::Lost) && !lost.contains(&Status::Stall), "{lost:?}");
}

#[test]
fn who_went_back_and_stopped_did_both() {
    let (mut bench, first, second) = shared();
    for offset in [400, 500, 100] {
        bench.commit(&first, 0, offset, 1_000).unwrap();
        bench.advance(2_000);
    }
    for _ in 0..10 {
        bench.keep_alive(&[&first, &second]);
        bench.advance(2_000);
    }
    let statuses: Vec<_> =
        bench.diagnose(&[partition_facts(0, 0, 1_000)]).findings.iter().map(|finding| finding.status).collect();
    assert!(statuses.contains(&Status::Stop) && statuses.contains(&Status::Rewind), "{statuses:?}");
}

#[test]
fn who_comes_and_goes_is_named() {
    let (mut bench, mut first, second) = shared();
    bench.leave(&second);
    for _ in 0..2 {
        let mut again = bench.client("worker-2");
        bench.join_all(&mut [&mut first, &mut again]);
        bench.sync_all(&[(&first, assignment("orders", &[0, 1])), (&again, assignment("orders", &[2]))]);
        assert!(!texts(&bench.diagnose(&[])).iter().any(|text| text.contains("left")));
        bench.advance(2_000);
        bench.leave(&again);
    }
    let diagnosis = bench.diagnose(&[]);
    assert!(
        texts(&diagnosis).iter().any(|text| text.starts_with("worker-2 left 3 times in the last")),
        "{diagnosis:?}"
    );
    bench.advance(300_000);
    assert!(!texts(&bench.diagnose(&[])).iter().any(|text| text.contains("left")));
}

#[test]
fn an_empty_group_with_lag_has_stopped() {
    let (mut bench, first, second) = shared();
    bench.commit(&first, 0, 10, 1_000).unwrap();
    bench.leave(&first);
    bench.leave(&second);
    bench.advance(20_000);
    let diagnosis = bench.diagnose(&[partition_facts(0, 0, 1_000)]);
    assert_eq!(diagnosis.status, Status::Stop);
    assert_eq!(diagnosis.findings[0].text, "it has no members, and 990 records wait");
}

#[test]
fn a_reset_online_fences_the_generation_and_can_be_taken_back() {
    let (mut bench, first, _) = shared();
    bench.commit(&first, 0, 500, 1_000).unwrap();
    let refused = bench.reset(ResetOffsets { offsets: bench.offsets(&[(0, 100)]), ..Default::default() });
    assert_eq!(refused.unwrap_err().error, GroupError::NonEmptyGroup);
    let reset = ResetOffsets { offsets: bench.offsets(&[(0, 100), (1, 7)]), online: true, ..Default::default() };
    let planned = bench.reset(ResetOffsets { validate_only: true, ..reset.clone() }).unwrap();
    assert_eq!(bench.committed(0), 500, "a dry run changes nothing");
    let done = bench.reset(reset).unwrap();
    assert_eq!(planned, done);
    assert_eq!(done.iter().map(|result| (result.from, result.to)).collect::<Vec<_>>(), [(500, 100), (-1, 7)]);
    assert_eq!(bench.commit(&first, 0, 510, 1_000), Err(GroupError::UnknownMemberId));
    assert_eq!(bench.committed(0), 100);
    assert_eq!(bench.explain().state, GroupState::Empty);
    bench.restart();
    assert_eq!(bench.commit(&first, 0, 510, 1_000), Err(GroupError::UnknownMemberId));
    let undo = ResetOffsets { undo: true, online: true, ..Default::default() };
    bench.reset(undo.clone()).unwrap();
    assert_eq!((bench.committed(0), bench.committed(1)), (500, -1));
    assert_eq!(bench.reset(undo).unwrap_err().error, GroupError::InvalidRequest, "once");
}

#[test]
fn an_old_reset_cannot_be_taken_back() {
    let (mut bench, first, second) = shared();
    bench.leave(&first);
    bench.leave(&second);
    bench.reset(ResetOffsets { offsets: bench.offsets(&[(0, 100)]), ..Default::default() }).unwrap();
    bench.advance(8 * 24 * 3_600_000);
    bench.expire();
    let undo = ResetOffsets { undo: true, ..Default::default() };
    let refused = bench.reset(undo).unwrap_err().error;
    assert!([GroupError::InvalidRequest, GroupError::GroupIdNotFound].contains(&refused), "{refused:?}");
}
