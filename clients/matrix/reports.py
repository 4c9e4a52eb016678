"""Reads what the test frameworks report: which tests passed, and so which cells are green."""

import json
import re
import xml.etree.ElementTree as ElementTree

CARGO = re.compile(r"^test (\S+) \.\.\. (ok|FAILED|ignored)", re.MULTILINE)
SEVERITY = ("skipped", "passed", "failed")


def tests(report, output, results):
    """`[(name of a test, passed | failed | skipped)]`, out of what was printed or what lies in the folder."""
    return {"go": _go, "junit": _junit, "cargo": _cargo}[report](output, results)


def cells(outcomes, names):
    """`{cell: outcome}`: a test belongs to the cell whose name it carries, and the worst of a cell's tests is its outcome.

    Also returns the tests that belong to no cell.
    """
    found, strays = {}, []
    by_length = sorted(names, key=len, reverse=True)
    for test, outcome in outcomes:
        cell = next((name for name in by_length if _plain(name) in _plain(test)), None)
        if cell is None:
            strays.append((test, outcome))
        else:
            found[cell] = max(found.get(cell, outcome), outcome, key=SEVERITY.index)
    return found, strays


def _plain(name):
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _go(output, _):
    verdicts = {"pass": "passed", "fail": "failed", "skip": "skipped"}
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [(line["Test"], verdicts[line["Action"]]) for line in lines if "Test" in line and line["Action"] in verdicts]


def _junit(_, results):
    found = []
    for path in sorted(results.glob("**/*.xml")):
        for case in ElementTree.parse(path).iter("testcase"):
            tags = {child.tag for child in case}
            outcome = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
            found.append((case.get("name"), outcome))
    return found


def _cargo(output, _):
    verdicts = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
    return [(test, verdicts[verdict]) for test, verdict in CARGO.findall(output)]
