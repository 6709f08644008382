"""`status` and `readiness` tell the same facts to people and to programs, also when nothing runs."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance.config import Config, render
from appliance.core.health import Agent, Link
from appliance.core.stock import RenditionState
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import assets, facts
from appliance.store.database import writing
from tests.appliance.boxes import asset, box, digest

SONGSHAN = str(Path(sys.executable).with_name("songshan"))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = box(tmp_path)
    (tmp_path / "appliance.toml").write_text(render(made))
    return made


def songshan(config: Config, *arguments: str, lang: str = "en") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SONGSHAN, "--home", config.home, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "SONGSHAN_LANG": lang},
    )


def now_us() -> int:
    return time.time_ns() // 1000


def test_status_of_a_box_on_which_nothing_runs(config: Config) -> None:
    """The command that is typed first when something is wrong must not itself go wrong."""
    done = songshan(config, "status")
    assert done.returncode == 0
    assert "[RED] there is no database" in done.stdout
    told = json.loads(songshan(config, "status", "--json").stdout)
    assert (told["severity"], told["agent"]["state"], told["alarms"][0]["id"]) == ("red", "never", "database")


def test_status_says_the_same_in_both_languages_and_in_numbered_lines(config: Config) -> None:
    """As many facts in each."""
    with writing(config.database) as db:
        facts.set_status(db, Agent(pid=1), now_us())
        facts.set_status(db, Link(state="connected", round_trip_ms=12), now_us())
    chinese = songshan(config, "status", lang="zh").stdout.splitlines()
    english = songshan(config, "status").stdout.splitlines()
    plain = songshan(config, "status", "--plain").stdout.splitlines()
    assert len(chinese) == len(english) == len(plain)
    assert [line.split(".")[0] for line in plain] == [str(number + 1) for number in range(len(plain))]
    assert any("已连接 12 ms" in line for line in chinese)
    assert any("connected 12 ms" in line for line in english)


def test_status_for_programs_has_stable_keys(config: Config) -> None:
    """Scripts and the fleet screen rely on these."""
    told = json.loads(songshan(config, "status", "--json").stdout)
    assert set(told) == {
        "site", "name", "zone", "now", "version", "on_air", "coming", "link", "sync", "storage", "carrying", "clock",
        "machine", "packaging", "live", "agent", "alarms", "submissions", "orders", "severity", "outputs", "lost",
            "refused", "backup", "release", "web", "key",
    }  # fmt: skip
    assert told["now"].endswith("Z")
    assert told["storage"]["free_bytes"] > 0


def test_readiness_of_an_asset_whatever_the_schedule_says(config: Config) -> None:
    """An editor asks whether a clip could air."""
    with writing(config.database) as db:
        for letter, state in (("a", "here"), ("b", "failed")):
            assets.want(db, asset(letter), "item", now_us())
            made = RenditionState(
                source=digest(letter), profile=HOUSE_PROFILE, state=state, digest=digest("d"), frames=5
            )  # type: ignore[arg-type]
            assets.set_rendition(db, made, b"segments")
    asked = [word for letter in "abc" for word in ("--asset", digest(letter))]
    told = json.loads(songshan(config, "readiness", *asked, "--json").stdout)["assets"]
    assert [(each["digest"], each["state"]) for each in told] == [
        (digest("a"), "ready"),
        (digest("b"), "cannot"),
        (digest("c"), "cannot"),
    ]
    assert "cannot" in songshan(config, "readiness", "--asset", "c" * 64).stdout
    assert songshan(config, "readiness", "--asset", "../x").returncode == 2


def test_readiness_of_a_channel_that_is_not_there(config: Config) -> None:
    """Wrong use, with the channels that there are."""
    done = songshan(config, "readiness", "dengfeng-9")
    assert (done.returncode, "dengfeng-1" in done.stderr) == (2, True)


def test_readiness_without_a_schedule_says_so(config: Config) -> None:
    """An empty answer looks like a broken command."""
    writing(config.database).__enter__().close()
    assert "nothing is coming" in songshan(config, "readiness").stdout
    told = json.loads(songshan(config, "readiness", "--json").stdout)
    assert told["entries"] == []


def test_status_shows_the_output_for_a_modulator_without_agent_and_database(config: Config) -> None:
    """Whether anything is sent is asked when everything else is gone."""
    channel = dataclasses.replace(config.channels[0], udp="239.0.0.1:5000")
    (config.home / "appliance.toml").write_text(render(dataclasses.replace(config, channels=(channel,))))
    told = json.loads(songshan(config, "status", "--json").stdout)
    assert [(one["channel"], one["sender"]) for one in told["outputs"]] == [(channel.id, None)]
    assert f"output:{channel.id}" in {alarm["id"] for alarm in told["alarms"]}
    assert "nobody sends" in songshan(config, "status").stdout
