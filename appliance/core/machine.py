"""Which machine this is: what a clone of its disk does not take along. Pure.

An identity is a key, and a disk can be copied with the key on it. The machine under the disk cannot. So a box says in
its greeting which machine it runs on, as a hash that tells nothing else.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from appliance.core.journal import Hex

PREFIX: Final = b"songshan-machine-v1\n"
FORMER_MAX: Final = 16
"""So many machines of a site are remembered."""
FORKS_PER_DAY_MAX: Final = 8
"""One machine that parts from its own history more often than this is two copies of one folder, which take turns."""
DAY_US: Final = 86_400_000_000


def fingerprint(facts: Mapping[str, Iterable[str]]) -> str:
    """A hash of what is known of the machine (`board`, `address`, `system`), in whatever order it is told.

    Of the board's id and the network cards' addresses what there is counts. Only a machine that shows neither is told
    by what its system calls itself, which a clone takes along.
    """
    lasting = {name: sorted(set(facts.get(name, ()))) for name in ("board", "address")}
    told = lasting if any(lasting.values()) else {"system": sorted(set(facts.get("system", ())))}
    return hashlib.sha256(PREFIX + msgspec.json.encode(told, order="sorted")).hexdigest()


class Machines(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub knows of the machines of one site. `fenced` are those between which a person has to choose."""

    current: Hex | None = None
    heard_us: int = 0
    former: tuple[Hex, ...] = ()
    """Machines that stood there before, the newest last; one of them heard again is a second live machine."""
    fenced: tuple[Hex, ...] = ()
    shut_out: tuple[Hex, ...] = ()
    """Machines that were not chosen: they may read, and write nothing."""
    moved_us: int | None = None
    forked_us: tuple[int, ...] = ()
    """When the site's history parted in the last day."""


def heard(known: Machines, machine: str, now_us: int) -> Machines:
    """A machine greets as the site. One that does not say which it is changes nothing."""
    if not machine:
        return known
    if known.fenced or machine in known.shut_out:
        fenced = known.fenced if not known.fenced or machine in known.fenced else (*known.fenced, machine)
        return msgspec.structs.replace(known, fenced=fenced[-FORMER_MAX:])
    if known.current in (None, machine):
        return msgspec.structs.replace(known, current=machine, heard_us=now_us)
    assert known.current is not None
    if machine in known.former:
        return msgspec.structs.replace(known, fenced=(known.current, machine))
    former = (*known.former, known.current)[-FORMER_MAX:]
    return msgspec.structs.replace(known, current=machine, heard_us=now_us, former=former, moved_us=now_us)


def parted(known: Machines, machine: str, before: str | None, now_us: int) -> Machines:
    """The machine that has just greeted holds another history of the site than the hub does.

    The same machine as the one `before` came back from an older copy of itself, and heals. Another one is a clone.
    """
    recent = (*(at_us for at_us in known.forked_us if at_us > now_us - DAY_US), now_us)[-FORKS_PER_DAY_MAX - 1 :]
    known = msgspec.structs.replace(known, forked_us=recent)
    if known.fenced or not machine:
        return known
    if before is not None and before != machine:
        return msgspec.structs.replace(known, fenced=(before, machine))
    if len(recent) > FORKS_PER_DAY_MAX:
        return msgspec.structs.replace(known, fenced=(machine,))
    return known


def chosen(known: Machines, machine: str) -> Machines:
    """A person has said which of the machines stands for the site; the others are shut out of writing."""
    others = {*known.fenced, *known.former, *known.shut_out, *([known.current] if known.current else [])} - {machine}
    return Machines(current=machine, heard_us=known.heard_us, shut_out=tuple(sorted(others))[-FORMER_MAX:])


def may_write(known: Machines, machine: str) -> bool:
    """Whether what this machine says of the site is taken down."""
    return not known.fenced and machine not in known.shut_out
