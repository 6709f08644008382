"""A hub and a box with the line between them, in one thread: rounds of a turn each, and what befalls them.

The box may be there twice: a copy of its disk in another machine, with the same key.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from shutil import copytree

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.config import Config
from appliance.core.errors import SongshanError
from appliance.core.journal import public_key_text
from appliance.core.wire import GIVEN_BYTES_MAX
from appliance.store import hub_keys
from appliance.store.database import reading
from provisioning.hub import keys
from provisioning.hub.folder import HubFolder
from tests.simulation.forging import STRANGER, forged
from tests.simulation.sides import ONE, OTHER, SITE, UNREACHABLE, Box, Hub, config_of
from tests.simulators.children import SimulatedChildren
from tests.simulators.clock import SimulatedClock
from tests.simulators.disk import Killed, SimulatedDisk, Volume
from tests.simulators.line import REMEMBERED, REPLAYABLE, SimulatedLine

GIVES_BYTES_MAX = (0, 2_000, GIVEN_BYTES_MAX)
"""By seed: all assets come by rsync, or the small ones in the session, or nearly all."""


@dataclass
class Pair:
    """`is_line_up` says whether a session can begin; `watchers` are told what is said on the line, and by which box."""

    disk: SimulatedDisk
    chance: Random
    hub: Hub
    boxes: list[Box] = field(default_factory=list)
    is_line_up: bool = True
    is_calm: bool = False
    is_forged: bool = False
    power_goes: bool = False
    """Whether the kill that was armed takes the machine's power with it, or only the process."""
    trace: Callable[[str], None] = lambda _text: None
    watchers: list[Callable[[Box, str, bytes], None]] = field(default_factory=list)
    former_keys: list[Ed25519PrivateKey] = field(default_factory=list)
    """Keys that the hub signed with before; somebody has copies."""
    former_files: set[bytes] = field(default_factory=set)
    """What their files said."""
    said: dict[str, deque[bytes]] = field(
        default_factory=lambda: {"up": deque(maxlen=REMEMBERED), "down": deque(maxlen=REMEMBERED)}
    )

    @property
    def box(self) -> Box:
        """The one that was there first."""
        return self.boxes[0]

    @property
    def volumes(self) -> list[Volume]:
        """Every machine's disk, the hub's last."""
        return [*(box.volume for box in self.boxes), self.hub.volume]

    def round(self, passed_us: int) -> None:
        """Time passes, each box does a turn, the hub does one."""
        for clock in (self.hub.clock, *(box.clock for box in self.boxes)):
            clock.pass_us(passed_us)
        for box in self.boxes:
            self._box_turn(box)
            self._carry()
        self._hub_turn()
        self._carry()

    def clone(self) -> Box:
        """Somebody copies the disk as it lies, and puts the copy into another machine."""
        first = self.box
        home, clock = first.config.home.with_name(f"clone-{len(self.boxes)}"), replace(first.clock)
        copytree(first.config.home, home)
        clock.start_anew()
        made = self.add(replace(first.config, home=home, run=home / "run", clock=clock), clock, OTHER)
        made.boots_in = self.chance.randint(0, 2)
        return made

    def add(self, config: Config, clock: SimulatedClock, machine: str) -> Box:
        """A machine with a box's disk in it."""
        volume = Volume(config.home)

        def children() -> SimulatedChildren:
            return SimulatedChildren(
                config,
                self.hub.folder.site(SITE).path,
                self.disk,
                (volume, self.hub.volume),
                lambda: self.is_line_up and box.line is not None and not box.line.is_cut,
                self.chance,
            )

        box = Box(config, clock, volume, self.disk, lambda: self.connect(box), children, machine)
        self.boxes.append(box)
        return box

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

    def person(self, work: Callable[[], None], box: Box | None = None) -> bool:
        """Somebody's process on the box. False when it was killed or failed."""
        box = box or self.box
        try:
            with self.disk.on(box.volume):
                work()
        except Killed:
            self.box_dies(box)
            return False
        except (SongshanError, OSError) as error:
            self.trace(f"  refused: {error}")
            return False
        return True

    def box_dies(self, box: Box | None = None, *, with_power: bool | None = None) -> None:
        """The agent's process ends without a last word, or the whole machine does."""
        box = box or self.box
        power = self.power_goes if with_power is None else with_power
        self.trace(f"  {box.config.home.name} dies{' with its power' if power else ''}")
        box.leave()
        self.cut(box)
        if power:
            box.lose_power(self.chance)
        box.volume.boot()
        box.boots_in = 0 if self.is_calm else self.chance.randint(0, 2)

    def hub_dies(self, *, with_power: bool | None = None) -> None:
        """What runs at the hub ends, or its whole machine."""
        power = self.power_goes if with_power is None else with_power
        self.trace(f"  hub dies{' with its power' if power else ''}")
        self.hub.hang_up()
        if power:
            # Whoever was talking to it, as a box that dials, runs on.
            with self.disk.on(None):
                self.hub.volume.cut(self.chance)
        self.hub.volume.boot()

    def cut(self, box: Box | None = None) -> None:
        """The line breaks, with what is on it: that of one box, or every one."""
        for each in [box] if box is not None else self.boxes:
            if each.line is not None:
                each.line.cut(self.chance)
                each.line = None

    def say_again(self) -> None:
        """Lines of before come once more, in any order. One that is signed with a former key is as good as forged."""
        lines = [box.line for box in self.boxes if box.line is not None and not box.line.is_cut]
        if not lines:
            return
        on, way = self.chance.choice(lines), self.chance.choice(("up", "down"))
        self.is_forged = self.is_forged or bool(keys.rotations(self.hub.folder))
        for line in self.chance.sample(list(self.said[way]), min(2, len(self.said[way]))):
            self.trace(f"  again, {way}: {line[:60].decode(errors='replace')}")
            on.repeat(way, line)

    def forge(self, how: str) -> None:
        """Let the next batch of which that can be made arrive as another one. Whoever reads it closes the stream until
        it is greeted anew; so the line is cut when it is calm."""
        boxes = [box for box in self.boxes if box.line is not None]
        if not boxes:
            return
        self.is_forged, box = True, self.chance.choice(boxes)

        def made(way: str, line: bytes) -> bytes | None:
            other = forged(how, line, self.chance, self._thief(box, way))
            if other is not None:
                self.trace(f"  forged, {way}: {line[:60].decode(errors='replace')}")
            return other

        assert box.line is not None
        box.line.forge = made

    def _thief(self, box: Box, way: str) -> Ed25519PrivateKey:
        """Whose key somebody on the line has: the hub's former one, to a box that knows it has gone."""
        if way == "up" or not self.former_keys:
            return STRANGER
        former = self.former_keys[-1]
        return STRANGER if self.trusts(box) == public_key_text(former.public_key()) else former

    def trusts(self, box: Box) -> str:
        """The hub's key by which a box judges, whether it runs or not."""
        assert box.config.hub is not None
        with reading(box.config.database) as db:
            return hub_keys.trusted(db, box.config.hub.sign_key)

    def connect(self, box: Box) -> SimulatedLine:
        if not self.is_line_up:
            raise UNREACHABLE
        line = SimulatedLine(partial(self._heard, box))
        running = self.disk._running
        if not self.hub.answer(line):
            if self.hub.volume.dead:
                self.hub_dies()
            assert self.disk._running is running
            raise UNREACHABLE
        box.line = line
        return line

    def _box_turn(self, box: Box) -> None:
        try:
            if box.agent is None:
                if box.boots_in > 0:
                    box.boots_in -= 1
                    return
                box.boot()
                self.trace(f"  {box.config.home.name} boots")
            box.turn()
        except Killed:
            self.box_dies(box)
        except (SongshanError, OSError) as error:
            # The agent ended with an error, as on a full disk; systemd starts it again.
            self.trace(f"  agent ends: {error}")
            box.leave()
            self.cut(box)
            box.volume.boot()
            box.boots_in = 1

    def _hub_turn(self) -> None:
        if self.hub.volume.dead:
            self.hub_dies()
        try:
            self.hub.turn()
        except Killed:
            self.hub_dies()

    def _carry(self) -> None:
        for line in (box.line for box in self.boxes if box.line is not None):
            if not self.is_calm:
                line.carry(self.chance)
                continue
            for way in (line.up, line.down):
                way.carry(len(way.on_the_way))

    def _heard(self, box: Box, way: str, line: bytes) -> None:
        if line.startswith(REPLAYABLE):
            self.said[way].append(line)
        for watch in self.watchers:
            watch(box, way, line)


@contextmanager
def pair(root: Path, seed: int) -> Iterator[Pair]:
    """A copy of the template `root/template`, with the disk in force."""
    place = root / f"{seed}"
    copytree(root / "template", place)
    with SimulatedDisk().in_force() as disk:
        hub_clock, box_clock = SimulatedClock(), SimulatedClock()
        hub = Hub(HubFolder(place / "hub", hub_clock), hub_clock, Volume(place / "hub"), disk)
        hub.gives_bytes_max = GIVES_BYTES_MAX[seed % len(GIVES_BYTES_MAX)]
        made = Pair(disk, Random(seed), hub)
        made.add(config_of(place, box_clock), box_clock, ONE)
        try:
            yield made
        finally:
            for box in made.boxes:
                box.leave()
