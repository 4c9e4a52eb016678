//! What a check found: the answer first, then the evidence, then the next step.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use ottla_storage::local::inspect::{CheckReport, Damage, Lost, PartitionFacts};
use serde_json::{Value, json};

use crate::text::{grouped, signed};

/// How many partitions, files or the like are named before the rest is only counted.
const NAMED: usize = 20;

/// For people.
pub(super) fn text(folder: &Path, report: &CheckReport) -> String {
    let mut text = format!("{} is {}\n", folder.display(), answer(report));
    for damage in report.damage.iter().take(NAMED) {
        text.push_str(&evidence(damage));
    }
    if report.damage.len() > NAMED {
        let _ = writeln!(text, "\nand {} more; -o json names all", grouped((report.damage.len() - NAMED) as u64));
    }
    text.push_str(&topics(report));
    text.push_str(&strangers(report));
    let _ = writeln!(text, "\nWhat to do   {}", next_step(folder, report));
    text
}

fn answer(report: &CheckReport) -> String {
    if report.is_intact() {
        let topics: std::collections::BTreeSet<_> = report.partitions.iter().map(|facts| facts.topic_id).collect();
        return format!(
            "intact: {} topics with {} partitions, and {} frames of the write-ahead log since the last checkpoint.",
            grouped(topics.len() as u64),
            grouped(report.partitions.len() as u64),
            grouped(report.wal.frames)
        );
    }
    let mut parts = Vec::new();
    let lost = lost_by_partition(report);
    if !report.starts() {
        parts.push("no broker starts on it".to_owned());
    }
    match lost.len() {
        0 if report.starts() => parts.push("no record is lost".to_owned()),
        0 => {}
        _ => {
            let named: Vec<String> =
                lost.iter().take(3).map(|(name, lost)| format!("{} of {name}", lost.words())).collect();
            let more = lost.len().saturating_sub(3);
            let more =
                if more > 0 { format!(" and of {} more partitions", grouped(more as u64)) } else { String::new() };
            parts.push(format!("lost are {}{more}", named.join(", ")));
        }
    }
    format!("damaged: {}.", parts.join(", and "))
}

/// How much of one partition is lost.
#[derive(Default)]
struct Sum {
    offsets: u64,
    at_most: bool,
}

impl Sum {
    fn words(&self) -> String {
        let at_most = if self.at_most { "at most " } else { "" };
        let records = if self.offsets == 1 { "record" } else { "records" };
        format!("{at_most}{} {records}", grouped(self.offsets))
    }
}

fn lost_by_partition(report: &CheckReport) -> BTreeMap<String, Sum> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for lost in report.lost() {
        let sum = sums.entry(format!("{}/{}", lost.topic, lost.partition)).or_default();
        sum.offsets += lost.offsets();
        sum.at_most |= lost.at_most;
    }
    sums
}

fn evidence(damage: &Damage) -> String {
    let byte = damage.byte.map_or_else(String::new, |byte| format!(", byte {}", grouped(byte)));
    let mut text = format!("\n{}{byte}\n  {}\n", damage.path.display(), damage.what);
    for lost in damage.lost.iter().take(NAMED) {
        let _ = writeln!(text, "  lost   {}", lost_words(lost));
    }
    if damage.prevents_start {
        text.push_str("  a broker refuses to start on it\n");
    } else if damage.costs_only_time() && damage.path.extension().is_some_and(|end| end == "index") {
        text.push_str("  costs only time: look-ups in this segment begin earlier\n");
    } else if damage.lost.is_empty() {
        text.push_str("  costs no record\n");
    }
    text
}

fn lost_words(lost: &Lost) -> String {
    let sum = Sum { offsets: lost.offsets(), at_most: lost.at_most };
    let (from, last) = (signed(lost.from), signed(lost.to - 1));
    let offsets = if lost.offsets() == 1 { format!("offset {from}") } else { format!("offsets {from} to {last}") };
    format!("{}/{} {offsets} ({})", lost.topic, lost.partition, sum.words())
}

fn topics(report: &CheckReport) -> String {
    let mut by_topic: BTreeMap<&str, Vec<&PartitionFacts>> = BTreeMap::new();
    for facts in &report.partitions {
        by_topic.entry(&facts.topic).or_default().push(facts);
    }
    if by_topic.is_empty() {
        return String::new();
    }
    let width = by_topic.keys().map(|name| name.len()).max().unwrap_or(0).max("TOPIC".len());
    let row = |cells: [&str; 6]| {
        let [topic, partitions, offsets, segments, batches, bytes] = cells;
        format!("{topic:<width$}  {partitions:>10}  {offsets:>15}  {segments:>8}  {batches:>13}  {bytes:>17}\n")
    };
    let mut text = format!("\n{}", row(["TOPIC", "PARTITIONS", "OFFSETS", "SEGMENTS", "GOOD BATCHES", "BYTES"]));
    for (topic, partitions) in &by_topic {
        let sum = |of: fn(&PartitionFacts) -> u64| grouped(partitions.iter().map(|facts| of(facts)).sum());
        let offsets = sum(|facts| facts.end_offset.saturating_sub(facts.log_start_offset).max(0).unsigned_abs());
        let (segments, batches, bytes) =
            (sum(|facts| facts.segments as u64), sum(|facts| facts.batches), sum(|facts| facts.bytes));
        text.push_str(&row([topic, &grouped(partitions.len() as u64), &offsets, &segments, &batches, &bytes]));
    }
    text
}

fn strangers(report: &CheckReport) -> String {
    if report.strangers.is_empty() {
        return String::new();
    }
    let mut text = "\nNot needed, and harmless\n".to_owned();
    for stranger in report.strangers.iter().take(NAMED) {
        let _ = writeln!(text, "  {}   {}", stranger.path.display(), stranger.what);
    }
    if report.strangers.len() > NAMED {
        let _ = writeln!(text, "  and {} more", grouped((report.strangers.len() - NAMED) as u64));
    }
    text
}

fn next_step(folder: &Path, report: &CheckReport) -> String {
    let folder = folder.display();
    if report.is_intact() {
        return "nothing".to_owned();
    }
    if !report.starts() {
        return format!(
            "restore the folder as a whole from a copy, or begin anew in another (--data);\n             \
             `ottla storage dump {folder} --records` shows what can still be read"
        );
    }
    if report.lost().next().is_none() {
        return "nothing has to be done; a broker serves all records from it".to_owned();
    }
    format!(
        "restore the files that are named from a copy; without one, a broker serves the rest, and consumers have to\n             \
         seek past what is lost; `ottla storage dump {folder} segments` shows what is left around it"
    )
}

/// For programs: the same.
pub(super) fn json(folder: &Path, report: &CheckReport) -> Value {
    let lost = |lost: &Lost| json!({"topic": *lost.topic, "partition": lost.partition, "from": lost.from, "to": lost.to, "at_most": lost.at_most});
    let damage = |damage: &Damage| {
        json!({
            "file": damage.path.to_string_lossy(), "byte": damage.byte, "what": damage.what,
            "prevents_start": damage.prevents_start, "lost": damage.lost.iter().map(lost).collect::<Vec<_>>(),
        })
    };
    let partition = |facts: &PartitionFacts| {
        json!({
            "topic": *facts.topic, "topic_id": facts.topic_id.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "partition": facts.partition, "log_start_offset": facts.log_start_offset, "end_offset": facts.end_offset,
            "segments": facts.segments, "bytes": facts.bytes, "batches": facts.batches,
        })
    };
    json!({
        "folder": folder.to_string_lossy(),
        "intact": report.is_intact(),
        "starts": report.starts(),
        "manifest": report.manifest.map(|facts| json!({"next_frame": facts.next_sequence, "topics": facts.topics})),
        "wal": {"files": report.wal.files, "bytes": report.wal.bytes, "frames": report.wal.frames, "next_frame": report.wal.next_sequence},
        "partitions": report.partitions.iter().map(partition).collect::<Vec<_>>(),
        "damage": report.damage.iter().map(damage).collect::<Vec<_>>(),
        "strangers": report.strangers.iter().map(|stranger| json!({"file": stranger.path.to_string_lossy(), "what": stranger.what})).collect::<Vec<_>>(),
    })
}
