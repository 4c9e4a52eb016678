//! The end of a transaction as one step of the engine.

use ottla_protocol::records::EndMarker;
use ottla_storage::{Append, AppendOrigin, Durability, Metadata, PartitionId};
use ottla_transactions::EndStep;

use super::{COORDINATOR_EPOCH, Surroundings};
use crate::groups::{EndUnderWay, GroupMarkers};
use crate::topics;

/// Gives the engine everything that ends a transaction: `record` is the coordinator's own part.
///
/// # Errors
/// A sentence: why nothing was written.
pub(super) fn submit(surroundings: &Surroundings, step: &EndStep, record: Append) -> Result<EndUnderWay, String> {
    let broker = surroundings.broker().ok_or("the broker is stopping")?;
    let marker = EndMarker { is_commit: step.commits, coordinator_epoch: COORDINATOR_EPOCH };
    let marker = marker.batch(step.producer_id, step.producer_epoch, surroundings.now().wall_ms);
    let partitions = existing(&surroundings.engine.metadata(), &step.partitions);
    let append = |partition| Append {
        partition,
        batches: marker.clone(),
        expected_end: None,
        depends_on: None,
        durability: Durability::Flush,
        origin: AppendOrigin::Coordinator,
    };
    let appends = partitions.into_iter().map(append).chain([record]).collect();
    let (producer_id, commits) = (step.producer_id, step.commits);
    let groups = GroupMarkers { partitions: &step.groups, marker: marker.clone(), producer_id, commits };
    let submitted = broker.groups.end_transaction(&groups, appends);
    submitted.map_err(|_| "groups that take part in it are being loaded".to_owned())
}

/// Those of the partitions that still exist. Logs of other coordinators are no client's to write to.
fn existing(metadata: &Metadata, named: &[(String, Vec<i32>)]) -> Vec<PartitionId> {
    let mut partitions = Vec::new();
    for (name, numbers) in named.iter().filter(|(name, _)| !topics::is_internal(name)) {
        let Some(topic) = metadata.by_name(name) else { continue };
        let numbers = numbers.iter().copied().filter(|number| (0..topic.partitions).contains(number));
        partitions.extend(numbers.map(|index| PartitionId { topic: topic.id, index }));
    }
    partitions
}
