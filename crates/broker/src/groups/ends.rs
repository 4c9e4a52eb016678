//! The end of a transaction in which groups take part: their markers lie in partitions whose ends only the groups' shards know.

use std::sync::Arc;

use bytes::Bytes;
use ottla_storage::{Append, AppendError, Appended, Pending};
use tokio::sync::oneshot;

use super::Groups;
use super::shard::{MarkerFate, Shard};

/// The markers for groups that take part in a transaction.
pub(crate) struct GroupMarkers<'a> {
    /// The partitions of `__consumer_offsets`, ascending, none of them twice.
    pub(crate) partitions: &'a [i32],
    /// The marker.
    pub(crate) marker: Bytes,
    /// Of the producer with this id.
    pub(crate) producer_id: i64,
    /// Whether the transaction is committed.
    pub(crate) commits: bool,
}

/// A partition's groups are being loaded, or the broker stops: nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupsNotReady;

/// An end that is being written.
pub(crate) struct EndUnderWay {
    appended: Pending<Vec<Appended>, AppendError>,
    shards: Vec<(Arc<Shard>, oneshot::Sender<MarkerFate>)>,
    producer_id: i64,
    commits: bool,
}

impl Groups {
    /// Gives the engine these appends and the groups' markers in one step. Whoever calls waits for [`EndUnderWay::settled`] before it
    /// lets the producer go on: only then do the groups know.
    ///
    /// # Errors
    /// Nothing was written; to be tried again later.
    pub(crate) fn end_transaction(
        &self,
        groups: &GroupMarkers<'_>,
        mut appends: Vec<Append>,
    ) -> Result<EndUnderWay, GroupsNotReady> {
        let mut locks = Vec::with_capacity(groups.partitions.len());
        for &partition in groups.partitions {
            let shard = usize::try_from(partition).ok().and_then(|index| self.shards.get(index));
            let Some(shard) = shard.filter(|_| self.surroundings.has_log()) else { continue };
            // Ascending, so that two ends never wait for each other.
            locks.push((shard, shard.lock_for_marker().ok_or(GroupsNotReady)?));
        }
        let mut shards = Vec::with_capacity(locks.len());
        for (shard, lock) in &mut locks {
            let Some((append, tell)) = lock.append(&groups.marker) else { continue };
            appends.push(append);
            shards.push((Arc::clone(shard), tell));
        }
        let appended = self.surroundings.engine.append_atomically(appends);
        Ok(EndUnderWay { appended, shards, producer_id: groups.producer_id, commits: groups.commits })
    }
}

impl EndUnderWay {
    /// Waits until it is durable, and tells the groups. If it failed, or nobody knows, they read their logs again.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) async fn settled(self) -> Result<(), AppendError> {
        let appended = self.appended.await.map(|_| ());
        for (shard, tell) in self.shards {
            if appended.is_ok() {
                shard.transaction_ended(self.producer_id, self.commits);
            }
            let _ = tell.send(appended.clone().map_err(|error| format!("{error:?}")));
        }
        appended
    }
}
