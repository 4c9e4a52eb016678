"""The two brokers, each as a process with a data folder of its own that goes with it."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import wire

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STARTS_WITHIN_S = 120


class Broker:
    """A running broker; see `Ottla` and `Kafka` for how each is started."""

    name = "?"

    def __init__(self, folder, *more):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.more = more
        self.process = None
        self.began_s = 0.0
        """When its process was made, on the clock that all processes share."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self):
        raise NotImplementedError

    def start(self):
        """Starts, and answers the seconds until the first answer."""
        self.address = ("127.0.0.1", free_port())
        return self.start_again()

    def start_again(self):
        """The same at the address that it had."""
        with open(self.folder / "log", "ab") as log:
            began, self.began_s = time.perf_counter(), time.monotonic()
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while True:
            try:
                connection = wire.Connection(self.address)
                connection.ask(wire.API_VERSIONS, 0)
                took = time.perf_counter() - began
                connection.close()
                return took
            except OSError:
                # A millisecond more or less is nothing against what is measured of either.
                time.sleep(0.0005)
            if self.process.poll() is not None or time.perf_counter() - began > STARTS_WITHIN_S:
                log = (self.folder / "log").read_text(errors="replace").splitlines()[-5:]
                sys.exit(f"{self.name} does not start: " + "\n".join(log))

    def connect(self):
        return wire.Connection(self.address)

    def create_topic(self, name, partitions):
        """Creates a topic; a broker that has only just started may not be ready for it."""
        for attempt in range(50):
            try:
                connection = self.connect()
                wire.create_topic(connection, name, partitions)
                connection.close()
                return
            except (RuntimeError, OSError):
                if attempt == 49:
                    raise
                time.sleep(0.2)

    def alter_group(self, group, configs):
        """Sets configs of a group, which need not exist yet."""
        connection = self.connect()
        wire.alter_group(connection, group, configs)
        connection.close()

    def stop(self):
        """SIGTERM, and waits for the end."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)

    def kill(self):
        """SIGKILL."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def resident_mb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def written_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/io").read_text().splitlines():
            if line.startswith("write_bytes:"):
                return int(line.split()[1])
        return 0

    def segment_files(self):
        """Where the records of topics lie."""
        raise NotImplementedError


class Ottla(Broker):
    """The release binary, with its defaults: every acknowledgement is flushed."""

    name = "Ottla"
    binary = ROOT / "target" / "release" / "ottla"

    def command(self):
        host, port = self.address
        settings = [part for setting in self.more for part in ("--set", setting)]
        return [self.binary, "serve", "--listen", f"{host}:{port}", "--data", self.folder / "data", *settings]

    def segment_files(self):
        return (self.folder / "data" / "topics").rglob("*.log")


class Kafka(Broker):
    """Apache Kafka with its defaults: nothing is flushed before it is acknowledged."""

    name = "Kafka"

    def command(self):
        port = self.address[1]
        return [ROOT / "bench" / "kafka" / "broker", "serve", str(port), str(free_port()), self.folder / "data", *self.more]

    def segment_files(self):
        return (self.folder / "data").glob("*/*.log")


def free_port():
    """A port that nobody listens on, below those that the system gives to clients."""
    for port in range(20_000 + os.getpid() % 8000, 32_000):
        if port in free_port.given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        free_port.given.add(port)
        return port
    sys.exit("no free port below 32000")


free_port.given = set()
