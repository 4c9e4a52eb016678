"""Producers, consumers and an administrator of aiokafka, and topics made with them."""

import asyncio
import contextlib

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deadlines import PATIENCE_S


@pytest.fixture
async def started():
    """Starts clients; they are stopped with the test."""
    async with contextlib.AsyncExitStack() as stack:
        async def start(client):
            await client.start()
            stack.push_async_callback(client.close if isinstance(client, AIOKafkaAdminClient) else client.stop)
            return client
        yield start


@pytest.fixture
async def admin(bootstrap, started):
    return await started(AIOKafkaAdminClient(bootstrap_servers=bootstrap))


@pytest.fixture
def make_topic(admin, fresh):
    """`await make_topic(partitions, {"max.message.bytes": "100"})` is the name of a new topic."""
    async def make(partitions=1, configs=None):
        name = fresh("topic")
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs or {})])
        assert [error for _, error, *_ in answer.topic_errors] == [0]
        return name
    return make


@pytest.fixture
def make_producer(bootstrap, started):
    return lambda **settings: started(aiokafka.AIOKafkaProducer(bootstrap_servers=bootstrap, **{"acks": "all", **settings}))


@pytest.fixture
def make_consumer(bootstrap, group, started):
    """Consumers of the test's group."""
    def make(*topics, **settings):
        return started(aiokafka.AIOKafkaConsumer(*topics, **{
            "bootstrap_servers": bootstrap, "group_id": group, "auto_offset_reset": "earliest", "enable_auto_commit": False, **settings}))
    return make


@pytest.fixture
def read(make_consumer):
    """`await read(topic, 10)`: as many records, from the beginning of all partitions."""
    async def read(topic, count, **settings):
        return await take(await make_consumer(topic, **settings), count)
    return read


async def take(consumer, count):
    """The next records of a consumer."""
    async def records():
        return [await consumer.getone() for _ in range(count)]
    return await asyncio.wait_for(records(), PATIENCE_S)


async def finish(sending):
    """Hands over what `producer.send(...)` sends, and then waits for the answers of the broker: one for each record."""
    answers = [await accepted for accepted in sending]
    return await asyncio.wait_for(asyncio.gather(*answers), PATIENCE_S)
