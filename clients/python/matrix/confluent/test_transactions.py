"""Transactions: what is seen of them, and who may write them."""

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition

from conftest import take
from deadlines import PATIENCE_S


@pytest.fixture
def make_transactional(make_producer, fresh):
    """Producers of one transactional id, ready to begin."""
    transactional_id = fresh("copier")

    def make():
        producer = make_producer(transactional_id=transactional_id, transaction_timeout_ms=30_000)
        producer.init_transactions(PATIENCE_S)
        return producer
    return make


def test_transactions_committed_and_aborted(make_topic, make_transactional, make_producer, read, fresh):
    topic = make_topic(2)
    producer = make_transactional()
    for name, end in (("aborted", producer.abort_transaction), ("committed", producer.commit_transaction)):
        producer.begin_transaction()
        for partition in (0, 1):
            producer.send(topic, name.encode(), partition=partition)
        assert producer.flush(PATIENCE_S) == 0
        end(PATIENCE_S)
    after = make_producer()
    for partition in (0, 1):
        after.send(topic, b"after", partition=partition)
    after.finish()

    def seen(count, level):
        return sorted(record.value() for record in read(topic, count, isolation_level=level, group_id=fresh("reader")))
    assert seen(4, "read_committed") == [b"after"] * 2 + [b"committed"] * 2
    assert seen(6, "read_uncommitted") == [b"aborted"] * 2 + [b"after"] * 2 + [b"committed"] * 2


def test_transactions_of_a_copier(make_topic, make_transactional, make_producer, make_consumer, read, fresh):
    source, target = make_topic(), make_topic()
    filler = make_producer()
    for number in range(20):
        filler.send(source, b"%d" % number)
    filler.finish()
    consumer, copier = make_consumer(), make_transactional()
    consumer.subscribe([source])
    records = take(consumer, 20)

    def copy(end):
        copier.begin_transaction()
        for record in records:
            copier.send(target, record.value())
        position = consumer.position(consumer.assignment())
        copier.send_offsets_to_transaction(position, consumer.consumer_group_metadata(), PATIENCE_S)
        end(PATIENCE_S)
        return consumer.committed([TopicPartition(source, 0)], timeout=10)[0].offset
    assert copy(copier.abort_transaction) == confluent_kafka.OFFSET_INVALID
    assert copy(copier.commit_transaction) == 20

    filler.send(target, b"last")
    filler.finish()
    copied = [record.value() for record in read(target, 21, isolation_level="read_committed", group_id=fresh("reader"))]
    assert copied == [b"%d" % number for number in range(20)] + [b"last"]


def test_transactions_fenced(make_topic, make_transactional):
    topic = make_topic()
    first = make_transactional()
    first.begin_transaction()
    first.send(topic, b"of the first")
    second = make_transactional()
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        first.commit_transaction(PATIENCE_S)
    assert refused.value.args[0].fatal()
    assert refused.value.args[0].code() == confluent_kafka.KafkaError._FENCED

    second.begin_transaction()
    second.send(topic, b"of the second")
    second.commit_transaction(PATIENCE_S)
    assert not second.errors
