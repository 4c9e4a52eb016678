"""Logs that age, seen by real clients: retention takes what a group has not read, compaction what has a newer record.

Everything that ages a log is made fast by properties; the tests wait until the broker shows that it happened.
"""

import brokers
import wire
from test_seed import check_policies, commit_for_policies, numbered, topic_with

SEGMENT_BYTES = 1 << 20
"""The smallest that Kafka allows."""
LARGE = 100 << 10
"""Ten batches of this size make a segment."""
FAST = {"log_segment_bytes": SEGMENT_BYTES, "log_retention_check_interval_ms": 100, "log_cleaner_backoff_ms": 100}
FAST_KAFKA = {"log_initial_task_delay_ms": 100, "log_segment_delete_delay_ms": 100, "log_cleaner_enable": "true"}
"""What the reference needs besides: it waits half a minute before its first look."""
FAST_OTTLA = {"ottla_checkpoint_interval_ms": 100}
"""What Ottla needs besides: few records stay in memory until a checkpoint, and compaction looks at segment files."""


def large(prefix, first, end):
    """Values that tell where they belong and fill segments."""
    return [value + "." * LARGE for value in numbered(prefix, first, end)]


def ageing_topic(world, make_broker, **properties):
    """Start a broker whose logs age fast, with a topic of one partition."""
    more = FAST_KAFKA if make_broker is brokers.KafkaBroker else FAST_OTTLA
    topic_with(world, 1, **FAST, **more, **properties)


def test_16_retention_takes_a_committed_offset_and_the_policy_holds(world, make_broker):
    ageing_topic(world, make_broker, log_retention_bytes=SEGMENT_BYTES)
    world.produce(numbered("old", 0, 10))
    groups = commit_for_policies(world, "taken", 5)
    end = 10
    for value in large("new", 0, 40):  # each a batch of its own
        end = world.produce([value])[0] + 1
    assert end == 50

    # As long as the log is larger than retention.bytes without its oldest segment, that one goes.
    world.wait(lambda: end - wire.bounds(world.broker.address, "topic", 0)[0] <= 20, "retention to remove what it may")
    start, _ = wire.bounds(world.broker.address, "topic", 0)
    assert end - start >= 10, "retention.bytes stay"
    check_policies(world, groups, start, end, "offset out of range")


def test_17_a_compacted_topic_keeps_the_last_record_of_each_key(world, make_broker):
    ageing_topic(world, make_broker, log_cleanup_policy="compact", log_cleaner_min_cleanable_ratio=0.01)
    sent, keys = large("value", 0, 40), [f"key-{number % 3}" for number in range(40)]
    follower = world.consumer("follower")
    for offset, (value, key) in enumerate(zip(sent, keys)):
        assert world.produce([value], keys=[key]) == [offset]
    follower.wait(lambda: follower.records and follower.records[-1].offset == 39, "the last record")
    follower.commit({("topic", 0): 4})
    follower.close()

    def compacted():
        return [batch.base_offset for batch in wire.batches(world.broker.address, "topic", 0) if batch.records]

    # Three sealed segments and the active one; of the sealed ones the newest of each key stays.
    world.wait(lambda: len(compacted()) <= 10 + 3, "compaction to remove what it may")
    offsets = compacted()
    assert wire.bounds(world.broker.address, "topic", 0) == (0, 40), "offsets stay as they are"

    reader, again = world.consumer("reader"), world.consumer("follower", name="again")
    for client, first in ((reader, 0), (again, 4)):
        client.wait(lambda client=client: client.records and client.records[-1].offset == 39, "the last record")
        read = [record.offset for record in client.records]
        assert read == [offset for offset in offsets if offset >= first], "what is there, in order"
        assert all(record.value == sent[record.offset] for record in client.records), "each where it was"
    last = {key: offset for offset, key in enumerate(keys)}
    assert set(last.values()) <= set(offsets)
    assert world.produce(["one more"], keys=["key-0"]) == [40]
    reader.wait(lambda: reader.records[-1].offset == 40, "a new record")
