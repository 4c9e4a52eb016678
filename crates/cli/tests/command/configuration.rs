//! Flags before `--set` before the file before the defaults, and what becomes of properties nobody knows.

use std::fs;

use rustix::process::Signal;

use crate::process::{Ottla, parts};

/// Where a broker with that file and those arguments keeps its data, as its ready line says.
#[track_caller]
fn check_data(file: &str, arguments: &[&str], expected: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("server.properties"), file).expect("a file");
    let mut all = vec!["serve", "--config", "server.properties", "--listen", "127.0.0.1:0"];
    all.extend(arguments);
    let mut ottla = Ottla::run_in(folder.path(), &all, &[]);
    assert_eq!(parts(&ottla.ready()).1, expected);
}

#[test]
fn the_file_is_read() {
    check_data("# a comment\nlog.dirs=./from-file\n", &[], "./from-file");
    check_data("ottla.storage=memory", &[], "memory");
}

#[test]
fn set_wins_over_the_file_and_the_last_one_counts() {
    check_data("log.dirs=./from-file", &["--set", "log.dirs=./first", "--set", "log.dirs=./second"], "./second");
}

#[test]
fn flags_win_over_set() {
    check_data("log.dirs=./from-file", &["--set", "log.dirs=./from-set", "--data", "./from-flag"], "./from-flag");
    check_data("", &["--set", "ottla.storage=local", "--storage", "memory"], "memory");
}

#[test]
fn an_unknown_property_is_an_error_with_the_nearest_name() {
    let ottla = Ottla::run(&["serve", "--set", "log.retention.mss=1"]);
    ottla.end().check(2, &["unknown property log.retention.mss", "did you mean log.retention.ms?"]);
}

#[test]
fn an_unknown_property_of_the_file_is_named_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("server.properties"), "\nnum.partitons=3\n").expect("a file");
    let ottla = Ottla::run_in(folder.path(), &["serve", "--config", "server.properties"], &[]);
    ottla.end().check(2, &["server.properties", "2", "unknown property num.partitons", "did you mean num.partitions?"]);
}

#[test]
fn a_value_that_does_not_fit_is_an_error() {
    let ottla = Ottla::run(&["serve", "--set", "num.partitions=many"]);
    ottla.end().check(2, &["error: ", "num.partitions=many"]);
    Ottla::run(&["serve", "--set", "num.partitions"]).end().check(2, &["error: ", "num.partitions"]);
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let ottla = Ottla::run(&["serve", "--config", "nowhere.properties"]);
    ottla.end().check(2, &["error: ", "nowhere.properties", "No such file"]);
}

#[test]
fn properties_without_meaning_here_are_accepted_with_one_warning_each() {
    let arguments = ["--set", "process.roles=broker", "--set", "controller.quorum.voters=1@localhost:9093"];
    let mut ottla =
        Ottla::run(&[&["serve", "--listen", "127.0.0.1:0", "--storage", "memory"], &arguments[..]].concat());
    ottla.ready();
    ottla.signal(Signal::TERM);
    let ended = ottla.end();
    ended.check(0, &["process.roles", "controller.quorum.voters"]);
    assert_eq!(ended.stderr.matches("process.roles").count(), 1, "{}", ended.stderr);
}

#[test]
fn nothing_but_what_matters_is_logged() {
    let mut ottla = Ottla::run(&["serve", "--listen", "127.0.0.1:0", "--storage", "memory"]);
    ottla.ready();
    ottla.signal(Signal::INT);
    let ended = ottla.end();
    ended.check(0, &[]);
    let noise: Vec<&str> =
        ended.stderr.lines().filter(|line| !line.contains("stopping") && !line.contains("::1")).collect();
    assert!(noise.is_empty(), "an uneventful run says: {noise:#?}");
}
