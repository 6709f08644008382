"""Readiness of real schedules against what the database says is here."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlite_utils import Database

from appliance.config import Config
from appliance.core import records
from appliance.core.health import Link
from appliance.core.readiness import Ready
from appliance.core.stock import RenditionState, Transfer
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import air, assets, facts, items
from appliance.store.database import transaction, writing
from appliance.store.readiness import readiness_of
from tests.appliance.boxes import S, asset, box, digest

CHANNEL, ZONE = "dengfeng-1", "Asia/Shanghai"


def schedule(day: datetime, *entries: dict[str, object]) -> records.Schedule:
    date = f"{day:%Y-%m-%d}"
    document = {"channel": CHANNEL, "date": date, "version": 1, "entries": list(entries)}
    return records.Schedule(channel=CHANNEL, date=date, version=1, document=msgspec.Raw(json.dumps(document).encode()))


def now_us() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return box(tmp_path)


def tomorrow() -> datetime:
    return datetime.now(UTC).astimezone(ZoneInfo(ZONE)) + timedelta(days=1)


def fill(db: Database) -> None:
    """A schedule of three clips tomorrow: one here, one on its way, one that failed."""
    lines: list[dict[str, object]] = [
        {
            "id": f"e{number}",
            "start_type": "follow",
            "kind": "programme",
            "title": f"节目{number}",
            "asset": digest(each),
        }
        for number, each in enumerate("abc")
    ]
    lines[0] |= {"start": "00:10:00", "start_type": "hard"}
    with transaction(db):
        air.ensure_channel(db, CHANNEL, ZONE, now_us())
        air.receive_schedule(db, schedule(tomorrow(), *lines), ZONE, [CHANNEL], now_us())
        for letter, state in (("a", "here"), ("b", "wanted"), ("c", "failed")):
            assets.want(db, asset(letter), "air", now_us())
            made = RenditionState(
                source=digest(letter),
                profile=HOUSE_PROFILE,
                state=state,  # type: ignore[arg-type]
                digest=digest({"a": "d", "b": "e", "c": "f"}[letter]),
                frames=250,
            )
            assets.set_rendition(db, made, b"segments")
        assets.set_transfer(
            db, Transfer(digest=digest("e"), direction="down", size_bytes=1000, rate_bytes_per_s=1000.0)
        )
        facts.set_status(db, Link(state="connected"), now_us())


def look(db: Database, config: Config) -> dict[str, Ready]:
    moment = now_us()
    return {row.title: row for row in readiness_of(db, config, [CHANNEL], moment, moment + 48 * 3600 * S)}


def test_each_entry_of_tomorrow_is_told_with_its_start_and_state(config: Config) -> None:
    """The technician sees tonight what will be missing tomorrow."""
    with writing(config.database) as db:
        fill(db)
        found = look(db, config)
        assert {title: row.state for title, row in found.items()} == {
            "节目0": "ready",
            "节目1": "ready_by",
            "节目2": "cannot",
        }
        assert found["节目1"].start_us - found["节目0"].start_us == 10 * S
        assert [row.start_us for row in found.values()] == sorted(row.start_us for row in found.values())
        coming = facts.snapshot(db, config, now_us()).coming
        assert {entry.title for entry in coming} <= {"节目1", "节目2"}


def test_with_the_line_down_nothing_on_its_way_is_promised(config: Config) -> None:
    """And what the agent said of the line a day ago is not believed."""
    with writing(config.database) as db:
        fill(db)
        facts.set_status(db, Link(state="offline"), now_us())
        assert look(db, config)["节目1"].state == "cannot"
        facts.set_status(db, Link(state="connected"), now_us() - 24 * 3600 * S)
        assert look(db, config)["节目1"].state == "cannot"


def test_a_recalled_clip_cannot_air_though_it_is_on_disk(config: Config) -> None:
    """The schedule may still name it."""
    with writing(config.database) as db:
        fill(db)
        items.recall(db, digest("a"), "侵权", now_us())
        row = look(db, config)["节目0"]
        assert (row.state, row.reason.en if row.reason else "") == ("cannot", "recalled")


def test_what_is_on_disk_and_not_yet_looked_at_is_not_called_ready(config: Config) -> None:
    """Green means that the air can use it."""
    with writing(config.database) as db:
        fill(db)
        db.execute("UPDATE renditions SET segments = NULL WHERE source = ?", (digest("a"),))
        assert look(db, config)["节目0"].state == "ready_by"


def test_a_channel_without_a_schedule_has_nothing_coming(config: Config) -> None:
    """And no channel at all neither."""
    with writing(config.database) as db:
        assert look(db, config) == {}
        air.ensure_channel(db, CHANNEL, ZONE, now_us())
        assert [row for row in look(db, config).values() if row.kind != "filler"] == []
