"""Drives kafka-python through the adapter surface that `client_process.py` describes."""

import importlib

import kafka
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.structs import OffsetAndMetadata, TopicPartition

NO_POLICY = "none"
ERRORS = {
    "no committed offset": "NoOffsetForPartitionError",
    "offset out of range": "OffsetOutOfRangeError",
}


def _cooperative():
    try:
        return importlib.import_module("kafka.coordinator.assignors.cooperative_sticky").CooperativeStickyAssignor
    except ImportError:
        return None


CAPABILITIES = {
    "cooperative": _cooperative() is not None,
    "delete_records": hasattr(KafkaAdminClient, "delete_records"),
    "delete_group_offsets": hasattr(KafkaAdminClient, "delete_group_offsets"),
}


def kind(error):
    """The client's own name for what went wrong."""
    return type(error).__name__


class Consumer:
    """A member of a group."""

    def __init__(self, bootstrap, options, listener):
        more = {}
        if options["cooperative"]:
            more["partition_assignment_strategy"] = [_cooperative()]
        self.consumer = kafka.KafkaConsumer(
            bootstrap_servers=[bootstrap],
            group_id=options["group"],
            auto_offset_reset=options["reset"],
            enable_auto_commit=False,
            session_timeout_ms=options["session_timeout_ms"],
            heartbeat_interval_ms=options["heartbeat_interval_ms"],
            metadata_max_age_ms=options["metadata_max_age_ms"],
            allow_auto_create_topics=options["auto_create_topics"],
            reconnect_backoff_max_ms=500,
            **more)
        self.listener = _Listener(listener)

    def subscribe(self, topics):
        self.consumer.subscribe(topics, listener=self.listener)

    def poll(self, timeout_s):
        polled = self.consumer.poll(timeout_ms=int(timeout_s * 1000))
        for records in polled.values():
            for record in records:
                yield record.topic, record.partition, record.offset, record.value

    def assignment(self):
        return [tuple(partition) for partition in self.consumer.assignment()]

    def commit(self, offsets=None):
        if offsets is not None:
            offsets = {TopicPartition(*partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets}
        self.consumer.commit(offsets)

    def committed(self, partition):
        return self.consumer.committed(TopicPartition(*partition))

    def seek(self, partition, offset):
        self.consumer.seek(TopicPartition(*partition), offset)

    def close(self):
        self.consumer.close()


class _Listener(ConsumerRebalanceListener):
    def __init__(self, listener):
        self.listener = listener

    def on_partitions_revoked(self, revoked):
        self.listener("revoked", [tuple(partition) for partition in revoked])

    def on_partitions_assigned(self, assigned):
        self.listener("assigned", [tuple(partition) for partition in assigned])


class Producer:
    """Sends to a partition and waits for the acknowledgements."""

    def __init__(self, bootstrap, options):
        codec = None if options["codec"] == "none" else options["codec"]
        # The long linger keeps what is sent together in one batch; flush does not wait for it.
        self.producer = kafka.KafkaProducer(bootstrap_servers=[bootstrap], compression_type=codec, acks="all", linger_ms=5000,
                                            batch_size=1 << 20)

    def send(self, topic, partition, values):
        sent = [self.producer.send(topic, value, partition=partition) for value in values]
        self.producer.flush()
        return [future.get(30).offset for future in sent]

    def close(self):
        self.producer.close()


class Admin:
    """What the tests need done to topics and groups."""

    def __init__(self, bootstrap):
        self.admin = KafkaAdminClient(bootstrap_servers=[bootstrap])

    def create_topic(self, name, partitions):
        self.admin.create_topics([NewTopic(name, partitions, 1)])

    def delete_records(self, topic, partition, before):
        self.admin.delete_records({TopicPartition(topic, partition): before})

    def delete_group_offsets(self, group, partitions):
        for error in self.admin.delete_group_offsets(group, [TopicPartition(*partition) for partition in partitions]).values():
            if error.errno != 0:
                raise error

    def close(self):
        self.admin.close()
