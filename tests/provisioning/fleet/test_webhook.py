"""Webhooks over a real HTTP server."""

import hashlib
import hmac
import json
import ssl
import time
from pathlib import Path

import pytest

from provisioning.fleet import webhook
from provisioning.fleet.delivery import Arrived, NotReached, NotTaken
from provisioning.fleet.settings import Webhook
from tests.provisioning.fleet.test_mail import AT_US, MESSAGE
from tests.simulators.receiver import receiver
from tests.simulators.relay import certify

KEY = b"s3cret"
NOW_US = AT_US + 5_000_000


@pytest.fixture
def named(tmp_path: Path) -> str:
    (tmp_path / "webhook-secret").write_bytes(KEY)
    return str(tmp_path / "webhook-secret")


def post(url: str, named: str, timeout_s: float = 5, ca_file: str = "") -> object:
    given = Webhook(url=url, secret=named, timeout_s=timeout_s, ca_file=ca_file)
    return webhook.send(given, "songshan", MESSAGE, "http://hub.example/", NOW_US)


def test_a_message_is_posted_signed_and_with_its_name(named: str) -> None:
    """Whoever takes it can check who sent it, when, and whether it was here before."""
    with receiver() as made:
        assert post(made.url, named) == Arrived()
        [(headers, body)] = made.got
    assert headers["songshan-message"] == MESSAGE.id
    at, _comma, signed = headers["songshan-signature"].partition(",")
    assert at == f"t={NOW_US // 1_000_000}"
    expected = hmac.new(KEY, at.removeprefix("t=").encode() + b"." + body, hashlib.sha256).hexdigest()
    assert signed == f"v1={expected}"
    told = json.loads(body)
    assert (told["v"], told["hub"], told["id"], told["more"], told["red"]) == (1, "songshan", MESSAGE.id, 0, 1)
    [line] = told["lines"]
    assert (line["kind"], line["site"], line["severity"]) == ("begins", "dengfeng", "red")
    assert line["text"] == {"zh": "3 条节目备播不足", "en": "3 entries will not be ready"}
    assert line["since"].endswith("Z") and line["until"] is None


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, Arrived), (204, Arrived), (400, NotTaken), (404, NotTaken), (408, NotReached), (429, NotReached),
     (500, NotReached), (503, NotReached), (302, NotTaken)],
)  # fmt: skip
def test_an_answer_says_whether_to_come_again(status: int, outcome: type, named: str) -> None:
    """And no answer leads anywhere else: a redirect would have the body sent to whoever it names."""
    with receiver() as made, receiver() as other:
        made.statuses, made.location = [status], other.url
        assert isinstance(post(made.url, named), outcome)
        assert (len(made.got), other.got) == (1, [])


def test_a_receiver_that_drips_is_let_go_in_time(named: str) -> None:
    """A byte each tenth of a second would be an answer for ever."""
    with receiver() as made:
        made.drip_s = 0.1
        began_s = time.monotonic()
        assert isinstance(post(made.url, named, timeout_s=0.5), NotReached)
        assert time.monotonic() - began_s < 5


def test_nobody_there_and_no_secret_are_said(named: str) -> None:
    """Neither raises: the page must go on."""
    with receiver() as made:
        url = made.url
        assert isinstance(post(url, "/nowhere/secret"), NotReached) and made.got == []
    assert isinstance(post(url, named), NotReached)


def test_a_certificate_is_checked(named: str, tmp_path: Path) -> None:
    """And one of the house is trusted where the config names it."""
    certificate = certify(tmp_path / "cert.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with receiver(context) as made:
        refused = post(made.url, named)
        assert isinstance(refused, NotReached) and "certificate" in refused.reason.lower() and made.got == []
        assert post(made.url, named, ca_file=str(certificate)) == Arrived()
