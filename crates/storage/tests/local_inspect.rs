//! What `check` and `dump` say of a data folder: every byte that counts is missed when it changes, nothing is changed by
//! looking, and nothing that a file claims makes them panic.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::path::{Path, PathBuf};

use local_support::{MemoryDisk, Random, append, batch, create, opened, partition};
use ottla_storage::local::disk::{Disk, OpenHow};
use ottla_storage::local::inspect::{CheckReport, DumpWish, Field, InspectError, Line, check, dump};
use ottla_storage::{Engine, TopicId};

const RECORDS: i64 = 24;

/// One topic with all its records in segment files, closed.
fn closed() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "orders", 1, 1);
    for n in 0..RECORDS {
        append(&engine, partition(1, 0), batch(&[n as u8; 1500])).unwrap();
    }
    engine.close().wait().unwrap();
    disk
}

/// The same with more in the write-ahead log, killed.
fn killed() -> MemoryDisk {
    let disk = closed();
    let engine = opened(&disk);
    for n in RECORDS..RECORDS + 6 {
        append(&engine, partition(1, 0), batch(&[n as u8; 200])).unwrap();
    }
    drop(engine);
    disk
}

fn checked(disk: &MemoryDisk) -> CheckReport {
    check(Path::new("/data"), disk).unwrap()
}

fn all() -> DumpWish {
    DumpWish { manifest: true, wal: true, segments: true, records: true, ..DumpWish::default() }
}

fn dumped(disk: &MemoryDisk, wish: &DumpWish) -> (Vec<Line>, bool) {
    let mut lines = Vec::new();
    let unreadable = dump(Path::new("/data"), disk, wish, &mut |line| {
        lines.push(line);
        Ok(())
    });
    (lines, unreadable.unwrap())
}

fn number(line: &Line, name: &str) -> i64 {
    match line.fields.iter().find(|(found, _)| *found == name).unwrap().1 {
        Field::Number(number) => number,
        Field::Count(count) => count as i64,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn intact_folders_are_intact_and_looking_changes_nothing() {
    for disk in [closed(), killed()] {
        disk.restart();
        let (before, changes) = (disk.files("/"), disk.changes());
        let report = checked(&disk);
        assert_eq!(report.damage, []);
        assert_eq!(report.partitions[0].batches, RECORDS as u64);
        assert!(report.partitions[0].segments > 1);
        let (_, unreadable) = dumped(&disk, &all());
        assert!(!unreadable);
        assert!(disk.files("/") == before && disk.changes() == changes);
    }
    let report = checked(&killed());
    assert_eq!((report.wal.frames, report.partitions[0].end_offset), (6, RECORDS + 6));
}

#[test]
fn a_folder_in_use_or_of_others_is_refused() {
    let disk = closed();
    let engine = opened(&disk);
    let folder = PathBuf::from("/data");
    assert_eq!(check(&folder, &disk), Err(InspectError::InUse { folder: folder.clone() }));
    drop(engine);
    assert_eq!(checked(&disk).damage, []);
    let elsewhere = PathBuf::from("/elsewhere");
    assert_eq!(check(&elsewhere, &disk), Err(InspectError::NotADataFolder { folder: elsewhere.clone() }));
    disk.damage(&folder.join("manifest"), |bytes| bytes[11] = 9);
    assert!(matches!(check(&folder, &disk), Err(InspectError::NewerFormat { found: 9, .. })));
}

/// Changes each byte in turn and asks what the check says. Of long files some bytes are passed over.
fn each_change(disk: &MemoryDisk, path: &Path, range: std::ops::Range<usize>, verify: impl Fn(usize, &CheckReport)) {
    let changed = |at: &usize| range.start == *at || *at < 200 || at.is_multiple_of(13);
    for at in range.clone().filter(changed) {
        disk.damage(path, |bytes| bytes[at] ^= 0x10);
        verify(at, &checked(disk));
        disk.damage(path, |bytes| bytes[at] ^= 0x10);
    }
}

#[test]
fn every_changed_byte_of_a_segment_is_named_with_the_records_that_it_costs() {
    let disk = closed();
    let segments = dumped(&disk, &DumpWish { segments: true, ..DumpWish::default() }).0;
    let path = |line: &Line| match &line.fields[0].1 {
        Field::Text(path) => PathBuf::from(path),
        other => panic!("{other:?}"),
    };
    let first = path(&segments[0]);
    for line in segments.iter().filter(|line| path(line) == first) {
        let (start, length, offset) = (number(line, "byte"), number(line, "bytes"), number(line, "base_offset"));
        let full = Path::new("/data").join(&first);
        each_change(&disk, &full, start as usize..(start + length) as usize, |at, report| {
            let [damage] = &*report.damage else { panic!("byte {at}: {:?}", report.damage) };
            assert_eq!((&damage.path, damage.byte), (&first, Some(start as u64)), "byte {at}");
            let lost: Vec<_> =
                damage.lost.iter().map(|lost| (&*lost.topic, lost.partition, lost.from, lost.to)).collect();
            assert_eq!(lost, [("orders", 0, offset, offset + 1)], "byte {at}: {}", damage.what);
            assert!(report.starts());
        });
    }
    let full = Path::new("/data").join(&first);
    disk.damage(&full, |bytes| bytes.truncate(bytes.len() - 1));
    let report = checked(&disk);
    let what = &report.damage.last().unwrap().what;
    assert!(what.contains("too early") && report.lost().map(|lost| lost.offsets()).sum::<u64>() == 1, "{report:?}");
}

#[test]
fn every_changed_byte_of_a_header_an_index_or_the_manifest_is_named() {
    let disk = closed();
    for (path, content) in disk.files("/data") {
        let (is_index, is_segment) =
            (path.extension() == Some("index".as_ref()), path.extension() == Some("log".as_ref()));
        if !is_index && !is_segment && !path.ends_with("manifest") {
            continue;
        }
        let counted = if is_segment { 64 } else { content.len() };
        // In between lies the manifest's format, which then is a later one.
        let parts = if is_index || is_segment { [0..12, 12..counted] } else { [0..8, 12..counted] };
        for part in parts {
            each_change(&disk, &path, part, |at, report| {
                let [damage] = &*report.damage else { panic!("{} byte {at}: {:?}", path.display(), report.damage) };
                assert_eq!(Path::new("/data").join(&damage.path), path, "byte {at}");
                assert_eq!(damage.costs_only_time(), is_index);
                assert_eq!(damage.lost.is_empty(), !is_segment);
                assert_eq!(report.starts(), is_index || is_segment);
            })
        }
        disk.remove(&path);
        // The log reaches back to the beginning here, so that nothing is lost with the manifest.
        let missed = checked(&disk).damage.iter().any(|damage| path.ends_with(&damage.path));
        assert_eq!(missed, is_index || is_segment, "{path:?} is missing");
        let file = disk.open(&path, OpenHow::CREATE).unwrap();
        file.write_at(&content, 0, false).unwrap();
    }
}

#[test]
fn a_changed_byte_of_the_log_is_named_with_what_lies_behind() {
    let disk = killed();
    let frames = dumped(&disk, &DumpWish { wal: true, from: Some(RECORDS), ..DumpWish::default() }).0;
    assert_eq!(frames.len(), 6);
    let Field::Text(file) = &frames[2].fields[0].1 else { panic!() };
    let (start, length) = (number(&frames[2], "byte"), number(&frames[2], "payload_bytes") + 40);
    let full = Path::new("/data").join(file);
    each_change(&disk, &full, start as usize..(start + length) as usize, |at, report| {
        let [damage] = &*report.damage else { panic!("byte {at}: {:?}", report.damage) };
        assert!(damage.prevents_start && damage.path == Path::new(file), "byte {at}: {damage:?}");
        assert_eq!(damage.byte, Some((number(&frames[1], "byte") + number(&frames[1], "payload_bytes") + 40) as u64));
        assert_eq!((damage.lost[0].from, damage.lost[0].to), (RECORDS + 2, RECORDS + 6));
    });
    // The last frame: nothing that was written later says that it was there, so this is where a crash cut the log.
    let last = number(&frames[5], "byte") as usize;
    disk.damage(&full, |bytes| bytes[last + 50] ^= 1);
    assert_eq!(checked(&disk).damage, []);
}

#[test]
fn remains_are_told_and_are_no_damage() {
    let disk = killed();
    let put = |path: &str| drop(disk.open(Path::new(path), OpenHow::CREATE).unwrap());
    disk.create_folder(Path::new("/data/topics/02020202020202020202020202020202/0")).unwrap();
    let folder = "/data/topics/01010101010101010101010101010101/0";
    for path in ["/data/manifest.new", "/data/notes", "/data/wal/probe", &format!("{folder}/00000000000000000099.log")]
    {
        put(path);
    }
    disk.damage(Path::new(&format!("{folder}/00000000000000000000.log")), |bytes| bytes.extend_from_slice(&[7; 100]));
    let report = checked(&disk);
    assert_eq!(report.damage, []);
    let told: Vec<_> = report.strangers.iter().map(|stranger| stranger.path.to_str().unwrap()).collect();
    let expected = [
        "manifest.new",
        "notes",
        "wal/probe",
        "topics/01010101010101010101010101010101/0/00000000000000000099.log",
        "topics/02020202020202020202020202020202",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_lies_below_the_log_start_or_belongs_to_no_topic_is_not_missed() {
    let disk = closed();
    let engine = opened(&disk);
    engine.delete_records(partition(1, 0), RECORDS - 1).wait().unwrap();
    drop(engine);
    let (path, content) = disk.files("/data/topics").remove(0);
    disk.damage(&path, |bytes| bytes.fill(0));
    let report = checked(&disk);
    assert_eq!((report.partitions[0].log_start_offset, report.lost().count()), (RECORDS - 1, 0), "{content:?}");
    let engine = opened(&disk);
    engine.delete_topic(TopicId([1; 16])).wait().unwrap();
    drop(engine);
    assert_eq!(checked(&disk).damage, []);
}

#[test]
fn without_its_manifest_a_folder_still_tells_what_its_segments_hold() {
    let disk = closed();
    disk.damage(Path::new("/data/manifest"), |bytes| bytes[30] ^= 1);
    let report = checked(&disk);
    assert!(!report.starts());
    assert_eq!((report.partitions[0].batches, report.partitions[0].end_offset), (RECORDS as u64, RECORDS));
    let (lines, unreadable) = dumped(&disk, &DumpWish { wal: false, ..all() });
    assert!(unreadable, "the manifest");
    assert_eq!(lines.iter().filter(|line| line.kind == "record").count(), RECORDS as usize);
}

#[test]
fn a_dump_shows_what_is_wanted() {
    let disk = killed();
    let kinds = |wish: &DumpWish| dumped(&disk, wish).0.iter().map(|line| line.kind).collect::<Vec<_>>();
    let some = DumpWish { segments: true, wal: true, from: Some(3), to: Some(5), ..DumpWish::default() };
    assert_eq!(kinds(&some).iter().filter(|kind| **kind == "batch").count(), 3);
    assert_eq!(kinds(&DumpWish { partition: Some(1), ..all() }).iter().filter(|kind| **kind == "batch").count(), 0);
    assert!(kinds(&DumpWish { topic: Some("orders".into()), ..all() }).contains(&"record"));
    let by_id = DumpWish { topic: Some("01".repeat(16)), ..all() };
    assert!(kinds(&by_id).contains(&"record"));
    let unknown = DumpWish { topic: Some("no".into()), ..all() };
    let refused = dump(Path::new("/data"), &disk, &unknown, &mut |_| Ok(()));
    assert_eq!(refused, Err(InspectError::UnknownTopic { topic: "no".into() }));
}

#[test]
fn hostile_files_are_told_and_nothing_panics() {
    let pristine = killed();
    let mut random = Random(11);
    for _ in 0..400 {
        let files = pristine.files("/data");
        let (path, content) = &files[random.next() as usize % files.len()];
        if content.is_empty() {
            continue;
        }
        let at = random.next() as usize % content.len().min(6000);
        pristine.damage(path, |bytes| match random.next() % 3 {
            0 => bytes.truncate(at),
            1 => bytes[at..].iter_mut().take(8).for_each(|byte| *byte = 0xff),
            _ => bytes[at..].iter_mut().take(64).for_each(|byte| *byte = 0x02),
        });
        let _ = check(Path::new("/data"), &pristine);
        let _ = dump(Path::new("/data"), &pristine, &all(), &mut |_| Ok(()));
        let content = content.clone();
        pristine.damage(path, |bytes| *bytes = content);
    }
    assert_eq!(checked(&pristine).damage, []);
}
