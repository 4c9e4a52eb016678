//! One partition of a group as the rules see it.
use super::{ExplainedGroup, ExplainedMember, ExplainedOffset};
use crate::waits::Culprit;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// What the shell knows of a partition, at the same moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionFacts {
    /// The first offset that can be read.
    pub log_start: i64,
    /// The offset after the last record: the high watermark.
    pub end: i64,
    /// The oldest transaction that is open in it.
    pub open: Option<OpenTransaction>,
    /// Wall time of the first record that the group has not read, in milliseconds; `None` if there is none or it is not known.
    pub unread_since_ms: Option<i64>,
    /// `retention.ms`; `None` for a log that keeps everything or is compacted only.
    pub retention_ms: Option<i64>,
    /// Who fetches from it.
    pub readers: Vec<ReaderFacts>,
}

impl PartitionFacts {
    /// The first offset that is to be read where this one is committed: older ones are gone.
    pub fn unread_from(&self, committed: i64) -> i64 {
        committed.max(self.log_start)
    }

    /// How many offsets are to be read where this one is committed.
    pub fn lag(&self, committed: i64) -> i64 {
        self.end.saturating_sub(self.unread_from(committed)).max(0)
    }
}

/// An open transaction: who reads committed records alone is given none from its first one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTransaction {
    /// The offset of its first record.
    pub from: i64,
    /// Whose it is.
    pub producer_id: i64,
    /// Wall time of its last record, in milliseconds.
    pub last_write_ms: i64,
}

/// A client that fetches from a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderFacts {
    /// The client's own name.
    pub client_id: String,
    /// The client's address, as in [`Culprit::host`].
    pub host: String,
    /// Name and version of the client library, if it told.
    pub software: Option<(String, String)>,
    /// Up to where it was given records.
    pub position: i64,
    /// Wall time of the last fetch that could have brought something, in milliseconds.
    pub last_fetch_ms: i64,
}

impl ReaderFacts {
    /// Whether it may be that member: nothing it says of itself is another.
    pub fn may_be(&self, member: &Culprit) -> bool {
        let same_software = match (&self.software, &member.software) {
            (Some(mine), Some(its)) => mine == its,
            _ => true,
        };
        self.client_id == member.client_id && self.host == member.host && same_software
    }
}

/// One partition that is committed to or assigned.
pub(super) struct Case<'a> {
    pub(super) now_ms: i64,
    pub(super) group: &'a ExplainedGroup,
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) offset: Option<&'a ExplainedOffset>,
    pub(super) owner: Option<&'a ExplainedMember>,
    pub(super) facts: &'a PartitionFacts,
}

impl<'a> Case<'a> {
    /// Of every partition that the shell knows and the group reads or has read.
    pub(super) fn all(
        now_ms: i64,
        group: &'a ExplainedGroup,
        facts: &'a BTreeMap<(String, i32), PartitionFacts>,
    ) -> Vec<Self> {
        let owners = group.owners();
        let cases = facts.iter().map(|((topic, partition), facts)| {
            let offset = group.offset(topic, *partition);
            let owner = owners.get(&(topic.as_str(), *partition)).copied();
            Case { now_ms, group, topic, partition: *partition, offset, owner, facts }
        });
        cases.filter(|case| case.offset.is_some() || case.owner.is_some()).collect()
    }

    /// How many offsets are to be read; `None` if nothing was ever committed.
    pub(super) fn lag(&self) -> Option<i64> {
        Some(self.facts.lag(self.offset?.offset))
    }

    /// The reader that may be the owner and was heard of last.
    pub(super) fn reader(&self) -> Option<&ReaderFacts> {
        let owner = self.owner?;
        let mine = self.facts.readers.iter().filter(|reader| reader.may_be(&owner.who));
        mine.max_by_key(|reader| reader.last_fetch_ms)
    }

    /// How many members that reader may be.
    pub(super) fn alike(&self) -> usize {
        let may_be = |member: &&ExplainedMember| self.reader().is_some_and(|reader| reader.may_be(&member.who));
        self.group.members.iter().filter(may_be).count()
    }
}
