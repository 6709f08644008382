"""The command desk: schedules, recalls, insertions, orders; checked before they leave, and whole."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core import records
from appliance.core.journal import Record
from provisioning.hub.intake import Intake
from provisioning.hub.sites import Site, write_site
from tests.provisioning.live import LiveHub, chain, signed

UNKNOWN = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> LiveHub:
    """A hub with two sites."""
    folder = tmp_path_factory.mktemp("hub")
    live = LiveHub(folder / "hub")
    live.run("init")
    for site in ("dengfeng", "zhongmu"):
        live.run("enrol", site, "--channel", f"{site}-1", "--channel", f"{site}-2", "--out", str(folder / f"{site}.b"))
    return live


def make_clip(hub: LiveHub, hue: int) -> tuple[Path, str]:
    """Two seconds of a colour of its own, in the pile; its path and digest."""
    path = hub.path.parent / f"{hue}.mp4"
    argv = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"color=c=0x{hue:06x}:size=64x64:rate=25", "-t", "2"]
    subprocess.run([*argv, "-c:v", "libx264", "-pix_fmt", "yuv420p", str(path)], check=True, timeout=60)
    return path, hub.run("publish", "--asset-only", str(path)).strip()


@pytest.fixture(scope="module")
def clip(hub: LiveHub) -> str:
    return make_clip(hub, 0x336699)[1]


def document(*entries: dict[str, Any], **head: Any) -> dict[str, Any]:
    return {"channel": "dengfeng-1", "date": "2026-11-24", "version": 1, "entries": list(entries), **head}


def entry(name: str, start: str | None, asset: str | None, **more: Any) -> dict[str, Any]:
    made = {"id": name, "start": start, "start_type": "hard" if start else "follow", "kind": "programme"}
    return {key: value for key, value in {**made, "title": name, "asset": asset, **more}.items() if value is not None}


FOUND = """\
e1: [amber] a small picture (64x64), blurred when enlarged (upscaled)
e1: [amber] it has no sound; silence was added (no_sound)
"""
"""What the technical check says of the clip, to whoever schedules it."""


def send(hub: LiveHub, content: object, *, site: str = "dengfeng", channel: str = "dengfeng-1") -> tuple[int, str]:
    """songshan-hub schedule; its exit status and what it said on standard error."""
    path = hub.path.parent / "schedule.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    done = hub.attempt("schedule", site, channel, str(path))
    return done.returncode, done.stderr


def sent(hub: LiveHub, stream: str, kind: str) -> list[records.Body]:
    return [records.decode(record) for record in of_kind(hub, stream, kind)]


def of_kind(hub: LiveHub, stream: str, kind: str) -> list[Record]:
    return [record for record in hub.journals.stream(stream).records() if record.header.kind == kind]


def readable(hub: LiveHub, site: str) -> set[str]:
    return {f"sha256:{path.name}" for path in hub.folder.site(site).readable.iterdir()}


def test_a_schedule_goes_out_with_all_that_it_needs(hub: LiveHub, clip: str) -> None:
    """The record carries the document as it was written and every asset with its rendition, readable at once."""
    live = {"id": "e2", "start_type": "follow", "kind": "live", "url": "http://example/live.m3u8", "duration_s": 60.0}
    given = document(entry("e1", "06:00:00", clip, in_s=0.0, out_s=2.0), live)
    assert send(hub, given) == (0, FOUND)
    body = sent(hub, "dengfeng/content", "schedule")[-1]
    assert isinstance(body, records.Schedule)
    assert json.loads(bytes(body.document)) == given
    assert (body.channel, body.date, body.version) == ("dengfeng-1", "2026-11-24", 1)
    [asset] = body.assets
    assert asset.rendition is not None
    assert asset.check is not None and [each.code for each in asset.check.findings] == ["upscaled", "no_sound"]
    assert readable(hub, "dengfeng") >= {clip, asset.rendition.digest}
    assert clip not in readable(hub, "zhongmu")


def test_a_file_with_a_byte_order_mark_and_line_breaks_is_taken(hub: LiveHub, clip: str) -> None:
    """Newsrooms write schedules with the editors they have."""
    given = document(entry("e1", "06:00:00", clip), date="2026-11-30")
    assert send(hub, b"\xef\xbb\xbf" + json.dumps(given, indent=2).encode()) == (0, FOUND)


BAD: dict[str, tuple[object, tuple[str, ...]]] = {
    "not JSON": (b"\xff\xfe{", ("JSON",)),
    "an array": (b"[]", ("object",)),
    "empty": (b"", ("JSON",)),
    "deep": (b"[" * 200_000, ("JSON",)),
    "200 MB": (b" " * (200 * 1024 * 1024), ("bytes",)),
    "25:00": (document(entry("e1", "25:00:00", UNKNOWN)), ("25:00:00", UNKNOWN)),
    "negative": (document(entry("e1", "06:00:00", UNKNOWN, in_s=-1.0)), ("in_s", UNKNOWN)),
    "no start": (document({"id": "e1", "start_type": "hard", "kind": "promo", "asset": UNKNOWN}), ("start", UNKNOWN)),
    "unknown digest": (document(entry("e1", "06:00:00", UNKNOWN)), (UNKNOWN,)),
    "no digest": (document(entry("e1", "06:00:00", "clip.mp4")), ("clip.mp4",)),
    "overlap": (
        document(entry("e1", "06:00:00", UNKNOWN, duration_s=120.0), entry("e2", "06:01:00", UNKNOWN)),
        ("overlap", UNKNOWN),
    ),
    "another site's channel": (document(entry("e1", "06:00:00", UNKNOWN), channel="zhongmu-1"), ("zhongmu-1", UNKNOWN)),
    "another channel": (document(entry("e1", "06:00:00", UNKNOWN), channel="dengfeng-2"), ("dengfeng-2", UNKNOWN)),
    "many": (
        document(
            entry("e1", "25:00:00", UNKNOWN), entry("e1", None, "x"), channel="nowhere", date="tomorrow", version=0
        ),
        ("25:00:00", "nowhere", "tomorrow", "version", '"x"', UNKNOWN),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_schedule_is_refused_with_every_problem_and_nothing_is_sent(hub: LiveHub, name: str) -> None:
    """An empty or invalid schedule never reaches the air, and the planner sees the whole list at once."""
    content, words = BAD[name]
    before = hub.journals.positions("dengfeng"), readable(hub, "dengfeng")
    status, said = send(hub, content)
    assert (status, [word for word in words if word not in said], "Traceback" in said) == (2, [], False), said
    assert (hub.journals.positions("dengfeng"), readable(hub, "dengfeng")) == before


def test_an_entry_longer_than_its_asset_and_an_old_version_are_refused(hub: LiveHub, clip: str) -> None:
    """Both would be found on the air, at night, by nobody."""
    assert send(hub, document(entry("e1", "06:00:00", clip), date="2026-12-01", version=5)) == (0, FOUND)
    status, said = send(hub, document(entry("e1", "06:00:00", clip, out_s=9.0), date="2026-12-01", version=5))
    assert (status, "9.00" in said, "version 5" in said) == (2, True, True)


def test_a_schedule_for_a_site_that_does_not_exist_is_refused(hub: LiveHub, clip: str) -> None:
    """And so is a file that does not."""
    assert send(hub, document(entry("e1", "06:00:00", clip)), site="xinmi")[0] == 1
    done = hub.attempt("schedule", "dengfeng", "dengfeng-1", "nowhere.json")
    assert (done.returncode, "nowhere.json" in done.stderr) == (2, True)


def test_a_clip_that_cannot_be_aired_is_told_from_one_that_is_not_there(hub: LiveHub, tmp_path: Path) -> None:
    """A text in the pile is an asset, but not one for the air."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"no clip")
    digest = hub.run("publish", "--title", "t", str(path)) and "sha256:" + hashlib.sha256(b"no clip").hexdigest()
    status, said = send(hub, document(entry("e1", "06:00:00", digest), date="2026-12-02"))
    assert (status, "cannot be aired" in said) == (2, True)


def test_a_recall_takes_the_record_the_links_and_the_asset_away(hub: LiveHub) -> None:
    """At once and everywhere: the control stream carries it, and no site can fetch it again."""
    path, digest = make_clip(hub, 0x113355)
    name = hub.run("publish", "--title", "误发", str(path)).strip()
    assert send(hub, document(entry("e1", "06:00:00", digest), date="2026-12-03")) == (0, FOUND)
    withdrawn = hub.facts("recall", name, "--reason", "误发")["withdrawn"]
    assert digest in withdrawn
    assert len(withdrawn) == 2
    body = sent(hub, "all/control", "recall")[-1]
    assert isinstance(body, records.Recall)
    assert (body.target, body.reason) == (name, "误发")
    for site in ("dengfeng", "zhongmu"):
        assert readable(hub, site) & set(withdrawn) == set()
    assert [digest for digest in withdrawn if hub.library.holds(digest)] == []
    assert hub.facts("verify")["problems"] == []


def test_what_another_item_still_shows_stays(hub: LiveHub, tmp_path: Path) -> None:
    """Two stories may share a picture; recalling one must not break the other."""
    shared, own = tmp_path / "shared.txt", tmp_path / "own.txt"
    shared.write_bytes(b"shared picture")
    own.write_bytes(b"own picture")
    first = hub.run("publish", "--title", "a", str(shared), str(own)).strip()
    second = hub.run("publish", "--title", "b", "--to", "zhongmu", str(shared)).strip()
    digest = "sha256:" + hashlib.sha256(b"shared picture").hexdigest()
    gone = "sha256:" + hashlib.sha256(b"own picture").hexdigest()
    assert hub.facts("recall", first, "--reason", "x")["withdrawn"] == [gone]
    assert (hub.library.holds(digest), hub.library.holds(gone)) == (True, False)
    assert hub.facts("recall", second, "--reason", "x")["withdrawn"] == [digest]


def test_a_recalled_asset_cannot_come_back_by_any_way(hub: LiveHub) -> None:
    """A clip recalled by its digest is wrong itself, in whatever it is used."""
    path, digest = make_clip(hub, 0x224466)
    hub.run("recall", digest, "--reason", "侵权")
    assert "recalled" in hub.run("publish", "--title", "again", str(path), status=1)
    assert "recalled" in send(hub, document(entry("e1", "06:00:00", digest), date="2026-12-04"))[1]
    assert "recalled" in hub.run("insert", "dengfeng", "dengfeng-1", digest, status=1)
    assert "recalled" in hub.run("publish", "--filler", "dengfeng-1", str(path), status=1)
    assert not hub.library.holds(digest)


def test_a_recall_can_be_repeated_and_of_nothing_is_refused(hub: LiveHub) -> None:
    """Somebody in a hurry types it twice, and somebody mistypes it."""
    name = hub.run("publish", "--title", "t", "--summary", "s").strip()
    hub.run("recall", name, "--reason", "x")
    hub.run("recall", name, "--reason", "x")
    assert "there is no" in hub.run("recall", "no-such-item", "--reason", "x", status=1)
    assert "there is no" in hub.run("recall", UNKNOWN, "--reason", "x", status=1)
    assert hub.attempt("recall", "../etc", "--reason", "x").returncode == 2
    assert hub.attempt("recall", name).returncode == 2


def test_a_recalled_offer_leaves_the_supermarket(hub: LiveHub) -> None:
    """Nobody may take what was recalled."""
    name = hub.run("publish", "--offer", "--title", "t", "--summary", "s").strip()
    assert name in hub.run("market")
    hub.run("recall", name, "--reason", "x")
    assert name not in hub.run("market")


def test_an_insertion_says_until_when_it_may_still_air(hub: LiveHub, clip: str) -> None:
    """A break-in of yesterday, arriving after an outage, does not air today."""
    name = hub.run("insert", "all", "all", clip, "--at", "2027-01-01T00:00:00Z").strip()
    found = [body for site in ("dengfeng", "zhongmu") for body in sent(hub, f"{site}/control", "insert")]
    meant = [body for body in found if isinstance(body, records.Insert) and body.id == name]
    assert [body.channel for body in meant] == ["dengfeng-1", "dengfeng-2", "zhongmu-1", "zhongmu-2"]
    assert {(body.at, body.until, body.not_after) for body in meant} == {
        ("2027-01-01T00:00:00Z", None, "2027-01-01T01:00:00Z")
    }
    assert clip in readable(hub, "zhongmu")
    assert hub.attempt("insert", "dengfeng", "zhongmu-1", clip).returncode == 1
    assert hub.attempt("insert", "dengfeng", "dengfeng-1", UNKNOWN).returncode == 1
    assert hub.attempt("insert", "dengfeng", "dengfeng-1", "x").returncode == 2
    assert hub.attempt("insert", "dengfeng", "dengfeng-1", clip, "--until", "2020-01-01T00:00:00Z").returncode == 2


def test_an_order_and_its_answers_are_listed(hub: LiveHub) -> None:
    """The desk sees who has said what, from the sites' own signed records."""
    name = hub.run(
        "order", "all", "--title", "报送画面", "--body", "六点前", "--due", "2026-11-24T18:00:00+08:00"
    ).strip()
    given = records.Answer(name, "accepted", "editor", "2026-11-24T01:00:00Z", "已派记者")
    stream = hub.journals.stream("dengfeng/report")
    made = chain(stream.position(), (("answer", name, given),))
    stream.accept(made, signed(made[-1], Ed25519PrivateKey.generate()))
    [row] = [row for row in hub.facts("orders")["orders"] if row["id"] == name]
    assert (row["to"], row["title"], row["due"]) == ("all", "报送画面", "2026-11-24T10:00:00Z")
    said = {"site": "dengfeng", "answer": "accepted", "note": "已派记者", "by": "editor", "at": "2026-11-24T01:00:00Z"}
    assert row["answers"] == [said]
    assert "已派记者" in hub.run("orders")


@pytest.mark.parametrize(
    "options",
    [
        ("dengfeng",),
        ("dengfeng", "--title", " "),
        ("dengfeng", "--title", "x" * 300),
        ("dengfeng", "--title", "t", "--body", "x" * 30_000),
        ("dengfeng", "--title", "t", "--due", "soon"),
    ],
)
def test_a_bad_order_is_refused(hub: LiveHub, options: tuple[str, ...]) -> None:
    """Nothing goes to sixteen counties by accident."""
    before = hub.journals.positions("dengfeng")
    assert hub.attempt("order", *options).returncode == 2
    assert hub.attempt("order", "xinmi", "--title", "t").returncode == 1
    assert hub.journals.positions("dengfeng") == before


def test_a_site_that_comes_later_can_read_what_was_published_before(hub: LiveHub, tmp_path: Path) -> None:
    """The journal tells a new box of every item; it must be able to fetch them too, but for what was recalled."""
    kept, gone = tmp_path / "kept.txt", tmp_path / "gone.txt"
    kept.write_bytes(b"kept")
    gone.write_bytes(b"gone")
    hub.run("publish", "--title", "t", str(kept))
    hub.run("recall", hub.run("publish", "--title", "t", str(gone)).strip(), "--reason", "x")
    with hub.folder.locked():
        write_site(hub.folder, Site("xinmi", "新密", "Asia/Shanghai", (), "joined", "2026-11-24T00:00:00Z"))
    Intake(hub.folder, "xinmi", hub.journals).set_right()
    assert "sha256:" + hashlib.sha256(b"kept").hexdigest() in readable(hub, "xinmi")
    assert "sha256:" + hashlib.sha256(b"gone").hexdigest() not in readable(hub, "xinmi")


def test_a_schedule_says_what_will_be_cut_dropped_or_left_open(hub: LiveHub, clip: str) -> None:
    """A full hour is no error: a hard start is there to cut. But whoever made it must know before it is on the air."""
    entries = [entry("e1", "06:00:00", clip), entry("e2", None, clip), entry("e3", "06:00:03", clip)]
    path = hub.path.parent / "tight.json"
    path.write_text(json.dumps(document(*entries, date="2026-12-09")))
    said = json.loads(hub.run("schedule", "dengfeng", "dengfeng-1", str(path), "--json"))["warnings"]
    assert [each["en"] for each in said] == [
        "06:00:02.00 e2 (e2): cut by 1.00 s, by the hard start of e3",
        "the channel has no fillers: 2 gaps, 86395 s in all, are left to the slate",
    ]
    assert all(each["zh"] for each in said)


def test_a_template_goes_out_whole_and_its_version_goes_up(hub: LiveHub, clip: str) -> None:
    """The days that nobody plans: what plays then is signed and on record like everything that airs."""
    relay = {"id": "relay", "start": "19:00:00", "start_type": "hard", "kind": "live", "title": "新闻联播"}
    relay |= {"url": "http://relay.example/live.m3u8", "duration_s": 1800.0}
    days = [{"on": ["mon", "tue"], "entries": [entry("e1", "06:00:00", clip), relay]}]
    default = [entry(f"d{number}", None, clip) for number in range(30)]
    path = hub.path.parent / "template.json"

    def send_template(**content: Any) -> tuple[int, str]:
        path.write_text(json.dumps({"channel": "dengfeng-2", "version": 1, **content}))
        done = hub.attempt("template", "dengfeng", "dengfeng-2", str(path))
        return done.returncode, done.stderr

    status, said = send_template(days=days, default=default[:3])
    assert status == 2 and "6.0 s long" in said
    status, said = send_template(days=[{"on": ["mon"], "entries": [entry("e1", "06:00:00", UNKNOWN)]}], channel="x")
    assert status == 2 and "the hub has no asset" not in said and "not one of this site's" in said
    assert sent(hub, "dengfeng/content", "template") == []
    assert send_template(days=days, default=default) == (0, "")
    [body] = sent(hub, "dengfeng/content", "template")
    assert isinstance(body, records.Template)
    assert (body.channel, body.version, [asset.digest for asset in body.assets]) == ("dengfeng-2", 1, [clip])
    assert body.assets[0].rendition is not None and body.assets[0].rendition.digest in readable(hub, "dengfeng")
    status, said = send_template(days=days)
    assert status == 2 and "version 1 of the template is out already" in said
