"""Just enough of Kafka's protocol for what the driver does not measure: topics, single requests, idle connections."""

import socket
import struct

PRODUCE, FETCH, API_VERSIONS, CREATE_TOPICS, INCREMENTAL_ALTER_CONFIGS = 0, 1, 18, 19, 44
GROUP = 32
"""The type of a resource that is a group."""


class Connection:
    """One connection that speaks just enough of the protocol."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, 120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, key, version, body):
        frame = struct.pack(">hhih", key, version, 1, -1) + body
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)

    def receive(self):
        """An answer without its size and correlation id."""
        size = struct.unpack(">i", self._exactly(4))[0]
        return self._exactly(size)[4:]

    def ask(self, key, version, body=b""):
        self.send(key, version, body)
        return self.receive()

    def close(self):
        self.socket.close()

    def _exactly(self, count):
        parts = bytearray()
        while len(parts) < count:
            part = self.socket.recv(count - len(parts))
            if not part:
                raise ConnectionError("the broker closed the connection")
            parts += part
        return bytes(parts)


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def create_topic(connection, name, partitions):
    body = struct.pack(">i", 1) + string(name) + struct.pack(">ihiiib", partitions, 1, 0, 0, 120_000, 0)
    answer = connection.ask(CREATE_TOPICS, 4, body)
    error = struct.unpack_from(">h", answer, 4 + 4 + 2 + len(name))[0]
    if error:
        raise RuntimeError(f"CreateTopics answers error {error}")


def alter_group(connection, group, configs):
    """Sets configs of a group."""
    entries = b"".join(string(name) + b"\0" + string(str(value)) for name, value in configs.items())
    body = struct.pack(">ib", 1, GROUP) + string(group) + struct.pack(">i", len(configs)) + entries + b"\0"
    answer = connection.ask(INCREMENTAL_ALTER_CONFIGS, 0, body)
    error = struct.unpack_from(">h", answer, 4 + 4)[0]
    if error:
        raise RuntimeError(f"IncrementalAlterConfigs answers error {error}")


def fetch(name, partitions, wait_ms, session=0, epoch=-1, offset=0):
    """A Fetch body, version 11; with a session that is already there, nothing has to be named."""
    head = struct.pack(">iiiibii", -1, wait_ms, 1, 50 << 20, 0, session, epoch)
    named = b"".join(struct.pack(">iiqqi", index, -1, offset, -1, 1 << 20) for index in partitions)
    topics = struct.pack(">i", 1) + string(name) + struct.pack(">i", len(named) // 28) + named if named else struct.pack(">i", 0)
    return head + topics + struct.pack(">i", 0) + string("")


def produce(name, index, batch):
    """A Produce body, version 3: one batch, acks=all."""
    data = struct.pack(">ii", index, len(batch)) + batch
    return struct.pack(">hhii", -1, -1, 30_000, 1) + string(name) + struct.pack(">i", 1) + data


def produce_error(answer, name):
    """The error of the one partition in an answer to `produce`."""
    return struct.unpack_from(">h", answer, 4 + 2 + len(name) + 4 + 4)[0]


def batch(value_bytes):
    """A record batch with one record of that size."""
    value = bytes((7 * at + at // 251) % 256 for at in range(value_bytes))
    record = b"\0" + varint(0) + varint(0) + varint(-1) + varint(len(value)) + value + varint(0)
    record = varint(len(record)) + record
    covered = struct.pack(">hiqqqhii", 0, 0, 1_700_000_000_000, 1_700_000_000_000, -1, -1, -1, 1) + record
    body = struct.pack(">ibI", -1, 2, crc32c(covered)) + covered
    return struct.pack(">qi", 0, len(body)) + body


def varint(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def crc32c(data):
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
