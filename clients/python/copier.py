"""A transactional copier (KIP-447): what it reads in a group goes to another topic, in transactions that carry the offsets.

    copier.py BOOTSTRAP TRANSACTIONAL_ID GROUP INPUT OUTPUT SEED ALIVE

It touches the file ALIVE before each transaction. It copies until stdin is closed, and then ends its last transaction. Now and then it aborts one for no reason, or closes its consumer
and joins anew. Exit code 3: another process has taken over its transactional id.
"""

import pathlib
import random
import sys
import threading

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException

MOST_RECORDS = 200
TRANSACTION_TIMEOUT_MS = 10_000
SESSION_TIMEOUT_MS = 2500
ABORTS, REJOINS = 0.05, 0.002
FENCED = 3


class Copier:
    """One consumer and one producer that live and die together."""

    def __init__(self, bootstrap, transactional_id, group, source, target, seed, alive):
        self.bootstrap, self.group, self.source, self.target = bootstrap, group, source, target
        self.random = random.Random(f"{transactional_id}-{seed}")
        self.over = threading.Event()
        self.alive = pathlib.Path(alive)
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": bootstrap, "transactional.id": transactional_id, "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "linger.ms": 2, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "error_cb": complain})
        self.again(self.producer.init_transactions, 30)
        self.consumer = self.join()

    def join(self):
        """A new member of the group."""
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": self.group, "enable.auto.commit": False, "auto.offset.reset": "earliest",
            "isolation.level": "read_committed", "session.timeout.ms": SESSION_TIMEOUT_MS, "heartbeat.interval.ms": 300,
            "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "error_cb": complain})
        consumer.subscribe([self.source])
        return consumer

    def run(self):
        """Copies until it is told to stop."""
        while not self.over.is_set():
            self.alive.touch()
            if self.random.random() < REJOINS:
                self.consumer.close()
                self.consumer = self.join()
            messages = [message for message in self.consumer.consume(MOST_RECORDS, 0.2) if not message.error()]
            if messages:
                self.copy(messages)
        self.consumer.close()

    def copy(self, messages):
        """One transaction; where it is aborted, the consumer goes back to what is committed."""
        try:
            self.again(self.producer.begin_transaction)
            for message in messages:
                self.producer.produce(self.target, message.value(), message.key(), partition=message.partition())
            positions = self.consumer.position(self.consumer.assignment())
            positions = [position for position in positions if position.offset >= 0]
            self.again(self.producer.send_offsets_to_transaction, positions, self.consumer.consumer_group_metadata(), 30)
            if self.random.random() < ABORTS:
                raise Aborted
            self.again(self.producer.commit_transaction, 30)
        except Aborted:
            self.again(self.producer.abort_transaction, 30)
            self.rewind()

    def rewind(self):
        """To what the group has committed, partition by partition."""
        try:
            committed = self.consumer.committed(self.consumer.assignment(), timeout=30)
            for partition in committed:
                if partition.offset < 0:
                    partition.offset = confluent_kafka.OFFSET_BEGINNING
                self.consumer.seek(partition)
        except KafkaException:
            # A rebalance took the partitions meanwhile, or the broker was away too long: whoever has them begins where it is committed.
            self.consumer.close()
            self.consumer = self.join()

    @staticmethod
    def again(call, *arguments):
        """Calls until the outcome is known: that is what retriable errors of transactions are for."""
        while True:
            try:
                return call(*arguments)
            except KafkaException as problem:
                error = problem.args[0]
                if error.code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH):
                    sys.exit(FENCED)
                if error.txn_requires_abort():
                    raise Aborted from None
                if not error.retriable():
                    raise


class Aborted(Exception):
    """The transaction must be aborted, or shall be."""


def complain(error):
    """What the client has to say of a broker that is away."""
    print(f"client error: {error}", file=sys.stderr, flush=True)


def main():
    copier = Copier(*sys.argv[1:])
    threading.Thread(target=lambda: (sys.stdin.read(), copier.over.set()), daemon=True).start()
    print("ready", flush=True)
    copier.run()


if __name__ == "__main__":
    main()
