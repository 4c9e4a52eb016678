//! The topics that there are, as far as groups need to know: which can be subscribed to, and how many partitions they have.
use crate::assignment::Assignment;
use crate::request::TopicId;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// One topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicShape {
    /// Its id.
    pub topic_id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
}

/// Of these names those that a regular expression matches as a whole. It must not depend on anything else.
///
/// # Errors
/// What is wrong with the expression, in words.
pub type MatchNames = fn(pattern: &str, names: &[&str]) -> Result<Vec<String>, String>;

/// All topics at one moment, and how regular expressions are understood: the core knows none of their languages.
#[derive(Clone)]
pub struct Topics {
    by_name: BTreeMap<String, TopicShape>,
    names: BTreeMap<TopicId, String>,
    matching: MatchNames,
}

impl Topics {
    /// These topics.
    pub fn new(topics: impl IntoIterator<Item = (String, TopicShape)>, matching: MatchNames) -> Self {
        let by_name: BTreeMap<_, _> = topics.into_iter().collect();
        let names = by_name.iter().map(|(name, shape)| (shape.topic_id, name.clone())).collect();
        Topics { by_name, names, matching }
    }

    /// The topic of that name.
    pub fn by_name(&self, name: &str) -> Option<TopicShape> {
        self.by_name.get(name).copied()
    }

    /// The name of the topic with that id.
    pub fn name(&self, topic_id: TopicId) -> Option<&str> {
        self.names.get(&topic_id).map(String::as_str)
    }

    /// Partitions by the names of their topics, without topics that are gone.
    pub(crate) fn named<'a>(
        &'a self,
        partitions: &'a Assignment,
    ) -> impl Iterator<Item = (TopicId, &'a str, &'a [i32])> {
        let topics = partitions.topics().iter();
        topics.filter_map(|(topic_id, partitions)| Some((*topic_id, self.name(*topic_id)?, partitions.as_slice())))
    }

    /// The names, of those that `before` does not have, which a regular expression matches as a whole.
    ///
    /// # Errors
    /// What is wrong with the expression, in words.
    pub fn matching(&self, pattern: &str, before: &Topics) -> Result<Vec<String>, String> {
        let new: Vec<&str> =
            self.by_name.keys().filter(|name| before.by_name(name).is_none()).map(String::as_str).collect();
        if new.is_empty() { Ok(Vec::new()) } else { (self.matching)(pattern, &new) }
    }

    /// Finds out whether a regular expression is one.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn check(&self, pattern: &str) -> Result<(), String> {
        (self.matching)(pattern, &[]).map(|_| ())
    }
}

/// No topics, and no regular expressions.
impl Default for Topics {
    fn default() -> Self {
        Topics::new([], |_, _| Err("regular expressions are not understood here".into()))
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.by_name).finish()
    }
}

/// What matters is which topics there are.
impl PartialEq for Topics {
    fn eq(&self, other: &Self) -> bool {
        self.by_name == other.by_name
    }
}

impl Eq for Topics {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Understands a beginning.
    fn beginning(pattern: &str, names: &[&str]) -> Result<Vec<String>, String> {
        Ok(names.iter().filter(|name| name.starts_with(pattern)).map(|name| String::from(*name)).collect())
    }

    fn topics(names: &[&str]) -> Topics {
        let shape =
            |(at, name): (usize, &&str)| (String::from(*name), TopicShape { topic_id: [at as u8; 16], partitions: 3 });
        Topics::new(names.iter().enumerate().map(shape), beginning)
    }

    #[test]
    fn only_new_names_are_looked_at() {
        let (before, after) = (topics(&["orders"]), topics(&["orders", "orders-eu", "payments"]));
        assert_eq!(after.matching("o", &before).unwrap(), ["orders-eu"]);
        assert_eq!(after.matching("o", &Topics::default()).unwrap(), ["orders", "orders-eu"]);
        assert_eq!(after.matching("o", &after).unwrap(), [""; 0]);
    }

    #[test]
    fn an_id_has_a_name() {
        assert_eq!(topics(&["a", "b"]).name([1; 16]), Some("b"));
        assert_eq!(topics(&["a", "b"]).name([9; 16]), None);
    }
}
