//! The cases. Each is a small function named for what it shows; the list below is the only place that names them.

mod ageing;
mod appends;
mod compaction;
mod configs;
mod deletes;
mod idempotence;
mod model;
mod observers;
mod offsets;
mod producer_ids;
mod reads;
mod threads;
mod topics;
mod transactions;

use super::trial::Trial;

/// A case.
pub(super) struct Case {
    /// Its group and its name.
    pub(super) name: &'static str,
    /// Whether it has points for an interlude.
    pub(super) lasting: bool,
    /// What it does.
    pub(super) body: fn(&mut Trial),
}

/// Passes the list of all cases to the macro `$then`. `lasting` cases have points for an interlude, `once` cases have none.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($then:ident $interlude:ident) => {
        $crate::$then! { $interlude;
            appends {
                once:
                    several_partitions_are_answered_in_order
                    the_same_partition_twice_in_one_call
                    unknown_partitions_are_refused
                    what_is_not_a_batch_is_refused
                    resolved_means_visible
                    close_refuses_later_appends
                    close_makes_earlier_appends_durable;
                lasting:
                    offsets_are_dense_and_in_call_order
                    partitions_have_offsets_of_their_own
                    several_batches_in_one_append
                    bytes_are_kept_as_received
                    expected_end_guards
                    a_missing_dependency_refuses
                    both_durabilities_keep_their_order
                    what_was_visible_stays
                    large_batches
                    many_batches;
            }
            reads {
                once:
                    empty_at_the_end
                    max_bytes_is_kept
                    at_least_one_batch_where_asked
                    unknown_partitions_cannot_be_read
                    read_committed_sees_what_no_transaction_holds;
                lasting:
                    from_the_middle_of_a_batch
                    how_many_bytes_are_left
                    outside_of_the_log_is_out_of_range;
            }
            offsets {
                once:
                    of_an_empty_log
                    of_unknown_partitions;
                lasting:
                    earliest_and_latest
                    by_equal_timestamps
                    by_timestamps_out_of_order
                    within_compressed_batches
                    below_the_log_start_do_not_count
                    without_timestamps
                    with_log_append_time
                    past_batches_that_cannot_be_opened;
            }
            deletes {
                once:
                    beyond_the_log_is_out_of_range
                    of_unknown_partitions;
                lasting:
                    move_the_log_start
                    in_the_middle_of_a_batch
                    of_all_records;
            }
            topics {
                once:
                    unknown_topics_cannot_be_deleted
                    a_snapshot_does_not_change;
                lasting:
                    are_found_with_their_configs
                    names_are_taken_once
                    made_again_are_empty
                    made_again_without_an_interlude_between
                    many_of_them;
            }
            ageing {
                once:
                    observers_hear_the_cause_once;
                lasting:
                    too_old_records_go
                    too_many_records_go
                    what_is_compacted_stays
                    a_change_counts_at_once
                    without_timestamps;
            }
            compaction {
                once: ;
                lasting:
                    the_last_value_of_each_key_stays
                    a_read_goes_on_behind_a_gap
                    deletions_go_after_their_time;
            }
            configs {
                once:
                    are_changed_by_who_saw_them
                    never_fewer_partitions
                    observers_hear_before_the_caller;
                lasting:
                    are_replaced_whole
                    go_with_their_topic
                    more_partitions;
            }
            producer_ids {
                once: from_many_threads_are_distinct;
                lasting: never_repeat;
            }
            idempotence {
                once:
                    clients_send_no_control_batches
                    duplicates_in_flight_share_the_original
                    duplicates_from_many_threads_are_stored_once;
                lasting:
                    the_last_five_are_answered_as_before
                    older_than_five_is_refused
                    gaps_are_refused
                    an_unknown_producer_begins_anywhere
                    a_new_epoch_begins_at_zero
                    sequence_numbers_wrap_around
                    partitions_know_their_own_producers
                    deleted_records_are_still_duplicates
                    refusals_leave_no_trace
                    a_checkpoint_between_original_and_duplicate
                    only_one_batch_at_a_time;
            }
            transactions {
                once: ;
                lasting:
                    committed_records_end_where_the_oldest_open_one_begins
                    aborted_transactions_are_told
                    a_marker_ends_the_epoch
                    what_coordinators_write_for_producers
                    deleted_records_and_open_transactions
                    atomic_appends_happen_in_all_partitions
                    atomic_appends_happen_nowhere_where_one_is_refused
                    a_duplicate_in_an_atomic_append_is_not_stored_again
                    producers_are_described
                    compaction_removes_what_was_aborted;
            }
            observers {
                once:
                    hear_of_appends
                    hear_of_the_log_start
                    all_hear;
                lasting:;
            }
            threads {
                once: readers_see_a_growing_prefix;
                lasting: each_keeps_its_order;
            }
            model {
                once:;
                lasting:
                    random_runs_match_the_model
                    more_random_runs_match_the_model
                    random_runs_with_one_partition_match_the_model;
            }
        }
    };
}

/// Turns the list of cases into [`ALL`].
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_table {
    ($all:ident; $($group:ident { once: $($once:ident)*; lasting: $($lasting:ident)*; })*) => {
        pub(super) const $all: &[Case] = &[
            $(
                $(Case {
                    name: concat!(stringify!($group), "::", stringify!($once)),
                    lasting: false,
                    body: $group::$once,
                },)*
                $(Case {
                    name: concat!(stringify!($group), "::", stringify!($lasting)),
                    lasting: true,
                    body: $group::$lasting,
                },)*
            )*
        ];
    };
}

conformance_cases!(conformance_table ALL);
