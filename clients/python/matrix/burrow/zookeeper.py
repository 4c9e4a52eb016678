"""As much of ZooKeeper as Burrow insists on: it wants a session and a folder of its own there, for notifiers that nobody has configured."""

import socketserver
import struct
import threading

PING, CREATE = 11, 1
NODE_EXISTS, UNIMPLEMENTED = -110, -6
SESSION = struct.pack(">iiqi16s", 0, 60_000, 1, 16, b"")


class Session(socketserver.StreamRequestHandler):
    """Says that all that shall be made is there already."""

    def handle(self):
        if self.read():
            self.write(SESSION)
        while request := self.read():
            xid, operation = struct.unpack_from(">ii", request)
            error = {PING: 0, CREATE: NODE_EXISTS}.get(operation, UNIMPLEMENTED)
            self.write(struct.pack(">iqi", xid, 0, error))

    def read(self):
        """The next request, empty once there is none."""
        length = self.rfile.read(4)
        return self.rfile.read(struct.unpack(">i", length)[0]) if len(length) == 4 else b""

    def write(self, answer):
        self.wfile.write(struct.pack(">i", len(answer)) + answer)


def start():
    """Serves until the process ends; returns the address."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "{}:{}".format(*server.server_address)
