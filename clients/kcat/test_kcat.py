"""kcat as people call it: one command for each thing."""

import json
import os
import select
import subprocess
import urllib.request
import uuid

import pytest

PATIENCE_S = 30
FAST_GROUP = ["-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=300", "-X", "reconnect.backoff.max.ms=500", "-X", "auto.offset.reset=earliest"]
COMMAND = ["kcat", "-q", "-b", os.environ["BROKER_BOOTSTRAP"]]


def kcat(*arguments, records=""):
    """Runs it with records on its standard input, and returns what it printed."""
    done = subprocess.run([*COMMAND, *arguments], input=records, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Member:
    """A kcat that stays in a group, also without a broker (-E), and prints what it reads, in lines."""

    def __init__(self, group, topic):
        command = [*COMMAND, "-G", group, "-E", "-u", "-f", "%o %s\n", *FAST_GROUP, topic]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def read(self, count):
        """So many lines. The limit of the whole run ends what waits for a line that never comes."""
        return [self.process.stdout.readline().rstrip("\n") for _ in range(count)]

    def leave(self):
        self.process.terminate()
        rest = self.process.communicate(timeout=PATIENCE_S)[0]
        assert self.process.returncode == 0
        return rest


@pytest.fixture
def fresh():
    """`fresh("orders")` is a name that nobody has used before."""
    return lambda kind: f"{kind}-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def topic(fresh):
    return fresh("topic")


@pytest.fixture
def join(topic):
    """Members that read the test's topic; they end with the test."""
    made = []

    def join(group):
        made.append(Member(group, topic))
        return made[-1]
    yield join
    for member in made:
        member.process.kill()
        member.process.wait()
        member.process.stdout.close()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_codecs(topic, codec):
    records = [f"key {number}={codec} {number} {'again ' * 30}" for number in range(100)]
    kcat("-P", "-t", topic, "-K", "=", "-X", f"compression.codec={codec}", "-X", "acks=all", records="\n".join(records))
    printed = kcat("-C", "-t", topic, "-e", "-f", "%t [%p] at %o: %k=%s\n")
    assert printed.splitlines() == [f"{topic} [0] at {offset}: {record}" for offset, record in enumerate(records)]


def test_metadata(topic):
    kcat("-P", "-t", topic, records="one")
    told = json.loads(kcat("-L", "-J"))
    assert os.environ["BROKER_BOOTSTRAP"] in {broker["name"] for broker in told["brokers"]}
    (mine,) = [one for one in told["topics"] if one["topic"] == topic]
    assert [partition["partition"] for partition in mine["partitions"]] == [0]
    assert [one["topic"] for one in json.loads(kcat("-L", "-J", "-t", topic))["topics"]] == [topic]


def test_group(topic, fresh, join):
    group = fresh("group")
    kcat("-P", "-t", topic, records="\n".join(f"{number}" for number in range(10)))
    assert kcat("-G", group, "-c", "4", "-f", "%s ", *FAST_GROUP, topic) == "0 1 2 3 "
    assert kcat("-G", group, "-e", "-f", "%s ", *FAST_GROUP, topic) == "4 5 6 7 8 9 "

    first, second = join(group), join(group)
    kcat("-P", "-t", topic, records="10")
    # The partition is with either; the other one reads after that one has left.
    owner, other = (first, second) if has_a_line(first, second) else (second, first)
    assert owner.read(1) == ["10 10"]
    assert owner.leave() == ""
    kcat("-P", "-t", topic, records="11")
    assert other.read(1) == ["11 11"]


def has_a_line(member, other):
    """Which of two members has printed something, as soon as one has."""
    ready, _, _ = select.select([member.process.stdout, other.process.stdout], [], [], PATIENCE_S)
    assert ready, "neither of two members read anything"
    return member.process.stdout in ready


def test_offsets_by_time(topic):
    kcat("-P", "-t", topic, records="zero")
    kcat("-P", "-t", topic, records="one")
    times = [int(line) for line in kcat("-C", "-t", topic, "-e", "-f", "%T\n").split()]
    assert times == sorted(times)
    assert kcat("-Q", "-t", f"{topic}:0:{times[0]}") == f"{topic} [0] offset 0\n"
    assert kcat("-Q", "-t", f"{topic}:0:{times[0] + 1}") == f"{topic} [0] offset 1\n"
    assert kcat("-Q", "-t", f"{topic}:0:{times[1] + 1}") == f"{topic} [0] offset -1\n"
    assert kcat("-C", "-t", topic, "-e", "-o", f"s@{times[0] + 1}") == "one\n"


def test_headers(topic):
    headers = ["-H", "kind=order", "-H", "kind=again", "-H", "empty="]
    kcat("-P", "-t", topic, "-K", "=", *headers, records="key=value")
    kcat("-P", "-t", topic, "-K", "=", "-Z", records="gone=")
    kcat("-P", "-t", topic, "-K", "=", records="empty=")
    records = [json.loads(line) for line in kcat("-C", "-t", topic, "-e", "-J").splitlines()]
    assert [(record["key"], record["payload"]) for record in records] == [("key", "value"), ("gone", None), ("empty", "")]
    assert records[0]["headers"] == ["kind", "order", "kind", "again", "empty", ""]
    assert "headers" not in records[1]


def test_idempotence(topic, fresh):
    values = [f"{number}" for number in range(1_000)]
    kcat("-P", "-t", topic, "-X", "enable.idempotence=true", "-X", "batch.num.messages=20", records="\n".join(values))
    kcat("-P", "-t", topic, "-X", f"transactional.id={fresh('writer')}", records="in a transaction")
    kcat("-P", "-t", topic, records="after")
    printed = kcat("-C", "-t", topic, "-e", "-X", "isolation.level=read_committed").splitlines()
    assert printed == [*values, "in a transaction", "after"]


def test_restart(topic, fresh, join):
    kcat("-P", "-t", topic, records="before")
    member = join(fresh("group"))
    assert member.read(1) == ["0 before"]
    request = urllib.request.Request(os.environ["BROKER_CONTROL"] + "/restart", method="POST")
    with urllib.request.urlopen(request, timeout=3 * PATIENCE_S) as answer:
        assert answer.status == 200
    kcat("-P", "-t", topic, records="after")
    # What it had not committed yet it may read again.
    line = member.read(1)
    assert (member.read(1) if line == ["0 before"] else line) == ["1 after"]
    assert member.leave() == ""
