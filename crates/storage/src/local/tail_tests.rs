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
    let batch =
        LogBatch { base_offset: offset, last_offset: offset, max_timestamp_ms: 0, bytes, besides_bytes: 0, arrived: 0 };
    tail.advance([Advance {
        partition: partition(index),
        batches: vec![batch],
        first_open_offset: None,
        aborted: Vec::new(),
    }]);
}

/// Writes as the background thread does; answers which partitions, in their order.
fn write(tail: &Tail) -> Vec<i32> {
    let mut written = Vec::new();
    while let Some(partition) = tail.next_to_write() {
        let unwritten = tail.unwritten(partition, i64::MAX, usize::MAX).unwrap();
        tail.written(partition, unwritten.batches.last().unwrap().last_offset + 1, Vec::new());
        written.push(partition.index);
    }
    written
}

#[test]
fn little_is_not_written() {
    let tail = tail(1);
    add(&tail, 0, 0, 16 << 10);
    assert!(!tail.wants_writing());
    assert_eq!(write(&tail), []);
}

#[test]
fn those_that_have_waited_longest_are_written_and_the_others_gather() {
    let tail = tail(40);
    for round in 0..2 {
        for index in 0..40 {
            add(&tail, index, round, 300);
        }
    }
    assert!(tail.wants_writing());
    let written = write(&tail);
    assert!((8..20).contains(&written.len()), "{written:?}");
    assert_eq!(written, (0..written.len() as i32).collect::<Vec<_>>());
    assert!(!tail.wants_writing());
    // What comes now counts from now: it is the turn of the others.
    let mut offset = 2;
    while !tail.wants_writing() {
        (0..40).for_each(|index| add(&tail, index, offset, 30));
        offset += 1;
    }
    assert_eq!(write(&tail).first(), Some(&(written.len() as i32)));
}

/// Some send much and many send little: whatever the mix, memory holds no more than it may, and what is written are large pieces.
#[test]
fn those_that_have_little_keep_nothing_that_is_newer_in_memory() {
    let tail = tail(300);
    let mut offsets = [0; 300];
    let (mut pieces, mut bytes_in, mut random) = (0, 0, 7_u64);
    for number in 0..20_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // One batch of a hundred goes to one of many.
        let index = if number % 100 == 0 { 4 + (random >> 33) as usize % 296 } else { (random >> 33) as usize % 4 };
        let size = if index < 4 { 1000 } else { 10 };
        add(&tail, index as i32, offsets[index], size);
        offsets[index] += 1;
        bytes_in += size;
        if tail.wants_writing() {
            pieces += write(&tail).len();
        }
        let bytes = tail.lock().bytes;
        assert!(bytes <= LIMIT_BYTES, "{bytes} bytes in memory after batch {number}");
    }
    assert!(pieces > 0 && bytes_in / pieces > 5_000, "{pieces} pieces for {bytes_in} bytes");
}

#[test]
fn what_need_not_be_written_is_not_waited_for() {
    let tail = tail(3);
    for offset in 0..2 {
        (0..3).for_each(|index| add(&tail, index, offset, 12 << 10));
    }
    tail.move_log_start(partition(0), 2);
    assert_eq!(tail.unwritten_partitions(), [partition(1), partition(2)]);
    tail.move_log_start(partition(1), 1);
    assert_eq!(tail.unwritten_partitions(), [partition(2), partition(1)], "the first batch of 2 is the oldest now");
    tail.remove_topic(partition(0).topic, 3);
    assert_eq!((tail.unwritten_partitions(), tail.unwritten_bytes()), (Vec::new(), 0));
}
