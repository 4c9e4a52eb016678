"""What all tests of the tools begin with."""

import pytest

import tools


@pytest.fixture(scope="session", autouse=True)
def classes_are_shared(tmp_path_factory):
    """The classes that tools have in common are laid down once, so that each of the many starts takes half its time."""
    tools.lay_down_classes(tmp_path_factory.mktemp("classes") / "shared.jsa")
