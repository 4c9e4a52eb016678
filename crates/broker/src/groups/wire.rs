//! Between the wire and the core: who asks, how large a question may be, and what the core's errors are called on the wire.

use std::collections::HashSet;
use std::hash::Hash;

use ottla_groups::{ClientInfo, DescribeGroup, GroupError, Request as Asked};
use ottla_protocol::{ErrorCode, Message, Str};

use super::{Awaited, CoordinatorLost};
use crate::context::{Context, Operation, Resource};
use crate::request::{Close, Request};

/// The largest body of a request about groups, in bytes; JoinGroup, SyncGroup and OffsetCommit bring data to keep and have
/// bounds of their own. Two bytes can name a group and four a partition, whose answers are many times as large: a frame at
/// `socket.request.max.bytes` would ask for more memory than there is. A million partitions fit.
const MAX_QUESTION_BYTES: usize = 4 << 20;

/// Reads a request that only asks.
///
/// # Errors
/// As [`Request::decode`], and where it is larger than any client's.
pub(crate) fn decode_question<'a, M: Message<'a>>(request: &'a Request) -> Result<M, Close> {
    decode_up_to(request, MAX_QUESTION_BYTES)
}

/// Reads a request with a body of at most `max_bytes`.
///
/// # Errors
/// As [`Request::decode`], and where it is larger.
pub(crate) fn decode_up_to<'a, M: Message<'a>>(request: &'a Request, max_bytes: usize) -> Result<M, Close> {
    if request.body.len() > max_bytes {
        let (name, size_bytes) = (request.key.name(), request.body.len());
        return Err(Close::because(format!("a {name} of {size_bytes} bytes is larger than {max_bytes}")));
    }
    request.decode()
}

/// Leaves out what was named before: an answer must not be larger than what there is to tell.
pub(crate) fn without_repetitions<T: Eq + Hash + Clone>(named: Vec<T>) -> Vec<T> {
    if named.len() < 2 {
        return named;
    }
    let mut seen = HashSet::with_capacity(named.len());
    named.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

/// Hands a question about each of these groups to the core, before the first answer is awaited; a group that is named twice is
/// asked about once. `None` for one that the client may not describe.
pub(crate) fn ask_about_each<'a>(
    context: &Context,
    named: Vec<Str<'a>>,
    question: fn(DescribeGroup) -> Asked,
) -> Vec<(Str<'a>, Option<Awaited>)> {
    let ask = |group_id: Str<'a>| {
        let allowed = context.authorize(Operation::Describe, Resource::Group(&group_id));
        let request = || question(DescribeGroup { group_id: group_id.to_string() });
        let awaited = allowed.then(|| context.broker().groups.submit(&group_id, request()));
        (group_id, awaited)
    };
    without_repetitions(named).into_iter().map(ask).collect()
}

/// Who asks, in the core's terms.
pub(crate) fn client_info(context: &Context) -> ClientInfo {
    ClientInfo {
        client_id: context.client_id().to_owned(),
        host: context.client_host(),
        software: context.software().map(|software| (software.name.clone(), software.version.clone())),
        connection: Some(context.member_connection()),
    }
}

/// The wire's code of a core's error.
pub(crate) fn error_code(error: GroupError) -> ErrorCode {
    match error {
        GroupError::CoordinatorLoadInProgress => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        GroupError::CoordinatorNotAvailable => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        GroupError::UnknownMemberId => ErrorCode::UNKNOWN_MEMBER_ID,
        GroupError::IllegalGeneration => ErrorCode::ILLEGAL_GENERATION,
        GroupError::RebalanceInProgress => ErrorCode::REBALANCE_IN_PROGRESS,
        GroupError::MemberIdRequired => ErrorCode::MEMBER_ID_REQUIRED,
        GroupError::FencedInstanceId => ErrorCode::FENCED_INSTANCE_ID,
        GroupError::InconsistentGroupProtocol => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        GroupError::GroupMaxSizeReached => ErrorCode::GROUP_MAX_SIZE_REACHED,
        GroupError::InvalidSessionTimeout => ErrorCode::INVALID_SESSION_TIMEOUT,
        GroupError::InvalidGroupId => ErrorCode::INVALID_GROUP_ID,
        GroupError::NonEmptyGroup => ErrorCode::NON_EMPTY_GROUP,
        GroupError::GroupIdNotFound => ErrorCode::GROUP_ID_NOT_FOUND,
        GroupError::GroupSubscribedToTopic => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
        GroupError::OffsetMetadataTooLarge => ErrorCode::OFFSET_METADATA_TOO_LARGE,
        GroupError::InvalidRequest => ErrorCode::INVALID_REQUEST,
        GroupError::FencedMemberEpoch => ErrorCode::FENCED_MEMBER_EPOCH,
        GroupError::StaleMemberEpoch => ErrorCode::STALE_MEMBER_EPOCH,
        GroupError::UnreleasedInstanceId => ErrorCode::UNRELEASED_INSTANCE_ID,
        GroupError::UnsupportedAssignor => ErrorCode::UNSUPPORTED_ASSIGNOR,
        GroupError::InvalidRegularExpression => ErrorCode::INVALID_REGULAR_EXPRESSION,
        GroupError::UnstableOffsetCommit => ErrorCode::UNSTABLE_OFFSET_COMMIT,
        GroupError::UnsupportedVersion => ErrorCode::UNSUPPORTED_VERSION,
    }
}

/// The code for an optional error, NONE without one.
pub(crate) fn code_or_none(error: Option<GroupError>) -> ErrorCode {
    error.map_or(ErrorCode::NONE, error_code)
}

/// What became of a request that asks for a value.
pub(crate) fn outcome<T>(result: Result<T, GroupError>) -> Result<T, ErrorCode> {
    result.map_err(error_code)
}

/// A client whose coordinator was lost finds it again and retries.
impl From<CoordinatorLost> for ErrorCode {
    fn from(_: CoordinatorLost) -> Self {
        ErrorCode::NOT_COORDINATOR
    }
}

/// Unwraps the answer of the expected kind. The core answers each request with its own kind; another would be a bug, which
/// the client sees as an unknown server error.
macro_rules! expect_answer {
    ($awaited:expr, $kind:ident) => {
        match $awaited.answer().await {
            Ok(ottla_groups::Answer::$kind(answer)) => Ok(answer),
            Ok(other) => {
                tracing::error!(?other, "the group core answered another kind of request");
                Err(ottla_protocol::ErrorCode::UNKNOWN_SERVER_ERROR)
            }
            Err(lost) => Err(ottla_protocol::ErrorCode::from(lost)),
        }
    };
}
pub(crate) use expect_answer;
