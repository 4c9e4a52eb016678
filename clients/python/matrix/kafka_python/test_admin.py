"""Topics, configs and groups, as an administrator sees and changes them."""

import pytest
from kafka import OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec, OffsetTimestamp
from kafka.errors import (InvalidConfigurationError, InvalidPartitionsError, NoError, TopicAlreadyExistsError,
                          UnknownTopicOrPartitionError)

from conftest import finish, take
from deadlines import eventually


def configs(admin, topic):
    told = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")["topic"][topic]
    return {name: config["value"] for name, config in told.items()}


def test_admin_topics(admin, fresh):
    topic = fresh("topic")
    admin.create_topics({topic: {"num_partitions": 2, "replication_factor": 1, "configs": {"retention.ms": "7200000"}}})
    eventually(lambda: topic in admin.list_topics(), True)
    (description,) = admin.describe_topics([topic])
    assert (description["name"], len(description["partitions"]), description["is_internal"]) == (topic, 2, False)
    assert configs(admin, topic)["retention.ms"] == "7200000"

    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "compact"})])
    eventually(lambda: configs(admin, topic)["cleanup.policy"], "compact")
    assert configs(admin, topic)["retention.ms"] == "7200000"

    admin.create_partitions({topic: 5})
    eventually(lambda: len(admin.describe_topics([topic])[0]["partitions"]), 5)

    admin.delete_topics([topic])
    eventually(lambda: topic in admin.list_topics(), False)


def test_admin_offsets_and_records(admin, make_topic, make_producer):
    topic, producer = make_topic(), make_producer()
    partition, start = TopicPartition(topic, 0), 1_600_000_000_000
    finish([producer.send(topic, b"%d" % number, timestamp_ms=start + number) for number in range(10)])

    def offset(spec):
        return admin.list_partition_offsets({partition: spec})[partition].offset
    assert (offset(OffsetSpec.EARLIEST), offset(OffsetSpec.LATEST)) == (0, 10)
    assert (offset(OffsetTimestamp(start + 3)), offset(OffsetSpec.MAX_TIMESTAMP)) == (3, 9)
    assert admin.delete_records({partition: 4})[partition]["low_watermark"] == 4
    assert (offset(OffsetSpec.EARLIEST), offset(OffsetSpec.LATEST)) == (4, 10)


def test_admin_groups(admin, make_topic, make_producer, make_consumer, group):
    topic = make_topic()
    partition = TopicPartition(topic, 0)
    finish([make_producer().send(topic, b"value")])
    consumer = make_consumer(topic, client_id="the member")
    take(consumer, 1)
    consumer.commit()

    def listed():
        return group in {one["group_id"] for one in admin.list_groups()}

    def offsets():
        return {one: kept.offset for one, kept in admin.list_group_offsets({group: None})[group].items()}
    assert listed()
    description = admin.describe_groups([group])[group]
    assert description["group_state"] == "Stable"
    (member,) = description["members"]
    assert member["client_id"] == "the member"
    assert member["member_assignment"]["assigned_partitions"] == [{"topic": topic, "partitions": [0]}]
    assert admin.delete_groups([group]) == {group: "NonEmptyGroupError"}
    consumer.close()

    assert admin.describe_groups([group])[group]["group_state"] == "Empty"
    assert offsets() == {partition: 1}
    assert admin.alter_group_offsets(group, {partition: OffsetAndMetadata(0, "", -1)}) == {partition: NoError}
    assert offsets() == {partition: 0}
    assert admin.delete_group_offsets(group, [partition]) == {partition: NoError}
    assert offsets() == {}
    admin.alter_group_offsets(group, {partition: OffsetAndMetadata(1, "", -1)})
    assert admin.delete_groups([group]) == {group: "OK"}
    assert not listed()


def test_admin_errors(admin, make_topic, fresh):
    there, missing = make_topic(), fresh("missing")
    with pytest.raises(TopicAlreadyExistsError):
        admin.create_topics([there])
    with pytest.raises(UnknownTopicOrPartitionError):
        admin.delete_topics([missing])
    with pytest.raises(InvalidPartitionsError):
        admin.create_partitions({there: 1})
    for wrong in ({"retention.ms": "soon"}, {"no.such.config": "1"}):
        with pytest.raises(InvalidConfigurationError):
            admin.create_topics({fresh("wrong"): {"num_partitions": 1, "replication_factor": 1, "configs": wrong}})
    assert admin.describe_topics([missing])[0]["error_code"] == UnknownTopicOrPartitionError.errno
    assert admin.delete_groups([missing]) == {missing: "GroupIdNotFoundError"}
