//! The one place that looks into what members tell each other: the topics of a `consumer` subscription, needed to
//! refuse deleting offsets of a topic that is being read, and the partitions that a leader gave, for events and explanations.
//! What cannot be read changes nothing for the members, because any protocol type is served.
use crate::event::Held;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

/// The protocol type of ordinary consumers.
pub(crate) const CONSUMER: &str = "consumer";

/// What a generation is subscribed to, as far as the coordinator can tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Subscribed {
    /// To nothing: there are no members, or they are not consumers.
    #[default]
    Nothing,
    /// To these topics.
    Topics(BTreeSet<String>),
    /// Some member's subscription cannot be read: it may be any topic.
    Unreadable,
}

impl Subscribed {
    /// What all of these subscriptions say together.
    pub(crate) fn read<'a>(subscriptions: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut topics = BTreeSet::new();
        for bytes in subscriptions {
            if add_topics(bytes, &mut topics).is_none() {
                return Subscribed::Unreadable;
            }
        }
        Subscribed::Topics(topics)
    }

    /// Whether commits of this topic are in use.
    pub(crate) fn contains(&self, topic: &str) -> bool {
        match self {
            Subscribed::Nothing => false,
            Subscribed::Topics(topics) => topics.contains(topic),
            Subscribed::Unreadable => true,
        }
    }
}

/// Reads the front of a subscription, which is the same in all its versions: version, topics. `None` if it is none.
fn add_topics(bytes: &[u8], topics: &mut BTreeSet<String>) -> Option<()> {
    let (version, rest) = bytes.split_first_chunk::<2>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    if i16::from_be_bytes(*version) < 0 || i32::from_be_bytes(*count) < 0 {
        return None;
    }
    for _ in 0..i32::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (name, after) = after.split_at_checked(usize::try_from(i16::from_be_bytes(*length)).ok()?)?;
        topics.insert(core::str::from_utf8(name).ok()?.into());
        rest = after;
    }
    Some(())
}

/// Reads the front of an assignment, which is the same in all its versions: version, topics with their partitions. `None` if it
/// is none. Empty bytes assign nothing.
pub(crate) fn assigned_partitions(bytes: &[u8]) -> Option<Held> {
    if bytes.is_empty() {
        return Some(Held::new());
    }
    let (version, rest) = bytes.split_first_chunk::<2>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    if i16::from_be_bytes(*version) < 0 || i32::from_be_bytes(*count) < 0 {
        return None;
    }
    let mut held = Held::new();
    for _ in 0..i32::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (name, after) = after.split_at_checked(usize::try_from(i16::from_be_bytes(*length)).ok()?)?;
        let (numbers, after) = after.split_first_chunk::<4>()?;
        let numbers_bytes = usize::try_from(i32::from_be_bytes(*numbers)).ok()?.checked_mul(4)?;
        let (numbers, after) = after.split_at_checked(numbers_bytes)?;
        let mut partitions: Vec<i32> = numbers.as_chunks::<4>().0.iter().map(|n| i32::from_be_bytes(*n)).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let name = core::str::from_utf8(name).ok()?;
        if !partitions.is_empty() {
            held.push((name.into(), partitions));
        }
        rest = after;
    }
    held.sort_unstable();
    Some(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read() {
        let bytes = [&[0, 3, 0, 0, 0, 1, 0, 1][..], b"t", &[0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 1], &[255; 4]].concat();
        assert_eq!(assigned_partitions(&bytes), Some(alloc::vec![("t".into(), alloc::vec![1, 7])]));
        assert_eq!(assigned_partitions(&[]), Some(Held::new()));
    }

    #[test]
    fn what_is_no_assignment_is_refused_and_allocates_nothing() {
        for bad in [&[0][..], &[0, 0, 255, 255, 255, 255], &[0, 0, 127, 255, 255, 255], &[255, 255, 0, 0, 0, 0]] {
            assert_eq!(assigned_partitions(bad), None, "{bad:?}");
        }
        let huge = [&[0, 0, 0, 0, 0, 1, 0, 1][..], b"t", &[127, 255, 255, 255]].concat();
        assert_eq!(assigned_partitions(&huge), None);
    }
}
