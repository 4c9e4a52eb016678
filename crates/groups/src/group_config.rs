//! What may differ from group to group, as it counts: the group's own configs (resource type GROUP), else the broker's.
use crate::settings::Settings;
use alloc::collections::BTreeMap;
use alloc::string::String;

/// What counts for one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupConfig {
    /// `consumer.session.timeout.ms`: after how long without a heartbeat a member of the consumer protocol is removed.
    pub consumer_session_timeout_ms: i32,
    /// `consumer.heartbeat.interval.ms`: how often it shall send one.
    pub consumer_heartbeat_interval_ms: i32,
    /// `ottla.lost.connection.grace.ms`: how long after its connection was lost a dynamic member is removed, unless it is
    /// heard of again. `None`: not because of that.
    pub lost_connection_grace_ms: Option<u64>,
}

/// The groups that have configs of their own, with what counts for each. A group need not exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupConfigs {
    own: BTreeMap<String, GroupConfig>,
    /// Whether any of them looks at connections.
    any_looks_at_connections: bool,
}

impl GroupConfigs {
    /// Of these groups.
    pub fn new(groups: impl IntoIterator<Item = (String, GroupConfig)>) -> Self {
        let own: BTreeMap<_, _> = groups.into_iter().collect();
        let any_looks_at_connections = own.values().any(|config| config.lost_connection_grace_ms.is_some());
        GroupConfigs { own, any_looks_at_connections }
    }

    /// What counts for a group.
    pub(crate) fn of(&self, group_id: &str, settings: &Settings) -> GroupConfig {
        self.own.get(group_id).copied().unwrap_or_else(|| settings.group_config())
    }

    /// Whether it may matter to some group that a connection is lost.
    pub(crate) fn look_at_connections(&self, settings: &Settings) -> bool {
        self.any_looks_at_connections || settings.lost_connection_grace_ms.is_some()
    }
}

impl Settings {
    /// What counts for a group without configs of its own.
    fn group_config(&self) -> GroupConfig {
        GroupConfig {
            consumer_session_timeout_ms: self.consumer_session_timeout_ms,
            consumer_heartbeat_interval_ms: self.consumer_heartbeat_interval_ms,
            lost_connection_grace_ms: self.lost_connection_grace_ms,
        }
    }
}
