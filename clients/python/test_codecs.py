"""Topics with a codec of their own: what every client makes of batches that the broker has compressed again."""

import environments
import wire

TYPES = {"uncompressed": "none", "gzip": "gzip", "snappy": "snappy", "lz4": "lz4", "zstd": "zstd"}
"""`compression.type`, and how the batches' headers call it."""


def test_20_a_topic_stores_everything_in_its_own_codec(world):
    world.start_broker()
    sent = {}
    for kind, codec in TYPES.items():
        levels = {f"compression.{kind}.level": "5"} if kind in ("gzip", "lz4", "zstd") else {}
        wire.create_topic(world.broker.address, kind, {"compression.type": kind, **levels})
        sent[kind] = []
        for came in wire.CODECS:
            values = [f"{kind}-{came}-{number}-" + "the same again " * 3_000 for number in range(10)]
            assert world.produce(values, topic=kind, codec=came) == list(range(len(sent[kind]), len(sent[kind]) + 10))
            sent[kind] += values
        stored = wire.batches(world.broker.address, kind, 0)
        assert {batch.codec for batch in stored} == {codec}, kind
        assert sum(batch.records for batch in stored) == len(sent[kind])

    other = environments.NEWEST_CONFLUENT if world.environment.family != "confluent" else environments.NEWEST_KAFKA_PYTHON
    for reader in (world.consumer("same", TYPES), world.consumer("other", TYPES, environment=other)):
        expected = sum(map(len, sent.values()))
        reader.wait(lambda reader=reader: len(reader.records) >= expected, "all records")
        for kind in TYPES:
            got = [record.value for record in reader.records if record.topic == kind]
            assert got == sent[kind] and not reader.errors, kind
