//! DeleteTopics (key 20). Version 5: error messages; 6: by topic id or by name.

use crate::{ErrorCode, Str, Uuid};

messages! {
    api DeleteTopics<'a>, versions 1..=6, flexible 4;

    /// Deletes topics.
    request DeleteTopicsRequest<'a> {
        topics: Vec<DeleteTopicState<'a>> [6..],
        topic_names: Vec<Str<'a>> [1..=5, absent dropped],
        timeout_ms: i32 [1..],
    }

    /// A topic, by name or by id.
    part DeleteTopicState<'a> {
        name: Option<Str<'a>> [6..],
        topic_id: Uuid [6..],
    }

    /// Which deletions succeeded.
    response DeleteTopicsResponse<'a> {
        throttle_time_ms: i32 [1..],
        responses: Vec<DeletableTopicResult<'a>> [1..],
    }

    /// Whether one deletion succeeded.
    part DeletableTopicResult<'a> {
        name: Option<Str<'a>> [1.., null 6.., default Some(Str::default())],
        topic_id: Uuid [6..],
        error_code: ErrorCode [1..],
        error_message: Option<Str<'a>> [5..],
    }
}
