"""What senders and their probes tell of themselves, in `Config.playout`: one small file each, written every second.

    CHANNEL.main.json, CHANNEL.standby.json    a Sender each        CHANNEL.probe.json    a Probe
    CHANNEL.lead                               which of the two sends: appliance/playout/lead.py

They lie where nothing outlives a boot, so they are renamed into place and never fsynced.
"""

from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from appliance.config import ChannelConfig, Config
from appliance.core.errors import Text
from appliance.core.health import OutputFact
from appliance.core.moment import US
from appliance.durable import disk_errors, make_folder

TOLD_EVERY_US: Final = 1 * US
FRESH_US: Final = 5 * US
"""Who has told nothing for so long does not run."""
AHEAD_US_MAX: Final = 60 * US
"""What is told is read after the moment that it is held against: on a slow machine seconds after. Beyond this the clock
was set back, and what was told before tells nothing."""
FILE_BYTES_MAX: Final = 64 * 1024

Role = Literal["main", "standby"]


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """A sender as it sees itself. Moments on the wall clock; counts since it was started."""

    role: Role
    pid: int
    leads: bool
    at_us: int
    started_at_us: int
    output: str
    bits_per_s: int
    air_us: int
    """Up to here the air is sent."""
    sent_datagrams: int
    lost_datagrams: int
    """What the network did not take."""
    skipped_us: int
    skips: int
    leaps: int
    pictures: int
    late_pictures: int
    lost_pictures: int
    slate_segments: int
    margin_ms: float
    """The least time that was left when a picture was through."""
    network: Text | None = None
    note: Text | None = None
    """Why the slate had to stand in; None where all is at hand."""
    database: Text | None = None


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What the probe heard: counts since it was started, intervals of the last whole second."""

    pid: int
    at_us: int
    started_at_us: int
    output: str
    packets: int
    bits_per_s: int
    sync_errors: int
    continuity_errors: int
    pcr_steps: int
    pts_steps: int
    blackouts: int
    blackout_us: int
    pcr_interval_max_ms: float
    pcr_jitter_max_us: float
    last_fault_at_us: int | None = None
    last_fault: Text | None = None
    pictures_seen: int = 0
    """Keyframes that were looked at; 0 where nobody can."""
    black_since_us: int | None = None
    still_since_us: int | None = None
    missed_datagrams: int = 0
    """Came and were not heard, for the machine was too busy: nothing is said about them."""


_Report = TypeVar("_Report", Sender, Probe)


def tell(config: Config, channel: str, report: Sender | Probe) -> None:
    """Replace what was told before. Raises WorldError."""
    name = report.role if isinstance(report, Sender) else "probe"
    path = config.playout / f"{channel}.{name}.json"
    with disk_errors(path):
        if not path.parent.is_dir():
            make_folder(path.parent)
        staged = path.with_name(f".{path.name}.part")
        staged.write_bytes(msgspec.json.encode(report))
        staged.replace(path)


def told(config: Config, channel: str) -> tuple[Sender | None, Sender | None, Probe | None]:
    """What main sender, standby and probe told last; None for who never did since the machine was started."""
    folder = config.playout
    return (
        _read(folder / f"{channel}.main.json", Sender),
        _read(folder / f"{channel}.standby.json", Sender),
        _read(folder / f"{channel}.probe.json", Probe),
    )


def outputs(config: Config, now_us: int) -> tuple[OutputFact, ...]:
    """How each channel's output is, of those that have one."""
    return tuple(_output(config, channel, now_us) for channel in config.channels if channel.udp)


def _output(config: Config, channel: ChannelConfig, now_us: int) -> OutputFact:
    main, standby, probe = told(config, channel.id)
    senders = [each for each in (main, standby) if each is not None]
    alive = [each for each in senders if _is_fresh(each.at_us, now_us)]
    leading = next((each for each in alive if each.leads), None)
    heard = probe if probe is not None and _is_fresh(probe.at_us, now_us) else None
    return OutputFact(
        channel=channel.id,
        name=channel.name,
        address=channel.udp,
        sender=leading.role if leading else None,
        sent_until_us=leading.air_us if leading else None,
        told_at_us=max((each.at_us for each in senders), default=None),
        standby=_standby_of(senders, alive),
        network=leading.network if leading else None,
        note=leading.note if leading else None,
        lost_datagrams=sum(each.lost_datagrams for each in alive),
        late_pictures=sum(each.late_pictures for each in alive),
        skipped_ms=round(sum(each.skipped_us for each in alive) / 1000, 1),
        probe_at_us=probe.at_us if probe else None,
        is_probed=heard is not None,
        continuity_errors=heard.continuity_errors if heard else None,
        pcr_interval_max_ms=heard.pcr_interval_max_ms if heard else None,
        fault=heard.last_fault if heard else None,
        fault_at_us=heard.last_fault_at_us if heard else None,
        black_since_us=heard.black_since_us if heard else None,
        still_since_us=heard.still_since_us if heard else None,
    )


def _standby_of(senders: list[Sender], alive: list[Sender]) -> Literal["none", "ready", "gone"]:
    """Whether another sender would take over: one that was there once is expected to be there."""
    if len(alive) > 1:
        return "ready"
    return "gone" if len(senders) > 1 else "none"


def _is_fresh(at_us: int, now_us: int) -> bool:
    return -AHEAD_US_MAX <= now_us - at_us <= FRESH_US


def _read(path: Path, kind: type[_Report]) -> _Report | None:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(FILE_BYTES_MAX), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None
