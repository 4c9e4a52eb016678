"""Counts the words of sentences: `word_count.py BOOTSTRAP GROUP SENTENCES COUNTS STATE_FOLDER GUARANTEE`, until SIGTERM.

Each word goes to COUNTS as its key, with the number of times that it has come as the value. The counts lie in the state folder and in a
changelog topic; the words pass through a topic of their own, so that equal ones meet.
"""

import sys

from quixstreams import Application


def main(bootstrap, group, sentences, counts, state_folder, guarantee):
    app = Application(
        broker_address=bootstrap, consumer_group=group, auto_offset_reset="earliest", state_dir=state_folder, processing_guarantee=guarantee,
        commit_interval=0.5, consumer_poll_timeout=0.1, loglevel="WARNING",
        consumer_extra_config={"session.timeout.ms": 6_000, "heartbeat.interval.ms": 300, "reconnect.backoff.max.ms": 500},
        producer_extra_config={"transaction.timeout.ms": 10_000, "linger.ms": 1, "reconnect.backoff.max.ms": 500})
    words = app.dataframe(app.topic(sentences, value_deserializer="string")).apply(str.split, expand=True)
    counted = words.group_by(lambda word: word, name="words").apply(count_one, stateful=True)
    counted.to_topic(app.topic(counts, value_serializer="json"))
    app.run()


def count_one(_, state):
    """How often this word has come."""
    count = state.get("count", 0) + 1
    state.set("count", count)
    return count


if __name__ == "__main__":
    main(*sys.argv[1:])
