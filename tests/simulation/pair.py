"""A hub and a box with the line between them, in one thread: rounds of a turn each, and what befalls them."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from shutil import copytree

from appliance.core.errors import SongshanError
from provisioning.hub.folder import HubFolder
from tests.simulation.sides import SITE, UNREACHABLE, Box, Hub, config_of
from tests.simulators.children import SimulatedChildren
from tests.simulators.clock import SimulatedClock
from tests.simulators.disk import Killed, SimulatedDisk, Volume
from tests.simulators.line import REMEMBERED, REPLAYABLE, SimulatedLine


@dataclass
class Pair:
    """`is_line_up` says whether a session can begin; `heard` what was said on the line, for whoever watches."""

    disk: SimulatedDisk
    chance: Random
    hub: Hub
    box: Box
    is_line_up: bool = True
    is_calm: bool = False
    box_boots_in: int = 0
    power_goes: bool = False
    """Whether the kill that was armed takes the machine's power with it, or only the process."""
    line: SimulatedLine | None = None
    trace: Callable[[str], None] = lambda _text: None
    watchers: list[Callable[[str, bytes], None]] = field(default_factory=list)
    said: dict[str, deque[bytes]] = field(
        default_factory=lambda: {"up": deque(maxlen=REMEMBERED), "down": deque(maxlen=REMEMBERED)}
    )

    def round(self, passed_us: int) -> None:
        """Time passes, the box does a turn, the hub does one."""
        for clock in (self.hub.clock, self.box.clock):
            clock.pass_us(passed_us)
        self._box_turn()
        self._carry()
        self._hub_turn()
        self._carry()

    def operator(self, work: Callable[[HubFolder], object]) -> bool:
        """A command at the hub, in a process of its own. False when it was killed or failed."""
        try:
            with self.disk.on(self.hub.volume):
                work(self.hub.folder)
        except Killed:
            self.hub_dies()
            return False
        except (SongshanError, OSError) as error:
            self.trace(f"  refused: {error}")
            return False
        return True

    def person(self, work: Callable[[], None]) -> bool:
        """Somebody's process on the box. False when it was killed or failed."""
        try:
            with self.disk.on(self.box.volume):
                work()
        except Killed:
            self.box_dies()
            return False
        except (SongshanError, OSError) as error:
            self.trace(f"  refused: {error}")
            return False
        return True

    def box_dies(self, *, with_power: bool | None = None) -> None:
        """The agent's process ends without a last word, or the whole machine does."""
        power = self.power_goes if with_power is None else with_power
        self.trace(f"  box dies{' with its power' if power else ''}")
        self.box.leave()
        self.cut()
        if power:
            self.box.lose_power(self.chance)
        self.box.volume.boot()
        self.box_boots_in = 0 if self.is_calm else self.chance.randint(0, 2)

    def hub_dies(self, *, with_power: bool | None = None) -> None:
        """What runs at the hub ends, or its whole machine."""
        power = self.power_goes if with_power is None else with_power
        self.trace(f"  hub dies{' with its power' if power else ''}")
        self.hub.hang_up()
        if power:
            self.hub.volume.cut(self.chance)
        self.hub.volume.boot()

    def cut(self) -> None:
        """The line breaks, with what is on it."""
        if self.line is not None:
            self.line.cut(self.chance)
            self.line = None

    def say_again(self) -> None:
        """Lines of before come once more, in any order."""
        if self.line is None or self.line.is_cut:
            return
        way = self.chance.choice(("up", "down"))
        for line in self.chance.sample(list(self.said[way]), min(2, len(self.said[way]))):
            self.trace(f"  again, {way}: {line[:60].decode(errors='replace')}")
            self.line.repeat(way, line)

    def connect(self) -> SimulatedLine:
        if not self.is_line_up:
            raise UNREACHABLE
        line = SimulatedLine(self._heard)
        running = self.disk._running
        if not self.hub.answer(line):
            if self.hub.volume.dead:
                self.hub_dies()
            assert self.disk._running is running
            raise UNREACHABLE
        self.line = line
        return line

    def _box_turn(self) -> None:
        box = self.box
        try:
            if box.agent is None:
                if self.box_boots_in > 0:
                    self.box_boots_in -= 1
                    return
                box.boot()
                self.trace("  box boots")
            box.turn()
        except Killed:
            self.box_dies()
        except (SongshanError, OSError) as error:
            # The agent ended with an error, as on a full disk; systemd starts it again.
            self.trace(f"  agent ends: {error}")
            box.leave()
            self.cut()
            box.volume.boot()
            self.box_boots_in = 1

    def _hub_turn(self) -> None:
        if self.hub.volume.dead:
            self.hub_dies()
        try:
            self.hub.turn()
        except Killed:
            self.hub_dies()

    def _carry(self) -> None:
        if self.line is None:
            return
        if self.is_calm:
            for way in (self.line.up, self.line.down):
                way.carry(len(way.on_the_way))
        else:
            self.line.carry(self.chance)

    def _heard(self, way: str, line: bytes) -> None:
        if line.startswith(REPLAYABLE):
            self.said[way].append(line)
        for watch in self.watchers:
            watch(way, line)


@contextmanager
def pair(root: Path, seed: int) -> Iterator[Pair]:
    """A copy of the template `root/template`, with the disk in force."""
    place = root / f"{seed}"
    copytree(root / "template", place)
    chance = Random(seed)
    with SimulatedDisk().in_force() as disk:
        hub_clock, box_clock = SimulatedClock(), SimulatedClock()
        hub = Hub(HubFolder(place / "hub", hub_clock), hub_clock, Volume(place / "hub"), disk)
        config = config_of(place, box_clock)
        volume = Volume(place / "box")
        made: list[Pair] = []

        def children() -> SimulatedChildren:
            return SimulatedChildren(
                config,
                hub.folder.site(SITE).path,
                disk,
                (volume, hub.volume),
                lambda: made[0].is_line_up and hub.line is not None,
                chance,
            )

        box = Box(config, box_clock, volume, disk, lambda: made[0].connect(), children)
        made.append(Pair(disk, chance, hub, box))
        try:
            yield made[0]
        finally:
            box.leave()
