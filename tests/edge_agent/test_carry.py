"""What a stick brings to a box: the real agent takes it in, and nothing on a stick can make it do anything else."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import spool
from appliance.core import carry
from appliance.core.command import Import, Submit
from appliance.core.errors import Text
from edge_agent import carrying
from edge_agent.boot import running
from edge_agent.core.journey import Journey, next_look, to_copy, with_failed, with_found
from edge_agent.core.observation import Child, Link, Observation, Policy, Space, Wanted
from edge_agent.core.plan import plan
from edge_agent.core.steps import Carry, Fetch, Stop
from provisioning.hub.snapshots import compact, make
from tests.carrying import SITE, Pair, new_label, pair

NEWS = random.Random(1).randbytes(2_500_000)
AT = "2026-11-24T06:00:00Z"


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        yield made


def test_records_and_assets_come_and_come_only_once(ends: Pair) -> None:
    """The same stick again, and an older one after a newer one, changes nothing."""
    digest = ends.publish(NEWS, "i1")
    ends.order("o1")
    ends.export()
    assert ends.take_in_box().outcome == "done"
    assert (ends.served(), ends.carrying().records, ends.carrying().assets_done) == ({digest}, 2, 1)
    ends.order("o2")
    assert ends.take_in_box().outcome == "done"
    assert (ends.carrying().records, ends.rows("SELECT id FROM orders")) == (0, [("o1",)])
    ends.export()
    assert ends.take_in_box().outcome == "done"
    assert ends.rows("SELECT id FROM orders ORDER BY id") == [("o1",), ("o2",)]


def test_an_agent_killed_while_it_imports_goes_on_with_the_same_command(ends: Pair) -> None:
    """Nothing of an import is remembered but what it brought; the command waits in the spool until it is over."""
    digest = ends.publish(NEWS, "i1")
    ends.export()
    spool.put(ends.config, Import(path=str(ends.stick), by="x", via="cli", at=AT))
    for turns in (1, 3, 6):
        with running(ends.config, once=True) as agent:
            for _turn in range(turns):
                agent.turn()
    ends.run_agent()
    assert (ends.served(), spool.pending(ends.config)) == ({digest}, [])
    assert ends.rows("SELECT count(*) FROM journal WHERE state = 'applied'") == [(1,)]


def test_a_recall_on_a_stick_is_done_though_weeks_passed_and_held_where_months_did(
    ends: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The freeze rule is one for both ways in: a carried checkpoint is good until the next trip, and no longer."""
    digest = ends.publish(NEWS, "i1")
    ends.export()
    ends.take_in_box()
    assert ends.served() == {digest}
    ends.recall("i1")
    with monkeypatch.context() as months_later:
        months_later.setattr(carry, "CARRIED_GOOD_US", -1)
        ends.export()
    ends.take_in_box()
    assert ends.rows("SELECT state FROM journal WHERE kind = 'recall'") == [("held",)]
    assert ends.served() == {digest}
    ends.export()
    head = (ends.stick / "from-hub" / "streams" / SITE / "control" / "checkpoint").read_text().split()
    checkpoint = carry.parse_checkpoint_text(*head)
    assert checkpoint.next_by_us - checkpoint.at_us == carry.CARRIED_GOOD_US
    ends.take_in_box()
    assert ends.served() == set()


@pytest.mark.parametrize("way", ["flipped", "missing", "endless", "link"])
def test_a_damaged_page_is_refused_and_all_else_is_taken(ends: Pair, way: str) -> None:
    """The stream it is of stays where it was; the person is told which, and what to do."""
    ends.order("o1")
    digest = ends.publish(NEWS, "i1")
    ends.export()
    page = ends.page("from-hub", f"{SITE}/control")
    data = bytearray(page.read_bytes())
    page.unlink()
    if way == "flipped":
        data[-20] ^= 1
        page.write_bytes(data)
    elif way == "endless":
        with page.open("wb") as file:
            file.truncate(10 * 1024**3)
    elif way == "link":
        page.symlink_to("/dev/zero")
    done = ends.take_in_box()
    assert done.outcome == "refused"
    assert done.reason is not None
    assert f"{SITE}/control" in done.reason.en or "1-0000000000000001.records" in done.reason.en
    assert ends.rows("SELECT id FROM orders") == []
    if way in ("endless", "link"):
        return
    assert ends.served() == {digest}
    ends.export()
    assert ends.take_in_box().outcome == "done"
    assert (ends.served(), ends.rows("SELECT id FROM orders")) == ({digest}, [("o1",)])


def test_a_damaged_asset_is_said_and_comes_with_the_next_trip(ends: Pair) -> None:
    """Its hash is taken like that of every transfer; the other assets are not held up by it."""
    bad, good = ends.publish(NEWS, "i1"), ends.publish(b"small", "i2")
    ends.export()
    lying = ends.on_stick("from-hub", bad)
    data = bytearray(lying.read_bytes())
    data[1000] ^= 1
    lying.write_bytes(data)
    done = ends.take_in_box()
    assert (done.outcome, ends.served(), ends.carrying().assets_failed) == ("refused", {good}, 1)
    ends.export()
    assert ends.take_in_box().outcome == "done"
    assert ends.served() == {good, bad}


def test_what_was_compacted_away_comes_as_a_snapshot(ends: Pair) -> None:
    """A new box, or one that was away for long, starts from what is still in force; a damaged part is no snapshot."""
    control = f"{SITE}/control"
    for number in range(3):
        ends.order(f"o{number}")
    compact(ends.journals, control, make(ends.journals, control))
    ends.order("o3")
    digest = ends.publish(NEWS, "i1")
    ends.export()
    part = ends.stick / "from-hub" / "streams" / control / "snapshot.1"
    whole = part.read_bytes()
    part.write_bytes(whole.replace(b'"key":"o1"', b'"key":"o9"'))
    done = ends.take_in_box()
    assert done.outcome == "refused"
    assert done.reason is not None
    assert "snapshot" in done.reason.en
    assert (ends.rows("SELECT id FROM orders"), ends.served()) == ([], {digest})
    part.write_bytes(whole)
    assert ends.take_in_box().outcome == "done"
    assert ends.rows("SELECT id FROM orders ORDER BY id") == [(f"o{number}",) for number in range(4)]
    ends.export_box()
    ends.export()
    assert not part.exists(), "the box has told that it needs it no more"
    assert not list((ends.home / "state").glob("*.part"))


def test_a_stick_of_another_site_or_of_nobody_changes_nothing(ends: Pair) -> None:
    """Also when the agent is told to take it by a program that did not look itself."""
    ends.order("o1")
    ends.export()
    label = ends.stick / carry.LABEL
    for data in (carry.encode_label(new_label("zhongmu")), carry.encode_label(new_label(hub="other")), b"{}"):
        label.write_bytes(data)
        assert ends.take_in_box().outcome == "refused"
    for words in (["pages", f"{SITE}/control", "1", "0"], ["find"], ["copy"]):
        answer = carrying.look(ends.config, [words[0], str(ends.stick), *words[1:]])
        assert answer.verdict == "refused", "a stick may be changed for another while it is being read"
    label.unlink()
    assert ends.take_in_box().outcome == "refused"
    assert ends.rows("SELECT * FROM orders") == []


def test_records_that_another_key_signed_are_refused(ends: Pair, tmp_path: Path) -> None:
    """Whoever finds a stick can write to it; only the hub's signature counts."""
    with pair(tmp_path / "forger") as forger:
        forger.order("forged")
        forger.export()
        shutil.copytree(forger.stick / "from-hub", ends.stick / "from-hub")
    done = ends.take_in_box()
    assert done.outcome == "refused"
    assert done.reason is not None
    assert "signature is wrong" in done.reason.en
    assert ends.rows("SELECT * FROM orders") == []


def test_a_stick_that_is_gone_says_so_and_the_next_one_is_taken(ends: Pair) -> None:
    """Pulled out before the agent came to it."""
    ends.order("o1")
    ends.export()
    away = ends.stick.with_name("away")
    ends.stick.rename(away)
    done = ends.take_in_box()
    assert done.outcome == "refused"
    assert done.reason is not None
    assert "cannot open" in done.reason.en
    away.rename(ends.stick)
    assert ends.take_in_box().outcome == "done"


@pytest.mark.root
def test_taking_in_writes_nothing_to_the_stick(ends: Pair) -> None:
    """Not a byte, not a time, at either end: a stick may be mounted read-only."""
    ends.publish(NEWS, "i1")
    ends.export()
    before = {path: path.stat().st_mtime_ns for path in ends.stick.rglob("*")}
    ends.take_in_box()
    ends.export_box()
    ends.take_in()
    after = {path: path.stat().st_mtime_ns for path in ends.stick.rglob("*")}
    assert {path: after[path] for path in before if path.parts[-1] != "usb"} == before


def test_both_directions_on_one_stick_until_nothing_is_left(ends: Pair, tmp_path: Path) -> None:
    """Story, take and receipt: each trip brings what the one before asked for, and the stick empties by itself."""
    offered = ends.publish(b"offered", "i9", "all/content")
    ends.export()
    ends.take_in_box()
    story = tmp_path / "story.bin"
    story.write_bytes(NEWS)
    done = ends.do(Submit(title="乡村", files=("story.bin",), by="x", via="cli", at=AT), (story,))
    assert done.outcome == "done"
    sent = ends.export_box()
    assert (sent.records, sent.loaded.assets) == (1, 1)
    taken = ends.take_in()
    assert (taken.records, taken.assets, taken.waiting) == (1, 1, 0)
    assert ends.take_in().records == 0
    back = ends.export()
    assert back.records[f"{SITE}/control"] == 1
    assert back.loaded.assets == 0, f"the box holds {offered} and its own story"
    assert ends.take_in_box().outcome == "done"
    assert ends.rows("SELECT state FROM submissions") == [("accepted",)]
    assert ends.export_box().records == 0, "the hub's signed word on the stick says what it has"
    assert not list((ends.stick / "from-box" / "assets").rglob("*/*"))


def test_what_is_looked_at_next_follows_from_what_was_found() -> None:
    """Label, streams in their order, then the assets that lack, each once."""
    journey = Journey("n", "/usb", (f"{SITE}/control", f"{SITE}/content"), 0)
    places = {f"{SITE}/control": (1, 5)}
    wanted = [("sha256:a", 5), ("sha256:b", 6)]
    assert next_look(journey, places, wanted) == ("label",)
    labelled = Journey("n", "/usb", journey.streams, 0, is_labelled=True)
    assert next_look(labelled, places, wanted) == ("pages", f"{SITE}/control", "1", "5")
    read = Journey("n", "/usb", (), 0, is_labelled=True)
    assert next_look(read, {}, wanted) == ("find", "sha256:a=5", "sha256:b=6")
    found = with_found(read, ("sha256:a", "sha256:b"), ("sha256:b",))
    assert next_look(found, {}, wanted) is None
    assert to_copy(found, {"sha256:a", "sha256:b"}) == {"sha256:b"}
    assert to_copy(with_failed(found, "sha256:b", Text("坏", "bad")), {"sha256:b"}) == frozenset()
    assert next_look(Journey("n", "/usb", journey.streams, 0, is_over=True), places, wanted) is None


def test_what_lies_on_a_stick_is_copied_and_not_fetched() -> None:
    """With the line back in the middle: one way for one asset, and a slow fetch of it gives way."""
    wanted = (
        Wanted("sha256:s", 50, is_on_stick=True, is_due=False),
        Wanted("sha256:t", 60, is_on_stick=True),
        Wanted("sha256:n", 70),
    )
    seen = Observation(0, Space(10**9, 0), link=Link("connected"), wanted=wanted, reported_us=2**60, compiled_us=2**60)
    steps = plan(seen, Policy())
    assert Carry(("sha256:s", "sha256:t")) in steps
    assert [step for step in steps if isinstance(step, Fetch)] == [Fetch(("sha256:n",))]
    fetching = Observation(
        0,
        Space(10**9, 0),
        link=Link("connected"),
        children=(Child("fetch", ("sha256:t",)),),
        wanted=wanted,
        reported_us=2**60,
        compiled_us=2**60,
    )
    steps = plan(fetching, Policy())
    assert Stop(("sha256:t",)) in steps
    assert Carry(("sha256:s",)) in steps
    carrying = Observation(
        0, Space(10**9, 0), link=Link("connected"), children=(Child("carry", ("sha256:t",)),), wanted=wanted[:2]
    )
    assert not [step for step in plan(carrying, Policy()) if isinstance(step, Carry | Fetch)]
