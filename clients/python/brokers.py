"""Starts the broker under test: Ottla's release binary, or the reference (Apache Kafka) for comparison.

Both have the same surface: `start`, `kill` (SIGKILL), `stop` (SIGTERM), `address`. A broker that is started again comes back on the
address it had.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import wire
from environments import REPOSITORY, TARGET

OTTLA = TARGET / "release" / "ottla"
READY = re.compile(r"^ottla \S+ +ready in \d+ ms +(\S+):(\d+) ")


class BrokerFailed(Exception):
    """The broker did not start, or ended by itself; the text holds the end of its log."""


class Broker:
    """What both brokers share: a process, a log, and an address."""

    start_timeout_s = 60.0

    def __init__(self, data, properties=None, log=None):
        self.data = pathlib.Path(data)
        self.properties = dict(properties or {})
        self.log = pathlib.Path(log or self.data.with_name(self.data.name + ".log"))
        self.address = None
        self.process = None

    @property
    def bootstrap(self):
        """The address as clients want it, HOST:PORT."""
        return "{}:{}".format(*self.address)

    @property
    def running(self):
        """Whether the process is alive."""
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL: what the broker has not written yet is gone, the page cache survives."""
        self._end(signal.SIGKILL)

    def stop(self):
        """SIGTERM and wait; returns the exit code."""
        return self._end(signal.SIGTERM)

    def log_tail(self, lines=15):
        """The end of the broker's log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def _spawn(self, command, stdout, environment=None):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log,
                env={**os.environ, **(environment or {})})

    def _end(self, how):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise BrokerFailed(f"the broker ignored {signal.Signals(how).name} for 30 s\n{self.log_tail()}") from None
        finally:
            if self.process.stdout:
                self.process.stdout.close()


class OttlaBroker(Broker):
    """The release binary, reached at the address its ready line tells."""

    def __init__(self, data, properties=None, log=None, listen="127.0.0.1:0", binary=OTTLA):
        super().__init__(data, properties, log)
        self.listen = listen
        self.binary = pathlib.Path(binary)

    def start(self):
        """Start and wait for the ready line. `listen=None` leaves the default, `localhost:9092`."""
        if not self.binary.exists():
            raise BrokerFailed(f"{self.binary} is missing: cargo build --release")
        listen = self.bootstrap if self.address else self.listen
        command = [self.binary, "serve", *(["--listen", listen] if listen else []), "--data", self.data]
        for name, value in self.properties.items():
            command += ["--set", f"{name}={value}"]
        self._spawn(command, subprocess.PIPE)
        host, port = self._ready_line()
        self.address = self.address or (host, int(port))

    def _ready_line(self):
        # readline has no deadline of its own: a broker that is silent for too long is killed, which ends the line.
        watchdog = threading.Timer(self.start_timeout_s, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline().decode(errors="replace")
        finally:
            watchdog.cancel()
        ready = READY.match(line)
        if not ready:
            self.process.kill()
            self.process.wait()
            raise BrokerFailed(f"no ready line but {line!r}\n{self.log_tail()}")
        host = ready[1].strip("[]")
        return ("127.0.0.1" if host in ("localhost", "0.0.0.0") else host), ready[2]


class KafkaBroker(Broker):
    """The reference, one node, with the settings that make the two comparable."""

    settings = {
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.num.partitions": 3,
        "log.cleaner.enable": "false",
    }
    jvm = "-Xms256m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto"

    def __init__(self, data, properties=None, log=None, port=None):
        super().__init__(data, {**self.settings, **(properties or {})}, log)
        self.reserved = [reserve_port()] + ([] if port else [reserve_port()])
        self.controller_port = self.reserved[0].getsockname()[1]
        self.address = ("127.0.0.1", port or self.reserved[1].getsockname()[1])

    def start(self):
        """Start and wait until requests are answered."""
        script = REPOSITORY / "bench" / "kafka" / "broker"
        properties = [f"{name}={value}" for name, value in self.properties.items() if not name.startswith("ottla.")]
        self._spawn([script, "serve", self.address[1], self.controller_port, self.data, *properties], None,
                    {"KAFKA_JVM": os.environ.get("KAFKA_JVM", self.jvm)})
        deadline = time.monotonic() + self.start_timeout_s
        while not wire.serves_requests(self.address):
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise BrokerFailed(f"the reference did not start\n{self.log_tail()}")
            time.sleep(0.1)


def reserve_port():
    """A socket that holds a free port without listening on it.

    A broker that sets SO_REUSEADDR, as brokers do, may listen there all the same; the kernel gives the port to nobody else, above all
    not to a client that keeps knocking while the broker is away, and would then be connected to itself.
    """
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held
