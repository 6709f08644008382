"""Reading from a source that does all that a source should not: bounded in time, bytes, and where it leads."""

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.core.errors import Refused, WorldError
from appliance.fetching import Source, check_address
from tests.ports import free_ports
from tests.simulators.source import source

LIMIT_S = 0.7
PATIENT_S = 60.0
"""Where the machine has other things to do and the answer is not the time."""


def problem(url: str, bytes_max: int = 1_000_000, limit_s: float = PATIENT_S) -> str:
    with pytest.raises((Refused, WorldError)) as failed:
        Source().get(url, bytes_max, limit_s)
    return failed.value.problems[0].en


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("404", "HTTP 404"),
        ("500", "HTTP 500"),
        ("stall", "timed out"),
        ("drip", "timed out"),
        ("slow head", "timed out"),
        ("cut", "broke off"),
        ("endless", "more than 1000000 bytes"),
        ("file:///etc/passwd", "does not take the address"),
        ("/live.m3u8", "redirects again and again"),
    ],
)
def test_a_source_that_does_not_answer_is_told_and_not_waited_for(fault: str, words: str) -> None:
    """Also one that sends a byte now and then, in its body or before it: the whole of it is bounded. Without the bound
    each of them would end otherwise, and later."""
    with source() as made:
        made.show(bytes(100))
        made.fault = {".m3u8": fault}
        assert words in problem(made.url, limit_s=LIMIT_S if words == "timed out" else PATIENT_S)


def test_a_redirect_to_another_list_is_followed() -> None:
    """Portals of broadcasters do that; the address that it came from in the end is what the list's lines go by."""
    with source() as made, source() as other:
        other.show(b"x")
        made.fault = {".m3u8": other.url}
        data, url = Source().get(made.url, 1000, PATIENT_S)
        assert (data, url) == (other.listing(), other.url)


def test_a_password_is_told_to_its_host_alone() -> None:
    """For all that the list names there; whoever is redirected to is another."""
    with source() as made, source() as other:
        made.secret, other.secret = "s3cret", "s3cret"
        made.show(b"x")
        reading = Source()
        listing, _url = reading.get(made.url, 1000, PATIENT_S)
        assert listing == made.listing()
        assert reading.get(f"http://127.0.0.1:{made.port}/0-0.ts?t=s3cret", 1000, PATIENT_S)[0] == b"x"
        made.fault = {".m3u8": f"http://127.0.0.1:{other.port}/live.m3u8?t=s3cret"}
        with pytest.raises(WorldError) as failed:
            reading.get(made.url, 1000, PATIENT_S)
        assert "HTTP 401" in failed.value.problems[0].en
        reading.close()


def test_one_connection_serves_for_many_requests_and_is_made_anew_when_it_is_gone() -> None:
    """A list is asked for twice a second."""
    with source() as made:
        reading = Source()
        made.show(b"x")
        assert [reading.get(made.url, 1000, PATIENT_S)[0] for _ in range(3)] == [made.listing()] * 3
        for connection in reading._connections.values():
            connection.sock.shutdown(socket.SHUT_RDWR)
        assert reading.get(made.url, 1000, PATIENT_S)[0] == made.listing()
        reading.close()


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%eth0", "224.0.0.1", "ff02::1", "0.0.0.0"])
def test_addresses_that_no_source_has_are_not_asked(address: str) -> None:
    """Those of the link give keys to whoever asks, on machines in a cloud."""
    with pytest.raises(WorldError):
        check_address(address)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.8.20", "127.0.0.1", "1.2.4.8", "fd00::1", "2001:db8::1"])
def test_a_gateway_in_the_house_is_a_source_like_a_broadcaster(address: str) -> None:
    """Most counties have an encoder in the rack beside the box."""
    check_address(address)


def test_nobody_there_and_no_such_name() -> None:
    """What a technician reads first on a bad day."""
    assert "cannot be reached" in problem(f"http://127.0.0.1:{free_ports(1)[0]}/x")
    assert "name that nobody knows" in problem("http://no-such-host.invalid/x")


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """Whoever sits on the line must not decide what the county sees."""
    with _https(tmp_path) as port:
        assert "bad certificate" in problem(f"https://localhost:{port}/")


@contextmanager
def _https(tmp_path: Path) -> Iterator[int]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    certificate = made.sign(key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "both.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    server = HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
