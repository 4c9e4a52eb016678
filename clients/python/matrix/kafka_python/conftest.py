"""Producers, consumers and an administrator of kafka-python, and topics made with them."""

import kafka
import pytest
from kafka.admin import KafkaAdminClient
from kafka.protocol.api_message import ApiMessage

from deadlines import PATIENCE_S, rounds

POLL_MS = 200


@pytest.fixture(scope="session", autouse=True)
def message_classes():
    """The client makes the classes of its messages at first use, and two threads at once leave it with a dead one: so make them before."""
    for message in ApiMessage.__subclasses__():
        if message._class_version is None and message._valid_versions:
            for version in range(message._valid_versions[0], message._valid_versions[1] + 1):
                message[version]


@pytest.fixture(scope="session")
def admin(bootstrap):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    yield admin
    admin.close()


@pytest.fixture
def make_topic(admin, fresh):
    """`make_topic(partitions, {"max.message.bytes": "100"})` is the name of a new topic."""
    def make(partitions=1, configs=None):
        name = fresh("topic")
        admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs or {}}})
        return name
    return make


@pytest.fixture
def closing():
    """Keeps clients that are closed with the test."""
    kept = []

    def keep(client):
        kept.append(client)
        return client
    yield keep
    for client in kept:
        client.close()


@pytest.fixture
def make_producer(bootstrap, closing):
    return lambda **settings: closing(kafka.KafkaProducer(bootstrap_servers=bootstrap, acks="all", **settings))


@pytest.fixture
def make_consumer(bootstrap, group, closing):
    """Consumers of the test's group."""
    def make(topic, **settings):
        consumer = closing(kafka.KafkaConsumer(topic, **{
            "bootstrap_servers": bootstrap, "group_id": group, "auto_offset_reset": "earliest", "enable_auto_commit": False, **settings}))
        # A member that has to assign before it knows the topic's partitions assigns none, and may leave it at that: it asks before it joins.
        for _ in rounds(f"partitions of {topic}"):
            if consumer.partitions_for_topic(topic):
                return consumer
    return make


@pytest.fixture
def read(make_consumer):
    """`read(topic, 10)`: as many records, from the beginning of all partitions."""
    return lambda topic, count, **settings: take(make_consumer(topic, **settings), count)


def poll(consumer, **more):
    """What one poll brings."""
    return [record for records in consumer.poll(POLL_MS, **more).values() for record in records]


def take(consumer, count):
    """The next records of a consumer."""
    records = []
    for _ in rounds(lambda: f"{count} records but {len(records)}"):
        if len(records) >= count:
            return records
        records += poll(consumer, max_records=count - len(records))


def finish(sent):
    """Waits for the answers of the broker: one for each record that was sent."""
    return [answer.get(PATIENCE_S) for answer in sent]
