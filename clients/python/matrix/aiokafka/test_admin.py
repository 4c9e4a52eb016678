"""Topics, configs and groups, as an administrator sees and changes them.

Offsets are listed by a consumer; the administrator neither changes offsets of groups nor deletes groups.
"""

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidConfigurationError, InvalidPartitionsError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

from conftest import finish, take
from deadlines import rounds


def error(answers):
    """The only error code of an answer about one thing."""
    ((_, code, *_),) = answers
    return code


async def eventually(ask, expected):
    """Asks again and again for what the nodes of a cluster may take a moment to agree about."""
    for _ in rounds(expected):
        if await ask() == expected:
            return


async def config(admin, topic, name):
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    ((code, _, _, told_topic, entries),) = answer.resources
    assert (code, told_topic) == (0, topic)
    return {entry: value for entry, value, *_ in entries}[name]


async def is_listed(admin, topic):
    return topic in await admin.list_topics()


async def partitions(admin, topic):
    (description,) = await admin.describe_topics([topic])
    assert description["topic"] == topic
    return len(description["partitions"])


async def test_admin_topics(admin, fresh):
    topic = fresh("topic")
    created = await admin.create_topics([NewTopic(topic, 2, 1, topic_configs={"retention.ms": "7200000"})])
    assert error(created.topic_errors) == 0
    await eventually(lambda: is_listed(admin, topic), True)
    assert await partitions(admin, topic) == 2
    assert await config(admin, topic, "retention.ms") == "7200000"

    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "compact"})])
    await eventually(lambda: config(admin, topic, "cleanup.policy"), "compact")

    assert error((await admin.create_partitions({topic: NewPartitions(5)})).topic_errors) == 0
    await eventually(lambda: partitions(admin, topic), 5)

    assert error((await admin.delete_topics([topic])).topic_error_codes) == 0
    await eventually(lambda: is_listed(admin, topic), False)


async def test_admin_offsets_and_records(admin, make_topic, make_producer, make_consumer):
    topic, producer = await make_topic(), await make_producer()
    partition, consumer = TopicPartition(topic, 0), await make_consumer(topic)
    await finish(producer.send(topic, b"%d" % number) for number in range(10))

    async def ends():
        return [(await offsets)[partition] for offsets in (consumer.beginning_offsets([partition]), consumer.end_offsets([partition]))]
    assert await ends() == [0, 10]
    assert await admin.delete_records({partition: RecordsToDelete(4)}) == {partition: 4}
    assert await ends() == [4, 10]


async def test_admin_groups(admin, make_topic, make_producer, make_consumer, group):
    topic, producer = await make_topic(), await make_producer()
    await producer.send_and_wait(topic, b"value")
    consumer = await make_consumer(topic, client_id="the member")
    await take(consumer, 1)
    await consumer.commit()

    assert group in {name for name, *_ in await admin.list_consumer_groups()}
    assert await describe(admin, group) == ("Stable", ["the member"])
    await consumer.stop()
    assert await describe(admin, group) == ("Empty", [])
    offsets = await admin.list_consumer_group_offsets(group)
    assert {partition: kept.offset for partition, kept in offsets.items()} == {TopicPartition(topic, 0): 1}


async def describe(admin, group):
    """The group's state, and what its members call themselves."""
    (answer,) = await admin.describe_consumer_groups([group])
    ((code, name, state, _, _, members, *_),) = answer.groups
    assert (code, name) == (0, group)
    return state, [client_id for _, client_id, *_ in members]


async def test_admin_errors(admin, make_topic, fresh):
    there, missing = await make_topic(), fresh("missing")
    assert error((await admin.create_topics([NewTopic(there, 1, 1)])).topic_errors) == TopicAlreadyExistsError.errno
    assert error((await admin.delete_topics([missing])).topic_error_codes) == UnknownTopicOrPartitionError.errno
    with pytest.raises(InvalidPartitionsError):
        await admin.create_partitions({there: NewPartitions(1)})
    for wrong in ({"retention.ms": "soon"}, {"no.such.config": "1"}):
        answer = await admin.create_topics([NewTopic(fresh("wrong"), 1, 1, topic_configs=wrong)])
        assert error(answer.topic_errors) == InvalidConfigurationError.errno
