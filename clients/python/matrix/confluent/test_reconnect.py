"""The broker dies under a producer and a member of a group."""

import threading

from confluent_kafka import TopicPartition

from conftest import POLL_S, checked, take
from deadlines import rounds


def test_reconnect(make_topic, make_producer, make_consumer, read, restart_broker, fresh):
    topic = make_topic()
    producer = make_producer(enable_idempotence=True, reconnect_backoff_max_ms=500)
    member = make_consumer(session_timeout_ms=30_000, reconnect_backoff_max_ms=500)
    member.subscribe([topic])
    for number in range(50):
        producer.send(topic, b"before %d" % number)
    producer.finish()
    take(member, 50)
    member.commit(asynchronous=False)

    restart = threading.Thread(target=restart_broker)
    restart.start()
    sent, seen = 0, []
    while restart.is_alive():
        producer.send(topic, b"during %d" % sent)
        sent += 1
        seen += checked(member.poll(POLL_S))
    producer.send(topic, b"after")
    acknowledged = producer.finish()
    assert len(acknowledged) == 50 + sent + 1

    for _ in rounds(lambda: f"the last record after {seen[-1:]}"):
        if seen and seen[-1].value() == b"after":
            break
        seen += checked(member.poll(POLL_S))
    assert [record.offset() for record in seen] == list(range(50, len(acknowledged))), "the member went on where it was"
    member.commit(asynchronous=False)
    assert member.committed([TopicPartition(topic, 0)], timeout=10)[0].offset == len(acknowledged)
    stored = [(record.offset(), record.value()) for record in read(topic, len(acknowledged), group_id=fresh("reader"))]
    assert stored == [(record.offset(), record.value()) for record in acknowledged]
