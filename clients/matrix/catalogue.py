"""What the matrix knows: the list of cells, and the clients whose folders say how they do it."""

import json
import pathlib
import re
import shutil
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
CLIENTS = HERE.parent
LIST_ROW = re.compile(r"^\| `(\w+)` \| (.+) \|$", re.MULTILINE)
FIELDS = {"name": str, "language": str, "needs": dict, "venv": str, "prepare": list, "run": list, "report": str, "absent": dict,
          "list": bool, "own": dict}
REPORTS = ("go", "junit", "cargo")


class Malformed(Exception):
    """A `matrix.json` cannot be used; the text says why."""


class Client(NamedTuple):
    """One client or application, as its `matrix.json` describes it."""

    folder: pathlib.Path
    name: str
    language: str
    run: list
    report: str
    needs: dict
    prepare: list
    venv: str
    absent: dict
    own: dict
    does_the_list: bool

    @property
    def key(self):
        """What `--clients` calls it: where its folder lies."""
        return self.folder.relative_to(CLIENTS).as_posix()

    @property
    def cells(self):
        """All cells that are asked of it, in the order of the table."""
        return [*(LIST if self.does_the_list else ()), *self.own]

    def missing_tools(self):
        """What has to be installed first, each with the package that brings it."""
        return [f"{tool} (apt-get install {package})" for tool, package in self.needs.items() if shutil.which(tool) is None]


def read_list():
    """`{cell: what it does}`, as the README next to this file has it."""
    text = (HERE / "README.md").read_text()
    return dict(LIST_ROW.findall(text[text.index("## The list"):text.index("## A client's folder")]))


LIST = read_list()


def read_client(path):
    """The client that a `matrix.json` describes. Raises Malformed."""
    try:
        told = json.loads(path.read_text())
    except ValueError as why:
        raise Malformed(f"{path}: {why}") from None
    wrong = [name for name, value in told.items() if not isinstance(value, FIELDS.get(name, ()))]
    missing = [name for name in ("name", "language", "run", "report") if name not in told]
    if wrong or missing:
        raise Malformed(f"{path}: unknown or of another type: {wrong or 'none'}; missing: {missing or 'none'}")
    if told["report"] not in REPORTS:
        raise Malformed(f"{path}: there is no report {told['report']!r}, only {', '.join(REPORTS)}")
    client = Client(path.parent, told["name"], told["language"], told["run"], told["report"], told.get("needs", {}), told.get("prepare", []),
                    told.get("venv"), told.get("absent", {}), told.get("own", {}), told.get("list", True))
    if stray := set(client.absent) - set(client.cells):
        raise Malformed(f"{path}: there are no cells {', '.join(sorted(stray))} to be absent")
    return client


def read_clients():
    """All clients, those that do the list first. Raises Malformed."""
    found = [read_client(path) for path in sorted(CLIENTS.glob("**/matrix.json")) if "node_modules" not in path.parts]
    return sorted(found, key=lambda client: (not client.does_the_list, client.language, client.name))
