"""Producers, members and an administrator of confluent-kafka, and topics made with them."""

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from deadlines import PATIENCE_S, rounds

POLL_S = 0.05


@pytest.fixture(scope="session")
def admin(bootstrap):
    return AdminClient({"bootstrap.servers": bootstrap})


@pytest.fixture
def make_topic(admin, fresh):
    """`make_topic(partitions, {"max.message.bytes": "100"})` is the name of a new topic."""
    def make(partitions=1, config=None):
        name = fresh("topic")
        admin.create_topics([NewTopic(name, partitions, 1, config=config or {})])[name].result(PATIENCE_S)
        return name
    return make


class Producer(confluent_kafka.Producer):
    """Keeps what the broker answered to each record."""

    def __init__(self, settings):
        super().__init__(settings)
        self.acknowledged, self.errors = [], []

    def send(self, topic, value, **more):
        self.produce(topic, value, on_delivery=self._answered, **more)

    def finish(self):
        """Waits for the answers; returns the acknowledged records."""
        assert self.flush(PATIENCE_S) == 0, "records without an answer"
        assert not self.errors, self.errors
        return self.acknowledged

    def _answered(self, error, message):
        if error:
            self.errors.append(error)
        else:
            self.acknowledged.append(message)


@pytest.fixture
def make_producer(bootstrap):
    return lambda **settings: Producer({"bootstrap.servers": bootstrap, "acks": "all", **dotted(settings)})


@pytest.fixture
def make_consumer(bootstrap, group):
    """Consumers of the test's group; they are closed with the test."""
    made = []

    def make(**settings):
        made.append(confluent_kafka.Consumer({
            "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
            **dotted(settings)}))
        return made[-1]
    yield make
    for consumer in made:
        consumer.close()


@pytest.fixture
def read(make_consumer):
    """`read(topic, 10)`: as many records, from the beginning of all partitions."""
    def read(topic, count, **settings):
        consumer = make_consumer(**settings)
        consumer.subscribe([topic])
        return take(consumer, count)
    return read


def dotted(settings):
    """`group_id` in Python is `group.id` in Kafka."""
    return {name.replace("_", "."): value for name, value in settings.items()}


def take(consumer, count):
    """The next records of a consumer."""
    records = []
    for _ in rounds(lambda: f"{count} records but {len(records)}"):
        if len(records) >= count:
            return records
        records += checked(consumer.poll(POLL_S))


def checked(message):
    """The record that a poll brought, as a list of one or none."""
    if message is None:
        return []
    if message.error():
        raise confluent_kafka.KafkaException(message.error())
    return [message]
