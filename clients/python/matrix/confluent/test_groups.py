"""Members of one group: who owns what, and where they go on."""

import confluent_kafka
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from conftest import POLL_S, checked, take
from deadlines import rounds

PROTOCOLS = {
    "classic": {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 300},
    "consumer": {"group_protocol": "consumer"},
}


class Member:
    """A consumer that notes what it is given, what is taken from it, and what it reads."""

    def __init__(self, consumer, topic):
        self.consumer = consumer
        self.values, self.revoked = [], []
        consumer.subscribe([topic], on_revoke=self._note_revoked)

    def poll(self):
        self.values += [record.value() for record in checked(self.consumer.poll(POLL_S))]

    @property
    def owned(self):
        return {partition.partition for partition in self.consumer.assignment()}

    def _note_revoked(self, _, partitions):
        self.revoked.append({partition.partition for partition in partitions})


class Group:
    """The members that are there, and what they have read together."""

    def __init__(self, partitions):
        self.partitions = partitions
        self.members, self.values = [], set()

    def poll_until(self, shares, values=frozenset()):
        """Until each member has as many partitions as `shares` says, in some order, and the values have been read by somebody."""
        def state():
            return f"shares {shares} but {[member.owned for member in self.members]}, unread {sorted(values - self.values)}"
        for _ in rounds(state):
            for member in self.members:
                member.poll()
                self.values.update(member.values)
            owned = [partition for member in self.members for partition in member.owned]
            assert len(owned) == len(set(owned)), f"a partition has two owners: {state()}"
            if sorted(len(member.owned) for member in self.members) == shares and values <= self.values:
                assert set(owned) == self.partitions
                return

    def leave(self, member):
        self.members.remove(member)
        member.consumer.close()


@pytest.fixture
def send(make_producer):
    """`send(topic, partitions, "a")` sends five records to each and returns their values."""
    producer = make_producer()

    def send(topic, partitions, name):
        values = {(partition, b"%s %d %d" % (name.encode(), partition, number)) for partition in partitions for number in range(5)}
        for partition, value in values:
            producer.send(topic, value, partition=partition)
        producer.finish()
        return {value for _, value in values}
    return send


def share_and_take_over(make_topic, make_consumer, send, settings):
    partitions = {0, 1, 2, 3}
    topic, group = make_topic(len(partitions)), Group(partitions)

    def join(count):
        group.members += [Member(make_consumer(enable_auto_commit=True, **settings), topic) for _ in range(count)]
    join(2)
    group.poll_until([2, 2], send(topic, partitions, "two"))
    join(3)
    group.poll_until([0, 1, 1, 1, 1], send(topic, partitions, "five"))
    for member in [member for member in group.members if member.owned][:2]:
        group.leave(member)
    group.poll_until([1, 1, 2], send(topic, partitions, "three"))
    for member in group.members[1:]:
        group.leave(member)
    group.poll_until([4], send(topic, partitions, "one"))


def test_group_classic(make_topic, make_consumer, send):
    share_and_take_over(make_topic, make_consumer, send, PROTOCOLS["classic"])


def test_group_consumer(make_topic, make_consumer, send):
    share_and_take_over(make_topic, make_consumer, send, PROTOCOLS["consumer"])


def test_group_cooperative(make_topic, make_consumer, send):
    settings = {**PROTOCOLS["classic"], "partition_assignment_strategy": "cooperative-sticky"}
    topic, group = make_topic(4), Group({0, 1, 2, 3})
    first = Member(make_consumer(**settings), topic)
    group.members.append(first)
    group.poll_until([4])

    ever_owned = [first.owned]
    second = Member(make_consumer(**settings), topic)
    for _ in rounds(lambda: f"two partitions each, but {first.owned} and {second.owned}"):
        first.poll()
        ever_owned.append(first.owned)
        second.poll()
        if len(first.owned) == len(second.owned) == 2:
            break
    assert first.revoked == [second.owned], "only what the second one got was taken from the first, and once"
    assert set.intersection(*ever_owned) == first.owned, "what the first one keeps it had all the time"
    group.members.append(second)
    group.poll_until([2, 2], send(topic, range(4), "both"))


def test_commit_resume(admin, make_topic, make_producer, make_consumer, group):
    topic, half = make_topic(), 50
    producer = make_producer()
    for number in range(100):
        producer.send(topic, b"%d" % number)
    producer.finish()

    first = make_consumer()
    first.subscribe([topic])
    take(first, half)
    first.commit(offsets=[TopicPartition(topic, 0, half, "half of it")], asynchronous=False)
    first.close()

    second = make_consumer()
    (kept,) = second.committed([TopicPartition(topic, 0)], timeout=10)
    assert (kept.offset, kept.metadata) == (half, "half of it")
    listed = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result().topic_partitions
    assert [(one.topic, one.partition, one.offset, one.metadata) for one in listed] == [(topic, 0, half, "half of it")]
    second.subscribe([topic])
    assert [record.offset() for record in take(second, half)] == list(range(half, 100))


def test_commit_resume_earliest(make_topic, make_producer, make_consumer):
    topic = make_topic()
    producer = make_producer()
    producer.send(topic, b"old")
    producer.finish()
    consumer = make_consumer(auto_offset_reset="earliest")
    consumer.subscribe([topic])
    assert [record.value() for record in take(consumer, 1)] == [b"old"]


def test_commit_resume_latest(make_topic, make_producer, make_consumer):
    topic = make_topic()
    producer = make_producer()
    producer.send(topic, b"old")
    producer.finish()
    consumer = make_consumer(auto_offset_reset="latest")
    consumer.subscribe([topic])
    # Where the log ends for this member shows with the first record that it reads: one is sent in each round until then.
    for _ in rounds("a new record"):
        records = checked(consumer.poll(POLL_S))
        if records:
            break
        if consumer.assignment():
            producer.send(topic, b"new")
            producer.finish()
    assert records[0].value() == b"new"


def test_commit_resume_none(make_topic, make_consumer):
    consumer = make_consumer(auto_offset_reset="error")
    consumer.subscribe([make_topic()])
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        take(consumer, 1)
    assert refused.value.args[0].code() == confluent_kafka.KafkaError._AUTO_OFFSET_RESET
