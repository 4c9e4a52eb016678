//! Compaction: of each key the last value stays, at its offset.

use ottla_protocol::records::{self, BatchBuilder};

use crate::conformance::trial::Trial;
use crate::{Append, AppendOrigin, Durability, PartitionId};

/// Each batch in a segment of its own, and all but the newest worth cleaning.
const COMPACTED: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("segment.bytes", "1"),
    ("min.cleanable.dirty.ratio", "0"),
    ("delete.retention.ms", "1000"),
];

/// One batch of keys with their values, or none.
fn put(trial: &Trial, partition: PartitionId, records: &[(&str, Option<&str>)]) {
    let mut batch = BatchBuilder::new();
    for (key, value) in records {
        batch.push(1_000, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    let append = Append {
        partition,
        batches: batch.build(),
        expected_end: None,
        depends_on: None,
        durability: Durability::Flush,
        origin: AppendOrigin::Client,
    };
    trial.append_with(append).expect("the append was not accepted");
}

/// What a reader finds from an offset on that goes on behind what it was given, to the end of the log.
fn left_from(trial: &Trial, partition: PartitionId, start: i64) -> Vec<String> {
    let (mut found, mut offset) = (Vec::new(), start);
    while offset < trial.bounds(partition).high_watermark {
        let outcome = trial.read(partition, offset, 1).expect("the read failed");
        assert!(!outcome.batches.is_empty(), "nothing can be read at offset {offset}");
        for bytes in &outcome.batches {
            let batch = records::open(bytes, 1 << 20).expect("the batch cannot be opened");
            for record in batch.records().map(|record| record.expect("the record cannot be read")) {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let (key, value) = (text(record.key.unwrap_or_default()), record.value.map(text));
                if record.offset >= offset {
                    found.push(format!("{} {key}={}", record.offset, value.as_deref().unwrap_or("-")));
                }
            }
            assert!(batch.header.next_offset() > offset, "the read did not advance");
            offset = batch.header.next_offset();
        }
    }
    found
}

pub(super) fn the_last_value_of_each_key_stays(trial: &mut Trial) {
    let partition = trial.partition_with(&COMPACTED);
    put(trial, partition, &[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))]);
    put(trial, partition, &[("a", Some("2"))]);
    put(trial, partition, &[("a", Some("3")), ("b", Some("2"))]);
    put(trial, partition, &[("a", Some("4"))]);
    trial.interlude();
    trial.maintain();
    trial.interlude();
    assert_eq!(
        left_from(trial, partition, 0),
        ["2 c=1", "4 a=3", "5 b=2", "6 a=4"],
        "the newest batch is not looked at"
    );
    put(trial, partition, &[("c", Some("2"))]);
    put(trial, partition, &[("d", Some("1"))]);
    trial.maintain();
    trial.interlude();
    assert_eq!(left_from(trial, partition, 0), ["5 b=2", "6 a=4", "7 c=2", "8 d=1"]);
    assert_eq!(trial.bounds(partition).high_watermark, 9);
}

pub(super) fn a_read_goes_on_behind_a_gap(trial: &mut Trial) {
    let partition = trial.partition_with(&COMPACTED);
    put(trial, partition, &[("a", Some("1"))]);
    (0..20).for_each(|_| put(trial, partition, &[("b", Some("1")), ("b", Some("2"))]));
    put(trial, partition, &[("c", Some("1"))]);
    trial.maintain();
    trial.interlude();
    let all = [(0, "0 a=1"), (40, "40 b=2"), (41, "41 c=1")];
    for start in 0..=42 {
        let expected: Vec<&str> =
            all.iter().filter(|(offset, _)| *offset >= start).map(|(_, record)| *record).collect();
        assert_eq!(left_from(trial, partition, start), expected, "reading from {start}");
    }
    assert_eq!(trial.at_or_after(partition, 0), Some((0, 1_000)));
    assert_eq!(trial.largest(partition), Some((0, 1_000)));
}

pub(super) fn deletions_go_after_their_time(trial: &mut Trial) {
    let partition = trial.partition_with(&COMPACTED);
    trial.set_ms(10_000);
    put(trial, partition, &[("a", Some("1")), ("b", Some("1"))]);
    put(trial, partition, &[("a", None)]);
    put(trial, partition, &[("c", Some("1"))]);
    trial.maintain();
    trial.interlude();
    assert_eq!(left_from(trial, partition, 0), ["1 b=1", "2 a=-", "3 c=1"]);
    trial.set_ms(10_999);
    put(trial, partition, &[("d", Some("1"))]);
    trial.maintain();
    assert_eq!(left_from(trial, partition, 0), ["1 b=1", "2 a=-", "3 c=1", "4 d=1"], "it is not time yet");
    trial.set_ms(11_000);
    put(trial, partition, &[("e", Some("1"))]);
    trial.maintain();
    trial.interlude();
    assert_eq!(left_from(trial, partition, 0), ["1 b=1", "3 c=1", "4 d=1", "5 e=1"]);
}
