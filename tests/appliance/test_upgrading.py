"""An upgrade ends on the old release or the new one and knows which, wherever it is cut off, whatever the new does."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from appliance import database_before, files, following, releases, upgrading
from appliance.config import Config
from appliance.core.errors import DiskFull, Refused, Text, WorldError
from appliance.core.gate import Policy
from appliance.core.health import Agent
from appliance.core.release import ATTEMPTS_MAX, Release, Undo, Upgrade
from appliance.store import at_rest, desk, facts, histories
from appliance.store.database import connect, reading, rows, transaction, writing
from appliance.upgrading import AGENT, Machine
from tests.appliance.boxes import box, dies

PATIENT, STRICT = Policy(passes_min=2, pause_s=0, bound_s=3600), Policy(passes_min=2, pause_s=0, bound_s=0)
"""Enough time for what is well, however slow this machine; no second look for what is not."""


@dataclass
class Units:
    """What systemd does with the agent's unit, and what the agent of each release does to the database."""

    config: Config
    asked: list[str]

    def __call__(self, arguments: Sequence[str]) -> None:
        self.asked.append(" ".join(arguments))
        if tuple(arguments) == ("restart", AGENT):
            RELEASES[releases.linked(self.config, "current")](self.config)
        elif tuple(arguments)[1:] == (AGENT,) and (self.config.home / "stuck").exists():
            raise WorldError(Text("停不下来", "it does not stop"))


def runs(config: Config) -> None:
    """Starts, says so, takes a citizen's words in."""
    now_us = config.clock.wall_us()
    with writing(config.database) as db:
        facts.set_status(db, Agent(state="running", pid=7, started_at_us=now_us, at_us=now_us), now_us)
        with transaction(db):
            desk.add_tip(db, f"t{now_us}", "路灯", "", now_us)


def changes_tables(config: Config) -> None:
    """Brings the database to what the release before does not know."""
    connection = connect(f"file:{config.database}")
    db = Database(connection)
    if "of_tomorrow" not in at_rest.steps_of(config.database):
        step = {"migration_set": "songshan-edge", "name": "of_tomorrow", "applied_at": "2027"}
        db["_sqlite_migrations"].insert(step)
    connection.close()


def breaks(_config: Config) -> None:
    """Ends at once."""


RELEASES: dict[str, Callable[[Config], None]] = {
    "1.0": runs,
    "1.1": runs,
    "1.2-broken": breaks,
    "1.3-broken-and-changes-tables": changes_tables,
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A box on release 1.0, with all the others there."""
    config = replace(box(tmp_path / "box"), web_bind="127.0.0.1:1")
    files.make_folders(config)
    for version in RELEASES:
        folder = releases.folder_of(config, version)
        folder.mkdir(parents=True)
        (folder / releases.MARK).write_bytes(msgspec.json.encode(Release(version=version)))
    releases.point(config, "current", "1.0")
    runs(config)
    return config


def machine(config: Config, policy: Policy | None = None) -> Machine:
    is_well = RELEASES.get(releases.journal(config).new) is runs
    return Machine(Units(config, []), policy or (PATIENT if is_well else STRICT), pause=lambda _s: None)


def staged(config: Config, version: str) -> None:
    before = releases.journal(config)
    releases.keep(config, msgspec.structs.replace(before, state="staged", new=version, signals=(), why=None))


def upgraded(config: Config, version: str) -> Upgrade:
    staged(config, version)
    upgrading.begin_apply(config, "王工", "月度升级", config.clock.wall_us())
    return upgrading.carry_on(config, machine(config))


def links(config: Config) -> tuple[str, str, str]:
    current, previous, trusted = (releases.linked(config, link) for link in releases.LINKS)
    return current, previous, trusted


def tips(config: Config) -> int:
    with reading(config.database) as db:
        return int(rows(db, "SELECT count(*) AS tips FROM tips")[0]["tips"])


def test_a_release_that_is_well_stays(config: Config) -> None:
    """And is what the next boot runs; nothing of the one before but itself is kept."""
    done = upgraded(config, "1.1")
    assert (done.state, links(config)) == ("committed", ("1.1", "1.0", "1.1"))
    assert [each.good for each in done.signals] == [None, None, True, True, True]
    assert [(each.outcome, each.by, each.reason) for each in done.past] == [("committed", "王工", "月度升级")]
    assert sorted(path.name for path in (config.releases / "releases").iterdir()) == ["1.0", "1.1"]
    assert releases.releases(config).can_roll_back


def test_a_release_that_does_not_run_goes_back_by_itself_and_the_database_stays(config: Config) -> None:
    """It changed no table: all that was said meanwhile is still there, and nothing is doubted."""
    before = tips(config)
    staged(config, "1.2-broken")
    upgrading.begin_apply(config, "王工", "月度升级", config.clock.wall_us())
    units = Units(config, [])
    done = upgrading.carry_on(config, Machine(units, STRICT, pause=lambda _s: None))
    again = [f"{verb} {unit}" for unit in (AGENT, upgrading.WEB) for verb in ("reset-failed", "restart")]
    turn = [f"stop {AGENT}", "daemon-reload", *again]
    assert units.asked == [*turn, *turn], "the units are the release's; also where systemd had given them up"
    assert (done.state, done.restored, links(config)) == ("rolled_back", False, ("1.0", "", "1.0"))
    assert done.why is not None and "sync tick" in done.why.en
    assert tips(config) == before + 1
    with reading(config.database) as db:
        assert histories.standing(db, "dengfeng/report") is None
    assert not releases.releases(config).can_roll_back


def test_a_bad_release_does_not_take_away_the_way_back_from_the_good_one_before(config: Config) -> None:
    """1.1 stays, the next one goes and takes its database with it; then somebody finds 1.1 wanting."""
    bad = "1.3-broken-and-changes-tables"
    shutil.copytree(releases.folder_of(config, bad), config.home / "copy")
    upgraded(config, "1.1")
    shutil.copytree(config.home / "copy", releases.folder_of(config, bad))
    done = upgraded(config, bad)
    assert (done.state, done.restored, links(config)) == ("rolled_back", True, ("1.1", "1.0", "1.1"))
    said = tips(config)
    upgrading.begin_rollback(config, "李工", "画面异常", config.clock.wall_us())
    done = upgrading.carry_on(config, machine(config))
    assert (done.state, done.restored, links(config)) == ("rolled_back", False, ("1.0", "", "1.0"))
    assert tips(config) == said + 1, "1.1 had changed no table: the database stays"


def test_a_release_that_changed_the_tables_leaves_the_database_of_before(config: Config) -> None:
    """The old one could not read the newer one's. What that had written is kept, and the site's stream is in doubt."""
    before = tips(config)
    done = upgraded(config, "1.3-broken-and-changes-tables")
    assert (done.state, done.restored, links(config)[0]) == ("rolled_back", True, "1.0")
    assert tips(config) == before + 1
    with reading(config.database) as db:
        assert histories.standing(db, "dengfeng/report") == histories.Standing(False, "")
    aside = config.database.with_name("after-1.3-broken-and-changes-tables.db")
    assert "of_tomorrow" in at_rest.steps_of(aside)


def test_a_person_goes_back_after_the_commit_and_says_why(config: Config) -> None:
    """Also while the next one is staged already; and once."""
    upgraded(config, "1.1")
    staged(config, "1.1")
    upgrading.begin_rollback(config, "李工", "画面异常", config.clock.wall_us())
    done = upgrading.carry_on(config, machine(config))
    assert (done.state, done.why, links(config)) == ("rolled_back", None, ("1.0", "", "1.0"))
    assert (done.past[-1].by, done.past[-1].reason) == ("李工", "画面异常")
    with pytest.raises(Refused):
        upgrading.begin_rollback(config, "李工", "再退", config.clock.wall_us())


def test_what_cannot_be_begun_changes_nothing(config: Config) -> None:
    """Nothing staged; half a release; nothing to come back to."""
    with pytest.raises(Refused, match="nothing is staged"):
        upgrading.begin_apply(config, "王工", "x", 1)
    staged(config, "1.1")
    (releases.folder_of(config, "1.1") / releases.MARK).unlink()
    with pytest.raises(Refused, match=r"1\.1 is not whole"):
        upgrading.begin_apply(config, "王工", "x", 1)
    with pytest.raises(Refused, match="no release to go back to"):
        upgrading.begin_rollback(config, "王工", "x", 1)
    assert (releases.journal(config).state, links(config)[0]) == ("staged", "1.0")


def test_an_agent_that_cannot_be_stopped_keeps_the_box_as_it_is(config: Config) -> None:
    """The release stays staged, with the reason on record."""
    (config.home / "stuck").touch()
    done = upgraded(config, "1.1")
    assert (done.state, done.new, links(config)[0]) == ("staged", "1.1", "1.0")
    assert (done.past[-1].outcome, done.past[-1].why) == ("refused", Text("停不下来", "it does not stop"))
    (config.home / "stuck").unlink()
    upgrading.begin_apply(config, "王工", "再试", config.clock.wall_us())
    assert upgrading.carry_on(config, machine(config)).state == "committed"


def test_a_trial_that_is_cut_off_again_and_again_goes_back(config: Config) -> None:
    """A release that takes the machine down with it never gets to fail a look."""
    staged(config, "1.1")
    upgrading.begin_apply(config, "王工", "x", config.clock.wall_us())
    down = replace(machine(config), pause=_power_cut)
    for _boot in range(ATTEMPTS_MAX):
        with pytest.raises(KeyboardInterrupt):
            upgrading.carry_on(config, down)
        assert releases.journal(config).state == "verifying"
    done = upgrading.carry_on(config, machine(config))
    assert (done.state, links(config)[0]) == ("rolled_back", "1.0")


def _power_cut(_s: float) -> None:
    raise KeyboardInterrupt


def test_a_release_that_takes_the_machine_down_at_its_start_goes_back_before_it_is_started(config: Config) -> None:
    """No boot comes so far that a look could fail; what counts is done before anything of the release runs."""
    staged(config, "1.1")
    upgrading.begin_apply(config, "王工", "x", config.clock.wall_us())
    down = replace(machine(config), run=_goes_down)
    with pytest.raises(KeyboardInterrupt):
        upgrading.carry_on(config, down)
    for _boot in range(ATTEMPTS_MAX):
        assert (releases.journal(config).state, links(config)[0]) == ("switched", "1.1")
        upgrading.begin_boot(config, down)
    upgrading.begin_boot(config, replace(machine(config), run=following.while_booting(_goes_down)))
    assert (releases.journal(config).state, links(config)[0]) == ("rolled_back", "1.0")
    upgrading.begin_boot(config, down)
    assert releases.journal(config).state == "rolled_back", "an ordinary boot does nothing"


def test_a_boot_in_the_middle_of_a_trial_counts_once(config: Config) -> None:
    """Before the release is started, and not again when its trial goes on."""
    staged(config, "1.1")
    upgrading.begin_apply(config, "王工", "x", config.clock.wall_us())
    with pytest.raises(KeyboardInterrupt):
        upgrading.carry_on(config, replace(machine(config), pause=_power_cut))
    assert releases.journal(config).attempts == 1
    upgrading.begin_boot(config, machine(config))
    done = upgrading.carry_on(config, machine(config))
    assert (done.state, done.attempts) == ("committed", 2)


def _goes_down(arguments: Sequence[str]) -> None:
    if arguments[0] == "restart":
        raise KeyboardInterrupt


def test_an_agent_that_starts_again_and_again_is_not_kept(config: Config) -> None:
    """Each look finds it just started, and all is well; a row of good looks never comes."""
    staged(config, "1.1")
    upgrading.begin_apply(config, "王工", "x", config.clock.wall_us())
    policy = Policy(passes_min=3, pause_s=0, bound_s=0.5)
    crashing = Machine(Units(config, []), policy, pause=lambda _s: runs(config))
    done = upgrading.carry_on(config, crashing)
    assert (done.state, links(config)[0]) == ("rolled_back", "1.0")
    assert done.why is not None and "once more" in done.why.en


def test_the_database_of_before_comes_back_on_a_disk_that_the_newer_release_has_filled(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for a copy of the copy: then the copy takes the place."""
    database_before.copy(config, "before-1.3.db")
    undo = Undo(new="1.3", old="1.0", database="before-1.3.db", steps=at_rest.steps_of(config.database))
    changes_tables(config)

    def full(_path: Path, _into: Path) -> None:
        raise DiskFull(Text("满", "full"))

    monkeypatch.setattr(at_rest, "copy_as_it_is", full)
    database_before.put_back(config, undo, lambda _s: None)
    assert "of_tomorrow" not in at_rest.steps_of(config.database) and at_rest.faults_of(config.database) == ()
    with reading(config.database) as db:
        assert histories.standing(db, "dengfeng/report") == histories.Standing(False, "")


def test_two_do_not_upgrade_at_once(config: Config) -> None:
    """A person and the unit."""
    with upgrading.one_at_a_time(config), pytest.raises(Refused, match="under way"), upgrading.one_at_a_time(config):
        pass
    assert (config.releases / "lock").exists()


STEPS = {
    "1.1": (("committed", ("1.1", "1.0", "1.1"), False), 13),
    "1.2-broken": (("rolled_back", ("1.0", "", "1.0"), False), 13),
    "1.3-broken-and-changes-tables": (("rolled_back", ("1.0", "", "1.0"), True), 13),
}


@pytest.mark.parametrize("version", STEPS)
def test_killed_anywhere_it_finishes_or_goes_back_by_itself(config: Config, tmp_path: Path, version: str) -> None:
    """The next boot knows where it stands; both links and database are those of one release."""
    pristine, seen, step = tmp_path / "pristine", set(), 1
    expected, stride = STEPS[version]
    staged(config, version)
    shutil.copytree(config.home, pristine, symlinks=True)
    while True:
        shutil.rmtree(config.home)
        shutil.copytree(pristine, config.home, symlinks=True)
        killed = dies(lambda: _apply(config), step)
        seen.add(releases.journal(config).state)
        assert releases.linked(config, "current") in ("1.0", version), "there is always one to boot"
        assert config.database.exists(), "an agent that finds none would make one"
        with suppress(Refused):
            # The machine boots, and starts what the link names, before anybody has looked into the journal.
            RELEASES[releases.linked(config, "current")](config)
        done = upgrading.carry_on(config, machine(config))
        if done.state == "staged":
            assert links(config)[0] == "1.0"
        else:
            assert (done.state, links(config), done.restored) == expected, f"killed at step {step}"
            newer = "of_tomorrow" in at_rest.steps_of(config.database)
            assert not newer
            assert tips(config) >= 1
            assert at_rest.faults_of(config.database) == ()
        if not killed:
            break
        step += stride
    assert {"staged", "preparing", "backed_up", "verifying", expected[0]} <= seen
    assert expected[0] == "committed" or "rolling_back" in seen


def test_there_is_a_database_wherever_the_exchange_is_killed(config: Config) -> None:
    """An agent that found none would make one, and the box would begin from nothing."""
    database_before.copy(config, "before-1.1.db")
    undo = Undo(new="1.1", old="1.0", database="before-1.1.db", steps=at_rest.steps_of(config.database))
    seen = set()
    for step in range(1, 200):
        changes_tables(config)
        killed = dies(lambda: database_before.put_back(config, undo, lambda _s: None), step)
        assert config.database.exists(), f"killed at step {step}"
        assert at_rest.faults_of(config.database) == ()
        seen.add("of_tomorrow" in at_rest.steps_of(config.database))
        if not killed:
            break
    assert seen == {True, False} and "of_tomorrow" not in at_rest.steps_of(config.database)


def test_what_stands_in_the_log_is_in_the_database_before_the_log_goes(config: Config) -> None:
    """Killed between the two, a database would look as if the newer release had never been: the old one would write."""
    writer = connect(f"file:{config.database}")
    step = {"migration_set": "songshan-edge", "name": "of_tomorrow", "applied_at": "2027"}
    Database(writer)["_sqlite_migrations"].insert(step)
    assert config.database.with_name("box.db-wal").stat().st_size
    database_before.keep_newer(config, config.database.with_name("after-1.1.db"))
    assert not config.database.with_name("box.db-wal").exists()
    assert "of_tomorrow" in at_rest.steps_of(config.database)
    writer.close()


def _apply(config: Config) -> None:
    upgrading.begin_apply(config, "王工", "x", config.clock.wall_us())
    upgrading.carry_on(config, machine(config))


def test_units_are_asked_through_the_program_that_was_named(tmp_path: Path) -> None:
    """What it says when it fails is what is told."""
    program = tmp_path / "ctl"
    program.write_text('#!/bin/sh\necho "$@" >> "$0.log"\n[ "$1" != stop ] || { echo gone wrong >&2; exit 3; }\n')
    program.chmod(0o755)
    run = upgrading.by_program(str(program))
    run(["restart", AGENT])
    with pytest.raises(WorldError, match="gone wrong"):
        run(["stop", AGENT])
    with pytest.raises(WorldError):
        upgrading.by_program(str(tmp_path / "none"))(["stop", AGENT])
    assert (tmp_path / "ctl.log").read_text() == f"restart {AGENT}\nstop {AGENT}\n"
