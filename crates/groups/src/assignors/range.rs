//! `range`: each topic's partitions in as many runs as it has readers.
use super::{Changes, Subject};
use crate::assignment::Assignment;
use alloc::vec::Vec;

/// Of each topic every reader gets a run of partitions; the first ones get one more where it does not come out even. The order is
/// that of instance ids, then of member ids, so that members with the same subscriptions get the same numbers of every topic.
pub(super) fn assign(subject: &Subject<'_>) -> Changes {
    let mut order: Vec<usize> = (0..subject.candidates.len()).collect();
    let instance = |place: &usize| subject.candidates.get(*place).and_then(|candidate| candidate.instance);
    order.sort_by(|a, b| match (instance(a), instance(b)) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    let mut readers: Vec<Vec<usize>> = subject.topics.iter().map(|_| Vec::new()).collect();
    for place in order {
        for &topic in subject.subscription(place) {
            if let Some(readers) = readers.get_mut(topic) {
                readers.push(place);
            }
        }
    }
    let mut given: Vec<Vec<_>> = subject.candidates.iter().map(|_| Vec::new()).collect();
    for ((topic_id, partitions), readers) in subject.topics.iter().zip(&readers) {
        let count = u32::try_from(readers.len().max(1)).unwrap_or(u32::MAX);
        let (each, more) = (partitions / count, partitions % count);
        let mut first = 0;
        for (turn, &place) in (0u32..).zip(readers) {
            let run = each + u32::from(turn < more);
            let numbers = (first..first + run).filter_map(|partition| i32::try_from(partition).ok());
            if let Some(given) = given.get_mut(place) {
                given.extend(numbers.map(|partition| (*topic_id, partition)));
            }
            first += run;
        }
    }
    let changes = given.into_iter().map(Assignment::of).zip(&subject.candidates).enumerate();
    changes.filter(|(_, (given, before))| given != before.target).map(|(place, (given, _))| (place, given)).collect()
}
