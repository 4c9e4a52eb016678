"""Records on their way into the broker and out of it."""

import time

import pytest
from kafka import TopicPartition
from kafka.errors import MessageSizeTooLargeError

from conftest import finish

HOUR_MS = 3_600_000
CREATE_TIME, LOG_APPEND_TIME = 0, 1


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_produce_codecs(make_topic, make_producer, read, codec):
    topic = make_topic(3)
    sent = [(b"key %d" % (number % 10), b"%s %d " % (codec.encode(), number) + b"again " * 50) for number in range(100)]
    producer = make_producer(compression_type=None if codec == "none" else codec, linger_ms=5)
    finish([producer.send(topic, value, key) for key, value in sent])

    records = read(topic, len(sent))
    assert sorted((record.key, record.value) for record in records) == sorted(sent)
    assert len({(record.key, record.partition) for record in records}) == 10, "equal keys lie in one partition"


def test_produce_idempotent(make_topic, make_producer, read):
    topic = make_topic()
    producer = make_producer(enable_idempotence=True, batch_size=500)
    finish([producer.send(topic, b"%d" % number) for number in range(1_000)])

    records = read(topic, 1_000)
    assert [(record.offset, record.value) for record in records] == [(number, b"%d" % number) for number in range(1_000)]


def test_large_messages(make_topic, make_producer, read):
    small, large = make_topic(), make_topic(configs={"max.message.bytes": "5000000"})
    producer = make_producer(max_request_size=8 << 20)
    finish([producer.send(small, b"s" * 900_000), producer.send(large, b"l" * 4_000_000)])
    with pytest.raises(MessageSizeTooLargeError):
        finish([producer.send(small, b"s" * 1_100_000)])

    (record,) = read(large, 1, max_partition_fetch_bytes=10_000, fetch_max_bytes=20_000)
    assert record.value == b"l" * 4_000_000


def test_headers_tombstones(make_topic, make_producer, read):
    # A header without a value is refused by the client itself.
    headers = [("binary", b"\x00\xff\xfe"), ("empty", b""), ("twice", b"first"), ("twice", b"second")]
    topic, producer = make_topic(), make_producer()
    sent = [(b"key", b"value", headers), (b"key", None, []), (None, b"value", []), (b"key", b"", []), (b"", b"value", [])]
    finish([producer.send(topic, value, key, its_headers, partition=0) for key, value, its_headers in sent])

    assert [(record.key, record.value, list(record.headers)) for record in read(topic, len(sent))] == sent


def test_timestamps_given(make_topic, make_producer, make_consumer, read):
    topic, start = make_topic(), 1_600_000_000_000
    producer = make_producer()
    finish([producer.send(topic, b"%d" % number, timestamp_ms=start + number * HOUR_MS) for number in range(5)])

    kept = [(record.timestamp_type, record.timestamp) for record in read(topic, 5)]
    assert kept == [(CREATE_TIME, start + number * HOUR_MS) for number in range(5)]

    consumer, partition = make_consumer(topic), TopicPartition(topic, 0)

    def found(time_ms):
        return consumer.offsets_for_times({partition: time_ms})[partition]
    assert found(0).offset == 0
    assert (found(start + 2 * HOUR_MS).offset, found(start + 2 * HOUR_MS).timestamp) == (2, start + 2 * HOUR_MS)
    assert found(start + 2 * HOUR_MS + 1).offset == 3
    assert found(start + 5 * HOUR_MS) is None


def test_timestamps_of_the_broker(make_topic, make_producer, read):
    topic = make_topic(configs={"message.timestamp.type": "LogAppendTime"})
    before_ms = time.time() * 1000
    finish([make_producer().send(topic, b"value", timestamp_ms=1_600_000_000_000)])

    (record,) = read(topic, 1)
    assert record.timestamp_type == LOG_APPEND_TIME
    assert before_ms - 1 <= record.timestamp <= time.time() * 1000
