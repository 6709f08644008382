"""The first start: from a bare machine to a box that has joined, by keys alone, with one yes."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.config import config_path, load
from appliance.core.errors import Text, WorldError
from appliance.core.first_boot import Told
from appliance.first_boot_told import write_told
from tests.provisioning.live import LiveHub
from tests.tui.boxes import make_box
from tests.tui.looks import Before, seen, session_at, with_faults
from tests.tui.readings import HOUR_US, LOOKS, MIN_US, NO_CONFIG, NO_DATABASE, NOW_US
from tui.gather.first_boot import UNITS, choose, gather, join, started, try_line
from tui.gather.where import Where, where
from tui.outcomes import Do
from tui.view.acts import Act, Case, Weight
from tui.view.first_boot import BUNDLE, JOIN, LINE, TIME, Found, Joined, Offer, has_run_out
from tui.view.first_boot_acts import ACTS
from tui.view.network import LineTest, Step
from tui.view.reading import Reading
from tui.view.sheet import Asked

OFFER = Offer(
    "/media/usb/dengfeng.bundle",
    "dengfeng",
    "登封市融媒体中心",
    "hub.songshan.example:22",
    "Asia/Shanghai",
    2,
    NOW_US + 100 * HOUR_US,
)
OTHER = replace(OFFER, path="/root/gongyi.bundle", site="gongyi", name="巩义市融媒体中心", expires_us=NOW_US - HOUR_US)
NONE = Offer("/root/holiday.bundle", problem=Text("不是加入包", "no bundle to join with"))
GOOD = LineTest(
    NOW_US - MIN_US,
    (
        Step("name", True, Text("203.0.113.7", "203.0.113.7"), 3.0),
        Step("tcp", True, Text("SSH-2.0-OpenSSH_9.2p1", "SSH-2.0-OpenSSH_9.2p1"), 12.0),
        Step("key", True, Text("与登记的相符", "the pinned one"), 70.0),
    ),
)
BAD = LineTest(NOW_US - MIN_US, (Step("name", False, Text("查不到 hub", "hub has no address"), 5000.0),))
BARE = Found(unmounted=("/dev/sdb1",))
ONE = Found((OFFER,), OFFER.path, test=GOOD, time_source="203.0.113.7, stratum 3", is_synchronised=True)
MANY = Found((OFFER, OTHER, NONE))
OVER = Found((OTHER,), OTHER.path, test=BAD)
DONE = replace(
    ONE,
    joined=Joined(
        "dengfeng", "登封市融媒体中心", "SHA256:ag3bS4tXcVvV4XGcZkq1yIu3Yb1o3cJt6wq7b1Q0xkE", "hub.songshan.example:22"
    ),
)
LONG_AGO = Reading(60_000_000, None, NO_CONFIG.problems, NO_CONFIG.hint)
ALONE = replace(BARE, told=Told())
AWAY = replace(
    ONE,
    told=Told(
        phase="waiting",
        place="/dev/sdb1:dengfeng.bundle",
        site="dengfeng",
        name="登封市融媒体中心",
        hub="hub.songshan.example:22",
        tries=12,
        problem=Text("连不上 hub.songshan.example:22", "cannot reach hub.songshan.example:22"),
    ),
)
STATES = {
    **with_faults(DONE, DONE, no_configuration=BARE),
    "bare, bundle": seen(BARE, NO_CONFIG, asked=Asked(tab=BUNDLE)),
    "bare, line": seen(BARE, NO_CONFIG, asked=Asked(tab=LINE)),
    "bare, time": seen(BARE, NO_CONFIG, asked=Asked(tab=TIME)),
    "bare, join": seen(BARE, NO_CONFIG, asked=Asked(tab=JOIN)),
    "one bundle": seen(ONE, NO_CONFIG, asked=Asked(tab=BUNDLE)),
    "one bundle, line": seen(ONE, NO_CONFIG, asked=Asked(tab=LINE)),
    "one bundle, time": seen(ONE, NO_CONFIG, asked=Asked(tab=TIME)),
    "one bundle, join": seen(ONE, NO_CONFIG, asked=Asked(tab=JOIN)),
    "many bundles": seen(MANY, NO_CONFIG, asked=Asked(tab=BUNDLE)),
    "line away": seen(OVER, NO_CONFIG, asked=Asked(tab=LINE)),
    "run out": seen(OVER, NO_CONFIG, asked=Asked(tab=JOIN)),
    "clock of 1970": seen(ONE, LONG_AGO, asked=Asked(tab=TIME)),
    "clock of 1970, begin": seen(ONE, LONG_AGO),
    "a bundle opened": seen(ONE, NO_CONFIG, asked=Asked(tab=BUNDLE, opened=OFFER.path)),
    "no bundle opened": seen(MANY, NO_CONFIG, asked=Asked(tab=BUNDLE, opened=NONE.path)),
    "gone since": seen(BARE, NO_CONFIG, asked=Asked(tab=BUNDLE, opened="/gone")),
    "joined": seen(DONE, NO_DATABASE, asked=Asked(tab=JOIN)),
    "not looked yet": seen(None, NO_CONFIG),
    "by itself, looking": seen(ALONE, NO_CONFIG),
    "by itself, no line": seen(AWAY, NO_CONFIG),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("first-boot", STATES)


def act(name: str) -> Act:
    return next(each for each in ACTS if each.name == name)


def case(found: Found, row: str = "", **values: str) -> Case:
    return Case(found, NO_CONFIG, LOOKS["en"], Asked(), row, values, by="root")


def test_nothing_is_changed_but_by_the_last_step_and_that_asks() -> None:
    """A row of keys pressed by mistake ends before the form; what is asked there needs no typing."""
    assert all(each.weight is Weight.LOOK for each in ACTS)
    assert [each.name for each in ACTS if each.fields(case(ONE))] == ["join"]
    (field,) = act("join").fields(case(MANY))
    assert field.kind == "choice" and [key for key, _shown in field.choices] == [OFFER.path, OTHER.path]
    assert act("join").refusal(case(BARE)) is not None
    assert act("join").refusal(case(DONE)) is not None
    assert act("test").refusal(case(MANY)) is not None
    assert act("choose").refusal(case(MANY, NONE.path)) == NONE.problem


def test_a_bundle_that_has_run_out_is_told_and_the_hub_has_the_word() -> None:
    """A machine with an empty battery wakes up in 1970, or in 2037 after a spark: its clock must not keep it away."""
    assert has_run_out(OTHER, NOW_US)
    assert not has_run_out(OFFER, NOW_US)
    assert act("join").refusal(case(OVER)) is None


def test_from_the_language_to_the_yes_by_keys_alone(tmp_path: Path) -> None:
    """Four times Tab, one letter, Enter twice."""
    session = session_at("first-boot", seen(ONE, NO_CONFIG), LOOKS["zh"])
    for tab in (BUNDLE, LINE, TIME, JOIN):
        session.press("tab", "", 78, 22)
        assert session.asked.tab == tab
        session.see("first-boot", seen(ONE, NO_CONFIG, asked=session.asked))
    session.press("o", "o", 78, 22)
    session.press("enter", "", 78, 22)
    outcome = session.press("enter", "", 78, 22)
    assert isinstance(outcome, Do)
    assert outcome.case.value("bundle") == OFFER.path


def test_bundles_are_found_and_files_that_are_none_say_so(tmp_path: Path) -> None:
    """Whoever copied the wrong file reads why."""
    (tmp_path / "a.bundle").write_text("{}")
    (tmp_path / "b.bundle").write_bytes(b"x" * 100_000)
    here = where(tmp_path / "box", {"HOME": str(tmp_path)})
    found = {Path(each.path).name: each.problem for each in gather(here, Asked()).offers if str(tmp_path) in each.path}
    assert set(found) == {"a.bundle", "b.bundle"}
    assert all(found.values())
    assert "too large" in found["b.bundle"].en  # type: ignore[union-attr]


def test_what_happens_without_keys_is_shown(tmp_path: Path) -> None:
    """Who has come with a stick must see that it is being used, or why not."""
    write_told(tmp_path / "box/run/first-boot.json", Told(phase="waiting", site="dengfeng", tries=3))
    told = gather(where(tmp_path / "box", {"HOME": str(tmp_path)}), Asked()).told
    assert told is not None and (told.phase, told.tries) == ("waiting", 3)


def test_a_box_that_has_joined_shows_what_to_read_out(tmp_path: Path) -> None:
    """The operator compares the fingerprint minutes later: it must still be there to be read."""
    config = make_box(tmp_path)
    config.keys.mkdir()
    Path(f"{config.ssh_key}.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== x\n")
    joined = gather(where(tmp_path, {}), Asked()).joined
    assert joined is not None and joined.site == "dengfeng" and joined.fingerprint.startswith("SHA256:")


def test_a_machine_joins_by_the_real_program(tmp_path: Path) -> None:
    """Found, chosen, the line tested against the real hub, joined; the second yes is refused by the first."""
    hub = LiveHub(tmp_path / "hub")
    hub.run("init")
    hub.serve()
    try:
        stick = tmp_path / "stick"
        stick.mkdir()
        hub.run("enrol", "dengfeng", "--name", "登封市融媒体中心", "--out", str(stick / "dengfeng.bundle"))
        environ = {**os.environ, "HOME": str(stick)}
        here = where(tmp_path / "box", environ)
        found = gather(here, Asked())
        offer = next(each for each in found.offers if each.path == str(stick / "dengfeng.bundle"))
        assert (offer.site, offer.name, offer.problem) == ("dengfeng", "登封市融媒体中心", None)
        choose(here, case(found, offer.path))
        found = gather(here, Asked())
        assert found.chosen == offer.path
        assert "host key" in try_line(here, case(found)).en
        join(here, case(found, bundle=offer.path))
        assert load(tmp_path / "box", {}).site == "dengfeng"
        after = gather(where(tmp_path / "box", environ), Asked()).joined
        assert after is not None
        keys = json.loads(hub.run("fleet", "--json"))
        assert "dengfeng" in json.dumps(keys)
        with pytest.raises(WorldError, match="joined already"):
            join(where(tmp_path / "box", environ), case(found, bundle=offer.path))
    finally:
        hub.end()


def test_what_the_program_complains_of_is_shown(tmp_path: Path) -> None:
    """With the line cut nothing is left that would stand in the way of the next attempt."""
    (tmp_path / "x.bundle").write_text("{}")
    with pytest.raises(WorldError, match=r"not joined.*not a bundle"):
        join(where(tmp_path / "box", dict(os.environ)), case(BARE, bundle=str(tmp_path / "x.bundle")))
    assert not config_path(tmp_path / "box").exists()


def test_the_units_that_are_started_are_those_of_the_box(tmp_path: Path) -> None:
    """Each of them lies in systemd/, and an installed box has them started by the same yes, where that is allowed."""
    assert all((Path(__file__).parents[2] / "systemd" / unit).exists() for unit in UNITS)
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    program.chmod(0o755)
    installed = Where(None, {"PATH": f"{tmp_path}:/usr/bin:/bin"}, NOW_US)
    assert started(installed)
    assert (tmp_path / "asked").read_text().split() == ["enable", "--now", "--no-ask-password", *UNITS]
    program.write_text("#!/bin/sh\nexit 1\n")
    assert not started(installed)
    program.unlink()
    assert started(Where(tmp_path, {"PATH": str(tmp_path)}, NOW_US)), "a box in a folder has no units"
