use super::*;
use crate::assignment::Assignment;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;

const A: TopicId = [1; 16];
const B: TopicId = [2; 16];
const C: TopicId = [3; 16];

/// Members by what they read (names of topics as letters) and have; what each has in the end.
fn run(assignor: Assignor, topics: &[(TopicId, u32)], members: &[(&[usize], Assignment)]) -> Vec<Assignment> {
    let mut subscriptions: Vec<Vec<usize>> = Vec::new();
    let mut candidates = Vec::new();
    for (reads, target) in members {
        let place = subscriptions.iter().position(|known| known == reads);
        let subscription = place.unwrap_or_else(|| {
            subscriptions.push(reads.to_vec());
            subscriptions.len() - 1
        });
        candidates.push(Candidate { instance: None, target, subscription });
    }
    let subject = Subject { topics: topics.to_vec(), subscriptions, candidates };
    let mut after: Vec<Assignment> = members.iter().map(|(_, target)| target.clone()).collect();
    for (place, given) in assign(assignor, &subject) {
        assert_ne!(after[place], given, "a change that is none");
        after[place] = given;
    }
    assert_whole(&subject, &after);
    after
}

/// Each partition that somebody reads has one owner, who reads it.
fn assert_whole(subject: &Subject<'_>, after: &[Assignment]) {
    let mut owners = BTreeMap::new();
    for (place, given) in after.iter().enumerate() {
        for (topic_id, partition) in given.iter() {
            assert_eq!(owners.insert((topic_id, partition), place), None, "two owners");
            let topic = subject.topics.iter().position(|(id, count)| *id == topic_id && (partition as u32) < *count);
            assert!(
                subject.subscription(place).contains(&topic.expect("it is there")),
                "nobody reads what it does not want"
            );
        }
    }
    for (place, (topic_id, count)) in subject.topics.iter().enumerate() {
        let is_read = (0..after.len()).any(|member| subject.subscription(member).contains(&place));
        for partition in 0..*count as i32 {
            assert_eq!(owners.contains_key(&(*topic_id, partition)), is_read, "partition {partition}");
        }
    }
}

fn counts(after: &[Assignment]) -> Vec<usize> {
    after.iter().map(Assignment::len).collect()
}

fn kept(before: &[Assignment], after: &[Assignment]) -> usize {
    before.iter().zip(after).map(|(before, after)| before.filter(|t, p| after.contains(t, p)).len()).sum()
}

/// No partition.
fn none() -> Assignment {
    Assignment::none()
}

static NOTHING: Assignment = Assignment::none();

#[test]
fn uniform_shares_equally_and_moves_only_what_it_must() {
    let topics = [(A, 7), (B, 4)];
    let two = run(Assignor::Uniform, &topics, &[(&[0, 1], none()), (&[0, 1], none())]);
    assert_eq!(counts(&two), [6, 5]);
    let three =
        run(Assignor::Uniform, &topics, &[(&[0, 1], two[0].clone()), (&[0, 1], two[1].clone()), (&[0, 1], none())]);
    assert_eq!(counts(&three), [4, 4, 3]);
    assert_eq!(kept(&two, &three), 8);
    let left = run(Assignor::Uniform, &topics, &[(&[0, 1], three[0].clone()), (&[0, 1], three[2].clone())]);
    assert_eq!(left[0].filter(|t, p| three[0].contains(t, p)), three[0]);
    assert_eq!(left[1].filter(|t, p| three[2].contains(t, p)), three[2]);
    assert_eq!(run(Assignor::Uniform, &topics, &[(&[0, 1], left[0].clone()), (&[0, 1], left[1].clone())]), left);
}

#[test]
fn uniform_lets_extra_members_idle() {
    let after = run(Assignor::Uniform, &[(A, 2)], &[(&[0], none()), (&[0], none()), (&[0], none())]);
    assert_eq!(counts(&after), [1, 1, 0]);
    assert_eq!(counts(&run(Assignor::Uniform, &[], &[(&[], none())])), [0]);
}

#[test]
fn uniform_forgets_what_is_gone_or_not_read_any_more() {
    let before = Assignment::of([(A, 0), (A, 5), (B, 0), (C, 0)]);
    let after = run(Assignor::Uniform, &[(A, 2), (B, 1)], &[(&[0], before), (&[0, 1], none())]);
    assert_eq!(after[0], Assignment::of([(A, 0), (A, 1)]));
    assert_eq!(after[1], Assignment::of([(B, 0)]));
}

#[test]
fn uniform_balances_members_that_read_different_topics() {
    let topics = [(A, 6), (B, 3), (C, 3)];
    let members: [(&[usize], Assignment); 3] = [(&[0], none()), (&[0, 1], none()), (&[0, 1, 2], none())];
    let after = run(Assignor::Uniform, &topics, &members);
    assert_eq!(counts(&after), [4, 4, 4]);
    // One that had everything gives up no more than it must.
    let all: Assignment = (0..6).map(|p| (A, p)).chain((0..3).map(|p| (B, p))).collect();
    let after = run(Assignor::Uniform, &topics[..2], &[(&[0, 1], all.clone()), (&[0], none())]);
    assert_eq!(counts(&after), [5, 4]);
    assert_eq!(kept(&[all], &after), 5);
}

#[test]
fn uniform_never_leaves_a_pair_that_differs_by_two() {
    // Any subscriptions: nobody has two more than another who could read one of them.
    let topics: Vec<(TopicId, u32)> = (0..6).map(|t| ([t; 16], u32::from(t) * 2 + 1)).collect();
    for seed in 0u64..200 {
        let reads: Vec<Vec<usize>> = (0..5u64)
            .map(|m| {
                (0..6)
                    .filter(|t| (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (m * 6 + t)) & 1 == 1)
                    .map(|t| t as usize)
                    .collect()
            })
            .collect();
        let members: Vec<(&[usize], Assignment)> = reads.iter().map(|reads| (reads.as_slice(), none())).collect();
        let after = run(Assignor::Uniform, &topics, &members);
        for (poor, reads) in reads.iter().enumerate() {
            for rich in &after {
                let could = rich.iter().any(|(t, _)| reads.iter().any(|&topic| topics[topic].0 == t));
                assert!(!could || rich.len() <= after[poor].len() + 1, "seed {seed}: {after:?}");
            }
        }
    }
}

#[test]
fn range_gives_runs_and_the_same_numbers_of_each_topic() {
    let topics = [(A, 7), (B, 4)];
    let after = run(Assignor::Range, &topics, &[(&[0, 1], none()), (&[0, 1], none()), (&[0], none())]);
    assert_eq!(after[0], Assignment::of([(A, 0), (A, 1), (A, 2), (B, 0), (B, 1)]));
    assert_eq!(after[1], Assignment::of([(A, 3), (A, 4), (B, 2), (B, 3)]));
    assert_eq!(after[2], Assignment::of([(A, 5), (A, 6)]));
}

#[test]
fn range_puts_static_members_first_by_their_instance() {
    let candidate = |instance| Candidate { instance, target: &NOTHING, subscription: 0 };
    let candidates = vec![candidate(None), candidate(Some("b")), candidate(Some("a"))];
    let subject = Subject { topics: vec![(A, 3)], subscriptions: vec![vec![0]], candidates };
    let given: BTreeMap<usize, Assignment> = assign(Assignor::Range, &subject).into_iter().collect();
    assert_eq!(given[&2], Assignment::of([(A, 0)]));
    assert_eq!(given[&1], Assignment::of([(A, 1)]));
    assert_eq!(given[&0], Assignment::of([(A, 2)]));
}

/// A number from 0 to below `end`; the same ones every time.
fn below(seed: &mut u64, end: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize % end
}

#[test]
fn uniform_changes_nothing_of_a_balance_after_joins_and_leaves() {
    let mut seed = 1;
    for partitions in [0, 1, 7, 40, 300] {
        let topics = vec![(B, partitions), (A, partitions / 3)];
        let all = (0..partitions as i32).map(|p| (B, p)).chain((0..partitions as i32 / 3).map(|p| (A, p)));
        let mut members = BTreeMap::from([(Arc::<str>::from("0"), Assignment::of(all))]);
        let by_load = members.iter().map(|(member_id, target)| (load(target.len()), member_id.clone()));
        let mut balance = Balance::new(topics.clone(), by_load.collect());
        for round in 1..300 {
            for step in 0..=below(&mut seed, 3) {
                let leaver = members.keys().nth(below(&mut seed, members.len())).cloned().unwrap();
                if members.len() > 1 && below(&mut seed, 9) < 4 {
                    balance.leave(leaver.clone(), &members.remove(&leaver).unwrap());
                } else {
                    let joiner: Arc<str> = alloc::format!("{round}-{step}").into();
                    balance.join(joiner.clone());
                    members.insert(joiner, Assignment::none());
                }
            }
            let before = members.clone();
            let settled = balance.settle(|member_id| before[member_id].clone());
            members.extend(settled.into_iter().map(|(member_id, target)| (member_id.into(), target)));
            let state: Vec<_> = members.values().map(|target| (&[0, 1][..], target.clone())).collect();
            let after = run(Assignor::Uniform, &topics, &state);
            assert_eq!(after, members.values().cloned().collect::<Vec<_>>(), "round {round}");
        }
    }
}
