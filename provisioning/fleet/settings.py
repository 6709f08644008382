"""The table [alarms] of hub.toml: when something is told, and by which ways it leaves. docs/formats.md, section 4.

    read(table) -> Alarms     raises OperatorError with every problem at once

It is not read by whoever lets boxes in: a slip in it silences alarms, which the page says, and shuts out nobody.
Secrets are never here: an option names the file, or the credential that systemd put into $CREDENTIALS_DIRECTORY.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from appliance.core.errors import OperatorError, Text, WorldError
from appliance.limits import bad, unknown
from provisioning.fleet.core.hub import Watching
from provisioning.fleet.core.letters import Way
from provisioning.fleet.core.telling import Policy

SECRET_BYTES_MAX: Final = 4096
RECIPIENTS_MAX: Final = 20
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ADDRESS: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,252}")
_GIB: Final = 1024**3


def _number(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class Mail:
    """[alarms.mail]: a relay that takes mail over TLS."""

    host: str
    sender: str
    """The address that mail comes from; the relay may insist on one."""
    to: tuple[str, ...]
    port: int = _number(587, 1, 65535)
    """587 is submission with STARTTLS, 465 with TLS from the start."""
    security: str = "starttls"
    """starttls, tls, or none: the latter only to a relay on this very machine."""
    user: str = ""
    password: str = ""
    """The file with the password, or the name of a credential; needed with `user`."""
    ca_file: str = ""
    """A relay of the house may have a certificate of the house; empty: those that the system trusts."""
    timeout_s: float = _number(20, 1, 120)
    """For the whole of one delivery, so that a relay that stands still holds up the page no longer."""


@dataclass(frozen=True)
class Webhook:
    """[alarms.webhook]: somebody who takes JSON by POST."""

    url: str
    secret: str
    """The file with what bodies are signed with (HMAC-SHA256), or the name of a credential."""
    ca_file: str = ""
    timeout_s: float = _number(10, 1, 120)
    """For the whole of one delivery."""


@dataclass(frozen=True)
class Alarms:
    """[alarms]. Each number has its unit in its name."""

    severity_min: str = "amber"
    """amber or red: what is told. On nights with few people red may be enough."""
    settle_s: float = _number(60, 0, 3600)
    """An amber trouble that mends itself within this is not told; a red one always is, at once."""
    ended_after_s: float = _number(300, 0, 86_400)
    """So long must a trouble be gone before its end is told: what comes back before never ended."""
    quiet_after_s: float = _number(3600, 60, 30 * 86_400)
    """So long may a county be away before it is told: away is normal, for an hour."""
    line_after_s: float = _number(180, 30, 86_400)
    """All counties away for so long is the hub's own line: told as one, and none of them."""
    remind_red_s: float = _number(4 * 3600, 300, 30 * 86_400)
    """What is red and stands is told again after this: a shift of people has not seen the first message."""
    remind_amber_s: float = _number(24 * 3600, 300, 30 * 86_400)
    """The same of what is amber: once a day."""
    lines_max: int = _number(12, 1, 200)
    """Lines of one message: a telephone shows no more; the rest is counted, and the page has it."""
    burst: int = _number(4, 1, 100)
    """Messages that may go out at once."""
    every_s: float = _number(300, 1, 86_400)
    """After these one may go out in this time: what comes meanwhile is in the next one."""
    hub_free_bytes_min: int = _number(20 * _GIB, 0, 1024 * 1024 * _GIB)
    """Less on the hub's disk is amber, a quarter of it red: uploads of a day must have room."""
    look_every_s: float = _number(10, 1, 60)
    """How often the watch looks: boxes speak every ten seconds."""
    page_url: str = ""
    """Where the page is, for the foot of messages; empty: it is not named."""
    mail: Mail | None = None
    webhook: Webhook | None = None

    @property
    def policy(self) -> Policy:
        """What the decision goes by."""
        return Policy(
            severity_min="red" if self.severity_min == "red" else "amber",
            **{name: getattr(self, name) for name in Policy.__struct_fields__ if name != "severity_min"},
        )

    def watching(self, away_from_us: int = 0) -> Watching:
        """What the hub's own look goes by."""
        return Watching(
            quiet_after_s=self.quiet_after_s,
            line_after_s=self.line_after_s,
            free_bytes_min=self.hub_free_bytes_min,
            away_from_us=away_from_us,
        )

    @property
    def ways(self) -> dict[Way, tuple[str, ...]]:
        """The ways out that are configured, each with the recipients that a letter by it has."""
        ways: dict[Way, tuple[str, ...]] = {}
        if self.mail is not None:
            ways["mail"] = self.mail.to
        if self.webhook is not None:
            ways["webhook"] = ()
        return ways


def read(table: object) -> Alarms:
    """The table as a value; OperatorError says all that is wrong with it."""
    problems = list(_problems(table))
    if problems:
        raise OperatorError(*problems, hint=Text("请改正 hub.toml 的 [alarms]", "correct [alarms] in hub.toml"))
    assert isinstance(table, dict)
    plain = {key: value for key, value in table.items() if key not in ("mail", "webhook")}
    mail, webhook = table.get("mail"), table.get("webhook")
    return Alarms(
        **plain,
        mail=Mail(**{**mail, "to": tuple(mail["to"])}) if mail is not None else None,
        webhook=Webhook(**webhook) if webhook is not None else None,
    )


def secret(named: str) -> bytes:
    """The secret in a file, or in the credential of that name, without the line's end. Raises WorldError, which names
    the file and never what is in it."""
    path = Path(named) if named.startswith("/") else Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere")) / named
    try:
        with path.open("rb") as file:
            found = file.read(SECRET_BYTES_MAX).strip()
    except OSError as error:
        raise WorldError(
            Text(f"读不到密钥文件 {path}：{error.strerror}", f"cannot read the secret {path}: {error.strerror}")
        ) from error
    if not found:
        raise WorldError(Text(f"密钥文件 {path} 是空的", f"the secret {path} is empty"))
    return found


def _problems(table: object) -> Iterator[Text]:
    if not isinstance(table, dict):
        yield bad("alarms", table, "[alarms]")
        return
    yield from _problems_of(table, Alarms, "alarms.")
    if table.get("severity_min", "amber") not in ("red", "amber"):
        yield bad("alarms.severity_min", table["severity_min"], "amber")
    if table.get("page_url", "") != "" and not _is_url(table["page_url"], ("http", "https")):
        yield bad("alarms.page_url", table["page_url"], "http://hub.example:8080/")
    if "mail" in table:
        yield from _problems_of_mail(table["mail"])
    if "webhook" in table:
        yield from _problems_of_webhook(table["webhook"])


def _problems_of_mail(table: object) -> Iterator[Text]:
    if not isinstance(table, dict):
        yield bad("alarms.mail", table, "[alarms.mail]")
        return
    yield from _problems_of(table, Mail, "alarms.mail.")
    yield from _shaped(table, "host", "alarms.mail.", _HOST, "smtp.example")
    yield from _shaped(table, "sender", "alarms.mail.", _ADDRESS, "songshan@example.cn")
    to = table.get("to")
    if not isinstance(to, list) or not 1 <= len(to) <= RECIPIENTS_MAX or not all(_is_address(each) for each in to):
        yield bad("alarms.mail.to", to, ["duty@example.cn"])
    security = table.get("security", "starttls")
    if security not in ("starttls", "tls", "none"):
        yield bad("alarms.mail.security", security, "starttls")
    elif security == "none" and table.get("host") not in _LOOPBACK:
        yield Text(
            'alarms.mail.security = "none" 只许用于本机的邮件中继',
            'alarms.mail.security = "none" is for a relay on this machine only',
        )
    if bool(table.get("user")) != bool(table.get("password")):
        yield Text(
            "alarms.mail.user 与 alarms.mail.password 须同时给出",
            "alarms.mail.user and alarms.mail.password go together",
        )


def _problems_of_webhook(table: object) -> Iterator[Text]:
    if not isinstance(table, dict):
        yield bad("alarms.webhook", table, "[alarms.webhook]")
        return
    yield from _problems_of(table, Webhook, "alarms.webhook.")
    url = table.get("url")
    is_near = isinstance(url, str) and (_split(url).hostname in _LOOPBACK)
    if not _is_url(url, ("http", "https") if is_near else ("https",)):
        yield bad("alarms.webhook.url", _without_secrets(url), "https://ops.example.cn/songshan")
    if not isinstance(table.get("secret"), str) or not table["secret"]:
        yield bad("alarms.webhook.secret", table.get("secret"), "webhook-secret")


def _problems_of(table: dict[str, Any], shape: Any, where: str) -> Iterator[Text]:
    """Unknown options, and numbers and texts that are none; what else an option must be is checked by its own."""
    yield from unknown(table, {option.name for option in fields(shape)}, where)
    for option in fields(shape):
        value = table.get(option.name, None if option.default is MISSING else option.default)
        if option.metadata:
            low, high = option.metadata["low"], option.metadata["high"]
            kinds = (int,) if option.type is int else (int, float)
            if type(value) not in kinds or not low <= value <= high:
                yield Text(
                    f"{where}{option.name} 须在 {low} 与 {high} 之间，得到 {str(value)[:60]!r}",
                    f"{where}{option.name} must be from {low} to {high}, got {str(value)[:60]!r}",
                )
        elif option.type is str and option.default is not MISSING and not isinstance(value, str):
            yield bad(where + option.name, value, option.default)


def _shaped(table: dict[str, Any], key: str, where: str, shape: re.Pattern[str], example: str) -> Iterator[Text]:
    value = table.get(key)
    if not isinstance(value, str) or not shape.fullmatch(value):
        yield bad(where + key, value, example)


def _is_address(value: object) -> bool:
    return isinstance(value, str) and _ADDRESS.fullmatch(value) is not None


def _is_url(value: object, schemes: tuple[str, ...]) -> bool:
    if not isinstance(value, str) or not value.isascii() or any(each <= " " for each in value):
        return False
    split = _split(value)
    return split.scheme in schemes and bool(split.hostname) and split.username is None and not split.fragment


def _split(url: str) -> Any:
    try:
        split = urlsplit(url)
        split.port  # noqa: B018  # raises where it is none
    except ValueError:
        return urlsplit("")
    return split


def _without_secrets(url: object) -> object:
    """An address for a message: what stands behind the host may be a secret."""
    return f"{_split(url).scheme}://{_split(url).hostname}/…" if isinstance(url, str) else url
