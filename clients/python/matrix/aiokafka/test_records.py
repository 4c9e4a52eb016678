"""Records on their way into the broker and out of it."""

import time

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from conftest import finish

HOUR_MS = 3_600_000
CREATE_TIME, LOG_APPEND_TIME = 0, 1


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_produce_codecs(make_topic, make_producer, read, codec):
    topic = await make_topic(3)
    sent = [(b"key %d" % (number % 10), b"%s %d " % (codec.encode(), number) + b"again " * 50) for number in range(100)]
    producer = await make_producer(compression_type=None if codec == "none" else codec)
    await finish(producer.send(topic, value, key) for key, value in sent)

    records = await read(topic, len(sent))
    assert sorted((record.key, record.value) for record in records) == sorted(sent)
    assert len({(record.key, record.partition) for record in records}) == 10, "equal keys lie in one partition"


async def test_produce_idempotent(make_topic, make_producer, read):
    topic = await make_topic()
    producer = await make_producer(enable_idempotence=True, max_batch_size=500)
    answers = await finish(producer.send(topic, b"%d" % number) for number in range(1_000))
    assert [answer.offset for answer in answers] == list(range(1_000))

    records = await read(topic, 1_000)
    assert [(record.offset, record.value) for record in records] == [(number, b"%d" % number) for number in range(1_000)]


async def test_large_messages(make_topic, make_producer, read):
    small, large = await make_topic(), await make_topic(configs={"max.message.bytes": "5000000"})
    producer = await make_producer(max_request_size=8 << 20, max_batch_size=8 << 20)
    await producer.send_and_wait(small, b"s" * 900_000)
    await producer.send_and_wait(large, b"l" * 4_000_000)
    with pytest.raises(MessageSizeTooLargeError):
        await producer.send_and_wait(small, b"s" * 1_100_000)

    (record,) = await read(large, 1, max_partition_fetch_bytes=10_000, fetch_max_bytes=20_000)
    assert record.value == b"l" * 4_000_000


async def test_headers_tombstones(make_topic, make_producer, read):
    topic, producer = await make_topic(), await make_producer()
    headers = [("binary", b"\x00\xff\xfe"), ("empty", b""), ("twice", b"first"), ("null", None), ("twice", b"second")]
    sent = [(b"key", b"value", headers), (b"key", None, []), (None, b"value", []), (b"key", b"", []), (b"", b"value", [])]
    await finish(producer.send(topic, value, key, headers=its_headers) for key, value, its_headers in sent)

    assert [(record.key, record.value, list(record.headers)) for record in await read(topic, len(sent))] == sent


async def test_timestamps_given(make_topic, make_producer, make_consumer, read):
    topic, start = await make_topic(), 1_600_000_000_000
    producer = await make_producer()
    await finish(producer.send(topic, b"%d" % number, timestamp_ms=start + number * HOUR_MS) for number in range(5))

    kept = [(record.timestamp_type, record.timestamp) for record in await read(topic, 5)]
    assert kept == [(CREATE_TIME, start + number * HOUR_MS) for number in range(5)]

    consumer, partition = await make_consumer(topic), TopicPartition(topic, 0)

    async def found(time_ms):
        return (await consumer.offsets_for_times({partition: time_ms}))[partition]
    assert await found(0) == (0, start)
    assert await found(start + 2 * HOUR_MS) == (2, start + 2 * HOUR_MS)
    assert await found(start + 2 * HOUR_MS + 1) == (3, start + 3 * HOUR_MS)
    assert await found(start + 5 * HOUR_MS) is None


async def test_timestamps_of_the_broker(make_topic, make_producer, read):
    topic = await make_topic(configs={"message.timestamp.type": "LogAppendTime"})
    before_ms = time.time() * 1000
    producer = await make_producer()
    await producer.send_and_wait(topic, b"value", timestamp_ms=1_600_000_000_000)

    (record,) = await read(topic, 1)
    assert record.timestamp_type == LOG_APPEND_TIME
    assert before_ms - 1 <= record.timestamp <= time.time() * 1000
