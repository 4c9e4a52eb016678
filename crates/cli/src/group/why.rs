//! `ottla group why`: the answer first, then the evidence, then the next step.

use serde_json::Value;

use super::document::{list, number, partition_name, partitions, some_text, text, texts, who};
use crate::local_time::LocalTime;
use crate::text::duration;

/// How many findings are shown.
const FINDINGS_SHOWN: usize = 10;

/// For people.
pub(super) fn render(why: &Value, time: &LocalTime) -> String {
    let mut said = format!("{}\n", text(why, "text"));
    let cause = some_text(&why["cause"], "text");
    for wait in list(why, "waits").iter().filter(|wait| wait["blocks"] == true) {
        said.push_str(&format!("\n{}", wait_text(wait, why, cause.as_deref(), time)));
    }
    let findings = list(why, "findings");
    for finding in findings.iter().take(FINDINGS_SHOWN) {
        said.push_str(&format!("\n{}", finding_text(finding, text(why, "text").as_str(), time)));
    }
    if findings.len() > FINDINGS_SHOWN {
        said.push_str(&format!("\nand {} more; -o json has all\n", findings.len() - FINDINGS_SHOWN));
    }
    said
}

/// Lines with a word before each, the words aligned.
struct Lines {
    indent: usize,
    width: usize,
    text: String,
}

impl Lines {
    fn new(indent: usize, width: usize) -> Lines {
        Lines { indent, width, text: String::new() }
    }

    /// The word stands before the first of these lines.
    fn add(&mut self, word: &str, lines: impl IntoIterator<Item = String>) {
        let mut word = word;
        for line in lines {
            let (indent, width) = (self.indent, self.width);
            self.text.push_str(&format!("{:indent$}{word:<width$}  {line}\n", ""));
            word = "";
        }
    }
}

fn wait_text(wait: &Value, why: &Value, cause: Option<&str>, time: &LocalTime) -> String {
    let mut lines = Lines::new(2, 11);
    match who(&wait["member"]) {
        Some(member) => lines.add("waiting for", [format!("{member}{}", seen_and_held(wait, time))]),
        None => lines.add("waiting for", some_text(wait, "text")),
    }
    let because = match (cause, number(&why["cause"], "at_ms")) {
        (Some(cause), Some(ms)) => Some(format!("{cause} (at {})", time.text(ms))),
        (cause, _) => cause.map(str::to_owned),
    };
    lines.add("because", because);
    lines.add("since", number(wait, "since_ms").map(|ms| since(ms, time)));
    if let Some(ms) = number(wait, "until_ms") {
        lines.add("until", [format!("{} at the latest{}", time.text(ms), consequence(wait))]);
    }
    if wait["member"].is_object() {
        lines.add("", some_text(wait, "text").filter(|text| Some(text) != some_text(why, "text").as_ref()));
    }
    lines.add("What to do", steps(wait));
    lines.text
}

fn since(ms: i64, time: &LocalTime) -> String {
    format!("{}, for {}", time.text(ms), duration(time.now_ms().saturating_sub(ms)))
}

fn seen_and_held(wait: &Value, time: &LocalTime) -> String {
    let seen = number(wait, "last_seen_ms")
        .map(|ms| format!(", last seen {} ago", duration(time.now_ms().saturating_sub(ms))))
        .unwrap_or_default();
    match partitions(&wait["holds"]) {
        holds if holds.is_empty() => seen,
        holds => format!("{seen}; it holds {holds}"),
    }
}

/// What the coordinator does when the time is over, in words where they are known.
fn consequence(wait: &Value) -> String {
    let member = super::document::name(&wait["member"]).unwrap_or_else(|| "the member".to_owned());
    match wait["then"].as_str() {
        Some("MemberRemoved") => format!("; then {member} is removed and the group goes on"),
        _ => some_text(wait, "then").map_or_else(String::new, |then| format!("; then {}", spaced(&then))),
    }
}

/// `MemberRemoved` as words.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

fn finding_text(finding: &Value, headline: &str, time: &LocalTime) -> String {
    let subject = some_text(finding, "topic").map_or_else(|| "the group".to_owned(), |_| partition_name(finding));
    let held = who(&finding["member"]).map(|member| format!("   held by {member}")).unwrap_or_default();
    let since = number(finding, "since_ms").map(|ms| format!(" since {}", time.text(ms))).unwrap_or_default();
    let mut said = format!("  {subject}   {}{since}{held}\n", text(finding, "status"));
    let indent = subject.chars().count() + 5;
    let inferred = if finding["certainty"] == "inferred" { " (inferred: fetches do not name their group)" } else { "" };
    if let Some(sentence) = some_text(finding, "text").filter(|sentence| sentence != headline) {
        said.push_str(&format!("{:indent$}{sentence}{inferred}\n", ""));
    }
    for evidence in texts(finding, "evidence") {
        said.push_str(&format!("{:indent$}{evidence}\n", ""));
    }
    let mut lines = Lines::new(0, 11);
    lines.add("Most likely", some_text(finding, "likely"));
    lines.add("What to do", steps(finding));
    format!("{said}{}", lines.text)
}

fn steps(value: &Value) -> Vec<String> {
    texts(value, "next")
}
