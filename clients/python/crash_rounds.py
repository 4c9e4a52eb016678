#!/usr/bin/env python3
"""Rounds of produce / kill -9 / restart: every acknowledged record must be there, in order.

    clients/python/crash_rounds.py [--rounds 100] [--modes acks1,all,idempotent] [--power-cut [--seconds 180]]
                                   [--broker kafka] [--binary PATH] [--set property=value ...] [--expect-loss] [--seed N]

One producer per mode sends all the time, through kills and restarts, and keeps each delivery report. After every restart the log is read
on and compared with the reports; at the end all of it is read once more. acks=1 and acks=all may see a retried batch twice;
an idempotent producer's log must hold each record exactly once. For Ottla a small write-ahead log and frequent checkpoints are set, so
that checkpoints fall between a batch and its duplicate.

--power-cut runs the same rounds on an ext4 whose power is cut (see power.py; needs root), for as many rounds as fit.
--expect-loss turns the meaning round: the run passes only if a loss is found, to show that the rounds would see one.
The last line is `N passed, N failed`, one for each mode. Exit code 0 if nothing failed.
"""

import argparse
import array
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import brokers  # noqa: E402 - lie beside this file
import environments  # noqa: E402
import power  # noqa: E402

PARTITIONS = 3
WINDOW, BATCH = 24, 3
"""Records that a producer has in flight at most, and in one batch: always some batches under way in each partition, but no flood."""
REPORT = struct.Struct("<BQq")
NO_ANSWER, FAILED = -3, -2
"""In place of an offset: no delivery report yet; the report says that it failed."""
DEADLINE_S = 90.0
MODES = {
    "acks1": {"acks": "1", "enable.idempotence": False},
    "all": {"acks": "all", "enable.idempotence": False},
    "idempotent": {"acks": "all", "enable.idempotence": True},
}
OTTLA_SETTINGS = {"ottla.wal.max.bytes": 16 << 20, "ottla.checkpoint.interval.ms": 100}


class Violation(Exception):
    """A promise was broken; the text says which."""


def payload(partition, number):
    """What the record with that number holds, all of it predictable."""
    return b"%d:%d:" % (partition, number) + b"." * 200


# --- the producer, a process of its own ---

def produce(bootstrap, topic, mode, reports_path):
    """Send until stdin is closed, then wait until everything is answered. Each report goes to the file as it comes."""
    import confluent_kafka

    producer = confluent_kafka.Producer({
        "bootstrap.servers": bootstrap, **MODES[mode], "linger.ms": 1, "batch.num.messages": BATCH,
        "max.in.flight.requests.per.connection": 5, "message.timeout.ms": 600_000, "retry.backoff.ms": 20,
        "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100, "error_cb": lambda error: print(f"{mode}: {error}", file=sys.stderr),
    })
    stopped = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    waiting = 0
    sent = [0] * PARTITIONS
    with open(reports_path, "ab", buffering=0) as reports:
        gathered = []

        def answered(error, partition, number, offset):
            nonlocal waiting
            waiting -= 1
            if error:
                print(f"{mode}: {partition}:{number}: {error}", file=sys.stderr, flush=True)
            gathered.append(REPORT.pack(partition, number, FAILED if error else offset))

        while not stopped.is_set() or waiting:
            while waiting < WINDOW and not stopped.is_set():
                partition = random.randrange(PARTITIONS)
                number = sent[partition]
                producer.produce(
                    topic, payload(partition, number), partition=partition,
                    on_delivery=lambda error, message, p=partition, n=number: answered(error, p, n, message.offset()))
                sent[partition] += 1
                waiting += 1
            producer.poll(0.002)
            if gathered:
                reports.write(b"".join(gathered))
                gathered.clear()


class Producer:
    """The producer process of one mode, and what it reported so far."""

    def __init__(self, bootstrap, mode, folder):
        self.mode, self.topic = mode, f"rounds-{mode}"
        self.reports_path = folder / f"{mode}.reports"
        self.reports_path.touch()
        self.log = folder / f"{mode}.log"
        # For each partition, by the record's number: its offset, or NO_ANSWER, or FAILED.
        self.offsets = [array.array("q") for _ in range(PARTITIONS)]
        self.acknowledged = 0
        self._read = 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", __file__, "--producer", bootstrap, self.topic, mode, str(self.reports_path)],
                stdin=subprocess.PIPE, stderr=log)

    def take_reports(self):
        """Read the new reports; returns them as (partition, number, offset) without the failed ones."""
        with open(self.reports_path, "rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = len(data) - len(data) % REPORT.size
        self._read += whole
        new = []
        for partition, number, offset in REPORT.iter_unpack(data[:whole]):
            known = self.offsets[partition]
            while len(known) <= number:
                known.append(NO_ANSWER)
            if known[number] != NO_ANSWER:
                raise Violation(f"record {partition}:{number} was reported twice")
            known[number] = offset
            if offset != FAILED:
                new.append((partition, number, offset))
        self.acknowledged += len(new)
        return new

    def reported(self):
        """How many reports there are, read or not."""
        return self.reports_path.stat().st_size // REPORT.size

    def stop(self):
        """No new records; wait until the old ones are answered."""
        self.process.stdin.close()
        if self.process.wait(DEADLINE_S) != 0:
            raise Violation(f"the producer failed\n{self.tail()}")

    def end(self):
        """Clean up, whatever the state."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def tail(self):
        """The last complaints of the client."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])


# --- the check ---

class Ledger:
    """What the log of one topic held so far, and whether that fits the reports."""

    def __init__(self, producer):
        self.producer = producer
        self.mode = producer.mode
        # For each partition, by offset: the number of the record there.
        self.log = [array.array("q") for _ in range(PARTITIONS)]
        self.following = [0] * PARTITIONS
        self.twice = 0
        self._offset_unknown = []

    def check(self, bootstrap):
        """Read what is new and hold it against the reports of before. Raises Violation."""
        reports = self.producer.take_reports()
        ends = read(bootstrap, self.producer.topic, [len(log) for log in self.log], self._append)
        for partition, end in enumerate(ends):
            if end < len(self.log[partition]):
                raise Violation(f"partition {partition} ends at {end}, but offset {len(self.log[partition]) - 1} was read before")
        for partition, number, offset in reports:
            if offset < 0:
                self._offset_unknown.append((partition, number))
                continue
            log = self.log[partition]
            if offset >= len(log):
                raise Violation(f"acknowledged record {partition}:{number} at offset {offset} is lost: the log ends at {len(log)}")
            if log[offset] != number:
                raise Violation(f"acknowledged record {partition}:{number} should be at offset {offset}, which holds {log[offset]}")

    def _append(self, partition, offset, value):
        log = self.log[partition]
        if offset != len(log):
            raise Violation(f"offset {offset} of partition {partition} comes after {len(log) - 1}")
        number = int(value.split(b":", 2)[1])
        if value != payload(partition, number):
            raise Violation(f"offset {offset} of partition {partition} holds damaged bytes: {value[:60]!r}")
        following = self.following[partition]
        if number > following:
            raise Violation(f"record {number} of partition {partition} at offset {offset} comes before record {following}")
        if number < following:
            self.twice += 1
            if self.mode == "idempotent":
                raise Violation(f"record {number} of partition {partition} is there again at offset {offset}")
        else:
            self.following[partition] = number + 1
        log.append(number)

    def check_all(self, bootstrap):
        """After the last record: read everything once more and compare with what was read and reported before."""
        self.check(bootstrap)

        def same(partition, offset, value):
            log = self.log[partition]
            if offset >= len(log) or value != payload(partition, log[offset]):
                raise Violation(f"offset {offset} of partition {partition} held something else before")

        ends = read(bootstrap, self.producer.topic, [0] * PARTITIONS, same)
        if ends != [len(log) for log in self.log]:
            raise Violation(f"the log ended at {[len(log) for log in self.log]} and now at {ends}")
        for partition, offsets in enumerate(self.producer.offsets):
            answered = [offset for offset in offsets if offset >= 0]
            if answered != sorted(answered):
                raise Violation(f"the acknowledged offsets of partition {partition} are not in the order of sending")
            if self.following[partition] < len(offsets):
                raise Violation(f"partition {partition} ends with record {self.following[partition] - 1} of {len(offsets)}")
        for partition, number in self._offset_unknown:
            if number >= self.following[partition]:
                raise Violation(f"acknowledged record {partition}:{number} is lost")


def read(bootstrap, topic, starts, take):
    """Give each record from `starts` up to the present end to `take`; returns the ends."""
    import confluent_kafka

    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap, "group.id": "ledger", "enable.auto.commit": False, "auto.offset.reset": "error",
        "fetch.wait.max.ms": 50, "queued.min.messages": 100_000, "fetch.queue.backoff.ms": 5,
    })
    try:
        ends = [_end(consumer, topic, partition) for partition in range(PARTITIONS)]
        left = {partition for partition in range(PARTITIONS) if starts[partition] < ends[partition]}
        consumer.assign([confluent_kafka.TopicPartition(topic, partition, starts[partition]) for partition in left])
        deadline = time.monotonic() + DEADLINE_S
        while left:
            for message in consumer.consume(2_000, 0.02):
                if message.error():
                    raise Violation(f"reading {topic} from {starts} to {ends}: {message.error()}")
                partition, offset = message.partition(), message.offset()
                if offset < ends[partition]:
                    take(partition, offset, message.value())
                if offset + 1 >= ends[partition]:
                    left.discard(partition)
            if time.monotonic() > deadline:
                raise Violation(f"reading {topic} from {starts} to {ends} took over {DEADLINE_S:.0f} s")
        return ends
    finally:
        consumer.close()


def _end(consumer, topic, partition):
    import confluent_kafka

    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            return consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, partition), timeout=5)[1]
        except confluent_kafka.KafkaException:
            if time.monotonic() > deadline:
                raise Violation(f"partition {partition} of {topic} cannot be reached") from None


# --- the rounds ---

class Rounds:
    """One run: a broker, a producer and a ledger per mode."""

    def __init__(self, arguments, folder, disk):
        self.arguments, self.disk = arguments, disk
        self.dice = random.Random(arguments.seed)
        self.reserved = brokers.reserve_port()
        port = self.reserved.getsockname()[1]
        data = (disk.mount_point if disk else folder) / "data"
        if arguments.broker == "kafka":
            self.broker = brokers.KafkaBroker(data, arguments.settings, log=folder / "broker.log", port=port)
        else:
            settings = {**OTTLA_SETTINGS, **arguments.settings}
            self.broker = brokers.OttlaBroker(data, settings, log=folder / "broker.log", listen=f"127.0.0.1:{port}", binary=arguments.binary)
        self.folder = folder
        self.ledgers, self.violations = [], {}
        self.restarts_s = []
        self.done = 0

    def run(self):
        """All rounds; afterwards `violations` tells what each mode got wrong."""
        self.broker.start()
        try:
            create_topics(self.broker.bootstrap, self.arguments.modes)
            if self.disk and self.arguments.broker == "kafka":
                os.sync()  # it does not flush what a first start writes; the rounds are about records
            self.ledgers = [Ledger(Producer(self.broker.bootstrap, mode, self.folder)) for mode in self.arguments.modes]
            began = time.monotonic()
            while self.done < self.arguments.rounds and time.monotonic() - began < self.arguments.seconds and self._more():
                self._round()
                self.done += 1
                if self.done % 25 == 0:
                    print(f"{self.done} rounds", flush=True)
            self._each(lambda ledger: ledger.producer.stop())
            self._each(lambda ledger: ledger.check_all(self.broker.bootstrap))
        finally:
            for ledger in self.ledgers:
                ledger.producer.end()
            self.broker.kill()

    def _more(self):
        return len(self.violations) < len(self.ledgers) and not (self.violations and self.arguments.expect_loss)

    def _round(self):
        self._each(self._wait_for_load)
        # When the blow falls is chance, drawn from the seed: anywhere in a batch, a flush, a checkpoint.
        time.sleep(self.dice.uniform(0.0, 0.12))
        if not self.broker.running:
            self._each(lambda ledger: broken(f"the broker ended by itself\n{self.broker.log_tail()}"))
            return
        if self.disk:
            self.disk.cut()
        self.broker.kill()
        if self.disk:
            self.disk.restore()
        began = time.monotonic()
        try:
            self.broker.start()
        except brokers.BrokerFailed as why:
            self._refused(why)
            return
        self.restarts_s.append(time.monotonic() - began)
        self._each(lambda ledger: ledger.check(self.broker.bootstrap))

    @staticmethod
    def _wait_for_load(ledger):
        wanted = ledger.producer.reported() + 10 * WINDOW
        deadline = time.monotonic() + DEADLINE_S
        while ledger.producer.reported() < wanted:
            if time.monotonic() > deadline or ledger.producer.process.poll() is not None:
                raise Violation(f"the producer gets no answers any more\n{ledger.producer.tail()}")
            time.sleep(0.005)

    def _refused(self, why):
        """The broker does not start on its own data, which is a loss of everything."""
        for ledger in self.ledgers:
            self.violations.setdefault(ledger.mode, f"round {self.done + 1}: the broker does not start any more: {why}")
            ledger.producer.end()

    def _each(self, act):
        for ledger in self.ledgers:
            if ledger.mode in self.violations:
                continue
            try:
                act(ledger)
            except Violation as violation:
                self.violations[ledger.mode] = f"round {self.done + 1}: {violation}"
                ledger.producer.end()


def broken(promise):
    """Raise Violation."""
    raise Violation(promise)


def create_topics(bootstrap, modes):
    """One topic per mode."""
    from confluent_kafka.admin import AdminClient, NewTopic

    topics = [NewTopic(f"rounds-{mode}", PARTITIONS, 1) for mode in modes]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics(topics).values():
        future.result(30)


def main():
    if sys.argv[1:2] == ["--producer"]:
        produce(*sys.argv[2:])
        return 0
    arguments = parse_arguments()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))  # so that every clean-up runs
    what = "power cut" if arguments.power_cut else "kill -9"
    try:
        enter_environment()
        if arguments.broker == "ottla" and not pathlib.Path(arguments.binary).exists():
            raise power.CannotRun(f"{arguments.binary} is missing")
        rounds, seconds = run(arguments)
    except (power.CannotRun, environments.CannotBuild, brokers.BrokerFailed) as why:
        print(f"cannot run the {what} rounds: {why}")
        print(f"0 passed, {len(arguments.modes)} failed")
        return 1
    return report(arguments, what, rounds, seconds)


def run(arguments):
    """Make the folder and the disk, and run the rounds."""
    folder = environments.TARGET / "crash-rounds" / f"{arguments.broker}-{'power' if arguments.power_cut else 'kill'}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    disk = power.Disk(folder) if arguments.power_cut else None
    began = time.monotonic()
    rounds = None
    try:
        rounds = Rounds(arguments, folder, disk)
        rounds.run()
    finally:
        if disk:
            disk.close()
        if rounds and not rounds.violations and rounds.done:
            shutil.rmtree(folder, ignore_errors=True)
    return rounds, time.monotonic() - began


def report(arguments, what, rounds, seconds):
    """One line per mode, and the closing line. Returns the exit code."""
    restarts = sorted(rounds.restarts_s) or [0.0]
    print(f"{rounds.done} rounds of {what} in {seconds:.0f} s, seed {arguments.seed}; restart {restarts[len(restarts) // 2] * 1000:.0f} ms "
          f"in the middle, {restarts[-1] * 1000:.0f} ms at most")
    failed = 0
    for ledger in rounds.ledgers:
        producer, violation = ledger.producer, rounds.violations.get(ledger.mode)
        refused = sum(list(offsets).count(FAILED) for offsets in producer.offsets)
        print(f"{ledger.mode}: {producer.acknowledged} acknowledged, {ledger.twice} there twice, {refused} refused: {violation or 'all there, in order'}")
        failed += bool(violation)
    if rounds.violations:
        print(f"kept: {rounds.folder.name} in {rounds.folder.parent.name}")
    if arguments.expect_loss:
        found = bool(rounds.violations)
        print("the loss was found, as it should be" if found else "no loss was found, but this build was made to lose records")
        print(f"{int(found)} passed, {int(not found)} failed")
        return 0 if found else 1
    print(f"{len(rounds.ledgers) - failed} passed, {failed} failed")
    return 1 if failed else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=None, help="default: 100, and with --power-cut as many as fit")
    parser.add_argument("--seconds", type=float, default=None, help="no new round after that; default: 180 with --power-cut, else no limit")
    parser.add_argument("--modes", type=lambda text: text.split(","), default=list(MODES))
    parser.add_argument("--power-cut", action="store_true")
    parser.add_argument("--broker", choices=("ottla", "kafka"), default="ottla")
    parser.add_argument("--binary", default=str(brokers.OTTLA))
    parser.add_argument("--set", action="append", default=[], metavar="PROPERTY=VALUE")
    parser.add_argument("--expect-loss", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (1_000_000 if arguments.power_cut else 100)
    arguments.seconds = arguments.seconds or (180.0 if arguments.power_cut else float("inf"))
    arguments.settings = dict(setting.split("=", 1) for setting in arguments.set)
    unknown = [mode for mode in arguments.modes if mode not in MODES]
    if unknown:
        parser.error(f"no such mode: {', '.join(unknown)}; there are {', '.join(MODES)}")
    return arguments


def enter_environment():
    """Go on under the Python that has the fastest client."""
    environments.build(environments.NEWEST_CONFLUENT)
    python = environments.python_of(environments.NEWEST_CONFLUENT)
    if pathlib.Path(sys.prefix) != python.parent.parent:
        sys.stdout.flush()
        os.execv(python, [str(python), __file__, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
