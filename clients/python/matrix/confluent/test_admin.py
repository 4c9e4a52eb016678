"""Topics, configs and groups, as an administrator sees and changes them."""

import confluent_kafka
import pytest
from confluent_kafka import ConsumerGroupState, ConsumerGroupTopicPartitions, KafkaError, TopicCollection, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec

from conftest import take
from deadlines import PATIENCE_S, eventually


def only(futures):
    """The result of a request about one thing."""
    (future,) = futures.values()
    return future.result(PATIENCE_S)


def error_of(futures):
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        only(futures)
    return refused.value.args[0].code()


def configs(admin, topic):
    return {name: entry.value for name, entry in only(admin.describe_configs([ConfigResource("topic", topic)])).items()}


def test_admin_topics(admin, fresh):
    topic = fresh("topic")
    only(admin.create_topics([NewTopic(topic, 2, 1, config={"retention.ms": "7200000"})]))
    eventually(lambda: topic in admin.list_topics(timeout=10).topics, True)
    description = only(admin.describe_topics(TopicCollection([topic])))
    assert description.name == topic and len(description.partitions) == 2 and not description.is_internal
    assert configs(admin, topic)["retention.ms"] == "7200000"

    change = ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)
    only(admin.incremental_alter_configs([ConfigResource("topic", topic, incremental_configs=[change])]))
    eventually(lambda: configs(admin, topic)["cleanup.policy"], "compact")
    assert configs(admin, topic)["retention.ms"] == "7200000"

    only(admin.create_partitions([NewPartitions(topic, 5)]))
    eventually(lambda: len(only(admin.describe_topics(TopicCollection([topic]))).partitions), 5)

    only(admin.delete_topics([topic]))
    eventually(lambda: topic in admin.list_topics(timeout=10).topics, False)
    assert error_of(admin.describe_topics(TopicCollection([topic]))) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_admin_offsets_and_records(admin, make_topic, make_producer):
    topic = make_topic(config={"cleanup.policy": "delete"})
    producer = make_producer()
    for number in range(10):
        producer.send(topic, b"%d" % number, timestamp=1_600_000_000_000 + number)
    producer.finish()

    def offset(spec):
        return only(admin.list_offsets({TopicPartition(topic, 0): spec})).offset
    assert (offset(OffsetSpec.earliest()), offset(OffsetSpec.latest())) == (0, 10)
    assert (offset(OffsetSpec.for_timestamp(1_600_000_000_003)), offset(OffsetSpec.max_timestamp())) == (3, 9)
    assert only(admin.delete_records([TopicPartition(topic, 0, 4)])).low_watermark == 4
    assert (offset(OffsetSpec.earliest()), offset(OffsetSpec.latest())) == (4, 10)


def test_admin_groups(admin, make_topic, make_producer, make_consumer, group):
    topic = make_topic()
    producer = make_producer()
    producer.send(topic, b"value")
    producer.finish()
    consumer = make_consumer(client_id="the member")
    consumer.subscribe([topic])
    take(consumer, 1)
    consumer.commit(asynchronous=False)

    assert group in {one.group_id for one in admin.list_consumer_groups().result(PATIENCE_S).valid}
    description = only(admin.describe_consumer_groups([group]))
    assert description.state == ConsumerGroupState.STABLE
    (member,) = description.members
    assert (member.client_id, [(one.topic, one.partition) for one in member.assignment.topic_partitions]) == ("the member", [(topic, 0)])
    assert error_of(admin.delete_consumer_groups([group])) == KafkaError.NON_EMPTY_GROUP
    consumer.close()

    assert only(admin.describe_consumer_groups([group])).state == ConsumerGroupState.EMPTY
    only(admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])]))
    (kept,) = only(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])).topic_partitions
    assert kept.offset == 0
    only(admin.delete_consumer_groups([group]))
    assert group not in {one.group_id for one in admin.list_consumer_groups().result(PATIENCE_S).valid}


def test_admin_errors(admin, make_topic, fresh):
    there, missing = make_topic(), fresh("missing")
    assert error_of(admin.create_topics([NewTopic(there, 1, 1)])) == KafkaError.TOPIC_ALREADY_EXISTS
    assert error_of(admin.delete_topics([missing])) == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert error_of(admin.describe_configs([ConfigResource("topic", missing)])) == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert error_of(admin.create_partitions([NewPartitions(there, 1)])) == KafkaError.INVALID_PARTITIONS
    assert error_of(admin.delete_consumer_groups([missing])) == KafkaError.GROUP_ID_NOT_FOUND
    for wrong in ({"retention.ms": "soon"}, {"no.such.config": "1"}):
        assert error_of(admin.create_topics([NewTopic(fresh("wrong"), 1, 1, config=wrong)])) == KafkaError.INVALID_CONFIG
