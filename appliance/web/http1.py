"""HTTP as bytes on a socket: the plainest requests read, answers sent without ever waiting."""

import errno
import os
import re
import time
from email.utils import formatdate
from functools import lru_cache
from socket import MSG_MORE, socket
from typing import Final

from gunicorn.util import unquote_to_wsgi_str  # type: ignore[import-untyped]

from appliance.web.front import Reply, Request, Span

SERVER: Final = "songshan"
SENDFILE_BYTES: Final = 2 * 1024 * 1024
"""At most so much for one client before the others have their turn."""

PLAIN_HEAD_BYTES_MAX: Final = 4096
_PLAIN: Final = re.compile(
    rb"(GET|HEAD) (/[!\"$->@-~]*) HTTP/1\.1\r\n((?:[!#$%&'*+.^`|~0-9A-Za-z-]+:[\t -~]*\r\n){1,32})\r\n"
)
_NOT_PLAIN: Final = frozenset(("content-length", "transfer-encoding", "expect", "upgrade", "trailer", "te"))
_PROXY_ONLY: Final = ("x-forwarded-", "forwarded", "http2-")


def send_some(client: socket, part: bytes | Span, *, more: bool) -> bytes | Span | None:
    """Send what the client takes now; what is left, None when nothing is. Raises BlockingIOError when it takes none."""
    if not isinstance(part, Span):
        sent = client.send(part, MSG_MORE if more else 0)
        return None if sent == len(part) else memoryview(part)[sent:]  # type: ignore[return-value]
    sent = os.sendfile(client.fileno(), part.file.fileno(), part.start, min(part.size_bytes, SENDFILE_BYTES))
    if sent == part.size_bytes or sent == 0:
        part.file.close()
        if sent == 0:
            raise BrokenPipeError(errno.EPIPE, "the file is shorter than was promised")
        return None
    return Span(part.file, part.start + sent, part.size_bytes - sent)


def parse_plain(head: bytes | bytearray) -> Request | None:
    """Read a request head of the plainest form: GET or HEAD, HTTP/1.1, no query, body, repeated field or proxy's word.

    None for everything else, right or wrong: that is gunicorn's to judge. What is read here has the method, path and
    fields that gunicorn would give the application; a property test holds it to that.
    """
    match = _PLAIN.fullmatch(head) if len(head) <= PLAIN_HEAD_BYTES_MAX else None
    if match is None:
        return None
    headers: dict[str, str] = {}
    for line in match[3].decode("ascii").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        name = name.lower()
        if name in headers or name in _NOT_PLAIN or name.startswith(_PROXY_ONLY):
            return None
        headers[name] = value.strip(" \t")
    if headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    path = match[2].decode("ascii")
    return Request(match[1].decode("ascii"), unquote_to_wsgi_str(path) if "%" in path else path, headers)


def head_of(reply: Reply, keep: bool) -> bytes:
    """Status line and header fields."""
    lines = [f"HTTP/1.1 {reply.status}", f"Server: {SERVER}", f"Date: {_date(int(time.time()))}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if not keep:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@lru_cache(maxsize=4)
def _date(now_s: int) -> str:
    return formatdate(now_s, usegmt=True)
