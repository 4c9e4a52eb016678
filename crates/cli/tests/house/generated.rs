//! The pages: those that must be there are, and what they point to exists. That a page written from a table is current
//! is tested where the table is.

use std::path::Path;

use crate::source::{files, rust_files};
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

/// Pages that are written from tables in the code.
const WRITTEN_PAGES: &[&str] = &["docs/configuration.md", "docs/protocol.md"];

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
fn a_page_written_from_a_table_is_compared_with_it_by_a_test() {
    let tests = rust_files();
    let mut findings = Vec::new();
    for page in WRITTEN_PAGES {
        let name = page.rsplit('/').next().unwrap_or_default();
        let sources = files();
        let compares = tests.iter().filter(|file| file.in_test.contains(&true)).any(|file| {
            let text = sources.iter().find(|source| source.path == file.path).map_or("", |source| source.text.as_str());
            !file.path.starts_with("crates/cli/tests/house/") && text.contains(name) && text.contains("assert")
        });
        if !compares {
            findings.push(format!("{page}: no test compares it with the table it is written from"));
        }
    }
    report("a page can go out of date", &findings);
}

#[test]
fn the_readme_shows_the_example_that_is_tested() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect(path);
    let example = read("clients/python/seed_example.py");
    assert!(
        read("README.md").contains(example.trim()),
        "README.md shows another example than clients/python/seed_example.py"
    );
}
