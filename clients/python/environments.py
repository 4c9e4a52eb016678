"""The client environments: one virtual environment per client and version, pinned with hashes.

Standard library only, because this runs before anything is installed. An environment is kept under
`target/venvs`, named by the hash of its requirement file and the Python version, so that a changed pin makes a
new one and an unchanged pin costs nothing. The `*.in` files hold what we ask for; the `*.txt` files are made from them with
`uv pip compile --universal --generate-hashes --no-header --no-annotate -p 3.10 NAME.in -o NAME.txt`.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")


class Environment(NamedTuple):
    """One client in one version."""

    name: str
    """As it appears in test names and in the table."""
    family: str
    """Which adapter drives it: the module `adapter_FAMILY.py`."""
    requirements: str
    """The pinned requirement file, without `.txt`."""
    newest_python: tuple = (3, 99)
    """The last Python version that has a binary package of this release."""
    is_consumer_protocol: bool = False
    """Its members use the consumer protocol of KIP-848."""


CLIENTS = (
    Environment("kafka-python-3.0.12", "kafka_python", "kafka-python-3"),
    Environment("kafka-python-2.3.3", "kafka_python", "kafka-python-2"),
    Environment("confluent-kafka-2.16.1", "confluent", "confluent-kafka-2"),
    Environment("confluent-kafka-2.16.1-consumer", "confluent_consumer", "confluent-kafka-2", is_consumer_protocol=True),
    Environment("confluent-kafka-2.0.2", "confluent", "confluent-kafka-2.0", (3, 11)),
    Environment("aiokafka-0.14.0", "aiokafka", "aiokafka"),
)
RUNNER = Environment("runner", "", "runner")
BY_NAME = {environment.name: environment for environment in CLIENTS}

NEWEST_KAFKA_PYTHON = BY_NAME["kafka-python-3.0.12"]
NEWEST_CONFLUENT = BY_NAME["confluent-kafka-2.16.1"]


class CannotBuild(Exception):
    """An environment could not be made; the text says why and what helps."""


def python_of(environment):
    """The interpreter of an environment that `build` has made."""
    return _folder(environment) / "bin" / "python"


def build(environment):
    """Make the environment unless it is there already. Raises CannotBuild."""
    folder = _folder(environment)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f"{folder.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "complete").exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        _create(environment, folder)
        (folder / "complete").touch()


def _folder(environment):
    pins = _requirement_file(environment).read_bytes()
    # The version, not the path: the test runner asks from inside an environment of its own.
    version = _interpreter(environment)[1]
    key = hashlib.sha256(pins + repr(version).encode()).hexdigest()[:12]
    return TARGET / "venvs" / f"{environment.name}-{key}"


def _requirement_file(environment):
    return HERE / "requirements" / f"{environment.requirements}.txt"


def _interpreter(environment):
    """The path and version of a Python that has packages for this client: this one, or an older one beside it."""
    here = sys.version_info[:2]
    if here <= environment.newest_python:
        return sys.executable, here
    for minor in range(environment.newest_python[1], 9, -1):
        older = shutil.which(f"python3.{minor}")
        if older:
            return older, (3, minor)
    return sys.executable, here


def _create(environment, folder):
    interpreter, version = _interpreter(environment)
    with_pip = [interpreter, "-m", "venv", str(folder)]
    install = [str(folder / "bin" / "python"), "-m", "pip"]
    if _run(with_pip).returncode != 0:
        # Debian splits pip's bundle off into python3-venv; an outer pip can fill an environment that has none.
        shutil.rmtree(folder, ignore_errors=True)
        made = _run([interpreter, "-m", "venv", "--without-pip", str(folder)])
        if made.returncode != 0 or _run([interpreter, "-m", "pip", "--version"]).returncode != 0:
            raise CannotBuild("python3 has neither venv with pip nor pip itself: apt-get install python3-venv")
        install = [interpreter, "-m", "pip", "--python", str(folder / "bin" / "python")]
    done = _run([*install, "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary=:all:",
                 "--require-hashes", "-r", str(_requirement_file(environment))])
    if done.returncode != 0:
        hint = ""
        if version > environment.newest_python:
            newest = ".".join(map(str, environment.newest_python))
            hint = f" (its packages end with Python {newest}, and no python{newest} or older is installed)"
        said = done.stderr.strip().splitlines() or ["no output"]
        why = next((line for line in said if line.startswith("ERROR")), said[-1])
        raise CannotBuild(f"pip could not install {environment.requirements}.txt{hint}: {why}")


def _run(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
