"""A property of our own, `ottla.lost.connection.grace.ms`: others take over from a process that was killed long before its session ends."""

import pytest

import brokers
from test_seed import LONG_SESSION_MS, stable, topic_with

GRACE = {"ottla_lost_connection_grace_ms": 1_500}
"""More than the interval of heartbeats here, which is when a client that lost its connection comes back at the latest."""
LONG_SESSION = {"group_consumer_session_timeout_ms": LONG_SESSION_MS, "group_consumer_max_session_timeout_ms": LONG_SESSION_MS}
"""The same for the consumer protocol, where it is the broker's."""


def test_19_a_killed_member_is_replaced_long_before_its_session_ends(world, make_broker):
    if make_broker is brokers.KafkaBroker:
        pytest.skip("a property of Ottla")
    topic_with(world, 4, **GRACE, **LONG_SESSION)
    victim = world.consumer("group", name="victim", session_timeout_ms=LONG_SESSION_MS)
    survivor = world.consumer("group", name="survivor", session_timeout_ms=LONG_SESSION_MS)
    stable(world, "group", victim, survivor)
    victim.kill()
    # The session is longer than the deadline, so only the lost connection can have freed the partitions.
    stable(world, "group", survivor)
    sent = world.produce_everywhere("after", 5, 4)
    survivor.wait(lambda: len(survivor.records) >= len(sent), "the records of all partitions")
    assert sorted(survivor.values()) == sorted(sent)
