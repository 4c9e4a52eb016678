//! The suite is an alarm, and this tests the alarm: engines that misbehave in one way each must not pass.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ottla_storage::conformance::{Harness, Interlude, Twin, World, names, run};
use ottla_storage::memory::{MemoryEngine, MemoryOptions};
use ottla_storage::{
    Append, AppendError, Appended, Bounds, ConfigChange, Engine, FoundOffset, Isolation, LogConfig, MetadataError,
    OffsetSpec, PartitionId, Pending, Read, ReadError, ReadOutcome, Topic, TopicId, Unavailable,
};

/// One way to misbehave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    IgnoresProducers,
    IgnoresExpectedEnd,
    IgnoresDependencies,
    AnswersDuplicatesAsNew,
    AppendsBackwards,
    IgnoresMaxBytes,
    NeverReadsALargeBatch,
    ReadsFromTheStart,
    HidesTheLastRecord,
    FindsTheFirstRecordByTime,
    FindsTheLastAsLargest,
    NeverDeletesRecords,
    DeletesWholeLogs,
    NeverDeletesTopics,
    RepeatsProducerIds,
    AltersWhateverIsThere,
    NeverAddsPartitions,
    KeepsAll,
    KeepsEveryValue,
    RetainsTooMuch,
    NeverCloses,
    ShowsOpenTransactions,
    CallsAllStable,
    TellsNothingAborted,
    EndsTransactionsOneByOne,
    EndsTransactionsHere,
}

struct Faulty {
    engine: MemoryEngine,
    fault: Fault,
}

impl Faulty {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn without_producers(mut append: Append) -> Append {
        let mut bytes = append.batches.to_vec();
        if let Some(producer_id) = bytes.get_mut(43..51) {
            producer_id.fill(0xFF);
        }
        append.batches = bytes.into();
        append
    }
}

impl Twin for Faulty {
    fn behind(&self) -> &dyn Engine {
        &self.engine
    }

    fn delete_topic(&self, id: TopicId) -> Pending<(), MetadataError> {
        if self.has(Fault::NeverDeletesTopics) { Pending::ready(Ok(())) } else { self.engine.delete_topic(id) }
    }

    fn alter_configs(&self, mut change: ConfigChange) -> Pending<(), MetadataError> {
        if self.has(Fault::AltersWhateverIsThere) {
            change.before = self.engine.metadata().configs(&change.resource).cloned().unwrap_or_default();
        }
        self.engine.alter_configs(change)
    }

    fn create_partitions(&self, topic: TopicId, total: i32) -> Pending<Arc<Topic>, MetadataError> {
        match self.engine.metadata().by_id(topic) {
            Some(found) if self.has(Fault::NeverAddsPartitions) => Pending::ready(Ok(found.clone())),
            _ => self.engine.create_partitions(topic, total),
        }
    }

    fn append(&self, mut appends: Vec<Append>) -> Pending<Vec<Result<Appended, AppendError>>, Unavailable> {
        match self.fault {
            Fault::IgnoresProducers => appends = appends.into_iter().map(Self::without_producers).collect(),
            Fault::IgnoresExpectedEnd => appends.iter_mut().for_each(|append| append.expected_end = None),
            Fault::IgnoresDependencies => appends.iter_mut().for_each(|append| append.depends_on = None),
            Fault::AppendsBackwards => appends.reverse(),
            _ => {}
        }
        let mut answers = self.engine.append(appends).wait();
        if let Ok(answers) = &mut answers {
            match self.fault {
                Fault::AppendsBackwards => answers.reverse(),
                Fault::AnswersDuplicatesAsNew => answers.iter_mut().flatten().for_each(|done| done.duplicate = false),
                _ => {}
            }
        }
        Pending::ready(answers)
    }

    fn append_atomically(&self, appends: Vec<Append>) -> Pending<Vec<Appended>, AppendError> {
        let one = |append: &Append| self.engine.append(vec![append.clone()]).wait().expect("closed").remove(0);
        let mut answers = match self.fault {
            Fault::EndsTransactionsOneByOne => appends.iter().map(one).collect(),
            Fault::EndsTransactionsHere => {
                let first = self.engine.append_atomically(appends[..appends.len().min(1)].to_vec()).wait();
                first.map(|answers| vec![answers[0]; appends.len()])
            }
            _ => self.engine.append_atomically(appends).wait(),
        };
        if let (Ok(answers), Fault::AnswersDuplicatesAsNew) = (&mut answers, self.fault) {
            answers.iter_mut().for_each(|done| done.duplicate = false);
        }
        Pending::ready(answers)
    }

    fn read(&self, mut read: Read) -> Pending<ReadOutcome, ReadError> {
        match self.fault {
            Fault::ShowsOpenTransactions => read.isolation = Isolation::ReadUncommitted,
            Fault::TellsNothingAborted => {
                let outcome = self.engine.read(read).wait();
                return Pending::ready(outcome.map(|outcome| ReadOutcome { aborted: Vec::new(), ..outcome }));
            }
            Fault::IgnoresMaxBytes => read.max_bytes = usize::MAX,
            Fault::NeverReadsALargeBatch => read.at_least_one_batch = false,
            Fault::ReadsFromTheStart => read.offset = read.offset.min(0),
            _ => {}
        }
        self.engine.read(read)
    }

    fn bounds(&self, partition: PartitionId) -> Result<Bounds, ReadError> {
        let mut bounds = self.engine.bounds(partition)?;
        if self.has(Fault::HidesTheLastRecord) {
            bounds.high_watermark = (bounds.high_watermark - 1).max(0);
        }
        if self.has(Fault::CallsAllStable) {
            bounds.last_stable_offset = bounds.high_watermark;
        }
        Ok(bounds)
    }

    fn list_offset(&self, partition: PartitionId, spec: OffsetSpec) -> Pending<Option<FoundOffset>, ReadError> {
        let asked = match (self.fault, spec) {
            (Fault::FindsTheFirstRecordByTime, OffsetSpec::AtOrAfter { .. }) => {
                OffsetSpec::AtOrAfter { timestamp_ms: i64::MIN }
            }
            _ => spec,
        };
        let mut found = self.engine.list_offset(partition, asked).wait();
        if self.has(Fault::FindsTheLastAsLargest)
            && spec == OffsetSpec::MaxTimestamp
            && let (Ok(Some(found)), Ok(bounds)) = (&mut found, self.engine.bounds(partition))
        {
            found.offset = bounds.high_watermark - 1;
        }
        Pending::ready(found)
    }

    fn maintain(&self, budget_bytes: usize) -> Pending<(), Unavailable> {
        if self.has(Fault::RetainsTooMuch) {
            for topic in self.engine.metadata().topics() {
                drop(self.engine.delete_records(PartitionId { topic: topic.id, index: 0 }, -1));
            }
        }
        self.engine.maintain(budget_bytes)
    }

    fn delete_records(&self, partition: PartitionId, before: i64) -> Pending<i64, ReadError> {
        match self.fault {
            Fault::NeverDeletesRecords => Pending::ready(Ok(before.max(0))),
            Fault::DeletesWholeLogs => self.engine.delete_records(partition, -1),
            _ => self.engine.delete_records(partition, before),
        }
    }

    fn init_producer(&self) -> Pending<i64, Unavailable> {
        if self.has(Fault::RepeatsProducerIds) { Pending::ready(Ok(7)) } else { self.engine.init_producer() }
    }

    fn close(&self) -> Pending<(), Unavailable> {
        if self.has(Fault::NeverCloses) { Pending::ready(Ok(())) } else { self.engine.close() }
    }
}

struct Alone {
    engine: Arc<Faulty>,
    world: World,
}

impl Harness for Alone {
    fn engine(&self) -> Arc<dyn Engine> {
        self.engine.clone()
    }

    fn world(&self) -> &World {
        &self.world
    }

    /// Forgets everything, as an engine without durable data does.
    fn reopen(&mut self, _gracefully: bool) {
        *self = Self::with(self.engine.fault);
    }
}

impl Alone {
    fn with(fault: Fault) -> Self {
        let world = World::default();
        let mut log_configs = world.log_configs(LogConfig::default());
        if matches!(fault, Fault::KeepsAll | Fault::KeepsEveryValue) {
            log_configs = Arc::new(LogConfig { delete: false, ..LogConfig::default() });
        }
        let options = MemoryOptions { log_configs, wall_ms: world.wall_ms(), ..MemoryOptions::default() };
        Self { engine: Arc::new(Faulty { engine: MemoryEngine::with(options), fault }), world }
    }
}

macro_rules! fails {
    ($($fault:ident: $($case:literal)+;)+) => {
        $(
            #[test]
            #[allow(non_snake_case)]
            fn $fault() {
                fn fresh() -> Box<dyn Harness> {
                    Box::new(Alone::with(Fault::$fault))
                }
                $(assert!(!passes($case, Interlude::Nothing, fresh), "{} passes with {}", $case, stringify!($fault));)+
            }
        )+
    };
}

fn passes(case: &str, interlude: Interlude, fresh: fn() -> Box<dyn Harness>) -> bool {
    catch_unwind(AssertUnwindSafe(|| run(case, interlude, fresh))).is_ok()
}

fails! {
    IgnoresProducers: "idempotence::the_last_five_are_answered_as_before" "idempotence::gaps_are_refused"
        "idempotence::a_new_epoch_begins_at_zero" "idempotence::duplicates_from_many_threads_are_stored_once"
        "idempotence::duplicates_in_flight_share_the_original" "model::random_runs_match_the_model"
        "transactions::a_marker_ends_the_epoch" "transactions::producers_are_described";
    IgnoresExpectedEnd: "appends::expected_end_guards" "model::random_runs_match_the_model";
    IgnoresDependencies: "appends::a_missing_dependency_refuses";
    AnswersDuplicatesAsNew: "idempotence::the_last_five_are_answered_as_before"
        "transactions::a_duplicate_in_an_atomic_append_is_not_stored_again";
    AppendsBackwards: "appends::the_same_partition_twice_in_one_call";
    IgnoresMaxBytes: "reads::max_bytes_is_kept" "model::random_runs_match_the_model";
    NeverReadsALargeBatch: "reads::max_bytes_is_kept" "reads::at_least_one_batch_where_asked" "appends::large_batches";
    ReadsFromTheStart: "reads::from_the_middle_of_a_batch" "reads::empty_at_the_end" "model::random_runs_match_the_model";
    HidesTheLastRecord: "appends::resolved_means_visible" "appends::offsets_are_dense_and_in_call_order";
    FindsTheFirstRecordByTime: "offsets::by_equal_timestamps" "offsets::by_timestamps_out_of_order"
        "offsets::within_compressed_batches" "offsets::past_batches_that_cannot_be_opened";
    FindsTheLastAsLargest: "offsets::by_equal_timestamps" "model::random_runs_match_the_model";
    NeverDeletesRecords: "deletes::move_the_log_start" "deletes::of_all_records" "observers::hear_of_the_log_start";
    DeletesWholeLogs: "deletes::in_the_middle_of_a_batch" "deletes::beyond_the_log_is_out_of_range";
    NeverDeletesTopics: "topics::made_again_are_empty" "topics::many_of_them" "topics::unknown_topics_cannot_be_deleted";
    RepeatsProducerIds: "producer_ids::never_repeat" "producer_ids::from_many_threads_are_distinct";
    AltersWhateverIsThere: "configs::are_changed_by_who_saw_them";
    NeverAddsPartitions: "configs::more_partitions" "configs::never_fewer_partitions";
    KeepsAll: "ageing::too_old_records_go" "ageing::too_many_records_go" "ageing::a_change_counts_at_once";
    KeepsEveryValue: "compaction::the_last_value_of_each_key_stays" "compaction::a_read_goes_on_behind_a_gap"
        "compaction::deletions_go_after_their_time" "transactions::compaction_removes_what_was_aborted";
    RetainsTooMuch: "ageing::too_old_records_go" "ageing::too_many_records_go" "ageing::what_is_compacted_stays";
    NeverCloses: "appends::close_refuses_later_appends";
    ShowsOpenTransactions: "transactions::committed_records_end_where_the_oldest_open_one_begins"
        "transactions::aborted_transactions_are_told";
    CallsAllStable: "transactions::committed_records_end_where_the_oldest_open_one_begins"
        "transactions::what_coordinators_write_for_producers" "transactions::deleted_records_and_open_transactions";
    TellsNothingAborted: "transactions::aborted_transactions_are_told"
        "transactions::atomic_appends_happen_in_all_partitions" "transactions::compaction_removes_what_was_aborted";
    EndsTransactionsOneByOne: "transactions::atomic_appends_happen_nowhere_where_one_is_refused";
    EndsTransactionsHere: "transactions::atomic_appends_happen_in_all_partitions";
}

/// An engine that forgets fails every case that has an interlude, whatever the interlude is, so none of them looks away.
#[test]
fn engines_that_forget_fail_every_lasting_case() {
    fn fresh() -> Box<dyn Harness> {
        Box::new(Alone::with(Fault::None))
    }
    for interlude in [Interlude::Reopen, Interlude::MaintainAndKill] {
        let passed: Vec<_> = names(interlude).filter(|case| passes(case, interlude, fresh)).collect();
        assert!(passed.is_empty(), "with {interlude:?} these pass: {passed:?}");
    }
}

#[test]
fn the_engine_under_the_faults_passes() {
    fn fresh() -> Box<dyn Harness> {
        Box::new(Alone::with(Fault::None))
    }
    for case in names(Interlude::Nothing) {
        run(case, Interlude::Nothing, fresh);
    }
}
