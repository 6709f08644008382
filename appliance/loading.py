"""Loading a stick with assets: the most urgent as far as there is room, the rest said clearly."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance import pieces
from appliance.core import carry
from appliance.core.carry import Load, Side
from appliance.core.errors import Corrupt, DiskFull, Text
from appliance.stick import Stick


@dataclass
class Loaded:
    """What lies on the stick now, and what had no room."""

    assets: int = 0
    bytes: int = 0
    left_assets: int = 0
    left_bytes: int = 0
    problems: list[Text] = field(default_factory=list)


def make_room(stick: Stick, side: Side, loads: Sequence[Load]) -> tuple[tuple[Load, ...], Loaded]:
    """Take off the stick what earlier trips brought; what goes now, in order, and a first account of what does not."""
    pieces.keep_only_assets(stick, side, [load.digest for load in loads])
    there = sum(pieces.there_bytes(stick, side, load.digest, load.size_bytes) for load in loads)
    goes, stays = carry.fitting(loads, stick.free_bytes() + there - carry.LEFT_FREE_BYTES)
    for load in stays:
        pieces.drop_asset(stick, side, load.digest, load.size_bytes)
    return goes, Loaded(left_assets=len(stays), left_bytes=_bytes_of(stays))


def load(
    stick: Stick,
    side: Side,
    goes: Sequence[Load],
    loaded: Loaded,
    path_of: Callable[[str], Path],
    progress: pieces.Progress,
) -> None:
    """Copy them, one after the other, and bring the account up to date. Raises WorldError when the stick is gone."""
    for number, each in enumerate(goes):
        try:
            pieces.put_asset(stick, side, path_of(each.digest), each.digest, progress)
        except DiskFull:
            # Clusters and folders took more than was reckoned.
            pieces.drop_asset(stick, side, each.digest, each.size_bytes)
            loaded.left_assets += len(goes) - number
            loaded.left_bytes += _bytes_of(goes[number:])
            return
        except Corrupt as error:
            loaded.problems += error.problems
        else:
            loaded.assets += 1
            loaded.bytes += each.size_bytes


def _bytes_of(loads: Iterable[Load]) -> int:
    return sum(load.size_bytes for load in loads)
