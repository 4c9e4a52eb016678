"""Members of one group: who owns what, and where they go on."""

import asyncio
import contextlib

import pytest
from aiokafka import ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError

from conftest import finish, take
from deadlines import rounds
from ledger import Ledger

FAST = {"session_timeout_ms": 6_000, "heartbeat_interval_ms": 300}


class Member(ConsumerRebalanceListener):
    """A consumer whose records are read by a task of its own, and that tells the ledger what happens to it."""

    def __init__(self, consumer, topic, ledger):
        self.consumer, self.ledger = consumer, ledger
        ledger.joins(self)
        consumer.subscribe([topic], listener=self)
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        async for record in self.consumer:
            self.ledger.reads(record.value)

    async def leave(self):
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading
        self.ledger.leaves(self)
        await self.consumer.stop()

    async def on_partitions_assigned(self, assigned):
        self.ledger.gains(self, {partition.partition for partition in assigned})

    async def on_partitions_revoked(self, revoked):
        self.ledger.loses(self, {partition.partition for partition in revoked})


async def test_group_classic(make_topic, make_producer, make_consumer):
    topic, ledger, producer = await make_topic(4), Ledger(), await make_producer()

    async def join(count):
        return [Member(await make_consumer(**FAST, enable_auto_commit=True), topic, ledger) for _ in range(count)]

    async def settle(shares, name):
        values = {(partition, b"%s %d %d" % (name.encode(), partition, number)) for partition in range(4) for number in range(5)}
        await finish(producer.send(topic, value, partition=partition) for partition, value in values)
        await asyncio.to_thread(ledger.wait, shares, {value for _, value in values})

    group = await join(2)
    await settle([2, 2], "two")
    group += await join(3)
    await settle([0, 1, 1, 1, 1], "five")
    for member in [member for member in group if ledger.owned(member)][:2]:
        group.remove(member)
        await member.leave()
    await settle([1, 1, 2], "three")
    for member in group[1:]:
        await member.leave()
    await settle([4], "one")
    await group[0].leave()


async def test_commit_resume(admin, make_topic, make_producer, make_consumer, group):
    topic, half = await make_topic(), 50
    partition, producer = TopicPartition(topic, 0), await make_producer()
    await finish(producer.send(topic, b"%d" % number) for number in range(100))

    first = await make_consumer(topic)
    await take(first, half)
    await first.commit({partition: (half, "half of it")})
    await first.stop()

    second = await make_consumer(topic)
    assert await second.committed(partition) == half
    assert await admin.list_consumer_group_offsets(group) == {partition: OffsetAndMetadata(half, "half of it")}
    assert [record.offset for record in await take(second, half)] == list(range(half, 100))


async def test_commit_resume_earliest(make_topic, make_producer, read):
    topic, producer = await make_topic(), await make_producer()
    await producer.send_and_wait(topic, b"old")
    assert [record.value for record in await read(topic, 1, auto_offset_reset="earliest")] == [b"old"]


async def test_commit_resume_latest(make_topic, make_producer, make_consumer):
    topic, producer = await make_topic(), await make_producer()
    await producer.send_and_wait(topic, b"old")
    consumer = await make_consumer(topic, auto_offset_reset="latest")
    # Where the log ends for this member shows with the first record that it reads: one is sent in each round until then.
    for _ in rounds("a new record"):
        got = await consumer.getmany(timeout_ms=100)
        if got:
            break
        if consumer.assignment():
            await producer.send_and_wait(topic, b"new")
    assert got[TopicPartition(topic, 0)][0].value == b"new"


async def test_commit_resume_none(make_topic, make_consumer):
    consumer = await make_consumer(await make_topic(), auto_offset_reset="none")
    with pytest.raises(NoOffsetForPartitionError):
        await take(consumer, 1)
