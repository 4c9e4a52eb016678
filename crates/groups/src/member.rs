//! One live member of a group.
use crate::answer::DescribedMember;
use crate::event::{ClientInfo, Ticket};
use crate::request::Protocol;
use crate::waits::Culprit;
use alloc::string::String;
use alloc::vec::Vec;

/// A member as it lives now: what the last record says of it plus what has happened since.
#[derive(Debug, Clone, Default)]
pub(crate) struct Member {
    pub(crate) member_id: String,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    /// Name and version of the client library; `None` after a restart of the broker.
    pub(crate) software: Option<(String, String)>,
    /// The client's own reason for its last join (KIP-800).
    pub(crate) reason: Option<String>,
    pub(crate) rebalance_timeout_ms: u64,
    pub(crate) session_timeout_ms: u64,
    pub(crate) protocols: Vec<Protocol>,
    /// The parked join, if the member waits in one.
    pub(crate) join: Option<Ticket>,
    /// The parked sync, if the member waits in one.
    pub(crate) sync: Option<Ticket>,
    /// It has been told of the generation and has not asked for its assignment yet.
    pub(crate) owes_sync: bool,
    /// Its first join has not been answered: it is not expected to send heartbeats yet.
    pub(crate) is_new: bool,
    /// Its client has used its member id, so it can come back with it.
    pub(crate) knows_id: bool,
    /// When it is evicted (monotonic); `None` while a parked join or sync shows that it lives.
    pub(crate) deadline_ms: Option<u64>,
    /// Wall time of the last sign of life.
    pub(crate) last_seen_ms: i64,
    pub(crate) rhythm: Rhythm,
    /// Order of arrival in the group; a lost leader is followed by the member that has been there longest.
    pub(crate) arrival: u64,
}

/// How far apart the signs of life of a member are. Clients say it to nobody, so it is learnt.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rhythm {
    /// The longest lately: it shrinks by an eighth with each one that is shorter. 0 before the first.
    longest_ms: i64,
}

impl Rhythm {
    /// The next sign of life, so long after the last one.
    pub(crate) fn heard_after(&mut self, gap_ms: i64, session_timeout_ms: u64) {
        // As a rule clients send at least three heartbeats in a session.
        let at_first_ms = i64::try_from(session_timeout_ms / 3).unwrap_or(i64::MAX);
        let before_ms = if self.longest_ms == 0 { at_first_ms } else { self.longest_ms };
        self.longest_ms = gap_ms.max(before_ms - before_ms / 8);
    }

    /// Who has not been heard of for so long is silent, in milliseconds: half a session at most.
    pub(crate) fn patience_ms(self, session_timeout_ms: u64) -> i64 {
        let half_ms = i64::try_from(session_timeout_ms / 2).unwrap_or(i64::MAX);
        match self.longest_ms {
            0 => half_ms,
            longest_ms => longest_ms.saturating_mul(2).saturating_add(1_000).min(half_ms),
        }
    }
}

impl Member {
    /// What the member says under the protocol of that name.
    pub(crate) fn metadata(&self, protocol: &str) -> &[u8] {
        self.protocols.iter().find(|p| p.name == protocol).map_or(&[], |p| &p.metadata)
    }

    pub(crate) fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }

    pub(crate) fn culprit(&self) -> Culprit {
        Culprit {
            member_id: self.member_id.clone(),
            group_instance_id: self.group_instance_id.clone(),
            client_id: self.client_id.clone(),
            host: self.client_host.clone(),
            software: self.software.clone(),
        }
    }

    /// The member as an administrator sees it, without what depends on the state of the group.
    pub(crate) fn describe(&self) -> DescribedMember {
        DescribedMember {
            member_id: self.member_id.clone(),
            group_instance_id: self.group_instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            metadata: Vec::new(),
            assignment: Vec::new(),
        }
    }
}

/// A client that has been given a member id and has not come back with it yet (KIP-394).
#[derive(Debug, Clone)]
pub(crate) struct PendingMember {
    pub(crate) client: ClientInfo,
    /// When the id is forgotten (monotonic).
    pub(crate) deadline_ms: u64,
    /// Wall time at which the id was given.
    pub(crate) since_ms: i64,
}

impl PendingMember {
    pub(crate) fn culprit(&self, member_id: &str) -> Culprit {
        Culprit {
            member_id: member_id.into(),
            group_instance_id: None,
            client_id: self.client.client_id.clone(),
            host: self.client.host.clone(),
            software: self.client.software.clone(),
        }
    }
}
