//! The topics that there are, as far as groups need to know: which can be subscribed to, and how many partitions they have.
use crate::request::TopicId;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use regex_lite::{Regex, RegexBuilder};

/// How large a compiled regular expression may be, in bytes.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// One topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicShape {
    /// Its id.
    pub topic_id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
}

/// All topics at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topics {
    by_name: BTreeMap<String, TopicShape>,
    names: BTreeMap<TopicId, String>,
}

impl Topics {
    /// The topic of that name.
    pub fn by_name(&self, name: &str) -> Option<TopicShape> {
        self.by_name.get(name).copied()
    }

    /// The name of the topic with that id.
    pub fn name(&self, topic_id: TopicId) -> Option<&str> {
        self.names.get(&topic_id).map(String::as_str)
    }

    /// The names that a regular expression matches as a whole.
    ///
    /// The syntax is that of RE2: no look-around, no back references, time linear in the name.
    ///
    /// # Errors
    /// What is wrong with the expression, in words.
    pub fn matching(&self, pattern: &str) -> Result<Vec<String>, String> {
        // First alone, so that no parenthesis of its own ends the group around it.
        compiled(pattern)?;
        let whole = compiled(&format!(r"\A(?:{pattern})\z"))?;
        Ok(self.by_name.keys().filter(|name| whole.is_match(name)).cloned().collect())
    }
}

/// Classes of Unicode have no tables here: names of topics are ASCII.
fn compiled(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(MAX_REGEX_BYTES).build();
    built.map_err(|error| format!("{error}"))
}

impl FromIterator<(String, TopicShape)> for Topics {
    fn from_iter<I: IntoIterator<Item = (String, TopicShape)>>(topics: I) -> Self {
        let by_name: BTreeMap<_, _> = topics.into_iter().collect();
        let names = by_name.iter().map(|(name, shape)| (shape.topic_id, name.clone())).collect();
        Topics { by_name, names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> Topics {
        let names = ["orders", "orders-eu", "payments"].into_iter().enumerate();
        names.map(|(at, name)| (name.into(), TopicShape { topic_id: [at as u8; 16], partitions: 3 })).collect()
    }

    #[test]
    fn a_regular_expression_matches_whole_names() {
        assert_eq!(topics().matching("orders").unwrap(), ["orders"]);
        assert_eq!(topics().matching("orders.*|pay").unwrap(), ["orders", "orders-eu"]);
        assert_eq!(topics().matching(r"(?i)ORD\w+[-.]\D{2}").unwrap(), ["orders-eu"]);
        assert_eq!(topics().matching("nothing").unwrap(), [""; 0]);
    }

    #[test]
    fn a_bad_regular_expression_is_refused() {
        for bad in ["(", "a)(b", r"(a)\1", "a(?=b)", "(?P<x", "((a{1000}){1000}){1000}"] {
            assert!(topics().matching(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_has_a_name() {
        assert_eq!(topics().name([2; 16]), Some("payments"));
        assert_eq!(topics().name([9; 16]), None);
    }
}
