//! Connections that break and come anew, groups that look at that (`ottla.lost.connection.grace.ms`), and what must be true of it.
use super::checks::Checks;
use super::world::{Happening, World};
use ottla_groups::records::StoredRecord;
use ottla_groups::{Answer, Event, GroupConfig, GroupConfigs, Request};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The connections of all clients, and what groups make of them.
#[derive(Default)]
pub(super) struct Connections {
    opened: u64,
    lost: BTreeSet<u64>,
    configs: BTreeMap<String, GroupConfig>,
    /// Groups that look at connections at some times and not at others, with their grace.
    graces: BTreeMap<String, u64>,
}

impl Connections {
    /// A new one.
    pub(super) fn open(&mut self) -> u64 {
        self.opened += 1;
        self.opened
    }

    /// Whether the broker has seen its end: nothing comes over it any more.
    pub(super) fn is_lost(&self, connection: u64) -> bool {
        self.lost.contains(&connection)
    }

    pub(super) fn configs(&self) -> Arc<GroupConfigs> {
        Arc::new(GroupConfigs::new(self.configs.clone()))
    }
}

impl World {
    /// Gives a group configs of its own, or none.
    pub(super) fn configure(&mut self, group_id: &str) {
        let session_ms = self.settings.consumer_session_timeout_ms;
        let longer_ms = if self.rng.once_in(2) { 2_000 } else { 0 };
        let grace_ms = (!self.rng.once_in(3)).then(|| self.rng.between(3, 30) * 100);
        let config = GroupConfig {
            consumer_session_timeout_ms: session_ms + longer_ms,
            consumer_heartbeat_interval_ms: self.settings.consumer_heartbeat_interval_ms,
            lost_connection_grace_ms: grace_ms,
        };
        if longer_ms > 0 || grace_ms.is_some() {
            self.connections.configs.insert(group_id.into(), config);
        }
        self.connections.graces.extend(grace_ms.map(|grace_ms| (group_id.into(), grace_ms)));
        self.checks.connections.configs = self.connections.configs.clone();
    }

    /// Somebody turns the look at connections on or off.
    pub(super) fn configure_anew(&mut self) {
        if self.broker.stalled_since_ms.is_some() {
            return;
        }
        for (group_id, grace_ms) in self.connections.graces.clone() {
            if let (Some(config), true) = (self.connections.configs.get_mut(&group_id), self.rng.once_in(2)) {
                config.lost_connection_grace_ms = config.lost_connection_grace_ms.xor(Some(grace_ms));
            }
        }
        self.trace.tell(self.at_ms, || "groups are configured anew".into());
        self.checks.connections.configs = self.connections.configs.clone();
        self.tell(Event::GroupConfigsChanged(self.connections.configs()));
    }

    /// A client's connection is gone, of which the broker hears soon, later or never; the next request goes over another one.
    pub(super) fn break_connection(&mut self, client: usize) {
        let connection = core::mem::replace(&mut self.clients[client].connection, self.connections.open());
        let delay_ms = match self.rng.between(0, 9) {
            0 => return,
            1..=3 => self.rng.between(100, 4_000),
            _ => self.rng.between(1, 60),
        };
        self.plan(delay_ms, Happening::Lose { life: self.broker.life, connection });
    }

    /// The broker hears of it.
    pub(super) fn lose(&mut self, connection: u64) {
        self.trace.tell(self.at_ms, || format!("connection {connection} is lost"));
        self.connections.lost.insert(connection);
        self.checks.connection_lost(self.at_ms, connection);
        self.tell(Event::ConnectionLost { connection });
    }
}

/// What the checks know of connections.
#[derive(Default)]
pub(super) struct HeardOver {
    /// Over which connection a member was heard last, whatever it said, by group and member id.
    pub(super) heard: BTreeMap<(String, String), u64>,
    /// When a connection was lost, in time that the broker was running.
    lost: BTreeMap<u64, u64>,
    configs: BTreeMap<String, GroupConfig>,
}

impl Checks {
    /// A request comes from a member.
    pub(super) fn hear_over(&mut self, request: &Request, connection: Option<u64>) {
        let (group_id, member_id) = match request {
            Request::JoinGroup(r) => (&r.group_id, &r.member_id),
            Request::SyncGroup(r) => (&r.group_id, &r.member_id),
            Request::Heartbeat(r) => (&r.group_id, &r.member_id),
            Request::CommitOffsets(r) => (&r.group_id, &r.member_id),
            Request::ConsumerHeartbeat(r) if r.member_epoch >= 0 => (&r.group_id, &r.member_id),
            _ => return,
        };
        if let Some(connection) = connection {
            self.connections.heard.insert((group_id.clone(), member_id.clone()), connection);
        }
    }

    /// A member id is given over this connection.
    pub(super) fn hear_joined_over(&mut self, request: &Request, answer: &Answer, connection: Option<u64>) {
        if let (Request::JoinGroup(r), Answer::JoinGroup(joined), Some(connection)) = (request, answer, connection) {
            let key = (r.group_id.clone(), joined.member_id.clone());
            self.connections.heard.entry(key).or_insert(connection);
        }
    }

    fn connection_lost(&mut self, at_ms: u64, connection: u64) {
        let running_ms = self.running_ms(at_ms);
        self.connections.lost.insert(connection, running_ms);
    }

    /// Only a dynamic member is removed for its connection, of a group that looks at that, and only where it was not heard of over
    /// another one for the whole grace.
    pub(super) fn removed_for_its_connection(
        &mut self,
        at_ms: u64,
        group_id: &str,
        member_id: &str,
        instance: Option<&str>,
        cause: &str,
    ) {
        let heard = self.connections.heard.remove(&(group_id.to_string(), member_id.to_string()));
        if !cause.contains("connection was lost, and it did not come back") {
            return;
        }
        let config = self.connections.configs.get(group_id);
        let grace_ms = config.and_then(|config| config.lost_connection_grace_ms);
        let lost_ms = heard.and_then(|connection| self.connections.lost.get(&connection));
        let gone_ms = lost_ms.map(|lost_ms| self.running_ms(at_ms).saturating_sub(*lost_ms));
        let is_right = gone_ms.is_some_and(|gone_ms| grace_ms.is_some_and(|grace_ms| gone_ms >= grace_ms));
        if instance.is_some() || !is_right {
            self.fail(format!(
                "{member_id} ({instance:?}) was heard last over connection {heard:?}, which was lost {gone_ms:?} ms ago, and is removed \
                 with a grace of {grace_ms:?} ms"
            ));
        }
    }

    /// The session timeout of a member of the consumer protocol.
    pub(super) fn session_timeout_of(&self, group_id: &str, member_id: &str) -> Option<u64> {
        let config = self.connections.configs.get(group_id)?;
        u64::try_from(config.consumer_session_timeout_ms).ok().filter(|_| self.speaks_consumer(group_id, member_id))
    }

    /// Whether it is a member of the consumer protocol; one of the classic protocol in the same group has a session of its own.
    fn speaks_consumer(&self, group_id: &str, member_id: &str) -> bool {
        let key = StoredRecord::ConsumerMember(group_id.into(), member_id.into(), None).encode().key;
        let said = self.compacted.get(&key).map(StoredRecord::decode);
        matches!(said, Some(Ok(StoredRecord::ConsumerMember(_, _, Some(metadata)))) if metadata.classic.is_none())
    }
}
