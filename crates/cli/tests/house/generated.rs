//! The pages: those that must be there are, and what they point to exists. That a page written from a table is current
//! is tested where the table is.

use std::path::Path;

use crate::source::files;
use crate::{report, root};

/// The pages a newcomer and an operator need.
const PAGES: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/benchmarks.md",
    "docs/configuration.md",
    "docs/differences.md",
    "docs/format.md",
    "docs/protocol.md",
];

/// How a page says that it is written from a table, and by which command.
const REWRITTEN_BY: &str = "OTTLA_REWRITE=1 cargo test -p ";

#[test]
fn the_pages_are_there() {
    let missing = PAGES.iter().filter(|page| !root().join(page).is_file()).map(ToString::to_string);
    report("a page is missing", &missing.collect::<Vec<_>>());
}

#[test]
fn what_pages_point_to_exists() {
    let mut findings = Vec::new();
    for file in files().iter().filter(|file| file.path.ends_with(".md")) {
        let folder = root().join(&file.path).parent().expect("a folder").to_path_buf();
        for target in file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") && !folder.join(Path::new(path)).exists() {
                findings.push(format!("{}: {target}", file.path));
            }
        }
    }
    report("a link leads nowhere", &findings);
}

#[test]
fn a_page_written_from_a_table_has_a_test_that_keeps_it_current() {
    let files = files();
    let mut findings = Vec::new();
    let mut written = 0;
    for page in files.iter().filter(|file| file.path.ends_with(".md")) {
        let Some(command) = page.text.split(REWRITTEN_BY).nth(1) else { continue };
        written += 1;
        let test = command.split_whitespace().nth(1).unwrap_or_default();
        let has_test = |file: &&crate::source::File| {
            file.path.ends_with(".rs")
                && file.text.contains(&format!("fn {test}"))
                && file.text.contains("OTTLA_REWRITE")
        };
        if test.is_empty() || !files.iter().any(|file| has_test(&file)) {
            findings.push(format!("{}: no test {test:?} that compares it with its table", page.path));
        }
    }
    report("a page can go out of date", &findings);
    assert!(written >= 2, "docs/configuration.md and docs/protocol.md are written from tables");
}
