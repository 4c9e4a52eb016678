//! AlterClientQuotas (key 49): gives users, client ids and addresses quotas (KIP-546).

use super::describe_client_quotas::ClientQuotaEntity;
use crate::{ErrorCode, Str};

messages! {
    api AlterClientQuotas<'a>, versions 0..=1, flexible 1;

    /// Changes quotas.
    request AlterClientQuotasRequest<'a> {
        entries: Vec<AlterClientQuotasEntry<'a>> [0..],
        /// Only check.
        validate_only: bool [0..],
    }

    /// The changes of one entity.
    part AlterClientQuotasEntry<'a> {
        entity: Vec<ClientQuotaEntity<'a>> [0..],
        ops: Vec<AlterClientQuotasOp<'a>> [0..],
    }

    /// One change.
    part AlterClientQuotasOp<'a> {
        key: Str<'a> [0..],
        value: f64 [0..],
        /// Take it away rather than set it.
        remove: bool [0..],
    }

    /// Which entities were changed.
    response AlterClientQuotasResponse<'a> {
        throttle_time_ms: i32 [0..],
        entries: Vec<AlterClientQuotasEntryResult<'a>> [0..],
    }

    /// Whether one entity was changed.
    part AlterClientQuotasEntryResult<'a> {
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
        entity: Vec<ClientQuotaEntity<'a>> [0..],
    }
}
