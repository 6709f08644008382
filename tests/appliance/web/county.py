"""A county box for tests: its folder, its database written by the store's own functions, its media."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlite_utils import Database

from appliance import files, spool
from appliance.config import ChannelConfig, Config, HubAddress, render
from appliance.core import records
from appliance.core.asset import Asset
from appliance.core.health import Agent, Link
from appliance.core.item import Item, SignOff
from appliance.core.moment import US, to_text
from appliance.core.stock import RenditionState
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import air, assets, facts, items
from appliance.store.database import open_for_writing, transaction
from tests.appliance import clips

SIGN_KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1fkVbmFw0zr6gfpmSrIqTq2qF0qGyu0bJ3V2Vn2V0A"
PICTURE = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xdb\x00C\x00"
    + b"\x08" * 64
    + b"\xff\xd9"
)


def now_us() -> int:
    return time.time_ns() // 1000


@dataclass
class County:
    """A box in a folder; what its agent would write is written by the test, as the agent does."""

    home: Path
    channels: tuple[ChannelConfig, ...] = ()
    config: Config = field(init=False)
    db: Database = field(init=False)

    def __post_init__(self) -> None:
        self.config = Config(
            home=self.home,
            run=self.home / "run",
            site="dengfeng",
            name="登封市融媒体中心",
            hub=HubAddress("songshan", "127.0.0.1", 22, "songshan", (HOST_KEY,), SIGN_KEY),
            channels=self.channels,
        )
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "appliance.toml").write_text(render(self.config))
        files.make_folders(self.config)
        spool.make_folders(self.config)
        self.db = open_for_writing(self.config.database)

    def close(self) -> None:
        """As when the agent ends."""
        self.db.close()

    def write(self, change: Callable[[Database], object]) -> None:
        """Change the database in one transaction."""
        with transaction(self.db):
            change(self.db)

    def bring(self, data: bytes, name: str, media_type: str, role: str, duration_s: float | None = None) -> Asset:
        """Have an asset on disk and served."""
        source = self.home / "source"
        source.write_bytes(data)
        digest, size_bytes = files.adopt_copy(self.config, source)
        source.unlink()
        asset = Asset(digest, size_bytes, name, media_type, role, duration_s)  # type: ignore[arg-type]
        moment = now_us()

        def note(db: Database) -> None:
            assets.want(db, asset, "test", moment)
            assets.arrived(db, digest, size_bytes, moment)

        self.write(note)
        files.publish_link(self.config, digest)
        return asset

    def publish(self, item_id: str, title: str = "嵩山深处秋色正浓", **more: object) -> Item:
        """Publish an item, as a record of the hub would."""
        moment = now_us()
        created_at = to_text(moment - 60 * US)
        fields = {"section": "news", "origin": "hub", "created_at": created_at, **more}
        signed = (SignOff("final", "审签", created_at),)
        item = Item(id=item_id, title=title, sign_offs=signed, **fields)  # type: ignore[arg-type]
        self.write(lambda db: items.keep(db, item, "published", moment))
        return item

    def say_link(self, state: str, since_s: float = 0.0) -> None:
        """What the agent last saw of the line to the hub."""
        moment = now_us()
        link = Link(state=state, hub="songshan", since_us=moment - int(since_s * US))  # type: ignore[arg-type]

        def note(db: Database) -> None:
            facts.set_status(db, link, moment)
            facts.set_status(db, Agent(state="running", pid=1, started_at_us=moment), moment)

        self.write(note)

    def package(self, name: str) -> Asset:
        """Have one of the test clips on disk in house format, as after it came from the hub."""
        made, data = clips.packaged(name)
        source = self.bring(clips.clip(name).read_bytes(), f"{name}.mp4", "video/mp4", "video", 1.0)
        rendition = self.bring(data, f"{name}.ts", "video/mp2t", "file")
        state = RenditionState(
            source=source.digest,
            profile=HOUSE_PROFILE,
            state="here",
            digest=rendition.digest,
            size_bytes=rendition.size_bytes,
            frames=made.rendition.frames,
        )
        self.write(lambda db: assets.set_rendition(db, state, made.segments))
        files.withdraw_link(self.config, rendition.digest)
        return source

    def go_on_air(self, fillers: Sequence[Asset], schedule: dict[str, Any] | None = None, hours: int = 1) -> None:
        """Have the channel on the air for two minutes already, with these fillers in turn and a schedule of the day."""
        channel = self.channels[0].id
        moment = now_us() - 120 * US

        def begin(db: Database) -> None:
            air.ensure_channel(db, channel, self.config.zone, moment)
            air.keep_clock(db)
            air.set_fillers(db, channel, [asset.digest for asset in fillers])
            if schedule is not None:
                document = msgspec.Raw(msgspec.json.encode(schedule))
                body = records.Schedule(
                    channel=channel, date=schedule["date"], version=schedule["version"], document=document
                )
                air.receive_schedule(db, body, self.config.zone, [channel], moment)
            air.recompile(db, channel, moment, hours)

        self.write(begin)

    def schedule(self, *entries: dict[str, Any]) -> dict[str, Any]:
        """Today's schedule of the channel, as its file would say it."""
        date = datetime.now(ZoneInfo(self.config.zone)).date().isoformat()
        return {"channel": self.channels[0].id, "date": date, "version": 1, "entries": list(entries)}
