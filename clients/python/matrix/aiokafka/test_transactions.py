"""Transactions: what is seen of them, and who may write them."""

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import ProducerFenced

from conftest import finish, take
from deadlines import rounds


class OnPurpose(Exception):
    """Leaves a transaction without its end, so that it is aborted."""


@pytest.fixture
def make_transactional(make_producer, fresh):
    """Producers of one transactional id, ready to begin."""
    transactional_id = fresh("copier")
    return lambda: make_producer(transactional_id=transactional_id, transaction_timeout_ms=30_000)


async def test_transactions_committed_and_aborted(make_topic, make_transactional, make_producer, read, fresh):
    topic, producer = await make_topic(2), await make_transactional()

    async def send(value, by=producer):
        await finish(by.send(topic, value, partition=partition) for partition in (0, 1))
    with pytest.raises(OnPurpose):
        async with producer.transaction():
            await send(b"aborted")
            raise OnPurpose
    async with producer.transaction():
        await send(b"committed")
    await send(b"after", await make_producer())

    async def seen(count, level):
        return sorted(record.value for record in await read(topic, count, isolation_level=level, group_id=fresh("reader")))
    assert await seen(4, "read_committed") == [b"after"] * 2 + [b"committed"] * 2
    assert await seen(6, "read_uncommitted") == [b"aborted"] * 2 + [b"after"] * 2 + [b"committed"] * 2


async def test_transactions_of_a_copier(make_topic, make_transactional, make_producer, make_consumer, read, fresh, group):
    source, target = await make_topic(), await make_topic()
    partition, filler = TopicPartition(source, 0), await make_producer()
    await finish(filler.send(source, b"%d" % number) for number in range(20))
    consumer, copier = await make_consumer(source), await make_transactional()
    records = await take(consumer, 20)

    async def copy():
        await finish(copier.send(target, record.value) for record in records)
        await copier.send_offsets_to_transaction({partition: await consumer.position(partition)}, group)
    with pytest.raises(OnPurpose):
        async with copier.transaction():
            await copy()
            raise OnPurpose
    assert await consumer.committed(partition) is None
    async with copier.transaction():
        await copy()
    # Apache Kafka answers before the commit of offsets is there, and this client does not ask for those that are settled alone.
    for _ in rounds("the copier's offsets"):
        if await consumer.committed(partition) is not None:
            break
    assert await consumer.committed(partition) == 20

    await filler.send_and_wait(target, b"last")
    copied = [record.value for record in await read(target, 21, isolation_level="read_committed", group_id=fresh("reader"))]
    assert copied == [b"%d" % number for number in range(20)] + [b"last"]


async def test_transactions_fenced(make_topic, make_transactional):
    topic, first = await make_topic(), await make_transactional()
    await first.begin_transaction()
    await first.send_and_wait(topic, b"of the first")
    second = await make_transactional()
    with pytest.raises(ProducerFenced):
        await first.commit_transaction()

    async with second.transaction():
        await second.send_and_wait(topic, b"of the second")
