"""The broker dies under a producer and a member of a group."""

import asyncio

from aiokafka import TopicPartition

from conftest import finish, take
from deadlines import PATIENCE_S


async def test_reconnect(make_topic, make_producer, make_consumer, read, restart_broker, fresh):
    topic, producer = await make_topic(), await make_producer(enable_idempotence=True)
    member = await make_consumer(topic, session_timeout_ms=30_000)
    await finish(producer.send(topic, b"%d" % number) for number in range(50))
    await take(member, 50)
    await member.commit()

    restart = asyncio.create_task(asyncio.to_thread(restart_broker))
    answers, seen = [], []
    while not restart.done():
        answers.append(await producer.send(topic, b"%d" % (50 + len(answers))))
        seen += sum((await member.getmany(timeout_ms=50)).values(), [])
    await restart
    offsets = [answer.offset for answer in await asyncio.wait_for(asyncio.gather(*answers), PATIENCE_S)]
    end = 50 + len(answers)
    assert offsets == list(range(50, end))

    seen += await take(member, end - 50 - len(seen))
    assert [record.offset for record in seen] == offsets, "the member went on where it was"
    await member.commit()
    assert await member.committed(TopicPartition(topic, 0)) == end
    values = [record.value for record in await read(topic, end, group_id=fresh("reader"))]
    assert values == [b"%d" % number for number in range(end)]
