"""`songshan cache` answers a technician's two questions: why is this here, and what goes next."""

import json
from pathlib import Path

import pytest

from appliance.commands.cache import report_of
from appliance.config import Config, render
from appliance.store import assets, items
from appliance.store.database import writing
from tests.appliance.boxes import AT_US, asset, box, digest, item
from tests.appliance.commands.test_facts import songshan


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A box with a published story, two assets that nothing uses, and something in quarantine; no agent runs."""
    made = box(tmp_path)
    (tmp_path / "appliance.toml").write_text(render(made))
    with writing(made.database) as db:
        for number, letter in enumerate("abc"):
            assets.want(db, asset(letter), "item", AT_US + number)
            assets.arrived(db, digest(letter), 5 + number, AT_US + number)
        items.keep(db, item("i1", assets=(asset("a"),), title="嵩山秋色"), "published", AT_US)
    made.quarantine.mkdir(parents=True)
    (made.quarantine / ("d" * 64)).write_bytes(b"12345678")
    (made.quarantine / ("e" * 64 + ".unreadable")).write_bytes(b"1")
    return made


def test_programs_get_every_asset_with_its_reasons_and_its_turn(config: Config) -> None:
    """A fleet's scripts ask the same as a person."""
    told = json.loads(songshan(config, "cache", "--json").stdout)
    assert [(each["digest"], each["goes"]) for each in told["assets"]] == [
        (digest("b"), 1),
        (digest("c"), 2),
        (digest("a"), None),
    ]
    assert told["assets"][2]["pins"] == [{"why": "item", "name": "嵩山秋色", "place": "i1", "at": None}]
    assert (told["pinned_bytes"], told["loose_bytes"], told["verified"]["size_bytes"]) == (5, 13, 18)
    assert [(each["digest"], each["is_readable"]) for each in told["quarantine"]] == [
        (digest("d"), True),
        (digest("e"), False),
    ]
    assert told["storage"]["reserve_bytes"] == config.limits.reserve_bytes


def test_people_read_what_goes_next_and_why_one_stays(config: Config) -> None:
    """In their language."""
    overview = songshan(config, "cache").stdout
    assert "when room is short these go" in overview
    assert overview.index(digest("b")) < overview.index(digest("c"))
    assert digest("a") not in overview
    assert "in use: item i1 '嵩山秋色'" in songshan(config, "cache", "--all").stdout
    assert "在用：稿件 i1《嵩山秋色》" in songshan(config, "cache", digest("a"), lang="zh").stdout
    assert "it would go as number 2" in songshan(config, "cache", digest("c")).stdout
    assert "in quarantine" in songshan(config, "cache", digest("d")).stdout


def test_what_is_not_here_is_a_no_and_no_digest_is_wrong_use(config: Config) -> None:
    """Exit 1 and 2, as everywhere."""
    absent = songshan(config, "cache", digest("f"))
    assert (absent.returncode, "does not have" in absent.stderr) == (1, True)
    assert songshan(config, "cache", "film.mp4").returncode == 2


def test_asking_changes_nothing(config: Config) -> None:
    """The database is opened to be read; whoever asks may be anybody."""
    before = config.database.read_bytes()
    assert report_of(config, AT_US).pinned_bytes == 5
    assert config.database.read_bytes() == before
