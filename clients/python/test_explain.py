"""What a group says about itself (docs/explain.md), provoked with real clients and asked of the broker.

What takes its time, because a rule wants ten seconds of evidence, is provoked side by side: each partition has its own trouble.
"""

import time

import pytest

import brokers
import wire
from test_seed import LONG_SESSION_MS, numbered, stable, topic_with
from test_lost_connection import LONG_SESSION
from world import ClientError


@pytest.fixture(autouse=True)
def only_ottla(make_broker):
    """The reference says nothing of the kind."""
    if make_broker is brokers.KafkaBroker:
        pytest.skip("a request of Ottla's own")


def explain(world, group, view):
    """One view of a group."""
    return wire.explain(world.broker.address, group, view)


def events(world, group, *kinds, view="events"):
    """The group's events of these kinds, oldest first."""
    return [event for event in explain(world, group, view)["events"] if event["event"] in kinds]


def found(why):
    """The findings as `{(status, topic, partition): finding}`."""
    return {(finding["status"], finding["topic"], finding["partition"]): finding for finding in why["findings"]}


def when(world, group, is_so, what, deadline_s=60):
    """The first `why` of a group of which that is so."""
    seen = []

    def look():
        seen[:] = [explain(world, group, "why")]
        return is_so(seen[0])

    try:
        world.wait(look, what, deadline_s)
    except AssertionError as why:
        raise AssertionError(f"{why}\nthe last answer: {seen}") from None
    return seen[0]


def everything_read(world, count, group="group", topics=("topic",), **options):
    """A member that has read so many records."""
    member = world.consumer(group, topics, **options)
    member.wait(lambda: len(member.records) >= count, f"{count} records")
    return member


# --- each partition has its own trouble ---

STALLED, REWOUND, SLOW, STOPPED, STARVED, LOST, WELL, UNCOMMITTED = range(8)


class Rounds:
    """An application that commits once a second what its partitions' troubles need."""

    def __init__(self, world, member):
        self.world, self.member = world, member
        self.next_s, self.round = 0, 0

    def turn(self):
        """The next round, if it is time for it."""
        if time.monotonic() < self.next_s:
            return
        self.next_s = time.monotonic() + 1.1
        self.round += 1
        self.world.produce(numbered("more", 0, 3), SLOW)
        # More than once, because a fetch that was under way before the pause may still take the first.
        self.world.produce(["more"], STARVED)
        offsets = {STALLED: 5, SLOW: self.round, WELL: 20}
        # Once it is past 15 again, it has not gone back any more.
        offsets[REWOUND] = 9 + self.round if self.round <= 6 else min(self.round - 2, 14)
        if self.round <= 3:
            offsets[STOPPED] = self.round
        if self.round == 1:
            offsets[LOST] = 5
        self.member.commit({("topic", partition): offset for partition, offset in offsets.items()})


def test_21_each_trouble_is_found_in_its_own_partition_and_nothing_else(world):
    topic_with(world, 8)
    wire.create_topic(world.broker.address, "short", {"retention.ms": "600000"})
    world.produce_everywhere("a", 20, 8)
    world.produce(numbered("old", 0, 20), topic="short", timestamp_ms=int(time.time() * 1000) - 500_000)
    member = everything_read(world, 9 * 20, "group", ("topic", "short"))
    member.pause("topic", STARVED)
    rounds = Rounds(world, member)
    rounds.turn()
    member.commit({("short", 0): 12})
    world.admin("delete_records", "topic", LOST, 12)

    expected = {
        ("STALL", "topic", STALLED), ("REWIND", "topic", REWOUND), ("WARN", "topic", SLOW), ("STOP", "topic", STOPPED),
        ("STARVED", "topic", STARVED), ("LOST", "topic", LOST), ("RISK", "short", 0)}

    def all_found(why):
        rounds.turn()
        return expected <= set(found(why))

    why = when(world, "group", all_found, "every trouble to be found")
    findings = found(why)
    assert set(findings) == expected, "and none where there is none"
    assert [finding["status"] for finding in why["findings"]] == ["LOST", "RISK", "STOP", "STALL", "REWIND", "STARVED", "WARN"], "the worst first"
    assert why["status"] == "LOST" and why["state"] == "Stable"
    (owner,) = world.group("group").members
    assert all(finding["member"]["member_id"] == owner for finding in findings.values())
    check_sentences(findings)
    check_status(world)
    check_lag(world, member)
    check_loud_events(world, owner)


def check_sentences(findings):
    """What each finding says of itself."""
    def text(status, partition, topic="topic"):
        return findings[status, topic, partition]["text"]

    def evidence(status, partition, topic="topic"):
        return " / ".join(findings[status, topic, partition]["evidence"])

    assert "topic/0 commits but does not advance" in text("STALL", STALLED)
    assert "offset 5 was committed" in evidence("STALL", STALLED) and "15 records wait" in evidence("STALL", STALLED)
    assert text("REWIND", REWOUND) == "topic/1 went back: 10 records are read again"
    assert "committed 15, then 5" in evidence("REWIND", REWOUND)
    assert "read more slowly than it is written" in text("WARN", SLOW)
    assert "has not been committed to for" in text("STOP", STOPPED) and "17 records wait" in evidence("STOP", STOPPED)
    assert "assigned but not fetched for" in text("STARVED", STARVED) and "records can be fetched" in evidence("STARVED", STARVED)
    assert findings["STARVED", "topic", STARVED]["certainty"] == "inferred"
    assert text("LOST", LOST) == "topic/5 lost 7 records before they were read"
    assert "loses data on short/0 in about" in text("RISK", 0, "short") and "8 records wait" in evidence("RISK", 0, "short")
    assert all(finding["next"] for finding in findings.values()), "each says what to do next"


def check_status(world):
    (line,) = explain(world, "group", "status")["groups"]
    assert (line["group"], line["status"], line["members"], line["idle_members"], line["partitions"]) == ("group", "LOST", 1, 0, 9)
    assert line["lag_records"] == explain(world, "group", "lag")["records"]
    assert line["note"] == "topic/5 lost 7 records before they were read"
    assert explain(world, "", "status")["groups"] == [{**line, "behind_ms": ANY}], "among all groups it says the same"


class _Anything:
    def __eq__(self, other):
        return True


ANY = _Anything()


def check_lag(world, member):
    lag = explain(world, "group", "lag")
    lines = {(line["topic"], line["partition"]): line for line in lag["partitions"]}
    slow_end, slow_at = wire.bounds(world.broker.address, "topic", SLOW)[1], member.committed("topic", SLOW)
    records = {
        STALLED: 15, REWOUND: 20 - member.committed("topic", REWOUND), SLOW: slow_end - slow_at, STOPPED: 17, STARVED: None, LOST: 8, WELL: 0, UNCOMMITTED: None}
    assert {partition: lines["topic", partition]["records"] for partition in range(8)} == records
    assert lines["short", 0]["records"] == 8 and lines["short", 0]["behind_ms"] >= 500_000
    assert lag["records"] == sum(filter(None, records.values())) + 8
    assert lag["bytes"] == sum(line["bytes"] or 0 for line in lines.values())
    assert lag["behind_ms"] == lines["short", 0]["behind_ms"], "the oldest of all"
    assert [lines["topic", UNCOMMITTED][field] for field in ("committed", "records", "bytes", "behind_ms")] == [None] * 4, "not 0"
    assert (lines["topic", LOST]["committed"], lines["topic", LOST]["log_start"], lines["topic", LOST]["end"]) == (5, 12, 20)
    assert lines["topic", WELL]["behind_ms"] == 0
    assert all(line["member"]["host"] == "127.0.0.1" for line in lines.values())


def check_loud_events(world, owner):
    (back,) = events(world, "group", "offsets_moved")
    told = {field: back[field] for field in ("topic", "partition", "from", "to", "not_read", "read_again", "certainty")}
    assert told == {"topic": "topic", "partition": REWOUND, "from": 15, "to": 5, "not_read": 0, "read_again": 10, "certainty": "known"}
    assert back["member"]["member_id"] == owner
    (lost,) = events(world, "group", "records_lost")
    told = {field: lost[field] for field in ("topic", "partition", "from", "to", "records", "cause")}
    assert told == {"topic": "topic", "partition": LOST, "from": 5, "to": 12, "records": 7, "cause": "DeleteRecords"}
    assert events(world, "group", "assigned", "member_joined") == [], "only what is loud"


# ---------------------------------------------------------------------------------------------------------------------------------

def test_22_a_jump_and_deleted_commits_are_told_loudly(world):
    topic_with(world, 1)
    for topic in ("cleared", "dropped"):
        world.create_topic(1, topic)
    for topic in ("topic", "cleared", "dropped"):
        world.produce(numbered(topic, 0, 10), topic=topic)
    member = everything_read(world, 10, "jumping")
    leaving = everything_read(world, 20, "leaving", ("cleared", "dropped"))
    member.commit({("topic", 0): 10})
    leaving.commit({("cleared", 0): 10, ("dropped", 0): 7})
    leaving.close()

    # Paused, so that it is not given what it jumps over; a fetch that is under way ends after half a second.
    member.pause("topic", 0)
    paused_ms = explain(world, "jumping", "why")["at_ms"]
    when(world, "jumping", lambda why: why["at_ms"] - max(paused_ms, why["members"][0]["last_fetch_ms"]) > 1_000, "the last fetch to end")
    world.produce(numbered("unread", 0, 80))
    member.seek("topic", 0, 90)
    world.produce(numbered("read", 0, 10))
    member.resume("topic", 0)
    member.wait(lambda: len(member.records) >= 20, "what lies after the jump")
    assert member.offsets(0) == list(range(10)) + list(range(90, 100))
    member.commit({("topic", 0): 100})
    world.wait(lambda: events(world, "jumping", "offsets_moved"), "the jump to be told")
    (jump,) = events(world, "jumping", "offsets_moved")
    told = {field: jump[field] for field in ("from", "to", "not_read", "read_again", "certainty")}
    assert told == {"from": 10, "to": 90, "not_read": 80, "read_again": 0, "certainty": "inferred"}

    world.wait(lambda: not world.group("leaving").members, "the group to be empty")
    world.admin("delete_group_offsets", "leaving", [["cleared", 0]])
    wire.delete_topic(world.broker.address, "dropped")
    world.wait(lambda: len(events(world, "leaving", "offsets_deleted")) == 2, "both deletions to be told")
    by_hand, with_topic = events(world, "leaving", "offsets_deleted")
    assert (by_hand["topic"], by_hand["partitions"], with_topic["topic"], with_topic["partitions"]) == ("cleared", [0], "dropped", [0])
    assert by_hand["cause"] != with_topic["cause"]


def test_23_a_rebalance_says_who_it_waits_for_and_until_when(world):
    topic_with(world, 4, **LONG_SESSION)
    busy = world.consumer("group", name="busy", session_timeout_ms=LONG_SESSION_MS)
    stable(world, "group", busy)
    (busy_id,) = world.group("group").members
    busy.stop_polling()
    before_ms = explain(world, "group", "status")["at_ms"]
    joining = world.consumer("group", name="joining", session_timeout_ms=LONG_SESSION_MS)

    def blocking(why):
        return [wait for wait in why["waits"] if wait["blocks"] and wait["member"]]

    # Before that a new client of the classic protocol is given a member id, and is waited for itself; one of the consumer protocol
    # is waited for until it hears of what it shall give up.
    is_consumer = world.environment.is_consumer_protocol
    awaited = "MemberToRevoke" if is_consumer else "MemberToRejoin"

    def waits_for_busy(why):
        return [wait for wait in blocking(why) if (wait["name"], wait["member"]["member_id"]) == (awaited, busy_id)]

    why = when(world, "group", waits_for_busy, "a wait for the busy member")
    (wait,) = blocking(why)
    assert wait["member"]["software"] is None or wait["member"]["software"]["name"], "old clients do not say"
    assert wait["holds"] == {"topic": [0, 1, 2, 3]}
    assert before_ms <= wait["since_ms"] <= why["at_ms"]
    assert wait["until_ms"] - wait["since_ms"] == pytest.approx(300_000, abs=5_000), "the clients' max.poll.interval.ms"
    assert wait["then"] == "MemberRemoved" and wait["text"] and wait["next"]
    assert why["state"] == ("Reconciling" if is_consumer else "PreparingRebalance")
    assert why["status"] == "REBALANCING"
    (finding,) = [finding for finding in why["findings"] if finding["status"] == "REBALANCING"]
    assert finding["member"]["member_id"] == busy_id
    assert before_ms <= why["since_ms"] == finding["since_ms"]
    assert "join" in why["cause"]["text"], why["cause"]

    busy.poll_again()
    stable(world, "group", busy, joining)
    why = explain(world, "group", "why")
    assert (why["status"], blocking(why)) == ("OK", [])


def test_24_a_frozen_member_is_named_before_it_is_removed(world):
    topic_with(world, 2)
    frozen = world.consumer("group", name="frozen", session_timeout_ms=8_000)
    stable(world, "group", frozen)
    (frozen_id,) = world.group("group").members
    survivor = world.consumer("group", name="survivor", session_timeout_ms=8_000)
    stable(world, "group", frozen, survivor)
    frozen.freeze()
    why = when(world, "group", lambda why: "WARN" in {finding["status"] for finding in why["findings"]}, "the silence to be noticed")
    (finding,) = why["findings"]
    assert finding["member"]["member_id"] == frozen_id and finding["topic"] is None
    assert "has not been heard of for" in finding["text"] and "it is removed in" in finding["text"]
    assert {member["member"]["member_id"] for member in why["members"]} > {frozen_id}, "it is still there"
    (wait,) = [wait for wait in why["waits"] if wait["member"]["member_id"] == frozen_id]
    assert (wait["name"], wait["blocks"], wait["then"]) == ("Heartbeat", False, "MemberRemoved")

    world.wait(lambda: events(world, "group", "member_removed", view="timeline"), "it to be removed")
    (removed,) = events(world, "group", "member_removed", view="timeline")
    assert removed["member"]["member_id"] == frozen_id
    ((_, partition),) = frozen.assignment
    assert removed["held"] == {"topic": [partition]}
    assert abs(removed["at_ms"] - wait["until_ms"]) < 2_000, "when it was said to be removed"
    survivor.wait(lambda: len(survivor.assignment) == 2, "both partitions")


def test_25_members_without_partitions_and_one_partition_with_all_the_lag(world):
    topic_with(world, 2)
    members = [world.consumer("group", name=f"member{number}") for number in range(3)]
    stable(world, "group", *members)
    assert explain(world, "group", "why")["status"] == "OK", "idle members are no harm"
    world.produce(numbered("few", 0, 5), 0)
    world.produce(numbered("many", 0, 200), 1)
    world.wait(lambda: sum(len(member.records) for member in members) == 205, "all records")
    for member in members:
        if member.assignment:
            member.commit({partition: 0 for partition in member.assignment})
    idle_id = next(row["member"]["member_id"] for row in explain(world, "group", "why")["members"] if not row["partitions"])

    why = when(world, "group", lambda why: len(why["findings"]) == 2, "two findings")
    lopsided, idle = why["findings"]
    assert (lopsided["status"], lopsided["topic"], lopsided["partition"]) == ("WARN", "topic", 1)
    assert lopsided["text"] == "97 % of what waits is in topic/1: 200 of 205 records"
    assert idle["status"] == "IDLE" and idle["member"]["member_id"] == idle_id
    assert idle["text"] == "1 of 3 members have nothing to read: there are 2 partitions"
    assert why["status"] == "WARN"
    (line,) = explain(world, "group", "status")["groups"]
    assert (line["members"], line["idle_members"], line["lag_records"]) == (3, 1, 205)


def test_26_a_reset_under_a_member_is_not_undone_by_it(world):
    topic_with(world, 1)
    world.produce(numbered("a", 0, 20))
    # Some clients forget their member id when a commit is refused: then what they were is waited for until its session ends.
    member = everything_read(world, 20, commit_on_revoke=True)
    member.commit({("topic", 0): 20})
    # It is busy, and so cannot have joined the new generation when it commits.
    member.stop_polling()
    with pytest.raises(wire.Refused, match="members"):
        wire.reset_offsets(world.broker.address, "group", {("topic", 0): 5})
    assert wire.reset_offsets(world.broker.address, "group", {("topic", 0): 5}, online=True, validate_only=True) == {("topic", 0): (20, 5)}
    assert committed(world) == 20, "it was only asked"
    assert wire.reset_offsets(world.broker.address, "group", {("topic", 0): 5}, online=True) == {("topic", 0): (20, 5)}
    with pytest.raises(ClientError):
        member.commit({("topic", 0): 20})
    assert committed(world) == 5, "a commit of the old generation counts no more"
    # Now it commits once more what it had, as its partitions are taken away.
    member.poll_again()
    member.wait(lambda: len(member.records) >= 35, "what lies after the reset")
    assert member.offsets(0) == list(range(20)) + list(range(5, 20))
    assert committed(world) == 5
    member.commit({("topic", 0): 20})
    assert committed(world) == 20, "and of the new one it counts"
    (reset,) = events(world, "group", "offsets_reset")
    assert reset["online"] and not reset["undo"]
    assert reset["topics"] == [{"topic": "topic", "partition": 0, "from": 20, "to": 5}]

    member.commit({("topic", 0): 18})
    assert wire.reset_offsets(world.broker.address, "group", {}, online=True, undo=True) == {("topic", 0): (18, 20)}
    assert committed(world) == 20
    with pytest.raises(wire.Refused, match="no reset"):
        wire.reset_offsets(world.broker.address, "group", {}, online=True, undo=True)
    world.wait(lambda: world.group("group").state == "Stable", "the group to be stable")
    world.produce(numbered("b", 0, 5))
    member.wait(lambda: member.offsets(0)[-1] == 24, "the new records")
    assert member.offsets(0)[35:] == list(range(20, 25)), "it goes on from there"
    assert [event["undo"] for event in events(world, "group", "offsets_reset")] == [False, True]


def committed(world):
    """Where the group is, as the broker has it."""
    (line,) = explain(world, "group", "lag")["partitions"]
    return line["committed"]
