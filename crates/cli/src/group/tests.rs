//! What people read, held against the examples of `docs/explain.md` with values in them.

use ottla_client::{ErrorCode, GroupReset, PartitionReset, ResetOutcome};
use serde_json::{Value, json};

use super::arguments::ListArguments;
use super::reset::plan::Step;
use super::reset::report::Report;
use super::{describe, events, lag, list, why};
use crate::local_time::LocalTime;

/// 2026-11-27T14:05:51Z.
const NOW_MS: i64 = 1_795_788_351_000;

fn time() -> LocalTime {
    LocalTime::utc(NOW_MS)
}

fn ago(seconds: i64) -> i64 {
    NOW_MS - seconds * 1000
}

#[track_caller]
fn check(said: &str, expected: &[&str]) {
    let expected: String = expected.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(said, expected, "\n{said}");
}

fn worker(number: i64, name: &str, version: &str) -> Value {
    json!({"member_id": format!("worker-{number}-c0ffee"), "group_instance_id": null, "client_id": format!("worker-{number}"),
        "host": format!("10.0.3.{}", number + 4), "software": {"name": name, "version": version}})
}

fn status() -> Value {
    json!({"at_ms": NOW_MS, "groups": [
        {"group": "audit", "type": "classic", "protocol_type": "consumer", "state": "Empty", "status": "RISK", "members": 0,
         "idle_members": 0, "partitions": 6, "lag_records": 1_204_551, "behind_ms": 7_800_000, "trend": "up",
         "note": "loses data on orders/1 in about 47m (retention)"},
        {"group": "billing", "type": "classic", "protocol_type": "consumer", "state": "Stable", "status": "STALL", "members": 2,
         "idle_members": 0, "partitions": 6, "lag_records": 48_210, "behind_ms": 842_000, "trend": "up",
         "note": "orders/3 commits but does not advance since 13:52"},
        {"group": "emails", "type": "consumer", "protocol_type": "consumer", "state": "Stable", "status": "OK", "members": 4,
         "idle_members": 1, "partitions": 3, "lag_records": 0, "behind_ms": 0, "trend": "flat", "note": ""},
        {"group": "new", "type": "consumer", "protocol_type": "consumer", "state": "Stable", "status": "OK", "members": 1,
         "idle_members": 0, "partitions": 3, "lag_records": null, "behind_ms": null, "trend": null, "note": ""}]})
}

#[test]
fn a_list_says_which_groups_are_well() {
    check(
        &list::render(&status(), false),
        &[
            "GROUP    STATUS  STATE   MEMBERS     PARTITIONS        LAG   BEHIND  TREND  NOTE",
            "audit    RISK    Empty   0                    6  1,204,551   2h 10m  ↗      loses data on orders/1 in about 47m (retention)",
            "billing  STALL   Stable  2                    6     48,210  14m 02s  ↗      orders/3 commits but does not advance since 13:52",
            "emails   OK      Stable  4 (1 idle)           3          0       0s  →",
            "new      OK      Stable  1                    3          -        -",
        ],
    );
}

#[test]
fn a_list_is_filtered_by_state_and_type() {
    let names = |state: &[&str], group_type: &[&str]| {
        let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect();
        let mut status = status();
        list::filter(&mut status, &ListArguments { state: words(state), group_type: words(group_type) });
        let groups = status["groups"].as_array().expect("groups");
        groups.iter().map(|group| group["group"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["empty"], &[]), ["audit"]);
    assert_eq!(names(&["Stable", "Empty"], &["CLASSIC"]), ["audit", "billing"]);
    assert!(names(&["Dead"], &[]).is_empty());
    check(
        &list::render(&json!({"groups": []}), true),
        &["No group is in such a state or of such a type; `ottla group list` shows all."],
    );
    check(
        &list::render(&json!({"groups": []}), false),
        &["There are no groups. One appears when its first member joins, or with its first commit."],
    );
}

fn stalled() -> Value {
    json!({"at_ms": NOW_MS, "group": "billing", "type": "classic", "protocol_type": "consumer", "state": "Stable", "epoch": 17,
        "since_ms": ago(1_481), "status": "STALL", "text": "billing is Stable but not healthy: one of its 6 partitions does not advance.",
        "cause": {"at_ms": ago(1_481), "text": "every member has its assignment"},
        "waits": [{"name": "MemberHeartbeat", "member": worker(2, "kafka-python", "3.0.12"), "holds": {}, "since_ms": ago(1),
            "until_ms": ago(-44), "then": "MemberRemoved", "last_seen_ms": ago(1), "blocks": false, "text": "waits for a heartbeat", "next": []}],
        "findings": [{"status": "STALL", "certainty": "inferred", "topic": "orders", "partition": 3,
            "member": worker(2, "kafka-python", "3.0.12"), "since_ms": ago(800),
            "text": "orders/3 commits but does not advance since 13:52.",
            "evidence": ["commits offset 81,204 again and again since 13:52:31 (41 commits)",
                "fetches normally, last 0.2 s ago; 48,210 records wait"],
            "likely": "the handler fails on the record at orders/3 offset 81,204 and tries it again.",
            "next": ["look at it      ottla consume orders --partition 3 --from 81204 --count 1",
                "skip it         ottla group reset billing --partition orders/3 --to 81205 --online"]}],
        "members": [
            {"member": worker(2, "kafka-python", "3.0.12"), "partitions": {"orders": [0, 1, 2, 3]}, "last_seen_ms": NOW_MS - 1_300,
             "last_fetch_ms": ago(0), "fetch_certainty": "inferred", "session_timeout_ms": 45_000, "reason": null},
            {"member": worker(1, "librdkafka", "2.12"), "partitions": {"orders": [4, 5], "bills": [7]}, "last_seen_ms": ago(2),
             "last_fetch_ms": null, "fetch_certainty": null, "session_timeout_ms": 45_000, "reason": null}]})
}

#[test]
fn a_stall_is_told_with_evidence_and_next_steps() {
    check(
        &why::render(&stalled(), &time()),
        &[
            "billing is Stable but not healthy: one of its 6 partitions does not advance.",
            "",
            "  orders/3   STALL since 13:52:31   held by worker-2 (kafka-python 3.0.12, 10.0.3.6)",
            "             orders/3 commits but does not advance since 13:52. (inferred: fetches do not name their group)",
            "             commits offset 81,204 again and again since 13:52:31 (41 commits)",
            "             fetches normally, last 0.2 s ago; 48,210 records wait",
            "Most likely  the handler fails on the record at orders/3 offset 81,204 and tries it again.",
            "What to do   look at it      ottla consume orders --partition 3 --from 81204 --count 1",
            "             skip it         ottla group reset billing --partition orders/3 --to 81205 --online",
        ],
    );
}

#[test]
fn a_rebalance_is_told_with_who_is_missing() {
    let rebalance = json!({"at_ms": NOW_MS, "group": "billing", "type": "classic", "protocol_type": "consumer",
        "state": "PreparingRebalance", "epoch": 17, "since_ms": ago(41), "status": "REBALANCING",
        "text": "billing is PreparingRebalance for 41 s: it waits for 1 of 3 members to rejoin.",
        "cause": {"at_ms": ago(41), "text": "worker-1 joined (new member)"},
        "waits": [{"name": "MemberToRejoin", "member": worker(3, "librdkafka", "2.12"), "holds": {"orders": [4, 5]},
            "since_ms": ago(41), "until_ms": ago(-19), "then": "MemberRemoved", "last_seen_ms": ago(12), "blocks": true,
            "text": "worker-3 has not rejoined.",
            "next": ["nothing; if it happens often, lower max.poll.interval.ms of worker-3"]}],
        "findings": [], "members": []});
    check(
        &why::render(&rebalance, &time()),
        &[
            "billing is PreparingRebalance for 41 s: it waits for 1 of 3 members to rejoin.",
            "",
            "  waiting for  worker-3 (librdkafka 2.12, 10.0.3.7), last seen 12s ago; it holds orders 4 5",
            "  because      worker-1 joined (new member) (at 14:05:10)",
            "  since        14:05:10, for 41s",
            "  until        14:06:10 at the latest; then worker-3 is removed and the group goes on",
            "               worker-3 has not rejoined.",
            "  What to do   nothing; if it happens often, lower max.poll.interval.ms of worker-3",
        ],
    );
}

#[test]
fn a_healthy_group_is_one_sentence_and_a_wait_without_a_member_its_own() {
    let healthy = json!({"text": "emails is Stable and healthy.", "waits": [], "findings": []});
    check(&why::render(&healthy, &time()), &["emails is Stable and healthy."]);
    let bare = json!({"text": "x waits.", "waits": [{"blocks": true, "text": "The coordinator waits.", "member": null,
        "until_ms": ago(-9), "then": "RebalanceCompletes"}]});
    check(
        &why::render(&bare, &time()),
        &[
            "x waits.",
            "",
            "  waiting for  The coordinator waits.",
            "  until        14:06:00 at the latest; then rebalance completes",
        ],
    );
}

fn behind() -> Value {
    json!({"at_ms": NOW_MS, "group": "billing", "records": 48_210, "bytes": 9_000_000, "behind_ms": 842_000, "partitions": [
        {"topic": "orders", "partition": 3, "committed": 81_204, "committed_at_ms": ago(2), "metadata": "", "log_start": 0,
         "end": 129_414, "records": 48_210, "bytes": 9_000_000, "behind_ms": 842_000, "member": worker(2, "kafka-python", "3.0.12")},
        {"topic": "orders", "partition": 4, "committed": 700, "committed_at_ms": ago(86_400), "metadata": "", "log_start": 0,
         "end": 700, "records": 0, "bytes": 0, "behind_ms": 0, "member": null},
        {"topic": "orders", "partition": 5, "committed": null, "committed_at_ms": null, "metadata": null, "log_start": 0,
         "end": 9, "records": null, "bytes": null, "behind_ms": null, "member": worker(1, "librdkafka", "2.12")}]})
}

#[test]
fn lag_is_told_in_records_bytes_and_time_and_unknown_is_not_zero() {
    check(
        &lag::render(&behind(), &time()),
        &[
            "billing is 48,210 records (about 9.0 MB) behind, on 1 of 3 partitions; the oldest unread record is 14m 02s old. \
             1 partition has no commit, so its lag is not known.",
            "",
            "PARTITION  COMMITTED      END     LAG   BEHIND   BYTES  LAST COMMIT          MEMBER",
            "orders/3      81,204  129,414  48,210  14m 02s  9.0 MB  14:05:49             worker-2",
            "orders/4         700      700       0       0s     0 B  2026-11-26 14:05:51  -",
            "orders/5       never        9       -        -       -  -                    worker-1",
        ],
    );
    let read = json!({"group": "emails", "records": 0, "partitions": [{"topic": "t", "partition": 0, "committed": 1, "records": 0}]});
    assert!(lag::render(&read, &time()).starts_with("emails has read all that it has a commit for, of 1 partition.\n"));
    let never = json!({"group": "new", "records": null, "partitions": [{"topic": "t", "partition": 0}]});
    assert!(lag::render(&never, &time()).starts_with("new has committed nothing for its 1 partition.\n"));
    let empty = json!({"group": "none", "partitions": []});
    check(&lag::render(&empty, &time()), &["none has no partitions: none is assigned, and nothing was committed."]);
}

#[test]
fn a_description_has_members_partitions_and_where_to_look_next() {
    check(
        &describe::render(&stalled(), &behind(), &time()),
        &[
            "billing is Stable (STALL): classic protocol, generation 17, 2 members, since 13:41:10",
            "",
            "MEMBER    HOST      SOFTWARE             PARTITIONS           LAST SEEN  MEMBER ID",
            "worker-2  10.0.3.6  kafka-python 3.0.12  orders 0-3           1.3s ago   worker-2-c0ffee",
            "worker-1  10.0.3.5  librdkafka 2.12      bills 7, orders 4 5  2s ago     worker-1-c0ffee",
            "",
            "PARTITION  COMMITTED      END     LAG   BEHIND   BYTES  LAST COMMIT          MEMBER",
            "orders/3      81,204  129,414  48,210  14m 02s  9.0 MB  14:05:49             worker-2",
            "orders/4         700      700       0       0s     0 B  2026-11-26 14:05:51  -",
            "orders/5       never        9       -        -       -  -                    worker-1",
            "",
            "What to do   ottla group why billing",
        ],
    );
}

#[test]
fn events_are_a_line_each() {
    let happened = json!({"at_ms": NOW_MS, "group": "billing", "events": [
        {"at_ms": ago(41), "event": "member_joined", "certainty": "known", "text": "worker-1 (10.0.3.5): generation 17 → 18 begins",
         "member": worker(1, "librdkafka", "2.12"), "reason": null, "again": false},
        {"at_ms": ago(0), "event": "assigned", "certainty": "known", "text": "generation 18: 2 members", "epoch": 18, "left_out": 1,
         "members": [{"member_id": "w1", "client_id": "worker-1", "before": {}, "after": {"orders": [0, 1, 2]}}]},
        {"at_ms": ago(-100), "event": "offsets_moved", "certainty": "inferred", "text": "orders/5 from 512 to 900: 388 records not read"},
        {"at_ms": ago(-101), "event": "something_newer", "certainty": "known", "text": "as yet\u{1b}[2J unknown"}]});
    check(
        &events::render(&happened, &time()),
        &[
            "14:05:10  join             worker-1 (10.0.3.5): generation 17 → 18 begins",
            "14:05:51  assigned         generation 18: 2 members",
            "14:07:31  moved            orders/5 from 512 to 900: 388 records not read (inferred)",
            "14:07:32  something newer  as yet\\u{1b}[2J unknown",
        ],
    );
    let nothing = json!({"group": "billing", "events": []});
    check(&events::render(&nothing, &time()), &["Nothing of the kind is known of billing in that time."]);
}

fn partition(number: i32, from: Option<i64>, to: Option<i64>) -> PartitionReset {
    PartitionReset { topic: "orders".to_owned(), partition: number, from, to, ..PartitionReset::default() }
}

fn step(number: i32, from_ms: Option<i64>, to_ms: Option<i64>, note: &'static str) -> Step {
    Step { key: ("orders".to_owned(), number), offset: 0, from_ms, to_ms, note }
}

fn moved() -> ResetOutcome {
    let partitions = vec![
        partition(0, Some(81_204), Some(80_110)),
        partition(1, Some(79_911), Some(79_911)),
        partition(2, Some(5), Some(393)),
        partition(3, None, Some(7)),
        partition(4, Some(9), None),
    ];
    ResetOutcome { partitions, ..ResetOutcome::default() }
}

fn report(reset: &GroupReset, state: &str, outcome: &ResetOutcome, keeps_former: bool) -> (String, String) {
    let steps = [step(0, Some(ago(800)), Some(ago(6_351)), ""), step(2, None, None, "no record since then: the end")];
    let report = Report { reset, state, outcome, steps: &steps, keeps_former, time: &time() };
    (report.text(), report.refusal())
}

#[test]
fn a_reset_says_what_is_read_again_and_what_is_not_read() {
    let dry_run = GroupReset { group: "billing".to_owned(), validate_only: true, ..GroupReset::default() };
    check(
        &report(&dry_run, "Empty", &moved(), true).0,
        &[
            "billing is Empty; nothing was changed (dry run).",
            "PARTITION    FROM      TO            RECORDS  TIME",
            "orders/0   81,204  80,110   1,094 read again  13:52:31 → 12:20:00",
            "orders/1   79,911  79,911                  -",
            "orders/2        5     393       388 not read  no record since then: the end",
            "orders/3    never       7       first commit",
            "orders/4        9    none  commit taken away",
            "Run it without --dry-run to apply; `ottla group undo billing` brings these offsets back for 7 days.",
        ],
    );
    let applied = GroupReset { validate_only: false, online: true, ..dry_run.clone() };
    let said = report(&applied, "Stable", &moved(), true).0;
    assert!(
        said.starts_with(
            "billing was Stable; its offsets are set: 4 of 5 partitions changed, and its members go on from there.\n"
        ),
        "{said}"
    );
    assert!(
        said.ends_with("`ottla group undo billing --online` brings the former offsets back for 7 days.\n"),
        "{said}"
    );
    let kafka = GroupReset { validate_only: false, ..dry_run };
    let said = report(&kafka, "Empty", &moved(), false).0;
    assert!(said.ends_with("This broker keeps no former offsets: FROM shows them.\n"), "{said}");
}

#[test]
fn a_refused_reset_says_why_and_what_to_do() {
    let reset = GroupReset { group: "billing".to_owned(), ..GroupReset::default() };
    let members = ResetOutcome { code: ErrorCode::NON_EMPTY_GROUP, ..ResetOutcome::default() };
    check(
        &format!("{}\n", report(&reset, "Stable", &members, true).1),
        &[
            "the offsets of billing were not changed: it has members",
            "  stop its members first, or add --online: they are fenced and go on from the new offsets",
        ],
    );
    let outside = PartitionReset {
        code: ErrorCode::OFFSET_OUT_OF_RANGE,
        message: Some("it ends at 9".to_owned()),
        ..partition(3, None, None)
    };
    let outcome = ResetOutcome { partitions: vec![outside], ..ResetOutcome::default() };
    check(
        &format!("{}\n", report(&reset, "Empty", &outcome, true).1),
        &["the offsets of billing were not changed", "  orders/3: OFFSET_OUT_OF_RANGE (it ends at 9)"],
    );
}

#[test]
fn a_reset_for_programs_has_all_of_it() {
    let reset = GroupReset { group: "billing".to_owned(), ..GroupReset::default() };
    let report =
        Report { reset: &reset, state: "Empty", outcome: &moved(), steps: &[], keeps_former: true, time: &time() };
    let json = report.json();
    assert_eq!((&json["applied"], &json["error"], &json["undo"]), (&json!(true), &Value::Null, &json!(false)));
    assert_eq!(
        json["partitions"][2],
        json!({"topic": "orders", "partition": 2, "from": 5, "to": 393, "read_again": 0, "not_read": 388, "error": null,
            "message": null})
    );
}

#[test]
fn nothing_that_a_broker_says_ends_the_program() {
    let odd = [
        Value::Null,
        json!([]),
        json!({"groups": [null], "events": [7], "waits": [{"blocks": true}], "findings": [[]],
        "members": [{}], "partitions": [{"behind_ms": i64::MIN, "bytes": -1, "records": -5}], "records": -5, "at_ms": i64::MAX}),
    ];
    for document in &odd {
        let time = LocalTime::utc(i64::MAX);
        for said in [
            list::render(document, false),
            why::render(document, &time),
            events::render(document, &time),
            lag::render(document, &time),
            describe::render(document, document, &time),
        ] {
            assert!(said.ends_with('\n'));
        }
    }
}
