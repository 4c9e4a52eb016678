"""The tools about the broker, its configs and quotas."""

import json
import re

import pytest

from tools import ToolFailed, create_topic, fresh, offsets, rows, run, send_lines


def described(entity):
    """`{config: (value, where it comes from)}` of the dynamic configs that kafka-configs describes."""
    found = re.findall(r"^  (\S+?)=(\S*) sensitive=\w+ synonyms=\{(.*)\}$", run(f"kafka-configs --describe {entity}"), re.MULTILINE)
    return {name: (value, [synonym.split(":")[0] for synonym in synonyms.split(", ")]) for name, value, synonyms in found}


def test_tool_configs_of_the_broker():
    single, all_brokers = "--entity-type brokers --entity-name 1", "--entity-type brokers --entity-default"
    run(f"kafka-configs --alter {all_brokers} --add-config log.cleaner.backoff.ms=20000")
    run(f"kafka-configs --alter {single} --add-config log.cleaner.backoff.ms=10000")
    assert described(all_brokers)["log.cleaner.backoff.ms"] == ("20000", ["DYNAMIC_DEFAULT_BROKER_CONFIG"])
    assert described(single)["log.cleaner.backoff.ms"] == ("10000", ["DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG", "DEFAULT_CONFIG"])
    run(f"kafka-configs --alter {single} --delete-config log.cleaner.backoff.ms")
    assert "log.cleaner.backoff.ms" not in described(single)
    assert described(f"--all {single}")["log.cleaner.backoff.ms"] == ("20000", ["DYNAMIC_DEFAULT_BROKER_CONFIG", "DEFAULT_CONFIG"])
    run(f"kafka-configs --alter {all_brokers} --delete-config log.cleaner.backoff.ms")
    assert "log.cleaner.backoff.ms" not in described(all_brokers)
    with pytest.raises(ToolFailed, match="InvalidRequestException|InvalidConfigurationException"):
        run(f"kafka-configs --alter {single} --add-config broker.id=5")


def test_tool_configs_of_topics_and_groups():
    topic, group = create_topic(max_message_bytes=500_000), fresh("group")
    assert described(f"--topic {topic}") == {"max.message.bytes": ("500000", ["DYNAMIC_TOPIC_CONFIG", "DEFAULT_CONFIG"])}
    assert "  cleanup.policy=delete " in run(f"kafka-configs --describe --all --topic {topic}")
    run(f"kafka-configs --alter --group {group} --add-config consumer.session.timeout.ms=12000")
    assert described(f"--group {group}")["consumer.session.timeout.ms"][0] == "12000"
    assert group in run("kafka-configs --describe --entity-type groups")


def test_tool_broker_loggers():
    loggers = "--entity-type broker-loggers --entity-name 1"
    before = described(loggers)
    assert set(value for value, _ in before.values()) <= {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF"}
    # Every name must be one that the tool takes; a few of them, for Kafka has hundreds.
    names = [name for name in before if name != "root"][:8]
    run(f"kafka-configs --alter {loggers} --add-config {','.join(f'{name}=TRACE' for name in names)}")
    assert {described(loggers)[name][0] for name in names} == {"TRACE"}
    name = names[0]
    run(f"kafka-configs --alter {loggers} --delete-config {name}")
    assert described(loggers)["root"] == before["root"]
    with pytest.raises(ToolFailed, match="Invalid(Request|Configuration)Exception"):
        run(f"kafka-configs --alter {loggers} --add-config {name}=LOUD")


def test_tool_client_metrics():
    name = fresh("subscription")
    run(f"kafka-client-metrics --alter --name {name} --metrics org.apache.kafka.producer. --interval 10000 --match client_id=abc")
    assert name in run("kafka-client-metrics --list").split()
    lines = run(f"kafka-client-metrics --describe --name {name}").split()
    assert {"interval.ms=10000", "match=client_id=abc", "metrics=org.apache.kafka.producer."} <= set(lines)
    run(f"kafka-client-metrics --delete --name {name}")
    assert name not in run("kafka-client-metrics --list").split()
    with pytest.raises(ToolFailed, match="Invalid(Request|Configuration)Exception"):
        run(f"kafka-client-metrics --alter --name {name} --metrics '' --interval 1")


def test_tool_quotas():
    user, client = fresh("user"), fresh("client")
    run(f"kafka-configs --alter --entity-type users --entity-name {user} --add-config producer_byte_rate=1000,request_percentage=50.5")
    run(f"kafka-configs --alter --entity-type users --entity-name {user} --entity-type clients --entity-name {client} "
        "--add-config consumer_byte_rate=2000")
    run(f"kafka-configs --alter --entity-type clients --entity-default --add-config controller_mutation_rate=100")
    users = run("kafka-configs --describe --entity-type users").splitlines()
    line = next(line for line in users if line.startswith(f"Quota configs for user-principal '{user}' are "))
    assert set(line.split(" are ")[1].split(", ")) == {"producer_byte_rate=1000.0", "request_percentage=50.5"}
    both = run(f"kafka-configs --describe --entity-type users --entity-name {user} --entity-type clients --entity-name {client}")
    assert both.strip() == f"Quota configs for user-principal '{user}', client-id '{client}' are consumer_byte_rate=2000.0"
    default = "kafka-configs --describe --entity-type clients --entity-default"
    assert run(default).strip() == "Quota configs for the default client-id are controller_mutation_rate=100.0"
    run("kafka-configs --alter --entity-type clients --entity-default --delete-config controller_mutation_rate")
    assert run(default).strip() == ""
    with pytest.raises(ToolFailed, match="InvalidRequestException"):
        run(f"kafka-configs --alter --entity-type clients --entity-name {client} --add-config producer_byte_rate=-5")


def test_tool_quotas_are_enforced():
    client, topic = fresh("client"), create_topic()
    run(f"kafka-configs --alter --entity-type clients --entity-name {client} --add-config producer_byte_rate=2000")
    printed = run(f"kafka-producer-perf-test --topic {topic} --num-records 25 --record-size 1000 --throughput -1 --print-metrics "
                  f"--command-property client.id={client} batch.size=2000")
    throttled = float(re.search(r"produce-throttle-time-max:\{[^}]*\} *: ([0-9.]+)", printed)[1])
    assert throttled > 0
    assert offsets(f"--topic {topic}") == {(topic, 0): 25}


def test_tool_log_dirs():
    topic = create_topic(2)
    send_lines(topic, ["x" * 1000] * 10)
    told = json.loads(run(f"kafka-log-dirs --describe --topic-list {topic}").splitlines()[-1])
    (broker,) = told["brokers"]
    (folder,) = broker["logDirs"]
    sizes = {partition["partition"]: partition["size"] for partition in folder["partitions"]}
    assert broker["broker"] == 1
    assert folder["error"] is None
    assert set(sizes) == {f"{topic}-0", f"{topic}-1"}
    assert 10_000 < sum(sizes.values()) < 20_000


def test_tool_cluster(tmp_path):
    topic = create_topic()
    assert re.search(r"\(id: 1 rack: null isFenced: false\) -> \(\n\tProduce\(0\): \d+ to \d+ \[usable: \d+\]", run("kafka-broker-api-versions"))
    cluster = run("kafka-cluster cluster-id").split()[-1]
    status = dict(line.split(":", 1) for line in run("kafka-metadata-quorum describe --status").splitlines())
    assert status["ClusterId"].strip() == cluster
    assert status["LeaderId"].strip() == "1"
    head, replica = rows("kafka-metadata-quorum describe --replication")
    assert (replica[0], replica[-1]) == ("1", "Leader")
    assert [row[0] for row in rows("kafka-cluster list-endpoints")] == ["ID", "1"]
    levels = {row[1]: row[7] for row in rows("kafka-features describe")}
    assert (levels["group.version"], levels["transaction.version"]) == ("1", "2")
    assert "already elected" in run(f"kafka-leader-election --election-type preferred --topic {topic} --partition 0")
    wanted = tmp_path / "reassign.json"
    wanted.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "replicas": [1]}]}))
    assert "Successfully started" in run(f"kafka-reassign-partitions --execute --reassignment-json-file {wanted}")
    assert f"Reassignment of partition {topic}-0 is completed." in run(f"kafka-reassign-partitions --verify --reassignment-json-file {wanted}")
    assert "No partition reassignments found." in run("kafka-reassign-partitions --list")


def test_tool_performance():
    topic = create_topic()
    assert run(f"kafka-producer-perf-test --topic {topic} --num-records 5000 --record-size 100 --throughput -1").startswith("5000 records sent")
    counted = run(f"kafka-consumer-perf-test --topic {topic} --num-records 5000 --hide-header").split(", ")
    assert int(counted[4]) >= 5000
    latency = run(f"kafka-e2e-latency --topic {topic} --num-records 20 --producer-acks all --record-size 20")
    assert re.search(r"Percentiles: 50th = \d+, 99th = \d+, 99.9th = \d+", latency)
    assert offsets(f"--topic {topic}") == {(topic, 0): 5020}
