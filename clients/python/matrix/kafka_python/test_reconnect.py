"""The broker dies under a producer and a member of a group."""

import threading

from kafka import TopicPartition

from conftest import finish, poll, take
from deadlines import rounds


def test_reconnect(make_topic, make_producer, make_consumer, read, restart_broker, fresh):
    topic = make_topic()
    producer = make_producer(reconnect_backoff_max_ms=500)
    member = make_consumer(topic, session_timeout_ms=30_000, reconnect_backoff_max_ms=500)
    sent = [producer.send(topic, b"before %d" % number) for number in range(50)]
    finish(sent)
    take(member, 50)
    member.commit()

    restart = threading.Thread(target=restart_broker)
    restart.start()
    seen = []
    while restart.is_alive():
        sent.append(producer.send(topic, b"during %d" % len(sent)))
        seen += poll(member)
    sent.append(producer.send(topic, b"after"))
    acknowledged = [answer.offset for answer in finish(sent)]
    assert acknowledged == list(range(len(sent)))

    for _ in rounds(lambda: f"the last record after {seen[-1:]}"):
        if seen and seen[-1].value == b"after":
            break
        seen += poll(member)
    assert [record.offset for record in seen] == list(range(50, len(sent))), "the member went on where it was"
    member.commit()
    assert member.committed(TopicPartition(topic, 0)) == len(sent)
    values = [record.value for record in read(topic, len(sent), group_id=fresh("reader"))]
    assert values == [b"before %d" % number for number in range(50)] + [b"during %d" % number for number in range(50, len(sent) - 1)] + [b"after"]
