"""The snapshot tells how the box is, in every state it can be in."""

import json
from pathlib import Path

import msgspec
import pytest

from appliance.core.errors import Text
from appliance.core.facts import as_facts
from appliance.core.health import Agent, Clock, Finding, Link, Machine, Snapshot
from appliance.core.records import Order
from appliance.core.stock import Transfer
from appliance.store import assets, desk, facts
from appliance.store.database import writing
from tests.appliance.boxes import AT_US, S, asset, box, digest, item


def ids(seen: Snapshot) -> set[str]:
    return {alarm.id for alarm in seen.alarms}


def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    """The screen of a new or broken box must start, with the next step on it."""
    seen = facts.look(box(tmp_path), AT_US)
    assert (ids(seen), seen.severity, seen.agent.state) == ({"database"}, "red", "never")
    assert seen.storage is not None
    assert seen.storage.total_bytes > 0


def test_with_a_damaged_database_it_says_so(tmp_path: Path) -> None:
    """The same when the file is there and is none."""
    config = box(tmp_path)
    config.database.parent.mkdir()
    config.database.write_bytes(b"nonsense" * 999)
    assert ids(facts.look(config, AT_US)) == {"database"}


def test_without_a_home_it_still_answers(tmp_path: Path) -> None:
    """The disk of the media is gone: that is exactly when somebody looks."""
    seen = facts.look(box(tmp_path / "gone"), AT_US)
    assert (seen.storage, ids(seen)) == (None, {"database"})


def test_what_the_agent_says_is_what_is_shown(tmp_path: Path) -> None:
    """With the moment when it said so."""
    config = box(tmp_path)
    with writing(config.database) as db:
        facts.set_status(db, Agent(pid=7, started_at_us=AT_US - S, version="0.1.0"), AT_US)
        facts.set_status(db, Link(state="connected", hub="songshan", since_us=AT_US, round_trip_ms=12.5), AT_US)
        facts.set_status(db, Clock(synchronised=True, hub_offset_ms=3.0), AT_US)
        facts.set_status(db, Machine(cpu_percent=3.5), AT_US)
        assets.want(db, asset("a", 100), "item", AT_US)
        assets.want(db, asset("b", 50), "item", AT_US)
        assets.arrived(db, digest("b"), 50, AT_US)
        transfer = Transfer(digest=digest("a"), direction="down", size_bytes=100, done_bytes=40, state="running")
        assets.set_transfer(db, msgspec.structs.replace(transfer, rate_bytes_per_s=20.0))
        desk.add_submission(db, "s1", item("s1", assets=(asset("c"),)), "a.mp4", AT_US)
        desk.receive_order(db, Order(id="o1", title="报送"), AT_US)
        seen = facts.snapshot(db, config, AT_US + 5 * S)
    assert (seen.agent.state, seen.agent.pid, seen.link.state, seen.link.at_us) == ("running", 7, "connected", AT_US)
    assert (seen.clock.hub_offset_ms, seen.machine.cpu_percent) == (3.0, 3.5)
    assert (seen.sync.down.running, seen.sync.down.left_bytes, seen.sync.down.rate_bytes_per_s) == (1, 60, 20.0)
    assert seen.storage is not None
    assert (seen.storage.media_bytes, seen.storage.assets_here, seen.storage.assets_wanted) == (50, 1, 1)
    assert ([each.id for each in seen.submissions], [each.id for each in seen.orders]) == (["s1"], ["o1"])


def test_a_silent_agent_is_red_and_its_link_is_not_believed(tmp_path: Path) -> None:
    """`connected`, said an hour ago by a process that is dead, would be a lie on the screen."""
    config = box(tmp_path)
    with writing(config.database) as db:
        facts.set_status(db, Agent(pid=7), AT_US)
        facts.set_status(db, Link(state="connected"), AT_US)
        seen = facts.snapshot(db, config, AT_US + 3600 * S)
    assert (seen.agent.state, seen.link.state) == ("silent", "offline")
    assert "agent" in ids(seen)


def test_the_line_alone_is_told_as_in_the_snapshot(tmp_path: Path) -> None:
    """A page asks for it with every few seconds, and must not tell another story than the screen."""
    config = box(tmp_path)
    with writing(config.database) as db:
        assert facts.link(db, config, AT_US) == facts.snapshot(db, config, AT_US).link
        facts.set_status(db, Agent(pid=7), AT_US)
        facts.set_status(db, Link(state="connected", round_trip_ms=3), AT_US)
        for moment in (AT_US, AT_US + 3600 * S):
            assert facts.link(db, config, moment) == facts.snapshot(db, config, moment).link


def test_a_box_without_a_hub_stands_alone(tmp_path: Path) -> None:
    """And is not told to be offline."""
    config = box(tmp_path, hub=None)
    with writing(config.database) as db:
        facts.set_status(db, Agent(pid=7), AT_US)
        seen = facts.snapshot(db, config, AT_US)
    assert seen.link.state == "alone"
    assert "link" not in ids(seen)


def test_an_alarm_keeps_its_beginning_and_goes_when_it_is_over(tmp_path: Path) -> None:
    """Since when is the first thing that anybody asks."""
    config = box(tmp_path)
    with writing(config.database) as db:
        facts.keep_alarms(db, facts.snapshot(db, config, AT_US).alarms, AT_US)
        later = facts.snapshot(db, config, AT_US + 60 * S)
        assert [alarm.since_us for alarm in later.alarms if alarm.id == "agent"] == [AT_US]
        facts.set_status(db, Agent(pid=7), AT_US + 60 * S)
        facts.keep_alarms(db, facts.snapshot(db, config, AT_US + 60 * S).alarms, AT_US + 60 * S)
        again = facts.snapshot(db, config, AT_US + 900 * S)
        assert [alarm.since_us for alarm in again.alarms if alarm.id == "agent"] == [AT_US + 900 * S]


def test_what_only_the_agent_knows_is_raised_until_it_clears(tmp_path: Path) -> None:
    """A fork is found in a session, not in a table."""
    config = box(tmp_path)
    fork = Finding(id="fork", severity="red", text=Text("分叉", "forked"), hint=Text("联系运维", "call"))
    with writing(config.database) as db:
        facts.raise_alarm(db, fork, AT_US)
        facts.raise_alarm(db, fork, AT_US + S)
        facts.keep_alarms(db, facts.snapshot(db, config, AT_US + S).alarms, AT_US + S)
        found = [alarm for alarm in facts.snapshot(db, config, AT_US + 2 * S).alarms if alarm.id == "raised:fork"]
        assert [(alarm.severity, alarm.since_us) for alarm in found] == [("red", AT_US)]
        facts.clear_alarm(db, "fork", AT_US + 2 * S)
        assert "raised:fork" not in ids(facts.snapshot(db, config, AT_US + 3 * S))


def test_facts_for_programs_have_rfc_3339_times_and_no_microseconds(tmp_path: Path) -> None:
    """Scripts of others rely on these names."""
    config = box(tmp_path)
    with writing(config.database) as db:
        facts.set_status(db, Agent(pid=7, started_at_us=AT_US), AT_US)
        told = as_facts(facts.snapshot(db, config, AT_US))
    assert '_us"' not in json.dumps(told)
    assert (told["now"], told["agent"]["started_at"], told["link"]["since"]) == (
        "2026-11-24T06:00:00Z",
        "2026-11-24T06:00:00Z",
        None,
    )


@pytest.mark.parametrize("shape", [Link, Clock, Machine, Agent])
def test_what_was_never_said_is_unknown(tmp_path: Path, shape: type) -> None:
    """Not zero, and not yesterday's."""
    with writing(box(tmp_path).database) as db:
        assert facts._status(db, shape) == shape()
