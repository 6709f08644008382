"""The two sides as they are run: a hub and a box, made once as a template, copied for each seed, booted and killed."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from appliance import slate
from appliance.config import ChannelConfig, Config, HubAddress, Limits
from appliance.core.asset import Asset
from appliance.core.errors import HubUnreachable, SongshanError, Text
from appliance.core.journal import public_key_text
from appliance.core.ts import FRAMES_PER_S
from appliance.core.wire import GIVEN_BYTES_MAX
from appliance.durable import write_atomically
from appliance.packaging import examine
from edge_agent.agent import Agent
from edge_agent.boot import Machine, running
from edge_agent.watch import Wake
from provisioning import identity
from provisioning.hub.conversation import Conversation
from provisioning.hub.folder import HubFolder, HubSettings, render_settings
from provisioning.hub.library import Facts, Library
from provisioning.hub.sites import Site, write_site
from tests.simulators.children import SimulatedChildren
from tests.simulators.clock import SimulatedClock
from tests.simulators.disk import SYNCHRONOUS_FULL, Killed, SimulatedDisk, Volume
from tests.simulators.line import SimulatedLine

SITE = "dengfeng"
CLIP = Path(slate.__file__).with_name("sound.ts")
"""A packaged file that the software brings along."""
MEMORY = Path("/dev/shm")
ONE, OTHER = "a" * 64, "b" * 64
"""Two machines."""
_CHANNELS = (ChannelConfig("dengfeng-1", "登封综合"),)


@contextmanager
def template() -> Iterator[Path]:
    """A hub with one approved site, and that site's box as its first start left it; in memory where there is room."""
    root = Path(mkdtemp(prefix="songshan-sim-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        _make_hub(root / "template" / "hub")
        _make_box(root / "template")
        yield root
    finally:
        shutil.rmtree(root)


def _make_hub(path: Path) -> None:
    folder = HubFolder(path, SimulatedClock())
    for each in (
        folder.ssh,
        folder.journals,
        folder.assets,
        folder.renditions,
        folder.sites,
        folder.claims,
        folder.log,
    ):
        each.mkdir(parents=True)
    identity.make_key_files(folder.sign_key, "sign")
    settings = HubSettings(id="songshan", host="hub", port=22, user="songshan", key_valid_days=0)
    write_atomically(folder.settings_file, render_settings(settings).encode())
    _make_clip(folder)


def _make_clip(folder: HubFolder) -> None:
    """A clip with its rendition, as a publisher leaves them; nothing here needs an encoder."""
    library = Library(folder)
    made = examine(CLIP).rendition
    source = folder.path.with_name("clip.mp4")
    source.write_bytes(b"what the editor handed in")
    digest, size_bytes, _is_new = library.copy_in(source, 1 << 20)
    assert library.copy_in(CLIP, 1 << 20)[0] == made.digest
    asset = Asset(digest, size_bytes, "clip.mp4", "video/mp4", "video", made.frames / FRAMES_PER_S, made)
    library.keep_facts(Facts(asset))


def clip_of(folder: HubFolder) -> Asset:
    """What can be aired."""
    (facts,) = folder.renditions.glob("*.json")
    known = Library(folder).facts(f"sha256:{facts.stem}")
    assert known is not None
    return known.asset


def _make_box(template: Path) -> None:
    config = config_of(template, SimulatedClock())
    config.keys.mkdir(parents=True)
    identity.make_key_files(config.sign_key, "sign")
    with running(config, once=False, machine=Machine(watched=unwatched, fingerprint=lambda: ONE)):
        pass
    folder = HubFolder(template / "hub", SimulatedClock())
    site = Site(
        site=SITE,
        name="登封市融媒体中心",
        zone="Asia/Shanghai",
        channels=_CHANNELS,
        state="approved",
        enrolled_at="2026-11-01T00:00:00Z",
        sign_key=public_key_text(site_key(config).public_key()),
    )
    with folder.locked():
        write_site(folder, site)


def site_key(config: Config) -> Ed25519PrivateKey:
    return identity.read_private(config.sign_key)


def config_of(root: Path, clock: SimulatedClock, name: str = "box") -> Config:
    """The config of the box `name` beside the hub `root/hub`."""
    sign_key = public_key_text(identity.read_private(HubFolder(root / "hub").sign_key).public_key())
    home = root / name
    return Config(
        home=home,
        run=home / "run",
        site=SITE,
        name="登封市融媒体中心",
        hub=HubAddress("songshan", "hub", 22, "songshan", ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==",), sign_key),
        channels=_CHANNELS,
        limits=Limits(reserve_bytes=0, drop_settled_s=0.1),
        clock=clock,
    )


@contextmanager
def unwatched(_folders: Sequence[Path], _wake: Wake) -> Iterator[OSError | None]:
    """Every turn looks anyway."""
    yield None


def _put_back(image: Path, volume: Volume) -> None:
    shutil.rmtree(volume.root)
    shutil.copytree(image, volume.root)
    volume.settle()


@dataclass
class Gate:
    """The process of one session at the hub. `is_followed`: a newer session of the site has begun, which this one sees
    when it looks, once a second."""

    conversation: Conversation
    line: SimulatedLine
    is_followed: bool = False


@dataclass
class Hub:
    """The hub's machine. A gate lives as long as its line does, or a turn longer than the next one's beginning."""

    folder: HubFolder
    clock: SimulatedClock
    volume: Volume
    disk: SimulatedDisk
    gates: list[Gate] = field(default_factory=list)
    gives_bytes_max: int = GIVEN_BYTES_MAX
    """What is larger comes by rsync; 0: a hub that knows no other way."""

    def answer(self, line: SimulatedLine) -> bool:
        """The gate of a new session; the one before ends. False when it could not begin."""
        for gate in self.gates:
            gate.is_followed = True
        with self.disk.on(self.volume):
            try:
                self.gates.append(Gate(Conversation(self.folder, SITE, self.gives_bytes_max), line))
            except (SongshanError, OSError):
                return False
            except Killed:
                return False
        return True

    def turn(self) -> None:
        """What the gates do when they wake. Raises Killed."""
        for gate in list(self.gates):
            self._turn(gate)

    def _turn(self, gate: Gate) -> None:
        conversation, line = gate.conversation, gate.line
        try:
            with self.disk.on(self.volume):
                data = line.up.take()
                if data:
                    conversation.receive(data)
                if gate.is_followed:
                    conversation.bye(_FOLLOWED)
                conversation.turn()
                line.say("down", conversation.data_to_send())
        except (SongshanError, OSError):
            # The gate ends with an error, and sshd closes the line.
            self._end(gate)
            return
        if line.is_cut or conversation.is_over:
            self._end(gate)

    def put_back(self, image: Path) -> None:
        """After `hang_up`: the disk is an older copy of itself."""
        _put_back(image, self.volume)

    def hang_up(self) -> None:
        for gate in list(self.gates):
            self._end(gate)

    def _end(self, gate: Gate) -> None:
        gate.line.is_cut = True
        self.gates.remove(gate)


@dataclass
class Dialled:
    """An attempt that is answered at once."""

    connect: Callable[[], SimulatedLine]

    def answer(self) -> SimulatedLine | HubUnreachable:
        try:
            return self.connect()
        except HubUnreachable as error:
            return error

    def give_up(self) -> None:
        """There is nothing to wait for."""


@dataclass
class Box:
    """The box's machine. `agent` is None while it is down."""

    config: Config
    clock: SimulatedClock
    volume: Volume
    disk: SimulatedDisk
    connect: Callable[[], SimulatedLine]
    children: Callable[[], SimulatedChildren]
    machine: str = ONE
    """What the hub tells this machine from another by."""
    agent: Agent | None = None
    line: SimulatedLine | None = None
    boots_in: int = 0
    """Rounds until the machine starts it again."""
    _stack: ExitStack = field(default_factory=ExitStack)
    _before: bytes = b""
    """The database as it was at the last boot."""
    _is_durable: bool = True

    @property
    def db(self) -> Database:
        assert self.agent is not None
        return self.agent.world.db

    def boot(self) -> None:
        """Start the agent on what the disk has. Raises Killed, or what stops the start; then it is down."""
        self.volume.boot()
        self._before = self.config.database.read_bytes()
        self._stack = ExitStack()
        dial = lambda _hub, _key, _wake: Dialled(self.connect)  # noqa: E731
        machine = Machine(self.children, dial, unwatched, lambda: self.machine)
        try:
            with self.disk.on(self.volume):
                self.agent = self._stack.enter_context(running(self.config, once=False, machine=machine))
            self._is_durable = self.db.execute("PRAGMA synchronous").fetchone()[0] >= SYNCHRONOUS_FULL
        except BaseException:
            self.leave()
            raise

    def turn(self) -> None:
        """Once around. Raises Killed."""
        assert self.agent is not None
        with self.disk.on(self.volume):
            self.agent.turn()

    def put_back(self, image: Path) -> None:
        """After `leave`: the disk is an older copy of itself."""
        _put_back(image, self.volume)
        self.clock.start_anew()

    def lose_power(self, chance: Random) -> None:
        """After `leave`: the disk keeps what was durable. A database that does not wait for it loses what it said."""
        self.volume.cut(chance)
        if not self._is_durable and chance.random() < 0.5:
            self.config.database.write_bytes(self._before)
        self.clock.start_anew()

    def leave(self) -> None:
        """The process is gone. Nothing that it would still do reaches the disk."""
        self.volume.dead, self.agent = True, None
        with self.disk.on(self.volume), suppress(Killed):
            self._stack.close()
        self._stack = ExitStack()


_FOLLOWED = Text("新会话已开始", "followed by a newer session")
UNREACHABLE = HubUnreachable(Text("连不上嵩山云", "the hub cannot be reached"))
