//! Appends: offsets, order, visibility, what is refused.

use std::sync::Arc;

use bytes::Bytes;

use crate::conformance::sample::{Sample, opened, values};
use crate::conformance::trial::{Trial, append_one, nowhere, to};
use crate::{Append, AppendError, AppendOrigin, Appended, Dependency, Durability, PartitionId};

pub(super) fn offsets_are_dense_and_in_call_order(trial: &mut Trial) {
    let partition = trial.partition();
    for round in 0..2 {
        let engine = trial.engine();
        let samples: Vec<Sample> = (0..20).map(|n| Sample::of(&values(&format!("{round}-{n}-"), n % 3 + 1))).collect();
        let pending: Vec<_> = samples.iter().map(|sample| engine.append(vec![to(partition, sample)])).collect();
        let mut expected = trial_end(round);
        for (pending, sample) in pending.into_iter().zip(&samples) {
            let answers = pending.wait().expect("the call failed");
            let appended = *answers[0].as_ref().expect("the append failed");
            let end_offset = expected + sample.len();
            let log_start_offset = 0;
            assert_eq!(appended, Appended { first_offset: expected, end_offset, log_start_offset, duplicate: false });
            expected = end_offset;
        }
        assert_eq!(trial.bounds(partition).high_watermark, expected);
        drop(engine);
        trial.interlude();
    }
    let expected = (0..2).flat_map(|round| (0..20).flat_map(move |n| values(&format!("{round}-{n}-"), n % 3 + 1)));
    assert_eq!(trial.values(partition), expected.collect::<Vec<_>>());
}

/// Where a round of [`offsets_are_dense_and_in_call_order`] begins.
fn trial_end(round: i64) -> i64 {
    round * (0..20).map(|n| n % 3 + 1).sum::<i64>()
}

pub(super) fn partitions_have_offsets_of_their_own(trial: &mut Trial) {
    let topic = trial.topic("several", 3);
    for n in 0..4 {
        for index in 0..3 {
            let partition = PartitionId { topic: topic.id, index };
            assert_eq!(trial.accept(partition, &Sample::of(&[format!("{index}-{n}")])), n);
        }
        trial.interlude();
    }
    for index in 0..3 {
        let expected: Vec<_> = (0..4).map(|n| format!("{index}-{n}")).collect();
        assert_eq!(trial.values(PartitionId { topic: topic.id, index }), expected);
    }
}

pub(super) fn several_batches_in_one_append(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["first"]));
    let blob = [Sample::of(&["a", "b"]).bytes(), Sample::of(&["c"]).bytes(), Sample::of(&["d", "e", "f"]).bytes()];
    let batches = Bytes::from(blob.concat());
    let append = Append {
        partition,
        batches,
        expected_end: None,
        depends_on: None,
        durability: Durability::Flush,
        origin: AppendOrigin::Client,
    };
    let appended = trial.append_with(append).expect("the append failed");
    assert_eq!((appended.first_offset, appended.end_offset), (1, 7));
    trial.interlude();
    assert_eq!(trial.values(partition), ["first", "a", "b", "c", "d", "e", "f"]);
    let outcome = trial.read(partition, 4, 1 << 20).expect("the read failed");
    assert_eq!(outcome.batches.len(), 1, "each batch is found by its own offsets");
}

pub(super) fn several_partitions_are_answered_in_order(trial: &mut Trial) {
    let topic = trial.topic("several", 2);
    let [zero, one] = [0, 1].map(|index| PartitionId { topic: topic.id, index });
    trial.accept(one, &Sample::of(&["before"]));
    let appends = vec![
        to(one, &Sample::of(&["a", "b"])),
        to(nowhere(), &Sample::of(&["lost"])),
        Append { expected_end: Some(5), ..to(zero, &Sample::of(&["late"])) },
        to(zero, &Sample::of(&["c"])),
    ];
    let answers = trial.engine().append(appends).wait().expect("the call failed");
    assert_eq!(answers.len(), 4);
    assert!(matches!(answers[0], Ok(Appended { first_offset: 1, end_offset: 3, .. })), "{:?}", answers[0]);
    assert_eq!(answers[1], Err(AppendError::UnknownPartition));
    assert_eq!(answers[2], Err(AppendError::UnexpectedEnd { end_offset: 0 }));
    assert!(matches!(answers[3], Ok(Appended { first_offset: 0, end_offset: 1, .. })), "{:?}", answers[3]);
    assert_eq!(trial.values(one), ["before", "a", "b"]);
    assert_eq!(trial.values(zero), ["c"]);
    assert_eq!(trial.engine().append(Vec::new()).wait().expect("the call failed"), []);
}

pub(super) fn the_same_partition_twice_in_one_call(trial: &mut Trial) {
    let partition = trial.partition();
    let second = Append { expected_end: Some(2), ..to(partition, &Sample::of(&["c"])) };
    let answers = trial.engine().append(vec![to(partition, &Sample::of(&["a", "b"])), second]).wait();
    let answers = answers.expect("the call failed");
    assert!(matches!(answers[0], Ok(Appended { first_offset: 0, .. })), "{:?}", answers[0]);
    assert!(matches!(answers[1], Ok(Appended { first_offset: 2, .. })), "{:?}", answers[1]);
    assert_eq!(trial.values(partition), ["a", "b", "c"]);
}

pub(super) fn unknown_partitions_are_refused(trial: &mut Trial) {
    let topic = trial.topic("known", 2);
    let outside = [-1, 2, i32::MAX].map(|index| PartitionId { topic: topic.id, index });
    for partition in outside.into_iter().chain([nowhere()]) {
        assert_eq!(trial.append(partition, &Sample::of(&["x"])), Err(AppendError::UnknownPartition), "{partition:?}");
    }
}

pub(super) fn what_is_not_a_batch_is_refused(trial: &mut Trial) {
    let partition = trial.partition();
    let whole = Sample::of(&["a", "b"]).bytes();
    let endless = [&[0; 8], &i32::MAX.to_be_bytes()[..], &whole[12..]].concat();
    let negative = [&[0; 8], &(-5_i32).to_be_bytes()[..], &whole[12..]].concat();
    let wrong = [
        Bytes::new(),
        Bytes::from_static(b"garbage"),
        whole.slice(..whole.len() - 1),
        whole.slice(..40),
        Bytes::from([&whole[..], b"more"].concat()),
        Bytes::from(endless),
        Bytes::from(negative),
    ];
    for (n, batches) in wrong.into_iter().enumerate() {
        let append = Append {
            partition,
            batches,
            expected_end: None,
            depends_on: None,
            durability: Durability::Flush,
            origin: AppendOrigin::Client,
        };
        let answer = trial.append_with(append);
        assert!(matches!(answer, Err(AppendError::Corrupt(_) | AppendError::Refused(_))), "number {n}: {answer:?}");
    }
    assert_eq!(trial.accept(partition, &Sample::of(&["good"])), 0, "what is refused takes no offsets");
    assert_eq!(trial.values(partition), ["good"]);
}

pub(super) fn bytes_are_kept_as_received(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["first"]));
    let sent = Sample::of(&["a", "b"]).times(&[70, 60]).by_producer(3, 1, 0).bytes();
    let append = Append {
        partition,
        batches: sent.clone(),
        expected_end: None,
        depends_on: None,
        durability: Durability::Flush,
        origin: AppendOrigin::Client,
    };
    trial.append_with(append).expect("the append failed");
    trial.interlude();
    let outcome = trial.read(partition, 1, 1 << 20).expect("the read failed");
    let stored = &outcome.batches[0];
    assert_eq!(stored[..8], 1_i64.to_be_bytes(), "the base offset is set");
    assert_eq!(stored[8..12], sent[8..12], "the length is as received");
    assert_eq!(stored[12..16], [0; 4], "the leader epoch is set");
    assert_eq!(stored[16..], sent[16..], "all else is as received");
}

pub(super) fn expected_end_guards(trial: &mut Trial) {
    let partition = trial.partition();
    let expecting = |expected, value: &str| Append {
        expected_end: Some(expected),
        ..to(partition, &Sample::of(&[value, "and one more"]))
    };
    assert!(trial.append_with(expecting(0, "a")).is_ok());
    trial.interlude();
    assert_eq!(trial.append_with(expecting(0, "b")), Err(AppendError::UnexpectedEnd { end_offset: 2 }));
    assert_eq!(trial.append_with(expecting(3, "c")), Err(AppendError::UnexpectedEnd { end_offset: 2 }));
    assert_eq!(trial.append_with(expecting(-1, "d")), Err(AppendError::UnexpectedEnd { end_offset: 2 }));
    let engine = trial.engine();
    let queued: Vec<_> = [2, 4, 4].into_iter().map(|end| engine.append(vec![expecting(end, "queued")])).collect();
    let answers: Vec<_> =
        queued.into_iter().map(|pending| pending.wait().expect("the call failed").remove(0)).collect();
    assert!(answers[0].is_ok() && answers[1].is_ok(), "the end counts what is queued: {answers:?}");
    assert_eq!(answers[2], Err(AppendError::UnexpectedEnd { end_offset: 6 }));
    drop(engine);
    trial.interlude();
    assert_eq!(trial.bounds(partition).high_watermark, 6);
}

pub(super) fn a_missing_dependency_refuses(trial: &mut Trial) {
    let (partition, other) = (trial.partition(), trial.partition());
    let after = |partition, end_offset| Append {
        depends_on: Some(Dependency { partition, end_offset }),
        ..to(other, &Sample::of(&["builds on it"]))
    };
    assert_eq!(trial.append_with(after(partition, 1)), Err(AppendError::DependencyMissing));
    let engine = trial.engine();
    let first = engine.append(vec![to(partition, &Sample::of(&["a"]))]);
    let behind = engine.append(vec![after(partition, 2), after(partition, 1)]).wait().expect("the call failed");
    assert_eq!(behind[0], Err(AppendError::DependencyMissing));
    assert!(behind[1].is_ok() && first.wait().is_ok_and(|answers| answers[0].is_ok()), "it counts what is queued");
    let together = engine.append_atomically(vec![to(partition, &Sample::of(&["b"])), after(partition, 2)]).wait();
    assert_eq!(together, Err(AppendError::DependencyMissing), "as it was before the call");
    drop(engine);
    trial.interlude();
    assert!(trial.append_with(after(partition, 1)).is_ok(), "it is remembered");
    let nowhere = PartitionId { index: 1000, ..partition };
    assert_eq!(trial.append_with(after(nowhere, 0)), Err(AppendError::DependencyMissing));
    assert_eq!(trial.bounds(partition).high_watermark, 1);
    assert_eq!(trial.bounds(other).high_watermark, 2);
}

pub(super) fn both_durabilities_keep_their_order(trial: &mut Trial) {
    let partition = trial.partition();
    let engine = trial.engine();
    let pending: Vec<_> = (0..12)
        .map(|n| {
            let durability = if n % 2 == 0 { Durability::Os } else { Durability::Flush };
            engine.append(vec![Append { durability, ..to(partition, &Sample::of(&[format!("{n}")])) }])
        })
        .collect();
    for (n, pending) in (0..).zip(pending) {
        let answers = pending.wait().expect("the call failed");
        assert!(matches!(answers[0], Ok(Appended { first_offset, .. }) if first_offset == n), "{n}: {answers:?}");
    }
    drop(engine);
    trial.interlude();
    assert_eq!(trial.values(partition), (0..12).map(|n| n.to_string()).collect::<Vec<_>>());
}

pub(super) fn resolved_means_visible(trial: &mut Trial) {
    let partition = trial.partition();
    for n in 0..20 {
        let offset = trial.accept(partition, &Sample::of(&[format!("{n}")]));
        assert_eq!(trial.bounds(partition).high_watermark, offset + 1);
        let outcome = trial.read(partition, offset, 1 << 20).expect("the read failed");
        assert_eq!(outcome.bounds.high_watermark, offset + 1);
        assert_eq!(opened(&outcome.batches[0])[0].value, n.to_string());
    }
}

pub(super) fn what_was_visible_stays(trial: &mut Trial) {
    let partition = trial.partition();
    let engine = trial.engine();
    let pending: Vec<_> =
        (0..100).map(|n| engine.append(vec![to(partition, &Sample::of(&[format!("{n}")]))])).collect();
    let visible = trial.contents(partition);
    drop((engine, pending));
    trial.interlude();
    let later = trial.contents(partition);
    assert!(later.len() >= visible.len(), "{} records were visible, {} are left", visible.len(), later.len());
    assert_eq!(later[..visible.len()], visible);
    let expected: Vec<_> = (0..).map(|n| (n, n.to_string())).take(later.len()).collect();
    assert_eq!(later, expected, "what is there is a prefix of what was sent");
}

pub(super) fn large_batches(trial: &mut Trial) {
    let partition = trial.partition();
    let value = |n: usize| format!("{n}").repeat(300_000 + n);
    for n in 0..6 {
        trial.accept(partition, &Sample::of(&[value(n), "small".to_owned()]));
    }
    trial.interlude();
    for n in 0..6 {
        let outcome = trial.read(partition, n as i64 * 2 + 1, 1).expect("the read failed");
        assert_eq!(outcome.batches.len(), 1);
        assert_eq!(opened(&outcome.batches[0])[0].value, value(n), "batch {n}");
    }
    assert_eq!(trial.accept(partition, &Sample::of(&["last"])), 12);
}

/// Enough for a durable engine to move records out of its write-ahead log and its memory.
pub(super) fn many_batches(trial: &mut Trial) {
    let partition = trial.partition();
    let filler = "x".repeat(8_000);
    for round in 0..4 {
        let engine = trial.engine();
        let send = |n: i64| engine.append(vec![to(partition, &Sample::of(&[format!("{round}-{n}"), filler.clone()]))]);
        let pending: Vec<_> = (0..150).map(send).collect();
        for pending in pending {
            assert!(pending.wait().expect("the call failed")[0].is_ok());
        }
        drop(engine);
        trial.interlude();
    }
    let sent = (0..4).flat_map(|round| (0..150).flat_map(move |n| [format!("{round}-{n}"), String::from("x")]));
    let found = trial.values(partition).into_iter().map(|mut value| {
        value.truncate(if value.starts_with('x') { 1 } else { usize::MAX });
        value
    });
    assert!(found.eq(sent), "records are missing or out of order");
    let bounds = trial.bounds(partition);
    assert_eq!((bounds.log_start_offset, bounds.high_watermark), (0, 1_200));
}

pub(super) fn close_refuses_later_appends(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["a"]));
    let engine = trial.engine();
    engine.close().wait().expect("close failed");
    let answer = append_one(&*engine, to(partition, &Sample::of(&["b"])));
    assert!(matches!(answer, Err(AppendError::Unavailable(_))), "{answer:?}");
    let new = trial.new_topic("late", 1);
    assert!(engine.create_topic(new).wait().is_err(), "a topic was made after close");
    assert!(engine.init_producer().wait().is_err(), "a producer id was handed out after close");
    engine.close().wait().expect("a second close failed");
}

pub(super) fn close_makes_earlier_appends_durable(trial: &mut Trial) {
    let partition = trial.partition();
    let engine: Arc<_> = trial.engine();
    let pending: Vec<_> = (0..50).map(|n| engine.append(vec![to(partition, &Sample::of(&[format!("{n}")]))])).collect();
    engine.close().wait().expect("close failed");
    for (n, pending) in (0..).zip(pending) {
        let answers = pending.wait().expect("the call failed");
        assert!(matches!(answers[0], Ok(Appended { first_offset, .. }) if first_offset == n), "{n}: {answers:?}");
    }
}
