"""Burrow, which judges the lag of groups by what it reads in __consumer_offsets."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
import zookeeper
from confluent_kafka import Consumer, Producer, TopicPartition

PATIENCE_S = 40
CONFIGURATION = """
[general]
pidfile="{folder}/pid"
[logging]
level="warn"
[zookeeper]
servers=["{zookeeper}"]
[client-profile.burrow]
client-id="burrow"
kafka-version="2.0.0"
[cluster.all]
class-name="kafka"
servers=["{bootstrap}"]
client-profile="burrow"
topic-refresh=1
offset-refresh=1
[consumer.all]
class-name="kafka"
cluster="all"
servers=["{bootstrap}"]
client-profile="burrow"
start-latest=false
[storage.default]
class-name="inmemory"
min-distance=0
[httpserver.default]
address="127.0.0.1:{port}"
"""


class Burrow:
    """A running one, asked as dashboards ask it."""

    def __init__(self, folder, bootstrap):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        configuration = CONFIGURATION.format(folder=folder, zookeeper=zookeeper.start(), bootstrap=bootstrap, port=self.port)
        (folder / "burrow.toml").write_text(configuration)
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["Burrow", "--config-dir", str(folder)], stdout=log, stderr=log)

    def ask(self, path):
        """Its answer; None while it has none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v3/kafka/all{path}", timeout=5) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            return None

    def partitions(self, group):
        """`{(topic, partition): (committed offset, lag, owner)}`, as far as it knows."""
        answer = self.ask(f"/consumer/{group}/lag")
        found = answer["status"]["partitions"] if answer else []
        return {(one["topic"], one["partition"]): (one["end"]["offset"], one["current_lag"], one["owner"]) for one in found if one["end"]}

    def wait(self, what, condition):
        """Until it is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S} s\n{self.log.read_text()[-2000:]}"
            time.sleep(0.1)


@pytest.fixture(scope="session")
def burrow(tmp_path_factory, bootstrap):
    """Burrow, beside the broker from the first test to the last."""
    # Burrow ends where there are no offsets to read yet.
    Consumer({"bootstrap.servers": bootstrap, "group.id": "first"}).commit(offsets=[produce(bootstrap, "first", 1)], asynchronous=False)
    running = Burrow(tmp_path_factory.mktemp("burrow"), bootstrap)
    running.wait("Burrow to start", lambda: running.ask(""))
    yield running
    running.process.kill()
    running.process.wait()


def produce(bootstrap, topic, count):
    """So many records to partition 0; returns where it ends."""
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(count):
        producer.produce(topic, b"%d" % number, partition=0)
    assert producer.flush(PATIENCE_S) == 0
    return TopicPartition(topic, 0, count)


def commit(bootstrap, group, topic, offset):
    """As nobody's member."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
    consumer.close()


def test_burrow_offsets(burrow, bootstrap, fresh, group):
    topic = fresh("topic")
    produce(bootstrap, topic, 10)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                         "client.id": "the-owner"})
    consumer.subscribe([topic])
    messages = consumer.consume(4, PATIENCE_S)
    consumer.commit(message=messages[-1], asynchronous=False)
    burrow.wait("the group in the list", lambda: group in (burrow.ask("/consumer") or {}).get("consumers", []))
    committed = messages[-1].offset() + 1
    burrow.wait("the commit, the lag and the owner",
                lambda: burrow.partitions(group).get((topic, 0)) == (committed, 10 - committed, "/127.0.0.1"))
    consumer.close()
    commit(bootstrap, group, topic, 10)
    burrow.wait("the end of the lag", lambda: burrow.partitions(group).get((topic, 0), ())[:2] == (10, 0))


def test_burrow_pending_transaction(burrow, bootstrap, fresh, group):
    topic = fresh("topic")
    produce(bootstrap, topic, 10)
    commit(bootstrap, group, topic, 2)
    burrow.wait("the first commit", lambda: burrow.partitions(group).get((topic, 0), ())[:1] == (2,))
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": fresh("id")})
    producer.init_transactions(PATIENCE_S)
    metadata = Consumer({"bootstrap.servers": bootstrap, "group.id": group}).consumer_group_metadata()
    for offset, end in ((5, producer.commit_transaction), (7, producer.abort_transaction)):
        producer.begin_transaction()
        producer.send_offsets_to_transaction([TopicPartition(topic, 0, offset)], metadata, PATIENCE_S)
        # Burrow reads records of open and of aborted transactions like all others.
        burrow.wait(f"the pending commit of {offset}", lambda at=offset: burrow.partitions(group).get((topic, 0), ())[:1] == (at,))
        end(PATIENCE_S)
    committed = Consumer({"bootstrap.servers": bootstrap, "group.id": group}).committed([TopicPartition(topic, 0)], PATIENCE_S)
    assert committed[0].offset == 5
    commit(bootstrap, group, topic, 6)
    burrow.wait("what is committed after it", lambda: burrow.partitions(group).get((topic, 0), ())[:1] == (6,))


def test_burrow_restart(burrow, bootstrap, fresh, group, restart_broker):
    topic = fresh("topic")
    produce(bootstrap, topic, 10)
    commit(bootstrap, group, topic, 3)
    burrow.wait("the commit before", lambda: burrow.partitions(group).get((topic, 0), ())[:1] == (3,))
    restart_broker()
    commit(bootstrap, group, topic, 8)
    burrow.wait("the commit after", lambda: burrow.partitions(group).get((topic, 0), ())[:2] == (8, 2))
