"""What people do and what befalls the machines: one action each, drawn by the seed."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from appliance import spool
from appliance.core import command as commands
from appliance.core import moment, records
from appliance.core.airtime import is_plausible
from appliance.core.item import Item, SignOff
from appliance.core.journal import Record
from appliance.durable import write_atomically
from provisioning import identity
from provisioning.hub import publish, recalls, redactions, rotation
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library
from provisioning.hub.sites import all_sites
from tests.simulation.at_box import HUB_STREAMS, OWN
from tests.simulation.backups import Backups
from tests.simulation.forging import WAYS
from tests.simulation.oracle import Oracle
from tests.simulation.pair import Pair
from tests.simulation.sides import SITE, clip_of
from tests.simulation.sticks import Sticks
from tests.simulation.words import new_word, places_of
from tests.simulators.disk import rewrite
from tests.simulators.hub import START_US

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
IN_1970: Final = 40 * SECOND
IN_2037: Final = 2_114_380_800 * SECOND
BYTES_MAX: Final = 6000
KILL_WITHIN: Final = 40
"""Calls that change the disk: a turn with something to do makes about so many."""
BIG: Final = 1 << 40
BY: Final = "值班"
ROTATIONS_MOST: Final = 2


class Scene:
    """One seed's people, files and faults."""

    def __init__(self, pair: Pair, oracle: Oracle) -> None:
        self.pair, self.oracle, self.chance = pair, oracle, pair.chance
        self.desk = pair.box.config.home.with_name("desk")
        self.desk.mkdir()
        self.items: list[str] = []
        self.offers: list[str] = []
        self.orders: list[str] = []
        self.contents: list[bytes] = []
        self.count = 0
        self.streams: dict[str, str] = {}
        self.backups = Backups(pair, oracle)
        self.sticks = Sticks(pair, self.put, lambda: self.by, oracle.note_written)
        self.by = pair.box
        """Whose people are at work: the site may have two machines."""

    def act(self) -> None:
        """Do one thing."""
        names = list(ACTIONS)
        name = self.chance.choices(names, [ACTIONS[each][0] for each in names])[0]
        self.pair.trace(name)
        self.by = self.chance.choice(self.pair.boxes)
        ACTIONS[name][1](self)

    def next(self, word: str) -> str:
        self.count += 1
        return f"{word}-{self.count}"

    def files(self, most: int = 2) -> list[str]:
        """New files on somebody's desk; now and then one with the bytes of an older one."""
        made = []
        for _file in range(self.chance.randint(1, most)):
            again = self.contents and self.chance.random() < 0.2
            content = (
                self.chance.choice(self.contents) if again else self.chance.randbytes(self.chance.randint(1, BYTES_MAX))
            )
            self.contents.append(content)
            path = self.desk / self.next("file")
            path.write_bytes(content)
            made.append(str(path))
        return made

    # --- the hub's people ---

    def publish(self) -> None:
        self._send(self.next("i"), self.chance.choice(("all", SITE)), self.items, offer=False)

    def offer(self) -> None:
        self._send(self.next("o"), "all", self.offers, offer=True)

    def publish_again(self) -> None:
        if self.items:
            name = self.chance.choice(self.items)
            self._send(name, self.streams[name], self.items, offer=False)

    def _send(self, name: str, to: str, into: list[str], *, offer: bool) -> None:
        self.streams[name] = to
        files, said = self.files(), new_word(self.chance)

        def work(folder: HubFolder) -> None:
            at = moment.to_text(folder.now_us())
            item = Item(name, name, "news", "hub", at, summary=said, sign_offs=(SignOff("final", "songshan", at),))
            assets = publish.files_as_assets(folder, [self.desk / each for each in files], BIG)
            unique = tuple({asset.digest: asset for asset in assets}.values())
            publish.send_item(folder, replace(item, assets=unique), to, all_sites(folder), offer)

        self.pair.operator(work)
        if name not in into:
            into.append(name)

    def order(self) -> None:
        name = self.next("ord")
        to = self.chance.choice(("all", SITE))
        body = records.Order(name, name, new_word(self.chance), None)
        self.pair.operator(lambda folder: HubJournals(folder).append(f"{to}/control", "order", name, body))
        self.orders.append(name)

    def schedule(self) -> None:
        """A schedule of the next hours, or a break-in. No filler: one of two seconds is played fifty thousand times."""
        if not is_plausible(self.pair.hub.clock.now_us):
            return
        clip = clip_of(self.pair.hub.folder)
        channel = self.pair.box.config.channels[0].id
        begins = datetime.fromtimestamp(self.pair.hub.clock.now_us // SECOND + 600, ZoneInfo("Asia/Shanghai"))
        self.count += 1
        entries = [
            {
                "id": "e1",
                "start": f"{begins:%H:%M:%S}",
                "start_type": "hard",
                "kind": "programme",
                "asset": clip.digest,
            },
            {"id": "e2", "start_type": "follow", "kind": "programme", "asset": clip.digest},
        ]
        document = {"channel": channel, "date": f"{begins:%Y-%m-%d}", "version": self.count, "entries": entries}
        raw = msgspec.Raw(msgspec.json.encode(document))
        until = moment.to_text(self.pair.hub.clock.now_us + 3600 * SECOND)
        kind, body = self.chance.choice(
            (
                ("schedule", records.Schedule(channel, f"{begins:%Y-%m-%d}", self.count, raw, (clip,))),
                ("insert", records.Insert(f"in-{self.count}", channel, clip, until)),
            )
        )

        def work(folder: HubFolder) -> None:
            with HubJournals(folder).writing() as pen:
                Library(folder).let_read(SITE, (clip,))
                pen.append(f"{SITE}/{'control' if kind == 'insert' else 'content'}", kind, channel, body)

        self.pair.trace(f"  {kind}")
        self.pair.operator(work)

    def recall(self) -> None:
        targets = [*self.items, *self.offers]
        if self.chance.random() < 0.5:
            # What went out by mistake is noticed soon.
            targets = self.chance.choice((self.items, self.offers))[-1:]
        if self.oracle.at_hub.kept_by_hub() and self.chance.random() < 0.2:
            targets = sorted(self.oracle.at_hub.kept_by_hub())
        if targets:
            target = self.chance.choice(targets)
            if self.pair.operator(lambda folder: recalls.recall(folder, target, "误发")):
                self.oracle.was_recalled(target)

    def redact(self) -> None:
        """Somebody's name stands where it must not."""
        streams = (*HUB_STREAMS, OWN)
        places = places_of(self.pair.hub.folder, streams)
        if places:
            stream, epoch, seq = self.chance.choice(places)
            self.pair.trace(f"  {stream} {epoch}:{seq}")
            record = self._record(stream, (epoch, seq))
            target = record.header.again or record.hash
            # Broken off, it may have come to its end, or be finished by whoever looks next.
            self.oracle.asked.add(target)
            if self.pair.operator(lambda folder: redactions.order(folder, stream, epoch, seq, "含个人信息")):
                control = HubJournals(self.pair.hub.folder).stream(f"{stream.partition('/')[0]}/control")
                self.oracle.redacted[list(control.records())[-1].hash] = target

    def _record(self, stream: str, place: tuple[int, int]) -> Record:
        found = HubJournals(self.pair.hub.folder).stream(stream).records()
        return next(record for record in found if record.header.place == place)

    def rotate(self) -> None:
        """The hub signs with another key from now on. Not before the counties have given back what a hub that came back
        from a backup lacks: docs/operating.md says so."""
        if len(self.pair.former_keys) < ROTATIONS_MOST and not self.backups.is_hub_owed():
            path = self.pair.hub.folder.sign_key
            self.pair.former_keys.append(identity.read_private(path))
            self.pair.former_files.add(path.read_bytes())
            self.pair.operator(lambda folder: list(rotation.steps(folder)))

    # --- the county's people ---

    def put(self, command: commands.Command, files: list[str] | None = None) -> None:
        config, put = self.by.config, self.oracle.at(self.by).put
        attachments = [self.desk / each for each in files or ()]

        def work() -> None:
            name = spool.put(config, command, attachments)
            put[name] = type(command).__name__

        self.pair.person(work, self.by)

    def at(self) -> str:
        return moment.to_text(self.by.clock.wall_us())

    def submit(self) -> None:
        files = self.files(1)
        names = tuple(Path(each).name for each in files)
        self.put(commands.Submit(files=names, title=new_word(self.chance), by=BY, via="cli", at=self.at()), files)

    def drop(self) -> None:
        content = self.chance.randbytes(self.chance.randint(1, BYTES_MAX))
        path = self.by.config.drop / self.next("投稿")
        self.pair.person(lambda: write_atomically(path, content), self.by)

    def tip(self) -> None:
        self.put(commands.Tip(text=new_word(self.chance), by=BY, via="cli", at=self.at()))

    def take(self) -> None:
        if self.offers:
            self.put(commands.Take(item=self.chance.choice(self.offers), by=BY, via="cli", at=self.at()))

    def untake(self) -> None:
        if self.offers:
            self.put(commands.Untake(item=self.chance.choice(self.offers), by=BY, via="cli", at=self.at()))

    def answer(self) -> None:
        if self.orders:
            self.put(
                commands.Answer(order=self.chance.choice(self.orders), answer="done", by=BY, via="cli", at=self.at())
            )

    # --- faults ---

    def cut(self) -> None:
        self.pair.cut(self.by)

    def line(self) -> None:
        self.pair.is_line_up = not self.pair.is_line_up
        if not self.pair.is_line_up:
            self.pair.cut()
        self.pair.trace(f"  line {'up' if self.pair.is_line_up else 'down'}")

    def kill(self) -> None:
        volume = self.chance.choice((self.by.volume, self.by.volume, self.pair.hub.volume))
        self.pair.power_goes = self.chance.random() < 0.6
        volume.kill_after(self.chance.randint(0, KILL_WITHIN))

    def power_cut(self) -> None:
        if self.chance.random() < 0.6:
            self.pair.box_dies(self.by, with_power=True)
        else:
            self.pair.hub_dies(with_power=True)

    def fill(self) -> None:
        volume = self.chance.choice((self.by.volume, self.pair.hub.volume))
        with self.pair.disk.on(volume):
            volume.set_full(not volume.full)
        self.pair.trace(f"  {volume.root.name} {'is full' if volume.full else 'has room'}")

    def fail(self) -> None:
        volume = self.chance.choice((self.by.volume, self.pair.hub.volume))
        volume.failing = self.chance.randint(0, 20)

    def flip(self) -> None:
        """A bit turns in an asset of the box, or in what has just come in on either side and was not looked at yet."""
        self.chance.choice((self._flip_asset, self._flip_arrived))()

    def _flip_arrived(self) -> None:
        site = self.pair.hub.folder.site(SITE)
        found = [path for folder in (self.by.config.incoming, site.incoming) for path in folder.iterdir()]
        found = sorted(path for path in found if len(path.name) == 64 and path.stat().st_size)
        if found:
            self._turn_a_bit(self.chance.choice(found))

    def _turn_a_bit(self, path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[self.chance.randrange(len(content))] ^= 1 << self.chance.randrange(8)
        rewrite(path, bytes(content))
        for volume in self.pair.volumes:
            if path.stat().st_ino in volume.contents:
                volume.contents[path.stat().st_ino] = bytes(content)
        self.pair.trace(f"  {path.parent.name}/{path.name[:8]}")

    def _flip_asset(self) -> None:
        media = self.by.config.media
        found = sorted(path for path in media.glob("[0-9a-f][0-9a-f]/*") if len(path.name) == 64)
        # The only copy of what has still to go up cannot be had again from anywhere.
        found = [path for path in found if f"sha256:{path.name}" in self.oracle.at_hub.kept_by_hub()]
        if not found:
            return
        path = self.chance.choice(found)
        self._turn_a_bit(path)
        self.oracle.flipped |= {str(path), str(self.by.config.public / path.name)}

    def clock(self) -> None:
        clock = self.chance.choice((self.by.clock, self.pair.hub.clock))
        to_us = self.chance.choice((IN_1970, IN_2037, clock.now_us - 3600 * SECOND, START_US + DAY))
        clock.step_to(to_us)
        self.pair.trace(f"  to {moment.to_text(to_us)}")

    def wait(self) -> None:
        passed_us = self.chance.choice((60 * SECOND, 3600 * SECOND, DAY, 31 * DAY))
        self.pair.round(passed_us)

    def keep_image(self) -> None:
        if not self.oracle.twins:
            self.backups.keep(self.chance.choice((self.pair.box.volume, self.pair.hub.volume)))

    def restore(self) -> None:
        self.backups.restore()

    def stick(self) -> None:
        """A county lives on a stick, beside its line or without one."""
        self.sticks.trip()

    def clone(self) -> None:
        """A copy of the box's disk runs in another machine beside it: the spare that somebody set up, and started."""
        if self.oracle.is_one_history:
            self.oracle.was_cloned(self.pair.clone())

    def choose(self) -> None:
        """The operator at the hub sees two machines, and says which one it is."""
        if self.oracle.twins:
            self.oracle.twins.choose()

    def say_again(self) -> None:
        self.pair.say_again()

    def forge(self) -> None:
        """Somebody on the line, or the memory of a machine on the way, makes another batch of the next."""
        way = self.chance.choice(WAYS)
        self.pair.trace(f"  {way}")
        self.pair.forge(way)


Action = Callable[[Scene], None]
ACTIONS: Final[dict[str, tuple[int, Action]]] = {
    "publish": (10, Scene.publish),
    "publish again": (4, Scene.publish_again),
    "offer": (5, Scene.offer),
    "order": (5, Scene.order),
    "schedule": (5, Scene.schedule),
    "recall": (5, Scene.recall),
    "redact": (4, Scene.redact),
    "rotate": (2, Scene.rotate),
    "submit": (6, Scene.submit),
    "drop": (3, Scene.drop),
    "tip": (4, Scene.tip),
    "take": (6, Scene.take),
    "untake": (2, Scene.untake),
    "answer": (3, Scene.answer),
    "cut": (5, Scene.cut),
    "line": (5, Scene.line),
    "kill": (12, Scene.kill),
    "power cut": (4, Scene.power_cut),
    "fill": (4, Scene.fill),
    "fail": (3, Scene.fail),
    "flip": (4, Scene.flip),
    "clock": (3, Scene.clock),
    "wait": (4, Scene.wait),
    "say again": (4, Scene.say_again),
    "forge": (6, Scene.forge),
    "keep image": (7, Scene.keep_image),
    "restore": (6, Scene.restore),
    "stick": (8, Scene.stick),
    "clone": (1, Scene.clone),
    "choose": (1, Scene.choose),
}


def pause_us(chance: Random) -> int:
    """Between two rounds."""
    return chance.choice((100_000, SECOND, 5 * SECOND, 20 * SECOND))
