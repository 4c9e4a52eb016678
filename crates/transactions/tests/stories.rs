//! Short stories about one transactional id, in text, with the expectations beside the commands.
//!
//! Each file in `stories/` is a list of blocks: a command, a line `----`, and what came out of it. After a deliberate
//! change run the test with `OTTLA_REWRITE=1`: it writes what comes out now, and the difference is for you to read.
//! The commands are described at [`teller::Teller::run`].
#![expect(clippy::disallowed_methods, reason = "the stories lie on a disk; the coordinator does not touch it")]
#![expect(clippy::unwrap_used, reason = "all of this file and its module is test code")]
mod teller;

use std::fmt::Write as _;
use std::path::Path;

/// One block of a story: comment lines, the command, and the lines expected.
struct Block {
    comments: String,
    command: String,
    expected: String,
}

fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    for part in text.split("\n\n").map(str::trim).filter(|part| !part.is_empty()) {
        let (head, expected) = part.split_once("----").unwrap_or((part, ""));
        let (comments, command): (Vec<&str>, Vec<&str>) = head.lines().partition(|line| line.starts_with('#'));
        let lines = |lines: Vec<&str>| lines.join("\n");
        blocks.push(Block {
            comments: lines(comments),
            command: lines(command).trim().to_string(),
            expected: expected.trim().to_string(),
        });
    }
    blocks
}

/// Runs a story and writes it down with what really came out.
fn retell(blocks: &[Block]) -> String {
    let mut teller = teller::Teller::new();
    let mut told = String::new();
    for block in blocks {
        if !block.comments.is_empty() {
            writeln!(told, "{}", block.comments).unwrap();
        }
        if !block.command.is_empty() {
            let output = teller.run(&block.command);
            writeln!(told, "{}\n----\n{}", block.command, output.trim()).unwrap();
        }
        told = told.trim_end().to_string() + "\n\n";
    }
    told.trim_end().to_string() + "\n"
}

#[test]
fn every_story_ends_as_it_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let update = std::env::var_os("OTTLA_REWRITE").is_some();
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 8, "the stories are missing");
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let told = retell(&parse(&text));
        if update {
            std::fs::write(&file, &told).unwrap();
        } else if told != text {
            let line = told.lines().zip(text.lines()).position(|(now, then)| now != then);
            let line = line.unwrap_or_else(|| told.lines().count().min(text.lines().count()));
            let (now, then) = (told.lines().nth(line), text.lines().nth(line));
            wrong.push(format!("{}:{}\n  written: {then:?}\n  now:     {now:?}", file.display(), line + 1));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_story_with_a_wrong_ending_is_noticed() {
    let text = "init a\n----\nnothing happens\n";
    let blocks = parse(text);
    assert_eq!(blocks[0].expected, "nothing happens");
    assert_ne!(retell(&blocks), text);
}
