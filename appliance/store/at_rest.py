"""A database as a file: copied while the agent writes, looked into whatever version wrote it, put in order before it is
put in the place of another. Nobody else has the copies open.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlite_utils import Database

from appliance.core import wire
from appliance.core.backup import Head
from appliance.core.errors import Text, WorldError
from appliance.core.journal import is_signed_by, public_key_text
from appliance.durable import disk_errors
from appliance.store import histories
from appliance.store.audit import keys_of_hub
from appliance.store.database import connect, read_only_uri, rows, sqlite_errors
from appliance.store.journals import checkpoint
from appliance.store.later_migrations import migrations

FAULTS_SHOWN = 5


def copy_as_it_is(path: Path, into: Path) -> None:
    """Copy the database as it is at one moment, while the agent writes on: a reader never holds the writer up.

    All pages in one look: one that is broken off by each commit would never end. Whatever version wrote it.
    """
    with _at_rest(path) as source, closing(sqlite3.connect(into)) as target:
        source.backup(target, pages=-1)


def steps_of(path: Path) -> tuple[str, ...]:
    """Which changes of the tables it has seen, also those of a newer version."""
    with _at_rest(path) as connection:
        return tuple(step.name for step in migrations.applied(Database(connection, recursive_triggers=False)))


def heads_of(path: Path) -> tuple[Head, ...]:
    """How far each stream has come."""
    with _at_rest(path) as connection:
        found = rows(Database(connection, recursive_triggers=False), "SELECT * FROM cursors ORDER BY stream")
        return tuple(Head(row["stream"], row["epoch"], row["seq"], row["head"]) for row in found)


def faults_of(path: Path) -> tuple[str, ...]:
    """What is wrong with it, in SQLite's words; () when it is sound."""
    try:
        with _at_rest(path) as connection:
            said = tuple(str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({FAULTS_SHOWN})"))
    except (sqlite3.DatabaseError, WorldError) as error:
        return (str(error),)
    return () if said == ("ok",) else said


def is_written_by(path: Path, site: str, key: Ed25519PublicKey) -> bool:
    """Whether what the site last signed there is of this key; also where nothing was signed yet."""
    with _at_rest(path) as connection:
        signed = checkpoint(Database(connection, recursive_triggers=False), wire.stream_of_site(site))
        return signed is None or is_signed_by(signed, key)


def proven_hub_key_of(path: Path, hub: str, first: str) -> str:
    """The key of the hub that `first` has led to, by records that prove themselves, whoever put them here."""
    with _at_rest(path) as connection:
        return public_key_text(keys_of_hub(Database(connection, recursive_triggers=False), hub, first)[-1])


def doubt_own_stream(path: Path, site: str) -> None:
    """This database comes back from before: nothing is appended until the hub has said how far the site's stream is."""
    with sqlite_errors(path), closing(connect(f"file:{quote(str(path))}")) as connection:
        histories.doubt(Database(connection), wire.stream_of_site(site))


def fold_log_in(path: Path) -> None:
    """Bring what stands in the log beside a database into it, whatever version wrote it; a damaged one stays."""
    with suppress(sqlite3.DatabaseError), closing(connect(f"file:{quote(str(path))}")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _at_rest(path: Path) -> Iterator[sqlite3.Connection]:
    with disk_errors(path):
        is_there = path.exists()
    if not is_there:
        hint = Text("请启动 agent：songshan agent", "start the agent: songshan agent")
        raise WorldError(Text(f"还没有数据库 {path}", f"there is no database {path} yet"), hint=hint)
    with sqlite_errors(path), closing(connect(read_only_uri(path))) as connection:
        yield connection
