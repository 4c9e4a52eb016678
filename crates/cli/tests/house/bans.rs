//! What must not be written, and where.

use crate::report;
use crate::source::{RustFile, files, rust_files};

/// The only files that may hold `unsafe`, and why each does.
const UNSAFE_FILES: &[(&str, &str)] = &[
    (
        "crates/protocol/tests/hostile.rs",
        "a global allocator that counts, to hold the decoder to its bound; implementing GlobalAlloc is unsafe",
    ),
    (
        "crates/storage/src/local/disk/cachestat.rs",
        "cachestat(2), by which the reactor knows that sending a range of a file does not wait for the disk, has no wrapper",
    ),
];

/// The only test files that may sleep, and why waiting for an event does not do.
const SLEEPING_TESTS: &[(&str, &str)] = &[];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["common", "core", "util", "utils", "types", "helpers", "misc", "shared"];

/// Files in which the word stands.
fn files_with(word: &str, wanted: impl Fn(&RustFile, usize) -> bool) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for file in rust_files() {
        let hit = (0..file.code.len()).find(|line| wanted(&file, *line) && has_word(&file.code[*line], word));
        found.extend(hit.map(|line| (file.path.clone(), line + 1)));
    }
    found
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Compares what was found with a list of exceptions, both ways.
fn against_list(rule: &str, found: &[(String, usize)], allowed: &[(&str, &str)]) {
    let mut findings: Vec<String> = found
        .iter()
        .filter(|(path, _)| !allowed.iter().any(|(name, _)| name == path))
        .map(|(path, line)| format!("{path}:{line}"))
        .collect();
    let stale = allowed.iter().filter(|(name, _)| !found.iter().any(|(path, _)| path == name));
    findings.extend(stale.map(|(name, _)| format!("{name} is on the list without need")));
    findings
        .extend(allowed.iter().filter(|(_, why)| why.len() < 20).map(|(name, _)| format!("{name} gives no reason")));
    report(rule, &findings);
}

#[test]
fn unsafe_stands_in_named_files_only() {
    let mut found = files_with("unsafe", |_, _| true);
    found.extend(files_with("unsafe_code", |_, _| true));
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    against_list("unsafe outside the files that are named for it", &found, UNSAFE_FILES);
}

#[test]
fn tests_wait_for_events_and_never_sleep() {
    let mut found = files_with("sleep", |file, line| file.in_test[line]);
    found.extend(files_with("sleep_until", |file, line| file.in_test[line]));
    found.extend(files_with("sleep_ms", |file, line| file.in_test[line]));
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    against_list("a test sleeps; wait for the event itself", &found, SLEEPING_TESTS);
}

#[test]
fn modules_and_crates_have_names_that_say_what_they_are() {
    let mut findings = Vec::new();
    for file in files() {
        let parts: Vec<&str> = file.path.split('/').collect();
        if !file.path.starts_with("crates/") || !file.path.ends_with(".rs") {
            continue;
        }
        let empty = parts.iter().find(|part| EMPTY_NAMES.contains(&part.trim_end_matches(".rs")));
        findings.extend(empty.map(|name| format!("{}: {name} says nothing; name the subject", file.path)));
    }
    for file in rust_files() {
        for (number, line) in file.code.iter().enumerate() {
            let module = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            let name = module.strip_prefix("mod ").map(|rest| rest.trim_end_matches([';', '{', ' ']));
            if name.is_some_and(|name| EMPTY_NAMES.contains(&name)) {
                findings.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    report("a name says nothing", &findings);
}

#[test]
fn no_path_of_any_one_machine_is_written_down() {
    // Put together here, so that this file does not find itself.
    let banned: Vec<String> = ["work", "root", "home", "Users"].iter().map(|top| format!("/{top}/")).collect();
    let mut findings = Vec::new();
    for file in files() {
        for (number, line) in file.text.lines().enumerate() {
            for start in &banned {
                // A path begins where a word, a scheme or a relative path does not go on.
                let hit = line.match_indices(start.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || ['.', '_', '-', '/', '}', '*', '~'].contains(&c))
                });
                if hit {
                    findings.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
                }
            }
        }
    }
    report("an absolute path of one machine", &findings);
}

#[test]
fn nothing_is_ignored_or_left_for_later() {
    let ignored = files_with("ignore", |file, line| file.code[line].contains("#[ignore"));
    let mut findings: Vec<String> = ignored.iter().map(|(path, line)| format!("{path}:{line}: #[ignore]")).collect();
    for word in ["todo!", "unimplemented!", "dbg!"] {
        let macro_name = word.trim_end_matches('!');
        let found = files_with(macro_name, |file, line| file.code[line].contains(word));
        findings.extend(found.iter().map(|(path, line)| format!("{path}:{line}: {word}")));
    }
    report("a test that does not run, or code that is not there", &findings);
}
