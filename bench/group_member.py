"""One client in a process of its own, in the test environment of confluent-kafka: a member of a group, or the load that members read.

    python group_member.py load BOOTSTRAP TOPIC PARTITIONS PER_SECOND      so many records a second to each partition
    python group_member.py member TOPIC SETTINGS_AS_JSON                   the settings are librdkafka's

A member waits for the line `subscribe` on stdin, polls from then on, commits what it got ten times a second, and leaves with the line
`close`. It tells what happens on stdout, one JSON object per line, with the time of `time.monotonic`, which on Linux is the
same in all processes. The value of a record is when it was sent, on that clock.
"""

import json
import os
import queue
import sys
import threading
import time

import confluent_kafka

POLL_S = 0.05
COMMIT_EVERY_S = 0.1
RECONNECT = {"reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 100, "metadata.recovery.strategy": "none"}
"""So that it is the broker that is measured, not how long a client keeps away from it."""


def tell(event, **report):
    """One line to who started this."""
    sys.stdout.write(json.dumps({"event": event, "at": time.monotonic(), **report}) + "\n")
    sys.stdout.flush()


class Member:
    """A consumer that tells of its assignment, its records, and its commits."""

    def __init__(self, topic, settings):
        self.owned = set()
        self.commits_at = 0.0
        self.uncommitted = False
        common = {"auto.offset.reset": "earliest", "enable.auto.commit": False, "on_commit": self.committed}
        self.consumer = confluent_kafka.Consumer({**RECONNECT, **common, "error_cb": complain, **settings})
        self.consumer.subscribe([topic], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.revoked)

    def assigned(self, _, partitions):
        """Also the consumer protocol names only what is new."""
        self.owned |= {partition.partition for partition in partitions}
        tell("assignment", partitions=sorted(self.owned))

    def revoked(self, _, partitions):
        self.owned -= {partition.partition for partition in partitions}
        tell("assignment", partitions=sorted(self.owned))

    def committed(self, error, partitions):
        if error is None and all(partition.error is None for partition in partitions):
            tell("committed")

    def poll(self):
        """Takes what is there, and tells of each partition when its newest record was sent."""
        sent = {}
        message = self.consumer.poll(POLL_S)
        while message is not None:
            if message.error():
                complain(message.error())
            else:
                sent[message.partition()] = float(message.value())
            message = self.consumer.poll(0)
        if sent:
            tell("records", sent=sent)
            self.uncommitted = True
        # Never without a reason: a commit before the first assignment puts off librdkafka's next heartbeat (2.16).
        if self.uncommitted and self.owned and time.monotonic() >= self.commits_at:
            self.commits_at = time.monotonic() + COMMIT_EVERY_S
            self.uncommitted = False
            self.commit()

    def commit(self):
        try:
            self.consumer.commit(asynchronous=True)
        except confluent_kafka.KafkaException as error:  # mostly that there is nothing to commit
            if error.args[0].code() != confluent_kafka.KafkaError._NO_OFFSET:
                complain(error)


def complain(error):
    """Into the log, for who wonders."""
    print(f"{time.monotonic():.3f} {error}", file=sys.stderr, flush=True)


def be_member(topic, settings):
    orders = queue.Queue()

    def listen():
        for line in sys.stdin:
            orders.put(line.strip())
        orders.put("close")

    threading.Thread(target=listen, daemon=True).start()
    tell("ready")
    if orders.get() != "subscribe":
        return
    tell("subscribes")
    member = Member(topic, json.loads(settings))
    while orders.empty():
        member.poll()
    tell("closes")
    member.consumer.close()
    tell("closed")


def load(bootstrap, topic, partitions, per_second):
    """Until stdin is closed. What cannot be sent yet waits in the client."""
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    producer = confluent_kafka.Producer({**RECONNECT, "bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0, "error_cb": complain})
    began, number = time.monotonic(), 0
    while True:
        for partition in range(int(partitions)):
            producer.produce(topic, repr(time.monotonic()), partition=partition)
        number += 1
        producer.poll(max(began + number / float(per_second) - time.monotonic(), 0))
        # A poll ends early when a delivery was reported.
        time.sleep(max(began + number / float(per_second) - time.monotonic(), 0))


if __name__ == "__main__":
    {"load": load, "member": be_member}[sys.argv[1]](*sys.argv[2:])
