"""The table [alarms]: every problem at once, no secret in it, none in what is said of it."""

from pathlib import Path
from typing import Any

import pytest

from appliance.core.errors import OperatorError, WorldError
from provisioning.fleet.settings import Alarms, read, secret
from provisioning.hub.folder import HubFolder, HubSettings, render_settings

MAIL = {"host": "smtp.example.cn", "sender": "songshan@example.cn", "to": ["duty@example.cn"]}
HOOK = {"url": "https://ops.example.cn/hooks/T0KEN", "secret": "webhook-secret"}


def said(table: Any) -> list[str]:
    with pytest.raises(OperatorError) as caught:
        read(table)
    return [problem.en for problem in caught.value.problems]


def test_nothing_configured_is_a_hub_that_tells_nobody() -> None:
    """And has what is usual for its page."""
    assert read({}) == Alarms()
    assert read({}).ways == {}


def test_what_is_left_out_has_its_default() -> None:
    """A relay and an address are enough."""
    alarms = read({"mail": MAIL, "webhook": HOOK, "quiet_after_s": 7200})
    assert alarms.mail is not None and (alarms.mail.port, alarms.mail.security) == (587, "starttls")
    assert alarms.ways == {"mail": ("duty@example.cn",), "webhook": ()}
    assert (alarms.watching().quiet_after_s, alarms.policy.lines_max) == (7200, 12)


def test_all_problems_are_said_at_once() -> None:
    """Nobody wants to find them one by one, with a restart between."""
    problems = said(
        {
            "severity_min": "info",
            "settle_s": -1,
            "lines_max": 2.5,
            "colour": "red",
            "page_url": "javascript:alert(1)",
            "mail": {**MAIL, "to": ["x\nBcc: y@example.cn"], "security": "plain", "user": "songshan", "port": True},
            "webhook": {"url": "http://ops.example.cn/T0KEN", "colour": 1},
        }
    )
    named = (
        "unknown option alarms.colour", "alarms.settle_s", "alarms.lines_max", "alarms.severity_min", "alarms.page_url",
        "alarms.mail.port", "alarms.mail.to", "alarms.mail.security", "alarms.mail.user and alarms.mail.password",
        "unknown option alarms.webhook.colour", "alarms.webhook.url", "alarms.webhook.secret",
    )  # fmt: skip
    assert [[name for name in named if name in problem] for problem in problems] == [[name] for name in named]
    assert not any("T0KEN" in problem for problem in problems)


@pytest.mark.parametrize("table", [3, [], {"mail": 1}, {"webhook": []}, {"mail": {}}, {"webhook": {}}])
def test_what_is_no_table_is_said_and_does_not_crash(table: Any) -> None:
    """People write what they write."""
    assert said(table)


def test_mail_without_tls_stays_on_this_machine() -> None:
    """What is wrong with the counties is nobody else's business."""
    assert read({"mail": {**MAIL, "host": "127.0.0.1", "security": "none"}}).mail
    assert "this machine only" in said({"mail": {**MAIL, "security": "none"}})[0]


def test_a_secret_comes_from_a_file_or_a_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd puts credentials where only the service reads them."""
    (tmp_path / "webhook-secret").write_text("s3cret\n")
    assert secret(str(tmp_path / "webhook-secret")) == b"s3cret"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert secret("webhook-secret") == b"s3cret"
    (tmp_path / "empty").write_text("\n")
    for name in ("nothing", "empty"):
        with pytest.raises(WorldError) as caught:
            secret(name)
        assert name in str(caught.value)


def test_a_slip_in_the_table_shuts_out_no_box(tmp_path: Path) -> None:
    """Gates read hub.toml at each session."""
    folder = HubFolder(tmp_path)
    settings = HubSettings(
        id="songshan", host="h", port=22, user="u", alarms={"mail": {"nonsense": [1, "ü"]}, "x": 1.5}
    )
    folder.settings_file.write_text(render_settings(settings))
    assert folder.settings() == settings, "and `serve --port`, which writes the file anew, keeps the table"
    with pytest.raises(OperatorError):
        read(folder.settings().alarms)
