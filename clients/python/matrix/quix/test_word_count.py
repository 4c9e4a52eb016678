"""A word count in Quix Streams, as an application of its own process."""

import collections
import pathlib
import shutil
import subprocess
import sys

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from deadlines import PATIENCE_S, rounds

PROGRAM = pathlib.Path(__file__).with_name("word_count.py")
SENTENCE = "the cat and the dog and the bird"
COUNTED = collections.Counter(SENTENCE.split())


class WordCount:
    """The application, which can be stopped, killed and started again, and what it writes."""

    def __init__(self, bootstrap, fresh, folder, guarantee):
        self.bootstrap, self.guarantee = bootstrap, guarantee
        self.group, self.sentences, self.counts = fresh("word-count"), fresh("sentences"), fresh("counts")
        self.state = folder / "state"
        self.process = None
        self.producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap})
        admin = AdminClient({"bootstrap.servers": bootstrap})
        for created in admin.create_topics([NewTopic(name, 2, 1) for name in (self.sentences, self.counts)]).values():
            created.result(PATIENCE_S)
        self.consumer = confluent_kafka.Consumer({
            "bootstrap.servers": bootstrap, "group.id": fresh("reader"), "auto.offset.reset": "earliest", "isolation.level": "read_committed",
            "reconnect.backoff.max.ms": 500})
        self.consumer.subscribe([self.counts])
        self.seen = collections.defaultdict(list)

    def start(self):
        self.process = subprocess.Popen([
            sys.executable, PROGRAM, self.bootstrap, self.group, self.sentences, self.counts, self.state, self.guarantee])

    def stop(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def send(self, times):
        for number in range(times):
            self.producer.produce(self.sentences, SENTENCE, key=str(number))
        assert self.producer.flush(PATIENCE_S) == 0

    def read_until(self, times):
        """Reads counts until they show so many sentences."""
        expected = {word: count * times for word, count in COUNTED.items()}
        for _ in rounds(lambda: f"{expected}, but {self.newest()}", 2 * PATIENCE_S):
            if self.newest() == expected:
                return
            self.read_one()

    def read_until_it_goes_on(self):
        """Reads counts until one is new."""
        before = self.newest()
        for _ in rounds("a new count", 2 * PATIENCE_S):
            self.read_one()
            if self.newest() != before:
                return

    def read_one(self):
        message = self.consumer.poll(0.2)
        if message and not message.error():
            self.seen[message.key().decode()].append(int(message.value()))
        assert self.process.poll() is None, "the application ended by itself"

    def newest(self):
        """The last count of each word."""
        return {word: counts[-1] for word, counts in self.seen.items()}

    def end(self):
        if self.process:
            self.kill()
        self.consumer.close()


@pytest.fixture
def word_count(bootstrap, fresh, tmp_path):
    """Makes word counts; they end with the test."""
    made = []

    def make(guarantee):
        made.append(WordCount(bootstrap, fresh, tmp_path, guarantee))
        return made[-1]
    yield make
    for one in made:
        one.end()


def each_count_once(times):
    return {word: list(range(1, count * times + 1)) for word, count in COUNTED.items()}


def test_word_count(word_count):
    app = word_count("at-least-once")
    app.send(20)
    app.start()
    app.read_until(20)
    assert app.seen == each_count_once(20)


def test_restart(word_count, restart_broker):
    app = word_count("at-least-once")
    app.start()
    app.send(20)
    app.read_until(20)
    app.stop()
    shutil.rmtree(app.state)
    restart_broker()
    app.send(20)
    app.start()
    app.read_until(40)
    app.stop()
    assert app.seen == each_count_once(40)


def test_exactly_once(word_count, restart_broker):
    app = word_count("exactly-once")
    app.start()
    app.send(20)
    app.read_until(20)
    app.send(2_000)
    app.read_until_it_goes_on()
    app.kill()
    app.start()
    restart_broker()
    app.send(20)
    app.read_until(2_040)
    app.stop()
    assert app.seen == each_count_once(2_040)
