"""Which units of systemd a box has to know when its release changes. Pure. docs/adr/0040.

A release brings its units along; the machine knows them by links that lead through OPT/current, so they change with it.
What is left to do is to link what a release brings for the first time, and to take away what it does not have any more.
The units of upgrades lead through OPT/trusted: who judges a newcomer is not started by the newcomer's word.
"""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

SHARE: Final = "share/songshan/systemd"
"""Where a release keeps them, below its folder."""
SUFFIXES: Final = (".service", ".socket", ".timer", ".path", ".target", ".slice")
OF_THE_TRUSTED: Final = frozenset(
    {"songshan-upgrade.service", "songshan-upgrade.path", "songshan-upgrade-boot.service"}
)
INSTALL: Final = "[Install]"


class Following(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, by the names of units, in order."""

    gone: tuple[str, ...] = ()
    """Stopped, disabled and unlinked, while their files are still there."""
    new: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    """Of the new ones those that say by themselves when they are wanted; of a template nobody knows for whom."""


def is_unit(name: str) -> bool:
    """Whether a file of this name is a unit."""
    return name.endswith(SUFFIXES) and not name.startswith(".")


def template_of(name: str) -> str:
    """`songshan-playout@.service` for a channel's own; the name itself where it is no template's."""
    before, at, behind = name.partition("@")
    return f"{before}@.{behind.rpartition('.')[2]}" if at else name


def source(releases: str, name: str) -> str:
    """What the link of a unit leads to; `releases` is OPT."""
    link = "trusted" if name in OF_THE_TRUSTED else "current"
    return f"{releases}/{link}/{SHARE}/{name}"


def follow(ships: Mapping[str, str], linked: Collection[str], taken: Collection[str]) -> Following:
    """What to do for a release that ships these units (name and text).

    `linked`: names that lead into OPT now; `taken`: names under which the machine has its own, which stays.
    A machine that has no unit of ours linked is none that upgrades look after: nothing is done.
    """
    if not linked:
        return Following()
    new = sorted(name for name in ships if name not in linked and name not in taken)
    here = {*ships, *OF_THE_TRUSTED}
    return Following(
        gone=tuple(sorted(name for name in linked if name not in here and template_of(name) not in here)),
        new=tuple(new),
        start=tuple(name for name in new if "@." not in name and INSTALL in ships[name].splitlines()),
    )
