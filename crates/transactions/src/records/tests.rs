use super::*;
use alloc::vec;

fn hex(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).expect("a digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn ongoing() -> StoredTransaction {
    StoredTransaction {
        producer_id: 25,
        producer_epoch: 0,
        timeout_ms: 60_000,
        state: TransactionState::Ongoing,
        partitions: Partitions::from([("tv1795806396".into(), BTreeSet::from([0]))]),
        last_update_ms: 0x1a2_1e69_8603,
        start_ms: 0x1a2_1e69_8603,
        previous_producer_id: 25,
        next_producer_id: NONE,
        client_version: 2,
    }
}

fn empty() -> StoredTransaction {
    StoredTransaction {
        state: TransactionState::Empty,
        partitions: Partitions::new(),
        last_update_ms: 0x1a2_1e69_85d1,
        start_ms: NONE,
        client_version: 0,
        ..ongoing()
    }
}

fn decode(value: Option<Vec<u8>>) -> Result<StoredRecord, RecordError> {
    StoredRecord::decode(&Record { value, ..encode("t", None) })
}

/// Bytes that Apache Kafka 4.3.1 has written.
#[test]
fn values_are_those_of_the_reference() {
    let written = [
        (empty(), "0001000000000000001900000000ea600000000001a21e6985d1ffffffffffffffff0100080000000000000019"),
        (
            ongoing(),
            "0001000000000000001900000000ea6001020d747631373935383036333936020000000000000001a21e698603000001a21e69860302\
             0008000000000000001902020002",
        ),
        (
            StoredTransaction {
                producer_epoch: 1,
                state: TransactionState::CompleteAbort,
                partitions: Partitions::new(),
                last_update_ms: 0x1a2_1e69_8628,
                ..ongoing()
            },
            "0001000000000000001900010000ea600501000001a21e698628000001a21e698603020008000000000000001902020002",
        ),
    ];
    for (stored, bytes) in written {
        assert_eq!(stored.encode(), hex(bytes), "{stored:?}");
        assert_eq!(StoredTransaction::decode(&hex(bytes)).as_ref(), Ok(&stored));
    }
    assert_eq!(encode("ab", None).key, [0, 0, 0, 2, b'a', b'b']);
}

#[test]
fn every_value_comes_back_as_it_was() {
    for state in TransactionState::ALL {
        for next_producer_id in [NONE, 7] {
            let partitions = Partitions::from([("a".into(), BTreeSet::from([1, 5])), ("b".into(), BTreeSet::new())]);
            let stored = StoredTransaction { state, next_producer_id, partitions, ..ongoing() };
            let record = encode("some id", Some(&stored));
            let back = StoredRecord::decode(&record).expect("it is readable");
            assert_eq!(back, StoredRecord::Transaction("some id".into(), Some(stored)));
        }
    }
    assert_eq!(decode(None), Ok(StoredRecord::Transaction("t".into(), None)));
}

/// What brokers before 3.8 write.
#[test]
fn the_first_version_is_read() {
    let head = "0000000000000000000500020000ea60";
    let tail = "00000000000003e8ffffffffffffffff";
    let old = StoredTransaction {
        producer_id: 5,
        producer_epoch: 2,
        last_update_ms: 1000,
        start_ms: NONE,
        previous_producer_id: NONE,
        ..empty()
    };
    let nothing = hex(&[head, "00", "ffffffff", tail].concat());
    assert_eq!(StoredTransaction::decode(&nothing), Ok(old.clone()));
    let two = hex(&[head, "01", "00000001", "0001", "74", "00000002", "00000003", "00000001", tail].concat());
    let partitions = Partitions::from([("t".into(), BTreeSet::from([1, 3]))]);
    let two_there = StoredTransaction { state: TransactionState::Ongoing, partitions, ..old };
    assert_eq!(StoredTransaction::decode(&two), Ok(two_there));
}

#[test]
fn what_is_not_understood_is_refused_or_passed_over() {
    let good = ongoing().encode();
    for length in 0..good.len() {
        assert!(StoredTransaction::decode(&good[..length]).is_err(), "{length}");
    }
    let long = [good.clone(), vec![0]].concat();
    assert_eq!(StoredTransaction::decode(&long), Err(RecordError::TrailingBytes));
    let newer = [vec![0, 2], good[2..].to_vec()].concat();
    assert_eq!(StoredTransaction::decode(&newer), Err(RecordError::UnknownVersion(2)));
    let mut no_state = good.clone();
    no_state[16] = 8;
    assert_eq!(StoredTransaction::decode(&no_state), Err(RecordError::BadLength));
    let unknown = Record { key: vec![0, 9, 1, 2], value: None };
    assert_eq!(StoredRecord::decode(&unknown), Ok(StoredRecord::Unknown { key_version: 9 }));
    let long_key = Record { key: vec![0, 0, 0, 1, b'a', 0], value: None };
    assert_eq!(StoredRecord::decode(&long_key), Err(RecordError::TrailingBytes));
}

#[test]
fn a_tag_of_two_phase_commits_is_passed_over() {
    let mut value = empty().encode();
    let tags = value.len() - 11;
    value[tags] = 2;
    value.extend([3, 2, 0, 9]);
    assert_eq!(StoredTransaction::decode(&value), Ok(empty()));
}

#[test]
fn hostile_counts_allocate_nothing() {
    let mut value = ongoing().encode();
    // The count of topics, then of a topic's partitions.
    for at in [17, 31] {
        let mut hostile = value.clone();
        hostile.splice(at..=at, [0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(StoredTransaction::decode(&hostile), Err(RecordError::Truncated), "{at}");
    }
    value[17] = 0;
    assert!(StoredTransaction::decode(&value).is_err());
}
