#!/usr/bin/env python3
"""Rounds of produce / kill -9 / restart: every acknowledged record must be there, in order.

    clients/python/crash_rounds.py [--rounds 100] [--modes acks1,all,idempotent,retained,compacted] [--power-cut]
                                   [--broker kafka] [--binary PATH] [--set property=value ...] [--expect-loss] [--seed N]

One producer per mode sends all the time, through kills and restarts, and keeps each delivery report. After every restart the log is read
on and compared with the reports; at the end all of it is read once more. acks=1 and acks=all may see a retried batch twice;
an idempotent producer's log must hold each record exactly once. Two more modes are idempotent ones whose logs age meanwhile: `retained` has
a small retention.bytes, and only what lies below its log start may be gone, which moves on and never back; `compacted` must hold the last
acknowledged record of every key, and whatever else it holds where it was. Segments are as small as Kafka allows. For Ottla a small
write-ahead log and frequent checkpoints are set, so that checkpoints fall between a batch and its duplicate.

--power-cut runs the same rounds on an ext4 whose power is cut (see power.py; needs root).
--expect-loss turns the meaning round: the run passes only if a loss is found, to show that the rounds would see one.
The last line is `N passed, N failed`, one for each mode. Exit code 0 if nothing failed.
"""

import argparse
import array
import dataclasses
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

WINDOW, BATCH = 24, 3
"""Records that a producer has in flight at most, and in one batch: always some batches under way in each partition, but no flood."""
REPORT = struct.Struct("<BQq")
NO_ANSWER, FAILED = -3, -2
"""In place of an offset: no delivery report yet; the report says that it failed."""
GONE = -1
"""In place of a record's number: it was removed before it was read."""
DEADLINE_S = 90.0
SEGMENT_BYTES = 1 << 20
RETENTION_BYTES = 3 << 20
AGES_WITHIN_ROUNDS = 30
"""After so many rounds retention and compaction must have been at work, or the rounds show nothing about them."""


@dataclasses.dataclass(frozen=True)
class Mode:
    """How a producer sends, and what its topic is like."""

    acks: str = "all"
    idempotent: bool = True
    partitions: int = 1
    padding: int = 2000
    keys: int = 0
    """How many keys the records of a partition have in turn; 0: none."""
    configs: dict = dataclasses.field(default_factory=dict)
    once: bool = True
    """Each record must be there exactly once."""

    @property
    def is_retained(self):
        return "retention.bytes" in self.configs

    @property
    def is_compacted(self):
        return self.configs.get("cleanup.policy") == "compact"


MODES = {
    "acks1": Mode(acks="1", idempotent=False, partitions=3, padding=600, once=False),
    "all": Mode(idempotent=False, partitions=3, padding=600, once=False),
    "idempotent": Mode(partitions=3, padding=600),
    "retained": Mode(configs={"retention.bytes": str(RETENTION_BYTES)}),
    "compacted": Mode(keys=50, configs={"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01"}),
}
AGEING = {"log.segment.bytes": SEGMENT_BYTES, "log.retention.check.interval.ms": 100, "log.cleaner.backoff.ms": 100}
"""For both brokers: everything that ages a log happens all the time."""
OTTLA_SETTINGS = {"ottla.wal.max.bytes": 16 << 20, "ottla.checkpoint.interval.ms": 100}
KAFKA_SETTINGS = {"log.cleaner.enable": "true", "log.initial.task.delay.ms": 100, "log.segment.delete.delay.ms": 100}


class Violation(Exception):
    """A promise was broken; the text says which."""


def payload(mode, partition, number):
    """What the record with that number holds, all of it predictable."""
    return b"%d:%d:" % (partition, number) + b"." * MODES[mode].padding


def key(mode, number):
    """The key of the record with that number."""
    keys = MODES[mode].keys
    return b"%d" % (number % keys) if keys else None


# --- the producer, a process of its own ---

def produce(bootstrap, topic, mode, reports_path):
    """Send until stdin is closed, then wait until everything is answered. Each report goes to the file as it comes."""
    import confluent_kafka

    how = MODES[mode]
    producer = confluent_kafka.Producer({
        "bootstrap.servers": bootstrap, "acks": how.acks, "enable.idempotence": how.idempotent, "linger.ms": 1, "batch.num.messages": BATCH,
        "max.in.flight.requests.per.connection": 5, "message.timeout.ms": 600_000, "retry.backoff.ms": 20,
        "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100, "error_cb": lambda error: print(f"{mode}: {error}", file=sys.stderr),
    })
    stopped = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    waiting = 0
    sent = [0] * how.partitions
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
                partition = random.randrange(how.partitions)
                number = sent[partition]
                producer.produce(
                    topic, payload(mode, partition, number), key(mode, number), partition=partition,
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
        self.offsets = [array.array("q") for _ in range(MODES[mode].partitions)]
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
        self.mode, self.how = producer.mode, MODES[producer.mode]
        self.partitions = range(self.how.partitions)
        # For each partition, by offset: the number of the record there.
        self.log = [array.array("q") for _ in self.partitions]
        self.following = [0 for _ in self.partitions]
        self.log_starts = [0 for _ in self.partitions]
        self.twice = 0
        self.aged = 0
        """How many records were seen to be gone: below the log start, or compacted away."""
        self._offset_unknown = []

    def check(self, bootstrap):
        """Read what is new and hold it against the reports of before. Raises Violation."""
        reports = self.producer.take_reports()
        starts, ends = read(bootstrap, self.producer.topic, [len(log) for log in self.log], self._append)
        for partition in self.partitions:
            self._check_bounds(partition, starts[partition], ends[partition])
        for partition, number, offset in reports:
            if offset < 0:
                self._offset_unknown.append((partition, number))
                continue
            log = self.log[partition]
            if offset < self.log_starts[partition]:
                continue
            if offset >= len(log):
                raise Violation(f"acknowledged record {partition}:{number} at offset {offset} is lost: the log ends at {len(log)}")
            if log[offset] != number and not (self.how.is_compacted and log[offset] == GONE):
                raise Violation(f"acknowledged record {partition}:{number} should be at offset {offset}, which holds {log[offset]}")
        if self.how.is_compacted:
            self._check_compacted(bootstrap)

    def _check_bounds(self, partition, start, end):
        log = self.log[partition]
        log.extend([GONE] * (min(start, end) - len(log)))
        if end < len(log):
            raise Violation(f"partition {partition} ends at {end}, but offset {len(log) - 1} was read before")
        if start < self.log_starts[partition]:
            raise Violation(f"partition {partition} starts at {start}, and started at {self.log_starts[partition]} before")
        # Each record brings less than this besides its value.
        kept = (end - start) * (self.how.padding + 120)
        if start > 0 and not (self.how.is_retained and kept >= RETENTION_BYTES):
            raise Violation(f"partition {partition} starts at {start} and ends at {end}: more is gone than may be")
        if self.how.is_retained and GONE in log[start:]:
            raise Violation(f"partition {partition} has a hole above its log start {start}, at offset {log.index(GONE, start)}")
        self.log_starts[partition] = start
        if not self.how.is_compacted:
            self.aged = max(self.aged, start)

    def _append(self, partition, offset, record):
        log = self.log[partition]
        gap = offset - len(log)
        if gap < 0 or gap > 0 and not (self.how.is_compacted or self.how.is_retained):
            raise Violation(f"offset {offset} of partition {partition} comes after {len(log) - 1}")
        log.extend([GONE] * gap)
        number = self._number(partition, offset, record)
        following = self.following[partition]
        if number > following and not gap:
            raise Violation(f"record {number} of partition {partition} at offset {offset} comes before record {following}")
        if number < following:
            self.twice += 1
            if self.how.once:
                raise Violation(f"record {number} of partition {partition} is there again at offset {offset}")
        else:
            self.following[partition] = number + 1
        log.append(number)

    def _number(self, partition, offset, record):
        value = record.value()
        number = int(value.split(b":", 2)[1])
        if value != payload(self.mode, partition, number) or record.key() != key(self.mode, number):
            raise Violation(f"offset {offset} of partition {partition} holds damaged bytes: {value[:60]!r}")
        return number

    def _check_compacted(self, bootstrap):
        """Everything that is there is where it was; of every key the last record that was ever read is there."""
        present = [{} for _ in self.partitions]
        before = [-1 for _ in self.partitions]

        def take(partition, offset, record):
            number, log = self._number(partition, offset, record), self.log[partition]
            if offset <= before[partition]:
                raise Violation(f"offset {offset} of partition {partition} comes after {before[partition]}")
            before[partition] = offset
            if offset < len(log) and log[offset] != number:
                raise Violation(f"offset {offset} of partition {partition} holds record {number}, and held {log[offset]} before")
            present[partition][offset] = number

        read(bootstrap, self.producer.topic, [0 for _ in self.partitions], take)
        for partition, log in enumerate(self.log):
            last = {}
            for offset, number in enumerate(log):
                if number != GONE:
                    last[key(self.mode, number)] = offset
            for wanted, offset in last.items():
                if present[partition].get(offset) != log[offset]:
                    newer = [there for there, number in present[partition].items() if there > offset and key(self.mode, number) == wanted]
                    if not newer:
                        raise Violation(f"key {wanted!r} of partition {partition} lost its last record, {log[offset]} at offset {offset}")
            self.aged = max(self.aged, len(log) - len(present[partition]))

    def check_all(self, bootstrap, rounds):
        """After the last record: read everything once more and compare with what was read and reported before."""
        self.check(bootstrap)

        def same(partition, offset, record):
            log = self.log[partition]
            if offset >= len(log) or record.value() != payload(self.mode, partition, log[offset]):
                raise Violation(f"offset {offset} of partition {partition} held something else before")

        _, ends = read(bootstrap, self.producer.topic, [0 for _ in self.partitions], same)
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
        if rounds >= AGES_WITHIN_ROUNDS and not self.aged and (self.how.is_retained or self.how.is_compacted):
            raise Violation("retention or compaction never came, so that these rounds say nothing about them")


def read(bootstrap, topic, wanted, take):
    """Give each record from the offsets `wanted` up to the present end to `take`; returns where the log starts and ends. Where it starts
    later than wanted, now or by the time of the read, it is read from there on."""
    import confluent_kafka

    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap, "group.id": "ledger", "enable.auto.commit": False, "auto.offset.reset": "error",
        "fetch.wait.max.ms": 50, "queued.min.messages": 100_000, "fetch.queue.backoff.ms": 5, "enable.partition.eof": True,
    })
    try:
        bounds = [_bounds(consumer, topic, partition) for partition in range(len(wanted))]
        starts, ends = [low for low, _ in bounds], [high for _, high in bounds]
        following = [max(pair) for pair in zip(wanted, starts)]
        left = {partition for partition, end in enumerate(ends) if following[partition] < end}
        assign(consumer, topic, following, left)
        deadline = time.monotonic() + DEADLINE_S
        while left:
            for message in consumer.consume(2_000, 0.02):
                partition, offset = message.partition(), message.offset()
                if partition not in left:
                    continue
                if message.error() and message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    # The last offsets may have been compacted away; then the end comes without a record.
                    if offset >= ends[partition]:
                        left.discard(partition)
                    continue
                if message.error():
                    starts[partition] = _bounds(consumer, topic, partition)[0]
                    if starts[partition] <= following[partition]:
                        raise Violation(f"reading {topic} from {following} to {ends}: {message.error()}")
                    following[partition] = starts[partition]  # retention was faster
                    left = {one for one in left if following[one] < ends[one]}
                    assign(consumer, topic, following, left)
                    break
                if offset < ends[partition]:
                    take(partition, offset, message)
                following[partition] = offset + 1
                if offset + 1 >= ends[partition]:
                    left.discard(partition)
            if time.monotonic() > deadline:
                raise Violation(f"reading {topic} from {following} to {ends} took over {DEADLINE_S:.0f} s")
        return starts, ends
    finally:
        consumer.close()


def assign(consumer, topic, following, partitions):
    """Read these partitions on from those offsets."""
    import confluent_kafka

    consumer.assign([confluent_kafka.TopicPartition(topic, partition, following[partition]) for partition in partitions])


def _bounds(consumer, topic, partition):
    """Where a partition's log starts and ends, once the broker answers."""
    import confluent_kafka

    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            return consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, partition), timeout=5)
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
            settings = {**AGEING, **KAFKA_SETTINGS, **arguments.settings}
            self.broker = brokers.KafkaBroker(data, settings, log=folder / "broker.log", port=port)
        else:
            settings = {**AGEING, **OTTLA_SETTINGS, **arguments.settings}
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
            while self.done < self.arguments.rounds and self._more():
                self._round()
                self.done += 1
                if self.done % 25 == 0:
                    print(f"{self.done} rounds", flush=True)
            self._each(lambda ledger: ledger.producer.stop())
            self._each(lambda ledger: ledger.check_all(self.broker.bootstrap, self.done))
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

    topics = [NewTopic(f"rounds-{mode}", MODES[mode].partitions, 1, config=MODES[mode].configs) for mode in modes]
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
        aged = f", {ledger.aged} gone by age" if ledger.how.is_retained or ledger.how.is_compacted else ""
        print(f"{ledger.mode}: {producer.acknowledged} acknowledged, {ledger.twice} there twice, {refused} refused{aged}: "
              f"{violation or 'all there, in order'}")
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
    parser.add_argument("--rounds", type=int, default=100, help="default: 100")
    parser.add_argument("--modes", type=lambda text: text.split(","), default=list(MODES))
    parser.add_argument("--power-cut", action="store_true")
    parser.add_argument("--broker", choices=("ottla", "kafka"), default="ottla")
    parser.add_argument("--binary", default=str(brokers.OTTLA))
    parser.add_argument("--set", action="append", default=[], metavar="PROPERTY=VALUE")
    parser.add_argument("--expect-loss", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
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
