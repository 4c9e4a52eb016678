//! The topics that there are, in the core's terms: made once for all coordinators, and only where somebody needs them.

use std::sync::{Arc, PoisonError};

use ottla_groups::{Event, Request, TopicShape, Topics};
use ottla_storage::Metadata;

use super::{Surroundings, expressions};

/// What was made last, and from what.
#[derive(Debug, Default)]
pub(super) struct Seen(Option<(Arc<Metadata>, Arc<Topics>)>);

/// Whether the coordinator must know today's topics to handle that. Members of the consumer protocol hear of changes with their
/// next heartbeat, so nobody needs to be told before. Members of the classic protocol may be alone in a group of both, so their
/// requests count as well where the coordinator has been told of topics at all.
pub(super) fn needs_topics(event: &Event, was_told: bool) -> bool {
    let Event::Request { request, .. } = event else { return false };
    match request {
        Request::ConsumerHeartbeat(_)
        | Request::DescribeConsumerGroup(_)
        | Request::ExplainGroups(_)
        | Request::ResetOffsets(_) => true,
        Request::JoinGroup(_) | Request::SyncGroup(_) | Request::Heartbeat(_) => was_told,
        _ => false,
    }
}

impl Surroundings {
    /// Today's topics, if they are others than those `known`.
    pub(super) fn topics_unless(&self, known: Option<&Arc<Topics>>) -> Option<Arc<Topics>> {
        let metadata = self.engine.metadata();
        let mut seen = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let topics = match &seen.0 {
            Some((of, topics)) if Arc::ptr_eq(of, &metadata) => topics.clone(),
            _ => {
                let topics = Arc::new(in_the_cores_terms(&metadata));
                seen.0 = Some((metadata, topics.clone()));
                topics
            }
        };
        let is_known = known.is_some_and(|known| Arc::ptr_eq(known, &topics));
        (!is_known).then_some(topics)
    }
}

fn in_the_cores_terms(metadata: &Metadata) -> Topics {
    let shape = |topic: &ottla_storage::Topic| TopicShape { topic_id: topic.id.0, partitions: topic.partitions };
    Topics::new(metadata.topics().map(|topic| (topic.name.to_string(), shape(topic))), expressions::matching)
}
