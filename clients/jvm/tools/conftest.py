"""What all tests of the tools begin with. They run side by side, and share a broker."""

import contextlib
import fcntl

import pytest

import tools


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory):
    """A folder that the processes of this run share."""
    return tmp_path_factory.getbasetemp().parent


@pytest.fixture(scope="session", autouse=True)
def classes_are_shared(common_folder):
    """The classes that tools have in common are laid down once, so that each of the many starts takes half its time."""
    archive = common_folder / "classes.jsa"
    with locked(common_folder / "classes.lock", fcntl.LOCK_EX):
        if not archive.exists():
            tools.lay_down_classes(archive)
    tools.JVM.append(f"-XX:SharedArchiveFile={archive}")


@pytest.fixture(autouse=True)
def turn(request, common_folder):
    """A test that kills the broker, which its mark says, waits until nobody else uses it."""
    how = fcntl.LOCK_EX if request.node.get_closest_marker("kills_broker") else fcntl.LOCK_SH
    with locked(common_folder / "broker.lock", how):
        yield


@contextlib.contextmanager
def locked(path, how):
    with open(path, "w") as file:
        fcntl.flock(file, how)
        yield
