"""A few Kafka requests by hand, to look at the broker without any client in between.

Only what the tests ask: which topics exist, who is in a group, which batches a partition holds.
"""

import json
import socket
import struct
from typing import NamedTuple

METADATA, FETCH, LIST_OFFSETS, DESCRIBE_GROUPS, API_VERSIONS, CREATE_TOPICS = 3, 1, 2, 15, 18, 19
CONSUMER_GROUP_DESCRIBE, DELETE_TOPICS = 69, 20
FIND_COORDINATOR, OFFSET_COMMIT, OFFSET_FETCH = 10, 8, 9
OTTLA_GROUP_EXPLAIN, OTTLA_GROUP_RESET = 20_000, 20_001
EARLIEST, LATEST = -2, -1
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
RECORD_COUNT_AT = 57


class Batch(NamedTuple):
    """One stored record batch, as its header tells it."""

    base_offset: int
    records: int
    codec: str


class Group(NamedTuple):
    """A group as DescribeGroups shows it; members by member id. A coordinator that is not ready yet shows as state `error N`."""

    state: str
    members: dict


class Refused(Exception):
    """The broker refused what was asked; the text is its sentence."""

    def __init__(self, error, text):
        super().__init__(f"error {error}: {text}")
        self.error = error


class Reader:
    """Reads the older, non-flexible encoding from the front of an answer."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        """One value of a struct layout such as `i` or `q`."""
        (value,) = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return value

    def string(self):
        """A string or null, with a length of two bytes."""
        length = self.take("h")
        return None if length < 0 else self._slice(length).decode()

    def bytes(self):
        """Bytes or null, with a length of four bytes."""
        length = self.take("i")
        return b"" if length < 0 else self._slice(length)

    def array(self, item):
        """What `item` reads, as often as the count in front says."""
        return [item() for _ in range(self.take("i"))]

    def varint(self):
        """An unsigned number of the flexible encoding."""
        value = shift = 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                return value
            shift += 7

    def compact_string(self):
        """A string or null in the flexible encoding."""
        length = self.varint() - 1
        return None if length < 0 else self._slice(length).decode()

    def compact_array(self, item):
        """As `array`, in the flexible encoding."""
        return [item() for _ in range(self.varint() - 1)]

    def tags(self):
        """Skips the tagged fields at the end of a structure."""
        for _ in range(self.varint()):
            self.varint()
            self._slice(self.varint())

    def _slice(self, length):
        self.at += length
        return self.data[self.at - length:self.at]


def ask(address, key, version, body, timeout_s=10.0):
    """Send one request on a connection of its own and return a Reader of the answer's body."""
    header = struct.pack(">hhi", key, version, 7) + text("wire")
    with socket.create_connection(address, timeout=timeout_s) as connection:
        connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
        (length,) = struct.unpack(">i", _exactly(connection, 4))
        answer = Reader(_exactly(connection, length))
    if answer.take("i") != 7:
        raise ConnectionError("the answer belongs to another request")
    return answer


def text(value):
    """A string with its length in front."""
    return struct.pack(">h", len(value)) + value.encode()


def commit_from_outside(address, group, topic, offsets):
    """Commit `{partition: offset}` to a group without members; whether every partition was accepted."""
    # The first question of all makes the reference create the topic of its commits.
    if ask(address, FIND_COORDINATOR, 0, text(group)).take("h"):
        return False
    named = b"".join(struct.pack(">iq", *one) + text("") for one in offsets.items())
    body = text(group) + struct.pack(">i", -1) + text("") + struct.pack(">qi", -1, 1) + text(topic) + struct.pack(">i", len(offsets)) + named
    answer = ask(address, OFFSET_COMMIT, 2, body)
    (codes,) = answer.array(lambda: (answer.string(), answer.array(lambda: (answer.take("i"), answer.take("h"))))[1])
    return len(codes) == len(offsets) and not any(code for _, code in codes)


def committed(address, group, topic, partitions):
    """The committed offsets by partition, as the coordinator has them; -1 where there is none."""
    body = text(group) + struct.pack(">i", 1) + text(topic) + struct.pack(f">i{len(partitions)}i", len(partitions), *partitions)
    answer = ask(address, OFFSET_FETCH, 1, body)

    def partition():
        number, offset, _, code = answer.take("i"), answer.take("q"), answer.string(), answer.take("h")
        return number, -1 if code else offset

    ((offsets),) = answer.array(lambda: (answer.string(), answer.array(partition))[1])
    return dict(offsets)


def serves_requests(address):
    """Whether the broker answers ApiVersions."""
    try:
        return ask(address, API_VERSIONS, 0, b"", timeout_s=2.0).take("h") == 0
    except OSError:
        return False


def topics(address):
    """The names of all topics; asking creates none."""
    answer = ask(address, METADATA, 4, struct.pack(">ib", -1, 0))
    answer.take("i")
    answer.array(lambda: (answer.take("i"), answer.string(), answer.take("i"), answer.string()))
    answer.string(), answer.take("i")

    def partition():
        answer.take("h"), answer.take("i"), answer.take("i")
        answer.array(lambda: answer.take("i")), answer.array(lambda: answer.take("i"))

    def topic():
        answer.take("h")
        name = answer.string()
        answer.take("b"), answer.array(partition)
        return name

    return set(answer.array(topic))


def create_topic(address, name, configs, partitions=1):
    """Create a topic with configs of its own."""
    values = b"".join(text(config) + text(value) for config, value in configs.items())
    topic = text(name) + struct.pack(">ihii", partitions, 1, 0, len(configs)) + values
    answer = ask(address, CREATE_TOPICS, 2, struct.pack(">i", 1) + topic + struct.pack(">ib", 10_000, 0))
    answer.take("i")
    for _, error, message in answer.array(lambda: (answer.string(), answer.take("h"), answer.string())):
        if error:
            raise ConnectionError(f"CreateTopics answered error {error}: {message}")


def describe_group(address, group):
    """The group's state and members."""
    answer = ask(address, DESCRIBE_GROUPS, 0, struct.pack(">i", 1) + text(group))

    def member():
        member_id = answer.string()
        answer.string(), answer.string(), answer.bytes()
        return member_id, answer.bytes()

    def described():
        error = answer.take("h")
        answer.string()
        state = answer.string()
        if error:
            state = f"error {error}"
        answer.string(), answer.string()
        return Group(state, dict(answer.array(member)))

    return answer.array(described)[0]


def describe_consumer_group(address, group):
    """The same for a group of the consumer protocol (KIP-848); each member with its epoch."""
    body = b"\0" + struct.pack(">BB", 2, len(group) + 1) + group.encode() + b"\0\0"
    answer = ask(address, CONSUMER_GROUP_DESCRIBE, 0, body)
    answer.tags(), answer.take("i")

    def topic():
        answer.take("q"), answer.take("q"), answer.compact_string(), answer.compact_array(lambda: answer.take("i"))
        answer.tags()

    def member():
        member_id = answer.compact_string()
        answer.compact_string(), answer.compact_string()
        epoch = answer.take("i")
        answer.compact_string(), answer.compact_string(), answer.compact_array(answer.compact_string), answer.compact_string()
        for _ in ("assignment", "target assignment"):
            answer.compact_array(topic), answer.tags()
        answer.tags()
        return member_id, epoch

    def described():
        error = answer.take("h")
        answer.compact_string(), answer.compact_string()
        state = answer.compact_string()
        answer.take("i"), answer.take("i"), answer.compact_string()
        members = dict(answer.compact_array(member))
        answer.take("i"), answer.tags()
        return Group(f"error {error}" if error else state, members)

    return answer.compact_array(described)[0]


def delete_topic(address, name):
    """Delete a topic."""
    answer = ask(address, DELETE_TOPICS, 1, struct.pack(">i", 1) + text(name) + struct.pack(">i", 10_000))
    answer.take("i")
    for _, error in answer.array(lambda: (answer.string(), answer.take("h"))):
        if error:
            raise ConnectionError(f"DeleteTopics answered error {error}")


def explain(address, group, view, since_ms=-1):
    """What a group says about itself (docs/explain.md): one view of it, out of JSON. Raises Refused."""
    body = b"\0" + compact_text(group) + compact_text(view) + struct.pack(">q", since_ms) + b"\0"
    answer = ask(address, OTTLA_GROUP_EXPLAIN, 0, body)
    answer.tags(), answer.take("i")
    error, sentence = answer.take("h"), answer.compact_string()
    if error:
        raise Refused(error, sentence)
    return json.loads(answer.compact_string())


def reset_offsets(address, group, offsets, online=False, validate_only=False, undo=False):
    """Sets `{(topic, partition): offset}` for a group; returns for each what it was and is. Raises Refused."""
    body = b"\0" + compact_text(group) + struct.pack(">???", online, validate_only, undo) + varint(len(offsets) + 1)
    for (topic, partition), offset in offsets.items():
        body += compact_text(topic) + varint(2) + struct.pack(">iq", partition, offset) + b"\0\0"
    answer = ask(address, OTTLA_GROUP_RESET, 0, body + b"\0")
    answer.tags(), answer.take("i")
    refusals = [(answer.take("h"), answer.compact_string())]
    changes = {}

    def partition(topic):
        index = answer.take("i")
        refusals.append((answer.take("h"), answer.compact_string()))
        changes[topic, index] = answer.take("q"), answer.take("q")
        answer.tags()

    def topic():
        name = answer.compact_string()
        answer.compact_array(lambda: partition(name)), answer.tags()

    answer.compact_array(topic)
    for error, sentence in refusals:
        if error:
            raise Refused(error, sentence)
    return changes


def varint(value):
    """An unsigned number in the flexible encoding."""
    encoded = b""
    while value > 0x7f:
        encoded += bytes([value & 0x7f | 0x80])
        value >>= 7
    return encoded + bytes([value])


def compact_text(value):
    """A string in the flexible encoding."""
    return varint(len(value.encode()) + 1) + value.encode()


def bounds(address, topic, partition):
    """Where a partition's log starts and ends."""
    return tuple(_offset(address, topic, partition, timestamp) for timestamp in (EARLIEST, LATEST))


def _offset(address, topic, partition, timestamp):
    asked = struct.pack(">i", 1) + struct.pack(">iq", partition, timestamp)
    answer = ask(address, LIST_OFFSETS, 1, struct.pack(">ii", -1, 1) + text(topic) + asked)
    answer.take("i"), answer.string(), answer.take("i"), answer.take("i")
    error = answer.take("h")
    if error:
        raise ConnectionError(f"ListOffsets answered error {error}")
    answer.take("q")
    return answer.take("q")


def batches(address, topic, partition):
    """All batches that the partition holds."""
    found, offset = [], bounds(address, topic, partition)[0]
    while more := list(_batches_in(_fetch(address, topic, partition, offset))):  # an answer may end with a segment
        found += [batch for batch, _ in more]
        offset = more[-1][1]
    return found


def _fetch(address, topic, partition, offset):
    asked = struct.pack(">i", partition) + struct.pack(">qi", offset, 32 << 20)
    body = struct.pack(">iiiib", -1, 0, 0, 32 << 20, 0)
    body += struct.pack(">i", 1) + text(topic) + struct.pack(">i", 1) + asked
    answer = ask(address, FETCH, 4, body)
    answer.take("i")

    def one_partition():
        answer.take("i")
        error = answer.take("h")
        if error:
            raise ConnectionError(f"Fetch answered error {error}")
        answer.take("q"), answer.take("q")
        answer.array(lambda: (answer.take("q"), answer.take("q")))
        return answer.bytes()

    def one_topic():
        answer.string()
        return answer.array(one_partition)

    return answer.array(one_topic)[0][0]


def _batches_in(data):
    """Each batch, and the offset after it."""
    at = 0
    while at + RECORD_COUNT_AT + 4 <= len(data):
        base_offset, length = struct.unpack_from(">qi", data, at)
        (attributes,) = struct.unpack_from(">h", data, at + 21)
        (last,) = struct.unpack_from(">i", data, at + 23)
        (count,) = struct.unpack_from(">i", data, at + RECORD_COUNT_AT)
        yield Batch(base_offset, count, CODECS[attributes & 7]), base_offset + last + 1
        at += 12 + length


def _exactly(connection, length):
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise ConnectionError("the broker closed the connection")
        data += piece
    return data
