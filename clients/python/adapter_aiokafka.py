"""Drives aiokafka through the adapter surface that `client_process.py` describes.

The event loop turns only while a call is being made, so the process must keep polling, as an application does.
"""

import asyncio
import importlib
import threading

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

POLL_S = 0.05
NO_POLICY = "none"
ERRORS = {
    "no committed offset": "NoOffsetForPartitionError",
    "offset out of range": "OffsetOutOfRangeError",
}


def _has(module):
    try:
        return bool(importlib.import_module(module))
    except ImportError:
        return False


CAPABILITIES = {
    "cooperative": _has("aiokafka.coordinator.assignors.cooperative_sticky"),
    "delete_records": hasattr(AIOKafkaAdminClient, "delete_records"),
    "delete_group_offsets": hasattr(AIOKafkaAdminClient, "delete_group_offsets"),
}
THREAD = threading.local()


def run(awaitable):
    """Turn this thread's loop until the awaitable is done."""
    if not hasattr(THREAD, "loop"):
        THREAD.loop = asyncio.new_event_loop()
    return THREAD.loop.run_until_complete(awaitable)


async def _started(make):
    # Made inside the loop, because the classes look for a running one.
    made = make()
    await made.start()
    return made


def kind(error):
    """The client's own name for what went wrong."""
    return type(error).__name__


class Consumer:
    """A member of a group."""

    def __init__(self, bootstrap, options, listener):
        self.listener = _Listener(listener)
        self.consumer = run(_started(lambda: aiokafka.AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=options["group"],
            group_instance_id=options["instance"],
            auto_offset_reset=options["reset"],
            enable_auto_commit=False,
            session_timeout_ms=options["session_timeout_ms"],
            heartbeat_interval_ms=options["heartbeat_interval_ms"],
            metadata_max_age_ms=options["metadata_max_age_ms"])))

    def subscribe(self, topics):
        # subscribe itself starts tasks, so it too needs a running loop.
        async def subscribe():
            self.consumer.subscribe(topics, listener=self.listener)
        run(subscribe())

    def poll(self, timeout_s):
        polled = run(self.consumer.getmany(timeout_ms=int(timeout_s * 1000)))
        for records in polled.values():
            for record in records:
                yield record.topic, record.partition, record.offset, record.value

    def assignment(self):
        return [tuple(partition) for partition in self.consumer.assignment()]

    def commit(self, offsets):
        run(self.commit_when_revoked(offsets))

    def commit_when_revoked(self, offsets):
        # The loop is turning already when the callback comes; it awaits what it is given.
        return self.consumer.commit({TopicPartition(*partition): offset for partition, offset in offsets})

    def committed(self, partition):
        return run(self.consumer.committed(TopicPartition(*partition)))

    def seek(self, partition, offset):
        self.consumer.seek(TopicPartition(*partition), offset)

    def pause(self, partition):
        # Like subscribe, these want a running loop.
        async def pause():
            self.consumer.pause(TopicPartition(*partition))
        run(pause())

    def resume(self, partition):
        async def resume():
            self.consumer.resume(TopicPartition(*partition))
        run(resume())

    def close(self):
        run(self.consumer.stop())


class _Listener(aiokafka.ConsumerRebalanceListener):
    def __init__(self, tell):
        self.tell = tell

    async def on_partitions_revoked(self, revoked):
        committing = self.tell("revoked", [tuple(partition) for partition in revoked])
        if committing is not None:
            await committing

    async def on_partitions_assigned(self, assigned):
        self.tell("assigned", [tuple(partition) for partition in assigned])


class Producer:
    """Sends to a partition and waits for the acknowledgements."""

    def __init__(self, bootstrap, options):
        codec = None if options["codec"] == "none" else options["codec"]
        # The long linger keeps what is sent together in one batch; flush does not wait for it.
        self.producer = run(_started(lambda: aiokafka.AIOKafkaProducer(
            bootstrap_servers=bootstrap, compression_type=codec, acks="all", linger_ms=1000, max_batch_size=1 << 20)))

    def send(self, topic, partition, values, keys, timestamp_ms):
        async def send():
            sent = [await self.producer.send(topic, value, key, partition, timestamp_ms) for key, value in zip(keys, values)]
            await self.producer.flush()
            return [(await future).offset for future in sent]
        return run(send())

    def close(self):
        run(self.producer.stop())


class Admin:
    """What the tests need done to topics and groups."""

    def __init__(self, bootstrap):
        self.admin = run(_started(lambda: AIOKafkaAdminClient(bootstrap_servers=bootstrap)))

    def create_topic(self, name, partitions):
        answer = run(self.admin.create_topics([NewTopic(name, partitions, 1)]))
        for _, code, *_ in answer.topic_errors:
            if code:
                raise RuntimeError(f"creating {name} answered error {code}")

    def delete_records(self, topic, partition, before):
        run(self.admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=before)}))

    def close(self):
        run(self.admin.close())
