"""The list's cell of the administrator, and the tools about topics and offsets."""

import json

import pytest

from tools import ToolFailed, committed, create_topic, fresh, offsets, read_lines, rows, run, send_keyed, send_lines


def test_admin_topics():
    topic = create_topic(2, retention_ms=5000)
    assert topic in run("kafka-topics --list").split()
    described = describe(topic)
    assert described[0][4:6] == ["PartitionCount:", "2"]
    assert "retention.ms=5000" in described[0][-1]
    assert [row[2:8] for row in described[1:]] == [["Partition:", str(number), "Leader:", "1", "Replicas:", "1"] for number in range(2)]
    run(f"kafka-configs --alter --topic {topic} --add-config retention.ms=6000,segment.ms=70000")
    assert configs(topic) == {"retention.ms": "6000", "segment.ms": "70000"}
    run(f"kafka-configs --alter --topic {topic} --delete-config segment.ms")
    assert configs(topic) == {"retention.ms": "6000"}
    run(f"kafka-topics --alter --topic {topic} --partitions 5")
    assert len(describe(topic)) == 1 + 5
    run(f"kafka-topics --delete --topic {topic}")
    assert topic not in run("kafka-topics --list").split()


def test_admin_records(tmp_path):
    topic = create_topic()
    send_lines(topic, range(100))
    wanted = tmp_path / "delete.json"
    wanted.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 40}]}))
    assert "low_watermark: 40" in run(f"kafka-delete-records --offset-json-file {wanted}")
    assert offsets(f"--topic {topic} --time earliest") == {(topic, 0): 40}
    assert offsets(f"--topic {topic}") == {(topic, 0): 100}
    assert read_lines(topic, 1) == ["40"]


def test_admin_groups():
    topic, group = create_topic(2), fresh("group")
    send_keyed(topic, [(number, number) for number in range(100)])
    read_lines(topic, 100, f"--group {group}")
    assert sum(committed(group).values()) == 100
    assert [group, "Empty"] in rows("kafka-consumer-groups --list --state")
    run(f"kafka-consumer-groups --reset-offsets --group {group} --topic {topic} --to-offset 7 --execute")
    assert committed(group) == {(topic, 0): 7, (topic, 1): 7}
    run(f"kafka-consumer-groups --delete-offsets --group {group} --topic {topic}:0")
    assert committed(group) == {(topic, 1): 7}
    run(f"kafka-consumer-groups --delete --group {group}")
    assert group not in run("kafka-consumer-groups --list").split()


def test_admin_is_told_its_errors():
    topic = create_topic()
    with pytest.raises(ToolFailed, match="TopicExistsException"):
        run(f"kafka-topics --create --topic {topic}")
    with pytest.raises(ToolFailed, match="does not exist as expected"):
        run(f"kafka-topics --describe --topic {fresh('nothing')}")
    with pytest.raises(ToolFailed, match="InvalidConfigurationException"):
        run(f"kafka-configs --alter --topic {topic} --add-config retention.ms=soon")
    with pytest.raises(ToolFailed, match="InvalidReplicationFactorException"):
        run(f"kafka-topics --create --topic {fresh('topic')} --replication-factor 3")
    with pytest.raises(ToolFailed, match="InvalidPartitionsException"):
        run(f"kafka-topics --alter --topic {topic} --partitions 1")


def test_tool_topics():
    topic = create_topic(2, segment_bytes=1048576)
    run(f"kafka-topics --create --if-not-exists --topic {topic} --partitions 7")
    assert len(describe(topic)) == 1 + 2
    assert [row[1] for row in rows(f"kafka-topics --describe --topics-with-overrides --topic {topic}")] == [topic]
    assert rows(f"kafka-topics --describe --under-replicated-partitions --topic {topic}") == []
    assert rows(f"kafka-topics --describe --unavailable-partitions --topic {topic}") == []
    pair = topic.replace("topic-", "(topic|other)-")
    assert run(f"kafka-topics --list --topic '{pair}'").split() == [topic]
    read_lines(topic, 0, f"--group {fresh('group')}")
    assert "__consumer_offsets" in run("kafka-topics --list").split()
    assert "__consumer_offsets" not in run("kafka-topics --list --exclude-internal").split()
    run(f"kafka-topics --delete --if-exists --topic {fresh('nothing')}")


def test_tool_offsets():
    topic = create_topic(3)
    send_keyed(topic, [(number, number) for number in range(30)])
    ends = offsets(f"--topic {topic}")
    assert sum(ends.values()) == 30
    assert set(ends) == {(topic, number) for number in range(3)}
    assert offsets(f"--topic-partitions {topic}:1-") == {at: end for at, end in ends.items() if at[1] >= 1}
    assert offsets(f"--topic {topic} --partitions 2 --time earliest") == {(topic, 2): 0}
    newest = offsets(f"--topic {topic} --time max-timestamp")
    assert all(0 <= newest[at] < ends[at] for at in newest)
    assert newest.keys() == {at for at, end in ends.items() if end}


def describe(topic):
    """The rows that kafka-topics describes a topic with: one for the topic, and one for each partition."""
    return rows(f"kafka-topics --describe --topic {topic}")


def configs(topic):
    """What is set for a topic itself."""
    table = rows(f"kafka-configs --describe --topic {topic}")[1:]
    return dict(row[0].split("=", 1) for row in table)
