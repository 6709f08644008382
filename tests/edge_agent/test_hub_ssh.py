"""The line to the hub, against a real sshd: what goes over it, and each way in which it must not come up or go down."""

import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import paramiko
import psutil
import pytest
from paramiko.common import AUTH_FAILED

from appliance.config import HubAddress
from appliance.core.errors import HubUnreachable, KeyRanOut, LockedOut
from edge_agent.hub_ssh import READ_BYTES_MAX, HubLink
from tests.ports import free_ports
from tests.simulators.link import link as line_to
from tests.simulators.sshd import Sshd, make_key, sshd

TIMEOUT_S = 5.0
ECHO = """
import os, sys
sys.stdout.write(os.environ["SSH_ORIGINAL_COMMAND"] + "\\n")
sys.stdout.flush()
while chunk := os.read(0, 65536):
    if chunk.startswith(b"exit "):
        sys.stderr.write("not any more")
        sys.exit(int(chunk.split()[1]))
    if chunk == b"deaf":
        import time; time.sleep(60)
    os.write(1, chunk)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("sshd")
    (folder / "echo.py").write_text(ECHO)
    with sshd(folder, f"{sys.executable} {folder}/echo.py") as running:
        yield running


def address(server: Sshd, **fields: object) -> HubAddress:
    said: dict[str, object] = {
        "id": "songshan",
        "host": "127.0.0.1",
        "port": server.port,
        "user": server.user,
        "host_keys": (server.host_key,),
        "sign_key": "",
    }
    return HubAddress(**{**said, **fields})  # type: ignore[arg-type]


def connected(server: Sshd) -> HubLink:
    link = HubLink.connect(address(server), server.key_path, TIMEOUT_S)
    assert read_until(link, b"session\n") == b"session\n"
    return link


def read_until(link: HubLink, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        assert select.select([link], [], [], TIMEOUT_S)[0], f"nothing more came after {got[-100:]!r}"
        got += link.read()
    return got


def read_until_gone(link: HubLink) -> None:
    while select.select([link], [], [], TIMEOUT_S)[0]:
        link.read()


def test_bytes_go_both_ways_and_a_select_loop_is_woken(server: Sshd) -> None:
    """The control loop sleeps in select: what comes in must wake it, and a look without need must cost nothing."""
    with closing(connected(server)) as link:
        started = time.monotonic()
        assert link.read() == b""
        assert select.select([link], [], [], 0) == ([], [], [])
        assert time.monotonic() - started < 1
        link.write("登封 recall\n".encode())
        assert read_until(link, b"\n") == "登封 recall\n".encode()


def test_more_than_any_buffer_holds_comes_through_in_order(server: Sshd) -> None:
    """A batch is larger than SSH's packets and may be larger than its window; each look takes a bounded piece."""
    data = os.urandom(3_000_000)
    with closing(connected(server)) as link:
        sender = threading.Thread(target=link.write, args=(data,))
        sender.start()
        got = b""
        while len(got) < len(data):
            assert select.select([link], [], [], TIMEOUT_S)[0]
            piece = link.read()
            assert len(piece) <= READ_BYTES_MAX
            got += piece
        sender.join(TIMEOUT_S)
    assert got == data


@pytest.mark.parametrize("says", ["yes", "no"])
def test_what_repeats_crosses_the_line_once_where_the_hub_compresses(tmp_path: Path, says: str) -> None:
    """Records are full of the same words, and a county's line is thin. A hub that does not is reached all the same."""
    data = b"sha256:" * 50_000
    with sshd(tmp_path, "echo session; cat", f"Compression {says}") as hub, line_to(hub.port) as line:
        found = address(hub, port=line.port)
        with closing(HubLink.connect(found, hub.key_path, TIMEOUT_S)) as link:
            assert read_until(link, b"session\n") == b"session\n"
            link.write(data + b"\n")
            assert read_until(link, b"\n") == data + b"\n"
        assert (line.bytes_both < len(data) // 4) == (says == "yes")


def test_another_host_key_is_locked_out_before_our_key_is_shown(server: Sshd, tmp_path: Path) -> None:
    """Somebody who poses as the hub must get nothing, not even the name of our key."""
    log_before = server.log.read_text()
    with pytest.raises(LockedOut) as caught:
        HubLink.connect(address(server, host_keys=(make_key(tmp_path / "other"),)), server.key_path, TIMEOUT_S)
    assert "SHA256:" in caught.value.problems[0].zh
    assert caught.value.hint is not None
    said = server.log.read_text().removeprefix(log_before)
    assert "Accepted" not in said
    assert "publickey" not in said


@pytest.mark.parametrize("pinned", [(), ("",), ("ssh-ed25519",), ("ssh-rsa AAAA",), ("ssh-ed25519 AAAA",)])
def test_no_pinned_key_means_no_hub(server: Sshd, pinned: tuple[str, ...]) -> None:
    """A box whose configuration lost the key must not trust whoever answers."""
    with pytest.raises(LockedOut):
        HubLink.connect(address(server, host_keys=pinned), server.key_path, TIMEOUT_S)


def test_one_of_several_pinned_keys_is_enough(server: Sshd, tmp_path: Path) -> None:
    """The operator announces the next host key before it is used."""
    pinned = (make_key(tmp_path / "next"), server.host_key + " comment")
    with closing(HubLink.connect(address(server, host_keys=pinned), server.key_path, TIMEOUT_S)) as link:
        assert read_until(link, b"\n") == b"session\n"


def test_a_hub_with_host_keys_of_several_kinds_shows_the_pinned_one(tmp_path: Path) -> None:
    """A hub on the system's sshd has them all; which one it shows depends on what the box asks for."""
    argv = ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(tmp_path / "ecdsa")]
    subprocess.run(argv, check=True, timeout=10)
    pinned = (tmp_path / "ecdsa.pub").read_text().strip()
    with sshd(tmp_path, "echo session; cat", f"HostKey {tmp_path}/ecdsa") as several:
        for keys in ((pinned,), (several.host_key,)):
            with closing(HubLink.connect(address(several, host_keys=keys), several.key_path, TIMEOUT_S)) as link:
                assert read_until(link, b"\n") == b"session\n"


def test_a_refused_key_is_locked_out_whatever_other_keys_lie_about(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A box that is not approved must say so, and must not come in by keys of its user or of an SSH agent."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_bytes(server.key_path.read_bytes())
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
    monkeypatch.setenv("HOME", str(home))
    make_key(tmp_path / "unknown")
    started = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True, timeout=10).stdout
    variables = dict(
        word.split("=", 1) for line in started.splitlines() for word in [line.split(";")[0]] if "=" in word
    )
    monkeypatch.setenv("SSH_AUTH_SOCK", variables["SSH_AUTH_SOCK"])
    try:
        subprocess.run(["ssh-add", "-q", server.key_path], check=True, timeout=10)
        with pytest.raises(LockedOut) as caught:
            HubLink.connect(address(server), tmp_path / "unknown", TIMEOUT_S)
    finally:
        psutil.Process(int(variables["SSH_AGENT_PID"])).kill()
    assert "SHA256:" in caught.value.problems[0].en


def test_a_hub_that_wants_more_than_the_key_is_locked_out(tmp_path: Path) -> None:
    """An sshd set up for passwords too would leave the box half inside; the operator has to mend that."""
    options = "KbdInteractiveAuthentication yes\nAuthenticationMethods publickey,keyboard-interactive"
    with sshd(tmp_path, "true", options) as strict, pytest.raises(LockedOut):
        HubLink.connect(address(strict), strict.key_path, TIMEOUT_S)


class Stuck(paramiko.ServerInterface):
    """A hub that never says whether it takes the key, or hangs up instead."""

    def __init__(self, transport: paramiko.Transport, hangs_up: bool) -> None:
        self.transport, self.hangs_up = transport, hangs_up
        self.released = threading.Event()

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self.hangs_up:
            self.transport.close()
        self.released.wait(2 * TIMEOUT_S)
        return AUTH_FAILED


@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_line_that_fails_while_the_key_is_shown_is_not_a_refusal(
    server: Sshd, tmp_path: Path, hangs_up: bool
) -> None:
    """Locked out calls a person; a line that breaks at that moment must not."""
    public = make_key(tmp_path / "host")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted: list[Stuck] = []

        def accept() -> None:
            transport = paramiko.Transport(listener.accept()[0])
            transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(tmp_path / "host")))
            accepted.append(Stuck(transport, hangs_up))
            transport.start_server(event=threading.Event(), server=accepted[0])

        accepting = threading.Thread(target=accept)
        accepting.start()
        started = time.monotonic()
        with pytest.raises(HubUnreachable):
            HubLink.connect(address(server, port=listener.getsockname()[1], host_keys=(public,)), server.key_path, 1.0)
        assert time.monotonic() - started < TIMEOUT_S
        accepting.join(TIMEOUT_S)
        accepted[0].released.set()
        accepted[0].transport.close()


@pytest.mark.parametrize("content", [None, b"", b"not a key", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_a_box_without_a_key_of_its_own_is_told_to_join(server: Sshd, tmp_path: Path, content: bytes | None) -> None:
    """The technician reads what to do, not a trace."""
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(LockedOut) as caught:
        HubLink.connect(address(server), tmp_path / "key", TIMEOUT_S)
    assert caught.value.hint is not None
    assert "join" in caught.value.hint.en


def test_nobody_there_is_unreachable(server: Sshd) -> None:
    """A hub that is down is a state that passes."""
    (port,) = free_ports(1)
    with pytest.raises(HubUnreachable) as caught:
        HubLink.connect(address(server, port=port), server.key_path, TIMEOUT_S)
    assert caught.value.retryable


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", os.urandom(5000)])
def test_somebody_who_does_not_speak_ssh_is_unreachable_in_bounded_time(server: Sshd, said: bytes) -> None:
    """A captive portal, a dead proxy or a half-open port must not stop the loop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            line, _ = listener.accept()
            with line:
                line.sendall(said)
                line.settimeout(TIMEOUT_S)
                try:
                    while line.recv(1000):
                        pass
                except OSError:
                    return

        speaker = threading.Thread(target=speak)
        speaker.start()
        started = time.monotonic()
        with pytest.raises(HubUnreachable):
            HubLink.connect(address(server, port=listener.getsockname()[1]), server.key_path, 1.0)
        assert time.monotonic() - started < TIMEOUT_S
        speaker.join(2 * TIMEOUT_S)


def test_a_hub_killed_wakes_the_loop_and_is_unreachable(server: Sshd) -> None:
    """When the hub goes down the box must notice at once, not at the next time-out."""
    with closing(connected(server)) as link:
        for process in psutil.Process(server.process.pid).children(recursive=True):
            process.kill()
        with pytest.raises(HubUnreachable):
            read_until_gone(link)
        with pytest.raises(HubUnreachable):
            link.write(b"x")


@pytest.mark.parametrize(
    ("status", "error"), [(5, KeyRanOut), (4, LockedOut), (1, HubUnreachable), (0, HubUnreachable)]
)
def test_the_end_of_the_session_says_whether_to_come_again(
    server: Sshd, status: int, error: type[LockedOut | HubUnreachable]
) -> None:
    """A site that was revoked must show that, with the hub's own words, and not try as for a line that broke."""
    with closing(connected(server)) as link:
        link.write(f"exit {status}".encode())
        with pytest.raises(error, match="not any more"):
            read_until_gone(link)


def test_a_hub_that_does_not_read_cannot_stop_the_loop(server: Sshd) -> None:
    """Sending is bounded in time however stuck the other end is."""
    with closing(HubLink.connect(address(server), server.key_path, 1.0)) as link:
        read_until(link, b"session\n")
        link.write(b"deaf")
        started = time.monotonic()
        with pytest.raises(HubUnreachable):
            link.write(bytes(16_000_000))
        assert time.monotonic() - started < TIMEOUT_S


def test_closing_twice_is_harmless(server: Sshd) -> None:
    """The loop closes on every way out."""
    link = connected(server)
    link.close()
    link.close()
    with pytest.raises(HubUnreachable):
        link.read()
