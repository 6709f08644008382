"""A mail relay on the loopback address: SMTP over a real socket, with real TLS, and what it was told to be.

It speaks what RFC 5321 asks of a receiver, one connection at a time: EHLO, STARTTLS (RFC 3207), AUTH PLAIN and LOGIN,
MAIL, RCPT, DATA, RSET, QUIT. It does not relay, queue or look anything up. `answers` changes what it says to a verb:
`{"RCPT": "550 no such mailbox"}`; `lose_answer` takes a mail and is gone before it says so.
"""

import base64
import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LINE_BYTES_MAX = 2000
PATIENCE_S = 20


@dataclass
class Relay:
    """Where it listens, what it says, and what it has got."""

    port: int
    security: str
    context: ssl.SSLContext | None
    password: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Recipients that it does not know."""
    lose_answer: bool = False
    is_silent: bool = False
    """Takes the connection and never says anything."""
    mails: list[tuple[tuple[str, ...], bytes]] = field(default_factory=list)
    """Recipients and bytes of each mail that it has."""
    said: list[str] = field(default_factory=list)
    """Every line that came outside a mail, after TLS where there was any."""

    def letters(self) -> list[EmailMessage]:
        return [_message(data) for _to, data in self.mails]


@contextmanager
def relay(security: str = "none", certificate: Path | None = None, password: str = "") -> Iterator[Relay]:
    """One that listens on a free port. `security` as in hub.toml; `certificate`: what `certify` made."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = Relay(server.getsockname()[1], security, context, password)
        thread = threading.Thread(target=_serve, args=(server, made), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_S)


def certify(path: Path, address: str = "127.0.0.1") -> Path:
    """A certificate that stands for itself, and its key, in one file: who trusts the file trusts the server."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return path


def _serve(server: socket.socket, made: Relay) -> None:
    while True:
        try:
            connection, _address = server.accept()
        except OSError:
            return
        connection.settimeout(PATIENCE_S)
        with contextlib.suppress(OSError, ValueError, EOFError), contextlib.closing(connection):
            _Talk(made, connection).run()


class _Talk:
    """One connection."""

    def __init__(self, made: Relay, connection: socket.socket) -> None:
        self.relay, self.connection = made, connection
        self.sender, self.to = "", list[str]()
        self.is_in = not made.password

    def run(self) -> None:
        if self.relay.security == "tls":
            self._wrap()
        if self.relay.is_silent:
            self.connection.recv(1)
            return
        self._open()
        self._say(self.relay.answers.get("", "220 relay.example ESMTP"))
        while self._command(self._line()):
            pass

    def _open(self) -> None:
        self.file = self.connection.makefile("rb")

    def _wrap(self) -> None:
        assert self.relay.context is not None
        self.connection = self.relay.context.wrap_socket(self.connection, server_side=True)

    def _line(self) -> str:
        line = self.file.readline(LINE_BYTES_MAX)
        if not line:
            raise EOFError
        told = line.decode().rstrip("\r\n")
        self.relay.said.append(told)
        return told

    def _say(self, text: str) -> None:
        self.connection.sendall(f"{text}\r\n".encode())

    def _command(self, line: str) -> bool:
        verb = line.split(" ")[0].upper()
        if verb in self.relay.answers:
            self._say(self.relay.answers[verb])
        elif verb in ("EHLO", "HELO"):
            self._say("\r\n".join(("250-relay.example", *self._features(), "250 8BITMIME")))
        elif verb == "STARTTLS" and self._offers_tls():
            self._say("220 go ahead")
            self._wrap()
            self._open()
        elif verb == "AUTH":
            self._say("235 welcome" if self._knows(line) else "535 bad credentials")
        elif verb == "MAIL":
            self._mail(line)
        elif verb == "RCPT":
            self._recipient(line)
        elif verb == "DATA":
            return self._data()
        elif verb == "RSET":
            self.to = []
            self._say("250 reset")
        elif verb == "QUIT":
            self._say("221 bye")
            return False
        else:
            self._say("502 not here")
        return True

    def _features(self) -> tuple[str, ...]:
        return (*(("250-STARTTLS",) if self._offers_tls() else ()), "250-AUTH PLAIN")

    def _offers_tls(self) -> bool:
        return self.relay.security == "starttls" and not isinstance(self.connection, ssl.SSLSocket)

    def _knows(self, line: str) -> bool:
        told = base64.b64decode(line.split(" ")[2]).split(b"\0")
        self.is_in = told[-1].decode() == self.relay.password
        return self.is_in

    def _mail(self, line: str) -> None:
        self.sender = line
        self._say("250 ok" if self.is_in else "530 who are you")

    def _recipient(self, line: str) -> None:
        address = line.partition("<")[2].partition(">")[0]
        if address in self.relay.refused:
            self._say("550 no such mailbox")
        else:
            self.to.append(address)
            self._say("250 ok")

    def _data(self) -> bool:
        self._say("354 go on")
        lines = []
        while (line := self.file.readline(LINE_BYTES_MAX)) != b".\r\n":
            if not line:
                raise EOFError
            lines.append(line.removeprefix(b"."))
        self.relay.mails.append((tuple(self.to), b"".join(lines)))
        self.to = []
        if self.relay.lose_answer:
            return False
        self._say("250 taken")
        return True


def _message(data: bytes) -> EmailMessage:
    made = message_from_bytes(data, policy=default)
    assert isinstance(made, EmailMessage)
    return made
