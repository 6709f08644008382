"""Alarms of backups and upgrades, and which nightly files go."""

from appliance.core.backup import BackupFact, nightly_name, superfluous
from appliance.core.errors import Text
from appliance.core.release import ReleaseFact
from appliance.core.upkeep import of_upkeep

NOW_US = 1_795_500_000_000_000
DAY_US = 86_400_000_000


NO_BACKUP, NO_RELEASE = BackupFact(), ReleaseFact()


def ids(backup: BackupFact = NO_BACKUP, release: ReleaseFact = NO_RELEASE) -> list[tuple[str, str]]:
    return [(found.id, found.severity) for found in of_upkeep(backup, release, NOW_US)]


def test_an_old_backup_is_told_and_one_that_was_never_made() -> None:
    """A box that joined today has nothing to answer for."""
    assert ids(BackupFact(last_us=NOW_US - 2 * DAY_US)) == []
    assert ids(BackupFact(last_us=NOW_US - 3 * DAY_US)) == [("backup", "amber")]
    assert ids(BackupFact(joined_us=NOW_US - DAY_US)) == []
    assert ids(BackupFact(joined_us=NOW_US - 3 * DAY_US)) == [("backup", "amber")]
    assert ids() == []


def test_an_upgrade_is_told_until_it_is_over() -> None:
    """Under way, stuck, gone back by itself; done is silent."""
    minutes = 60_000_000
    assert ids(release=ReleaseFact(state="verifying", changed_us=NOW_US - minutes)) == [("upgrade", "info")]
    assert ids(release=ReleaseFact(state="verifying", changed_us=NOW_US - 40 * minutes)) == [("upgrade", "amber")]
    assert ids(release=ReleaseFact(state="rolled_back", why=Text("坏", "bad"))) == [("upgrade", "amber")]
    assert ids(release=ReleaseFact(state="rolled_back")) == []
    assert ids(release=ReleaseFact(state="committed")) == []
    assert ids(release=ReleaseFact(problem=Text("坏", "bad"))) == [("release", "red")]


def test_the_oldest_nightly_backups_go_and_nothing_else() -> None:
    """What a person put beside them is hers."""
    names = [nightly_name("dengfeng", f"2026-11-{day:02d}T02:00:00.5Z") for day in range(20, 26)]
    assert names[0] == "dengfeng-20261120T020000Z.backup"
    assert superfluous([*reversed(names), "before-the-move.backup", "notes.txt"], 4) == names[:2]
    assert superfluous(names[:1], 0) == []
