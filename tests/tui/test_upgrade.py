"""The page of the software: what runs, what runs after the next start, the gate live, and the way back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance import releases
from appliance.core.errors import OperatorError, Text
from appliance.core.release import Ended, Release, Releases, Request, Signal, Upgrade
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import (
    AGENT_DEAD,
    HEALTHY,
    HOUR_US,
    LOOKS,
    NOW_US,
)
from tui.gather.upgrade import gather, roll_back, stage
from tui.gather.where import where
from tui.rows import Level
from tui.view.acts import Act, Case
from tui.view.sheet import Asked
from tui.view.upgrade import BUNDLES, Brought, Found, level_of
from tui.view.upgrade_acts import ACTS

GOOD = (
    Signal(name="air", good=True, found=Text("2 个频道如常", "2 channels as before")),
    Signal(name="api", good=True, found=Text("/healthz 200", "/healthz 200")),
    Signal(name="tick", good=True, found=Text("进程 812 运转", "process 812 turns")),
    Signal(name="disk", good=True, found=Text("剩余 1145000 MiB", "1145000 MiB free")),
    Signal(name="clock", good=None, found=Text("升级前时钟就不对", "the clock was wrong before")),
)
NO_API = (*GOOD[:1], Signal(name="api", good=False, found=Text("无应答", "no answer")), *GOOD[2:])
PAST = (
    Ended(outcome="committed", old="", new="0.1.0", by="ansible", reason="", ended_us=NOW_US - 900 * HOUR_US),
    Ended(
        outcome="refused",
        old="0.1.0",
        new="",
        by="张工",
        reason="试",
        ended_us=NOW_US - 30 * HOUR_US,
        why=Text("没有就位的版本", "nothing is staged"),
    ),
    Ended(outcome="committed", old="0.1.0", new="0.2.0", by="嵩山云", reason="例行升级", ended_us=NOW_US - HOUR_US),
)
THERE = (
    Release(version="0.1.0", made_at="2026-10-01T00:00:00Z"),
    Release(version="0.2.0", made_at="2026-11-20T00:00:00Z"),
)


def upgrade(**facts: Any) -> Upgrade:
    known = {
        "state": "committed",
        "old": "0.1.0",
        "new": "0.2.0",
        "undo": {"old": "0.1.0", "new": "0.2.0"},
        "signals": msgspec.to_builtins(GOOD),
        "passes": 6,
        "changed_us": NOW_US - HOUR_US,
        "past": msgspec.to_builtins(PAST),
    }
    return msgspec.convert({**known, **msgspec.to_builtins(facts)}, Upgrade)


def software(**facts: Any) -> Releases:
    known = Releases(current="0.2.0", previous="0.1.0", trusted="0.2.0", there=THERE, upgrade=upgrade())
    return msgspec.structs.replace(known, **facts)


FOUND = Found(software(), "0.2.0")
STAGED = Found(
    software(current="0.1.0", previous="", trusted="0.1.0", upgrade=upgrade(state="staged", passes=0, signals=())),
    "0.1.0",
)
ON_TRIAL = Found(software(upgrade=upgrade(state="verifying", passes=2, signals=NO_API, changed_us=NOW_US)), "0.1.0")
WENT_BACK = Found(
    software(
        current="0.1.0",
        previous="",
        trusted="0.1.0",
        upgrade=upgrade(
            state="rolled_back",
            signals=NO_API,
            why=Text("检验未通过：网站接口：无应答", "the gate failed: API: no answer"),
        ),
    ),
    "0.1.0",
)
WAITING = Found(software(waiting=(Request(do="rollback", by="张工", reason="画面异常", at_us=NOW_US),)), "0.2.0")
BROKEN = Found(software(problem=Text("现用版本 0.2.0 不完整", "the release in use, 0.2.0, is not whole")), "0.2.0")
BY_HAND = Found(Releases(), "0.1.0", is_installed=False)
BROUGHT = (Brought("/media/usb/songshan-0.3.0.bundle", 84_000_000, NOW_US - 30 * HOUR_US),)
STATES = {
    **with_faults(FOUND, FOUND, no_configuration=None),
    "staged": seen(STAGED),
    "on trial": seen(ON_TRIAL),
    "went back by itself": seen(WENT_BACK),
    "asked for": seen(WAITING, AGENT_DEAD),
    "not whole": seen(BROKEN),
    "installed by hand": seen(BY_HAND),
    "one opened": seen(FOUND, asked=Asked(opened="1")),
    "gone since": seen(FOUND, asked=Asked(opened="7")),
    "bundles": seen(replace(FOUND, brought=BROUGHT), asked=Asked(tab=BUNDLES)),
    "no bundle": seen(FOUND, asked=Asked(tab=BUNDLES)),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("upgrade", STATES)


def act(name: str) -> Act:
    return next(each for each in ACTS if each.name == name)


def case(found: Found, **values: str) -> Case:
    return Case(found, HEALTHY, LOOKS["en"], Asked(), values=values, by="张工", at="2026-11-24T06:03:00Z")


def test_back_is_offered_where_there_is_a_way_back() -> None:
    """Twice asked, or in the middle of a trial, it would go back from what is not there yet."""
    assert act("rollback").refusal(case(FOUND)) is None
    for found in (STAGED, ON_TRIAL, WENT_BACK, WAITING, BY_HAND):
        assert act("rollback").refusal(case(found)) is not None
    assert act("apply").refusal(case(STAGED)) is None
    assert act("apply").refusal(case(FOUND)) is not None


def test_what_runs_after_the_next_start_is_told_from_what_runs() -> None:
    """A release that is not whole is red before anybody restarts the machine."""
    assert level_of(BROKEN) is Level.BAD
    assert level_of(WENT_BACK) is Level.WARN
    assert level_of(ON_TRIAL) is level_of(STAGED) is level_of(WAITING) is Level.NOTE
    assert level_of(FOUND) is Level.GOOD


def test_a_reason_is_chosen_or_typed(tmp_path: Path) -> None:
    """No Chinese need be typed; what is asked for stands in the upgrade's own journal with who and why."""
    assert [field.name for field in act("rollback").fields(case(FOUND))] == ["why"]
    assert [field.name for field in act("rollback").fields(case(FOUND, why="other"))] == ["why", "words"]
    config = make_box(tmp_path)
    here = where(tmp_path, {})
    roll_back(here, case(FOUND, why="page"))
    ((_path, asked),) = releases.waiting(config)
    assert isinstance(asked, Request)
    assert (asked.do, asked.by, asked.reason) == ("rollback", "张工", "pages or app are wrong since")
    with pytest.raises(OperatorError, match="needs a reason"):
        roll_back(here, case(FOUND, why="other", words="  "))
    with pytest.raises(OperatorError, match="who you are"):
        roll_back(here, replace(case(FOUND, why="page"), by=""))


def test_a_box_without_releases_says_so(tmp_path: Path) -> None:
    """A home of one's own has none."""
    make_box(tmp_path)
    assert not gather(where(tmp_path, {}), Asked()).is_installed


def test_a_bundle_on_a_stick_is_found_and_asked_to_be_staged(tmp_path: Path) -> None:
    """A county without a line is upgraded by stick; what is in the file is for root's unit to judge."""
    config = make_box(tmp_path / "box")
    file = tmp_path / "songshan-0.3.0.bundle"
    file.write_bytes(b"x")
    (tmp_path / "dengfeng.bundle").write_bytes(b"{}")
    here = where(config.home, {"HOME": str(tmp_path)})
    assert gather(here, Asked()).brought == ()
    found = gather(here, Asked(tab=BUNDLES))
    assert str(file) in [each.path for each in found.brought]
    assert str(tmp_path / "dengfeng.bundle") not in [each.path for each in found.brought]
    stage(here, replace(case(found), row=str(file)))
    ((_path, asked),) = releases.waiting(config)
    assert isinstance(asked, Request) and (asked.do, asked.bundle) == ("stage", str(file))
    assert act("stage").refusal(case(ON_TRIAL)) is not None
    assert act("stage").refusal(case(FOUND)) is None
