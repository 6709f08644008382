"""What aired is at the hub once, in its chain, however long the line was away and wherever it broke."""

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.core.ledger import Stretch
from appliance.core.reported import Reported, put_together
from appliance.core.rundown import SLATE
from appliance.store import air, asrun
from appliance.store.database import transaction
from edge_agent.report import log_aired
from provisioning.command import songshan_hub
from provisioning.hub.aired import told_rows
from provisioning.hub.sites import site_of
from tests.appliance.core.air_box import digest
from tests.sync.pair import SITE, County, World, world

CHANNEL = "dengfeng-1"
DAY_US = 86_400_000_000


def air_for(box: County, days: int) -> None:
    """The agent's part of some days: a stretch every 20 minutes, logged now and then."""
    for _hour in range(days * 8):
        with transaction(box.db):
            air.keep_clock(box.db, box.clock)
            _stretches(box)
        box.clock.us += 3 * 3600 * 1_000_000
        with transaction(box.db):
            air.keep_clock(box.db, box.clock)
        log_aired(box.db, box.config, box.clock.us)


def _stretches(box: County) -> None:
    """Nine rows behind those that are there: what the compiler would have written."""
    last = box.rows("SELECT max(start_tick + frames * 3600), max(first_msn + segments) FROM ledger")[0]
    tick, msn = last if last[0] is not None else box.rows("SELECT epoch_tick, first_msn FROM channels")[0]
    for number in range(9):
        stretch = Stretch(
            first_msn=msn,
            segments=600,
            start_tick=tick,
            frames=30_000,
            rendition=SLATE,
            source=digest(number + 1),
            title=f"节目{number}",
            kind="programme",
        )
        box.db.conn.execute(air._INSERT, air._columns(CHANNEL, stretch))
        tick, msn = stretch.end_tick, stretch.next_msn


def at_hub(there: World) -> Reported:
    folder = there.hub.folder
    return put_together(told_rows(folder, site_of(folder, SITE), CHANNEL))


@pytest.mark.parametrize("seed", range(2))
def test_a_month_without_a_line_is_reported_once(tmp_path: Path, seed: int) -> None:
    """The supervisor adds it up: a row twice is an hour too many, a row less is a gap."""
    chance, there = random.Random(seed), world(tmp_path)
    with there.box() as box:
        box.talk()
        there.hub.cut()
        air_for(box, 30)
    for _attempt in range(30):
        with there.box() as box:
            box.turn(61_000_000)
            for _turn in range(chance.randrange(1, 9)):
                box.turn()
            there.hub.cut()
    with there.box() as box:
        box.talk()
        local = asrun.aired(box.db, CHANNEL, 0, box.clock.us + DAY_US)
    found = at_hub(there)
    assert len(local) > 1000
    assert (found.rows, found.problems, found.doubled) == (local, (), 0)
    shown = hub_says(there, "--date", "2026-11-25", "--json")
    facts = json.loads(shown.stdout)
    assert (shown.exit_code, facts["chain_rows"], facts["problems"]) == (0, len(local), [])
    assert facts["tally"]["accounted_s"] == 86_400.0
    assert hub_says(there, "--csv").output.startswith("\ufeffseq,")


def hub_says(there: World, *words: str) -> Result:
    """`songshan-hub asrun`."""
    return CliRunner().invoke(songshan_hub, ["--hub", str(there.hub.path), "asrun", SITE, CHANNEL, *words])


def test_a_lost_disk_does_not_begin_the_log_anew(tmp_path: Path) -> None:
    """The number that follows is the number that follows, and the hub has one chain."""
    there = world(tmp_path)
    with there.box() as box:
        box.talk()
        air_for(box, 1)
        box.talk()
    before = at_hub(there)
    with there.box("new") as box:
        air_for(box, 1)
        assert box.rows("SELECT count(*) FROM asrun") == [0]
        box.talk(200)
        air_for(box, 1)
        box.talk()
        local = asrun.aired(box.db, CHANNEL, 0, box.clock.us + DAY_US)
    found = at_hub(there)
    assert (found.rows, found.problems, found.doubled) == (local, (), 0)
    assert len(found.rows) > 2 * len(before.rows) > 0
