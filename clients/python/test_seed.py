"""The seed as a list: each sentence about consumers and groups is one test, run with every client version.

Read a test as the story it tells; who is who: `world` is one broker and processes of one client version.
"""

import fcntl
import hashlib
import pathlib
import signal
import subprocess

import pytest

import brokers
import environments
import wire

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE / "seed_example.py"

SHORT_SESSION_MS = 6_000
LONG_SESSION_MS = 300_000
"""Longer than any deadline here: what happens in time was not caused by a session that ran out."""

NOT_APPLICABLE = {
    ("cooperative", "kafka-python-2.3.3"): "kafka-python 2 has no cooperative assignor",
    ("cooperative", "aiokafka-0.14.0"): "aiokafka has no cooperative assignor",
    ("other protocol", "kafka-python-3.0.12"): "kafka-python has only the classic protocol",
    ("other protocol", "kafka-python-2.3.3"): "kafka-python has only the classic protocol",
    ("other protocol", "confluent-kafka-2.0.2"): "confluent-kafka 2.0 has only the classic protocol",
    ("other protocol", "aiokafka-0.14.0"): "aiokafka has only the classic protocol",
}


def numbered(prefix, first, end):
    """Values that tell where they belong."""
    return [f"{prefix}-{number}" for number in range(first, end)]


def stable(world, group, *members):
    """Wait until these members, and no others, own every partition of the topic, evenly, each partition once."""

    def shared_out():
        if any(member.assignment is None for member in members):
            return False
        owned = [partition for member in members for partition in member.assignment]
        shares = [len(member.assignment) for member in members]
        described = world.group(group)
        return (described.state == "Stable" and len(described.members) == len(members)
                and len(owned) == len(set(owned)) == world.partitions and max(shares) - min(shares) <= 1)

    world.wait(shared_out, f"{group} to share {world.partitions} partitions among {len(members)}")


def topic_with(world, partitions, **properties):
    """Start the broker and create the topic that the story is about."""
    world.start_broker(**properties)
    world.partitions = partitions
    world.create_topic(partitions)


# ---------------------------------------------------------------------------------------------------------------------------------

@pytest.mark.xdist_group("port 9092")
def test_01_the_example_prints_what_a_producer_sends(world, make_broker):
    expected = (HERE / "seed_example.sha256").read_text().split()[0]
    assert hashlib.sha256(EXAMPLE.read_bytes()).hexdigest() == expected, "the example is no longer the seed's"

    world.broker = make_broker(world.folder / "broker", **_on_port_9092(make_broker))
    world.held.append(_port_9092_for_us_alone())
    world.broker.start()
    world.broker.address = ("localhost", 9092)
    is_kafka_python = world.environment.family == "kafka_python"
    python = environments.python_of(world.environment if is_kafka_python else environments.NEWEST_KAFKA_PYTHON)
    printed = world.folder / "example.out"
    with open(printed, "w") as out, open(world.folder / "example.err", "w") as err:
        example = subprocess.Popen([str(python), "-u", str(EXAMPLE)], stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            world.produce(["one", "two"], topic="test-topic")
            world.produce(["three"], topic="test-topic")
            lines = [f"Partition: 0, Offset: {offset}, Value: {value}"
                     for offset, value in enumerate([b"one", b"two", b"three"])]
            world.wait(lambda: _lines_of(printed) == lines or example.poll() is not None, "the example to print three messages")
            assert _lines_of(printed) == lines
            world.produce(["four"], topic="test-topic")
            lines.append(f"Partition: 0, Offset: 3, Value: {b'four'}")
            world.wait(lambda: len(_lines_of(printed)) > 3 or example.poll() is not None, "the example to print the fourth message")
            assert _lines_of(printed) == lines and example.poll() is None
        finally:
            example.send_signal(signal.SIGKILL)
            example.wait()


def _port_9092_for_us_alone():
    """Wait until no other run of these tests has that port; closing gives it back."""
    lock = open(environments.TARGET / "port-9092.lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _lines_of(path):
    """Opened anew each time: in the process's own open file, reading would move the place where it writes next."""
    return path.read_text().splitlines()


def _on_port_9092(make_broker):
    return {"port": 9092} if make_broker is brokers.KafkaBroker else {"listen": None}


def test_02_members_share_partitions_without_overlap(world):
    topic_with(world, 4)
    one, two = world.consumer("group", name="one"), world.consumer("group", name="two")
    stable(world, "group", one, two)
    assert len(one.assignment) == len(two.assignment) == 2
    sent = world.produce_everywhere("shared", 25, 4)
    world.wait(lambda: len(one.records) + len(two.records) >= len(sent), "all records to arrive")
    assert sorted(one.values() + two.values()) == sorted(sent), "each record at exactly one member"
    for member in (one, two):
        assert {(record.topic, record.partition) for record in member.records} == member.assignment
        for _, partition in member.assignment:
            assert member.offsets(partition) == list(range(25)), "in order"


def test_03_a_killed_member_is_replaced_and_nothing_is_lost(world):
    topic_with(world, 4)
    victim = world.consumer("group", name="victim", session_timeout_ms=SHORT_SESSION_MS)
    survivor = world.consumer("group", name="survivor", session_timeout_ms=SHORT_SESSION_MS, commit_on_revoke=True)
    stable(world, "group", victim, survivor)
    world.produce_everywhere("before", 10, 4)
    victim.wait(lambda: len(victim.records) == 20, "its 20 records")
    survivor.wait(lambda: len(survivor.records) == 20, "its 20 records")
    victim.commit({partition: 4 for partition in victim.assignment})  # it has read 10: six are read, but not done

    victim.kill()
    world.produce_everywhere("while dead", 5, 4)
    stable(world, "group", survivor)
    world.produce_everywhere("after", 5, 4)
    survivor.wait(lambda: len(survivor.records) >= 20 + 2 * 16 + 2 * 10, "everything that is not committed")
    for _, partition in victim.assignment:
        assert survivor.offsets(partition) == list(range(4, 20)), "from the victim's commit on, each once, in order"
    for _, partition in survivor.assignment - victim.assignment:
        assert survivor.offsets(partition) == list(range(20))


def test_04_a_leaving_member_is_replaced_at_once(world):
    topic_with(world, 4)
    leaving = world.consumer("group", name="leaving", session_timeout_ms=LONG_SESSION_MS)
    staying = world.consumer("group", name="staying", session_timeout_ms=LONG_SESSION_MS)
    stable(world, "group", leaving, staying)
    leaving.commit({partition: 0 for partition in leaving.assignment})
    leaving.close()
    # The session is longer than the deadline, so only the leave can have freed the partitions.
    stable(world, "group", staying)
    sent = world.produce_everywhere("after", 5, 4)
    staying.wait(lambda: len(staying.records) >= len(sent), "the records of all partitions")
    assert sorted(staying.values()) == sorted(sent)


def test_05_a_new_member_takes_its_share(world):
    topic_with(world, 4)
    first = world.consumer("group", name="first", commit_on_revoke=True)
    stable(world, "group", first)
    sent = world.produce_everywhere("alone", 10, 4)
    first.wait(lambda: len(first.records) == 40, "all records while it is alone")
    second = world.consumer("group", name="second", commit_on_revoke=True)
    stable(world, "group", first, second)
    assert len(first.assignment) == len(second.assignment) == 2
    sent += world.produce_everywhere("together", 10, 4)
    world.wait(lambda: len(first.records) + len(second.records) >= len(sent), "the records sent to both")
    assert sorted(first.values() + second.values()) == sorted(sent), "handed over at the commit: nothing lost, nothing twice"
    assert {(record.topic, record.partition) for record in second.records} == second.assignment
    assert len(second.records) == 20


def test_06_members_beyond_the_partitions_idle_stay_and_take_over(world):
    topic_with(world, 2)
    members = [world.consumer("group", name=f"member{number}", session_timeout_ms=SHORT_SESSION_MS) for number in range(3)]
    stable(world, "group", *members)
    assert sorted(len(member.assignment) for member in members) == [0, 1, 1]
    idle = next(member for member in members if not member.assignment)
    victim, other = (member for member in members if member.assignment)
    before = world.group("group")

    # Longer than a session: it idles, but it is alive.
    def still_there():
        now = world.group("group")
        assert (now.state, set(now.members)) == ("Stable", set(before.members)), "nobody is evicted, nobody rejoins"
        return False

    _watch(world, still_there, SHORT_SESSION_MS / 1000 * 1.3)
    world.produce_everywhere("before", 5, 2)
    world.wait(lambda: len(victim.records) == len(other.records) == 5, "the owners to read")
    assert not idle.records and not idle.assignment
    victim.commit({partition: 3 for partition in victim.assignment})
    other.commit({partition: 5 for partition in other.assignment})

    victim.kill()
    stable(world, "group", idle, other)
    assert len(idle.assignment) == len(other.assignment) == 1
    world.produce_everywhere("after", 5, 2)
    world.wait(lambda: len(idle.records) + len(other.records) >= 5 + 7 + 5, "both to read on")
    taken = next(iter(victim.assignment))[1]
    assert sorted(idle.offsets(taken) + other.offsets(taken))[-7:] == list(range(3, 10)), "from the commit on"


def _watch(world, check, seconds):
    """Look again and again for a span of time that is itself the subject."""
    try:
        world.wait(check, "the time to pass", seconds)
    except AssertionError as over:
        if "the time to pass" not in str(over):
            raise


def test_07_groups_do_not_disturb_each_other(world):
    topic_with(world, 2)
    audit = world.consumer("audit")
    stable(world, "audit", audit)
    one, two = (world.consumer("billing", name=name, session_timeout_ms=SHORT_SESSION_MS) for name in ("one", "two"))
    stable(world, "billing", one, two)
    sent = world.produce_everywhere("order", 10, 2)
    audit.wait(lambda: len(audit.records) >= 20, "all records")
    world.wait(lambda: len(one.records) + len(two.records) >= 20, "both to have all records")
    assert sorted(audit.values()) == sorted(one.values() + two.values()) == sorted(sent), "each group has everything, once"
    audit.commit({("topic", 0): 3})
    ((_, partition),) = one.assignment
    one.commit({("topic", partition): 7})
    assert audit.committed("topic", 0) == 3
    assert one.committed("topic", partition) == 7
    assert audit.committed("topic", 1) == (None if partition != 1 else audit.committed("topic", 1))
    other = 1 - partition
    assert two.committed("topic", other) is None, "the other group's commit is not this one's"

    rebalances = audit.count("assigned")
    member = set(world.group("audit").members)
    two.kill()
    one.close()
    three = world.consumer("billing", name="three", session_timeout_ms=SHORT_SESSION_MS)
    three.wait(lambda: three.assignment, "an assignment")
    more = world.produce_everywhere("more", 5, 2)
    audit.wait(lambda: len(audit.records) >= 30, "the new records")
    assert audit.count("assigned") == rebalances and set(world.group("audit").members) == member, "undisturbed"
    assert sorted(audit.values()) == sorted(sent + more)
    assert audit.committed("topic", 0) == 3


def test_08_a_restarted_client_resumes_at_the_commit(world):
    topic_with(world, 1)
    assert world.produce(numbered("a", 0, 10)) == list(range(10))
    assert [(batch.base_offset, batch.records) for batch in wire.batches(world.broker.address, "topic", 0)] == [(0, 10)]

    first = world.consumer("group", name="first")
    first.wait(lambda: len(first.records) == 10, "the batch")
    first.commit({("topic", 0): 4})
    first.close()
    second = world.consumer("group", name="second")
    second.wait(lambda: len(second.records) >= 6, "the rest of the batch")
    assert second.offsets(0) == list(range(4, 10)), "in the middle of the batch"
    assert second.committed("topic", 0) == 4
    second.seek("topic", 0, 1)
    second.wait(lambda: len(second.records) >= 6 + 9, "the records from offset 1")
    assert second.offsets(0)[6:] == list(range(1, 10)), "a seek goes where it says"
    second.commit({("topic", 0): 10})
    second.close()
    third = world.consumer("group", name="third")
    third.wait(lambda: third.assignment, "its partition")
    world.produce(numbered("b", 0, 5))
    third.wait(lambda: len(third.records) >= 5, "the new records")
    assert third.offsets(0) == list(range(10, 15)), "at the end of the log, nothing again"


def test_09_commits_and_members_survive_kill_9_of_the_broker(world):
    topic_with(world, 1)
    world.produce(numbered("a", 0, 10))
    restarted = world.consumer("restarted", name="before")
    running = world.consumer("running", session_timeout_ms=LONG_SESSION_MS)
    restarted.wait(lambda: len(restarted.records) == 10, "the batch")
    running.wait(lambda: len(running.records) == 10, "the batch")
    restarted.commit({("topic", 0): 4})
    running.commit({("topic", 0): 8})
    restarted.close()

    world.broker.kill()
    world.broker.start()

    world.produce(numbered("b", 0, 5))
    running.wait(lambda: len(running.records) >= 15, "the new records")
    again = world.consumer("restarted", name="after")
    again.wait(lambda: len(again.records) >= 11, "everything after the commit")
    assert again.offsets(0) == list(range(4, 15))
    assert again.committed("topic", 0) == 4
    assert running.offsets(0) == list(range(15)), "it went on where it was"
    assert running.committed("topic", 0) == 8
    running.commit({("topic", 0): 15})
    assert running.committed("topic", 0) == 15


# --- where a group begins that has no usable offset ---

def check_policies(world, groups, start, end, complaint):
    """`groups` maps each policy to a group. The partition holds offsets `start` to `end`; the clients are expected to complain so."""
    consumers = {policy: world.consumer(group, name=policy, reset=policy) for policy, group in groups.items()}
    earliest, latest, none = consumers["earliest"], consumers["latest"], consumers["none"]
    none.wait(lambda: none.errors, "the client's own exception")
    assert none.errors[0] == none.greeting["errors"][complaint]
    assert not none.records

    earliest.wait(lambda: len(earliest.records) >= end - start, "everything from the start of the log")
    assert earliest.offsets(0)[:end - start] == list(range(start, end))

    # `latest` looks up the end at a moment of its own: keep sending until it has seen some of it.
    sent = 0
    while not latest.until(lambda: latest.records, 0.05):
        assert sent < 2_000, f"{latest} reads nothing new; errors {latest.errors}\n{latest.log_tail()}"
        assert world.produce([f"new-{sent}"]) == [end + sent]
        sent += 1
    world.produce(numbered("last", 0, 3))
    latest.wait(lambda: latest.values()[-1] == "last-2", "the last record")
    first_seen = latest.offsets(0)[0]
    assert first_seen >= end, "only what came after it began"
    assert latest.offsets(0) == list(range(first_seen, end + sent + 3)), "from there on without a gap"
    earliest.wait(lambda: earliest.values()[-1] == "last-2", "the last record")
    assert earliest.offsets(0) == list(range(start, end + sent + 3))
    assert not none.records


def commit_for_policies(world, prefix, offset):
    """Three groups, one for each policy, that have committed the offset and are empty again."""
    groups = {policy: f"{prefix}-{policy}" for policy in ("earliest", "latest", "none")}
    members = [world.consumer(group) for group in groups.values()]
    for member in members:
        member.wait(lambda member=member: member.assignment, "its partition")
        member.commit({("topic", 0): offset})
        assert member.committed("topic", 0) == offset
    leaving = [(member, member.start("close")) for member in members]
    for member, close in leaving:
        member.finish(close)
    world.wait(lambda: all(not world.group(group).members for group in groups.values()), "the groups to be empty")
    return groups


def test_10_the_first_read_follows_the_policy(world):
    topic_with(world, 1)
    world.produce(numbered("old", 0, 10))
    groups = {policy: f"first-{policy}" for policy in ("earliest", "latest", "none")}
    check_policies(world, groups, 0, 10, "no committed offset")


def test_11_a_deleted_commit_follows_the_policy(world):
    topic_with(world, 1)
    world.produce(numbered("old", 0, 10))
    groups = commit_for_policies(world, "deleted", 5)
    for group in groups.values():
        world.admin("delete_group_offsets", group, [["topic", 0]])
    check_policies(world, groups, 0, 10, "no committed offset")


def test_12_an_offset_out_of_range_follows_the_policy(world):
    topic_with(world, 1)
    world.produce(numbered("old", 0, 10))
    below = commit_for_policies(world, "below", 3)
    past = commit_for_policies(world, "past", 100_000)
    world.admin("delete_records", "topic", 0, 6)
    check_policies(world, below, 6, 10, "offset out of range")
    end = world.produce(["between"])[0] + 1
    check_policies(world, past, 6, end, "offset out of range")


# ---------------------------------------------------------------------------------------------------------------------------------

def test_13_cooperative_rebalancing_moves_only_what_must_move(world):
    topic_with(world, 4)
    reason = NOT_APPLICABLE.get(("cooperative", world.environment.name))
    capable = world.client("asked").greeting["capabilities"]["cooperative"]
    assert capable == (reason is None), "the list of what does not apply is out of date"
    if reason:
        pytest.skip(f"not applicable: {reason}")

    options = {"cooperative": True, "commit_on_revoke": True, "session_timeout_ms": LONG_SESSION_MS}
    first = world.consumer("group", name="first", **options)
    stable(world, "group", first)
    sent = world.produce_everywhere("alone", 10, 4)
    first.wait(lambda: len(first.records) == 40, "all records while it is alone")
    second = world.consumer("group", name="second", **options)
    stable(world, "group", first, second)
    assert len(first.assignment) == len(second.assignment) == 2
    revoked = [partition for event, partitions in first.events if event == "revoked" for partition in partitions]
    assert sorted(revoked) == sorted(second.assignment), "it gave up what the new member got, and kept the rest throughout"
    sent += world.produce_everywhere("together", 10, 4)
    world.wait(lambda: len(first.records) + len(second.records) >= 80, "the records sent to both")
    assert sorted(first.values() + second.values()) == sorted(sent), "nothing lost, nothing twice"

    kept = set(first.assignment)
    second.commit({partition: 20 for partition in second.assignment})
    second.close()
    stable(world, "group", first)
    sent += world.produce_everywhere("alone again", 10, 4)
    world.wait(lambda: len(first.records) + len(second.records) >= 120, "the records of the last round")
    assert sorted(first.values() + second.values()) == sorted(sent)
    lost = [partitions & kept for event, partitions in first.events if event == "revoked"]
    assert not any(lost), "what it kept was never taken away"


def test_14_all_codecs_there_and_back(world):
    topic_with(world, 1)
    values = []
    for codec in wire.CODECS:
        # Long and repetitive, so that a codec that is switched on is also used.
        batch = [f"{codec}-{number}-" + "the same again " * 200 for number in range(20)]
        assert world.produce(batch, codec=codec) == list(range(len(values), len(values) + 20))
        values += batch
    stored = [batch.codec for batch in wire.batches(world.broker.address, "topic", 0)]
    assert list(dict.fromkeys(stored)) == list(wire.CODECS), "each batch lies there as it was sent"

    other = environments.NEWEST_CONFLUENT if world.environment.family != "confluent" else environments.NEWEST_KAFKA_PYTHON
    for reader in (world.consumer("same"), world.consumer("other", environment=other)):
        reader.wait(lambda reader=reader: len(reader.records) >= len(values), "all records")
        assert reader.values() == values and not reader.errors


def test_15_an_unknown_topic_is_created_or_refused(world):
    # librdkafka asks for the creation of an unknown topic only if it also subscribes to one that exists.
    topics = ("known", "unknown")
    both = {("known", 0), ("unknown", 0)}
    world.start_broker()
    world.create_topic(1, "known")
    creating = world.consumer("group", topics)
    creating.wait(lambda: creating.assignment == both, "the topic that it asked for")
    assert wire.topics(world.broker.address) >= set(topics)
    world.produce(numbered("a", 0, 5), topic="unknown")
    creating.wait(lambda: len(creating.records) >= 5, "the records")
    assert creating.values() == numbered("a", 0, 5)
    world.end()

    world = world.again("refusing")
    world.start_broker(auto_create_topics_enable="false")
    world.create_topic(1, "known")
    asking = world.consumer("group", topics, metadata_max_age_ms=500)
    asking.wait(lambda: asking.assignment == {("known", 0)}, "the topic that exists")
    world.produce(numbered("k", 0, 5), topic="known")
    asking.wait(lambda: len(asking.records) >= 5, "the records")
    assert "unknown" not in wire.topics(world.broker.address)
    world.create_topic(1, "unknown")
    asking.wait(lambda: asking.assignment == both, "the topic that somebody else has made")
