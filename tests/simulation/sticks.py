"""Sticks that go between hub and box: written on one side and read on the other, late, twice, in any order, or pulled
out in the middle; a copy of one turns up weeks later, and bits turn on them.

A stick lies where it is: at the hub it is not where the box would look for it. What was not synced when it was pulled
out is lost or torn, as on any disk.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import stick as sticks
from appliance.commands.carry import export as export_of_box
from appliance.core import carry, moment
from appliance.core.carry import Label, Side
from appliance.core.command import Import
from appliance.stick import Stick
from provisioning.hub import carried
from provisioning.hub.carry import export as export_of_hub
from provisioning.hub.folder import HubFolder
from tests.simulation.pair import Pair
from tests.simulation.sides import SITE, Box, site_key
from tests.simulators.disk import Volume, rewrite

STICKS_MOST: Final = 3
IMPORTS_MOST: Final = 3
"""At the box in one night: each takes a dozen turns, one after the other."""
PULLED_WITHIN: Final = 25
"""Calls that change a disk: about what one export makes."""
HUB: Final = "songshan"


@dataclass
class InHand:
    """One stick."""

    volume: Volume
    at: Side

    def goes(self) -> None:
        """To the other side."""
        there = _path(self.volume.root.parent, self.volume.root.name.partition(".")[0], _OTHER[self.at])
        self.volume.root.rename(there)
        self.volume.root, self.at = there, _OTHER[self.at]


class Sticks:
    """Of one pair. `put` gives a command to the box whose people are at work, `by` is that box; `tell` hears of one
    that is about to write what it has said."""

    def __init__(
        self, pair: Pair, put: Callable[[Import], None], by: Callable[[], Box], tell: Callable[[Box], None]
    ) -> None:
        self.pair, self.chance, self._put, self._by, self._tell = pair, pair.chance, put, by, tell
        self._folder = pair.box.config.home.with_name("sticks")
        self._sticks: list[InHand] = []
        self._imports = 0

    def trip(self) -> None:
        """Somebody takes a stick, reads it and writes it where it is, and carries it over; or does a part of that."""
        stick = self._one()
        if self.chance.random() < 0.15:
            self._flip(stick)
        if self.chance.random() < 0.6:
            self._read(stick)
        if self.chance.random() < 0.8:
            self._write(stick)
        if self.chance.random() < 0.8:
            stick.goes()
            self.pair.trace(f"  the stick goes to the {stick.at}")
            if self.chance.random() < 0.7:
                self._read(stick)

    def _one(self) -> InHand:
        if len(self._sticks) < STICKS_MOST and self.chance.random() < 1 / (1 + len(self._sticks)):
            self._sticks.append(self._new())
            return self._sticks[-1]
        return self.chance.choice(self._sticks)

    def _new(self) -> InHand:
        """An empty one, or somebody's copy of one as it is now."""
        name, at = f"stick-{len(self._sticks) + 1}", self.chance.choice((*_OTHER,))
        path = _path(self._folder, name, at)
        if self._sticks and self.chance.random() < 0.5:
            shutil.copytree(self.chance.choice(self._sticks).volume.root, path)
            self.pair.trace("  a copy of a stick")
        else:
            path.mkdir(parents=True)
            self._label(path, at)
        made = InHand(Volume(path), at)
        self.pair.disk.besides.append(made.volume)
        return made

    def _label(self, path: Path, at: Side) -> None:
        made = Label(1, self.chance.randbytes(16).hex(), SITE, HUB, at, moment.to_text(self.pair.hub.clock.now_us))
        with sticks.opened(path, to_write=True) as stick:
            sticks.label(stick, made)

    def _write(self, stick: InHand) -> None:
        """`usb export`, and now and then the stick is pulled out before it has ended."""
        is_pulled, everything = self.chance.random() < 0.2, self.chance.random() < 0.2
        side = self.pair.hub.volume if stick.at == "hub" else self._by().volume
        before = side.failing
        if is_pulled:
            side.failing = self.chance.randint(0, PULLED_WITHIN)
        if stick.at == "hub":
            is_done = self.pair.operator(lambda folder: self._export_at_hub(folder, stick, everything=everything))
        else:
            self._tell(self._by())
            is_done = self.pair.person(lambda: self._export_at_box(stick, everything=everything), self._by())
        side.failing = before
        self.pair.trace(f"  {stick.at} writes{'' if is_done else ', in vain'}")
        if is_pulled:
            stick.volume.cut(self.chance)

    def _export_at_hub(self, folder: HubFolder, stick: InHand, *, everything: bool) -> None:
        with sticks.opened(stick.volume.root, to_write=True) as opened:
            export_of_hub(folder, SITE, opened, _label_of(opened), everything=everything)

    def _export_at_box(self, stick: InHand, *, everything: bool) -> None:
        config = self._by().config
        with sticks.opened(stick.volume.root, to_write=True) as opened:
            export_of_box(config, site_key(config), opened, _label_of(opened), everything=everything)

    def _read(self, stick: InHand) -> None:
        """`usb import`: at once at the hub, by the agent at the box."""
        if stick.at == "hub":
            is_done = self.pair.operator(lambda folder: self._import_at_hub(folder, stick))
            self.pair.trace(f"  hub reads{'' if is_done else ', in vain'}")
        elif self._imports < IMPORTS_MOST:
            self._imports += 1
            at = moment.to_text(self._by().clock.wall_us())
            self.pair.trace("  box reads")
            self._put(Import(path=str(stick.volume.root), by="值班", via="cli", at=at))

    def _import_at_hub(self, folder: HubFolder, stick: InHand) -> None:
        with sticks.opened(stick.volume.root) as opened:
            carried.take_in(folder, opened, _label_of(opened))

    def _flip(self, stick: InHand) -> None:
        """A bit of one of its files turns. Without its label a stick is none, and a person takes another one."""
        found = sorted(path for path in stick.volume.root.rglob("*") if path.is_file() and path.stat().st_size)
        found = [path for path in found if path.name != carry.LABEL]
        if not found:
            return
        path = self.chance.choices(found, [each.stat().st_size for each in found])[0]
        content = bytearray(path.read_bytes())
        content[self.chance.randrange(len(content))] ^= 1 << self.chance.randrange(8)
        rewrite(path, bytes(content))
        stick.volume.contents[path.stat().st_ino] = bytes(content)
        self.pair.trace(f"  a bit of {path.relative_to(stick.volume.root)}")


def _label_of(stick: Stick) -> Label:
    return sticks.read_label(stick, SITE, HUB)


def _path(folder: Path, name: str, at: Side) -> Path:
    return folder / (name if at == "box" else f"{name}.away")


_OTHER: Final[dict[Side, Side]] = {"hub": "box", "box": "hub"}
