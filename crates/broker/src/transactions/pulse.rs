//! Wakes coordinators when a deadline of theirs comes.

use std::sync::Weak;
use std::time::Duration;

use ottla_transactions::Event;

use crate::Broker;

/// Has transactional ids looked for at this interval that were not used for long, until the broker stops or is gone.
pub(super) async fn expire(broker: Weak<Broker>, interval: Duration) {
    while let Some(alive) = broker.upgrade() {
        let (stop, shards) = (alive.stop.wait(), alive.transactions.shards.clone());
        drop(alive);
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = stop => return,
        }
        for shard in shards {
            shard.tell_live(Event::ExpireTransactionalIds);
            tokio::task::yield_now().await;
        }
    }
}

/// Runs until the broker stops or is gone.
pub(super) async fn run(broker: Weak<Broker>) {
    while let Some(alive) = broker.upgrade() {
        if alive.stop.is_requested() {
            alive.transactions.close();
            return;
        }
        let transactions = &alive.transactions;
        let next_ms = transactions.surroundings.pulse.arm(|| transactions.next_deadline_ms());
        let now_ms = alive.monotonic_ms();
        if next_ms > now_ms {
            let (surroundings, stop) = (transactions.surroundings.clone(), alive.stop.wait());
            drop(alive);
            tokio::select! {
                () = surroundings.pulse.sleep(next_ms - now_ms) => {}
                () = stop => {}
            }
            continue;
        }
        // After a pause of the machine, requests that wait in sockets are handled before anything is found late.
        tokio::task::yield_now().await;
        for shard in &transactions.shards {
            if shard.next_deadline().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
                shard.tell_live(Event::Tick);
            }
        }
    }
}
