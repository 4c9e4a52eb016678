"""A broker for one client's run, and the small HTTP server through which the client has it killed and started again."""

import contextlib
import http.server
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import brokers  # noqa: E402 - lies beside this folder

PROPERTIES = pathlib.Path(__file__).resolve().parent / "broker.properties"


def properties():
    """What `broker.properties` sets, on either broker."""
    lines = [line.strip() for line in PROPERTIES.read_text().splitlines()]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@contextlib.contextmanager
def broker(kind, folder, binary):
    """Runs a broker, `ottla` or `kafka`, on a new data folder; gives the environment that a client's program finds."""
    if kind == "ottla":
        served = brokers.OttlaBroker(folder / "data", properties(), binary=binary)
    else:
        served = brokers.KafkaBroker(folder / "data", properties())
    served.start()
    try:
        with _control(served) as control:
            yield {"BROKER_BOOTSTRAP": served.bootstrap, "BROKER_CONTROL": control}
    finally:
        served.kill()


@contextlib.contextmanager
def _control(served):
    one_at_a_time = threading.Lock()

    class Control(http.server.BaseHTTPRequestHandler):
        """Answers when what was asked for is done."""

        def do_POST(self):  # noqa: N802 - the name that the library looks for
            known = self.path == "/restart"
            try:
                if known:
                    with one_at_a_time:
                        served.kill()
                        served.start()
                self._answer(200 if known else 404, "done" if known else "there is only POST /restart")
            except brokers.BrokerFailed as why:
                self._answer(500, str(why))

        def _answer(self, code, text):
            body = text.encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Control)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
