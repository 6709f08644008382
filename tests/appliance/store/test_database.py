"""The database: durable for its one writer, open to readers in every state that it can be found in."""

import os
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from appliance.core.errors import DiskFull, Held, WorldError
from appliance.store.database import first, open_for_writing, open_read_only, reading, rows, transaction, writing
from appliance.store.later_migrations import migrations
from tests.appliance.boxes import ROOT, run, small_disk

DIE_WITH_A_LOG = """
import os, signal, sys
from pathlib import Path
from appliance.store.database import open_for_writing
db = open_for_writing(Path(sys.argv[1]))
db.execute("INSERT INTO tips VALUES ('left in the log', 'x', '', 1)")
os.kill(os.getpid(), signal.SIGKILL)
"""

READ_AS_NOBODY = """
import os, sys
import encodings.idna
from pathlib import Path
from sqlite_utils import Database
from appliance.core.errors import WorldError
from appliance.store.database import reading, rows
Database(memory=True).close()
os.setgroups([]), os.setgid(65534), os.setuid(65534)
try:
    with reading(Path(sys.argv[1])) as db:
        print(len(rows(db, "SELECT * FROM tips")))
except WorldError as error:
    print(error)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "box.db"


@pytest.fixture
def seen_by_all() -> Iterator[Path]:
    """A database in a folder that others may enter and read, and not write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "state" / "box.db"
        open_for_writing(path).close()
        path.parent.chmod(0o755)
        path.chmod(0o644)
        yield path


def add(db: Database, name: str, size: int = 1) -> None:
    db.execute("INSERT INTO tips VALUES (?, ?, '', 1)", (name, "x" * size))


def tips(db: Database) -> list[str]:
    return [row["id"] for row in rows(db, "SELECT id FROM tips ORDER BY id")]


def test_what_is_committed_is_on_the_disk(path: Path) -> None:
    """synchronous=FULL with a write-ahead log: a power cut loses nothing that was committed."""
    with writing(path) as db:
        settings = ("journal_mode", "synchronous", "foreign_keys")
        assert [db.execute(f"PRAGMA {name}").fetchone()[0] for name in settings] == ["wal", 2, 1]


def test_opening_again_changes_nothing(path: Path) -> None:
    """Migrations run once; a restart is nothing special."""
    with writing(path) as db:
        add(db, "a")
        applied = migrations.applied(db)
    with writing(path) as db:
        assert (tips(db), migrations.applied(db)) == (["a"], applied)


def test_a_transaction_is_all_or_nothing(path: Path) -> None:
    """Half of an effect is worse than none."""
    with writing(path) as db:
        with pytest.raises(RuntimeError), transaction(db):
            add(db, "a")
            raise RuntimeError
        assert tips(db) == []
        with transaction(db):
            add(db, "b")
        assert tips(db) == ["b"]


def test_a_savepoint_inside_takes_back_only_its_own(path: Path) -> None:
    """A record that cannot be applied must not undo the ones before it."""
    with writing(path) as db:
        with transaction(db):
            add(db, "kept")
            with pytest.raises(RuntimeError), db.atomic():
                add(db, "undone")
                raise RuntimeError
        assert tips(db) == ["kept"]


def test_a_reader_cannot_write(path: Path) -> None:
    """Readers are web workers that strangers talk to."""
    open_for_writing(path).close()
    db = open_read_only(path)
    with pytest.raises(sqlite3.OperationalError):
        add(db, "a")
    db.close()


def test_a_reader_sees_what_is_committed_while_the_writer_is_in_the_middle(path: Path) -> None:
    """A page is served at any moment, and never from half a transaction."""
    with writing(path) as db:
        add(db, "a")
        with transaction(db):
            add(db, "b")
            with reading(path) as other:
                assert tips(other) == ["a"]
        with reading(path) as other:
            assert tips(other) == ["a", "b"]


def test_readers_never_stop_the_writer(path: Path) -> None:
    """A slow page in one worker must not hold up a recall."""
    with writing(path) as db:
        for name in "abc":
            add(db, name)
        with reading(path) as slow:
            pending = slow.conn.execute("SELECT id FROM tips ORDER BY rowid")
            assert pending.fetchone() == ("a",)
            with transaction(db):
                add(db, "d")
            assert pending.fetchall() == [("b",), ("c",)]


def test_a_reader_leaves_nothing_beside_a_closed_database(path: Path) -> None:
    """A log made under the web server's name would lock the agent out of its own database."""
    with writing(path) as db:
        add(db, "a")
    with reading(path) as db:
        assert tips(db) == ["a"]
        assert os.listdir(path.parent) == ["box.db"]
    assert os.listdir(path.parent) == ["box.db"]


@pytest.mark.root
def test_a_reader_without_write_permission_reads_while_the_writer_lives(seen_by_all: Path) -> None:
    """The web server runs as another user."""
    with writing(seen_by_all) as db:
        add(db, "a")
        assert run(READ_AS_NOBODY, seen_by_all).stdout == "1\n"


@pytest.mark.root
def test_a_reader_without_write_permission_reads_when_the_writer_has_ended(seen_by_all: Path) -> None:
    """The page must not go dark exactly when the agent is stopped (SQLite alone answers: unable to open)."""
    with writing(seen_by_all) as db:
        add(db, "a")
    assert run(READ_AS_NOBODY, seen_by_all).stdout == "1\n"
    assert os.listdir(seen_by_all.parent) == ["box.db"]


@pytest.mark.root
def test_a_reader_without_write_permission_reads_when_the_writer_was_killed(seen_by_all: Path) -> None:
    """What was committed to the log before the kill is seen too."""
    assert run(DIE_WITH_A_LOG, seen_by_all).returncode == -signal.SIGKILL
    assert (seen_by_all.parent / "box.db-wal").exists()
    assert run(READ_AS_NOBODY, seen_by_all).stdout == "1\n"


def test_there_is_none_yet(path: Path) -> None:
    """A new box's page says so, and what to do."""
    with pytest.raises(WorldError) as caught:
        open_read_only(path)
    assert caught.value.hint is not None
    assert "songshan agent" in caught.value.hint.en
    assert not path.parent.exists()


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_told_and_left_as_it_is(path: Path, content: bytes) -> None:
    """Whoever repairs it needs it as it was found."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(WorldError), reading(path):
        pass
    assert path.read_bytes() == content


def test_a_database_of_an_older_version_waits_for_the_agent(path: Path) -> None:
    """After an upgrade the page says what is missing, not `no such column`."""
    path.parent.mkdir()
    old = Database(path)
    migrations.apply(old, stop_before="facts")
    old.close()
    with pytest.raises(WorldError, match="older version"):
        open_read_only(path)


def test_a_locked_database_is_told_after_a_while(path: Path) -> None:
    """Somebody left a transaction open by hand: a sentence, not a traceback, and nothing half done."""
    with writing(path) as db:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        db.execute("PRAGMA busy_timeout = 50")
        with pytest.raises(Held, match="another program holds"), transaction(db):
            add(db, "a")
        other.execute("ROLLBACK")
        other.close()
        with transaction(db):
            add(db, "b")
        assert tips(db) == ["b"]


def test_nobody_comes_between_what_is_read_and_what_is_written(path: Path) -> None:
    """A deferred transaction would let another writer in after the read, and then fail at its own first write."""
    with writing(path) as db:
        other = sqlite3.connect(path, isolation_level=None, timeout=0)
        with transaction(db):
            assert tips(db) == []
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("INSERT INTO tips VALUES ('intruder', 'x', '', 1)")
            add(db, "a")
        other.close()
        assert tips(db) == ["a"]


def test_a_mistake_in_sql_is_a_bug_and_is_seen_as_one(path: Path) -> None:
    """It must not hide among the troubles of the world, to be retried for ever."""
    with writing(path) as db, pytest.raises(sqlite3.OperationalError), transaction(db):
        first(db, "SELECT nothing FROM nowhere")


@pytest.mark.root
def test_a_full_disk_has_a_name_and_costs_nothing_that_was_there(tmp_path: Path) -> None:
    """The agent goes on when there is room again, without a restart."""
    with small_disk(tmp_path / "disk", "2m") as disk, writing(disk / "box.db") as db:
        with transaction(db):
            add(db, "before")
        (disk / "ballast").write_bytes(bytes(1024 * 1024))
        with pytest.raises(DiskFull), transaction(db):
            for number in range(40):
                add(db, f"too much {number}", 50_000)
        assert tips(db) == ["before"]
        (disk / "ballast").unlink()
        with transaction(db):
            add(db, "after")
        assert (tips(db), db.execute("PRAGMA quick_check").fetchone()[0]) == (["after", "before"], "ok")


def test_two_threads_of_readers_and_a_writer_get_along(path: Path) -> None:
    """Web workers read in threads, each look with a connection of its own."""
    counts: list[int] = []
    with writing(path) as db:

        def look() -> None:
            for _turn in range(20):
                with reading(path) as other:
                    counts.append(len(tips(other)))

        readers = [threading.Thread(target=look) for _number in range(2)]
        for reader in readers:
            reader.start()
        for number in range(20):
            with transaction(db):
                add(db, str(number))
        for reader in readers:
            reader.join(30)
    assert len(counts) == 40


def test_a_path_with_any_characters_works(tmp_path: Path) -> None:
    """The folder of a box may be called anything, `?` and `%` of an address too."""
    path = tmp_path / "登封 100%?mode=rw#x" / "box.db"
    with writing(path) as db:
        add(db, "a")
    with reading(path) as db:
        assert tips(db) == ["a"]


def test_every_table_is_in_the_formats_document(tmp_path: Path) -> None:
    """Somebody else's box, or a technician with `sqlite3`, has to know what is in it."""
    db = Database(tmp_path / "box.db")
    migrations.apply(db)
    names = {*db.table_names(), *db.view_names()} - {"_sqlite_migrations"}
    db.close()
    text = (ROOT / "docs/formats.md").read_text()
    assert sorted(name for name in names if f"`{name}`" not in text) == []
