//! How large a file and a function may grow.

use crate::report;
use crate::source::{RustFile, item_end, line_of, rust_files};

/// Lines of a file, its tests not counted.
const FILE_LINES: usize = 600;
/// Lines of any function, tests included.
const FUNCTION_LINES: usize = 100;
/// Nine functions of ten are at most this long.
const FUNCTION_LINES_P90: usize = 25;

#[test]
fn no_file_is_over_600_lines_without_its_tests() {
    let findings: Vec<String> = rust_files()
        .iter()
        .filter(|file| file.path.starts_with("crates/"))
        .map(|file| (file.in_test.iter().filter(|test| !**test).count(), file))
        .filter(|(lines, _)| *lines > FILE_LINES)
        .map(|(lines, file)| format!("{}: {lines} lines; split it by subject", file.path))
        .collect();
    report("a file is too long", &findings);
}

#[test]
fn no_function_is_over_100_lines() {
    let mut findings = Vec::new();
    let mut lengths = Vec::new();
    for file in rust_files() {
        for function in functions(&file) {
            if function.lines > FUNCTION_LINES {
                findings.push(format!("{}:{} {}: {} lines", file.path, function.line, function.name, function.lines));
            }
            lengths.push(function.lines);
        }
    }
    report("a function is too long", &findings);
    lengths.sort_unstable();
    let p90 = lengths[lengths.len() * 9 / 10];
    assert!(p90 <= FUNCTION_LINES_P90, "one function in ten is over {FUNCTION_LINES_P90} lines long: p90 is {p90}");
}

struct Function {
    name: String,
    /// Where it begins, from 1.
    line: usize,
    lines: usize,
}

fn functions(file: &RustFile) -> Vec<Function> {
    let code = file.code.join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back();
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() || before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let (first, last) = (line_of(&code, at), line_of(&code, item_end(&code, at)));
        found.push(Function { name, line: first + 1, lines: last - first + 1 });
    }
    found
}

#[test]
fn functions_are_measured_from_their_name_to_their_last_brace() {
    let file = crate::source::parse(
        "x.rs",
        "pub fn one(a: [u8; 2]) -> u8 {\n    a[0]\n}\ntrait T { fn two(&self); }\ntype F = fn (u8);\n",
    );
    let measured: Vec<_> = functions(&file).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
    assert_eq!(measured, [("one".to_string(), 1, 3), ("two".to_string(), 4, 1)]);
}
