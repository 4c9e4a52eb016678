"""Keeps the outcome of the matrix, and writes docs/clients.md from it."""

import json
import pathlib

import catalogue

HERE = pathlib.Path(__file__).resolve().parent
OUTCOME = HERE / "outcome"
PAGE = HERE.parent.parent / "docs" / "clients.md"
BROKERS = {"ottla": "Ottla", "kafka": "Apache Kafka 4.3.1"}
MARKS = {"passed": "ok", "failed": "**fails**", "absent": "–", None: "?"}


def keep(broker, cells):
    """Remember `{client: {cell: outcome}}` of a run beside what other clients' runs had."""
    OUTCOME.mkdir(exist_ok=True)
    everything = {**_kept(broker), **cells}
    known = {client.key for client in catalogue.read_clients()}
    kept = {key: everything[key] for key in sorted(everything) if key in known}
    _file(broker).write_text(json.dumps(kept, indent=1) + "\n")


def differs(broker, cells):
    """The clients whose outcome is not the one that is kept."""
    kept = _kept(broker)
    return [key for key, outcome in cells.items() if kept.get(key) != outcome]


def write():
    """Write the page."""
    PAGE.write_text(text())


def text():
    """The page, out of what is kept."""
    clients = catalogue.read_clients()
    outcome = {broker: _kept(broker) for broker in BROKERS}
    listed = [client for client in clients if client.does_the_list]
    parts = [INTRODUCTION, _matrix(listed, outcome), _list(), _own(clients, outcome), _absent(clients)]
    return "\n".join(parts)


INTRODUCTION = """# Clients and tools that work

Every client below does the same list, unmodified, in its own language and test framework, against Ottla and against Apache Kafka 4.3.1.
`./test matrix` runs it; `clients/matrix/run --write` writes this page from what came out. How a client is run and what
each cell does in full: [clients/matrix](../clients/matrix/README.md).

`ok` holds for both brokers. `–`: the client cannot do that at all, see below. Where the two brokers differ both are named.
"""


def _file(broker):
    return OUTCOME / f"{broker}.json"


def _kept(broker):
    return json.loads(_file(broker).read_text()) if _file(broker).exists() else {}


def _mark(outcome, client, cell):
    """One word where both brokers agree, else both."""
    ottla, kafka = (outcome[broker].get(client.key, {}).get(cell) for broker in BROKERS)
    return MARKS[ottla] if ottla == kafka else f"{MARKS[ottla]} (Kafka: {MARKS[kafka]})"


def _row(cells):
    return f"| {' | '.join(cells)} |\n"


def _matrix(clients, outcome):
    rows = [_row(["", *(client.name for client in clients)]), _row(["---"] * (len(clients) + 1))]
    rows += [_row([f"`{cell}`", *(_mark(outcome, client, cell) for client in clients)]) for cell in catalogue.LIST]
    return "## The list\n\n" + "".join(rows)


def _list():
    return "".join(f"- `{cell}`: {what}\n" for cell, what in catalogue.LIST.items())


def _own(clients, outcome):
    rows = [_row(["", "cell", "", "what it does"]), _row(["---"] * 4)]
    for client in clients:
        rows += [_row([client.name, f"`{cell}`", _mark(outcome, client, cell), what]) for cell, what in client.own.items()]
    return "## Tools and applications\n\n" + "".join(rows)


def _absent(clients):
    lines = [f"- {client.name}, `{cell}`: {why}\n" for client in clients for cell, why in client.absent.items()]
    return "## What a client cannot do\n\n" + "".join(lines)
