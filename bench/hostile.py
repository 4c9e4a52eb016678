#!/usr/bin/env python3
"""Clients that nobody wants: thousands of connections that open, say half of something, trickle, and vanish.

    hostile.py HOST PORT CONNECTIONS SECONDS

So many are open all the time; each does one bad thing for some seconds, then another takes its place. Prints one line of JSON: how many there were.
"""

import collections
import heapq
import json
import os
import random
import resource
import selectors
import socket
import struct
import sys
import time

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset: the peer vanishes without a word."""
LIFE_S = (5.0, 20.0)
TRICKLE_EVERY_S = 1.0
API_VERSIONS = struct.pack(">ihhihB", 11, 18, 0, 1, 1, 120)
METADATA_OF_ALL = struct.pack(">ihhihBi", 15, 3, 1, 1, 1, 120, -1)


def silent(_):
    """Says nothing."""
    return b"", b""


def half_a_length(_):
    """Two of the four bytes of a length."""
    return b"\0\0", b""


def half_a_request(_):
    """The most of a request, and then nothing."""
    return API_VERSIONS[:-1], b""


def a_byte_now_and_then(_):
    """A request that announces 90 MB and comes byte by byte."""
    return struct.pack(">i", 90_000_000), b"\0"


def never_reads(_):
    """Asks all the time and takes no answer."""
    return METADATA_OF_ALL * 5, METADATA_OF_ALL


def garbage(dice):
    """Bytes of no protocol."""
    return dice.randbytes(64), b""


def too_large(_):
    """A length that nobody allows."""
    return struct.pack(">i", 0x7FFF_FFFF), b""


def leaves_at_once(_):
    """A good request, and is gone before the answer."""
    return API_VERSIONS, None


HABITS = (silent, half_a_length, half_a_request, a_byte_now_and_then, never_reads, garbage, too_large, leaves_at_once)


class Crowd:
    """All connections, each with a moment at which it does its next thing."""

    def __init__(self, address, seed):
        self.address, self.dice = address, random.Random(seed)
        self.selector = selectors.EpollSelector()
        self.due = []
        self.number = 0
        self.counts = collections.Counter()

    def open(self):
        """One more, which comes with a habit and a time to live."""
        habit = self.dice.choice(HABITS)
        peer = socket.socket()
        peer.setblocking(False)
        try:
            peer.connect_ex(self.address)
        except OSError:
            peer.close()
            return
        self.counts[habit.__name__] += 1
        first, again = habit(self.dice)
        until = time.monotonic() + self.dice.uniform(*LIFE_S)
        self.selector.register(peer, selectors.EVENT_WRITE, (first, again, until))

    def serve(self, connections, for_s):
        """Keeps so many open for so long."""
        ends = time.monotonic() + for_s
        # Not all at once: a flood of a second is another test.
        per_turn = max(connections // 200, 1)
        while (now := time.monotonic()) < ends:
            missing = connections - len(self.selector.get_map()) - len(self.due)
            for _ in range(min(missing, per_turn)):
                self.open()
            for key, _ in self.selector.select(0.01):
                self.connected(key)
            while self.due and self.due[0][0] <= now:
                self.again(heapq.heappop(self.due), now)
            time.sleep(0.01)

    def connected(self, key):
        """Says its first words."""
        first, again, until = key.data
        self.selector.unregister(key.fileobj)
        if not self.say(key.fileobj, first) or again is None:
            return self.vanish(key.fileobj)
        self.number += 1
        wait = TRICKLE_EVERY_S if again else max(until - time.monotonic(), 0)
        heapq.heappush(self.due, (time.monotonic() + wait, self.number, key.fileobj, again, until))

    def again(self, entry, now):
        """The next words, or its end."""
        _, _, peer, again, until = entry
        if now >= until or not again or not self.say(peer, again):
            return self.vanish(peer)
        self.number += 1
        heapq.heappush(self.due, (now + TRICKLE_EVERY_S, self.number, peer, again, until))

    @staticmethod
    def say(peer, words):
        """Whether it may still be there."""
        try:
            if words:
                peer.send(words)
            return True
        except BlockingIOError:
            return True
        except OSError:
            return False

    def vanish(self, peer):
        """Some say goodbye."""
        try:
            if self.dice.random() < 0.7:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        except OSError:
            pass
        peer.close()


def main():
    host, port, connections, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # What it costs to be hostile shall not be counted against the broker.
    os.nice(19)
    crowd = Crowd((host, port), 1)
    crowd.serve(connections, seconds)
    print(json.dumps(dict(crowd.counts)))


if __name__ == "__main__":
    main()
