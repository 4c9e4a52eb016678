#!/usr/bin/env python3
"""Copiers in transactions, while they and the broker are killed: with read_committed each input is in the output exactly once, in order.

    clients/python/transaction_torture.py [--minutes 10] [--copiers 8] [--broker kafka] [--binary PATH] [--seed N]

Eight processes copy from one topic to another in one group (see copier.py), while records come in. Every few seconds one of them is killed
(`kill -9`), or stopped for longer than its transaction may take and let go on as a zombie, or the broker is killed and started again.
At the end everything must be copied and no transaction may be open. The last line is `N passed, N failed`.
"""

import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import brokers  # noqa: E402 - lie beside this file
import environments  # noqa: E402

PARTITIONS = 8
RECORDS_PER_SECOND = 1500
GROUP = "copiers"
ENDS_WITHIN_S = 120
PAUSE_S = (3.0, 6.0)
"""Between two disturbances."""
FENCED = 3
HANGS_AFTER_S = 45
PROPERTIES = {"group.initial.rebalance.delay.ms": 0, "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
              "group.min.session.timeout.ms": 1000}


class Violation(Exception):
    """A promise was broken; the text says which."""


def main():
    arguments = parse_arguments()
    environment = environments.NEWEST_CONFLUENT
    python = environments.python_of(environment)
    if not arguments.inside:
        try:
            environments.build(environment)
        except environments.CannotBuild as why:
            print(f"cannot run the torture: {why}\n0 passed, 1 failed")
            return 1
        os.execv(python, [str(python), str(HERE / "transaction_torture.py"), "--inside", *sys.argv[1:]])
    folder = environments.TARGET / "torture" / f"run-{os.getpid()}"
    folder.mkdir(parents=True)
    kind = brokers.KafkaBroker if arguments.broker == "kafka" else lambda *given: brokers.OttlaBroker(*given, binary=arguments.binary)
    broker = kind(folder / "data", PROPERTIES)
    broker.start()
    torture = Torture(broker, folder, arguments)
    try:
        torture.run()
    except Violation as why:
        print(f"seed {arguments.seed}: {why}\n(logs and data: {folder})\n0 passed, 1 failed")
        return 1
    finally:
        torture.end()
        broker.kill()
    shutil.rmtree(folder)
    print("1 passed, 0 failed")
    return 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--copiers", type=int, default=8)
    parser.add_argument("--broker", choices=("ottla", "kafka"), default="ottla")
    parser.add_argument("--binary", default=str(brokers.OTTLA))
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


class Torture:
    """The broker, the copiers, what comes in, and who disturbs them."""

    def __init__(self, broker, folder, arguments):
        self.broker, self.folder, self.minutes = broker, folder, arguments.minutes
        self.random = random.Random(arguments.seed)
        self.seed = arguments.seed
        self.processes = {}
        self.starts = 0
        self.counts = dict.fromkeys(("broker kills", "copier kills", "zombies", "fenced", "hung"), 0)
        self.names = [f"copier-{number}" for number in range(arguments.copiers)]
        self.stopped, self.awake = [], []
        """Processes that others have replaced."""

    def run(self):
        """All of it. Raises Violation."""
        print(f"seed {self.seed}: {len(self.names)} copiers, {self.minutes:g} minutes", flush=True)
        create_topics(self.broker.bootstrap)
        for name in self.names:
            self.start(name)
        source = Source(self.broker.bootstrap)
        deadline = time.monotonic() + self.minutes * 60
        while (left := deadline - time.monotonic()) > 0:
            self.watch(min(left, self.random.uniform(*PAUSE_S)))
            self.disturb()
        source.end()
        self.let_zombies_go()
        self.watch(PAUSE_S[0])
        self.kill_zombies()
        wanted = read(self.broker.bootstrap, "input", "read_uncommitted")
        self.finish(wanted)
        if self.minutes >= 1 and not (self.counts["broker kills"] and self.counts["copier kills"]):
            raise Violation(f"nothing went wrong, so nothing was shown: {self.counts}")
        print(f"{sum(map(len, wanted))} records; " + ", ".join(f"{count} {what}" for what, count in self.counts.items()), flush=True)

    def start(self, name):
        """A copier, or its successor."""
        self.starts += 1
        command = [sys.executable, HERE / "copier.py", self.broker.bootstrap, name, GROUP, "input", "output", str(self.starts),
                   self.alive(name)]
        self.alive(name).touch()
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def alive(self, name):
        """The file that a copier touches while it gets on."""
        return self.folder / f"{name}.alive"

    def watch(self, for_s):
        """Copiers that were fenced are started again, those that hang are killed; any other end is a violation."""
        until = time.monotonic() + for_s
        while time.monotonic() < until:
            for name, process in list(self.processes.items()):
                code = process.poll()
                if code == FENCED:
                    self.counts["fenced"] += 1
                    self.start(name)
                elif code is None and time.time() - self.alive(name).stat().st_mtime > HANGS_AFTER_S:
                    # librdkafka's send_offsets_to_transaction may never return, without a request under way, when the broker was killed in it.
                    self.counts["hung"] += 1
                    self.kill(name)
                elif code is not None:
                    raise Violation(f"{name} ended with {code}: {tail(self.folder / (name + '.log'))}")
            try:
                self.processes[self.names[0]].wait(0.1)
            except subprocess.TimeoutExpired:
                pass

    def disturb(self):
        """One thing goes wrong."""
        what = self.random.random()
        name = self.random.choice(self.names)
        if what < 0.5:
            self.counts["broker kills"] += 1
            self.broker.kill()
            self.broker.start()
        elif what < 0.85:
            self.counts["copier kills"] += 1
            self.kill(name)
        else:
            # It keeps its connections and its opinion, while another takes its place.
            self.counts["zombies"] += 1
            self.let_zombies_go()
            zombie = self.processes[name]
            zombie.send_signal(signal.SIGSTOP)
            self.stopped.append(zombie)
            self.start(name)

    def kill(self, name):
        """A copier is gone, without a goodbye, and has a successor."""
        self.processes[name].kill()
        self.processes[name].wait()
        self.start(name)

    def let_zombies_go(self):
        """They go on, and find out that they were replaced; what they still do must not count."""
        self.kill_zombies()
        for zombie in self.stopped:
            zombie.send_signal(signal.SIGCONT)
        self.awake, self.stopped = self.stopped, []

    def kill_zombies(self):
        """Those that were awake for a while: librdkafka may hang in a call that it was stopped in, and would keep its partitions."""
        for zombie in self.awake:
            zombie.kill()
            zombie.wait()
        self.awake = []

    def finish(self, wanted):
        """Everything is copied, once and in order, and nothing is open."""
        deadline = time.monotonic() + ENDS_WITHIN_S
        while True:
            copied = committed(self.broker.bootstrap)
            if copied >= sum(map(len, wanted)):
                break
            if time.monotonic() > deadline:
                raise Violation(f"of {sum(map(len, wanted))} records {copied} were copied within {ENDS_WITHIN_S} s")
            self.watch(0.5)
        for process in self.processes.values():
            process.stdin.close()
        for name, process in self.processes.items():
            try:
                code = process.wait(HANGS_AFTER_S)
            except subprocess.TimeoutExpired:
                # All is copied, so it has nothing left to do but to leave.
                self.counts["hung"] += 1
                process.kill()
                process.wait()
                continue
            if code != 0:
                raise Violation(f"{name} did not end well: {tail(self.folder / (name + '.log'))}")
        compare(wanted, read(self.broker.bootstrap, "output", "read_committed"))
        self.expect_nothing_open()

    def expect_nothing_open(self):
        """What a killed process left is aborted after its timeout, and after that readers of either isolation see as far."""
        deadline = time.monotonic() + 30
        while hanging := open_partitions(self.broker.bootstrap):
            if time.monotonic() > deadline:
                raise Violation(f"transactions hang in {hanging}")
            time.sleep(0.2)

    def end(self):
        """Nobody is left, however it went."""
        for process in [*self.processes.values(), *self.stopped, *self.awake]:
            if process.poll() is None:
                process.kill()
                process.wait()


class Source:
    """Puts numbers into the input, all the time, each once."""

    def __init__(self, bootstrap):
        import confluent_kafka

        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 600_000,
            "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "error_cb": lambda _: None})
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        number = 0
        while not self.over.wait(0.02):
            for number in range(number, number + RECORDS_PER_SECOND // 50):
                self.producer.produce("input", b"%d" % number, partition=number % PARTITIONS)
            number += 1
            self.producer.poll(0)

    def end(self):
        """No more; what was sent is there."""
        self.over.set()
        self.thread.join()
        if left := self.producer.flush(60):
            raise Violation(f"{left} records of the input were not taken")


def create_topics(bootstrap):
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": bootstrap})
    for topic in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in ("input", "output")]).values():
        topic.result(30)


def read(bootstrap, topic, isolation):
    """The values of each partition, from its beginning to where this isolation sees its end now."""
    import confluent_kafka

    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False, "isolation.level": isolation,
        "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    consumer.assign([confluent_kafka.TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    values, reading = [[] for _ in range(PARTITIONS)], set(range(PARTITIONS))
    deadline = time.monotonic() + ENDS_WITHIN_S
    while reading:
        for message in consumer.consume(5000, 0.5):
            if not message.error():
                values[message.partition()].append(message.value())
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                reading.discard(message.partition())
        if time.monotonic() > deadline:
            raise Violation(f"{topic} cannot be read to its end")
    consumer.close()
    return values


def committed(bootstrap):
    """How many records of the input the group has committed."""
    from confluent_kafka import ConsumerGroupTopicPartitions
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": bootstrap})
    (asked,) = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP)]).values()
    return sum(max(partition.offset, 0) for partition in asked.result(30).topic_partitions)


def compare(wanted, got):
    """Raises Violation where a partition of the output is not its partition of the input."""
    for partition, (input_values, output_values) in enumerate(zip(wanted, got)):
        if input_values == output_values:
            continue
        lost = set(input_values) - set(output_values)
        repeated = len(output_values) - len(set(output_values))
        first = next((at for at, pair in enumerate(zip(input_values, output_values)) if pair[0] != pair[1]), None)
        raise Violation(f"partition {partition}: {len(lost)} of {len(input_values)} lost, {repeated} repeated, the first difference at {first}")


def open_partitions(bootstrap):
    """Partitions where readers of committed records do not see as far as others."""
    from confluent_kafka import IsolationLevel, TopicPartition
    from confluent_kafka.admin import AdminClient, OffsetSpec

    admin = AdminClient({"bootstrap.servers": bootstrap})
    asked = {TopicPartition(topic, partition): OffsetSpec.latest() for topic in ("input", "output") for partition in range(PARTITIONS)}
    ends = [{partition: future.result(30).offset for partition, future in admin.list_offsets(asked, isolation_level=level).items()}
            for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)]
    return [f"{partition.topic}/{partition.partition}" for partition, stable in ends[0].items() if stable != ends[1][partition]]


def tail(path):
    return " | ".join(path.read_text(errors="replace").splitlines()[-5:])


if __name__ == "__main__":
    sys.exit(main())
