"""The client environments: one virtual environment per client and version, pinned with hashes.

Standard library only, because this runs before anything is installed. An environment is kept under
`target/venvs`, named by the hash of its requirement file and the Python version, so that a changed pin makes a
new one and an unchanged pin costs nothing. The `*.in` files hold what we ask for; the `*.txt` files are made from them with
`uv pip compile --universal --generate-hashes --no-header --no-annotate -p 3.10 NAME.in -o NAME.txt`.

The Java client lies there as well: its jars, as `clients/java/jars.sha256` has them, and the program that drives it. After a change of the
`pom.xml` that file is made by `sha256sum *.jar` in a folder that `mvn dependency:copy-dependencies` has filled.
"""

import fcntl
import functools
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
JAVA = HERE.parent / "java"
JAVA_RELEASE = 17
JAVA_OPTIONS = ("-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
                "-Xlog:disable", "-Xlog:all=warning:stderr")
"""Many processes on few cores, each for seconds: what starts fast and stays small. And what Java itself has to say is no report."""
JAVA_LOG = {"defaultLogLevel": "warn", "log.org.apache.kafka.clients.consumer.internals": "info", "showDateTime": "true",
            "dateTimeFormat": "HH:mm:ss.SSS"}
"""What the end of a client's log shows when a test fails: what it does as a member."""


class Environment(NamedTuple):
    """One client in one version."""

    name: str
    """As it appears in test names and in the table."""
    family: str
    """Which adapter drives it: the module `adapter_FAMILY.py`; for `java` the program in `clients/java`."""
    requirements: str = ""
    """The pinned requirement file, without `.txt`."""
    newest_python: tuple = (3, 99)
    """The last Python version that has a binary package of this release."""
    is_consumer_protocol: bool = False
    """Its members use the consumer protocol of KIP-848."""

    @property
    def other_protocol(self):
        """The same client with the other protocol for groups, or None where it has but one."""
        return BY_NAME.get(self.name.removesuffix("-consumer") if self.is_consumer_protocol else f"{self.name}-consumer")


CLIENTS = (
    Environment("kafka-python-3.0.12", "kafka_python", "kafka-python-3"),
    Environment("kafka-python-2.3.3", "kafka_python", "kafka-python-2"),
    Environment("confluent-kafka-2.16.1", "confluent", "confluent-kafka-2"),
    Environment("confluent-kafka-2.16.1-consumer", "confluent_consumer", "confluent-kafka-2", is_consumer_protocol=True),
    Environment("confluent-kafka-2.0.2", "confluent", "confluent-kafka-2.0", (3, 11)),
    Environment("aiokafka-0.14.0", "aiokafka", "aiokafka"),
    Environment("java", "java"),
    Environment("java-consumer", "java", is_consumer_protocol=True),
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


def command(environment):
    """What starts a client process in an environment that `build` has made; the broker's address is its last argument."""
    if environment.family != "java":
        return [str(python_of(environment)), "-u", str(HERE / "client_process.py"), environment.family]
    folder = _folder(environment)
    log = [f"-Dorg.slf4j.simpleLogger.{name}={value}" for name, value in JAVA_LOG.items()]
    class_path = f"{folder / 'classes'}:{folder / 'jars' / '*'}"
    return ["java", *JAVA_OPTIONS, *log, "-cp", class_path, "ClientProcess", "consumer" if environment.is_consumer_protocol else "classic"]


def build(environment):
    """Make the environment unless it is there already. Raises CannotBuild."""
    folder = _folder(environment)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if environment.family == "java":
        _need("java", "default-jdk-headless")
    with open(folder.parent / f"{folder.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "complete").exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        create = _create_java if environment.family == "java" else _create
        create(environment, folder)
        (folder / "complete").touch()


def _folder(environment):
    if environment.family == "java":
        return _java_folder()
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


# --- the Java client ---

@functools.cache
def _java_folder():
    """Both protocols share it. Classes of one Java run on all later ones."""
    key = hashlib.sha256()
    for file in sorted(JAVA.iterdir()):
        key.update(file.name.encode() + file.read_bytes())
    return TARGET / "venvs" / f"java-{key.hexdigest()[:12]}"


def _create_java(_, folder):
    _need("javac", "default-jdk-headless")
    _need("mvn", "maven")
    jars, classes = folder / "jars", folder / "classes"
    _java_step("mvn could not fetch the jars", [
        "mvn", "-q", "-B", "-f", str(JAVA / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"])
    expected = dict(reversed(line.split()) for line in (JAVA / "jars.sha256").read_text().splitlines())
    fetched = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars.iterdir()}
    if fetched != expected:
        differing = sorted(name for name in fetched.keys() | expected.keys() if fetched.get(name) != expected.get(name))
        raise CannotBuild(f"the jars are not those of clients/java/jars.sha256: {', '.join(differing)}")
    _java_step(f"javac (of JDK {JAVA_RELEASE} or later) could not compile clients/java", [
        "javac", "--release", str(JAVA_RELEASE), "-cp", str(jars / "*"), "-d", str(classes), *map(str, JAVA.glob("*.java"))])


def _need(tool, package):
    if shutil.which(tool) is None:
        raise CannotBuild(f"{tool} is missing: apt-get install --no-install-recommends {package}")


def _java_step(what, command):
    done = _run(command)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines() or ["no output"]
        raise CannotBuild(f"{what}: {next((line for line in said if 'ERROR' in line or 'error' in line), said[-1])}")


def _run(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
