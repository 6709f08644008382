"""The worker against clients of every kind: slow, greedy, rude and many."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import psutil
import pytest

from appliance.web.worker import BODY_BYTES_MAX
from tests.appliance.web.servers import running
from tests.ports import free_ports

ROOT = Path(__file__).parents[3]
HEX = "cd" * 32
DATA = os.urandom(3 * 1024 * 1024)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Port and process id of a real server before an application that only tells what it was asked."""
    folder = tmp_path_factory.mktemp("worker")
    (folder / HEX).write_bytes(DATA)
    (port,) = free_ports(1)
    argv = [sys.executable, "-m", "tests.appliance.web.echo", f"127.0.0.1:{port}", str(folder)]
    with running(argv, port, folder.parent / "worker.log") as process:
        yield port, process.pid


@pytest.fixture
def port(server: tuple[int, int]) -> int:
    return server[0]


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=15) as client:
        yield client


def answer(client: socket.socket) -> tuple[int, bytes]:
    """Status and body of the next answer."""
    response = HTTPResponse(client)
    response.begin()
    return response.status, response.read()


def exchange(port: int, request: bytes) -> tuple[int, bytes]:
    with connected(port) as client:
        client.sendall(request)
        return answer(client)


def test_many_requests_go_over_one_connection(port: int) -> None:
    """A phone on a poor line cannot afford a handshake for each picture."""
    with connected(port) as client:
        for path in (f"/media/{HEX}", "/a", f"/media/{HEX}", "/b"):
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            status, body = answer(client)
            assert status == 200
            assert body == DATA if path.startswith("/media") else json.loads(body)["path"] == path


def test_requests_sent_ahead_are_answered_in_their_order(port: int) -> None:
    """HTTP/1.1 allows pipelining; an answer to the wrong question is worse than none."""
    with connected(port) as client:
        wanted = [f"/media/{HEX}", "/1", "/2", f"/media/{HEX}", "/3"]
        client.sendall(b"".join(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode() for path in wanted))
        received = bytearray()
        while received.count(b"HTTP/1.1 200 OK") < len(wanted) or not received.endswith(b"}"):
            received += client.recv(1 << 16)
    texts = [received.find(f'"path": "/{number}"'.encode()) for number in (1, 2, 3)]
    media = [received.find(DATA), received.rfind(DATA)]
    assert media[0] < texts[0] < texts[1] < media[1] < texts[2]


def test_a_request_may_come_byte_by_byte(port: int) -> None:
    """Networks cut where they like."""
    with connected(port) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"POST /x?y=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc":
            client.send(bytes((byte,)))
        status, body = answer(client)
    assert status == 200
    assert json.loads(body) == {"method": "POST", "path": "/x", "query": "y=1", "body": "abc"}


def test_head_has_no_body_and_the_connection_goes_on(port: int) -> None:
    """A body after HEAD would be read as the next answer."""
    with connected(port) as client:
        client.sendall(b"HEAD /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := client.recv(65536):
            received += piece
    first, second = received.split(b"\r\n\r\n", 1)
    assert first.startswith(b"HTTP/1.1 200")
    assert second.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (b"GET /" + b"a" * 50_000, 414),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: 1\r\n" * 5000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"Xy: 1\r\n" * 100 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: h\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 411),
        (f"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {BODY_BYTES_MAX + 1}\r\n\r\n".encode(), 413),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
    ],
)
def test_what_is_too_large_or_malformed_is_refused_by_its_own_status(
    port: int, request_head: bytes, status: int
) -> None:
    """Bounds are told before they are felt; two readings of one request are none."""
    assert exchange(port, request_head)[0] == status


def test_a_hundred_megabytes_are_refused_while_they_are_still_coming(port: int) -> None:
    """The client must be able to read why, and the box must not have taken it in."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/api/v1/tips", body=b"x" * (100 * 1024 * 1024))
    assert connection.getresponse().status == 413


def test_a_client_that_asks_before_it_sends_is_told(port: int) -> None:
    """`Expect: 100-continue`: go on for a small body, a refusal instead for a large one."""
    with connected(port) as client:
        client.sendall(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ok")
        status, body = answer(client)
        assert (status, json.loads(body)["body"]) == (200, "ok")
    status, _ = exchange(port, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999\r\nExpect: 100-continue\r\n\r\n")
    assert status == 413


def test_a_failing_application_answers_500_and_harms_nobody_else(port: int) -> None:
    """One bug is one bad answer."""
    assert exchange(port, b"GET /broken HTTP/1.1\r\nHost: h\r\n\r\n")[0] == 500
    assert exchange(port, b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")[0] == 200


def test_clients_that_stand_still_hold_up_nobody(port: int) -> None:
    """Two hundred that say half a request, and two hundred that take nothing, cost no thread."""
    idle = [socket.create_connection(("127.0.0.1", port), timeout=15) for _ in range(200)]
    greedy = [socket.create_connection(("127.0.0.1", port), timeout=15) for _ in range(200)]
    try:
        for client in idle:
            client.sendall(b"GET /never HTTP/1.1\r\nHost: ")
        for number, client in enumerate(greedy):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            path = "/big" if number % 10 == 0 else f"/media/{HEX}"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        began = time.monotonic()
        with ThreadPoolExecutor(8) as readers:
            requests = [
                b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
                f"GET /media/{HEX} HTTP/1.1\r\nHost: h\r\n\r\n".encode(),
            ] * 20
            answers = list(readers.map(lambda request: exchange(port, request)[0], requests))
        assert answers == [200] * 40
        assert time.monotonic() - began < 15, "a stalled client is let go after thirty seconds"
    finally:
        for client in (*idle, *greedy):
            client.close()


def test_a_request_that_never_ends_is_let_go(port: int) -> None:
    """One byte a second must not keep a place for ever."""
    with connected(port) as client:
        client.settimeout(0.5)
        began = time.monotonic()
        try:
            while time.monotonic() - began < 20:
                client.send(b"G")
                try:
                    if client.recv(1) == b"":
                        break
                except TimeoutError:
                    continue
        except OSError:
            pass
        assert 8 < time.monotonic() - began < 14


def test_a_client_that_goes_away_in_the_middle_leaves_no_file_open(server: tuple[int, int]) -> None:
    """Phones lose their line all day long."""
    port, pid = server
    workers = psutil.Process(pid).children()
    for _ in range(30):
        with connected(port) as client:
            client.sendall(f"GET /media/{HEX} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            client.recv(1000)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        still_open = [file.path for worker in workers for file in worker.open_files() if HEX in file.path]
        if not still_open:
            return
        time.sleep(0.1)
    raise AssertionError(still_open)


def test_media_goes_out_by_sendfile(tmp_path: Path) -> None:
    """Bytes copied through Python are what makes a web server slow; the kernel's own call must be seen."""
    (tmp_path / HEX).write_bytes(DATA)
    (port,) = free_ports(1)
    trace = tmp_path / "trace"
    tracer = ["strace", "-D", "-f", "-e", "trace=sendfile,pread64", "-e", "signal=none", "-o", str(trace)]
    server = [sys.executable, "-m", "tests.appliance.web.echo", f"127.0.0.1:{port}", str(tmp_path)]
    with running([*tracer, *server], port, tmp_path / "log"):
        before = len(trace.read_text().splitlines())
        status, body = exchange(
            port, f"GET /media/{HEX} HTTP/1.1\r\nHost: h\r\nRange: bytes=5-2000004\r\n\r\n".encode()
        )
        assert (status, body) == (206, DATA[5:2_000_005])
    calls = trace.read_text().splitlines()[before:]
    sent = [
        int(call.rpartition("=")[2])
        for call in calls
        if "sendfile(" in call and call.rpartition("=")[2].strip().isdigit()
    ]
    assert sum(sent) == 2_000_000, calls
    assert not [call for call in calls if "pread64(" in call]


def test_with_few_open_files_it_takes_fewer_clients_and_goes_on(tmp_path: Path) -> None:
    """A small machine must not spin, nor call an asset missing, when there are more phones than it has room for."""
    (tmp_path / HEX).write_bytes(DATA)
    (port,) = free_ports(1)
    server = [sys.executable, "-m", "tests.appliance.web.echo", f"127.0.0.1:{port}", str(tmp_path)]
    with running(["prlimit", "--nofile=300:300", *server], port, tmp_path / "log") as process:
        idle = [socket.create_connection(("127.0.0.1", port), timeout=15) for _ in range(200)]
        time.sleep(1)
        workers = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
        before = sum(sum(worker.cpu_times()[:2]) for worker in workers)
        time.sleep(1)
        assert sum(sum(worker.cpu_times()[:2]) for worker in workers) - before < 0.5
        for client in idle:
            client.close()
        assert exchange(port, f"GET /media/{HEX} HTTP/1.1\r\nHost: h\r\n\r\n".encode()) == (200, DATA)


def test_told_to_stop_it_finishes_what_it_was_asked(tmp_path: Path) -> None:
    """An upgrade must not cut anybody off in the middle."""
    (port,) = free_ports(1)
    argv = [sys.executable, "-m", "tests.appliance.web.echo", f"127.0.0.1:{port}", str(tmp_path)]
    with running(argv, port, tmp_path / "log") as process, connected(port) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(0.3)
        process.terminate()
        assert answer(client)[0] == 200
        assert process.wait(10) == 0


def test_killed_with_no_warning_it_leaves_nothing_behind(tmp_path: Path) -> None:
    """After kill -9 of the master the port must be free for the next one."""
    (port,) = free_ports(1)
    argv = [sys.executable, "-m", "tests.appliance.web.echo", f"127.0.0.1:{port}", str(tmp_path)]
    with running(argv, port, tmp_path / "log") as process:
        workers = psutil.Process(process.pid).children()
        process.kill()
        process.wait(10)
        assert psutil.wait_procs(workers, timeout=15)[1] == []
