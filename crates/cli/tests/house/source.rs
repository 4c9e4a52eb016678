//! Reads the repository's files, and Rust source with comments and literals taken out.

use std::fs;
use std::path::Path;

use crate::root;

/// A text file of the repository.
pub(crate) struct File {
    /// Its path below the root, with `/`.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

/// A Rust file, ready for rules that look at code alone.
pub(crate) struct RustFile {
    /// Its path below the root, with `/`.
    pub(crate) path: String,
    /// Its code, line by line, with comments and the insides of literals blanked.
    pub(crate) code: Vec<String>,
    /// For each line, whether it is test code (a test file, or inside an item under `#[cfg(test)]`).
    pub(crate) in_test: Vec<bool>,
}

/// Directories that hold no source of ours; `.git` is a file where a repository has several working trees.
const NOT_OURS: &[&str] = &["target", ".git", ".venv", "ottla-data", "__pycache__", "node_modules"];

/// Every text file of the repository.
pub(crate) fn files() -> Vec<File> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    assert!(found.len() > 20, "the repository's files were not found");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(folder: &Path, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let entry = entry.expect("a readable entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().expect("a file type");
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), found);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            let path = entry.path().strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
            found.push(File { path, text });
        }
    }
}

/// Every Rust file of the repository.
pub(crate) fn rust_files() -> Vec<RustFile> {
    files().into_iter().filter(|file| file.path.ends_with(".rs")).map(|file| parse(&file.path, &file.text)).collect()
}

/// Prepares one Rust file.
pub(crate) fn parse(path: &str, text: &str) -> RustFile {
    let blanked = blank(text);
    let whole = path.contains("/tests/") || path.ends_with("tests.rs");
    let lines = blanked.lines().count();
    let mut in_test = vec![whole; lines];
    if !whole {
        for (first, last) in test_items(&blanked) {
            in_test[first..=last.min(lines - 1)].fill(true);
        }
    }
    RustFile { path: path.to_string(), code: blanked.lines().map(str::to_string).collect(), in_test }
}

/// The source with comments and the insides of literals replaced by spaces; lines stay where they are.
pub(crate) fn blank(text: &str) -> String {
    let source: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < source.len() {
        let end = literal_or_comment_end(&source, at);
        if end == at {
            out.push(source[at]);
            at += 1;
        } else {
            out.extend(source[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `at` itself where none begins.
fn literal_or_comment_end(source: &[char], at: usize) -> usize {
    let next = source.get(at + 1).copied();
    let after_word = at > 0 && (source[at - 1].is_alphanumeric() || source[at - 1] == '_');
    match source[at] {
        '/' if next == Some('/') => position(source, at, |rest| rest[0] == '\n'),
        '/' if next == Some('*') => block_comment_end(source, at),
        '"' => quoted_end(source, at + 1, '"'),
        'r' if !after_word || source[at - 1] == 'b' => raw_string_end(source, at),
        '\'' => char_end(source, at),
        _ => at,
    }
}

fn position(source: &[char], from: usize, found: impl Fn(&[char]) -> bool) -> usize {
    (from..source.len()).find(|at| found(&source[*at..])).unwrap_or(source.len())
}

fn block_comment_end(source: &[char], at: usize) -> usize {
    let (mut depth, mut here) = (0, at);
    while here < source.len() {
        match (source[here], source.get(here + 1)) {
            ('/', Some('*')) => (depth, here) = (depth + 1, here + 2),
            ('*', Some('/')) => (depth, here) = (depth - 1, here + 2),
            _ => here += 1,
        }
        if depth == 0 {
            break;
        }
    }
    here
}

fn quoted_end(source: &[char], mut at: usize, quote: char) -> usize {
    while at < source.len() && source[at] != quote {
        at += if source[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(source.len())
}

fn raw_string_end(source: &[char], at: usize) -> usize {
    let hashes = source[at + 1..].iter().take_while(|c| **c == '#').count();
    if source.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let ends = |rest: &[char]| rest[0] == '"' && rest.len() > hashes && rest[1..=hashes].iter().all(|c| *c == '#');
    (position(source, at + 2 + hashes, ends) + 1 + hashes).min(source.len())
}

/// A character literal, as against a lifetime.
fn char_end(source: &[char], at: usize) -> usize {
    match (source.get(at + 1), source.get(at + 2)) {
        (Some('\\'), _) => quoted_end(source, at + 1, '\''),
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// First and last line of every item under `#[cfg(test)]`.
fn test_items(blanked: &str) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut from = 0;
    while let Some(found) = blanked[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = item_end(blanked, start + "#[cfg(test)]".len());
        items.push((line_of(blanked, start), line_of(blanked, end)));
        from = end;
    }
    items
}

/// Where the item that begins at `at` ends: at its `;`, or at the brace that closes its first.
pub(crate) fn item_end(blanked: &str, at: usize) -> usize {
    let mut depth = 0;
    for (offset, c) in blanked[at..].char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth -= 1;
                if depth == 0 && c == '}' {
                    return at + offset;
                }
            }
            ';' if depth == 0 => return at + offset,
            _ => {}
        }
    }
    blanked.len() - 1
}

/// The line of a byte offset, from 0.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count()
}

#[test]
fn comments_and_literals_are_blanked_and_code_stays() {
    let blanked = blank(
        "let a = \"fn x\"; // fn y\nlet b = 'f'; let c: &'a str = r#\"fn \"z\" \"#; /* fn /* w */ */ fn real() {}\n",
    );
    assert_eq!(blanked.matches("fn").count(), 1, "{blanked}");
    assert!(blanked.contains("fn real() {}") && blanked.contains("&'a str"), "{blanked}");
    assert_eq!(blanked.lines().count(), 2);
}

#[test]
fn items_under_cfg_test_are_test_code() {
    let file = parse("crates/x/src/lib.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
    assert_eq!(file.in_test, [false, true, true, true, true, false]);
}
