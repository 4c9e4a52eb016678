"""Kafka's command line tools, started as its scripts start them, and what they print."""

import functools
import json
import os
import pathlib
import queue
import shlex
import signal
import subprocess
import threading
import time
import urllib.request
import uuid

BOOTSTRAP = os.environ["BROKER_BOOTSTRAP"]
REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
JVM = ["-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
DEADLINE_S = 45

CLASSES = {
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-client-metrics": "org.apache.kafka.tools.ClientMetricsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-e2e-latency": "org.apache.kafka.tools.EndToEndLatency",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-streams-application-reset": "org.apache.kafka.tools.StreamsResetter",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
    "transactional-message-copier": "org.apache.kafka.tools.TransactionalMessageCopier",
}
WANT_ADDRESS_LAST = ("kafka-cluster",)


class ToolFailed(Exception):
    """The tool ended with an exit code other than 0; the text is all that it printed."""


def run(line, stdin=""):
    """Runs a line of the shell, `kafka-topics --list`, against the broker; returns what it prints on stdout. Raises ToolFailed."""
    done = subprocess.run(command(line), input=stdin, capture_output=True, text=True, timeout=DEADLINE_S)
    if done.returncode:
        raise ToolFailed(done.stdout + done.stderr)
    return done.stdout


def rows(line):
    """The words of each row of the table that a tool prints, its head among them."""
    return [row.split() for row in run(line).splitlines() if row.strip()]


def command(line):
    """The tool's name becomes its class. The address of the broker is put where the tool wants it."""
    tool, *arguments = shlex.split(line)
    if tool in WANT_ADDRESS_LAST:
        arguments += ["--bootstrap-server", BOOTSTRAP]
    elif "--broker-list" not in arguments:
        arguments = ["--bootstrap-server", BOOTSTRAP, *arguments]
    return ["java", *JVM, "-cp", f"{jars()}/*", CLASSES[tool], *arguments]


@functools.cache
def jars():
    """The folder of the reference broker's jars, which the tools are among."""
    return subprocess.run([REPOSITORY / "bench" / "kafka" / "broker", "jars"], check=True, capture_output=True, text=True).stdout.strip()


def lay_down_classes(archive):
    """Has a tool that produces, consumes and administers write the classes that it has loaded to a file; later starts take them from there."""
    first = command(f"kafka-e2e-latency --topic {fresh('topic')} --num-records 1 --producer-acks all --record-size 10")
    subprocess.run([first[0], f"-XX:ArchiveClassesAtExit={archive}", *first[1:]], check=True, capture_output=True, timeout=DEADLINE_S)


class Running:
    """A tool that runs in the background. The lines that it prints are kept; those in JSON are its events."""

    def __init__(self, line):
        self.line = line
        self.printed = []
        self._news = queue.Queue()
        self.process = subprocess.Popen(command(line), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    @property
    def events(self):
        """What it has told so far, in order."""
        return [json.loads(line) for line in list(self.printed) if line.startswith("{")]

    def named(self, name):
        """Its events of that name."""
        return [event for event in self.events if event["name"] == name]

    def until(self, what, condition):
        """Waits for output until `condition(self)` holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition(self):
            try:
                ended = self._news.get(timeout=max(0, deadline - time.monotonic())) is None
            except queue.Empty:
                ended = True
            if ended and not condition(self):
                raise AssertionError(f"{self.line}: never {what}; it printed\n" + "\n".join(self.printed[-40:]))

    def leave(self):
        """SIGTERM, on which it says goodbye; returns when it has ended."""
        self._end(signal.SIGTERM)

    def kill(self):
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def wait(self):
        """Waits for its own end; returns the exit code."""
        code = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return code

    def _end(self, how):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.wait()

    def _read(self):
        for line in self.process.stdout:
            self.printed.append(line.rstrip("\n"))
            self._news.put(line)
        self._news.put(None)


def eventually(what, look, wanted=True):
    """Looks until it sees what is wanted."""
    deadline = time.monotonic() + DEADLINE_S
    while (seen := look()) != wanted:
        assert time.monotonic() < deadline, f"not in time: {what}; last seen: {seen}"
        time.sleep(0.05)


def restart_broker():
    """Has the broker killed with SIGKILL and started again; returns when it serves requests."""
    request = urllib.request.Request(os.environ["BROKER_CONTROL"] + "/restart", method="POST")
    urllib.request.urlopen(request, timeout=DEADLINE_S).close()


def fresh(what):
    """A name that nothing else has, in this run or another."""
    return f"{what}-{uuid.uuid4().hex[:8]}"


def create_topic(partitions=1, **configs):
    """Makes a topic; `max_message_bytes=1` is the config max.message.bytes."""
    topic = fresh("topic")
    settings = " ".join(f"--config {name.replace('_', '.')}={value}" for name, value in configs.items())
    run(f"kafka-topics --create --topic {topic} --partitions {partitions} {settings}")
    return topic


def send_lines(topic, lines, options=""):
    """Each line is a record, by kafka-console-producer."""
    run(f"kafka-console-producer --topic {topic} {options}", stdin="".join(f"{line}\n" for line in lines))


def send_keyed(topic, records, options=""):
    """`[(key, value)]`, by kafka-console-producer."""
    lines = [f"{key}:{value}" for key, value in records]
    send_lines(topic, lines, f"--reader-property parse.key=true --reader-property key.separator=: {options}")


def read_lines(topic, count, options=""):
    """What kafka-console-consumer prints for the first `count` records."""
    return run(f"kafka-console-consumer --topic {topic} --from-beginning --max-messages {count} --timeout-ms 20000 {options}").splitlines()


def shows(*fields):
    """What kafka-console-consumer shall print of a record besides its value."""
    return " ".join(f"--formatter-property print.{field}=true" for field in fields)


def offsets(options):
    """`{(topic, partition): offset}` as kafka-get-offsets prints them."""
    found = [row.split(":") for row in run(f"kafka-get-offsets {options}").split()]
    return {(topic, int(partition)): int(offset) for topic, partition, offset in found}


def committed(group):
    """`{(topic, partition): offset}` as kafka-consumer-groups describes the group."""
    table = rows(f"kafka-consumer-groups --describe --offsets --group {group}")
    return {(row[1], int(row[2])): int(row[3]) for row in table if row[0] == group and row[3] != "-"}
