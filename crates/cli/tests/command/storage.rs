//! `ottla storage`: the answer first, then the evidence, then the next step; exit codes for scripts; nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::neighbour::Neighbour;
use crate::process::{Ended, Ottla, parts, port};

/// A data folder of a broker that served a few records and was stopped.
fn served() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ottla = Ottla::run_in(folder.path(), &["serve", "--listen", "127.0.0.1:0"], &[]);
    let (address, ..) = parts(&ottla.ready());
    let mut neighbour = Neighbour::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port(&address))));
    (0..5).for_each(|_| neighbour.round());
    let refused = look(folder.path(), &["check", "ottla-data"]);
    refused.check(2, &["error: a broker has ottla-data open; stop it first"]);
    ottla.signal(Signal::TERM);
    assert_eq!(ottla.end().code, Some(0));
    folder
}

fn look(folder: &Path, arguments: &[&str]) -> Ended {
    Ottla::run_in(folder, &[&["storage"], arguments].concat(), &[]).end()
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.append(&mut files(&path)),
            false => drop(found.insert(path.clone(), fs::read(&path).expect("a file"))),
        }
    }
    found
}

#[test]
fn an_intact_folder_is_intact_and_stays_as_it_is() {
    let folder = served();
    let before = files(folder.path());
    let check = look(folder.path(), &["check", "ottla-data"]);
    assert_eq!((check.code, check.stderr.as_str()), (Some(0), ""));
    assert!(check.stdout.starts_with("ottla-data is intact: 1 topics with 1 partitions"), "{}", check.stdout);
    assert!(check.stdout.ends_with("What to do   nothing\n"), "{}", check.stdout);
    let dump = look(folder.path(), &["dump", "ottla-data", "--records", "--topic", "neighbour", "-o", "json"]);
    assert_eq!(dump.code, Some(0));
    let lines: Vec<Value> = dump.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_segments = lines.iter().filter(|line| line["kind"] == "batch").count();
    let values = lines.iter().filter(|line| line["kind"] == "record").filter_map(|line| line["value"].as_str());
    assert!(of_segments >= 5, "{}", dump.stdout);
    assert!(values.into_iter().any(|value| value == "the neighbour's record number 4"), "{}", dump.stdout);
    assert!(files(folder.path()) == before, "looking changes nothing");
}

#[test]
fn damage_in_each_kind_of_file_is_named_with_what_it_costs() {
    let folder = served();
    let data = folder.path().join("ottla-data");
    let all = files(&data);
    let file = |end: &str| all.keys().find(|path| path.to_string_lossy().ends_with(end)).expect(end).clone();
    let cases: [(PathBuf, usize, &[&str]); 4] = [
        (file(".log"), 200, &["damaged: lost are 1 record of neighbour/0", "CRC-32C", "offset", "seek past"]),
        (file(".index"), 20, &["damaged: no record is lost", "costs only time"]),
        (file("manifest"), 100, &["damaged: no broker starts on it", "checksum", "restore the folder"]),
        (file("meta.properties"), 3, &["damaged: no broker starts on it", "cluster.id"]),
    ];
    for (path, byte, said) in cases {
        let mut bytes = all[&path].clone();
        bytes[byte] ^= 1;
        fs::write(&path, &bytes).expect("written");
        let check = look(folder.path(), &["check", "ottla-data"]);
        assert_eq!(check.code, Some(1), "{}", check.stdout);
        let name = path.strip_prefix(&data).expect("inside").to_string_lossy().into_owned();
        for part in said.iter().chain([&&*name]) {
            assert!(check.stdout.contains(part), "no {part:?} in:\n{}", check.stdout);
        }
        let report = look(folder.path(), &["check", "ottla-data", "-o", "json"]);
        assert_eq!(report.code, Some(1));
        let report: Value = serde_json::from_str(&report.stdout).expect("JSON");
        assert_eq!((&report["intact"], &report["damage"][0]["file"]), (&false.into(), &name.into()));
        fs::write(&path, &all[&path]).expect("restored");
    }
    assert_eq!(look(folder.path(), &["check", "ottla-data"]).code, Some(0));
}

#[test]
fn what_is_no_data_folder_is_exit_code_2() {
    let folder = tempfile::tempdir().expect("a folder");
    look(folder.path(), &["check", "."]).check(2, &["error: . is not a data folder", "--data"]);
    look(folder.path(), &["dump", "nowhere"]).check(2, &["error: nowhere is not a data folder"]);
    assert!(files(folder.path()).is_empty());
    let served = served();
    look(served.path(), &["dump", "ottla-data", "--topic", "gone"]).check(2, &["there is no topic gone"]);
}
