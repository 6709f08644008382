"""The front of the web server: media and live, which must be cheap, are answered before Flask is asked.

    worker -- at_once(request) --> Reply   from memory and files: in the worker's own loop, no thread
          `-- WSGI call, in a thread --> media, live, or Flask (pages, API, status)

`Front` is a plain WSGI application; `at_once` is what `appliance.web.worker` asks of it first.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from io import FileIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

READ_BYTES: Final = 64 * 1024
LIVE_ENDINGS: Final = (".m3u8", ".ts", ".aac", ".m4s", ".mp4")


class Request(NamedTuple):
    """A request without a body. `path` is decoded as PEP 3333 says (latin-1); header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class Span(NamedTuple):
    """Bytes of an open file, which whoever sends them closes."""

    file: FileIO
    start: int
    size_bytes: int


class Reply(NamedTuple):
    """`body` is empty for HEAD, 204 and 304; Content-Length stands in the headers all the same."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | Span = b""


class Quick(Protocol):
    """A part of the site that Flask need not know of."""

    def answer(self, request: Request) -> Reply:
        """Answer; may wait for disk and database."""

    def at_once(self, request: Request) -> Reply | None:
        """Answer without waiting, or None."""


class Remembering(Protocol):
    """Gives answers of `rest` a second time; see `appliance.web.memory`."""

    def recall(self, request: Request) -> Reply | None: ...
    def version(self) -> Any: ...
    def keep(self, request: Request, version: Any, reply: Reply) -> None: ...


class Front:
    """Sends each path to the part that answers it: the quick ones by prefix, all else to `rest`."""

    def __init__(self, quick: Mapping[str, Quick], rest: "WSGIApplication", memory: Remembering | None = None) -> None:
        self._quick = quick
        self._rest = rest
        self._memory = memory

    def at_once(self, request: Request) -> Reply | None:
        """What can be said without waiting, else None: then call the WSGI application in a thread.

        `request` has no query.
        """
        part = self._part(request.path)
        if part is not None:
            return part.at_once(request)
        return None if self._memory is None else self._memory.recall(request)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        part = self._part(environ["PATH_INFO"])
        if part is not None:
            return _say(part.answer(_request_of(environ)), environ, start_response)
        if self._memory is None or environ["REQUEST_METHOD"] != "GET" or environ.get("QUERY_STRING"):
            return self._rest(environ, start_response)
        return self._remembered(self._memory, environ, start_response)

    def _remembered(
        self, memory: Remembering, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        version = memory.version()
        said: list[tuple[str, tuple[tuple[str, str], ...]]] = []

        def overhear(status: str, headers: list[tuple[str, str]], *failed: Any) -> Callable[[bytes], object]:
            said.append((status, tuple(headers)))
            return start_response(status, headers, *failed)

        result = self._rest(environ, overhear)
        try:
            body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        memory.keep(_request_of(environ), version, Reply(*said[-1], body))
        return [body]

    def _part(self, path: str) -> Quick | None:
        prefix = path[: path.find("/", 1) + 1]
        part = self._quick.get(prefix)
        # /live/<channel> is a page; what ends in a media name is not.
        return None if prefix == "/live/" and not path.endswith(LIVE_ENDINGS) else part


def plain(status: str, *headers: tuple[str, str]) -> Reply:
    """A short answer in plain text, never kept by a cache."""
    body = f"{status}\n".encode()
    return Reply(
        status,
        (
            *headers,
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ),
        body,
    )


def _request_of(environ: "WSGIEnvironment") -> Request:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return Request(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers)


def _say(reply: Reply, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    start_response(reply.status, list(reply.headers))
    if not isinstance(reply.body, Span):
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]
    reply.body.file.seek(reply.body.start)
    if "wsgi.file_wrapper" in environ:
        # PEP 3333: the server sends no more than Content-Length, from where the file stands.
        return environ["wsgi.file_wrapper"](reply.body.file, READ_BYTES)  # type: ignore[no-any-return]
    return _read(reply.body)


def _read(span: Span) -> Iterator[bytes]:
    left = span.size_bytes
    with span.file:
        while left > 0 and (piece := span.file.read(min(READ_BYTES, left))):
            left -= len(piece)
            yield piece
