"""The figures that Ottla is held to, one function for each scenario: it loads a broker and answers its figures by name."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

import wire

DRIVER = pathlib.Path(__file__).resolve().parent.parent / "target" / "bench" / "release" / "ottla-bench-driver"
HOSTILE = pathlib.Path(__file__).resolve().parent / "hostile.py"
IN_FLIGHT = 16
"""Requests on their way at the same time, where single requests are measured: the broker has something to do all the time."""

MANY = 9_999
"""What is called 10,000 partitions: Kafka's controller refuses to create more of a topic with one request."""


class Figure:
    """One number: what it is called, its unit, and what it is held against."""

    def __init__(self, name, unit, bar=None, ratio=None, higher=False, of=statistics.median):
        self.name, self.unit, self.higher, self.of = name, unit, higher, of
        self.bar = bar
        """A bound of its own: at most that (or at least, where `higher`)."""
        self.ratio = ratio
        """A bound of Ottla's number as a multiple of Kafka's: at most that (or at least, where `higher`)."""


class Scenario:
    """A load and its figures; `brokers` says how each of the two is started, here are the settings of both and those of Kafka alone."""

    def __init__(self, about, run, figures, rounds=None, settings=(), kafka_settings=(), driver=True):
        self.about, self.run, self.figures = about, run, figures
        self.rounds, self.settings, self.kafka_settings = rounds, settings, kafka_settings
        self.driver = driver
        """Whether its load comes from bench/driver."""


def drive(broker, *arguments, topic="bench", partitions=3):
    """Runs the driver to its end; what it measured."""
    return finished(driver(broker, *arguments, topic=topic, partitions=partitions))


def driver(broker, *arguments, topic="bench", partitions=3):
    host, port = broker.address
    target = ["--broker", f"{host}:{port}", "--pid", broker.process.pid, "--topic", topic, "--partitions", partitions]
    command = [str(part) for part in (DRIVER, *target, *arguments)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def finished(process):
    out, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the driver ended with exit code {process.returncode}")
    return json.loads(out)


def records(options, gigabytes, each_bytes=1024):
    return max(int(gigabytes * options.scale * 1e9 / each_bytes), 1000)


def produce_1k(broker, options):
    broker.create_topic("bench", 3)
    result = drive(broker, "produce", "--records", records(options, 2), "--warm-up", records(options, 1))
    return {"MB/s": result["bytes"] / result["seconds"] / 1e6, "CPU": result["cpu_s"] / result["bytes"] * 1e9}


def produce_100(broker, options):
    broker.create_topic("bench", 3)
    count = records(options, 0.5, 100)
    result = drive(broker, "produce", "--bytes", "100", "--records", count, "--warm-up", count // 2)
    return {"records/s": count / result["seconds"] / 1e6, "CPU": result["cpu_s"] / count * 1e6}


def consume_1k(broker, options):
    broker.create_topic("bench", 3)
    drive(broker, "produce", "--records", records(options, 2))
    # A first group warms the broker.
    drive(broker, "consume", "--records", records(options, 1), "--group", "first")
    result = drive(broker, "consume", "--records", records(options, 1.8), "--group", "second")
    return {"MB/s": result["bytes"] / result["seconds"] / 1e6, "CPU": result["cpu_s"] / result["bytes"] * 1e9}


def single(broker, options):
    broker.create_topic("bench", 3)
    seconds = 5 * max(options.scale, 0.2)
    result = drive(broker, "single", "--producers", "16", "--seconds", seconds, "--warm-up-s", seconds)
    rate = result["records"] / result["seconds"]
    return {"records/s": rate, "CPU": result["cpu_s"] / result["records"] * 1e6, "p99": result["p99_ms"]}


def trickle(broker, options):
    broker.create_topic("bench", 3)
    seconds = 20 * max(options.scale, 0.2)
    result = drive(broker, "trickle", "--rate", "1000", "--seconds", seconds, "--warm-up-s", seconds / 2)
    cpu = result["cpu_s"] / result["seconds"] * 100
    return {"p50": result["p50_ms"], "p99": result["p99_ms"], "max": result["max_ms"], "CPU": cpu}


def start_empty(broker, options):
    """Median of seven starts, each in a new folder."""
    took = []
    for number in range(7):
        broker.kill()
        broker.folder = broker.folder.parent / f"{broker.folder.name}-{number}"
        broker.folder.mkdir()
        took.append(broker.start() * 1000)
    return {"start": statistics.median(took)}


def start_full(broker, options):
    """Median of seven starts with 10 GB in 1,000 partitions, after an orderly stop."""
    broker.create_topic("bench", 1000)
    drive(broker, "produce", "--records", records(options, 10), partitions=1000)
    took = []
    for _ in range(7):
        broker.stop()
        took.append(broker.start() * 1000)
    return {"start": statistics.median(took)}


def start_killed(broker, options):
    """Median of seven starts, each after a kill -9 while a producer was at full speed."""
    broker.create_topic("bench", 6)
    took = []
    for _ in range(7):
        load = driver(broker, "produce", "--records", records(options, 100), partitions=6)
        time.sleep(3)
        broker.kill()
        load.kill()
        load.wait()
        took.append(broker.start() * 1000)
    return {"start": statistics.median(took)}


def memory_idle(broker, options):
    time.sleep(10)
    return {"resident": broker.resident_mb()}


def memory_load(broker, options):
    broker.create_topic("bench", 3)
    drive(broker, "produce", "--records", records(options, 10))
    time.sleep(10)
    return {"resident": broker.resident_mb()}


def memory_partitions(broker, options):
    broker.create_topic("bench", MANY)
    drive(broker, "produce", "--records", 100_000, "--linger-ms", "50", partitions=MANY)
    time.sleep(10)
    return {"resident": broker.resident_mb()}


def memory_connections(broker, options):
    connections = [broker.connect() for _ in range(5000)]
    for connection in connections:
        connection.ask(wire.API_VERSIONS, 0)
    time.sleep(10)
    resident = broker.resident_mb()
    for connection in connections:
        connection.close()
    return {"resident": resident}


def growth_produce(broker, options):
    """CPU of a produce request of one 16 KiB batch, with the target rotating over more and more partitions."""
    batch = wire.batch(16 << 10)
    count = max(int(40_000 * options.scale), 2000)
    cost = {}
    for partitions in (1, 100, MANY):
        topic = f"wide-{partitions}"
        broker.create_topic(topic, partitions)
        write_each(broker, topic, batch, partitions)
        rotate(broker, topic, batch, range(count // 4), partitions)
        before = broker.cpu_s()
        rotate(broker, topic, batch, range(count), partitions)
        cost[partitions] = (broker.cpu_s() - before) / count * 1e6
    return {"1": cost[1], "100": cost[100] / cost[1], "10,000": cost[MANY] / cost[1]}


def write_each(broker, topic, batch, partitions):
    """Writes to every partition once. In Kafka each may be refused for a while after its topic was created."""
    connection = broker.connect()
    for index in range(partitions):
        for attempt in range(600):
            error = wire.produce_error(connection.ask(wire.PRODUCE, 3, wire.produce(topic, index, batch)), topic)
            if not error:
                break
            time.sleep(0.1)
        else:
            raise RuntimeError(f"Produce answers error {error}")
    connection.close()


def rotate(broker, topic, batch, numbers, partitions):
    connection = broker.connect()
    waiting = 0
    for number in numbers:
        connection.send(wire.PRODUCE, 3, wire.produce(topic, number % partitions, batch))
        waiting += 1
        if waiting == IN_FLIGHT:
            check(connection, topic)
            waiting -= 1
    for _ in range(waiting):
        check(connection, topic)
    connection.close()


def check(connection, topic):
    error = wire.produce_error(connection.receive(), topic)
    if error:
        raise RuntimeError(f"Produce answers error {error}")


def growth_session(broker, options):
    """CPU of a fetch in a session over 10,000 partitions of which one is active, as a multiple of a session over one."""
    count = max(int(20_000 * options.scale), 1000)
    cost = {}
    for partitions in (1, MANY):
        topic = f"session-{partitions}"
        broker.create_topic(topic, partitions)
        batch = wire.batch(100)
        write_each(broker, topic, batch, partitions)
        producer, consumer = broker.connect(), broker.connect()
        answer = consumer.ask(wire.FETCH, 11, wire.fetch(topic, range(partitions), 0, epoch=0, offset=1))
        session = int.from_bytes(answer[6:10], "big")
        active = partitions // 2
        before = broker.cpu_s()
        for number in range(count):
            # The client tells where it reads on.
            body = wire.fetch(topic, [active], 500, session, 1 + number, 1 + number)
            consumer.send(wire.FETCH, 11, body)
            producer.send(wire.PRODUCE, 3, wire.produce(topic, active, batch))
            check(producer, topic)
            consumer.receive()
        cost[partitions] = (broker.cpu_s() - before) / count * 1e6
        producer.close()
        consumer.close()
    return {"1": cost[1], "10,000": cost[MANY] / cost[1]}


def written(broker, options):
    """Bytes that the broker has the system write for each byte of a record that it acknowledges."""
    broker.create_topic("bench", 3)
    drive(broker, "produce", "--records", records(options, 1))
    settled(broker)
    before = broker.written_bytes()
    result = drive(broker, "produce", "--records", records(options, 4))
    settled(broker)
    return {"written": (broker.written_bytes() - before) / result["bytes"]}


def settled(broker):
    """Waits until the broker has written nothing for 5 seconds, or for two minutes."""
    last, quiet = broker.written_bytes(), 0
    for _ in range(120):
        time.sleep(1)
        now = broker.written_bytes()
        quiet, last = (quiet + 1 if now == last else 0), now
        if quiet == 5:
            return


def checkpoints(broker, options):
    """Acknowledgements of single records while 60 MB/s over 1,000 partitions keep checkpoints going."""
    broker.create_topic("bench", 1000)
    broker.create_topic("single", 1)
    seconds = 20 * max(options.scale, 0.2)
    load = driver(broker, "produce", "--rate", 60_000, "--records", int((seconds + 4) * 60_000), partitions=1000)
    result = drive(broker, "single", "--producers", 1, "--seconds", seconds, "--interval-us", 1000, topic="single", partitions=1)
    finished(load)
    return {"p50": result["p50_ms"], "p99": result["p99_ms"], "max": result["max_ms"]}


def cold(broker, options):
    """What a reader of cold data does to everybody else: a producer, a steady stream end to end, and a request that needs nothing."""
    broker.create_topic("cold", 3)
    broker.create_topic("bench", 3)
    # Of its own: what the producers leave in theirs carries no time of sending.
    broker.create_topic("stream", 3)
    drive(broker, "produce", "--records", records(options, options.cold_gb), topic="cold")
    alone = neighbours(broker, options)
    settled(broker)
    for path in broker.segment_files():
        evict(path)
    reader = driver(broker, "consume", "--records", records(options, options.cold_gb) - 10_000, topic="cold")
    beside = neighbours(broker, options)
    still_reads = reader.poll() is None
    reader.kill()
    reader.wait()
    if not still_reads:
        print("  the cold reader was done before its neighbours: more --cold-gb", flush=True)
    return {
        "produce": beside["produce"] / alone["produce"],
        "p50": beside["p50"] / alone["p50"],
        "p99": beside["p99"],
        "turn": beside["turn"],
    }


def neighbours(broker, options):
    """A producer with one record in flight, a steady stream, and pings, each for some seconds."""
    seconds = 5 * max(options.scale, 0.2)
    produced = drive(broker, "single", "--producers", 4, "--seconds", seconds, "--warm-up-s", 1)
    stream = driver(broker, "trickle", "--rate", 1000, "--seconds", seconds, "--warm-up-s", 1, "--group", f"g{time.time()}",
                    topic="stream")
    turns = []
    pinging = threading.Thread(target=ping, args=(broker, seconds, turns))
    pinging.start()
    streamed = finished(stream)
    pinging.join()
    rate = produced["records"] / produced["seconds"]
    return {"produce": rate, "p50": streamed["p50_ms"], "p99": streamed["p99_ms"], "turn": turns[int(len(turns) * 0.999)]}


def ping(broker, seconds, turns):
    """Times a request that the reactor answers by itself, in milliseconds, shortest first."""
    connection = broker.connect()
    ends = time.perf_counter() + seconds
    while (began := time.perf_counter()) < ends:
        connection.ask(wire.API_VERSIONS, 0)
        turns.append((time.perf_counter() - began) * 1000)
        time.sleep(0.001)
    turns.sort()
    connection.close()


def hostile(broker, options):
    """Producers with one record in flight, before and while 5,000 connections misbehave (see hostile.py); memory before, meanwhile, after."""
    broker.create_topic("bench", 3)
    seconds = 120 * max(options.scale, 0.1)
    load = ("single", "--producers", 4, "--interval-us", 2000, "--warm-up-s", 5)
    quiet = drive(broker, *load, "--seconds", min(seconds, 60))
    before_mb = broker.resident_mb()
    crowd = subprocess.Popen([sys.executable, HOSTILE, *map(str, broker.address), "5000", str(seconds + 10)], stdout=subprocess.PIPE)
    beset = drive(broker, *load, "--seconds", seconds)
    meanwhile_mb = broker.resident_mb()
    crowd.communicate()
    time.sleep(10)
    return {"p99": beset["p99_ms"] / quiet["p99_ms"], "quiet": quiet["p99_ms"], "meanwhile": meanwhile_mb - before_mb,
            "after": broker.resident_mb() - before_mb}


def evict(path):
    """Takes a file out of the page cache."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


FLUSHED = ("log.flush.interval.messages=1",)

SCENARIOS = {
    "produce": Scenario("1 KiB, acks=all, linger 5 ms, one producer, 3 partitions; Kafka does not flush", produce_1k, {
        "MB/s": Figure("produce 1 KiB", "MB/s", ratio=2, higher=True),
        "CPU": Figure("the same, CPU of the broker", "s/GB", ratio=1 / 4)}),
    "small": Scenario("100 B, acks=all, linger 5 ms, one producer; Kafka does not flush", produce_100, {
        "records/s": Figure("produce 100 B", "M/s"),
        "CPU": Figure("the same, CPU of the broker", "µs/record", ratio=1 / 4)}),
    "consume": Scenario("1 KiB, one member of a group", consume_1k, {
        "MB/s": Figure("consume 1 KiB", "MB/s", ratio=1, higher=True),
        "CPU": Figure("the same, CPU of the broker", "s/GB", ratio=1 / 2)}),
    "single": Scenario("16 producers with one record in flight each; Kafka does not flush", single, {
        "records/s": Figure("16 x one record in flight", "/s", ratio=1, higher=True),
        "CPU": Figure("the same, CPU of the broker", "µs/record"),
        "p99": Figure("the same, acknowledgement p99", "ms")}),
    "single-flushed": Scenario("the same against Kafka with flush.messages=1", single, {
        "records/s": Figure("16 x one record in flight, both flushed", "/s", ratio=3, higher=True),
        "CPU": Figure("the same, CPU of the broker", "µs/record"),
        "p99": Figure("the same, acknowledgement p99", "ms")}, kafka_settings=FLUSHED),
    "trickle": Scenario("1,000 records/s end to end; Kafka does not flush", trickle, {
        "p50": Figure("1,000 records/s end to end, p50", "ms", bar=0.8),
        "p99": Figure("the same, p99", "ms", bar=4),
        "max": Figure("the same, slowest", "ms"),
        "CPU": Figure("the same, CPU of the broker", "% of a core", ratio=1 / 8)}),
    "start": Scenario("median of 7 starts to the first answer, new folder", start_empty, {
        "start": Figure("start, empty", "ms", bar=20)}, rounds=1),
    "start-full": Scenario("the same with 10 GB in 1,000 partitions", start_full, {
        "start": Figure("start, 10 GB in 1,000 partitions", "ms", bar=100)}, rounds=1),
    "start-killed": Scenario("the same after kill -9 under load", start_killed, {
        "start": Figure("start after kill -9 under load", "ms", bar=1000)}, rounds=1),
    "memory": Scenario("resident memory 10 s after the start", memory_idle, {
        "resident": Figure("resident, idle", "MB", bar=10)}, rounds=1),
    "memory-load": Scenario("10 s after 10 GB went through", memory_load, {
        "resident": Figure("resident after 10 GB", "MB", bar=64)}, rounds=1),
    "memory-partitions": Scenario("with 10,000 partitions, each written to", memory_partitions, {
        "resident": Figure("resident, 10,000 partitions", "MB", bar=100)}, rounds=1),
    "memory-connections": Scenario("with 5,000 idle connections", memory_connections, {
        "resident": Figure("resident, 5,000 idle connections", "MB", bar=100)}, rounds=1),
    "growth": Scenario("CPU of a produce request of one 16 KiB batch, rotating over 1, 100, 10,000 partitions", growth_produce, {
        "1": Figure("produce request of 16 KiB, 1 partition", "µs"),
        "100": Figure("the same over 100 partitions", "x", bar=1.2),
        "10,000": Figure("the same over 10,000 partitions", "x", bar=2)}, rounds=3),
    "session": Scenario("CPU of a fetch and a produce, in a fetch session over 10,000 partitions with one active", growth_session, {
        "1": Figure("fetch session over 1 partition", "µs"),
        "10,000": Figure("the same over 10,000 partitions", "x", bar=2)}, rounds=3),
    "written": Scenario("bytes written per byte acknowledged, full batches", written, {
        "written": Figure("bytes written per byte acknowledged", "x", bar=2.1)}, rounds=1),
    "checkpoints": Scenario("single records beside 60 MB/s over 1,000 partitions", checkpoints, {
        "p50": Figure("acknowledgement during checkpoints, p50", "ms"),
        "p99": Figure("the same, p99", "ms", bar=10),
        "max": Figure("the same, slowest", "ms")}, rounds=3),
    "cold": Scenario("neighbours of a reader of cold data", cold, {
        "produce": Figure("producers beside a cold reader", "x", bar=0.8, higher=True),
        "p50": Figure("tail readers beside a cold reader, p50", "x", bar=1.2),
        "p99": Figure("the same, p99", "ms"),
        "turn": Figure("slowest of 1,000 answers to ApiVersions beside it", "ms", bar=5)}, rounds=1),
    "hostile": Scenario("acknowledgements while 5,000 connections open, half-open, trickle and vanish", hostile, {
        "quiet": Figure("acknowledgement of 4 producers, p99", "ms"),
        "p99": Figure("the same beside 5,000 hostile connections", "x", bar=2),
        "meanwhile": Figure("resident, more meanwhile", "MB"),
        "after": Figure("resident, more 10 s after they have gone", "MB", bar=20)}, rounds=1),
}
