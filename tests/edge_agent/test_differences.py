"""A new version, and an asset that went bad, as the agent fetches them: only what differs crosses the line."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge_agent.county import County, county, published
from tests.provisioning.live import LiveHub
from tests.simulators.link import Link, link

MIB = 1024 * 1024
LITTLE_BYTES = 120_000
"""A session, its records, and what rsync needs to compare 4 MiB."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path / "hub")
    live.run("init")
    live.serve()
    yield live
    live.end()


@pytest.fixture
def line(hub: LiveHub) -> Iterator[Link]:
    with link(hub.folder.settings().port, 0.0) as made:
        yield made


@pytest.fixture
def box(hub: LiveHub, line: Link, tmp_path: Path) -> Iterator[County]:
    """A box that reaches its hub over the line that counts."""
    with county(hub, tmp_path / "deng feng") as made:
        config = made.home / "appliance.toml"
        port = hub.folder.settings().port
        config.write_text(config.read_text().replace(f"port = {port}", f"port = {line.port}"))
        yield made


def fetched(box: County, line: Link) -> int:
    """Bytes that came down while the agent did all there was to do."""
    before = line.bytes_down
    done = box.once()
    assert done.returncode == 0, done.stderr
    assert box.rows("SELECT * FROM transfers") == []
    return line.bytes_down - before


def test_one_rotten_byte_in_a_large_asset_costs_next_to_nothing(hub: LiveHub, line: Link, box: County) -> None:
    """64 MiB: a county's line has better things to do at night."""
    whole = random.Random(2).randbytes(64 * MIB)
    _item, digest = published(hub, whole, "长片.bin")
    fetched(box, line)
    path = box.home / "media" / digest[7:9] / digest[7:]
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(40 * MIB)
        file.write(bytes([whole[40 * MIB] ^ 1]))
    with sqlite3.connect(box.home / "state" / "box.db") as db:
        db.execute("UPDATE assets SET verified_at_us = 0 WHERE digest = ?", (digest,))
    db.close()
    before = line.bytes_both
    fetched(box, line)
    assert line.bytes_both - before < MIB // 2, line.bytes_both - before
    assert path.read_bytes() == whole
    assert list((box.home / "media" / "quarantine").iterdir()) == []


def test_only_what_differs_crosses_the_line(hub: LiveHub, line: Link, box: County) -> None:
    """A film with a new header must not take the night; nor one in which a block rotted, nor a second use."""
    first = random.Random(1).randbytes(4 * MIB)
    _item, old = published(hub, first, "正片.bin")
    assert fetched(box, line) > 4 * MIB
    _item, new = published(hub, b"a corrected title" + first, "正片.bin")
    assert fetched(box, line) < LITTLE_BYTES
    assert box.served() == {old, new}
    path = box.home / "media" / new[7:9] / new[7:]
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(2 * MIB)
        file.write(b"rot")
    with sqlite3.connect(box.home / "state" / "box.db") as db:
        db.execute("UPDATE assets SET verified_at_us = 0 WHERE digest = ?", (new,))
    db.close()
    assert fetched(box, line) < LITTLE_BYTES
    assert box.served() == {old, new}
    assert path.read_bytes() == b"a corrected title" + first
    assert list((box.home / "media" / "quarantine").iterdir()) == [], "what was healed is not kept"
    published(hub, first, "改名.bin")
    assert fetched(box, line) < 20_000
    assert box.rows("SELECT count(*) FROM items") == [(3,)]
    assert (sorted(box.staged()), list((box.home / "media" / "incoming" / "basis").iterdir())) == (["basis"], [])
