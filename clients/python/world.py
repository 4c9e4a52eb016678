"""What a test works with: a broker of its own and client processes that can be asked, watched and killed.

Nothing here sleeps to let something happen: a test waits for a condition and fails at a deadline.
"""

import itertools
import json
import os
import pathlib
import signal
import subprocess
import threading
import time
from typing import NamedTuple

import environments
import wire

HERE = pathlib.Path(__file__).resolve().parent
DEADLINE_S = float(os.environ.get("OTTLA_TEST_DEADLINE_S", "60"))
PACE_S = 0.05


class ClientError(Exception):
    """A client threw; `kind` is its own name for that."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class Record(NamedTuple):
    """A record as a client handed it out."""

    topic: str
    partition: int
    offset: int
    value: str
    at_s: float
    """On the clock that all processes of a machine share, `time.monotonic`."""
    member: int = 0
    """Which of the members of its process got it."""


class Committed(NamedTuple):
    """A commit that the broker has answered."""

    topic: str
    partition: int
    offset: int
    at_s: float
    """When the answer was there, on the same clock."""


class Client:
    """One client process, seen from the test."""

    def __init__(self, environment, bootstrap, log):
        self.environment = environment
        self.log = log
        self.records, self.errors, self.events, self.commits = [], [], [], []
        self.assignments = {}
        """By the number of the member; all but a crowd have one."""
        self.changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._replies = {}
        self._greeting = None
        self._ended = False
        with open(log, "ab") as stderr:
            self.process = subprocess.Popen(
                [*environments.command(environment), bootstrap],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=HERE, text=True)
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def assignment(self):
        """What its only member has; None before it was told."""
        return self.assignments.get(0)

    @property
    def greeting(self):
        """What the adapter knows about its client."""
        self.wait(lambda: self._greeting, "the client process to start")
        return self._greeting

    def wait(self, condition, what, deadline_s=DEADLINE_S):
        """Wait until the condition holds; anything that the process reports makes it look again."""
        if not self.until(lambda: condition() or self._ended, deadline_s) or not condition():
            ended = ", but the process has ended" if self._ended else ""
            raise AssertionError(f"waited {deadline_s:.0f} s for {what}{ended}: {self.state()}")

    def until(self, condition, timeout_s):
        """Wait for the condition without failing; tells whether it holds."""
        with self.changed:
            return bool(self.changed.wait_for(condition, timeout_s))

    def start(self, operation, **arguments):
        """Give a command; `finish` waits for its answer."""
        number = next(self._numbers)
        try:
            self.process.stdin.write(json.dumps({"number": number, "do": operation, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(f"{self} has ended\n{self.log_tail()}") from None
        return number

    def finish(self, number):
        """The answer to a command. Raises ClientError if the client threw."""
        self.wait(lambda: number in self._replies, "an answer")
        reply = self._replies.pop(number)
        if "error" in reply:
            raise ClientError(reply["error"], reply["text"])
        return reply["value"]

    def do(self, operation, **arguments):
        """Give a command and wait for its answer."""
        return self.finish(self.start(operation, **arguments))

    def commit(self, offsets):
        """Commit `{(topic, partition): offset}` and wait for the broker's answer."""
        self.do("commit", offsets=list(offsets.items()))

    def committed(self, topic, partition):
        """The committed offset as this client sees it, or None."""
        return self.do("committed", partition=[topic, partition])

    def seek(self, topic, partition, offset):
        """Go on from that offset."""
        self.do("seek", partition=[topic, partition], offset=offset)

    def stop_polling(self):
        """The application is busy: it polls no more until `poll_again`."""
        self.do("stop_polling")

    def poll_again(self):
        """Go on after `stop_polling`."""
        self.do("poll_again")

    def pause(self, topic, partition):
        """Fetch no more from that partition."""
        self.do("pause", partition=[topic, partition])

    def resume(self, topic, partition):
        """Fetch from it again."""
        self.do("resume", partition=[topic, partition])

    def freeze(self):
        """SIGSTOP: the process lives and does nothing at all."""
        self.process.send_signal(signal.SIGSTOP)

    def close(self):
        """Leave the group and end."""
        self.do("close")
        self._end()

    def kill(self):
        """SIGKILL: no goodbye to the group."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        """Clean up after the test, whatever the state."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except OSError:
                pass

    def offsets(self, partition, topic=None):
        """The offsets got from one partition, in the order in which they came."""
        return [record.offset for record in list(self.records) if record.partition == partition and topic in (None, record.topic)]

    def values(self):
        """All values, in the order in which they came."""
        return [record.value for record in list(self.records)]

    def count(self, event):
        """How often that kind of event came."""
        return sum(1 for name, _ in list(self.events) if name == event)

    def state(self):
        """Everything that helps to see why a wait was in vain."""
        return (f"{self}: assignment {self.assignment}, {len(self.records)} records, last {self.records[-3:]}, errors {self.errors[-3:]}, "
                f"events {self.events[-6:]}\n{self.log_tail()}")

    def log_tail(self, lines=12):
        """The end of what the process wrote to stderr."""
        text = pathlib.Path(self.log).read_text(errors="replace").splitlines()
        return "\n".join(text[-lines:])

    def __str__(self):
        return f"{self.environment.name} ({pathlib.Path(self.log).stem})"

    def _end(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE_S)

    def _listen(self):
        try:
            for line in self.process.stdout:
                report = json.loads(line)
                with self.changed:
                    self._take(report)
                    self.changed.notify_all()
        except ValueError:  # the pipe was closed under the reader: the test is over
            pass
        finally:
            with self.changed:
                self._ended = True
                self.changed.notify_all()

    def _take(self, report):
        if "reply" in report:
            self._replies[report["reply"]] = report
            return
        event, member = report.pop("event"), report.pop("member", 0)
        if event == "ready":
            self._greeting = report
        elif event == "records":
            self.records += [Record(*record, member) for record in report["records"]]
        elif event == "error":
            self.errors.append(report["kind"])
        elif event == "committed":
            self.commits += [Committed(*partition, offset, report["at"]) for partition, offset in report["offsets"]]
        elif event == "assignment":
            self.assignments[member] = {tuple(partition) for partition in report["partitions"]}
        else:
            self.events.append((event, {tuple(partition) for partition in report["partitions"]}))


CONSUMER_PROTOCOL = {
    "group_consumer_session_timeout_ms": 6_000, "group_consumer_min_session_timeout_ms": 1_000,
    "group_consumer_heartbeat_interval_ms": 300, "group_consumer_min_heartbeat_interval_ms": 100,
}
"""What members say themselves in the classic protocol, and the broker says in this one."""


MEMBER = {
    "reset": "earliest", "session_timeout_ms": 10_000, "heartbeat_interval_ms": 300, "cooperative": False, "instance": None,
    "commit_on_revoke": False, "commit_each_poll": False, "auto_create_topics": True, "metadata_max_age_ms": 1_000,
}
"""What a member is unless a test wants another one."""


class World:
    """A broker, and clients of one version that talk to it."""

    def __init__(self, environment, make_broker, folder):
        self.environment = environment
        self.folder = folder
        self._make_broker = make_broker
        self.is_consumer_group = environment.is_consumer_protocol
        """How the broker is asked for groups; a test with members of both protocols says what its group is now."""
        self.broker = None
        self.clients = []
        self.acts = []
        """The worlds that `again` made, which end with this one."""
        self.held = []
        """What is closed at the very end, after the broker."""
        self._sending = None

    def start_broker(self, **properties):
        """Start this test's own broker."""
        if self.environment.is_consumer_protocol:
            properties = {**CONSUMER_PROTOCOL, **properties}
        self.broker = self._make_broker(self.folder / "broker", {name.replace("_", "."): value for name, value in properties.items()})
        self.broker.start()

    def again(self, name):
        """Another world in a folder within this one, for a second act with a new broker."""
        folder = self.folder / name
        folder.mkdir()
        again = World(self.environment, self._make_broker, folder)
        self.acts.append(again)
        return again

    def client(self, name, environment=None):
        """A client process; of the version under test, unless another is asked for."""
        environment = environment or self.environment
        log = self.folder / f"{len(self.clients):02}-{name}.log"
        client = Client(environment, self.broker.bootstrap, log)
        self.clients.append(client)
        return client

    def consumer(self, group, topics=("topic",), name=None, environment=None, **options):
        """A member that polls from now on, without waiting for its assignment."""
        client = self.client(name or group, environment)
        client.start("consumer", topics=list(topics), options={**MEMBER, "group": group, **options})
        return client

    def crowd(self, group, count, topics=("topic",), name=None, **options):
        """So many members in one process, which join all at once."""
        client = self.client(name or group)
        client.start("crowd", count=count, topics=list(topics), options={**MEMBER, "group": group, **options})
        return client

    def produce(self, values, partition=0, topic="topic", codec="none", environment=None, keys=None, timestamp_ms=None):
        """Send the values in one go, as one batch, and return their offsets once all are acknowledged."""
        sender = self._helper() if environment is None else self.client("producer", environment)
        return sender.do("produce", topic=topic, partition=partition, values=list(values), codec=codec, keys=keys, timestamp_ms=timestamp_ms)

    def produce_everywhere(self, prefix, each, partitions, topic="topic"):
        """Send `each` values to each of the partitions; returns all values."""
        sent = []
        for partition in range(partitions):
            values = [f"{prefix}-{partition}-{number}" for number in range(each)]
            self.produce(values, partition, topic)
            sent += values
        return sent

    def admin(self, call, *arguments):
        """An administrative call through the client under test, or through another where this one has none."""
        capable = self._helper()
        if not capable.greeting["capabilities"].get(call, True):
            capable = self.client("admin", environments.NEWEST_KAFKA_PYTHON)
        return capable.do("admin", call=call, arguments=arguments)

    def _helper(self):
        """A client that is no member: it sends, creates topics and the like."""
        self._sending = self._sending or self.client("helper")
        return self._sending

    def create_topic(self, partitions, topic="topic"):
        """Create a topic and wait until the broker lists it."""
        self.admin("create_topic", topic, partitions)
        self.wait(lambda: topic in wire.topics(self.broker.address), f"topic {topic} to be listed")

    def group(self, name):
        """The group as the broker sees it."""
        describe = wire.describe_consumer_group if self.is_consumer_group else wire.describe_group
        return describe(self.broker.address, name)

    def wait(self, condition, what, deadline_s=DEADLINE_S):
        """Wait for a condition that no single client reports."""
        deadline = time.monotonic() + deadline_s
        while not condition():
            if time.monotonic() > deadline:
                states = "\n".join(client.state() for client in self.clients if client.process.poll() is None)
                raise AssertionError(f"waited {deadline_s:.0f} s for {what}\n{states}")
            time.sleep(PACE_S)

    def end(self):
        """Stop everything that the test has started."""
        for act in self.acts:
            act.end()
        for client in self.clients:
            client.end()
        if self.broker:
            self.broker.kill()
        for held in self.held:
            held.close()
