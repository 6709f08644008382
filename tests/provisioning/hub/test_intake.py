"""What a site sends up over its session: judged, hashed, answered; and nothing is changed by what is wrong."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core import journal, records
from appliance.core.asset import Asset
from appliance.core.events import Acked, DeliveredAnswered, Greeted, RecordsArrived, RefusedBy
from appliance.core.item import Item
from appliance.core.journal import Record
from appliance.core.judge import Verdict
from provisioning.hub.intake import is_open_for_writing
from tests.provisioning.live import BoxSession, LiveBox, LiveHub, chain, signed, until

REPORT = "dengfeng/report"


def story(name: str, *assets: Asset, origin: str = "dengfeng") -> Item:
    return Item(name, f"稿件 {name}", "news", origin, "2026-11-24T00:00:00Z", assets=assets)


def submission(name: str, *assets: Asset) -> tuple[str, str, records.Body]:
    return "submission", f"s-{name}", records.Submission(f"s-{name}", story(name, *assets))


def clip(tmp_path: Path, content: bytes) -> tuple[Path, Asset]:
    """A file named by its digest, as a box uploads it."""
    name = hashlib.sha256(content).hexdigest()
    path = tmp_path / name
    path.write_bytes(content)
    return path, Asset(f"sha256:{name}", len(content), "乡村.mp4", "video/mp4", "video")


def receipt(session: BoxSession, name: str) -> records.Receipt:
    """The hub's answer to a submission, as it comes down the control stream."""

    def is_it(event: RecordsArrived) -> bool:
        return any(record.header.key == f"s-{name}" for record in event.records)

    event = session.wait(RecordsArrived, is_it)
    body = records.decode(next(record for record in event.records if record.header.key == f"s-{name}"))
    assert isinstance(body, records.Receipt)
    return body


def offers(hub: LiveHub) -> list[str]:
    return [record.header.key for record in hub.journals.stream("all/content").records()]


def test_a_submission_is_answered_offered_and_readable(hub: LiveHub, dengfeng: LiveBox, tmp_path: Path) -> None:
    """The way of a dropped clip: file up, hashed, receipt down, in the supermarket under the hub's sign-off."""
    path, asset = clip(tmp_path, os.urandom(100_000))
    with dengfeng.session() as session:
        session.wait(Greeted)
        [record] = session.send(submission("clip-1", asset))
        assert session.wait(Acked).position == journal.position_after(record)
        assert dengfeng.upload(path).returncode == 0
        session.session.delivered(asset.digest)
        assert session.wait(DeliveredAnswered).verdict == "taken"
        assert receipt(session, "clip-1").verdict == "accepted"
    [offer] = [row for row in hub.facts("market")["offers"] if row["id"] == "clip-1"]
    assert (offer["origin"], offer["assets"][0]["digest"], offer["taken_by"]) == ("dengfeng", asset.digest, [])
    assert list(hub.folder.site("dengfeng").incoming.iterdir()) == []
    assert list(hub.folder.site("dengfeng").uploaded.iterdir()) == []
    assert dengfeng.fetch(asset.digest) == path.read_bytes()


def test_a_file_that_comes_before_its_submission_waits_for_it(hub: LiveHub, dengfeng: LiveBox, tmp_path: Path) -> None:
    """Bulk and control travel by two lines; neither order may lose the story."""
    path, asset = clip(tmp_path, os.urandom(1000))
    dengfeng.upload(path)
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.session.delivered(asset.digest)
        assert session.wait(DeliveredAnswered).verdict == "taken"
        session.send(submission("clip-2", asset))
        assert receipt(session, "clip-2").verdict == "accepted"


def test_a_file_that_is_not_what_its_name_says_is_deleted(hub: LiveHub, dengfeng: LiveBox, tmp_path: Path) -> None:
    """The digest is the only thing that anybody downstream checks; it must be right before anybody sees it."""
    path, asset = clip(tmp_path, os.urandom(1000))
    path.write_bytes(b"something else")
    dengfeng.upload(path)
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.send(submission("clip-3", asset))
        session.session.delivered(asset.digest)
        assert session.wait(DeliveredAnswered).verdict == "corrupt"
        own = hub.folder.site("dengfeng")
        assert [*own.incoming.iterdir(), *own.uploaded.iterdir()] == []
        assert hub.refusals()[-1]["what"] == "upload"
        assert "clip-3" not in offers(hub)
    assert not hub.library.holds(asset.digest)


def test_a_delivery_of_nothing_is_missing_also_when_another_site_has_it(
    hub: LiveHub, dengfeng: LiveBox, zhongmu: LiveBox, tmp_path: Path
) -> None:
    """The answer must not tell one county what another one has."""
    path, asset = clip(tmp_path, os.urandom(500))
    hub.library.copy_in(path, 1 << 30)
    hub.library.let_read("zhongmu", (asset,))
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.session.delivered(asset.digest)
        assert session.wait(DeliveredAnswered).verdict == "missing"
    with zhongmu.session() as session:
        session.wait(Greeted)
        session.session.delivered(asset.digest)
        assert session.wait(DeliveredAnswered).verdict == "taken"


def test_a_file_that_is_still_being_written_is_not_believed(hub: LiveHub, dengfeng: LiveBox, tmp_path: Path) -> None:
    """A transfer that holds the file open could change it after it was hashed."""
    path, asset = clip(tmp_path, os.urandom(500))
    dengfeng.upload(path)
    arrived = hub.folder.site("dengfeng").incoming / path.name
    with dengfeng.session() as session:
        session.wait(Greeted)
        with arrived.open("ab"):
            session.session.delivered(asset.digest)
            assert session.wait(DeliveredAnswered).verdict == "missing"
        session.session.delivered(asset.digest)
        assert session.wait(DeliveredAnswered).verdict == "taken"


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo, Path.mkdir])
def test_what_is_no_plain_file_in_incoming_is_refused(
    hub: LiveHub, dengfeng: LiveBox, make: Callable[[Path], None]
) -> None:
    """Hashing through a link reads another's file; opening a fifo never ends."""
    digest = "sha256:" + "d" * 64
    make(hub.folder.site("dengfeng").incoming / ("d" * 64))
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.session.delivered(digest)
        assert session.wait(DeliveredAnswered).verdict == "refused"
    assert list(hub.folder.site("dengfeng").incoming.iterdir()) == []


def test_hashing_goes_on_where_a_killed_session_left_it(hub: LiveHub, dengfeng: LiveBox, tmp_path: Path) -> None:
    """The file was moved out of the site's reach already; the next session must find it there."""
    path, asset = clip(tmp_path, os.urandom(500))
    own = hub.folder.site("dengfeng")
    (own.uploaded / f"{path.name}.checking").write_bytes(path.read_bytes())
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.session.delivered(asset.digest)
        assert session.wait(DeliveredAnswered).verdict == "taken"
    assert (own.uploaded / path.name).read_bytes() == path.read_bytes()
    assert not (own.uploaded / f"{path.name}.checking").exists()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("bad-1", {"origin": "zhongmu"}, "another site"),
        ("bad-2", {"origin": "hub"}, "another site"),
        ("bad-3", {"assets": (Asset("sha256:" + "e" * 64, 1 << 50),)}, "file of more"),
    ],
)
def test_a_submission_that_cannot_be_accepted_gets_a_receipt_that_says_why(
    hub: LiveHub, dengfeng: LiveBox, name: str, change: dict[str, object], said: str
) -> None:
    """The editor in the county must see what is wrong, and the hub must not offer it."""
    item = msgspec.structs.replace(story(name), **change)
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.send(("submission", f"s-{name}", records.Submission(f"s-{name}", item)))
        answer = receipt(session, name)
    assert (answer.verdict, said in answer.reason.en) == ("refused", True)
    assert name not in offers(hub)


def test_an_item_id_of_another_site_cannot_be_taken_over(hub: LiveHub, dengfeng: LiveBox, zhongmu: LiveBox) -> None:
    """A county must not be able to replace a neighbour's story, nor the hub's."""
    with zhongmu.session() as session:
        session.wait(Greeted)
        item = story("zhongmu-1", origin="zhongmu")
        session.send(("submission", "s-zhongmu-1", records.Submission("s-zhongmu-1", item)))
        assert receipt(session, "zhongmu-1").verdict == "accepted"
    published = hub.run("publish", "--title", "t", "--summary", "s").strip()
    with dengfeng.session() as session:
        session.wait(Greeted)
        for name in ("zhongmu-1", published):
            session.send(submission(name))
            assert receipt(session, name).verdict == "refused"
            until(lambda: session.pump() or session.session.may_send(REPORT))


def test_a_crash_between_offer_and_receipt_makes_neither_twice(hub: LiveHub, dengfeng: LiveBox) -> None:
    """The gate can be killed between any two writes; the next session finishes what is open."""
    item = story("crash-1")
    made = chain(dengfeng.position(), (("submission", "s-crash-1", records.Submission("s-crash-1", item)),))
    hub.journals.stream(REPORT).accept(made, signed(made[-1], dengfeng.sign_key))
    hub.journals.append("all/content", "offer", "crash-1", item)
    with dengfeng.session() as session:
        session.wait(Greeted)
        assert receipt(session, "crash-1").verdict == "accepted"
    assert offers(hub).count("crash-1") == 1


def test_what_is_taken_can_be_read_once_the_take_is_acknowledged(
    hub: LiveHub, dengfeng: LiveBox, zhongmu: LiveBox, tmp_path: Path
) -> None:
    """The box fetches as soon as it hears; a take that is known but not readable would fail and wait."""
    path, asset = clip(tmp_path, os.urandom(2000))
    dengfeng.upload(path)
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.session.delivered(asset.digest)
        session.send(submission("shared-1", asset))
        assert receipt(session, "shared-1").verdict == "accepted"
    assert zhongmu.fetch(asset.digest) is None
    with zhongmu.session() as session:
        session.wait(Greeted)
        session.send(("take", "shared-1", records.Take("shared-1")))
        session.wait(Acked)
        assert zhongmu.fetch(asset.digest) == path.read_bytes()
        [offer] = [row for row in hub.facts("market")["offers"] if row["id"] == "shared-1"]
        assert offer["taken_by"] == ["zhongmu"]
        session.send(("untake", "shared-1", records.Untake("shared-1")))
        session.wait(Acked)
    [offer] = [row for row in hub.facts("market")["offers"] if row["id"] == "shared-1"]
    assert offer["taken_by"] == []


@dataclass
class Wrong:
    """Records that are wrong in one way, under a checkpoint."""

    records: list[Record]
    key: Ed25519PrivateKey


def altered_header(good: list[Record], key: Ed25519PrivateKey) -> Wrong:
    """Its prev is not the hash of the record before."""
    header = msgspec.structs.replace(good[1].header, prev="f" * 64)
    return Wrong([good[0], journal.parse_record(msgspec.json.encode(header), good[1].body)], key)


def left_out(good: list[Record], key: Ed25519PrivateKey) -> Wrong:
    """A sequence number is skipped."""
    return Wrong(good[1:], key)


def strange_key(good: list[Record], _key: Ed25519PrivateKey) -> Wrong:
    """Signed by somebody else."""
    return Wrong(good, Ed25519PrivateKey.generate())


def swapped(good: list[Record], key: Ed25519PrivateKey) -> Wrong:
    """Out of order."""
    return Wrong([good[1], good[0]], key)


@pytest.mark.parametrize("wrong", [altered_header, left_out, strange_key, swapped])
def test_records_that_do_not_hold_are_refused_and_change_nothing(
    hub: LiveHub, dengfeng: LiveBox, wrong: Callable[[list[Record], Ed25519PrivateKey], Wrong]
) -> None:
    """Hash, signature and sequence: whoever got hold of the line must not be able to write a county's history."""
    good = chain(dengfeng.position(), tuple(("take", f"i{number}", records.Take(f"i{number}")) for number in range(2)))
    made = wrong(good, dengfeng.sign_key)
    journals = {path: path.read_bytes() for path in hub.folder.site("dengfeng").journal.iterdir()}
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.session.offer(REPORT, made.records, signed(made.records[-1], made.key))
        assert session.wait(RefusedBy).verdict is Verdict.BROKEN
    assert {path: path.read_bytes() for path in hub.folder.site("dengfeng").journal.iterdir()} == journals
    assert hub.refusals()[-1]["what"] == "record"
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.session.offer(REPORT, good, signed(good[-1], dengfeng.sign_key))
        assert session.wait(Acked).position == journal.position_after(good[-1])


def test_a_second_history_under_the_sites_own_signature_is_a_fork(hub: LiveHub, dengfeng: LiveBox) -> None:
    """A cloned disk writes on from an old place; taking it would lose what the first one wrote."""
    position = dengfeng.position()
    first = chain(position, (("take", "a", records.Take("a")),))
    second = chain(position, (("take", "b", records.Take("b")),))
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.session.offer(REPORT, first, signed(first[-1], dengfeng.sign_key))
        session.wait(Acked)
        session.session.offer(REPORT, second, signed(second[-1], dengfeng.sign_key))
        assert session.wait(RefusedBy).verdict is Verdict.FORKED
    assert dengfeng.position() == journal.position_after(first[-1])


def test_records_that_came_already_are_acknowledged_again(hub: LiveHub, dengfeng: LiveBox) -> None:
    """The acknowledgement may be lost with the line; the box sends again and must hear that all is well."""
    made = chain(dengfeng.position(), (("take", "again", records.Take("again")),))
    with dengfeng.session() as session:
        session.wait(Greeted)
        for _time in range(2):
            session.session.offer(REPORT, made, signed(made[-1], dengfeng.sign_key))
            assert session.wait(Acked).position == journal.position_after(made[-1])
    keys = [record.header.key for record in hub.journals.stream(REPORT).records()]
    assert keys.count("again") == 1


def test_a_kind_that_the_hub_does_not_know_is_kept(hub: LiveHub, dengfeng: LiveBox) -> None:
    """A box may be upgraded before its hub; what it writes must be there after the hub's upgrade."""
    record = journal.append(dengfeng.position(), "weather", "w1", b'{"rain":true}', 0)
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.session.offer(REPORT, [record], signed(record, dengfeng.sign_key))
        assert session.wait(Acked).position == journal.position_after(record)
    assert list(hub.journals.stream(REPORT).records())[-1] == record


def test_new_records_are_pushed_the_moment_they_exist(hub: LiveHub, dengfeng: LiveBox) -> None:
    """A recall takes a round trip, not a polling interval."""
    with dengfeng.session() as session:
        session.wait(Greeted)
        for number in range(3):
            hub.journals.append("dengfeng/control", "order", f"push-{number}", records.Order(f"push-{number}", "x"))

            key = f"push-{number}"
            session.wait(RecordsArrived, lambda event, key=key: event.records[-1].header.key == key)


def test_a_writer_that_opens_the_file_while_the_gate_looks_at_it_ends_nobody(tmp_path: Path) -> None:
    """Breaking a lease sends a signal that ends a process by default: a site could end its own session for ever."""
    arrived = tmp_path / "arrived"
    arrived.write_bytes(b"x")
    program = f"import os\nwhile True:\n    os.close(os.open({str(arrived)!r}, os.O_WRONLY))"
    busy = subprocess.Popen([sys.executable, "-c", program])
    try:
        seen_open = 0
        for _look in range(200_000):
            seen_open += is_open_for_writing(arrived)
            if seen_open == 100:
                break
        assert seen_open == 100
    finally:
        busy.kill()
        busy.wait()
