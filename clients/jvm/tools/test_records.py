"""The cells of the list about records."""

import pytest

from tools import ToolFailed, create_topic, offsets, read_lines, run, send_keyed, send_lines, shows


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_produce_codecs(codec):
    topic = create_topic(partitions=3)
    sent = [(f"key-{number % 20}", f"value-{number}-{'x' * 200}") for number in range(100)]
    send_keyed(topic, sent, f"--compression-codec {codec} --request-required-acks all")
    read = [line.split("\t") for line in read_lines(topic, 100, shows("partition", "key"))]
    assert sorted((key, value) for _, key, value in read) == sorted(sent)
    assert len({(partition, key) for partition, key, _ in read}) == 20
    assert {partition for partition, _, _ in read} == {"Partition:0", "Partition:1", "Partition:2"}


def test_produce_idempotent():
    topic = create_topic()
    send_lines(topic, [f"value-{number}" for number in range(1000)], "--command-property enable.idempotence=true --batch-size 500")
    assert read_lines(topic, 1000, shows("offset")) == [f"Offset:{number}\tvalue-{number}" for number in range(1000)]
    assert offsets(f"--topic {topic}") == {(topic, 0): 1000}


def test_large_messages():
    ordinary, roomy = create_topic(), create_topic(max_message_bytes=5_000_000)
    may_be_large = "--sync --command-property max.request.size=10000000"
    send_lines(ordinary, ["a" * 900_000], may_be_large)
    with pytest.raises(ToolFailed, match="RecordTooLargeException"):
        send_lines(ordinary, ["b" * 1_100_000], may_be_large)
    send_lines(roomy, ["c" * 4_000_000], may_be_large)
    small_fetches = "--command-property fetch.max.bytes=100000 --command-property max.partition.fetch.bytes=50000"
    # Compared apart from the assertion: nobody wants to be told megabytes.
    is_there = [read_lines(roomy, 1, small_fetches) == ["c" * 4_000_000], read_lines(ordinary, 1) == ["a" * 900_000]]
    assert is_there == [True, True]


def test_headers_tombstones():
    topic = create_topic()
    reading = "--reader-property parse.headers=true --reader-property parse.key=true --reader-property null.marker=NULL"
    send_lines(topic, ["one:1,empty:,twice:a,twice:b,nothing:NULL\tkey\tvalue", "NULL\ttombstone\tNULL", "NULL\tNULL\tno key",
                       "NULL\tempty\t"], reading)
    assert read_lines(topic, 4, f"{shows('headers', 'key')} --formatter-property null.literal=NULL") == [
        "one:1,empty:,twice:a,twice:b,nothing:NULL\tkey\tvalue", "NO_HEADERS\ttombstone\tNULL", "NO_HEADERS\tNULL\tno key", "NO_HEADERS\tempty\t"]


def test_timestamps():
    made_at, ten_minutes = 1_700_000_000_000, 600_000
    topic = create_topic()
    run(f"kafka-verifiable-producer --topic {topic} --max-messages 10 --message-create-time {made_at}")
    run(f"kafka-verifiable-producer --topic {topic} --max-messages 10 --message-create-time {made_at + ten_minutes}")
    times = [int(line.split("\t")[0].removeprefix("CreateTime:")) for line in read_lines(topic, 20, shows("timestamp"))]
    assert all(made_at <= time < made_at + ten_minutes for time in times[:10])
    assert all(made_at + ten_minutes <= time < made_at + 2 * ten_minutes for time in times[10:])
    assert offsets(f"--topic {topic} --time {made_at - 1}") == {(topic, 0): 0}
    assert offsets(f"--topic {topic} --time {made_at + ten_minutes}") == {(topic, 0): 10}
    assert offsets(f"--topic {topic} --time {made_at + 2 * ten_minutes}") == {}


def test_timestamps_of_the_broker():
    topic = create_topic(message_timestamp_type="LogAppendTime")
    run(f"kafka-verifiable-producer --topic {topic} --max-messages 1 --message-create-time 1000")
    kind, time = read_lines(topic, 1, shows("timestamp"))[0].split("\t")[0].split(":")
    assert kind == "LogAppendTime"
    assert int(time) > 1_700_000_000_000
