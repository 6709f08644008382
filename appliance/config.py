"""What a box is told about itself: one file, `appliance.toml`, read once into one frozen value.

    load(home, environ) -> Config     raises OperatorError with every problem in the file at once
    render(config) -> str             the file again; what has its default is left out

`songshan join` writes the file. docs/formats.md, section 6, lists the options with unit, default and reason.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from appliance.clock import SYSTEM_CLOCK, Clock
from appliance.core.cbr import RATE_DEFAULT
from appliance.core.errors import OperatorError, SongshanError, Text
from appliance.core.journal import SITE_ID, parse_public_key
from appliance.core.timetable import Allowance, Period, allowance_at, periods_of, problems_of, steps, table_of
from appliance.core.udp import problems_of_udp
from appliance.limits import Air as Air
from appliance.limits import Limits as Limits
from appliance.limits import bad, problems_of_numbers, unknown

CHANNEL_ID: Final = re.compile(r"[a-z][a-z0-9-]{1,63}")
INSTALLED_HOME: Final = Path("/var/lib/songshan")
INSTALLED_CONFIG: Final = Path("/etc/songshan/appliance.toml")
INSTALLED_RUN: Final = Path("/run/songshan")
INSTALLED_RELEASES: Final = Path("/opt/songshan")
INSTALLED_PLAYOUT: Final = Path("/run/songshan-playout")
INSTALLED_TRANSCODER: Final = Path("/run/songshan-transcode.socket")
CONFIG_BYTES_MAX: Final = 256 * 1024

_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]{0,252}")
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_HOST_KEY: Final = re.compile(r"(?:ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*")
_BIND: Final = re.compile(r"(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):(\d{1,5})")
_WEEK_US: Final = 7 * 86_400 * 1_000_000


@dataclass(frozen=True)
class HubAddress:
    """Where the hub is, and how to know that it is the hub."""

    id: str
    host: str
    port: int
    user: str
    host_keys: tuple[str, ...]
    """`ssh-ed25519 <base64>`; no other host key is ever accepted."""
    sign_key: str
    """What signs the hub's checkpoints: an Ed25519 public key, 32 bytes in base64."""


@dataclass(frozen=True)
class ChannelConfig:
    """A linear service of the site; with `udp` also for a modulator."""

    id: str
    name: str
    kind: str = "tv"
    """`tv` or `radio`: of a radio channel only the sound is served."""
    udp: str = ""
    """Where the sender sends to, "239.0.0.1:5000"; "" for a channel that is HLS alone."""
    udp_bits_per_s: int = RATE_DEFAULT
    """The constant rate of the whole transport stream: what the modulator expects."""
    udp_from: str = ""
    """The address of the card to send from; "" for what the routes say."""
    udp_ttl: int = 4
    """Over how many routers multicast may go."""
    udp_copy: str = ""
    """A second address that gets the same: what the probe listens to, where `udp` is one other machine."""


@dataclass(frozen=True)
class Config:
    """`home` holds everything that lasts, `run` what need not outlive a boot."""

    home: Path
    run: Path
    site: str
    name: str
    zone: str = "Asia/Shanghai"
    hub: HubAddress | None = None
    """None on a box that stands alone."""
    channels: tuple[ChannelConfig, ...] = ()
    web_bind: str = "127.0.0.1:8080"
    """The address and port of the web server; nginx stands before it."""
    limits: Limits = field(default_factory=Limits)
    air: Air = field(default_factory=Air)
    timetable: tuple[Period, ...] = ()
    """When transfers may use how much of the line; outside of it `limits.fetch_bytes_per_s`."""
    clock: Clock = SYSTEM_CLOCK
    """What this box tells the time by; never in the file."""

    @property
    def database(self) -> Path:
        return self.home / "state" / "box.db"

    @property
    def media(self) -> Path:
        return self.home / "media"

    @property
    def incoming(self) -> Path:
        return self.media / "incoming"

    @property
    def quarantine(self) -> Path:
        return self.media / "quarantine"

    @property
    def public(self) -> Path:
        """Hard links of what may be served over HTTP now."""
        return self.home / "public"

    @property
    def spool(self) -> Path:
        return self.home / "spool"

    @property
    def drop(self) -> Path:
        return self.home / "drop"

    @property
    def library(self) -> Path:
        return self.home / "library"

    @property
    def playout(self) -> Path:
        """Where senders and probes tell of themselves; outlives the agent's own folder, which goes when it stops."""
        return INSTALLED_PLAYOUT if self.run == INSTALLED_RUN else self.run / "playout"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def releases(self) -> Path:
        """The software: releases/, and the links that say which of them runs. Root's own, on an installed box."""
        return INSTALLED_RELEASES if self.run == INSTALLED_RUN else self.home / "opt"

    @property
    def requests(self) -> Path:
        """What is asked of the unit that may change the releases; the web server cannot write here."""
        return self.home / "upgrade"

    @property
    def backups(self) -> Path:
        """What was backed up by night."""
        return self.home / "backups"

    @property
    def incidents(self) -> Path:
        """Which services ended badly: to be read with everything dead."""
        return self.home / "incidents"

    @property
    def playout_token(self) -> Path:
        """The SHA-256 of what other engines show to be let in; not among the keys, which the web server may not see."""
        return self.home / "state" / "playout-token"

    @property
    def ssh_key(self) -> Path:
        return self.keys / "ssh"

    @property
    def sign_key(self) -> Path:
        return self.keys / "sign"

    @property
    def transcoder(self) -> Path:
        """Where a transcoder may listen: packaging in a sandbox of its own. None needs to."""
        return INSTALLED_TRANSCODER if self.run == INSTALLED_RUN else self.run / "transcode.socket"

    def allowance_at(self, now_us: int) -> Allowance:
        """What transfers may use of the line at a moment."""
        each_way = self.limits.fetch_bytes_per_s
        return allowance_at(self.timetable, Allowance(each_way, each_way), self.zone, now_us)

    def allowances(self, now_us: int) -> tuple[tuple[int, Allowance], ...]:
        """The same from which moment on, for the week that comes."""
        each_way = self.limits.fetch_bytes_per_s
        return steps(self.timetable, Allowance(each_way, each_way), self.zone, now_us, now_us + _WEEK_US)

    def channel(self, channel_id: str) -> ChannelConfig | None:
        """The channel of that id, None when the site has none such."""
        return next((channel for channel in self.channels if channel.id == channel_id), None)


def config_path(home: Path | None) -> Path:
    """Where the file is: in the home folder, or where the installed box keeps it."""
    return home / "appliance.toml" if home is not None else INSTALLED_CONFIG


def home_of(home: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The folder that `--home` or SONGSHAN_HOME names; None for the installed paths."""
    if home is not None:
        return home.absolute()
    named = environ.get("SONGSHAN_HOME")
    return Path(named).absolute() if named else None


def unjoined(home: Path | None) -> Config:
    """The paths of a box that does not know yet whose it is; nothing else of it means anything."""
    return Config(home=home or INSTALLED_HOME, run=home / "run" if home else INSTALLED_RUN, site="", name="")


def load(home: Path | None, environ: Mapping[str, str]) -> Config:
    """Read and check the file; OperatorError says all that is wrong with it, or that there is none."""
    home = home_of(home, environ)
    path = config_path(home)
    document = _document(path)
    problems = list(_problems(document))
    if problems:
        raise OperatorError(*problems, hint=Text(f"请改正 {path}", f"correct {path}"))
    return _config(document, home)


def render(config: Config) -> str:
    """The text of the file that `load` would read this value from."""
    lines = [f"{key} = {_toml(getattr(config, key))}" for key in ("site", "name", "zone")]
    lines += ["", "[web]", f"bind = {_toml(config.web_bind)}"]
    if config.hub is not None:
        lines += ["", "[hub]", *(f"{key.name} = {_toml(getattr(config.hub, key.name))}" for key in fields(HubAddress))]
    for name, table in (("limits", config.limits), ("air", config.air)):
        changed = [option.name for option in fields(table) if getattr(table, option.name) != option.default]
        if changed:
            lines += ["", f"[{name}]", *(f"{option} = {_toml(getattr(table, option))}" for option in changed)]
    for period in config.timetable:
        lines += ["", "[[timetable]]", *(f"{key} = {_toml(value)}" for key, value in table_of(period).items())]
    for channel in config.channels:
        lines += ["", "[[channels]]", *_channel_lines(channel)]
    return "\n".join(lines) + "\n"


def _channel_lines(channel: ChannelConfig) -> list[str]:
    told = [each for each in fields(channel) if each.default is MISSING or getattr(channel, each.name) != each.default]
    return [f"{each.name} = {_toml(getattr(channel, each.name))}" for each in told]


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise OperatorError(
            Text(f"没有配置文件 {path}", f"there is no {path}"),
            hint=Text("先用 songshan join 加入嵩山云", "enrol this box first: songshan join BUNDLE"),
        ) from error
    except OSError as error:
        raise OperatorError(
            Text(f"读不出 {path}：{error.strerror}", f"cannot read {path}: {error.strerror}")
        ) from error
    if len(data) > CONFIG_BYTES_MAX:
        raise OperatorError(
            Text(f"{path} 超过 {CONFIG_BYTES_MAX} 字节", f"{path} has more than {CONFIG_BYTES_MAX} bytes"),
            hint=Text("这不是配置文件", "this is no config"),
        )
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(
            Text(f"{path} 不是 TOML：{error}", f"{path} is not TOML: {error}"),
            hint=Text(f"请改正 {path}", f"correct {path}"),
        ) from error


def _config(document: dict[str, Any], home: Path | None) -> Config:
    hub = document.get("hub")
    return Config(
        home=home or INSTALLED_HOME,
        run=home / "run" if home else INSTALLED_RUN,
        site=document["site"],
        name=document["name"],
        zone=document.get("zone", Config.zone),
        hub=HubAddress(**{**hub, "host_keys": tuple(hub["host_keys"])}) if hub is not None else None,
        channels=tuple(ChannelConfig(**channel) for channel in document.get("channels", [])),
        web_bind=document.get("web", {}).get("bind", Config.web_bind),
        limits=Limits(**document.get("limits", {})),
        air=Air(**document.get("air", {})),
        timetable=periods_of(document.get("timetable", [])),
    )


_SECTIONS: Final = {"site", "name", "zone", "hub", "channels", "web", "limits", "air", "timetable"}


def _problems(document: dict[str, Any]) -> Iterator[Text]:
    yield from unknown(document, _SECTIONS, "")
    yield from _text(document, "site", "", SITE_ID, "dengfeng")
    yield from _text(document, "name", "", re.compile(r"[^\x00-\x1f]{1,80}"), "登封市融媒体中心")
    if not _is_zone(document.get("zone", Config.zone)):
        yield Text(f"zone 不是时区名：{document['zone']!r}", f"zone is no time zone: {document['zone']!r}")
    web = document.get("web", {})
    if isinstance(web, dict):
        yield from unknown(web, {"bind"}, "web.")
        if not _is_bind(web.get("bind", Config.web_bind)):
            yield bad("web.bind", web["bind"], Config.web_bind)
    else:
        yield bad("web", web, "[web]")
    if "hub" in document:
        yield from _problems_of_hub(document["hub"])
    yield from _problems_of_channels(document.get("channels", []))
    yield from problems_of_numbers("limits", document.get("limits", {}), Limits)
    yield from problems_of_numbers("air", document.get("air", {}), Air)
    yield from problems_of(document.get("timetable", []))


def _problems_of_hub(hub: Any) -> Iterator[Text]:
    if not isinstance(hub, dict):
        yield bad("hub", hub, "[hub]")
        return
    yield from unknown(hub, {option.name for option in fields(HubAddress)}, "hub.")
    yield from _text(hub, "id", "hub.", re.compile(r"[a-z][a-z0-9-]{1,31}"), "songshan")
    yield from _text(hub, "host", "hub.", _HOST, "hub.example")
    yield from _text(hub, "user", "hub.", _USER, "songshan")
    if type(hub.get("port")) is not int or not 1 <= hub["port"] <= 65535:
        yield bad("hub.port", hub.get("port"), 22)
    keys = hub.get("host_keys")
    if (
        not isinstance(keys, list)
        or not keys
        or not all(isinstance(key, str) and _HOST_KEY.fullmatch(key) for key in keys)
    ):
        yield bad("hub.host_keys", keys, ["ssh-ed25519 AAAA…"])
    try:
        parse_public_key(hub.get("sign_key") if isinstance(hub.get("sign_key"), str) else "")  # type: ignore[arg-type]
    except SongshanError:
        # Never shown: somebody may have put the wrong, secret half here.
        yield Text("hub.sign_key 不是 Ed25519 公钥", "hub.sign_key is not an Ed25519 public key")


def _problems_of_channels(channels: Any) -> Iterator[Text]:
    if not isinstance(channels, list) or not all(isinstance(channel, dict) for channel in channels):
        yield bad("channels", channels, "[[channels]]")
        return
    for number, channel in enumerate(channels, start=1):
        yield from unknown(channel, {option.name for option in fields(ChannelConfig)}, f"channels[{number}].")
        yield from _text(channel, "id", f"channels[{number}].", CHANNEL_ID, "dengfeng-1")
        yield from _text(channel, "name", f"channels[{number}].", re.compile(r"[^\x00-\x1f]{1,80}"), "登封综合")
        if "kind" in channel:
            yield from _text(channel, "kind", f"channels[{number}].", re.compile("tv|radio"), "radio")
        yield from problems_of_udp(channel, f"channels[{number}].")
    named = [str(channel.get("id")) for channel in channels]
    for twice in sorted({identity for identity in named if named.count(identity) > 1}):
        yield Text(f"频道 {twice} 出现两次", f"channel {twice} is there twice")


def _text(table: dict[str, Any], key: str, where: str, shape: re.Pattern[str], example: str) -> Iterator[Text]:
    value = table.get(key)
    if not isinstance(value, str) or not shape.fullmatch(value):
        yield bad(where + key, value, example)


def _is_zone(name: object) -> bool:
    try:
        return isinstance(name, str) and bool(ZoneInfo(name))
    except (ValueError, OSError, KeyError):
        return False


def _is_bind(value: object) -> bool:
    match = _BIND.fullmatch(value) if isinstance(value, str) else None
    return match is not None and 1 <= int(match[2]) <= 65535


def _toml(value: object) -> str:
    """Strings, numbers and lists of them as JSON, which is TOML too but for DEL."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
