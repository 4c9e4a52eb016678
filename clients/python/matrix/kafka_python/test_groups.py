"""Members of one group: who owns what, and where they go on."""

import threading

import pytest
from kafka import OffsetAndMetadata, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import NoOffsetForPartitionError

from conftest import POLL_MS, finish, poll, take
from deadlines import PATIENCE_S, rounds
from ledger import Ledger

FAST = {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 300}


class Member(threading.Thread, ConsumerRebalanceListener):
    """A consumer that polls in a thread of its own and tells the ledger what happens to it."""

    def __init__(self, make_consumer, topic, ledger, **settings):
        super().__init__(daemon=True)
        self.topic, self.ledger, self.revocations = topic, ledger, []
        self.consumer = make_consumer(topic, **FAST, **settings)
        self._leaving = threading.Event()
        ledger.joins(self)
        self.start()

    def run(self):
        self.consumer.subscribe([self.topic], listener=self)
        while not self._leaving.is_set():
            # The client loses track of a rebalance when a poll times out between JoinGroup and SyncGroup: leave it time for both.
            for records in self.consumer.poll(5 * POLL_MS).values():
                for record in records:
                    self.ledger.reads(record.value)
        self.ledger.leaves(self)
        self.consumer.close()

    def leave(self):
        self._leaving.set()
        self.join(PATIENCE_S)
        assert not self.is_alive()

    @property
    def owned(self):
        return self.ledger.owned(self)

    def on_partitions_assigned(self, assigned):
        self.ledger.gains(self, {partition.partition for partition in assigned})

    def on_partitions_revoked(self, revoked):
        if revoked:
            self.revocations.append({partition.partition for partition in revoked})
        self.ledger.loses(self, {partition.partition for partition in revoked})


@pytest.fixture
def send(make_producer):
    """`send(topic, "a")` sends five records to each of four partitions and returns their values."""
    producer = make_producer()

    def send(topic, name):
        values = {(partition, b"%s %d %d" % (name.encode(), partition, number)) for partition in range(4) for number in range(5)}
        finish([producer.send(topic, value, partition=partition) for partition, value in values])
        return {value for _, value in values}
    return send


@pytest.fixture
def members(make_consumer):
    """The members of the test's group; those that are left leave with the test."""
    there = []

    def join(*where, **settings):
        there.append(Member(make_consumer, *where, **settings))
        return there[-1]
    yield join
    for member in there:
        member.leave()


def test_group_classic(make_topic, members, send):
    topic, ledger = make_topic(4), Ledger()
    group = [members(topic, ledger, enable_auto_commit=True) for _ in range(2)]
    ledger.wait([2, 2], send(topic, "two"))
    group += [members(topic, ledger, enable_auto_commit=True) for _ in range(3)]
    ledger.wait([0, 1, 1, 1, 1], send(topic, "five"))
    for member in [member for member in group if member.owned][:2]:
        group.remove(member)
        member.leave()
    ledger.wait([1, 1, 2], send(topic, "three"))
    for member in group[1:]:
        member.leave()
    ledger.wait([4], send(topic, "one"))


def test_group_cooperative(make_topic, members, send):
    topic, ledger = make_topic(4), Ledger()
    cooperative = {"partition_assignment_strategy": [CooperativeStickyAssignor]}
    first = members(topic, ledger, **cooperative)
    ledger.wait([4])
    second = members(topic, ledger, **cooperative)
    ledger.wait([2, 2], send(topic, "both"))
    # The ledger would know of a moment in which the first one was without what it keeps: it would have been revoked.
    assert first.revocations == [second.owned], "only what the second one got was taken from the first, and once"


def test_commit_resume(admin, make_topic, make_producer, make_consumer, group):
    topic, half = make_topic(), 50
    partition, producer = TopicPartition(topic, 0), make_producer()
    finish([producer.send(topic, b"%d" % number) for number in range(100)])

    first = make_consumer(topic)
    take(first, half)
    first.commit({partition: OffsetAndMetadata(half, "half of it", -1)})
    first.close()

    second = make_consumer(topic)
    assert second.committed(partition) == half
    assert second.committed(partition, metadata=True).metadata == "half of it"
    listed = admin.list_group_offsets({group: None})[group]
    assert {one: (kept.offset, kept.metadata) for one, kept in listed.items()} == {partition: (half, "half of it")}
    assert [record.offset for record in take(second, half)] == list(range(half, 100))


def test_commit_resume_earliest(make_topic, make_producer, read):
    topic = make_topic()
    finish([make_producer().send(topic, b"old")])
    assert [record.value for record in read(topic, 1, auto_offset_reset="earliest")] == [b"old"]


def test_commit_resume_latest(make_topic, make_producer, make_consumer):
    topic, producer = make_topic(), make_producer()
    finish([producer.send(topic, b"old")])
    consumer = make_consumer(topic, auto_offset_reset="latest")
    # Where the log ends for this member shows with the first record that it reads: one is sent in each round until then.
    for _ in rounds("a new record"):
        records = poll(consumer)
        if records:
            break
        if consumer.assignment():
            finish([producer.send(topic, b"new")])
    assert records[0].value == b"new"


def test_commit_resume_none(make_topic, make_consumer):
    with pytest.raises(NoOffsetForPartitionError):
        take(make_consumer(make_topic(), auto_offset_reset="none"), 1)
