"""Drives confluent-kafka with the consumer protocol of KIP-848, through the same surface as `adapter_confluent.py`."""

import adapter_confluent
from adapter_confluent import CAPABILITIES, ERRORS, NO_POLICY, POLL_S, Admin, Producer, kind  # noqa: F401 - the surface


class Consumer(adapter_confluent.Consumer):
    """A member whose session, heartbeats and assignor are the broker's to say."""

    CLASSIC_ONLY = ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy")

    def settings(self, bootstrap, options):
        settings = super().settings(bootstrap, options)
        kept = {name: value for name, value in settings.items() if name not in self.CLASSIC_ONLY}
        return {**kept, "group.protocol": "consumer", "group.remote.assignor": "uniform"}
