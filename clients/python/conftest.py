"""Each test runs once per client version, with a broker of its own and its data on the disk that holds `target`."""

import pathlib
import re
import shutil

import pytest

import brokers
import environments
from world import World


def pytest_addoption(parser):
    parser.addoption("--broker", choices=("ottla", "kafka"), default="ottla", help="what to test; kafka is the reference")
    parser.addoption("--binary", default=str(brokers.OTTLA), help="the Ottla binary")
    parser.addoption("--folder", default=str(environments.TARGET / "client-tests" / "by-hand"), help="where brokers keep data and logs")
    parser.addoption("--clients", default=",".join(environments.BY_NAME), help="client environments, separated by commas")


def pytest_generate_tests(metafunc):
    if "environment" in metafunc.fixturenames:
        names = metafunc.config.getoption("--clients").split(",")
        is_grouped = metafunc.definition.get_closest_marker("xdist_group")
        metafunc.parametrize("environment", [case(environments.BY_NAME[name], is_grouped) for name in names if name])


def case(environment, is_grouped):
    """A test with that client. Java's start with a second of CPU for each process, so only one test of each goes on at a time."""
    marks = [pytest.mark.xdist_group(environment.name)] if environment.family == "java" and not is_grouped else []
    return pytest.param(environment, id=environment.name, marks=marks)


@pytest.fixture
def folder(request):
    """A folder for this test, kept only if it fails."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", request.node.name)
    folder = pathlib.Path(request.config.getoption("--folder")) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    if not getattr(request.node, "has_failed", False):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def make_broker(request):
    """How to make the broker that was asked for: `make_broker(data, properties)`."""
    if request.config.getoption("--broker") == "kafka":
        return brokers.KafkaBroker
    binary = pathlib.Path(request.config.getoption("--binary")).resolve()
    return lambda data, properties=None, **more: brokers.OttlaBroker(data, properties, binary=binary, **more)


@pytest.fixture
def world(environment, make_broker, folder):
    """Clients of one version; the test starts the broker with the properties it needs."""
    world = World(environment, make_broker, folder)
    yield world
    world.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        item.has_failed = True
        world = getattr(item, "funcargs", {}).get("world")
        if world and world.broker and call.when == "call":
            report.sections.append(("end of the broker's log", world.broker.log_tail()))
    return report
