"""The list's cell of transactions, and kafka-transactions."""

from tools import BOOTSTRAP, Running, committed, create_topic, eventually, fresh, read_lines, rows, run, send_lines

PERF = "kafka-producer-perf-test --throughput 200 --payload-monotonic --transaction-duration-ms 600000"
NEVER_ENDS = "--num-records 1000000"


def test_transactions():
    source, target, group = create_topic(), create_topic(), fresh("group")
    values = [f"value-{number}" for number in range(500)]
    send_lines(source, values)
    run(f"transactional-message-copier --broker-list {BOOTSTRAP} --input-topic {source} --input-partition 0 --output-topic {target} "
        f"--consumer-group {group} --transactional-id {fresh('copier')} --transaction-size 10 --enable-random-aborts --use-group-metadata")
    assert read_lines(target, 500, "--isolation-level read_committed") == values
    assert committed(group) == {(source, 0): 500}


def test_transactions_fence_the_producer_before():
    topic, name = create_topic(), fresh("transaction")
    with Running(f"{PERF} --topic {topic} --transactional-id {name} {NEVER_ENDS}") as first:
        eventually("it has begun", lambda: state_of(name), "Ongoing")
        run(f"{PERF} --topic {topic} --transactional-id {name} --num-records 5")
        first.until("fenced", lambda it: any("ProducerFencedException" in line or "InvalidProducerEpochException" in line for line in it.printed))
        first.kill()
    assert read_lines(topic, 5, "--isolation-level read_committed") == ["0", "1", "2", "3", "4"]
    # What the fenced one had written before lies there all the same.
    assert len(read_lines(topic, 6, "--isolation-level read_uncommitted")) == 6


def test_tool_transactions():
    topic, name = create_topic(), fresh("transaction")
    with Running(f"{PERF} --topic {topic} --transactional-id {name} {NEVER_ENDS}") as producer:
        eventually("it has begun", lambda: state_of(name), "Ongoing")
        listed = next(row for row in rows("kafka-transactions list") if row[0] == name)
        described = dict(zip(*rows(f"kafka-transactions describe --transactional-id {name}")))
        assert described["ProducerId"] == listed[2]
        assert described["TransactionTimeoutMs"] == "60000"
        assert described["TopicPartitions"] == f"{topic}-0"
        head, found = rows(f"kafka-transactions describe-producers --topic {topic} --partition 0")
        assert dict(zip(head, found))["ProducerId"] == listed[2]
        assert dict(zip(head, found))["CurrentTransactionStartOffset"] == "0"
        # Nothing hangs: the coordinator knows the transaction.
        assert len(rows(f"kafka-transactions find-hanging --topic {topic}")) == 1
        run(f"kafka-transactions forceTerminateTransaction --transactionalId {name}")
        assert state_of(name) in ("Empty", "CompleteAbort")
        producer.kill()
    head, found = rows(f"kafka-transactions describe-producers --topic {topic} --partition 0")
    assert dict(zip(head, found))["CurrentTransactionStartOffset"] == "None"


def test_tool_transactions_aborts():
    topic, name = create_topic(), fresh("transaction")
    with Running(f"{PERF} --topic {topic} --transactional-id {name} {NEVER_ENDS}") as producer:
        eventually("it has begun", lambda: state_of(name), "Ongoing")
        producer.kill()
    send_lines(topic, ["after"])
    run(f"kafka-transactions abort --topic {topic} --partition 0 --start-offset 0")
    assert read_lines(topic, 1, "--isolation-level read_committed") == ["after"]


def state_of(transaction):
    """The state that kafka-transactions lists, or None."""
    return next((row[3] for row in rows("kafka-transactions list") if row[0] == transaction), None)

