"""Waiting for what must come, and no longer than a deadline."""

import time

PATIENCE_S = 30


def rounds(what, patience_s=PATIENCE_S):
    """Goes on forever, for a loop that ends itself by `break` or `return`; past the deadline it fails and says `what` did not come.

    What stands in the loop must wait by itself, as a poll does.
    """
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        yield
    raise AssertionError(f"not within {patience_s} s: {what() if callable(what) else what}")


def eventually(ask, expected):
    """Asks again and again for what the nodes of a cluster may take a moment to agree about."""
    for _ in rounds(lambda: f"{expected}, but {ask()}"):
        if ask() == expected:
            return
