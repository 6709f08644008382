"""gunicorn's threaded worker with one change: the loop does all waiting for clients, the threads only think.

In the stock worker a thread stays with its client until the last byte is taken, so that a few dozen phones on a poor
line hold every thread, and each request changes threads twice. Here

    loop     accept; collect the head and a bounded body; answer what `Front.at_once` can (media: one sendfile);
             send every answer without blocking; keep every deadline
    threads  run the WSGI application and give its answer back to the loop

Parsing and environ stay gunicorn's; only heads of the plainest form take a shorter way (`http1.parse_plain`).
"""

import errno
import selectors
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from io import BytesIO
from socket import SHUT_WR, socket
from typing import Any, Final

from gunicorn.http import get_parser  # type: ignore[import-untyped]
from gunicorn.http import wsgi as gunicorn_wsgi
from gunicorn.http.message import Request as ParsedRequest  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from appliance.web.front import Front, Reply, Span, plain
from appliance.web.http1 import SERVER, head_of, parse_plain, send_some

RECEIVE_BYTES: Final = 64 * 1024
LINE_BYTES_MAX: Final = 4096
HEAD_BYTES_MAX: Final = 16 * 1024
BODY_BYTES_MAX: Final = 64 * 1024
"""No request of the app is larger."""
RECEIVE_S: Final = 10.0
"""For a whole request, from its first byte to its last."""
STALLED_S: Final = 30.0
"""A client that takes nothing for so long is let go."""
IDLE_S: Final = 15.0
LINGER_S: Final = 2.0
"""How long what still arrives is read and thrown away after a last answer, lest a reset destroy that answer."""
SWEEP_S: Final = 0.5


class Connection:
    """One client, as the loop knows it."""

    def __init__(self, client: socket, address: Any, server: Any) -> None:
        self.socket = client
        self.address = address
        self.server = server
        self.inbox = bytearray()
        self.request: ParsedRequest | None = None
        """A request whose head is read and whose body is awaited, `body_bytes` of it, or thought about."""
        self.body_bytes = 0
        self.outbox: deque[bytes | Span] = deque()
        self.keep = True
        """Whether another request may follow the answer being sent."""
        self.writing = False
        self.lingering = False
        self.deadline = time.monotonic() + RECEIVE_S


class Worker(ThreadWorker):  # type: ignore[misc]
    """See the module. `self.wsgi` is a `Front`; set up by `appliance.web.command`."""

    wsgi: Front

    def init_process(self) -> None:
        self.connections: set[Connection] = set()
        self.sweep_at = 0.0
        super().init_process()

    def accept(self, listener: socket) -> None:
        """Take a client in; nothing is done for it until it says something."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EMFILE, errno.ENFILE):
                return
            raise
        client.setblocking(False)
        connection = Connection(client, address, listener.getsockname())
        self.nr_conns += 1
        self.connections.add(connection)
        self.listen_to(connection)

    def listen_to(self, connection: Connection) -> None:
        """Have the loop tell when the client says something."""
        on_readable = partial(self.attend, self.on_readable, connection)
        self.poller.register(connection.socket, selectors.EVENT_READ, on_readable)

    def attend(self, callback: Callable[[Connection], None], connection: Connection, _socket: object) -> None:
        """Do what a socket is ready for. A bug that one client's bytes can reach must not cost the others."""
        try:
            callback(connection)
        except Exception:
            self.log.exception("connection_failed")
            self.drop(connection)

    def on_readable(self, connection: Connection) -> None:
        """Collect what has arrived and answer what is complete."""
        try:
            data = connection.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.drop(connection)
        elif not connection.lingering:
            if not connection.inbox:
                connection.deadline = time.monotonic() + RECEIVE_S
            connection.inbox += data
            self.advance(connection)

    def advance(self, connection: Connection) -> None:
        """Go on with what stands in the inbox, request after request, until a client or a thread must be waited for."""
        inbox = connection.inbox
        while inbox and not connection.outbox and not connection.lingering and connection in self.connections:
            if connection.request is not None:
                self.take_body(connection)
                return
            head_bytes = inbox.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX) + 4
            if head_bytes > 3:
                if not self.answer_at_once(connection, head_bytes) and not self.read_head(connection):
                    return
            elif b"\n" not in inbox[:LINE_BYTES_MAX] and len(inbox) >= LINE_BYTES_MAX:
                self.refuse(connection, "414 URI Too Long")
            elif len(inbox) >= HEAD_BYTES_MAX:
                self.refuse(connection, "431 Request Header Fields Too Large")
            else:
                return

    def answer_at_once(self, connection: Connection, head_bytes: int) -> bool:
        """Answer here and now when the request is plain and the answer at hand; say whether it was."""
        request = parse_plain(connection.inbox[:head_bytes])
        reply = None if request is None else self.wsgi.at_once(request)
        if reply is None:
            return False
        del connection.inbox[:head_bytes]
        self.say(connection, reply, keep=bool(self.alive))
        return True

    def read_head(self, connection: Connection) -> bool:
        """Have gunicorn read the head; false when there is nothing more to do until something happens."""
        parser = get_parser(self.cfg, connection.socket, connection.address)
        parser.unreader.unread(bytes(connection.inbox))
        connection.inbox.clear()
        try:
            request = next(parser)
        except Exception as error:  # noqa: BLE001 - whatever a client sends must not end the loop; gunicorn words it
            self.handle_error(None, connection.socket, connection.address, error)
            self.linger(connection)
            return False
        connection.inbox += parser.unreader.take_buffered()
        connection.request = request
        fields = dict(request.headers)
        connection.body_bytes = int(fields.get("CONTENT-LENGTH", "0"))
        if "TRANSFER-ENCODING" in fields:
            self.refuse(connection, "411 Length Required")
        elif connection.body_bytes > BODY_BYTES_MAX:
            self.refuse(connection, "413 Content Too Large")
        else:
            if request._expected_100_continue and len(connection.inbox) < connection.body_bytes:
                with suppress(OSError):
                    connection.socket.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            request._expected_100_continue = False
            self.take_body(connection)
        return False

    def take_body(self, connection: Connection) -> None:
        """Once the body is complete, let a thread think about the request."""
        request = connection.request
        assert request is not None, "a body belongs to a head"
        if len(connection.inbox) < connection.body_bytes:
            return
        request.body = BytesIO(connection.inbox[: connection.body_bytes])
        del connection.inbox[: connection.body_bytes]
        self.poller.unregister(connection.socket)
        connection.deadline = float("inf")
        thinking = self.tpool.submit(self.think, connection, request)
        thinking.add_done_callback(lambda done: self.method_queue.defer(self.on_thought, connection, done))

    def think(self, connection: Connection, request: ParsedRequest) -> tuple[list[bytes | Span], bool]:
        """In a thread: what to send, and whether the connection is kept."""
        response, environ = gunicorn_wsgi.create(
            request, connection.socket, connection.address, connection.server, self.cfg
        )
        environ["wsgi.multithread"] = True
        response.version = SERVER
        if not self.alive:
            response.force_close()
        result = self.wsgi(environ, response.start_response)
        if isinstance(result, environ["wsgi.file_wrapper"]) and response.response_length is not None:
            body: bytes | Span = Span(result.filelike, result.filelike.tell(), response.response_length)
        else:
            try:
                body = b"".join(result)
            finally:
                if hasattr(result, "close"):
                    result.close()
            if response.response_length is None:
                response.headers.append(("Content-Length", str(len(body))))
                response.response_length = len(body)
        response.chunked = False
        lines = [*response.default_headers(), *(f"{name}: {value}\r\n" for name, value in response.headers), "\r\n"]
        omits_body = request.method == "HEAD" or response.status_code in (204, 304)
        head = "".join(lines).encode("latin-1")
        return [head] if omits_body else [head, body], not response.should_close()

    def on_thought(self, connection: Connection, done: "Future[tuple[list[bytes | Span], bool]]") -> None:
        """Back in the loop: send what the thread found."""
        self.poller.register(
            connection.socket, selectors.EVENT_READ, partial(self.attend, self.on_readable, connection)
        )
        connection.request = None
        error = done.exception()
        if error is not None:
            self.log.error("request_failed", exc_info=error)
            self.refuse(connection, "500 Internal Server Error")
            return
        parts, connection.keep = done.result()
        connection.outbox.extend(part for part in parts if part)
        self.send(connection)
        self.advance(connection)

    def refuse(self, connection: Connection, status: str) -> None:
        """Say no and take nothing more from this client."""
        connection.inbox.clear()
        connection.request = None
        self.say(connection, plain(status), keep=False)

    def say(self, connection: Connection, reply: Reply, *, keep: bool) -> None:
        """Send a reply."""
        connection.keep = keep
        connection.outbox.append(head_of(reply, keep))
        if reply.body:
            connection.outbox.append(reply.body)
        self.send(connection)

    def send(self, connection: Connection) -> None:
        """Send as much as the client takes now; come back when it takes more."""
        outbox = connection.outbox
        try:
            while outbox:
                rest = send_some(connection.socket, outbox[0], more=len(outbox) > 1)
                if rest is None:
                    outbox.popleft()
                else:
                    outbox[0] = rest
                    connection.deadline = time.monotonic() + STALLED_S
                    self.watch(connection, writing=True)
                    return
        except BlockingIOError:
            connection.deadline = time.monotonic() + STALLED_S
            self.watch(connection, writing=True)
            return
        except OSError:
            self.drop(connection)
            return
        self.watch(connection, writing=False)
        connection.deadline = time.monotonic() + IDLE_S
        if not connection.keep:
            self.linger(connection)

    def on_writable(self, connection: Connection) -> None:
        """Go on sending, then with what has arrived meanwhile."""
        self.send(connection)
        self.advance(connection)

    def watch(self, connection: Connection, *, writing: bool) -> None:
        """Wait for the client to take, or to say, something."""
        if writing != connection.writing:
            connection.writing = writing
            event = selectors.EVENT_WRITE if writing else selectors.EVENT_READ
            callback = self.on_writable if writing else self.on_readable
            self.poller.modify(connection.socket, event, partial(self.attend, callback, connection))

    def linger(self, connection: Connection) -> None:
        """Say that no more will come, and wait a moment for the client to notice."""
        connection.lingering = True
        connection.inbox.clear()
        connection.deadline = time.monotonic() + LINGER_S
        try:
            connection.socket.shutdown(SHUT_WR)
        except OSError:
            self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """Let a client go, with whatever was still to be sent."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        self.nr_conns -= 1
        self.poller.unregister(connection.socket)
        connection.socket.close()
        for part in connection.outbox:
            if isinstance(part, Span):
                part.file.close()
        connection.outbox.clear()

    def murder_keepalived(self, force: bool = False) -> None:
        """Keep the deadlines, and the lock that says that we live; called by gunicorn's loop each time round."""
        now = time.monotonic()
        if now < self.sweep_at and not force:
            return
        self.sweep_at = now + SWEEP_S
        self.app.lamp.light()
        for connection in [each for each in self.connections if each.deadline < now]:
            self.drop(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        for connection in self.connections:
            if not connection.outbox and connection.request is None:
                connection.deadline = min(connection.deadline, deadline)
