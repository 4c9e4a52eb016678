use super::*;

const LIMIT_BYTES: usize = 64 << 10;

fn partition(index: i32) -> PartitionId {
    PartitionId { topic: TopicId([7; 16]), index }
}

fn tail(partitions: i32) -> Tail {
    let tail = Tail::new(LIMIT_BYTES);
    (0..partitions).for_each(|index| tail.add_partition(partition(index), PartitionView::default()));
    tail
}

fn add(tail: &Tail, index: i32, offset: i64, bytes: usize) {
    let bytes = Bytes::from(vec![0; bytes]);
    let batch = LogBatch { base_offset: offset, last_offset: offset, max_timestamp_ms: 0, bytes, besides_bytes: 0 };
    tail.advance([Advance { partition: partition(index), batches: vec![batch] }]);
}

/// Writes as the background thread does; answers which partitions, in their order.
fn write(tail: &Tail) -> Vec<i32> {
    let mut written = Vec::new();
    loop {
        let next = tail.next_to_write();
        if next.is_empty() {
            return written;
        }
        for partition in next {
            let Some(unwritten) = tail.unwritten(partition, i64::MAX, usize::MAX) else { continue };
            tail.written(partition, unwritten.batches.last().unwrap().last_offset + 1, Vec::new());
            written.push(partition.index);
        }
    }
}

#[test]
fn little_is_not_written() {
    let tail = tail(1);
    add(&tail, 0, 0, 16 << 10);
    assert!(!tail.wants_writing());
    assert_eq!(write(&tail), []);
}

#[test]
fn the_fullest_are_written_and_the_others_gather() {
    let tail = tail(40);
    for index in 0..40 {
        add(&tail, index, 0, if index % 5 == 0 { 3 << 10 } else { 256 });
    }
    assert!(tail.wants_writing());
    let fullest: Vec<i32> = (0..40).step_by(5).collect();
    assert_eq!(write(&tail), fullest);
    assert!(!tail.wants_writing());
}

#[test]
fn one_that_has_little_does_not_keep_what_is_newer_in_memory() {
    let tail = tail(20);
    add(&tail, 19, 0, 100);
    let mut slow_is_written = false;
    for number in 0..200 {
        // Others are fuller at any time.
        add(&tail, number % 19, i64::from(number / 19), 2 << 10);
        if tail.wants_writing() {
            slow_is_written |= write(&tail).contains(&19);
        }
        let bytes = tail.lock().bytes;
        assert!(bytes <= LIMIT_BYTES, "{bytes} bytes in memory after batch {number}");
    }
    assert!(slow_is_written);
}
