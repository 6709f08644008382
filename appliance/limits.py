"""Tables of `appliance.toml` in which every option is a number with bounds, and how problems with options are said."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Final

from appliance.core.errors import Text
from appliance.core.loudness import LOUDNESS_LUFS

_GIB: Final = 1024**3


def _limit(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class Limits:
    """Bounds and times that a county may have to change; each has its unit in its name."""

    reserve_bytes: int = _limit(2 * _GIB, 0, 1024 * _GIB)
    """Kept free on the disk of the media, so that a full cache never stops the database or the air."""
    cache_bytes_max: int = _limit(0, 0, 1024 * 1024 * _GIB)
    """What assets may take up together, 0 for all that the disk has less the reserve. What nothing uses goes first;
    what is in use stays, and comes also beyond it."""
    file_bytes_max: int = _limit(64 * _GIB, 1, 4096 * _GIB)
    """The largest file that is taken in: an hour at the highest contribution rate, with room."""
    spool_waiting_max: int = _limit(10_000, 10, 1_000_000)
    """Commands that may wait for the agent; more are refused, so that a flood cannot fill the disk."""
    drop_settled_s: float = _limit(2.0, 0.1, 3600)
    """How long a dropped file must stay unchanged before it is taken: a copy over the network pauses."""
    fetch_bytes_per_s: int = _limit(0, 0, 10 * _GIB)
    """Bandwidth for bulk transfers each way, 0 for all there is: the county's office may share the line. The timetable
    has its own."""
    verify_days: int = _limit(30, 1, 366)
    """Within how many days everything on disk is read again and checked."""
    ledger_hours: int = _limit(26, 24, 168)
    """How far ahead the air ledger reaches: a day, and the time to notice that the agent is dead."""
    backups_kept: int = _limit(7, 1, 366)
    """How many nightly backups stay."""
    catchup_days: int = _limit(7, 0, 30)
    """How long a programme can be seen again after it has ended (回看), while the disk has room; 0 for not at all."""


@dataclass(frozen=True)
class Air:
    """How things are to sound on the air."""

    loudness_lufs: float = _limit(LOUDNESS_LUFS, -40, -10)
    """What every clip is brought to: one that is louder than the next makes people reach for the remote control."""


def problems_of_numbers(name: str, table: Any, shape: type[Limits] | type[Air]) -> Iterator[Text]:
    """Those of a table in which every option is a number with bounds."""
    if not isinstance(table, dict):
        yield bad(name, table, f"[{name}]")
        return
    yield from unknown(table, {option.name for option in fields(shape)}, f"{name}.")
    for option in fields(shape):
        value, low, high = table.get(option.name, option.default), option.metadata["low"], option.metadata["high"]
        kinds = (int,) if option.type is int else (int, float)
        if type(value) not in kinds or not low <= value <= high:
            yield Text(
                f"{name}.{option.name} 须在 {low} 与 {high} 之间，得到 {value!r}",
                f"{name}.{option.name} must be from {low} to {high}, got {value!r}",
            )


def unknown(table: dict[str, Any], known: set[str], where: str) -> Iterator[Text]:
    """Options that there are not."""
    for key in sorted(table.keys() - known):
        yield Text(f"不认识的选项 {where}{key}", f"unknown option {where}{key}")


def bad(option: str, value: object, example: object) -> Text:
    """An option that is missing or has not the shape that it must have."""
    if value is None:
        return Text(f"缺少 {option}（例：{example}）", f"{option} is missing (for example {example})")
    return Text(
        f"{option} 不合规：{str(value)[:60]!r}（例：{example}）",
        f"bad {option}: {str(value)[:60]!r} (for example {example})",
    )
