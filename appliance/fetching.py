"""Reads what a live source serves, bounded in time, in bytes and in where it leads. docs/security.md.

A source is in the house (a gateway, an encoder) or at a broadcaster: any address that a host can have is right, but
those of the link and of groups. It is looked at when the connection stands, so no answer of a name server changes it
after that. Certificates are checked, proxies of the environment are not used. The main thread of a process of its own
fetches: the alarm clock of that process bounds all of it, also a server that sends a byte now and then.
"""

import http.client
import ipaddress
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn
from urllib.parse import urlsplit

from appliance.core.errors import Text, WorldError
from appliance.core.source_list import leads_to
from appliance.core.source_url import login

REDIRECTS_MAX: Final = 3
PIECE_BYTES: Final = 64 * 1024
REDIRECTED: Final = frozenset({301, 302, 303, 307, 308})
HEADERS: Final = {"User-Agent": "songshan-edge", "Accept": "*/*", "Accept-Encoding": "identity"}


class Source:
    """The connections to where a source is; one for each host that it leads to. A name and a password that stand in an
    address are told to that host, whatever of it is asked, and to no other."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, str, int], http.client.HTTPConnection] = {}
        self._logins: dict[tuple[str, str, int], str] = {}
        self._trust = ssl.create_default_context()

    def get(self, url: str, bytes_max: int, limit_s: float) -> tuple[bytes, str]:
        """What an address serves, and the address that it came from in the end.

        Raises WorldError when it does not answer with that in time, Refused where it leads to what is not http(s).
        """
        with within(limit_s), _said_in_words():
            for _hop in range(REDIRECTS_MAX + 1):
                status, location, data = self._ask(url, bytes_max, limit_s)
                if status == 200:
                    return data, url
                if status not in REDIRECTED or not location:
                    raise _failed(f"返回 HTTP {status}", f"answered HTTP {status}")
                url = leads_to(url, location)
            raise _failed("反复重定向", "redirects again and again")

    def close(self) -> None:
        """Leave no connection open."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _ask(self, url: str, bytes_max: int, limit_s: float) -> tuple[int, str, bytes]:
        """A connection that was kept may have been closed meanwhile: then once more with a new one."""
        parts = urlsplit(url)
        key = (parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if (named := login(url)) is not None:
            self._logins[key] = named
        kept = self._connections.pop(key, None)
        if kept is not None:
            try:
                return self._exchange(kept, key, path, bytes_max)
            except (http.client.HTTPException, ConnectionError):
                kept.close()
        return self._exchange(self._open(key, limit_s), key, path, bytes_max)

    def _open(self, key: tuple[str, str, int], limit_s: float) -> http.client.HTTPConnection:
        scheme, host, port = key
        connection = (
            http.client.HTTPSConnection(host, port, timeout=limit_s, context=self._trust)
            if scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=limit_s)
        )
        connection.connect()
        try:
            check_address(connection.sock.getpeername()[0])
        except WorldError:
            connection.close()
            raise
        return connection

    def _exchange(
        self, connection: http.client.HTTPConnection, key: tuple[str, str, int], path: str, bytes_max: int
    ) -> tuple[int, str, bytes]:
        is_whole = False
        try:
            named = self._logins.get(key)
            connection.request("GET", path, headers={**HEADERS, **({"Authorization": named} if named else {})})
            answer = connection.getresponse()
            data = bytearray()
            if answer.status == 200:
                while piece := answer.read(PIECE_BYTES):
                    data += piece
                    if len(data) > bytes_max:
                        raise _failed(f"一次给出超过 {bytes_max} 字节", f"gives more than {bytes_max} bytes at once")
                if answer.length:
                    raise _failed("中途断开", "broke off in the middle")
                is_whole = not answer.will_close
            return answer.status, answer.headers.get("Location", ""), bytes(data)
        finally:
            if is_whole:
                self._connections[key] = connection
            else:
                connection.close()


def check_address(address: str) -> None:
    """Raises WorldError for an address that no source has."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if found.is_link_local or found.is_multicast or found.is_unspecified:
        raise _failed(f"地址 {address} 不可用", f"has the address {address}, which is not asked")


@contextmanager
def within(limit_s: float) -> Iterator[None]:
    """TimeoutError after so long, whatever is waited for. In the main thread only."""

    def ring(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _said_in_words() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise _failed("超时", "timed out") from error
    except ssl.SSLCertVerificationError as error:
        raise _failed(f"证书无效：{error.verify_message}", f"has a bad certificate: {error.verify_message}") from error
    except ssl.SSLError as error:
        why = error.reason or "TLS"
        raise _failed(f"加密连接失败：{why}", f"cannot be reached by TLS: {why}") from error
    except socket.gaierror as error:
        raise _failed("域名无法解析", "has a name that nobody knows") from error
    except http.client.HTTPException as error:
        raise _failed(f"应答不合规：{type(error).__name__}", f"does not speak HTTP: {type(error).__name__}") from error
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _failed(f"连接失败：{why}", f"cannot be reached: {why}") from error


def _failed(zh: str, en: str) -> WorldError:
    return WorldError(Text(f"直播源{zh}", f"the source {en}"))
