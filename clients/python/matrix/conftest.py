"""What the tests of every Python client find: the broker, a way to have it killed, and names that are new in each run."""

import os
import urllib.request
import uuid

import pytest

RESTART_TAKES_AT_MOST_S = 90


@pytest.fixture(scope="session")
def bootstrap():
    """HOST:PORT of the broker."""
    return os.environ["BROKER_BOOTSTRAP"]


@pytest.fixture
def fresh():
    """`fresh("orders")` is a name that nobody has used before."""
    return lambda kind: f"{kind}-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def group(fresh):
    """A new group."""
    return fresh("group")


@pytest.fixture(scope="session")
def restart_broker():
    """Kills the broker and returns when it serves requests again."""
    def restart():
        request = urllib.request.Request(os.environ["BROKER_CONTROL"] + "/restart", method="POST")
        with urllib.request.urlopen(request, timeout=RESTART_TAKES_AT_MOST_S) as answer:
            assert answer.status == 200
    return restart


def pytest_collection_modifyitems(items):
    """What kills the broker comes last: clients of the whole session would need a while to find it again."""
    items.sort(key=lambda item: "reconnect" in item.name)
