"""Drives confluent-kafka, and so librdkafka, through the adapter surface that `client_process.py` describes."""

import sys

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

POLL_S = 0.05
NO_POLICY = "error"
ERRORS = {
    "no committed offset": "_AUTO_OFFSET_RESET",
    "offset out of range": "_AUTO_OFFSET_RESET",
}
CAPABILITIES = {
    "cooperative": hasattr(confluent_kafka.Consumer, "incremental_assign"),
    "delete_records": hasattr(AdminClient, "delete_records"),
    "delete_group_offsets": hasattr(AdminClient, "delete_consumer_group_offsets"),
}


def kind(error):
    """The client's own name for what went wrong."""
    if isinstance(error, confluent_kafka.KafkaException) and isinstance(error.args[0], confluent_kafka.KafkaError):
        return error.args[0].name()
    return type(error).__name__


def _complain(error):
    print(f"client error: {error}", file=sys.stderr, flush=True)


def _tuples(partitions):
    return [(partition.topic, partition.partition) for partition in partitions]


class Consumer:
    """A member of a group."""

    def __init__(self, bootstrap, options, listener):
        self.consumer = confluent_kafka.Consumer(self.settings(bootstrap, options))
        self.listener = listener

    def settings(self, bootstrap, options):
        """The client's properties."""
        instance = {"group.instance.id": options["instance"]} if options["instance"] else {}
        return {
            **instance,
            "bootstrap.servers": bootstrap,
            "group.id": options["group"],
            "auto.offset.reset": options["reset"],
            "enable.auto.commit": False,
            "session.timeout.ms": options["session_timeout_ms"],
            "max.poll.interval.ms": max(300_000, options["session_timeout_ms"]),
            "heartbeat.interval.ms": options["heartbeat_interval_ms"],
            "topic.metadata.refresh.interval.ms": options["metadata_max_age_ms"],
            "allow.auto.create.topics": options["auto_create_topics"],
            "partition.assignment.strategy": "cooperative-sticky" if options["cooperative"] else "range",
            "reconnect.backoff.max.ms": 500,
            "error_cb": _complain,
        }

    def subscribe(self, topics):
        self.consumer.subscribe(
            topics,
            on_assign=lambda _, partitions: self.listener("assigned", _tuples(partitions)),
            on_revoke=lambda _, partitions: self.listener("revoked", _tuples(partitions)),
            on_lost=lambda _, partitions: self.listener("revoked", _tuples(partitions)))

    def poll(self, timeout_s):
        # One by one: with consume() the position would already cover records that a rebalance then takes out of the list.
        message = self.consumer.poll(timeout_s)
        while message is not None:
            if message.error():
                raise confluent_kafka.KafkaException(message.error())
            yield message.topic(), message.partition(), message.offset(), message.value()
            message = self.consumer.poll(0)

    def assignment(self):
        return _tuples(self.consumer.assignment())

    def commit(self, offsets):
        asked = [confluent_kafka.TopicPartition(*partition, offset) for partition, offset in offsets]
        for answer in self.consumer.commit(offsets=asked, asynchronous=False):
            if answer.error:
                raise confluent_kafka.KafkaException(answer.error)

    commit_when_revoked = commit

    def committed(self, partition):
        (answer,) = self.consumer.committed([confluent_kafka.TopicPartition(*partition)], timeout=10)
        if answer.error:
            raise confluent_kafka.KafkaException(answer.error)
        return None if answer.offset == confluent_kafka.OFFSET_INVALID else answer.offset

    def seek(self, partition, offset):
        self.consumer.seek(confluent_kafka.TopicPartition(*partition, offset))

    def pause(self, partition):
        self.consumer.pause([confluent_kafka.TopicPartition(*partition)])

    def resume(self, partition):
        self.consumer.resume([confluent_kafka.TopicPartition(*partition)])

    def close(self):
        self.consumer.close()


class Producer:
    """Sends to a partition and waits for the acknowledgements."""

    def __init__(self, bootstrap, options):
        # The long linger keeps what is sent together in one batch; flush does not wait for it.
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": bootstrap, "compression.codec": options["codec"], "acks": "all", "linger.ms": 5000,
            "error_cb": _complain,
        })

    def send(self, topic, partition, values, keys, timestamp_ms):
        reports = []
        when = {} if timestamp_ms is None else {"timestamp": timestamp_ms}
        # Until it knows the topic, the client keeps records aside and then lets some of them go ahead, one in a batch.
        self.producer.list_topics(topic, timeout=10)
        for key, value in zip(keys, values):
            self.producer.produce(topic, value, key, partition=partition, on_delivery=lambda *report: reports.append(report), **when)
        if self.producer.flush(30):
            raise TimeoutError("records without an answer after 30 s")
        for error, _ in reports:
            if error:
                raise confluent_kafka.KafkaException(error)
        return [message.offset() for _, message in reports]

    def close(self):
        self.producer.flush(5)


class Admin:
    """What the tests need done to topics and groups."""

    def __init__(self, bootstrap):
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "error_cb": _complain})

    def create_topic(self, name, partitions):
        self._done(self.admin.create_topics([NewTopic(name, partitions, 1)]))

    def delete_records(self, topic, partition, before):
        self._done(self.admin.delete_records([confluent_kafka.TopicPartition(topic, partition, before)]))

    def close(self):
        pass

    @staticmethod
    def _done(futures):
        for future in futures.values():
            future.result(30)
