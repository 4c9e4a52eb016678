//! Regular expressions of subscriptions, in the syntax of RE2: no look-around, no back references, time linear in what is matched.
//! Classes of Unicode are refused, because names of topics are ASCII.

use regex::bytes::{Regex, RegexBuilder};

/// How large a compiled regular expression may be, in bytes.
const MAX_COMPILED_BYTES: usize = 256 << 10;

/// The names that an expression matches as a whole.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn matching(pattern: &str, names: &[&str]) -> Result<Vec<String>, String> {
    let pattern = without_quotes(pattern);
    // By itself first, so that no parenthesis of its own ends the group that will be around it.
    compiled(&pattern)?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let whole = compiled(&format!(r"\A(?:{pattern})\z"))?;
    Ok(names.iter().filter(|name| whole.is_match(name.as_bytes())).map(|name| (*name).to_owned()).collect())
}

fn compiled(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).unicode(false).size_limit(MAX_COMPILED_BYTES).build();
    built.map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use super::matching;

    const NAMES: [&str; 3] = ["orders", "orders-eu", "payments"];

    #[test]
    fn whole_names_are_matched() {
        let cases: [(&str, &[&str]); 6] = [
            ("orders", &["orders"]),
            ("orders.*|pay", &["orders", "orders-eu"]),
            (r"(?i)ORD\w+[-.]\D{2}", &["orders-eu"]),
            (r"\Qorders\E-\Qeu\E", &["orders-eu"]),
            (r"\Qorders.*\E", &[]),
            (r"pay\Qments", &["payments"]),
        ];
        for (pattern, matched) in cases {
            assert_eq!(matching(pattern, &NAMES).expect("it is one"), matched, "{pattern}");
        }
    }

    #[test]
    fn what_is_none_is_refused_without_any_name() {
        for bad in ["(", "a)(b", r"(a)\1", "a(?=b)", "(?P<x", "((a{1000}){1000}){1000}", "*"] {
            assert!(matching(bad, &[]).is_err(), "{bad}");
        }
    }
}
