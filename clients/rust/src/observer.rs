//! Watches the members of a group from outside.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

use crate::broker::DEADLINE;

/// Is told by members what they get, give up and process. A partition with two owners fails the next wait.
pub struct Observer {
    seen: watch::Sender<Seen>,
}

#[derive(Default)]
struct Seen {
    owners: BTreeMap<i32, String>,
    released: Vec<(String, i32)>,
    processed: BTreeSet<String>,
    conflicts: Vec<String>,
}

impl Default for Observer {
    fn default() -> Self {
        Self { seen: watch::Sender::new(Seen::default()) }
    }
}

impl Observer {
    /// The member owns these partitions from now on, beside those it has.
    pub fn assigned(&self, member: &str, partitions: &[i32]) {
        self.seen.send_modify(|seen| {
            for &partition in partitions {
                if let Some(owner) = seen.owners.insert(partition, member.to_string()) {
                    seen.conflicts.push(format!("partition {partition} was given to {member} while {owner} had it"));
                }
            }
        });
    }

    /// The member does nothing with these partitions any more.
    pub fn released(&self, member: &str, partitions: &[i32]) {
        self.seen.send_modify(|seen| {
            for &partition in partitions {
                if seen.owners.get(&partition).is_some_and(|owner| owner == member) {
                    seen.owners.remove(&partition);
                }
                seen.released.push((member.to_string(), partition));
            }
        });
    }

    /// Somebody has processed the record with this value.
    pub fn processed(&self, value: String) {
        self.seen.send_modify(|seen| {
            seen.processed.insert(value);
        });
    }

    /// What the member has now, in order.
    pub fn owned(&self, member: &str) -> Vec<i32> {
        let seen = self.seen.borrow();
        seen.owners.iter().filter(|(_, owner)| *owner == member).map(|(partition, _)| *partition).collect()
    }

    /// What the member has released so far, in order, with repetitions.
    pub fn given_up(&self, member: &str) -> Vec<i32> {
        let seen = self.seen.borrow();
        let mut partitions: Vec<i32> =
            seen.released.iter().filter(|(who, _)| who == member).map(|(_, partition)| *partition).collect();
        partitions.sort_unstable();
        partitions
    }

    /// How many different records were processed.
    pub fn count(&self) -> usize {
        self.seen.borrow().processed.len()
    }

    /// Waits until the partitions are spread over so many owners with these shares, largest first.
    pub async fn await_shares(&self, shares: &[usize]) {
        self.wait_for(&format!("shares of {shares:?}"), |seen| seen.shares() == shares).await;
    }

    /// Waits until each of the values was processed at least once.
    pub async fn await_processed(&self, values: &[String]) {
        let what = format!("{} records to be processed", values.len());
        self.wait_for(&what, |seen| values.iter().all(|value| seen.processed.contains(value))).await;
    }

    /// Waits until so many different records were processed.
    pub async fn await_count(&self, count: usize) {
        self.wait_for(&format!("{count} different records"), |seen| seen.processed.len() >= count).await;
    }

    async fn wait_for(&self, what: &str, holds: impl Fn(&Seen) -> bool) {
        let mut changes = self.seen.subscribe();
        let waiting = changes.wait_for(|seen| !seen.conflicts.is_empty() || holds(seen));
        let came = tokio::time::timeout(DEADLINE, waiting).await.is_ok();
        let seen = self.seen.borrow();
        assert!(seen.conflicts.is_empty(), "{:?}", seen.conflicts);
        assert!(came, "did not come: {what}; there were owners {:?}, {} records", seen.owners, seen.processed.len());
    }
}

impl Seen {
    fn shares(&self) -> Vec<usize> {
        let mut counts = BTreeMap::<&str, usize>::new();
        for owner in self.owners.values() {
            *counts.entry(owner).or_default() += 1;
        }
        let mut shares: Vec<usize> = counts.into_values().collect();
        shares.sort_unstable_by(|a, b| b.cmp(a));
        shares
    }
}
