"""`songshan audit verify`: the box's own journal, and one that somebody carried away, from the keys alone."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.auditing import audit_folder, folders_in
from appliance.config import Config, render
from appliance.core import records
from appliance.core.audit import Redactions
from appliance.core.journal import Position, public_key_text, sign_checkpoint
from appliance.store.database import writing
from provisioning import identity
from provisioning.hub.stream import Stream
from tests.appliance.boxes import HUB, box
from tests.journals import AT, BEGAN_US, chain, reports, stories, write_asrun, write_stream, write_table

SONGSHAN = str(Path(sys.executable).with_name("songshan"))
HUB_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OWN, CONTENT = "dengfeng/report", "all/content"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A box that has heard ten stories and said fifty things, all signed."""
    hub = replace(HUB, sign_key=public_key_text(HUB_KEY.public_key()))
    made = box(tmp_path / "home", hub)
    made.sign_key.parent.mkdir(parents=True)
    key = identity.make_key_files(made.sign_key, "sign")
    (made.home / "appliance.toml").write_text(render(made))
    with writing(made.database) as db:
        write_table(db, CONTENT, chain(CONTENT, stories(10)), "applied", HUB_KEY, BEGAN_US)
        write_table(db, OWN, chain(OWN, reports(50)), "own", key, BEGAN_US)
        write_asrun(db, chain(OWN, reports(50)))
    return made


def verify(config: Config, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SONGSHAN, "--home", config.home, "audit", "verify", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "SONGSHAN_LANG": "en"},
    )


def change(config: Config, sql: str, *values: object) -> None:
    with sqlite3.connect(config.database) as db:
        db.execute(sql, values)


def test_a_whole_box_is_said_to_be_complete_unforked_and_signed(config: Config) -> None:
    """With how far each stream goes, so that the auditor can hold it against what the hub has."""
    done = verify(config)
    assert done.returncode == 0, done.stderr
    assert "complete, unforked, signed" in done.stdout
    facts = json.loads(verify(config, "--json").stdout)
    assert facts["problems"] == []
    assert [(each["stream"], each["records"], each["seq"]) for each in facts["streams"]] == [
        (CONTENT, 10, 10),
        (OWN, 50, 50),
    ]


CHANGES: dict[str, str] = {
    "a body": "UPDATE journal SET body = CAST(replace(CAST(body AS TEXT), '红', '绿') AS BLOB)"
    f" WHERE stream = '{CONTENT}' AND seq = 4",
    "a body gone": f"UPDATE journal SET body = NULL WHERE stream = '{CONTENT}' AND seq = 4",
    "a row gone": f"DELETE FROM journal WHERE stream = '{OWN}' AND seq = 20",
    "the last row gone": f"DELETE FROM journal WHERE stream = '{OWN}' AND seq = 50",
    "the last row gone, cursor put back": f"DELETE FROM journal WHERE stream = '{OWN}' AND seq = 50;"
    f" UPDATE cursors SET seq = 49, head = (SELECT hash FROM journal WHERE stream = '{OWN}' AND seq = 49)"
    f" WHERE stream = '{OWN}'",
    "a stream gone": f"DELETE FROM journal WHERE stream = '{CONTENT}'",
    "a column": f"UPDATE journal SET kind = 'item' WHERE stream = '{CONTENT}' AND seq = 4",
    "the cursor": f"UPDATE cursors SET seq = 51 WHERE stream = '{OWN}'",
    "the signature": f"UPDATE cursors SET checkpoint_signature = zeroblob(64) WHERE stream = '{OWN}'",
    "no signature": f"UPDATE cursors SET checkpoint_payload = NULL WHERE stream = '{OWN}'",
    "no checkpoint at all": f"UPDATE cursors SET checkpoint_payload = X'7b7d' WHERE stream = '{OWN}'",
    "what aired": "DROP TRIGGER asrun_stands; UPDATE asrun"
    " SET document = CAST(replace(CAST(document AS TEXT), '早', '晚') AS BLOB) WHERE seq = 9",
    "what aired, chained anew": "DROP TRIGGER asrun_stands; UPDATE asrun SET hash = 'x' WHERE seq = 48",
}


@pytest.mark.parametrize("sql", CHANGES.values(), ids=CHANGES)
def test_what_was_changed_in_the_database_is_found(config: Config, sql: str) -> None:
    """By whoever has root on the box: tables are not believed, the bytes and the keys are."""
    with sqlite3.connect(config.database) as db:
        db.executescript(sql)
    done = verify(config)
    assert done.returncode == 1
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_records_that_nobody_signed_are_found_once_they_are_old(config: Config) -> None:
    """The agent signs within the turn; what has waited for minutes was not written by it."""
    key = identity.read_private(config.sign_key)
    lines = list(chain(OWN, reports(50)))
    signed = sign_checkpoint(Position(OWN, 1, 48, lines[47].hash), BEGAN_US, BEGAN_US + 1, key)
    change(
        config,
        f"UPDATE cursors SET checkpoint_payload = ?, checkpoint_signature = ? WHERE stream = '{OWN}'",
        signed.payload,
        signed.signature,
    )
    assert "the last 2 records are not signed" in verify(config).stderr


def test_what_the_site_said_that_it_was_shown_is_held_against_what_is_here(config: Config) -> None:
    """The hub's own signature on another history does not help: the site has said which one it saw."""
    key = identity.read_private(config.sign_key)
    at = chain(CONTENT, stories(10))
    seen = [Position(CONTENT, 1, line.seq, line.hash) for line in at]
    for head, status in ((seen[3].head, 0), ("a" * 64, 1)):
        body = records.encode(records.Seen({CONTENT: records.SeenHead(1, 4, head)}, AT))
        with writing(config.database) as db:
            db.execute("DELETE FROM journal WHERE stream = ?", (OWN,))
            write_table(db, OWN, chain(OWN, [*reports(50), ("seen", "hub", body)]), "own", key, BEGAN_US)
        done = verify(config)
        assert done.returncode == status
        assert ("is not what this site said" in done.stderr) == bool(status)


def test_another_key_than_the_writers_does_not_count(config: Config) -> None:
    """A journal that somebody else signed throughout is a journal of somebody else."""
    identity.make_key_files(config.sign_key.with_name("other"), "x")
    config.sign_key.with_name("other.pub").rename(config.sign_key.with_name("sign.pub"))
    assert "signature is wrong" in verify(config).stderr


def test_a_carried_journal_is_checked_with_the_keys_that_the_auditor_brought(tmp_path: Path, config: Config) -> None:
    """On any machine: no database, no config of a box."""
    for name, said in ((CONTENT, stories(10)), (OWN, reports(50))):
        write_stream(Stream(tmp_path / "usb" / name, name), chain(name, said), HUB_KEY, BEGAN_US)
    usb, key = str(tmp_path / "usb"), public_key_text(HUB_KEY.public_key())
    stranger = replace(config, home=tmp_path / "nowhere")
    assert verify(stranger, usb, "--key", key).returncode == 0
    assert verify(stranger, usb).returncode == 2
    assert verify(stranger, usb, "--key", "x").returncode == 2
    assert verify(stranger, str(tmp_path / "home"), "--key", key).returncode == 2
    other = public_key_text(Ed25519PrivateKey.generate().public_key())
    assert verify(stranger, usb, "--key", other).returncode == 1


HARM: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-5],
    "cut at a line": lambda data: data[: data.rindex(b"\n", 0, -1) + 1],
    "a header gone": lambda data: data.split(b"\n", 1)[1],
    "empty": lambda data: b"",
    "blanks over a body": lambda data: b"\n".join(
        [b" " * len(line) if number == 3 else line for number, line in enumerate(data.split(b"\n"))]
    ),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_file_that_was_harmed_is_found(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    """The bytes that are vouched for are all read, and none but they."""
    folder = tmp_path / CONTENT
    write_stream(Stream(folder, CONTENT), chain(CONTENT, stories(10)), HUB_KEY, BEGAN_US)
    path = folder / "1.records"
    path.write_bytes(harm(path.read_bytes()))
    found, missing = audit_folder(folder, CONTENT, (HUB_KEY.public_key(),), Redactions())
    assert found.problems or missing


def test_folders_are_found_wherever_they_lie(tmp_path: Path) -> None:
    """A stick, a hub, a backup: each has its own layout above the stream."""
    for depth in ("", "a", "b/c/d"):
        write_stream(Stream(tmp_path / depth, CONTENT), chain(CONTENT, stories(2)), HUB_KEY, BEGAN_US)
    assert set(folders_in(tmp_path)) == {tmp_path, tmp_path / "a", tmp_path / "b/c/d"}


def test_reading_a_long_journal_takes_little_memory(config: Config) -> None:
    """A box has a gigabyte of it after a year; the audit must not hold what it has read."""
    with writing(config.database) as db:
        db.execute("DELETE FROM journal")
        db.execute("DELETE FROM cursors")
        write_table(db, CONTENT, chain(CONTENT, stories(30_000)), "applied", HUB_KEY, time.time_ns() // 1000)
    # VmHWM: what getrusage(2) says of a child counts the parent it was forked from.
    code = (
        "import sys; from pathlib import Path; from appliance.command import songshan;"
        " songshan(sys.argv[1:], standalone_mode=False); lines = Path('/proc/self/status').read_text().splitlines();"
        " print(next(line.split()[1] for line in lines if line.startswith('VmHWM')))"
    )
    argv = [sys.executable, "-c", code, "--home", str(config.home), "audit", "verify"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert config.database.stat().st_size > 30_000_000
    assert int(done.stdout.splitlines()[-1]) < 60_000
