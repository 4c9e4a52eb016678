//! The topics that there are, as far as groups need to know: which can be subscribed to, and how many partitions they have.
use crate::request::TopicId;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use regex::bytes::{Regex, RegexBuilder};

/// How large a compiled regular expression may be, in bytes.
const MAX_REGEX_BYTES: usize = 256 << 10;

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

    /// The names, of those that `before` does not have, which a regular expression matches as a whole.
    ///
    /// The syntax is that of RE2: no look-around, no back references, time linear in the name. Classes of Unicode are refused,
    /// because names of topics are ASCII.
    ///
    /// # Errors
    /// What is wrong with the expression, in words.
    pub fn matching(&self, pattern: &str, before: &Topics) -> Result<Vec<String>, String> {
        let mut new = self.by_name.keys().filter(|name| before.by_name(name).is_none()).peekable();
        if new.peek().is_none() {
            return Ok(Vec::new());
        }
        let pattern = without_quotes(pattern);
        let whole = compiled(&format!(r"\A(?:{pattern})\z"))?;
        Ok(new.filter(|name| whole.is_match(name.as_bytes())).cloned().collect())
    }
}

/// Finds out whether a regular expression is one.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn check_regex(pattern: &str) -> Result<(), String> {
    // By itself, so that no parenthesis of its own ends the group that will be around it.
    compiled(&without_quotes(pattern)).map(|_| ())
}

fn compiled(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).unicode(false).size_limit(MAX_REGEX_BYTES).build();
    built.map_err(|error| format!("{error}"))
}

/// What stands between `\Q` and `\E` is meant literally, as in RE2: Java's `Pattern.quote` writes it so.
fn without_quotes(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, quoted)) = rest.split_once(r"\Q") {
        plain.push_str(before);
        let (literal, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
        plain.push_str(&regex::escape(literal));
        rest = after;
    }
    plain.push_str(rest);
    plain
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

    fn matching(pattern: &str) -> Vec<String> {
        topics().matching(pattern, &Topics::default()).unwrap()
    }

    #[test]
    fn only_new_names_are_looked_at() {
        let before = [("orders".into(), TopicShape { topic_id: [9; 16], partitions: 1 })].into_iter().collect();
        assert_eq!(topics().matching(".*", &before).unwrap(), ["orders-eu", "payments"]);
        assert_eq!(topics().matching(".*", &topics()).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_quoted_is_meant_literally() {
        assert_eq!(matching(r"\Qorders\E-\Qeu\E"), ["orders-eu"]);
        assert_eq!(matching(r"\Qorders.*\E"), [""; 0]);
        assert_eq!(matching(r"pay\Qments"), ["payments"]);
    }

    #[test]
    fn a_regular_expression_matches_whole_names() {
        assert_eq!(matching("orders"), ["orders"]);
        assert_eq!(matching("orders.*|pay"), ["orders", "orders-eu"]);
        assert_eq!(matching(r"(?i)ORD\w+[-.]\D{2}"), ["orders-eu"]);
        assert_eq!(matching("nothing"), [""; 0]);
    }

    #[test]
    fn a_bad_regular_expression_is_refused() {
        for bad in ["(", "a)(b", r"(a)\1", "a(?=b)", "(?P<x", "((a{1000}){1000}){1000}"] {
            assert!(check_regex(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_has_a_name() {
        assert_eq!(topics().name([2; 16]), Some("payments"));
        assert_eq!(topics().name([9; 16]), None);
    }
}
