//! DescribeClientQuotas (key 48): which quotas users, client ids and addresses have (KIP-546).

use crate::{ErrorCode, Str};

messages! {
    api DescribeClientQuotas<'a>, versions 0..=1, flexible 1;

    /// Asks for the entities that match all components.
    request DescribeClientQuotasRequest<'a> {
        components: Vec<DescribeClientQuotasComponent<'a>> [0..],
        /// Whether an entity may have no other parts than those of the components.
        strict: bool [0..],
    }

    /// A condition on one part of an entity.
    part DescribeClientQuotasComponent<'a> {
        /// `user`, `client-id` or `ip`.
        entity_type: Str<'a> [0..],
        /// 0: this name; 1: the default; 2: any.
        match_type: i8 [0..],
        /// Kafka calls it `match`; null where no name is meant.
        match_name: Option<Str<'a>> [0.., default Some(Str::default())],
    }

    /// The quotas; no entries with an error.
    response DescribeClientQuotasResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
        entries: Option<Vec<DescribeClientQuotasEntry<'a>>> [0.., default Some(Vec::new())],
    }

    /// One entity.
    part DescribeClientQuotasEntry<'a> {
        entity: Vec<ClientQuotaEntity<'a>> [0..],
        values: Vec<ClientQuotaValue<'a>> [0..],
    }

    /// A part of an entity; also in AlterClientQuotas.
    part ClientQuotaEntity<'a> {
        /// `user`, `client-id` or `ip`.
        entity_type: Str<'a> [0..],
        /// `None`: the default.
        entity_name: Option<Str<'a>> [0.., default Some(Str::default())],
    }

    /// One quota.
    part ClientQuotaValue<'a> {
        key: Str<'a> [0..],
        value: f64 [0..],
    }
}
