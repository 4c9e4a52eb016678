//! The topics of a `consumer` subscription, needed to refuse deleting offsets of a topic that is being read. What cannot be read
//! changes nothing for the members, because any protocol type is served.
use alloc::collections::BTreeSet;
use alloc::string::String;

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
