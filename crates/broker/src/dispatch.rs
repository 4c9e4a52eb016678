//! The one table of what is served. Dispatch, the answer to ApiVersions and `docs/protocol.md` come from it, so that they
//! cannot disagree.
//!
//! # The rule of order
//!
//! Effects of a connection's requests happen in arrival order although up to 64 are in flight. A handler is an `async fn`
//! that is polled once at arrival, before the next request is looked at. So it must have its effect (append, hand over to
//! the group core) before its first `.await`; where it cannot, it holds the order
//! ([`Context::hold_order`](crate::context::Context::hold_order)) until the effect has happened.

use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::{ApiKey, VersionRange, frame};

use crate::context::{Connection, Context};
use crate::handlers;
use crate::memory::Charge;
use crate::quotas::Timed;
use crate::request::{Body, Close, Handled, HandlerFuture, Request};

/// One row: an API, its versions, its handler.
pub(crate) struct Api {
    /// Which API.
    pub(crate) key: ApiKey,
    /// The versions that are answered.
    pub(crate) served: VersionRange,
    /// The first version that ApiVersions tells; where it is lower than what is served, the row says why.
    pub(crate) advertised_from: i16,
    /// Its answer may wait for what other clients do, so nobody waits for it once its own client is gone.
    waits_for_others: bool,
    handle: fn(Context, Request) -> HandlerFuture,
}

impl Api {
    const fn new(key: ApiKey, min: i16, max: i16, handle: fn(Context, Request) -> HandlerFuture) -> Self {
        Api { key, served: VersionRange { min, max }, advertised_from: min, waits_for_others: false, handle }
    }

    const fn advertised_from(mut self, version: i16) -> Self {
        self.advertised_from = version;
        self
    }

    const fn waits_for_others(mut self) -> Self {
        self.waits_for_others = true;
        self
    }
}

fn boxed(handler: impl Future<Output = Handled> + Send + 'static) -> HandlerFuture {
    Box::pin(handler)
}

macro_rules! api {
    ($key:ident $min:literal - $max:literal, $module:ident) => {
        Api::new(ApiKey::$key, $min, $max, |context, request| boxed(handlers::$module::handle(context, request)))
    };
}

/// What is served, by key.
pub(crate) static APIS: &[Api] = &[
    // librdkafka stops compressing for a broker that does not tell of version 0, which no client sends any more.
    api!(Produce 3-13, produce).advertised_from(0),
    api!(Fetch 4-18, fetch),
    api!(ListOffsets 1-11, list_offsets),
    api!(Metadata 0-13, metadata),
    api!(OffsetCommit 2-10, offset_commit),
    api!(OffsetFetch 1-10, offset_fetch),
    api!(FindCoordinator 0-6, find_coordinator),
    api!(JoinGroup 0-9, join_group).waits_for_others(),
    api!(Heartbeat 0-4, heartbeat),
    api!(LeaveGroup 0-5, leave_group),
    api!(SyncGroup 0-5, sync_group).waits_for_others(),
    api!(DescribeGroups 0-6, describe_groups),
    api!(ListGroups 0-5, list_groups),
    api!(SaslHandshake 0-1, sasl_handshake),
    api!(ApiVersions 0-4, api_versions),
    api!(CreateTopics 2-7, create_topics),
    api!(DeleteTopics 1-6, delete_topics),
    api!(DeleteRecords 0-2, delete_records),
    api!(InitProducerId 0-5, init_producer_id),
    api!(OffsetForLeaderEpoch 2-4, offset_for_leader_epoch),
    api!(AddPartitionsToTxn 0-5, add_partitions_to_txn),
    api!(AddOffsetsToTxn 0-4, add_offsets_to_txn),
    api!(EndTxn 0-5, end_txn),
    api!(WriteTxnMarkers 1-2, write_txn_markers),
    api!(TxnOffsetCommit 0-5, txn_offset_commit),
    api!(DescribeAcls 1-3, describe_acls),
    api!(CreateAcls 1-3, create_acls),
    api!(DeleteAcls 1-3, delete_acls),
    api!(DescribeConfigs 1-4, describe_configs),
    api!(AlterConfigs 0-2, alter_configs),
    api!(AlterReplicaLogDirs 1-2, alter_replica_log_dirs),
    api!(DescribeLogDirs 1-5, describe_log_dirs),
    api!(SaslAuthenticate 0-2, sasl_authenticate),
    api!(CreatePartitions 0-3, create_partitions),
    api!(CreateDelegationToken 1-3, create_delegation_token),
    api!(RenewDelegationToken 1-2, renew_delegation_token),
    api!(ExpireDelegationToken 1-2, expire_delegation_token),
    api!(DescribeDelegationToken 1-3, describe_delegation_token),
    api!(DeleteGroups 0-2, delete_groups),
    api!(ElectLeaders 0-2, elect_leaders),
    api!(IncrementalAlterConfigs 0-1, incremental_alter_configs),
    api!(AlterPartitionReassignments 0-1, alter_partition_reassignments),
    api!(ListPartitionReassignments 0-0, list_partition_reassignments),
    api!(OffsetDelete 0-0, offset_delete),
    api!(DescribeClientQuotas 0-1, describe_client_quotas),
    api!(AlterClientQuotas 0-1, alter_client_quotas),
    api!(DescribeUserScramCredentials 0-0, describe_user_scram_credentials),
    api!(AlterUserScramCredentials 0-0, alter_user_scram_credentials),
    api!(DescribeQuorum 0-2, describe_quorum),
    api!(UpdateFeatures 0-2, update_features),
    api!(DescribeCluster 0-2, describe_cluster),
    api!(DescribeProducers 0-0, describe_producers),
    api!(DescribeTransactions 0-0, describe_transactions),
    api!(ListTransactions 0-2, list_transactions),
    api!(ConsumerGroupHeartbeat 0-1, consumer_group_heartbeat),
    api!(ConsumerGroupDescribe 0-1, consumer_group_describe),
    api!(ListConfigResources 0-1, list_config_resources),
    api!(DescribeTopicPartitions 0-0, describe_topic_partitions),
    api!(OttlaGroupExplain 0-0, ottla_group_explain),
    api!(OttlaGroupReset 0-0, ottla_group_reset),
];

/// The row of an API.
pub(crate) fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key.code() == key)
}

/// A request at work.
pub(crate) struct Started {
    /// Its handler.
    pub(crate) handler: HandlerFuture,
    /// It may wait for other clients; a parked fetch notices itself that its client is gone.
    pub(crate) waits_for_others: bool,
}

/// Starts the handler of a request. `client_id` is the connection's last one, kept because it rarely changes.
///
/// # Errors
/// A header that cannot be read, an API or a version that is not served: the connection is closed, as Kafka does.
pub(crate) fn start(
    connection: &Arc<Connection>,
    client_id: &mut Option<Arc<str>>,
    frame: Bytes,
    charge: Option<Charge>,
) -> Result<Started, Close> {
    if let Some(request) = too_new_api_versions(&frame) {
        let handler = boxed(async move { handlers::api_versions::refuse_version(&request) });
        return Ok(Started { handler, waits_for_others: false });
    }
    let (header, body) = frame::split_request(&frame)
        .map_err(|error| Close::because(format!("a request's header cannot be read: {error}")))?;
    if client_id.as_deref() != header.client_id.as_deref() {
        *client_id = header.client_id.as_deref().map(Arc::from);
    }
    let version = header.api_version;
    let api = match find(header.api_key) {
        Some(api) if api.served.contains(version) => api,
        Some(api) => {
            let reason = format!("{} version {version} is not served ({} is)", api.key.name(), api.served);
            return Err(Close::because(reason));
        }
        None => {
            let name = ApiKey::from_code(header.api_key).map_or("unknown to Kafka 4.3", ApiKey::name);
            return Err(Close::because(format!("API {} ({name}) is not served", header.api_key)));
        }
    };
    let body = Body::new(frame.slice_ref(body), charge);
    let metered = connection.broker.quotas.meter(&connection.principal.name, client_id.as_ref(), frame.len());
    let counting = metered.clone();
    let request = Request { key: api.key, version, correlation_id: header.correlation_id, body, metered };
    let mut handler = (api.handle)(Context::new(connection.clone(), client_id.clone()), request);
    if let Some(metered) = counting {
        handler = Box::pin(Timed { handler, metered });
    }
    Ok(Started { handler, waits_for_others: api.waits_for_others })
}

/// A client that is newer than we are asks first of all for our versions, in a version that we do not know, in a header
/// that we may not be able to read beyond its first fields.
fn too_new_api_versions(frame: &Bytes) -> Option<Request> {
    let [k0, k1, v0, v1, c0, c1, c2, c3] = *frame.first_chunk::<8>()?;
    let api = find(i16::from_be_bytes([k0, k1])).filter(|api| api.key == ApiKey::ApiVersions)?;
    let version = i16::from_be_bytes([v0, v1]);
    (version > api.served.max).then(|| Request {
        key: api.key,
        version,
        correlation_id: i32::from_be_bytes([c0, c1, c2, c3]),
        body: Body::default(),
        metered: None,
    })
}

/// `docs/protocol.md`, as it must be.
pub fn protocol_page() -> String {
    let mut page = String::from(
        "# What Ottla speaks\n\n\
         Made from the dispatch table of the broker (`crates/broker/src/dispatch.rs`); `OTTLA_REWRITE=1 cargo test -p ottla-broker\n\
         --test protocol_page` writes it anew.\n\n\
         A request with another key or version closes the connection, with a line in the log that says who asked for what.\n\
         Only ApiVersions above the served versions is answered: error 35 in its version 0, so that the client can fall back.\n\n\
         | key | API | served versions | advertised |\n|---:|---|---|---|\n",
    );
    for api in APIS {
        let advertised = VersionRange { min: api.advertised_from, max: api.served.max };
        let advertised = if api.key.is_ours() { "to Ottla's own clients".to_owned() } else { advertised.to_string() };
        let _ = writeln!(page, "| {} | {} | {} | {advertised} |", api.key.code(), api.key.name(), api.served);
    }
    page
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages;

    use super::*;

    #[test]
    fn the_table_is_ordered_and_every_version_is_declared() {
        assert!(APIS.is_sorted_by_key(|api| api.key.code()));
        for api in APIS {
            let declared = messages::declared(api.key).expect("the message is declared").versions;
            assert!(declared.contains(api.served.min) && declared.contains(api.served.max), "{}", api.key.name());
            assert!(api.advertised_from <= api.served.min);
        }
    }
}
