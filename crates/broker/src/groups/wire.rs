//! Between the wire and the core: who asks, and what the core's errors are called on the wire.

use ottla_groups::{ClientInfo, GroupError};
use ottla_protocol::ErrorCode;

use super::CoordinatorLost;
use crate::context::Context;

/// Who asks, in the core's terms.
pub(crate) fn client_info(context: &Context) -> ClientInfo {
    ClientInfo {
        client_id: context.client_id().to_owned(),
        host: context.client_host(),
        software: context.software().map(|software| (software.name.clone(), software.version.clone())),
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
