"""Somebody who takes webhooks on the loopback address: the standard library's HTTP server, told what to answer."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


@dataclass
class Receiver:
    """Its address, what it answers with next (the last of `statuses` for ever), and what has come."""

    url: str
    statuses: list[int] = field(default_factory=lambda: [204])
    location: str = ""
    drip_s: float = 0.0
    """Where not 0: answers a byte each so many seconds, without end."""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def receiver(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """One that listens on a free port, under TLS where a context is given."""

    class Answer(BaseHTTPRequestHandler):
        made: ClassVar[Receiver]

        def do_POST(self) -> None:
            made = self.made
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if made.drip_s:
                while not made.ended.wait(made.drip_s):
                    try:
                        self.wfile.write(b"H")
                    except OSError:
                        return
                return
            status = made.statuses.pop(0) if len(made.statuses) > 1 else made.statuses[0]
            self.send_response(status)
            if made.location:
                self.send_header("Location", made.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https" if context is not None else "http"
        Answer.made = Receiver(f"{scheme}://127.0.0.1:{server.server_address[1]}/hooks/songshan")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield Answer.made
        finally:
            Answer.made.ended.set()
            server.shutdown()
            thread.join(20)
