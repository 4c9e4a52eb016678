"""Transactions: what is seen of them, and who may write them."""

import pytest
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import ProducerFencedError

from conftest import finish, take
from deadlines import eventually


@pytest.fixture
def make_transactional(make_producer, fresh):
    """Producers of one transactional id, ready to begin."""
    transactional_id = fresh("copier")

    def make():
        producer = make_producer(transactional_id=transactional_id, transaction_timeout_ms=30_000)
        producer.init_transactions()
        return producer
    return make


def test_transactions_committed_and_aborted(make_topic, make_transactional, make_producer, read, fresh):
    topic, producer = make_topic(2), make_transactional()
    for value, end in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
        producer.begin_transaction()
        finish([producer.send(topic, value, partition=partition) for partition in (0, 1)])
        end()
    after = make_producer()
    finish([after.send(topic, b"after", partition=partition) for partition in (0, 1)])

    def seen(count, level):
        return sorted(record.value for record in read(topic, count, isolation_level=level, group_id=fresh("reader")))
    assert seen(4, "read_committed") == [b"after"] * 2 + [b"committed"] * 2
    assert seen(6, "read_uncommitted") == [b"aborted"] * 2 + [b"after"] * 2 + [b"committed"] * 2


def test_transactions_of_a_copier(make_topic, make_transactional, make_producer, make_consumer, read, fresh):
    source, target = make_topic(), make_topic()
    partition, filler = TopicPartition(source, 0), make_producer()
    finish([filler.send(source, b"%d" % number) for number in range(20)])
    consumer, copier = make_consumer(source), make_transactional()
    records = take(consumer, 20)

    def copy(end):
        copier.begin_transaction()
        finish([copier.send(target, record.value) for record in records])
        position = OffsetAndMetadata(consumer.position(partition), "", -1)
        copier.send_offsets_to_transaction({partition: position}, consumer.group_metadata())
        end()
    copy(copier.abort_transaction)
    assert consumer.committed(partition) is None
    copy(copier.commit_transaction)
    # Apache Kafka answers before the commit of offsets is there, and this client does not ask for those that are settled alone.
    eventually(lambda: consumer.committed(partition), 20)

    finish([filler.send(target, b"last")])
    copied = [record.value for record in read(target, 21, isolation_level="read_committed", group_id=fresh("reader"))]
    assert copied == [b"%d" % number for number in range(20)] + [b"last"]


def test_transactions_fenced(make_topic, make_transactional):
    topic, first = make_topic(), make_transactional()
    first.begin_transaction()
    finish([first.send(topic, b"of the first")])
    second = make_transactional()
    with pytest.raises(ProducerFencedError):
        first.commit_transaction()

    second.begin_transaction()
    finish([second.send(topic, b"of the second")])
    second.commit_transaction()
