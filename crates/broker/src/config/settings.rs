//! The configuration in the form that code uses: plain typed fields.

use std::path::PathBuf;

use ottla_groups::{Assignor, MigrationPolicy};
use ottla_storage::{CleanerConfig, Durability};

use super::connection_limits::ConnectionLimits;
use super::error::ConfigError;
use super::kind::split_list;
use super::layers::Values;
use super::listener::{Listener, parse_address};
use super::property::Property;
use super::table::groups as g;
use super::table::network as n;
use super::table::storage as s;
use super::table::topics as t;
use crate::quotas::Windows;

/// Where records are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StorageKind {
    /// In the data folder.
    Local,
    /// In memory: gone when the broker stops.
    Memory,
}

/// What the group core is told; field for field the settings of `ottla-groups`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`; `None` adapts.
    pub initial_rebalance_delay_ms: Option<i32>,
    /// `group.max.size`.
    pub max_group_size: i32,
    /// `group.consumer.session.timeout.ms`.
    pub consumer_session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`.
    pub consumer_heartbeat_interval_ms: i32,
    /// `group.consumer.max.size`.
    pub consumer_max_group_size: i32,
    /// `group.consumer.assignors`.
    pub consumer_assignors: Vec<Assignor>,
    /// `ottla.lost.connection.grace.ms`; `None`: off.
    pub lost_connection_grace_ms: Option<u64>,
    /// `group.consumer.migration.policy`.
    pub migration_policy: MigrationPolicy,
    /// `offset.metadata.max.bytes`.
    pub max_offset_metadata_bytes: i32,
    /// `offsets.retention.minutes`.
    pub offsets_retention_minutes: i32,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: u64,
}

/// What the transaction coordinator is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransactionSettings {
    /// `transaction.max.timeout.ms`.
    pub max_timeout_ms: i32,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`.
    pub abort_interval_ms: u64,
    /// `transactional.id.expiration.ms`.
    pub id_expiration_ms: i64,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub expiry_interval_ms: u64,
    /// `transaction.state.log.num.partitions`.
    pub log_partitions: i32,
    /// `transaction.state.log.segment.bytes`.
    pub log_segment_bytes: i32,
}

/// All that is served, typed. A field's documentation is its property's name; what it does stands in the table.
#[derive(Clone, PartialEq, Debug)]
pub struct BrokerSettings {
    /// `listeners`, without those in `controller.listener.names`.
    pub listeners: Vec<Listener>,
    /// `ottla.http.listen`: host (`None` for all interfaces) and port.
    pub http_listen: Option<(Option<String>, u16)>,
    /// `advertised.listeners`, each with a host; port 0 stands for the one that was bound. Empty: the address that the
    /// client came in by.
    pub advertised_listeners: Vec<Listener>,
    /// `log.dirs`, else `log.dir`.
    pub data_dir: PathBuf,
    /// `ottla.storage`.
    pub storage: StorageKind,
    /// `ottla.durability`.
    pub durability: Durability,
    /// `ottla.wal.max.bytes`.
    pub wal_max_bytes: u64,
    /// `ottla.checkpoint.interval.ms`.
    pub checkpoint_interval_ms: u64,
    /// `ottla.tail.bytes`.
    pub tail_bytes: usize,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval_ms: u64,
    /// `ottla.open.files.max`; `None`: as the limit of the process allows.
    pub open_files_max: Option<u64>,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
    /// `log.cleaner.enable`.
    pub cleaner_enable: bool,
    /// The other `log.cleaner.*` of the broker.
    pub cleaner: CleanerConfig,
    /// `log.segment.bytes`.
    pub segment_bytes: u64,
    /// `socket.request.max.bytes`.
    pub socket_request_max_bytes: usize,
    /// `max.request.partition.size.limit`.
    pub max_described_partitions: usize,
    /// `connections.max.idle.ms`; `None`: never closed.
    pub connections_max_idle_ms: Option<u64>,
    /// `max.connections` and what else bounds how many there may be.
    pub connection_limits: ConnectionLimits,
    /// `quota.window.num`, `quota.window.size.seconds`.
    pub(crate) quota_windows: Windows,
    /// `controller.quota.window.num`, `controller.quota.window.size.seconds`.
    pub(crate) mutation_quota_windows: Windows,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_session_cache_slots: usize,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: usize,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `offsets.topic.num.partitions`.
    pub offsets_topic_partitions: i32,
    /// `offsets.topic.segment.bytes`.
    pub offsets_topic_segment_bytes: i32,
    /// What the group core is told.
    pub groups: GroupSettings,
    /// What the transaction coordinator is told.
    pub transactions: TransactionSettings,
}

impl BrokerSettings {
    pub(crate) fn of(values: &Values) -> Result<BrokerSettings, ConfigError> {
        check_replication(values)?;
        let listeners = listeners(values)?;
        Ok(BrokerSettings {
            http_listen: http_listen(values)?,
            advertised_listeners: advertised(values, &listeners)?,
            listeners,
            data_dir: data_dir(values)?,
            storage: match &*values.text(&s::OTTLA_STORAGE) {
                "memory" => StorageKind::Memory,
                _ => StorageKind::Local,
            },
            durability: super::topic::durability(&values.text(&s::OTTLA_DURABILITY)),
            wal_max_bytes: values.get(&s::OTTLA_WAL_MAX_BYTES)?,
            checkpoint_interval_ms: values.get(&s::OTTLA_CHECKPOINT_INTERVAL_MS)?,
            tail_bytes: values.get(&s::OTTLA_TAIL_BYTES)?,
            retention_check_interval_ms: values.get(&t::LOG_RETENTION_CHECK_INTERVAL_MS)?,
            open_files_max: values.optional(&s::OTTLA_OPEN_FILES_MAX)?,
            producer_id_expiration_ms: values.get(&g::PRODUCER_ID_EXPIRATION_MS)?,
            cleaner_enable: values.get(&t::LOG_CLEANER_ENABLE)?,
            cleaner: cleaner(values)?,
            segment_bytes: values.get(&t::LOG_SEGMENT_BYTES)?,
            socket_request_max_bytes: values.get(&n::SOCKET_REQUEST_MAX_BYTES)?,
            max_described_partitions: values.get(&n::MAX_REQUEST_PARTITION_SIZE_LIMIT)?,
            connections_max_idle_ms: u64::try_from(values.get::<i64>(&n::CONNECTIONS_MAX_IDLE_MS)?).ok(),
            connection_limits: ConnectionLimits::of(values)?,
            quota_windows: windows(values, &n::QUOTA_WINDOW_NUM, &n::QUOTA_WINDOW_SIZE_SECONDS)?,
            mutation_quota_windows: windows(
                values,
                &n::CONTROLLER_QUOTA_WINDOW_NUM,
                &n::CONTROLLER_QUOTA_WINDOW_SIZE_SECONDS,
            )?,
            fetch_session_cache_slots: values.get(&n::MAX_INCREMENTAL_FETCH_SESSION_CACHE_SLOTS)?,
            fetch_max_bytes: values.get(&n::FETCH_MAX_BYTES)?,
            auto_create_topics: values.get(&t::AUTO_CREATE_TOPICS_ENABLE)?,
            delete_topic_enable: values.get(&t::DELETE_TOPIC_ENABLE)?,
            num_partitions: values.get(&t::NUM_PARTITIONS)?,
            offsets_topic_partitions: values.get(&g::OFFSETS_TOPIC_NUM_PARTITIONS)?,
            offsets_topic_segment_bytes: values.get(&g::OFFSETS_TOPIC_SEGMENT_BYTES)?,
            groups: groups(values)?,
            transactions: transactions(values)?,
        })
    }
}

fn windows(values: &Values, count: &Property, length_s: &Property) -> Result<Windows, ConfigError> {
    let length_s: u64 = values.get(length_s)?;
    Ok(Windows { count: values.get(count)?, length_ms: length_s.saturating_mul(1000) })
}

fn transactions(values: &Values) -> Result<TransactionSettings, ConfigError> {
    Ok(TransactionSettings {
        max_timeout_ms: values.get(&g::TRANSACTION_MAX_TIMEOUT_MS)?,
        abort_interval_ms: values.get(&g::TRANSACTION_ABORT_INTERVAL_MS)?,
        id_expiration_ms: values.get(&g::TRANSACTIONAL_ID_EXPIRATION_MS)?,
        expiry_interval_ms: values.get(&g::TRANSACTION_EXPIRY_INTERVAL_MS)?,
        log_partitions: values.get(&g::TRANSACTION_STATE_LOG_NUM_PARTITIONS)?,
        log_segment_bytes: values.get(&g::TRANSACTION_STATE_LOG_SEGMENT_BYTES)?,
    })
}

fn groups(values: &Values) -> Result<GroupSettings, ConfigError> {
    let groups = GroupSettings {
        min_session_timeout_ms: values.get(&g::GROUP_MIN_SESSION_TIMEOUT_MS)?,
        max_session_timeout_ms: values.get(&g::GROUP_MAX_SESSION_TIMEOUT_MS)?,
        initial_rebalance_delay_ms: values.optional(&g::GROUP_INITIAL_REBALANCE_DELAY_MS)?,
        max_group_size: values.get(&g::GROUP_MAX_SIZE)?,
        consumer_session_timeout_ms: within(
            values,
            &g::GROUP_CONSUMER_SESSION_TIMEOUT_MS,
            (&g::GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS, &g::GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS),
        )?,
        consumer_heartbeat_interval_ms: within(
            values,
            &g::GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS,
            (&g::GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS, &g::GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS),
        )?,
        consumer_max_group_size: values.get(&g::GROUP_CONSUMER_MAX_SIZE)?,
        consumer_assignors: assignors(values)?,
        lost_connection_grace_ms: u64::try_from(values.get::<i32>(&g::OTTLA_LOST_CONNECTION_GRACE_MS)?).ok(),
        migration_policy: MigrationPolicy::of(&values.get::<String>(&g::GROUP_CONSUMER_MIGRATION_POLICY)?)
            .unwrap_or_default(),
        max_offset_metadata_bytes: values.get(&g::OFFSET_METADATA_MAX_BYTES)?,
        offsets_retention_minutes: values.get(&g::OFFSETS_RETENTION_MINUTES)?,
        offsets_retention_check_interval_ms: values.get(&g::OFFSETS_RETENTION_CHECK_INTERVAL_MS)?,
    };
    if groups.min_session_timeout_ms > groups.max_session_timeout_ms {
        return Err(ConfigError::conflict(format!(
            "group.min.session.timeout.ms={} is above group.max.session.timeout.ms={}: no member could ever join",
            groups.min_session_timeout_ms, groups.max_session_timeout_ms
        )));
    }
    let (beat_ms, session_ms) = (groups.consumer_heartbeat_interval_ms, groups.consumer_session_timeout_ms);
    if beat_ms >= session_ms {
        return Err(ConfigError::conflict(format!(
            "group.consumer.heartbeat.interval.ms={beat_ms} must be below group.consumer.session.timeout.ms={session_ms}: each \
             member would be removed before its next heartbeat"
        )));
    }
    Ok(groups)
}

/// A time that two others bound.
fn within(values: &Values, property: &Property, (least, most): (&Property, &Property)) -> Result<i32, ConfigError> {
    let (value, low, high): (i32, i32, i32) = (values.get(property)?, values.get(least)?, values.get(most)?);
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    let (bound, limit, word, how) =
        if value < low { (least, low, "below", "at most") } else { (most, high, "above", "at least") };
    let (name, bound) = (property.name, bound.name);
    Err(ConfigError::conflict(format!(
        "{name}={value} is {word} {bound}={limit}: set {bound} to {how} {value} as well"
    )))
}

/// The assignors that may be asked for, the default first.
fn assignors(values: &Values) -> Result<Vec<Assignor>, ConfigError> {
    let named = values.get::<String>(&g::GROUP_CONSUMER_ASSIGNORS)?;
    let assignors: Vec<Assignor> = split_list(&named).filter_map(Assignor::of).collect();
    if assignors.is_empty() {
        let message = "group.consumer.assignors is empty: name at least one of uniform and range";
        return Err(ConfigError::conflict(message.to_owned()));
    }
    Ok(assignors)
}

fn cleaner(values: &Values) -> Result<CleanerConfig, ConfigError> {
    let per_second: f64 = values.get(&t::LOG_CLEANER_IO_MAX_BYTES_PER_SECOND)?;
    Ok(CleanerConfig {
        backoff_ms: values.get(&t::LOG_CLEANER_BACKOFF_MS)?,
        dedupe_buffer_bytes: values.get(&t::LOG_CLEANER_DEDUPE_BUFFER_SIZE)?,
        // The default is the largest number there is, and nobody reads or writes that much.
        io_max_bytes_per_second: (per_second < u64::MAX as f64).then_some(per_second.max(1.0) as u64),
    })
}

fn check_replication(values: &Values) -> Result<(), ConfigError> {
    match values.get::<i32>(&t::DEFAULT_REPLICATION_FACTOR)? {
        1 | -1 => Ok(()),
        factor => Err(ConfigError::conflict(format!(
            "default.replication.factor={factor} is not possible: every partition has one replica here; leave it out"
        ))),
    }
}

fn data_dir(values: &Values) -> Result<PathBuf, ConfigError> {
    let given = values.text(&s::LOG_DIRS);
    let folders: Vec<&str> = split_list(&given).collect();
    let folder = match folders[..] {
        [] => values.text(&s::LOG_DIR).into_owned(),
        [folder] => folder.to_owned(),
        _ => {
            return Err(ConfigError::conflict(format!(
                "log.dirs={given} names {} folders, but all data is kept in one; name the one to use",
                folders.len()
            )));
        }
    };
    match folder.is_empty() {
        true => Err(ConfigError::conflict("log.dir is empty; name the folder to keep data in")),
        false => Ok(PathBuf::from(folder)),
    }
}

fn parse_listeners(values: &Values, property: &Property) -> Result<Vec<Listener>, ConfigError> {
    let wrong = |reason| ConfigError::conflict(format!("{} {reason}", property.name));
    split_list(&values.text(property)).map(|entry| Listener::parse(entry).map_err(wrong)).collect()
}

/// The listeners to open: those that are not for controllers, and all of them plaintext.
fn listeners(values: &Values) -> Result<Vec<Listener>, ConfigError> {
    let mut listeners = parse_listeners(values, &n::LISTENERS)?;
    listeners.retain(|listener| !is_for_controllers(values, listener));
    if listeners.is_empty() {
        return Err(ConfigError::conflict("listeners names no address where clients could connect"));
    }
    for (index, listener) in listeners.iter().enumerate() {
        check_protocol(values, listener)?;
        let same =
            |other: &&Listener| listener.port != 0 && (&other.host, other.port) == (&listener.host, listener.port);
        if listeners[..index].iter().any(|other| same(&other)) {
            return Err(ConfigError::conflict(format!("listeners names the address of {listener} twice")));
        }
    }
    Ok(listeners)
}

fn http_listen(values: &Values) -> Result<Option<(Option<String>, u16)>, ConfigError> {
    let address = values.text(&n::OTTLA_HTTP_LISTEN);
    if address.is_empty() {
        return Ok(None);
    }
    let parsed = parse_address(&address);
    parsed.map(Some).map_err(|wrong| ConfigError::conflict(format!("ottla.http.listen {wrong}")))
}

fn is_for_controllers(values: &Values, listener: &Listener) -> bool {
    split_list(&values.text(&n::CONTROLLER_LISTENER_NAMES)).any(|name| name.eq_ignore_ascii_case(&listener.name))
}

fn check_protocol(values: &Values, listener: &Listener) -> Result<(), ConfigError> {
    let map = values.text(&n::LISTENER_SECURITY_PROTOCOL_MAP);
    let protocol = split_list(&map)
        .filter_map(|pair| pair.split_once(':'))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(&listener.name))
        .map(|(_, protocol)| protocol.trim());
    match protocol {
        Some("PLAINTEXT") => Ok(()),
        Some(protocol) => Err(ConfigError::conflict(format!(
            "the listener {listener} is {protocol}, and only PLAINTEXT is served so far"
        ))),
        None => Err(ConfigError::conflict(format!(
            "the listener {listener} has a name that listener.security.protocol.map does not have; \
             call it PLAINTEXT, or add {}:PLAINTEXT there",
            listener.name
        ))),
    }
}

fn advertised(values: &Values, listeners: &[Listener]) -> Result<Vec<Listener>, ConfigError> {
    let mut advertised = parse_listeners(values, &n::ADVERTISED_LISTENERS)?;
    advertised.retain(|listener| !is_for_controllers(values, listener));
    for listener in &advertised {
        let everywhere = matches!(listener.host.as_deref(), None | Some("0.0.0.0" | "::"));
        if everywhere {
            return Err(ConfigError::conflict(format!(
                "advertised.listeners has {listener}, which no client could connect to; give it a host"
            )));
        }
        if !listeners.iter().any(|opened| opened.name == listener.name) {
            return Err(ConfigError::conflict(format!(
                "advertised.listeners has {listener}, but listeners has none called {}",
                listener.name
            )));
        }
    }
    Ok(advertised)
}
