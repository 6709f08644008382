"""The short way of reading a request must never differ from gunicorn's own."""

import os
import socket
from pathlib import Path

from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.http import wsgi as gunicorn_wsgi
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.web.front import Reply, Request, Span
from appliance.web.http1 import head_of, parse_plain, send_some
from appliance.web.media import open_asset

CONFIG = Config()
ADDRESS = ("127.0.0.1", 1)

TARGETS = st.one_of(
    st.sampled_from(
        ["/", "/media/" + "a" * 64, "/media/%e6%96%b0.mp4", "/a%00b", "/a%zz", "//x", "/..", "http://h/x", "*"]
    ),
    st.text(st.characters(codec="latin-1"), max_size=12).map("/".__add__),
)
NAMES = st.one_of(
    st.sampled_from(
        [
            "Host",
            "Range",
            "range",
            "If-None-Match",
            "Connection",
            "Content-Length",
            "Transfer-Encoding",
            "Expect",
            "X_Y",
            "X-Forwarded-Proto",
            "X-Forwarded-Ssl",
            "Content-Type",
            "Script-Name",
            "Upgrade",
            "TE",
            " Folded",
            "",
        ]
    ),
    st.text(st.characters(codec="latin-1"), max_size=6),
)
VALUES = st.one_of(
    st.sampled_from(
        ["bytes=0-4", "keep-alive", "close", "Keep-Alive ", "0", "5", "chunked", "100-continue", "on", "\t x \t"]
    ),
    st.text(st.characters(codec="latin-1"), max_size=8),
)
HEADS = st.builds(
    lambda method, target, version, fields, separator, end: (
        f"{method} {target} {version}\r\n" + "".join(f"{name}{separator}{value}\r\n" for name, value in fields) + end
    ).encode("latin-1"),
    st.sampled_from(["GET", "HEAD", "POST", "get", "OPTIONS"]),
    TARGETS,
    st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 "]),
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.sampled_from([": ", ":", " : "]),
    st.sampled_from(["\r\n", "\r\n", "\n"]),
)


def gunicorn_reads(head: bytes) -> Request:
    """What gunicorn would give the application; whatever it raises for a bad head."""
    request = next(get_parser(CONFIG, iter([head]), ADDRESS))
    assert not request.should_close()
    _, environ = gunicorn_wsgi.create(request, None, ADDRESS, ADDRESS, CONFIG)
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name == "CONTENT_TYPE"
    }
    assert environ["QUERY_STRING"] == ""
    assert environ["wsgi.url_scheme"] == "http"
    return Request(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers)


@given(HEADS)
@example(b"GET /media/x HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n")
@example(b"GET /x HTTP/1.1\r\nHost: h\r\nRange : bytes=0-1\r\n\r\n")
@example(b"GET /x#y HTTP/1.1\r\nHost: h\r\n\r\n")
@example(b"GET /x?y HTTP/1.1\r\nHost: h\r\n\r\n")
@example(b"GET /x HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: https\r\n\r\n")
def test_a_plain_request_is_read_as_gunicorn_reads_it(head: bytes) -> None:
    """Two parsers that differ by one byte are how a request is smuggled past a check."""
    read = parse_plain(head)
    if read is not None:
        assert gunicorn_reads(head) == read


def test_requests_of_common_clients_are_plain() -> None:
    """The short way is worth having only when browsers, players and nginx take it."""
    browser = (
        b"GET /live/a-1/index.m3u8 HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11)\r\n"
        b'Accept: */*\r\nIf-None-Match: "ab"\r\nAccept-Language: zh-CN,zh;q=0.9\r\n\r\n'
    )
    for head in (b"GET /media/aa HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nRange: bytes=1-2\r\n\r\n", browser):
        assert parse_plain(head) == gunicorn_reads(head)


def test_what_has_a_body_or_asks_to_close_is_left_to_gunicorn() -> None:
    """Only what cannot be understood two ways is read the short way."""
    for field in ("Content-Length: 0", "Transfer-Encoding: chunked", "Connection: close", "Expect: x", "TE: trailers"):
        assert parse_plain(f"GET /x HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n".encode()) is None


def test_an_answer_without_keep_alive_says_so() -> None:
    """A client that is not told keeps a dead connection for its next request."""
    reply = Reply("200 OK", (("Content-Length", "2"),), b"ok")
    assert b"\r\nConnection: close\r\n" in head_of(reply, keep=False)
    assert b"Connection" not in head_of(reply, keep=True)


def test_a_file_is_sent_in_pieces_that_fit_and_closed_at_its_end(tmp_path: Path) -> None:
    """A slow phone must neither block the others nor leave files open behind it."""
    data = os.urandom(5 * 1024 * 1024)
    (tmp_path / "a").write_bytes(data)
    file = open_asset(str(tmp_path / "a"))
    assert file is not None
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    rest: bytes | Span | None = Span(file, 7, len(data) - 7)
    received = bytearray()
    while rest is not None:
        try:
            rest = send_some(ours, rest, more=False)
        except BlockingIOError:
            received += theirs.recv(1 << 20)
    ours.close()
    while piece := theirs.recv(1 << 20):
        received += piece
    theirs.close()
    assert bytes(received) == data[7:]
    assert file.closed


def test_a_file_that_shrank_breaks_the_connection(tmp_path: Path) -> None:
    """Bytes that were promised and cannot be sent must not be mistaken for the next answer."""
    (tmp_path / "a").write_bytes(b"short")
    file = open_asset(str(tmp_path / "a"))
    assert file is not None
    ours, theirs = socket.socketpair()
    rest = send_some(ours, Span(file, 0, 10), more=False)
    assert rest == Span(file, 5, 5)
    try:
        send_some(ours, rest, more=False)
        raise AssertionError("went on")
    except BrokenPipeError:
        pass
    assert file.closed
    ours.close()
    theirs.close()
