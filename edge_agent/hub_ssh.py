"""The line to the hub: one SSH session over paramiko, for a control loop that must not wait.

The host key is pinned and never taken on trust; known_hosts, the user's SSH agent and keys that lie about are not used.
paramiko reads in a thread of its own; nothing of ours runs there.
"""

import logging
import socket
import time
from pathlib import Path
from typing import Final, Self

import paramiko

from appliance.config import HubAddress
from appliance.core.errors import HubUnreachable, KeyRanOut, LockedOut, Text

COMMAND: Final = "session"
READ_BYTES_MAX: Final = 1024 * 1024
"""At most this much at a time; the rest is there at the next look."""
SAID_BYTES_MAX: Final = 2000
KEEPALIVE_S: Final = 15
STATUS_WAIT_S: Final = 1
LOCKED_OUT_STATUS: Final = LockedOut.exit_status
"""The hub's gate ends so when the key is known but the site may not come in (any more)."""


class HubLink:
    """A session that is up. `read` and `write` raise HubUnreachable once it is gone, LockedOut when told to go."""

    def __init__(self, transport: paramiko.Transport, channel: paramiko.Channel, timeout_s: float) -> None:
        self._transport = transport
        self._channel = channel
        self._timeout_s = timeout_s
        self._said = b""
        self._fileno = channel.fileno()

    @classmethod
    def connect(cls, hub: HubAddress, key_path: Path, timeout_s: float) -> Self:
        """Reach the hub, make sure that it is the hub, show our key, start the session; each within `timeout_s`.

        Raises HubUnreachable when nobody answers as sshd does, and LockedOut when the host key is not the pinned one,
        when our key is refused, or when there is none.
        """
        # What paramiko logs of a broken line comes back to us as an exception, and is told once, by whoever catches it.
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)
        key = _own_key(key_path)
        transport = _reach(hub, timeout_s)
        try:
            _check_host_key(hub, transport)
            _show_key(hub, transport, key, timeout_s)
            transport.set_keepalive(KEEPALIVE_S)
            channel = transport.open_session(timeout=timeout_s)
            channel.settimeout(timeout_s)
            channel.exec_command(COMMAND)
            return cls(transport, channel, timeout_s)
        except (paramiko.SSHException, OSError, EOFError) as error:
            transport.close()
            raise _unreachable(hub, error) from error
        except LockedOut:
            transport.close()
            raise

    def fileno(self) -> int:
        """Becomes readable when there is something to read, or the line is gone."""
        return self._fileno

    def read(self) -> bytes:
        """What has come in; b"" when nothing has. Never waits."""
        over = self._is_over()
        read = bytearray()
        while len(read) < READ_BYTES_MAX and self._channel.recv_ready():
            read += self._channel.recv(READ_BYTES_MAX - len(read))
        while self._channel.recv_stderr_ready():
            self._said = (self._said + self._channel.recv_stderr(SAID_BYTES_MAX))[-SAID_BYTES_MAX:]
        if over and not read:
            raise self._ended()
        return bytes(read)

    def write(self, data: bytes) -> None:
        """Send all of it, within the timeout."""
        deadline = time.monotonic() + self._timeout_s
        left = memoryview(data)
        try:
            while left:
                self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
                sent = self._channel.send(bytes(left[: 64 * 1024]))
                if sent == 0:
                    raise self._ended()
                left = left[sent:]
        except OSError as error:
            raise HubUnreachable(
                Text(
                    f"{self._timeout_s:g} 秒内发不出去：{error}",
                    f"could not send within {self._timeout_s:g} s: {error}",
                )
            ) from error

    def close(self) -> None:
        """End the session; harmless when it has ended."""
        self._transport.close()

    def _is_over(self) -> bool:
        return bool(self._channel.closed or self._channel.eof_received or not self._transport.is_active())

    def _ended(self) -> HubUnreachable | LockedOut:
        said = self._said.decode(errors="replace").strip()
        # The end of what it says comes before the word on how it ended.
        self._channel.status_event.wait(STATUS_WAIT_S)
        status = self._channel.exit_status if self._channel.exit_status_ready() else None
        if status == KeyRanOut.exit_status:
            return KeyRanOut(Text(f"密钥已期满，自动更换中：{said}", f"the keys ran out and are being changed: {said}"))
        if status == LOCKED_OUT_STATUS:
            return LockedOut(Text(f"嵩山云不再接纳本站：{said}", f"the hub no longer lets this site in: {said}"))
        return HubUnreachable(
            Text(f"与嵩山云的连接断了：{said or '无回音'}", f"the line to the hub is gone: {said or 'no word'}")
        )


def _own_key(path: Path) -> paramiko.PKey:
    try:
        return paramiko.Ed25519Key.from_private_key_file(str(path))
    except (OSError, paramiko.SSHException, ValueError) as error:
        raise LockedOut(
            Text(f"本站没有可用的密钥：{error}", f"this site has no key that can be used: {error}"),
            hint=Text("请先 songshan join", "songshan join first"),
            retryable=False,
        ) from error


def _reach(hub: HubAddress, timeout_s: float) -> paramiko.Transport:
    """An encrypted line to whoever answers there; who that is remains to be checked."""
    try:
        sock = socket.create_connection((hub.host, hub.port), timeout=timeout_s)
    except OSError as error:
        raise _unreachable(hub, error) from error
    # A cable that is cut says nothing: without this the kernel would go on trying for a quarter of an hour (tcp(7)).
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(timeout_s * 1000))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        transport = paramiko.Transport(sock)
    except (paramiko.SSHException, OSError) as error:
        sock.close()
        raise _unreachable(hub, error) from error
    transport.banner_timeout = transport.auth_timeout = timeout_s
    _prefer_pinned(hub, transport)
    try:
        transport.start_client(timeout=timeout_s)
    except (paramiko.SSHException, OSError, EOFError) as error:
        transport.close()
        raise _unreachable(hub, error) from error
    return transport


def _prefer_pinned(hub: HubAddress, transport: paramiko.Transport) -> None:
    """A server shows one of its keys, of the kind that we ask for first."""
    options = transport.get_security_options()
    pinned = {pinned.split()[0] for pinned in hub.host_keys if pinned.strip()}
    # Records shrink to a third. Never before both ends are known to each other; an sshd that says no has none.
    options.compression = ("zlib@openssh.com", "none")
    options.key_types = sorted(options.key_types, key=lambda kind: kind not in pinned)


def _check_host_key(hub: HubAddress, transport: paramiko.Transport) -> None:
    seen = transport.get_remote_server_key()
    if (seen.get_name(), seen.get_base64()) not in {tuple(pinned.split()[:2]) for pinned in hub.host_keys}:
        raise LockedOut(
            Text(
                f"{hub.host}:{hub.port} 的主机密钥不是嵩山云的：{seen.fingerprint}",
                f"{hub.host}:{hub.port} shows a host key that is not the hub's: {seen.fingerprint}",
            ),
            hint=Text(
                "可能有人冒充嵩山云。请向运维核对，不要接受",
                "somebody may pose as the hub: ask its operator, accept nothing",
            ),
        )


def _show_key(hub: HubAddress, transport: paramiko.Transport, key: paramiko.PKey, timeout_s: float) -> None:
    started = time.monotonic()
    try:
        missing = transport.auth_publickey(hub.user, key)
    except paramiko.AuthenticationException as error:
        # paramiko says the same for a line that broke and for an answer that never came.
        if not transport.is_active() or time.monotonic() - started >= timeout_s:
            raise
        raise _refused(hub, key) from error
    if missing:
        raise _refused(hub, key)


def _refused(hub: HubAddress, key: paramiko.PKey) -> LockedOut:
    return LockedOut(
        Text(f"嵩山云不认本站的密钥 {key.fingerprint}", f"the hub does not accept this site's key {key.fingerprint}"),
        hint=Text("请运维 songshan-hub approve 本站", f"its operator runs songshan-hub approve (as {hub.user})"),
    )


def _unreachable(hub: HubAddress, error: Exception) -> HubUnreachable:
    return HubUnreachable(
        Text(f"连不上嵩山云 {hub.host}:{hub.port}：{error}", f"cannot reach the hub at {hub.host}:{hub.port}: {error}")
    )
