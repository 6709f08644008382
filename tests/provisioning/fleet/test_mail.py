"""Mail over real sockets and real TLS."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from appliance.core.errors import Text
from appliance.core.moment import US
from provisioning.fleet import mail
from provisioning.fleet.core.letter_text import body, subject
from provisioning.fleet.core.telling import Line, Message
from provisioning.fleet.delivery import Arrived, NotReached, NotTaken
from provisioning.fleet.settings import Mail
from tests.simulators.relay import Relay, certify, relay

AT_US = 1_795_689_972 * US
TO = ("duty@example.cn", "lead@example.cn")
PASSWORD = "correct horse battery"


def line(kind: str = "begins", site: str = "dengfeng", **other: object) -> Line:
    told = {
        "kind": kind,
        "site": site,
        "name": "登封市融媒体中心" if site else "songshan",
        "id": "readiness:30min",
        "severity": "red",
        "text": Text("3 条节目备播不足", "3 entries will not be ready"),
        "hint": Text("现在就改节目单", "change the schedule now"),
        "since_us": AT_US - 360 * US,
        **other,
    }
    return msgspec.convert(told, Line)


MESSAGE = Message(id="songshan-1-1", at_us=AT_US, lines=(line(),), red=1, amber=4)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certify(tmp_path_factory.mktemp("relay") / "cert.pem")


@pytest.fixture
def plain() -> Iterator[Relay]:
    with relay() as made:
        yield made


def to(made: Relay, **other: object) -> Mail:
    facts = {"host": "127.0.0.1", "sender": "songshan@example.cn", "to": TO, "port": made.port, "security": "none"}
    return Mail(**{**facts, **other})  # type: ignore[arg-type]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_arrives_under_tls_and_a_password(security: str, certificate: Path, tmp_path: Path) -> None:
    """Chinese first, English behind it, both whole."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    with relay(security, certificate, PASSWORD) as made:
        given = to(
            made, security=security, user="songshan", password=str(tmp_path / "password"), ca_file=str(certificate)
        )
        assert mail.send(given, MESSAGE, TO, "http://hub.example:8080/") == Arrived()
        [(recipients, _data)] = made.mails
        [letter] = made.letters()
    assert recipients == TO
    assert letter["Subject"] == "[嵩山云] 紧急新告警：登封市融媒体中心（dengfeng） 3 条节目备播不足"
    assert (letter["Message-ID"], letter["Auto-Submitted"]) == ("<songshan-1-1@example.cn>", "auto-generated")
    words = letter.get_content()
    assert words.index("对策：现在就改节目单") < words.index("to do: change the schedule now")
    assert "http://hub.example:8080/" in words
    assert "现有告警：紧急 1，注意 4" in words


def test_a_relay_that_nobody_vouches_for_gets_nothing(certificate: Path) -> None:
    """Somebody who stands in its place."""
    for security in ("starttls", "tls"):
        with relay(security, certificate) as made:
            outcome = mail.send(to(made, security=security), MESSAGE, TO)
            assert isinstance(outcome, NotReached) and "certificate" in outcome.reason.lower()
            assert made.mails == []
            assert not any(said.startswith(("MAIL", "AUTH")) for said in made.said)


def test_a_relay_that_offers_no_tls_gets_nothing(plain: Relay) -> None:
    """Somebody on the line who takes the offer out."""
    outcome = mail.send(to(plain, security="starttls"), MESSAGE, TO)
    assert isinstance(outcome, NotReached) and plain.mails == []


def test_who_is_refused_is_left_and_the_others_have_it(plain: Relay) -> None:
    """A mailbox that was closed must not silence the others, nor be told again and again by way of them."""
    plain.refused = {"lead@example.cn"}
    outcome = mail.send(to(plain), MESSAGE, TO)
    assert isinstance(outcome, NotTaken) and outcome.left == ("lead@example.cn",)
    assert [recipients for recipients, _data in plain.mails] == [("duty@example.cn",)]
    plain.refused = set(TO)
    outcome = mail.send(to(plain), MESSAGE, TO)
    assert isinstance(outcome, NotTaken) and outcome.left == TO


@pytest.mark.parametrize(
    ("verb", "answer", "taken"),
    [("DATA", "554 no", False), ("DATA", "451 later", None), ("MAIL", "452 full", None), ("MAIL", "550 you not", False),
     ("EHLO", "421 busy", None), ("", "421 busy", None)],
)  # fmt: skip
def test_what_is_for_good_is_told_from_what_may_pass(plain: Relay, verb: str, answer: str, taken: bool | None) -> None:
    """RFC 5321, 4.2.1: 4 is to be tried again, 5 will not be otherwise."""
    plain.answers = {verb: answer, **({"HELO": answer} if verb == "EHLO" else {})}
    outcome = mail.send(to(plain), MESSAGE, TO)
    assert isinstance(outcome, NotReached if taken is None else NotTaken), outcome
    assert answer[:3] in outcome.reason


def test_a_relay_that_stands_still_is_let_go_in_time(plain: Relay) -> None:
    """The page waits for it."""
    plain.is_silent = True
    began_s = time.monotonic()
    assert isinstance(mail.send(to(plain, timeout_s=0.3), MESSAGE, TO), NotReached)
    assert time.monotonic() - began_s < 5


def test_no_relay_at_all_is_said() -> None:
    """Its machine is off."""
    with relay() as made:
        given = to(made)
    assert isinstance(mail.send(given, MESSAGE, TO), NotReached)


def test_a_wrong_password_is_said_and_is_nowhere_in_it(tmp_path: Path) -> None:
    """What goes into the log and onto the page."""
    (tmp_path / "password").write_text(PASSWORD)
    with relay(password="another") as made:
        made.answers = {"AUTH": f"535 {PASSWORD} is not right"}
        outcome = mail.send(to(made, user="songshan", password=str(tmp_path / "password")), MESSAGE, TO)
    assert isinstance(outcome, NotReached) and "535" in outcome.reason and PASSWORD not in outcome.reason


def test_a_mail_whose_answer_was_lost_has_the_same_name_again(plain: Relay) -> None:
    """Whoever reads mail can then show it once."""
    plain.lose_answer = True
    assert isinstance(mail.send(to(plain), MESSAGE, TO), NotReached)
    plain.lose_answer = False
    assert mail.send(to(plain), MESSAGE, TO) == Arrived()
    first, second = plain.letters()
    assert first["Message-ID"] == second["Message-ID"]


def test_a_subject_is_one_short_line_whatever_is_in_it() -> None:
    """Of several it tells the worst, and how many of each kind."""
    many = msgspec.structs.replace(MESSAGE, lines=(line(), line("ends"), line("reminder", site="")), more=12)
    assert subject(many) == (
        "[嵩山云] 紧急新告警：登封市融媒体中心（dengfeng） 3 条节目备播不足 等 15 条（新告警 1，已恢复 1，仍未恢复 1）"
    )
    assert "另有 12 条" in body(many) and "and 12 more" in body(many)
    long = msgspec.structs.replace(MESSAGE, lines=(line(text=Text("长" * 300, "long" * 75)),))
    assert len(subject(long)) == 120


def test_what_is_over_says_how_long_it_lasted() -> None:
    """The first thing that is asked in the morning."""
    over = msgspec.structs.replace(MESSAGE, lines=(line("ends", until_us=AT_US),))
    assert "历时 6 分钟" in body(over) and "for 6 min" in body(over) and "对策" not in body(over)
