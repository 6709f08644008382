"""What a technician sees and says of the air at the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from appliance import spool
from appliance.config import Config, render
from appliance.core import records
from appliance.core.command import Insert, Resume
from appliance.core.moment import to_text, to_us
from appliance.core.rundown import SLATE
from appliance.core.schedule import day_of
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import air, asrun
from appliance.store.database import transaction, writing
from tests.appliance.boxes import box, digest

SONGSHAN = str(Path(sys.executable).with_name("songshan"))
CHANNEL = "dengfeng-1"
ZONE = "Asia/Shanghai"


def songshan(config: Config, *arguments: str, language: str = "en") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SONGSHAN, "--home", config.home, *arguments],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "SONGSHAN_LANG": language},
    )  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A box an hour on the air, with one clip that is scheduled all day and plays every ten minutes."""
    made = box(tmp_path)
    (tmp_path / "appliance.toml").write_text(render(made))
    with writing(made.database) as db, transaction(db):
        now = air.keep_clock(db)
        air.ensure_channel(db, CHANNEL, ZONE, now - 3_600_000_000)
        db.conn.execute(
            "INSERT INTO renditions (source, profile, digest, size_bytes, frames, state, segments)"
            " VALUES (?, ?, ?, 1, 15000, 'here', x'00')",
            (digest("a"), HOUSE_PROFILE, digest("b")),
        )
        for day in (day_of(now - 3_600_000_000, ZONE), day_of(now + 3_600_000_000, ZONE)):
            entries = [
                {"id": f"e{n}", "start_type": "hard", "kind": "programme", "title": "早间新闻", "asset": digest("a"),
                 "start": f"{n // 6:02}:{n % 6}0:00"}
                for n in range(144)
            ]  # fmt: skip
            document = json.dumps({"channel": CHANNEL, "date": day, "version": 1, "entries": entries}).encode()
            body = records.Schedule(channel=CHANNEL, date=day, version=1, document=msgspec.Raw(document))
            air.receive_schedule(db, body, ZONE, [CHANNEL], now)
        air.recompile(db, CHANNEL, now - 3_600_000_000, 3)
        asrun.log_aired(db, CHANNEL, now)
    return made


def test_ledger_for_people_and_programs(config: Config) -> None:
    """What will play is asked in the evening by somebody in a hurry, and every minute by a monitor."""
    told = json.loads(songshan(config, "ledger", CHANNEL, "--json").stdout)
    rows = told["rows"]
    assert told["channel"] == CHANNEL and rows[0]["start"] <= told["now"] < rows[0]["end"]
    assert {row["source"] for row in rows[1:]} == {digest("a")}
    assert all(row["kind"] == "programme" and row["planned"] for row in rows[1:])
    assert all(row["last_msn"] - row["first_msn"] + 1 == row["segments"] for row in rows)
    zh = songshan(config, "ledger", CHANNEL, language="zh").stdout.splitlines()
    en = songshan(config, "ledger", CHANNEL).stdout.splitlines()
    assert len(zh) == len(en) == len(rows) + 1
    assert zh[0] == "在播：节目单第 1 版" and en[0] == "on air: schedule version 1"
    assert told["on_air"] == {"plan": "schedule", "version": 1, "next_version": None, "next_version_at": None}
    assert told["losses"] == [] and all(gap["planned"] for gap in told["gaps"])
    assert "节目 早间新闻" in zh[-1] and "600.00 s programme 早间新闻" in en[-1]


def test_ledger_of_a_time(config: Config) -> None:
    """The site's own clock, or a moment with its zone; beyond the ledger the slate is told, as readers see it."""
    times = ("--from", "2030-01-01T19:00", "--to", "2030-01-01T11:05:00Z")
    told = json.loads(songshan(config, "ledger", CHANNEL, *times, "--json").stdout)
    assert [row["rendition"] for row in told["rows"]] == [SLATE]
    for wrong in ("tomorrow", "25:00", "19:00:00:00"):
        assert songshan(config, "ledger", CHANNEL, "--from", wrong).returncode == 2
    assert songshan(config, "ledger", CHANNEL, "--from", "12:00", "--to", "11:00").returncode == 2


def test_asrun_of_a_day(config: Config) -> None:
    """What the supervisor asks for."""
    days = [day_of(air_us, ZONE) for air_us in _around_now(config)]
    answers = [songshan(config, "asrun", CHANNEL, "--date", day, "--json").stdout for day in days]
    rows = [row for answer in answers for row in json.loads(answer)["rows"]]
    assert any(row["status"] == ["Aired Without Discrepancy"] and row["kind"] == "programme" for row in rows)
    text = "".join(songshan(config, "asrun", CHANNEL, "--date", day).stdout for day in days)
    assert "programme 早间新闻 Aired Without Discrepancy" in text
    assert "nothing is logged" in songshan(config, "asrun", CHANNEL, "--date", "2001-01-01").stdout
    assert songshan(config, "asrun", CHANNEL, "--date", "2001-02-30").returncode == 2


def _around_now(config: Config) -> list[int]:
    with writing(config.database) as db:
        now = air.now_us(db)
    return sorted({day_of(now - 3_600_000_000, ZONE): now - 3_600_000_000, day_of(now, ZONE): now}.values())


def test_an_unknown_channel_is_wrong_use(config: Config) -> None:
    """With the channels that there are as a hint."""
    for command in (["ledger", "x-1"], ["asrun", "x-1"], ["air", "insert", "x-1", "a" * 64], ["air", "resume", "x-1"]):
        said = songshan(config, *command)
        assert (said.returncode, CHANNEL in said.stderr) == (2, True)


def test_insert_and_resume_lie_in_the_spool(config: Config) -> None:
    """The local emergency button works with the agent down and the line cut: what was asked is kept."""
    times = ("--at", "19:00", "--until", "19:05:00")
    said = songshan(config, "air", "insert", CHANNEL, digest("a")[7:], *times, "--reason", "防汛")
    assert said.returncode == 0, said.stderr
    assert songshan(config, "air", "resume", CHANNEL).returncode == 0
    commands = [spool.read(config, name)[0] for name in spool.pending(config)]
    insert = next(command for command in commands if isinstance(command, Insert))
    assert (insert.channel, insert.digest, insert.reason, insert.via) == (CHANNEL, digest("a"), "防汛", "cli")
    today = day_of(_around_now(config)[-1], ZONE)
    assert insert.at_air == to_text(to_us(f"{today}T19:00:00+08:00"))
    assert any(isinstance(command, Resume) for command in commands)
    assert songshan(config, "air", "insert", CHANNEL, "sha256:12").returncode == 2


def test_without_a_database_it_says_what_to_do(tmp_path: Path) -> None:
    """A box that was never started has no ledger, and that is no traceback."""
    (tmp_path / "appliance.toml").write_text(render(box(tmp_path)))
    said = songshan(box(tmp_path), "ledger", CHANNEL)
    assert said.returncode == 1 and "songshan agent" in said.stderr and "Traceback" not in said.stderr
