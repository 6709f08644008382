"""The agent as it runs in a county: real hub, sshd, rsync, ffmpeg and SQLite, killed where it hurts."""

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from edge_agent.drop import NOTICE
from tests.appliance.clips import make
from tests.edge_agent.county import County, county, digest_of, published, until
from tests.provisioning.live import LiveHub

MIB = 1024 * 1024


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LiveHub]:
    live = LiveHub(tmp_path / "hub")
    live.run("init")
    live.serve()
    yield live
    live.end()


@pytest.fixture
def box(hub: LiveHub, tmp_path: Path) -> Iterator[County]:
    with county(hub, tmp_path / "deng feng") as made:
        yield made


@pytest.fixture(scope="module")
def short_clip() -> bytes:
    return make("short.mp4", video="testsrc=s=320x240:r=25:d=2", audio="sine=d=2").read_bytes()


def test_what_the_hub_publishes_is_served_and_can_air(hub: LiveHub, box: County, short_clip: bytes) -> None:
    """The main path: record, fetch, check, publish; with `--once` it is all done when the command returns."""
    item, digest = published(hub, short_clip, "clip.mp4", "--to", "dengfeng")
    done = box.once()
    assert done.returncode == 0, done.stderr
    assert box.served() == {digest}
    assert box.rows("SELECT id, state FROM items") == [(item, "published")]
    assert box.rows("SELECT state, frames FROM renditions WHERE segments IS NOT NULL") == [("here", 50)]
    assert box.rows("SELECT * FROM transfers") == []
    assert (box.staged(), box.orphans()) == ([], [])


def test_once_without_a_hub_ends_in_order_and_all_waits(hub: LiveHub, box: County, short_clip: bytes) -> None:
    """Offline is a state, not an error: a county that was cut off goes on working, and nothing is forgotten."""
    hub.kill()
    (box.home / "drop").mkdir()
    (box.home / "drop" / "秋收.mp4").write_bytes(short_clip)
    assert box.once().returncode == 0
    assert box.states() == [("秋收", "waiting")]
    assert box.rows("SELECT kind, state FROM journal") == [("submission", "own")]
    assert not (box.home / "drop" / "秋收.mp4").exists()
    status = box.facts("status")
    assert (status["link"]["state"], status["sync"]["unsent_records"]) == ("offline", 1)
    assert box.rows("SELECT count(*) FROM ledger") > [(0,)], "the channel goes on from the ledger"
    audited = box.facts("audit", "verify")
    assert (audited["problems"], [each["unsigned"] for each in audited["streams"]]) == ([], [0]), "signed all the same"
    hub.serve()
    assert box.once().returncode == 0
    assert box.states() == [("秋收", "accepted")]
    assert [offer["title"] for offer in hub.facts("market")["offers"]] == ["秋收"]


def test_a_recall_bites_within_a_second(hub: LiveHub, box: County) -> None:
    """Page, media and coming airings, while the agent is in the middle of everyday work."""
    box.start()
    item, digest = published(hub, secrets.token_bytes(5000), "误发.bin")
    until(lambda: digest in box.served())
    began = time.time()
    hub.run("recall", item, "--reason", "误发")
    until(lambda: digest not in box.served())
    written = max(path.stat().st_mtime for path in (hub.path / "journals").rglob("*.records"))
    assert written > began
    assert time.time() - written < 1.5
    until(lambda: box.rows("SELECT count(*) FROM assets WHERE digest = ?", digest) == [(0,)])
    assert not (box.home / "media" / digest[7:9] / digest[7:]).exists()


def test_a_recall_takes_the_coming_airings_and_the_air_goes_on(
    hub: LiveHub, box: County, short_clip: bytes, tmp_path: Path
) -> None:
    """What was recalled must not air tonight; its time is filled, with the reason."""
    item, digest = published(hub, short_clip, "clip.mp4", "--to", "dengfeng")
    # The next 06:00 that is an hour away: the air is decided for a day and two hours.
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + (8 + 19) * 3600))
    # With a length of its own: one that has it of its asset, and nothing behind it, is dropped with the asset.
    starts = '"start":"06:00:00","start_type":"hard","duration_s":60'
    entry = f'{{"id":"e1",{starts},"kind":"programme","title":"x","asset":"{digest}"}}'
    schedule = tmp_path / "schedule.json"
    schedule.write_text(f'{{"channel":"dengfeng-1","date":"{day}","version":1,"entries":[{entry}]}}')
    hub.run("schedule", "dengfeng", "dengfeng-1", str(schedule))
    box.start()
    rows = "SELECT count(*) FROM ledger WHERE source = ?"
    until(lambda: box.rows(rows, digest) == [(1,)])
    hub.run("recall", item, "--reason", "误发")
    until(lambda: box.rows(rows, digest) == [(0,)])
    assert box.rows("SELECT count(*) FROM ledger WHERE entry_id = 'e1' AND reason IS NOT NULL") > [(0,)]


def test_the_hub_is_killed_and_comes_back(hub: LiveHub, box: County, short_clip: bytes) -> None:
    """What is dropped meanwhile waits, and arrives by itself, once."""
    box.start()
    until(lambda: box.facts("status")["link"]["state"] == "connected")
    hub.kill()
    until(lambda: box.facts("status")["link"]["state"] == "offline")
    (box.home / "drop" / "断线期间.mp4").write_bytes(short_clip)
    until(lambda: box.states() == [("断线期间", "waiting")])
    hub.serve()
    until(lambda: box.states() == [("断线期间", "accepted")], 60)
    assert [offer["title"] for offer in hub.facts("market")["offers"]] == ["断线期间"]


def test_agent_and_transfer_are_killed_in_the_middle(hub: LiveHub, box: County) -> None:
    """Nothing lost, doubled or half: the transfer goes on from where it was, no process outlives the agent."""
    box.limit("fetch_bytes_per_s", 6_000_000)
    item, digest = published(hub, secrets.token_bytes(16 * MIB), "大文件.bin", "--to", "dengfeng")
    staged = box.home / "media" / "incoming" / digest[7:]
    sizes = []
    for cut in (2, 5):
        box.start()
        until(lambda cut=cut: staged.exists() and staged.stat().st_size > cut * MIB)
        box.kill()
        until(lambda: box.orphans() == [])
        sizes.append(staged.stat().st_size)
        assert digest not in box.served()
        assert box.rows("SELECT state FROM assets WHERE digest = ?", digest) == [("wanted",)]
    assert sizes == sorted(sizes), "bytes that were here were let go"
    box.start()
    until(lambda: digest in box.served())
    assert (box.home / "public" / digest[7:]).stat().st_size == 16 * MIB
    until(lambda: box.staged() == [])
    assert box.rows("SELECT id FROM items") == [(item,)]


def test_rsync_alone_is_killed_and_the_agent_goes_on(hub: LiveHub, box: County) -> None:
    """The out-of-memory killer takes a child: the transfer is begun again, from where it was."""
    box.limit("fetch_bytes_per_s", 6_000_000)
    _item, digest = published(hub, secrets.token_bytes(12 * MIB), "大文件.bin", "--to", "dengfeng")
    staged = box.home / "media" / "incoming" / digest[7:]
    box.start()
    assert box.agent is not None
    until(lambda: staged.exists() and staged.stat().st_size > 3 * MIB)
    for child in psutil.Process(box.agent.pid).children():
        child.kill()
    until(lambda: digest in box.served())


def test_an_upload_is_killed_in_the_middle_and_arrives_once(hub: LiveHub, box: County) -> None:
    """The film of the day must not start again at each cut, nor be offered twice."""
    box.limit("fetch_bytes_per_s", 6_000_000)
    (box.home / "drop").mkdir()
    (box.home / "drop" / "专题片.bin").write_bytes(secrets.token_bytes(12 * MIB))
    arrived = hub.folder.site("dengfeng").incoming
    for _cut in range(2):
        box.start()
        until(lambda: any(path.stat().st_size > 3 * MIB for path in arrived.iterdir()))
        box.kill()
        until(lambda: box.orphans() == [])
    box.start()
    until(lambda: box.states() == [("专题片", "accepted")], 60)
    assert [offer["title"] for offer in hub.facts("market")["offers"]] == ["专题片"]
    assert list(arrived.iterdir()) == []


def test_two_agents_in_one_home_are_refused(box: County) -> None:
    """Two writers of one database, two rsyncs into one file: the second one must not even begin."""
    box.start()
    until(lambda: box.rows("SELECT 1 FROM status WHERE name = 'agent'"))
    second = box.run("agent", "--once")
    assert (second.returncode, "runs already" in second.stderr) == (1, True)
    assert box.agent is not None
    assert box.agent.poll() is None
    box.kill()
    assert box.once().returncode == 0, "a killed agent holds no lock"


def test_what_cannot_be_sent_from_the_drop_folder_says_why(
    hub: LiveHub, box: County, short_clip: bytes, tmp_path: Path
) -> None:
    """Each bad thing beside a good one: the good one goes, each bad one stays, with its reason in folder and status."""
    drop = box.home / "drop"
    drop.mkdir()
    (drop / "link.mp4").symlink_to("/etc/passwd")
    os.mkfifo(drop / "pipe.mp4")
    (drop / "folder").mkdir()
    (drop / "empty.mp4").touch()
    (drop / "cut.mp4").write_bytes(short_clip[: len(short_clip) // 2])
    (drop / "picture.mp4").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    (drop / "noise.mp4").write_bytes(secrets.token_bytes(5000))
    good = ("嵩山".encode("gbk") + b".mp4", b"-rf.mp4", b"two\nlines.mp4", "登".encode() * 83 + b".mp4")
    for number, name in enumerate(good):
        path = os.fsencode(drop) + b"/" + name
        with open(path, "wb") as file:
            file.write(short_clip + bytes(number))
    done = box.once(120)
    assert done.returncode == 0, done.stderr
    left = {path.name for path in drop.iterdir()}
    assert left == {
        "link.mp4", "pipe.mp4", "folder", "empty.mp4", "cut.mp4", "picture.mp4", "noise.mp4", NOTICE,
    }  # fmt: skip
    assert sorted(title for title, state in box.states() if state == "accepted") == sorted(
        ["嵩山", "-rf", "two lines", "登" * 83]
    )
    notice = (drop / NOTICE).read_text()
    alarms = "\n".join(text for name, text in box.alarms().items() if name.startswith("drop:"))
    for name in left - {NOTICE}:
        assert name in notice
        assert name in alarms
    held = list((box.home / "media").glob("[0-9a-f][0-9a-f]/*"))
    assert len(held) == 5, "four clips that differ after their end, their one rendition, and nothing of the bad ones"
    assert box.rows("SELECT count(*) FROM renditions WHERE state = 'here' AND segments IS NOT NULL") == [(4,)]
    (drop / "link.mp4").unlink()
    assert box.once().returncode == 0
    assert "link.mp4" not in (drop / NOTICE).read_text() + "".join(box.alarms().values())


def test_a_file_that_is_still_being_written_is_not_taken(hub: LiveHub, box: County) -> None:
    """An hour's film comes over the office network for minutes, with pauses; half of it must not go up."""
    box.start()
    until(lambda: box.rows("SELECT 1 FROM status WHERE name = 'agent'"))
    path = box.home / "drop" / "长片.bin"
    with path.open("wb") as writer:
        for _pause in range(3):
            writer.write(secrets.token_bytes(MIB))
            writer.flush()
            deadline = time.monotonic() + 0.8
            until(lambda deadline=deadline: time.monotonic() > deadline)
            assert box.states() == []
    until(lambda: box.states() == [("长片", "accepted")])
    assert box.rows("SELECT size_bytes FROM assets") == [(3 * MIB,)]


def test_what_another_site_sent_is_taken_packaged_and_served(hub: LiveHub, box: County, tmp_path: Path) -> None:
    """A submission has no rendition: the box that takes it makes its own, and can air it."""
    data = make("other.mp4", video="testsrc2=s=320x240:r=25:d=3", audio=None).read_bytes()
    with county(hub, tmp_path / "zhongmu", "zhongmu") as zhongmu:
        (zhongmu.home / "drop").mkdir()
        (zhongmu.home / "drop" / "大集.mp4").write_bytes(data)
        assert zhongmu.once().returncode == 0
    box.start()
    offer = until(lambda: box.rows("SELECT id FROM items WHERE state = 'offered'"))[0][0]
    assert (box.served(), box.rows("SELECT * FROM transfers")) == (set(), [])
    assert box.run("take", offer).returncode == 0
    until(lambda: box.served() == {digest_of(data)})
    until(lambda: box.rows("SELECT state, frames FROM renditions WHERE segments IS NOT NULL") == [("here", 75)], 60)
    until(lambda: hub.facts("market")["offers"][0]["taken_by"] == ["dengfeng"])
    assert box.run("untake", offer).returncode == 0
    until(lambda: box.served() == set())


def test_an_order_is_answered_and_a_break_in_airs(hub: LiveHub, box: County, short_clip: bytes) -> None:
    """The desk's two short ways: what must be done, and what must be on the air now."""
    box.start()
    order = hub.run("order", "dengfeng", "--title", "报送画面").split()[0]
    until(lambda: box.rows("SELECT id FROM orders") == [(order,)])
    assert box.run("answer", order, "accepted", "--note", "已派记者").returncode == 0
    answered = until(lambda: next((each for each in hub.facts("orders")["orders"] if each["answers"]), None))
    assert answered["answers"][0]["note"] == "已派记者"
    source = hub.path.parent / "break.mp4"
    source.write_bytes(short_clip)
    digest = hub.run("publish", "--asset-only", "--to", "dengfeng", str(source)).split()[-1]
    hub.run("insert", "dengfeng", "dengfeng-1", digest)
    until(lambda: box.rows("SELECT count(*) > 0 FROM ledger WHERE kind = 'emergency' AND source = ?", digest) == [(1,)])


def test_an_item_appears_and_goes_at_its_own_times(hub: LiveHub, box: County) -> None:
    """Nobody is at the keyboard at seven in the evening; and what is over must not be fetched by its address."""
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
    late = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7))
    _item, digest = published(hub, b"exam results", "成绩.txt", "--at", soon, "--until", late)
    box.start()
    until(lambda: box.rows("SELECT state FROM assets") == [("here",)])
    assert digest not in box.served()
    until(lambda: digest in box.served())
    until(lambda: digest not in box.served())
    assert box.rows("SELECT state FROM assets") == [("here",)]


def test_a_clock_that_went_back_deletes_nothing_and_the_air_goes_on(hub: LiveHub, box: County) -> None:
    """A dead battery puts the machine to 1970: the ledger's own time stands, an alarm tells, nothing is let go."""
    late = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    _item, digest = published(hub, b"notice", "通知.txt", "--until", late)
    assert box.once().returncode == 0
    with sqlite3.connect(box.home / "state" / "box.db") as writer:
        # As it was noted by a machine whose clock was a month ahead of the one that now runs: seen from there, this
        # machine's clock went back by a month.
        writer.execute("UPDATE air_clock SET air_us = air_us + 1200 * 1000000")
    before = box.rows("SELECT max(start_tick) FROM ledger")
    assert box.once().returncode == 0
    assert box.served() == {digest}
    assert "the clock went back" in box.alarms()["clock-behind"]
    assert box.rows("SELECT max(start_tick) FROM ledger") >= before


def test_a_bad_byte_on_the_disk_is_found_and_the_asset_comes_again(hub: LiveHub, box: County) -> None:
    """What was right when it came can rot: it must not be served for years."""
    _item, digest = published(hub, secrets.token_bytes(100_000), "图.bin")
    assert box.once().returncode == 0
    path = box.home / "media" / digest[7:9] / digest[7:]
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    with sqlite3.connect(box.home / "state" / "box.db") as writer:
        writer.execute("UPDATE assets SET verified_at_us = 0")
    assert box.once().returncode == 0
    assert box.served() == {digest}
    assert digest_of((box.home / "public" / digest[7:]).read_bytes()) == digest
    assert list((box.home / "media" / "quarantine").iterdir()) == [], "what was healed is not kept"


def test_a_file_that_vanished_comes_again(hub: LiveHub, box: County) -> None:
    """Somebody tidied up by hand: the disk's word counts, not the database's."""
    _item, digest = published(hub, b"x" * 1000, "图.bin")
    assert box.once().returncode == 0
    (box.home / "media" / digest[7:9] / digest[7:]).unlink()
    (box.home / "public" / digest[7:]).unlink()
    assert box.once().returncode == 0
    assert box.served() == {digest}


def test_a_locked_out_site_says_so_and_lives_on(hub: LiveHub, box: County, short_clip: bytes) -> None:
    """A revoked key is a matter for people; the county goes on, and what it drops waits."""
    hub.run("revoke", "dengfeng")
    (box.home / "drop").mkdir()
    (box.home / "drop" / "x.txt").write_bytes(b"x")
    assert box.once().returncode == 0
    assert box.facts("status")["link"]["state"] == "locked_out"
    assert box.states() == [("x", "waiting")]
