"""The page of the audit: who did what and why, page by page; and whether the chains under it are whole."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.cells import cell_len

from appliance.config import Config, render
from appliance.core import command as commands
from appliance.core.command import Take
from appliance.core.errors import Refused, Text, WorldError
from appliance.core.journal import public_key_text
from appliance.store import desk
from appliance.store.database import writing
from provisioning import identity
from tests.appliance.boxes import HUB, box
from tests.journals import BEGAN_US, chain, reports, stories, write_asrun, write_table
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import (
    HEALTHY,
    HOUR_US,
    LOOKS,
    MIN_US,
    NOW_US,
)
from tui.gather.audit import NOTE, gather, verify
from tui.gather.where import where
from tui.view.acts import Case
from tui.view.audit import CHAINS, Chain, Done, Found, Verdict, kind_of, sheet
from tui.view.sheet import PAGE_ROWS, Asked

TRAIL = (
    Done(
        "00001795500300000000-a",
        "insert",
        "张工 (songshan)",
        "tui",
        NOW_US - 20 * MIN_US,
        "done",
        None,
        "dengfeng-1 sha256:5a5a",
        "防汛应急",
    ),
    Done(
        "00001795500200000000-b",
        "resume",
        "张工 (songshan)",
        "tui",
        NOW_US - 25 * MIN_US,
        "refused",
        Text("没有插播", "no insertion is on"),
        "dengfeng-1",
        "误按",
    ),
    Done("00001795500100000000-c", "take", "li", "cli", NOW_US - 30 * HOUR_US, "done", None, "i-2026-0031", ""),
    Done("00001795500000000000-d", "poll", "?", "fax", NOW_US - 31 * HOUR_US, "done"),
)
CHAIN = Chain("all/content", 120_411, "1:120411", NOW_US - 42 * 1_000_000, 3, 0)
WHOLE = Verdict(
    NOW_US - 2 * MIN_US,
    ended_us=NOW_US - MIN_US,
    records=120_418,
    chains=(CHAIN, Chain("dengfeng/report", 7, "2:7", None, 0, 0)),
)
PROBLEM = Text("all/content：第 77 条不衔接", "all/content: 77 does not follow")
BROKEN = Verdict(
    NOW_US - 2 * MIN_US,
    ended_us=NOW_US - MIN_US,
    records=77,
    chains=(Chain("all/content", 77, "1:77", NOW_US, 0, 1),),
    problems=(PROBLEM,),
)
RUNNING = Verdict(NOW_US - MIN_US, 40_960, 120_418)
STATES = {
    **with_faults(Found(TRAIL)),
    "nothing yet": seen(Found()),
    "one opened": seen(Found(TRAIL), asked=Asked(opened=TRAIL[0].name)),
    "a refusal opened": seen(Found(TRAIL), asked=Asked(opened=TRAIL[1].name)),
    "gone since": seen(Found(TRAIL), asked=Asked(opened="x")),
    "chains, not checked": seen(Found(), asked=Asked(tab=CHAINS)),
    "chains, under way": seen(Found(verdict=RUNNING), asked=Asked(tab=CHAINS)),
    "chains, whole": seen(Found(verdict=WHOLE), asked=Asked(tab=CHAINS)),
    "chains, broken": seen(Found(verdict=BROKEN), asked=Asked(tab=CHAINS)),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("audit", STATES)


def test_every_command_has_a_name_for_people() -> None:
    """It has room in its column. What a probe notes by itself is not shown."""
    kinds = {
        name.lower()
        for name, found in vars(commands).items()
        if isinstance(found, type) and issubclass(found, commands.Asked)
    }
    for kind in kinds - {"asked", "observed"}:
        assert kind_of(kind, LOOKS["zh"]) != kind, kind
        for look in LOOKS.values():
            table = sheet(Found(), HEALTHY, look, Asked()).table
            assert table is not None and cell_len(kind_of(kind, look)) <= table.columns[2].cells, kind


def test_the_trail_is_read_a_page_at_a_time_and_searched(tmp_path: Path) -> None:
    """A box of three years has a long one."""
    config = make_box(tmp_path)
    with writing(config.database) as db:
        for number in range(PAGE_ROWS + 5):
            taken = Take(item=f"i-{number:04}", by="li", via="cli", at="2026-11-24T06:00:00Z", reason="今晚")
            desk.carry_out(db, f"{number:020d}-a", taken, lambda _db: None)
    here = where(tmp_path, {})
    first = gather(here, Asked()).trail
    assert [first[0].about, first[-1].about, len(first)] == [f"i-{PAGE_ROWS + 4:04}", "i-0005", PAGE_ROWS]
    assert [each.about for each in gather(here, Asked(after=first[-1].name)).trail] == [
        f"i-000{n}" for n in (4, 3, 2, 1, 0)
    ]
    assert [each.about for each in gather(here, Asked(words="I-0007")).trail] == ["i-0007"]


@pytest.fixture
def told(tmp_path: Path) -> Config:
    """A box that has heard ten stories and said fifty things, all signed."""
    hub_key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    made = box(tmp_path / "home", replace(HUB, sign_key=public_key_text(hub_key.public_key())))
    made.sign_key.parent.mkdir(parents=True)
    key = identity.make_key_files(made.sign_key, "sign")
    (made.home / "appliance.toml").write_text(render(made))
    with writing(made.database) as db:
        write_table(db, "all/content", chain("all/content", stories(10)), "applied", hub_key, BEGAN_US)
        write_table(db, "dengfeng/report", chain("dengfeng/report", reports(50)), "own", key, BEGAN_US)
        write_asrun(db, chain("dengfeng/report", reports(50)))
    return made


def test_the_chains_are_checked_and_what_was_changed_is_named(told: Config) -> None:
    """In the notes, so that the page shows it for as long as the program runs."""
    case = Case(None, HEALTHY, LOOKS["en"], Asked())
    here = where(told.home, {})
    assert "60 records" in verify(here, case).en
    verdict = gather(here, Asked(tab=CHAINS)).verdict
    assert verdict is not None and verdict.records == 60 and verdict.problems == ()
    assert {chain.stream for chain in verdict.chains} == {"all/content", "dengfeng/report"}
    with sqlite3.connect(told.database) as db:
        db.execute("UPDATE journal SET body = x'7b7d' WHERE stream = 'all/content' AND seq = 4")
    assert "problems" in verify(here, case).en
    verdict = gather(here, Asked(tab=CHAINS)).verdict
    assert verdict is not None and any("4" in problem.en for problem in verdict.problems)


def test_one_check_runs_at_a_time_and_a_failed_one_leaves_nothing(told: Config, tmp_path: Path) -> None:
    """Two would read the whole disk twice; one that could not begin must not block the next for ever."""
    case = Case(None, HEALTHY, LOOKS["en"], Asked())
    with pytest.raises(Refused):
        verify(where(told.home, {}, {NOTE: RUNNING}), case)
    notes: dict[str, object] = {}
    with pytest.raises(WorldError):
        verify(where(make_box(tmp_path / "new").home, {}, notes), case)
    assert notes == {}
