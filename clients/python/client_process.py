"""One client in a process of its own: `python client_process.py FAMILY BOOTSTRAP`, run in that client's environment.

It takes commands on stdin and tells what happens on stdout, one JSON object per line. A subscribed consumer polls all the time, as an
application does, and reports records, changes of its assignment, and errors as they come; commands are carried out between
two polls. A process that is to die badly is killed from outside.

An adapter module `adapter_FAMILY` offers `Consumer`, `Producer`, `Admin`, `kind(error)`, POLL_S (how long one poll may wait), NO_POLICY
(how this client spells the reset policy `none`), and the tables ERRORS (its own exceptions) and CAPABILITIES.
"""

import importlib
import json
import logging
import queue
import sys
import threading
import time
import traceback


class Member:
    """A consumer that reports what it gets. `number` tells the members of one process apart."""

    def __init__(self, adapter, bootstrap, topics, options, number=0):
        self.adapter = adapter
        self.number = number
        self.commit_on_revoke = options["commit_on_revoke"]
        self.commit_each_poll = options["commit_each_poll"]
        self.following = {}  # for each partition, the offset after the last record that the application has got
        self.uncommitted = set()
        self.last_error = None
        self.reported_assignment = None
        self.consumer = adapter.Consumer(bootstrap, options, self._rebalanced)
        self.consumer.subscribe(topics)

    def poll(self):
        """Poll once and tell what came."""
        records, failure = [], None
        try:
            for topic, partition, offset, value in self.consumer.poll(self.adapter.POLL_S):
                records.append([topic, partition, offset, value.decode(), time.monotonic()])
                self.following[topic, partition] = offset + 1
                self.uncommitted.add((topic, partition))
        except Exception as error:  # whatever the client throws is what the test wants to know
            failure = error
        if records:
            self.tell("records", records=records)
        if failure:
            self._tell_failure(failure)
        assignment = sorted(self.consumer.assignment())
        if assignment != self.reported_assignment:
            self.reported_assignment = assignment
            self.tell("assignment", partitions=assignment)
        if self.commit_each_poll and self.uncommitted:
            self._commit_what_was_got()

    def tell(self, event, **report):
        """Tell it as this member's."""
        tell(event=event, member=self.number, **report)

    def _commit_what_was_got(self):
        offsets = [(partition, self.following[partition]) for partition in sorted(self.uncommitted)]
        try:
            self.consumer.commit(offsets)
        except Exception as error:  # tried again after the next poll, unless the partitions are gone by then
            return self._tell_failure(error)
        # The time is that of the answer: what is read later than that is read after the commit.
        self.tell("committed", offsets=offsets, at=time.monotonic())
        self.uncommitted.clear()

    def _tell_failure(self, failure):
        if str(failure) != self.last_error:  # some clients throw the same thing at every poll
            traceback.print_exception(type(failure), failure, failure.__traceback__)
        self.last_error = str(failure)
        self.tell("error", kind=self.adapter.kind(failure), text=str(failure))

    def _rebalanced(self, what, partitions):
        self.tell(what, partitions=partitions)
        if what != "revoked":
            return None
        # Forgotten with that: if they come back, others have read on meanwhile.
        offsets = [(partition, self.following.pop(partition)) for partition in partitions if partition in self.following]
        self.uncommitted.difference_update(partitions)
        if not offsets or not self.commit_on_revoke:
            return None
        try:
            return self.consumer.commit_when_revoked(offsets)
        except Exception as error:  # it may be too late for that
            return self._tell_failure(error)


class ClientProcess:
    """Carries out commands and reports."""

    def __init__(self, family, bootstrap):
        self.adapter = importlib.import_module(f"adapter_{family}")
        self.bootstrap = bootstrap
        self.commands = queue.Queue()
        self.member = None
        self.polling = False
        self.producers = {}
        self.admin = None

    def run(self):
        """Until the order to end, or until stdin is closed because the test is over."""
        threading.Thread(target=self._read_commands, daemon=True).start()
        tell(event="ready", errors=self.adapter.ERRORS, capabilities=self.adapter.CAPABILITIES, no_policy=self.adapter.NO_POLICY)
        while True:
            try:
                command = self.commands.get(block=not self.polling)
            except queue.Empty:
                self.member.poll()
                continue
            if command is None:
                return
            self._carry_out(command)

    def _read_commands(self):
        for line in sys.stdin:
            self.commands.put(json.loads(line))
        self.commands.put(None)

    def _carry_out(self, command):
        number, operation = command.pop("number"), command.pop("do")
        try:
            tell(reply=number, value=getattr(self, "do_" + operation)(**command))
        except Exception as error:  # whatever the client throws is the answer
            traceback.print_exc()
            tell(reply=number, error=self.adapter.kind(error), text=str(error))

    def _new_member(self, topics, options, number=0):
        if options["reset"] == "none":
            options["reset"] = self.adapter.NO_POLICY
        return Member(self.adapter, self.bootstrap, topics, options, number)

    def do_consumer(self, topics, options):
        self.member = self._new_member(topics, options)
        self.polling = True

    def do_crowd(self, count, topics, options):
        """So many members, each polled by a thread of its own, until the process is killed."""
        def live(number):
            member = self._new_member(topics, options, number)
            while True:
                member.poll()

        for number in range(count):
            threading.Thread(target=live, args=[number], daemon=True).start()

    def do_stop_polling(self):
        self.polling = False

    def do_poll_again(self):
        self.polling = True

    def do_pause(self, partition):
        self.member.consumer.pause(partition)

    def do_resume(self, partition):
        self.member.consumer.resume(partition)

    def do_commit(self, offsets):
        self.member.consumer.commit([(tuple(partition), offset) for partition, offset in offsets])

    def do_committed(self, partition):
        return self.member.consumer.committed(partition)

    def do_seek(self, partition, offset):
        self.member.consumer.seek(partition, offset)

    def do_close(self):
        self.polling = False
        self.member.consumer.close()

    def do_produce(self, topic, partition, values, codec, keys, timestamp_ms):
        if codec not in self.producers:
            self.producers[codec] = self.adapter.Producer(self.bootstrap, {"codec": codec})
        encoded = [key and key.encode() for key in keys or [None] * len(values)]
        return self.producers[codec].send(topic, partition, [value.encode() for value in values], encoded, timestamp_ms)

    def do_admin(self, call, arguments):
        if self.admin is None:
            self.admin = self.adapter.Admin(self.bootstrap)
        return getattr(self.admin, call)(*arguments)


OUTPUT = threading.Lock()


def tell(**report):
    """One line to the test; callbacks of a client may come from another thread."""
    with OUTPUT:
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    ClientProcess(*sys.argv[1:3]).run()
