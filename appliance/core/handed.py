"""Which sealed backups wait to go to the hub, and which the hub keeps of those that came. Pure."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import msgspec

from appliance.core.moment import US

DAY_US: Final = 86_400 * US
HELD_FOR_US: Final = 3 * DAY_US
"""A slow line may need more than a night for one: so long it is not given up for a newer one."""
APART_US: Final = DAY_US // 2
"""Those that come closer upon each other take each other's place: who floods the hub pushes out no older one."""


class Handed(msgspec.Struct, frozen=True):
    """A backup, by its name, and when it was made or came; on one clock."""

    name: str
    at_us: int


def superseded(waiting: Iterable[Handed]) -> list[str]:
    """Which of those that wait are not sent any more: all but the newest, and the oldest while it is young enough."""
    inorder = sorted(waiting, key=lambda each: (each.at_us, each.name))
    if not inorder:
        return []
    young = [each for each in inorder[:-1] if inorder[-1].at_us - each.at_us <= HELD_FOR_US]
    kept = {inorder[-1].name, *(each.name for each in young[:1])}
    return [each.name for each in inorder if each.name not in kept]


def let_go(came: Iterable[Handed], keep: int) -> list[str]:
    """Which the hub lets go, by when they came to it: what a box says of their age counts for nothing.

    Of those that came within half a day the newest stays; of these as many as `keep` says, and one at least.
    """
    inorder = sorted(came, key=lambda each: (each.at_us, each.name))
    gone = [each.name for each, following in pairwise(inorder) if following.at_us - each.at_us < APART_US]
    stay = [each.name for each in inorder if each.name not in gone]
    return [*gone, *stay[: max(0, len(stay) - max(1, keep))]]
