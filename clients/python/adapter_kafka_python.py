"""Drives kafka-python through the adapter surface that `client_process.py` describes."""

import importlib

import kafka
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.consumer import subscription_state
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.structs import OffsetAndMetadata, TopicPartition

AsyncListener = getattr(subscription_state, "AsyncConsumerRebalanceListener", None)
# It loses track of a rebalance if a poll times out between its JoinGroup and its SyncGroup: leave it ample time for both.
POLL_S = 1.0
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


def _make_all_messages():
    """Version 3 makes the classes of its messages at first use; two threads at once leave it with a dead one. So make them before."""
    try:
        message_base = importlib.import_module("kafka.protocol.api_message").ApiMessage
    except ImportError:
        return
    for message in message_base.__subclasses__():
        if message._class_version is None and message._valid_versions:
            for version in range(message._valid_versions[0], message._valid_versions[1] + 1):
                message[version]


_make_all_messages()
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
        if options["instance"]:
            more["group_instance_id"] = options["instance"]
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
        self.listener = _listener(listener)

    def subscribe(self, topics):
        self.consumer.subscribe(topics, listener=self.listener)

    def poll(self, timeout_s):
        polled = self.consumer.poll(timeout_ms=int(timeout_s * 1000))
        for records in polled.values():
            for record in records:
                yield record.topic, record.partition, record.offset, record.value

    def assignment(self):
        return _tuples(self.consumer.assignment())

    def commit(self, offsets):
        self.consumer.commit(self._named(offsets))

    def commit_when_revoked(self, offsets):
        # Version 3 runs the listener on the thread that does the network's work: there only awaiting is possible.
        return self.consumer.commit(self._named(offsets)) if AsyncListener is None else self.consumer.commit_async(self._named(offsets))

    @staticmethod
    def _named(offsets):
        return {TopicPartition(*partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets}

    def committed(self, partition):
        return self.consumer.committed(TopicPartition(*partition))

    def seek(self, partition, offset):
        self.consumer.seek(TopicPartition(*partition), offset)

    def pause(self, partition):
        self.consumer.pause(TopicPartition(*partition))

    def resume(self, partition):
        self.consumer.resume(TopicPartition(*partition))

    def close(self):
        self.consumer.close()


def _tuples(partitions):
    return [tuple(partition) for partition in partitions]


def _listener(tell):
    """A rebalance listener in the style of this version."""
    if AsyncListener is None:
        class Listener(ConsumerRebalanceListener):
            def on_partitions_revoked(self, revoked):
                tell("revoked", _tuples(revoked))

            def on_partitions_assigned(self, assigned):
                tell("assigned", _tuples(assigned))
    else:
        class Listener(AsyncListener):
            async def on_partitions_revoked(self, revoked):
                committing = tell("revoked", _tuples(revoked))
                if committing is not None:
                    await committing

            async def on_partitions_assigned(self, assigned):
                tell("assigned", _tuples(assigned))
    return Listener()


class Producer:
    """Sends to a partition and waits for the acknowledgements."""

    def __init__(self, bootstrap, options):
        codec = None if options["codec"] == "none" else options["codec"]
        # The long linger keeps what is sent together in one batch; flush does not wait for it.
        self.producer = kafka.KafkaProducer(bootstrap_servers=[bootstrap], compression_type=codec, acks="all", linger_ms=5000,
                                            batch_size=1 << 20)

    def send(self, topic, partition, values, keys, timestamp_ms):
        sent = [self.producer.send(topic, value, key, partition=partition, timestamp_ms=timestamp_ms) for key, value in zip(keys, values)]
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
