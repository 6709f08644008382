"""A backup is made while the agent works, tells nothing to who lacks the code, and is put back whole or not at all."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance import backup, files, nights, restoring
from appliance.alone import only_one
from appliance.config import Config, Limits, render
from appliance.core import seal
from appliance.core.errors import Corrupt, OperatorError, Refused, SongshanError
from appliance.core.records import Order
from appliance.store import at_rest, desk, histories
from appliance.store.database import reading, rows, transaction, writing
from edge_agent.command import finish_restore
from provisioning.identity import make_key_files
from tests.appliance.boxes import HUB, box, dies

NOW_US = 1_795_500_000_000_000
SONGSHAN = str(Path(sys.executable).with_name("songshan"))
SIGN_KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
TIP = "路灯坏了，请派人来看"


def made(home: Path, site: str = "dengfeng") -> Config:
    """A box with its keys, its config and what a citizen wrote."""
    config = replace(box(home, hub=replace(HUB, sign_key=SIGN_KEY)), site=site, limits=Limits(backups_kept=2))
    files.make_folders(config)
    (home / "appliance.toml").write_text(render(config))
    make_key_files(config.sign_key, "sign")
    make_key_files(config.ssh_key, "ssh")
    config.playout_token.write_text("ab" * 32)
    with writing(config.database) as db, transaction(db):
        desk.add_tip(db, "t1", TIP, "13800000000", 1)
    return config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return made(tmp_path / "box")


def tips(config: Config) -> list[str]:
    with reading(config.database) as db:
        return [row["id"] for row in rows(db, "SELECT id FROM tips ORDER BY id")]


def back_up(config: Config, name: str = "b") -> tuple[Path, bytes]:
    path = config.home.parent / name
    backup.write(config, config.home, path, NOW_US)
    return path, backup.recovery_seed(config)


def state_of(home: Path) -> dict[str, bytes]:
    """What a restore may change, by content."""
    places = [home / "appliance.toml", home / "state/playout-token", *(home / "keys").glob("s*")]
    return {path.name: path.read_bytes() for path in places}


def test_a_backup_of_a_box_at_work_comes_back_on_an_empty_machine(config: Config, tmp_path: Path) -> None:
    """The writer is in the middle of something, and neither waits for the other."""
    with writing(config.database) as db:
        with transaction(db):
            desk.add_tip(db, "t2", TIP, "", 2)
        db.conn.execute("BEGIN IMMEDIATE")
        desk.add_tip(db, "half", TIP, "", 3)
        path, seed = back_up(config)
        db.conn.execute("COMMIT")
    (config.keys / "unused").touch()
    home = tmp_path / "new"
    restoring.restore(home, path, seed)
    new = replace(config, home=home, run=home / "run")
    assert tips(new) == ["t1", "t2"]
    assert state_of(home) == state_of(config.home)
    assert {path.name for path in new.keys.iterdir()} == {"ssh", "ssh.pub", "sign", "sign.pub", "recovery"}
    assert {stat.S_IMODE((new.keys / key).stat().st_mode) for key in ("ssh", "sign", "recovery")} == {0o600}
    assert not (home / restoring.STAGE).exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_copy_is_of_one_moment_however_fast_the_agent_writes(config: Config, tmp_path: Path) -> None:
    """What is one transaction in the database is whole or not there in the copy; and the copying comes to its end."""
    over, written = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        with writing(config.database) as db:
            db.execute("PRAGMA synchronous = OFF")
            while not over.is_set():
                number += 1
                with transaction(db):
                    desk.add_tip(db, f"n{number}", TIP, "", 1)
                    desk.receive_order(db, Order(id=f"o{number}", title=TIP), 1)
                written.set()

    agent = threading.Thread(target=write)
    agent.start()
    try:
        counts = []
        for number in range(5):
            written.clear()
            assert written.wait(60)
            copy = tmp_path / f"copy{number}"
            at_rest.copy_as_it_is(config.database, copy)
            look = "SELECT (SELECT count(*) FROM tips WHERE id LIKE 'n%'), (SELECT count(*) FROM orders)"
            with closing(sqlite3.connect(copy)) as db:
                counts.append(db.execute(look).fetchone())
    finally:
        over.set()
        agent.join()
    assert [tips for tips, orders in counts if tips != orders] == []
    assert counts[-1][0] > counts[0][0], "it was written meanwhile"


def test_a_restored_box_says_nothing_before_the_hub_has_told_it_where_it_stands(config: Config) -> None:
    """Its stream went on after the backup; a number must not stand for two records."""
    with writing(config.database) as db:
        histories.be_sure(db, "dengfeng/report", "m")
    path, seed = back_up(config)
    (config.keys / "unused").touch()
    restoring.restore(config.home, path, seed)
    with reading(config.database) as db:
        assert histories.standing(db, "dengfeng/report") == histories.Standing(False, "m")
    assert not (config.keys / "unused").exists()


def test_nothing_can_be_read_without_the_code(config: Config) -> None:
    """The file lies on a stick, or with somebody else."""
    path, seed = back_up(config)
    data = path.read_bytes()
    for secret in (TIP.encode(), b"13800000000", b"PRIVATE KEY", b"ab" * 32, HUB.host_keys[0].encode()):
        assert secret not in data
    with pytest.raises(Refused, match="not the one of this backup"):
        restoring.restore(config.home, path, bytes(seal.SEED_BYTES))
    assert backup.read_header(path).site == "dengfeng"
    again, _seed = back_up(config, "again")
    assert again.read_bytes()[200:] != data[200:]
    assert seal.parse_code(seal.code_text(seed).lower().replace("-", " ")) == seed


def test_a_slip_in_the_code_is_told_as_such() -> None:
    """Read over the telephone, one letter wrong."""
    code = seal.code_text(bytes(range(seal.SEED_BYTES)))
    assert len(code) == 29 and not set(code) & set("ILO1")
    for wrong in (code[:-1], code + "A", "A" + code[1:-1] + ("B" if code[-1] != "B" else "C"), "?" * 24):
        with pytest.raises(OperatorError):
            seal.parse_code(wrong)


@pytest.mark.parametrize("what", ["cut", "flipped", "more", "first line"])
def test_a_damaged_backup_changes_nothing_and_names_what_is_damaged(config: Config, what: str) -> None:
    """Whoever restores has one try, at night."""
    path, seed = back_up(config)
    data = bytearray(path.read_bytes())
    if what == "cut":
        data = data[:-100]
    elif what == "flipped":
        data[-40] ^= 1
    elif what == "more":
        data += b"x"
    else:
        data[3] ^= 1
    path.write_bytes(data)
    before = state_of(config.home)
    with pytest.raises(Corrupt) as caught:
        restoring.restore(config.home, path, seed)
    assert what == "first line" or "manifest" in str(caught.value) or "block" in str(caught.value)
    assert (state_of(config.home), tips(config)) == (before, ["t1"])


def test_a_damaged_file_in_a_large_backup_is_named(config: Config) -> None:
    """The chunk that is wrong lies in the database, and that is what is said."""
    with writing(config.database) as db, transaction(db):
        for number in range(700):
            desk.add_tip(db, f"n{number}", "话" * 1000, "", 1)
    path, seed = back_up(config)
    data = bytearray(path.read_bytes())
    assert len(data) > 2 * seal.CHUNK_BYTES
    data[-40] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupt, match=r"box\.db in the backup: block \d is damaged or missing"):
        restoring.restore(config.home, path, seed)


def test_chunks_cannot_change_places() -> None:
    """Nor can the end be put in the middle."""
    header = seal.header_of("dengfeng", "t", "1", bytes(14), bytes(16))
    sealing = seal.Sealing(header, bytes(14), bytes(16))
    one, two = (sealing.seal(bytes([each]) * seal.CHUNK_BYTES, is_last=False) for each in (1, 2))
    for wrong, is_last in ((two, False), (one, True)):
        with pytest.raises(Corrupt):
            seal.Sealing(header, bytes(14), bytes(16)).unseal(wrong, is_last=is_last)
    assert seal.Sealing(header, bytes(14), bytes(16)).unseal(one, is_last=False)[:1] == b"\1"


def spoilt(config: Config, name: str, data: bytes) -> tuple[Path, bytes]:
    """A backup that was sealed rightly, of a box that was wrong."""
    (config.home / name).write_bytes(data)
    return back_up(config, "spoilt")


def test_what_a_box_could_not_run_on_is_named_and_not_put_in_place(config: Config, tmp_path: Path) -> None:
    """The seal is whole; what is in it is not."""
    good = made(tmp_path / "good")
    before = state_of(good.home)
    cases = {
        "appliance.toml": (b"site = ", "not TOML"),
        "keys/sign": (b"x", "cannot read the key"),
    }
    for number, (name, (data, said)) in enumerate(cases.items()):
        bad = made(tmp_path / f"bad{number}")
        path, seed = spoilt(bad, name, data)
        with pytest.raises(SongshanError, match=said):
            restoring.restore(good.home, path, seed)
    assert (state_of(good.home), tips(good)) == (before, ["t1"])


def test_a_database_of_a_newer_version_and_another_sites_are_refused(config: Config, tmp_path: Path) -> None:
    """The one would be misread, the other would speak in another's name."""
    other = made(tmp_path / "other", "xinmi")
    path, seed = back_up(other, "x")
    with pytest.raises(Refused, match="this box is dengfeng"):
        restoring.restore(config.home, path, seed)
    with writing(config.database) as db:
        step = {"migration_set": "songshan-edge", "name": "of_tomorrow", "applied_at": "2027"}
        db["_sqlite_migrations"].insert(step)
    path, seed = back_up(config)
    with pytest.raises(Refused, match="of_tomorrow"):
        restoring.restore(config.home, path, seed)


def test_a_database_under_another_key_is_refused(config: Config, tmp_path: Path) -> None:
    """Whoever put them together made one box of two."""
    from appliance.core.journal import append, genesis, position_after, sign_checkpoint
    from appliance.store.journals import append_record, keep_checkpoint

    with writing(config.database) as db:
        with transaction(db):
            record = append(genesis("dengfeng/report"), "tip", "t1", b"{}", NOW_US)
            append_record(db, record)
        key = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)
        keep_checkpoint(db, sign_checkpoint(position_after(record), NOW_US, NOW_US, key))
    path, seed = back_up(config)
    with pytest.raises(Corrupt, match="keys/sign"):
        restoring.restore(config.home, path, seed)


def test_a_restore_that_is_killed_anywhere_leaves_the_old_state_or_the_new(config: Config, tmp_path: Path) -> None:
    """Whatever comes next - the agent, or the same command - goes on; never is there one's key and the other's log."""
    path, seed = back_up(config)
    old = made(tmp_path / "old")
    shutil.copy(config.keys / "recovery", old.keys / "recovery")
    (old.home / "appliance.toml").write_text(render(replace(old, limits=Limits(catchup_days=3))))
    pristine = tmp_path / "pristine"
    with writing(old.database) as db:
        with transaction(db):
            desk.add_tip(db, "t9", TIP, "", 9)
        # As after a power cut: the last words stand in the log beside the database alone.
        shutil.copytree(old.home, pristine)
    assert (pristine / "state/box.db-wal").stat().st_size
    states = {"old": (state_of(old.home), ["t1", "t9"]), "new": (state_of(config.home), ["t1"])}
    seen, step = [], 0
    while True:
        step += 3
        shutil.rmtree(old.home)
        shutil.copytree(pristine, old.home)
        killed = dies(lambda: restoring.restore(old.home, path, seed) and None, step)
        finish_restore(old.home)
        found = state_of(old.home), tips(old)
        seen.append(next(name for name, state in states.items() if state == found))
        if not killed:
            break
        if seen[-1] == "new":
            aside = old.home / restoring.ASIDE
            assert (aside / "sign").read_bytes() == states["old"][0]["sign"]
    assert seen == sorted(seen, reverse=True)
    assert seen.count("old") > 5 and seen.count("new") > 3
    restoring.restore(old.home, path, seed)
    assert tips(old) == ["t1"]


def songshan(config: Config, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SONGSHAN_LANG": "en", **environ}
    argv = [SONGSHAN, "--home", config.home, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=env)


def test_by_night_as_many_stay_as_the_config_says(config: Config) -> None:
    """The newest stay, and what a person laid beside them; nothing half is left by one that was killed."""
    config.backups.mkdir()
    (config.backups / "of-mine.backup").write_text("x")
    (config.backups / ".copy-dead").mkdir()
    for day in (1, 2, 3):
        (config.backups / f"dengfeng-2026110{day}T020000Z.backup").write_text("x")
    done = songshan(config, "backup", "--nightly")
    assert done.returncode == 0, done.stderr
    assert "written down the recovery code" in done.stdout
    names = sorted(path.name for path in config.backups.iterdir() if path.is_file())
    assert names[0] == "dengfeng-20261103T020000Z.backup" and names[-1] == "of-mine.backup" and len(names) == 3
    assert at_rest.steps_of(config.database)


def test_a_clock_that_was_set_back_takes_no_earlier_backups_place(config: Config) -> None:
    """The new one may turn out to be none, and the old one would be gone."""
    config.backups.mkdir(exist_ok=True)
    taken = [nights.free_path(config, NOW_US)]
    for _again in range(2):
        taken[-1].touch()
        taken.append(nights.free_path(config, NOW_US))
    assert len({*taken}) == 3
    assert taken == sorted(taken)


def test_what_was_backed_up_by_night_is_opened_again_and_one_that_cannot_be_is_none(config: Config) -> None:
    """It is known the next morning, and not on the day when the box has died; the one of the night before stays."""
    assert songshan(config, "backup", "--nightly").returncode == 0
    assert nights.backup_fact(config).is_rehearsed
    kept = sorted(path.name for path in config.backups.iterdir())
    with config.database.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)
    done = songshan(config, "backup", "--nightly")
    assert (done.returncode, "box.db" in done.stderr) == (1, True)
    assert sorted(path.name for path in config.backups.iterdir()) == kept


def test_a_person_restores_with_the_code_and_not_while_the_agent_runs(config: Config, tmp_path: Path) -> None:
    """On a machine that does not hold the code it is asked for, and said in which way."""
    code = songshan(config, "backup", "--show-code").stdout.splitlines()[0]
    file, home = tmp_path / "f", tmp_path / "new"
    assert songshan(config, "backup", file).returncode == 0
    with only_one(config.run, config.home):
        refused = songshan(config, "restore", file)
    assert (refused.returncode, "runs already" in refused.stderr) == (1, True)
    new = replace(config, home=home, run=home / "run")
    asked = songshan(new, "restore", file)
    assert (asked.returncode, "--code-file" in asked.stderr) == (2, True)
    done = songshan(new, "restore", file, SONGSHAN_RECOVERY_CODE=code)
    assert done.returncode == 0, done.stderr
    assert tips(new) == ["t1"]
