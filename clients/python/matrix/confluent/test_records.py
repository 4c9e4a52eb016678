"""Records on their way into the broker and out of it."""

import time

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition

HOUR_MS = 3_600_000
MIB = 1 << 20


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_produce_codecs(make_topic, make_producer, read, codec):
    topic = make_topic(3)
    sent = [(b"key %d" % (number % 10), b"%s %d " % (codec.encode(), number) + b"again " * 50) for number in range(100)]
    producer = make_producer(compression_type=codec)
    for key, value in sent:
        producer.send(topic, value, key=key)
    producer.finish()

    records = read(topic, len(sent))
    assert sorted((record.key(), record.value()) for record in records) == sorted(sent)
    assert len({(record.key(), record.partition()) for record in records}) == 10, "equal keys lie in one partition"


def test_produce_idempotent(make_topic, make_producer, read):
    topic = make_topic()
    producer = make_producer(enable_idempotence=True, linger_ms=1, batch_num_messages=20)
    for number in range(1_000):
        producer.send(topic, b"%d" % number)
    producer.finish()

    records = read(topic, 1_000)
    assert [(record.offset(), record.value()) for record in records] == [(number, b"%d" % number) for number in range(1_000)]


def test_large_messages(make_topic, make_producer, read):
    small, large = make_topic(), make_topic(config={"max.message.bytes": "5000000"})
    producer = make_producer(message_max_bytes=8 * MIB)
    producer.send(small, b"s" * 900_000)
    producer.send(large, b"l" * 4_000_000)
    producer.finish()

    producer.send(small, b"s" * 1_100_000)
    producer.flush()
    assert [error.code() for error in producer.errors] == [confluent_kafka.KafkaError.MSG_SIZE_TOO_LARGE]

    (record,) = read(large, 1, max_partition_fetch_bytes=10_000, fetch_max_bytes=20_000, message_max_bytes=20_000)
    assert record.value() == b"l" * 4_000_000


def test_headers_tombstones(make_topic, make_producer, read):
    topic = make_topic()
    headers = [("binary", b"\x00\xff\xfe"), ("empty", b""), ("twice", b"first"), ("null", None), ("twice", b"second")]
    sent = [(b"key", b"value", headers), (b"key", None, None), (None, b"value", None), (b"key", b"", None), (b"", b"value", None)]
    producer = make_producer()
    for key, value, its_headers in sent:
        producer.send(topic, value, key=key, headers=its_headers)
    producer.finish()

    assert [(record.key(), record.value(), record.headers()) for record in read(topic, len(sent))] == sent


def test_timestamps_given(make_topic, make_producer, make_consumer, read):
    topic, start = make_topic(), 1_600_000_000_000
    producer = make_producer()
    for number in range(5):
        producer.send(topic, b"%d" % number, timestamp=start + number * HOUR_MS)
    producer.finish()

    kept = [record.timestamp() for record in read(topic, 5)]
    assert kept == [(confluent_kafka.TIMESTAMP_CREATE_TIME, start + number * HOUR_MS) for number in range(5)]

    def offset_at(time_ms):
        return make_consumer().offsets_for_times([TopicPartition(topic, 0, time_ms)], timeout=10)[0].offset
    assert offset_at(0) == 0
    assert offset_at(start + 2 * HOUR_MS) == 2
    assert offset_at(start + 2 * HOUR_MS + 1) == 3
    assert offset_at(start + 5 * HOUR_MS) == confluent_kafka.OFFSET_END


def test_timestamps_of_the_broker(make_topic, make_producer, read):
    topic = make_topic(config={"message.timestamp.type": "LogAppendTime"})
    before_ms = time.time() * 1000
    producer = make_producer()
    producer.send(topic, b"value", timestamp=1_600_000_000_000)
    producer.finish()

    (record,) = read(topic, 1)
    kind, time_ms = record.timestamp()
    assert kind == confluent_kafka.TIMESTAMP_LOG_APPEND_TIME
    assert before_ms - 1 <= time_ms <= time.time() * 1000
