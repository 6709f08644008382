"""Ranges, tags and paths of /media, against RFC 9110 and against what a stranger may try."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.web.front import Reply, Request, Span
from appliance.web.media import Media, media_type_of, parse_range

HEX = "ab" * 32
DATA = bytes(range(256)) * 40
SIZE = len(DATA)


@pytest.fixture
def public(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    folder.mkdir()
    (folder / HEX).write_bytes(DATA)
    return folder


def ask(public: Path, path: str = f"/media/{HEX}", method: str = "GET", **headers: str) -> Reply:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Media(public).answer(Request(method, path, fields))


def bytes_of(reply: Reply) -> bytes:
    if not isinstance(reply.body, Span):
        return reply.body
    with reply.body.file as file:
        return os.pread(file.fileno(), reply.body.size_bytes, reply.body.start)


def field(reply: Reply, name: str) -> str | None:
    return dict(reply.headers).get(name)


def test_an_asset_is_whole_tagged_by_its_digest_and_kept_for_ever(public: Path) -> None:
    """An asset never changes, so no cache ever has to ask again."""
    reply = ask(public)
    assert (reply.status, bytes_of(reply)) == ("200 OK", DATA)
    assert field(reply, "ETag") == f'"{HEX}"'
    assert field(reply, "Content-Length") == str(SIZE)
    assert field(reply, "Accept-Ranges") == "bytes"
    assert "immutable" in (field(reply, "Cache-Control") or "")


@pytest.mark.parametrize(
    "path", [f"/media/{HEX}", f"/media/sha256:{HEX}", f"/media/{HEX}/片.mp4", f"/media/{HEX}/a.b.c"]
)
def test_every_form_of_the_address_leads_to_the_asset(public: Path, path: str) -> None:
    """The name in the address is for people; the digest says what is sent."""
    assert bytes_of(ask(public, path)) == DATA


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-499", 0, 500),
        ("bytes=500-", 500, SIZE),
        ("bytes=-500", SIZE - 500, SIZE),
        ("bytes=0-999999999", 0, SIZE),
        ("bytes=-999999999", 0, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("Bytes= 5-7 ", 5, 8),
    ],
)
def test_a_range_is_met_to_the_byte(public: Path, asked: str, start: int, stop: int) -> None:
    """A player that seeks splices what it gets; one byte off is a broken picture."""
    reply = ask(public, range=asked)
    assert reply.status == "206 Partial Content"
    assert bytes_of(reply) == DATA[start:stop]
    assert field(reply, "Content-Range") == f"bytes {start}-{stop - 1}/{SIZE}"
    assert field(reply, "Content-Length") == str(stop - start)


@pytest.mark.parametrize(
    "asked", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0", "bytes=9999999999999999999-"]
)
def test_a_range_beyond_the_end_is_refused_with_the_length(public: Path, asked: str) -> None:
    """RFC 9110 section 15.5.17: the client learns how long the asset is."""
    reply = ask(public, range=asked)
    assert reply.status == "416 Range Not Satisfiable"
    assert field(reply, "Content-Range") == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=",
        "bytes=-",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=1.5-2",
        "bytes 0-5",
        "items=0-5",
        "bytes=0-1,5-6",
        "bytes=--5",
        "",
        "bytes=0x10-",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes=١-٢",
        "bytes=" + "9" * 5000 + "-",
        "bytes=0-\x00",
    ],
)
def test_a_range_that_means_nothing_is_ignored(public: Path, asked: str) -> None:
    """RFC 9110 section 14.2 lets a server answer such a header with the whole; a player can use that."""
    reply = ask(public, range=asked)
    assert (reply.status, bytes_of(reply)) == ("200 OK", DATA)


@given(st.text(max_size=30).map("bytes=".__add__) | st.text(max_size=30), st.integers(0, 10_000))
def test_whatever_a_range_header_holds_the_answer_stays_within_the_asset(header: str, size_bytes: int) -> None:
    """No header may make the server read beside the file or fall over."""
    asked = parse_range(header, size_bytes)
    assert asked is None or (asked.start >= 0 and asked.stop <= size_bytes) or len(asked) == 0


def test_if_range_holds_only_for_the_same_asset(public: Path) -> None:
    """A download that goes on must not splice two files."""
    assert ask(public, range="bytes=0-9", if_range=f'"{HEX}"').status.startswith("206")
    for other in (f'W/"{HEX}"', '"x"', "Tue, 24 Nov 2026 06:00:00 GMT", HEX):
        assert ask(public, range="bytes=0-9", if_range=other).status.startswith("200"), other


@pytest.mark.parametrize("known", [f'"{HEX}"', f'W/"{HEX}"', f'"x", "{HEX}"', "*", f'"a","b" , W/"{HEX}"'])
def test_what_a_client_has_is_not_sent_again(public: Path, known: str) -> None:
    """304 also where a range was asked for: If-None-Match goes first (RFC 9110 section 13.2.2)."""
    reply = ask(public, if_none_match=known, range="bytes=0-1")
    assert (reply.status, reply.body) == ("304 Not Modified", b"")
    assert field(reply, "ETag") == f'"{HEX}"'


@pytest.mark.parametrize("known", ['"x"', HEX, "", '"', "W/"])
def test_another_tag_is_no_match(public: Path, known: str) -> None:
    """A 304 for bytes that the client does not have would leave it with none."""
    assert ask(public, if_none_match=known).status == "200 OK"


def test_head_says_all_and_sends_nothing(public: Path) -> None:
    """Players ask for the length before they ask for the bytes."""
    reply = ask(public, method="HEAD", range="bytes=0-9")
    assert (reply.status, reply.body) == ("206 Partial Content", b"")
    assert field(reply, "Content-Length") == "10"


def test_nothing_can_be_written(public: Path) -> None:
    """Media comes in through the spool and the hub only."""
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        reply = ask(public, method=method)
        assert (reply.status, field(reply, "Allow")) == ("405 Method Not Allowed", "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/media/",
        "/media/" + "0" * 64,
        f"/media/{HEX.upper()}",
        f"/media/{HEX[:-1]}",
        f"/media/{HEX}0",
        f"/media/{HEX}/",
        f"/media/{HEX}/../../state/box.db",
        f"/media/../{HEX}",
        "/media/../../../../etc/passwd",
        "/media//etc/passwd",
        "/media/..",
        f"/media/{HEX}\x00",
        f"/media/{HEX}\n",
        f"/media/sha1:{HEX}",
        "/media/%2e%2e/",
    ],
)
def test_only_a_digest_leads_anywhere(public: Path, path: str) -> None:
    """The folder is the only thing this can ever read, and only names of 64 hex digits in it."""
    assert ask(public, path).status == "404 Not Found"


def test_links_fifos_folders_and_sockets_are_not_assets(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not a plain file was not put there by the agent, and may lead out or hang for ever."""
    (public / ("1" * 64)).symlink_to("/etc/passwd")
    os.mkfifo(public / ("2" * 64))
    (public / ("3" * 64)).mkdir()
    with socket.socket(socket.AF_UNIX) as unix:
        monkeypatch.chdir(public)  # the path of a socket is short
        unix.bind("4" * 64)
        for digit in "1234":
            assert ask(public, f"/media/{digit * 64}").status == "404 Not Found", digit


def test_a_withdrawn_asset_is_gone_at_once(public: Path) -> None:
    """A recall must bite with the next request, also for whoever holds a copy and asks whether it is good."""
    (public / HEX).unlink()
    assert ask(public, if_none_match=f'"{HEX}"').status == "404 Not Found"


def test_an_empty_asset_is_served_as_nothing(public: Path) -> None:
    """Zero bytes are a length like any other."""
    (public / HEX).write_bytes(b"")
    assert (ask(public).status, field(ask(public), "Content-Length")) == ("200 OK", "0")
    assert ask(public, range="bytes=0-").status.startswith("416")


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.js", "a", "a.mp4.html", ".", "html", ""])
def test_no_name_makes_an_asset_a_page_or_a_script(public: Path, name: str) -> None:
    """Whoever can publish a file must not thereby run code in the app's pages."""
    assert media_type_of(name) == "application/octet-stream"


def test_a_page_made_of_an_asset_could_do_nothing(public: Path) -> None:
    """Even a browser that insists on showing one finds it boxed in."""
    reply = ask(public)
    assert field(reply, "X-Content-Type-Options") == "nosniff"
    assert "sandbox" in (field(reply, "Content-Security-Policy") or "")


def test_no_answer_leaves_a_file_open(public: Path) -> None:
    """A server that leaks one descriptor a request is down by noon."""
    with _no_new_descriptors():
        for method, headers in (
            ("GET", {"range": "bytes=0-9"}),
            ("HEAD", {}),
            ("GET", {"if-none-match": "*"}),
            ("GET", {"range": f"bytes={SIZE}-"}),
        ):
            bytes_of(Media(public).answer(Request(method, f"/media/{HEX}", headers)))


@contextmanager
def _no_new_descriptors() -> Iterator[None]:
    before = sorted(os.listdir("/proc/self/fd"))
    yield
    assert sorted(os.listdir("/proc/self/fd")) == before
