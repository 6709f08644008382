"""Publishing at the hub: files become assets, clips get their house format, items go out; or nothing happens."""

import hashlib
import json
import subprocess
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from appliance.core import records
from appliance.core.errors import Refused
from appliance.core.item import Item
from appliance.core.moment import US, to_text
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.links import set_right
from provisioning.hub.publish import send_item
from provisioning.hub.recalls import recall
from tests.appliance import clips
from tests.provisioning.live import LiveHub, program
from tests.simulators.clock import SimulatedClock

JPEG = b"\xff\xd8\xff\xe0" + bytes(200)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> LiveHub:
    """A hub with two sites that have not joined yet."""
    folder = tmp_path_factory.mktemp("hub")
    live = LiveHub(folder / "hub")
    live.run("init")
    for site in ("dengfeng", "zhongmu"):
        live.run("enrol", site, "--out", str(folder / f"{site}.bundle"))
    return live


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of moving picture with sound."""
    path = tmp_path_factory.mktemp("clip") / "早间新闻.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=25", "-f", "lavfi", "-i", "sine"]
    argv = [
        "ffmpeg",
        "-v",
        "error",
        *source,
        "-t",
        "1",
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        str(path),
    ]
    subprocess.run(argv, check=True, timeout=60)
    return path


def digest_of(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def items(hub: LiveHub, stream: str) -> dict[str, Item]:
    found = (records.decode(record) for record in hub.journals.stream(stream).records())
    return {body.id: body for body in found if isinstance(body, Item)}


def state_of(hub: LiveHub) -> dict[str, bytes]:
    """Every file of the hub but its logs and the lock."""
    kept = (path for path in hub.path.rglob("*") if path.is_file() and path.parent.name != "log")
    return {str(path): path.read_bytes() for path in kept}


def readable(hub: LiveHub, site: str) -> set[str]:
    return {f"sha256:{path.name}" for path in hub.folder.site(site).readable.iterdir()}


def test_a_clip_is_published_with_its_rendition_to_everybody(hub: LiveHub, clip: Path, tmp_path: Path) -> None:
    """One encode for all sites: its digest stands in the signed record, and both files can be fetched."""
    poster = tmp_path / "poster.jpg"
    poster.write_bytes(JPEG)
    name = hub.run("publish", "--section", "service", "--summary", "要点", str(clip), str(poster)).strip()
    item = items(hub, "all/content")[name]
    video, picture = item.assets
    assert (item.title, item.section, item.origin, item.is_signed_off()) == ("早间新闻", "service", "hub", True)
    assert (video.digest, video.media_type, video.role) == (digest_of(clip), "video/mp4", "video")
    assert (picture.media_type, picture.role) == ("image/jpeg", "poster")
    assert video.rendition is not None
    assert (video.rendition.frames, video.duration_s) == (25, 1.0)
    for site in ("dengfeng", "zhongmu"):
        assert readable(hub, site) >= {video.digest, video.rendition.digest, picture.digest}
    assert hub.run("verify")


def test_what_is_for_one_site_is_readable_by_that_site_alone(hub: LiveHub, tmp_path: Path) -> None:
    """A county's own story is not its neighbour's."""
    path = tmp_path / "notice.pdf"
    path.write_bytes(b"%PDF-1.7 only for zhongmu")
    name = hub.run("publish", "--to", "zhongmu", str(path)).strip()
    assert name in items(hub, "zhongmu/content")
    assert name not in items(hub, "all/content")
    assert digest_of(path) in readable(hub, "zhongmu")
    assert digest_of(path) not in readable(hub, "dengfeng")


def test_an_asset_alone_is_brought_in_and_its_digest_printed(hub: LiveHub, clip: Path) -> None:
    """Schedules are made from digests."""
    assert hub.run("publish", "--asset-only", str(clip)).split() == [digest_of(clip)]
    [asset] = hub.facts("publish", "--asset-only", str(clip))["assets"]
    assert asset["rendition"]["frames"] == 25


def test_a_clip_is_brought_to_house_format_once(hub: LiveHub, clip: Path) -> None:
    """A second encode could differ by a byte, and every site would fetch it again."""
    hub.run("publish", "--asset-only", str(clip))
    facts = hub.path / "renditions" / f"{digest_of(clip)[7:]}.json"
    before = facts.stat().st_mtime_ns
    hub.run("publish", "--asset-only", str(clip))
    assert facts.stat().st_mtime_ns == before


def test_an_offer_is_in_the_supermarket_and_readable_by_nobody_yet(hub: LiveHub, tmp_path: Path) -> None:
    """Bulk travels to those who take it."""
    path = tmp_path / "story.txt"
    path.write_bytes(b"offered")
    name = hub.run("publish", "--offer", "--title", "可选用", str(path)).strip()
    assert [row["title"] for row in hub.facts("market")["offers"] if row["id"] == name] == ["可选用"]
    assert digest_of(path) not in readable(hub, "dengfeng")
    assert "可选用" in hub.run("market")


def test_a_story_needs_no_file(hub: LiveHub, tmp_path: Path) -> None:
    """Most government notices are text."""
    body = tmp_path / "body.html"
    body.write_text("<p>停水通知</p>")
    times = ("--at", "2026-11-24T08:00:00+08:00", "--until", "2026-11-25T00:00:00Z")
    name = hub.run("publish", "--body", str(body), "--title", "停水", *times).strip()
    item = items(hub, "all/content")[name]
    assert (item.body_html, item.assets) == ("<p>停水通知</p>", ())
    assert (item.publish_at, item.until) == ("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z")


def test_an_item_can_be_replaced_under_its_id(hub: LiveHub) -> None:
    """A corrected story is the same story."""
    name = hub.run("publish", "--title", "错字", "--summary", "x").strip()
    assert hub.run("publish", "--id", name, "--title", "改正", "--summary", "x").strip() == name
    assert items(hub, "all/content")[name].title == "改正"


def test_fillers_of_a_channel_go_to_the_site_that_has_it(hub: LiveHub, clip: Path) -> None:
    """What plays in gaps must be there before the gap."""
    hub.run("publish", "--filler", "dengfeng-1", str(clip))
    last = list(hub.journals.stream("dengfeng/content").records())[-1]
    body = records.decode(last)
    assert isinstance(body, records.Filler)
    assert (body.channel, [asset.digest for asset in body.assets]) == ("dengfeng-1", [digest_of(clip)])
    assert all(record.header.kind != "filler" for record in hub.journals.stream("zhongmu/content").records())


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--title", "t", "nowhere.mp4", "--at", "2026-11-25T00:00:00Z"), 2, "nowhere.mp4"),
        (("--title", "t", "--summary", "s", "--at", "2026-11-25T00:00Z", "--until", "2026-11-24T00:00Z"), 2, "until"),
        (("--title", "t", "--summary", "s", "--at", "tomorrow"), 2, "not a time"),
        (("--title", "t", "--summary", "s", "--until", "2026-11-24 08:00"), 2, "not a time"),
        (("--title", "t"), 2, "neither a file nor a body"),
        (("--title", "x" * 201, "--summary", "s"), 2, "title"),
        (("--title", "t", "--summary", "s", "--id", "../x"), 2, "item id"),
        (("--title", "t", "--summary", "s", "--section", "gossip"), 2, "gossip"),
        (("--title", "t", "--summary", "s", "--to", "xinmi"), 1, "no site xinmi"),
        (("--title", "t", "--body", "nowhere.html"), 2, "nowhere.html"),
        (("--asset-only", "nowhere.mp4"), 2, "nowhere.mp4"),
        (("--filler", "no-such-1"), 1, "no channel"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_reason_and_nothing_is_changed(
    hub: LiveHub, options: tuple[str, ...], status: int, said: str
) -> None:
    """An operator must be able to correct and repeat, without half a story being out."""
    before = state_of(hub)
    done = hub.attempt("publish", *options)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (status, True, False), done.stderr
    assert state_of(hub) == before


def test_all_that_is_wrong_with_an_item_is_said_at_once(hub: LiveHub) -> None:
    """Nobody likes to find the second mistake after correcting the first."""
    times = ("--at", "2026-11-25T00:00:00Z", "--until", "2026-11-24T00:00:00Z")
    said = hub.run("publish", "--title", "", *times, "--id", "BAD", "a.mp4", "b.mp4", status=2)
    assert all(word in said for word in ("a.mp4", "b.mp4", "until", "item id", "title"))


def test_red_is_not_published(hub: LiveHub) -> None:
    """A clip without a picture on sixteen channels is sixteen accidents; the one who publishes hears of it first."""
    black = clips.make("black.mp4", video="color=black:s=64x64:r=25:d=1")
    before = state_of(hub)
    done = hub.attempt("publish", "--title", "t", str(black))
    assert (done.returncode, "black throughout" in done.stderr) == (1, True), done.stderr
    assert state_of(hub) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.mp4", None),
        ("picture.mp4", JPEG),
        ("empty.mp4", b""),
        ("noise.mov", bytes(range(256)) * 50),
        ("empty.txt", b""),
    ],
)
def test_a_file_that_cannot_be_used_leaves_nothing_behind(
    hub: LiveHub, clip: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    """Cut off, empty, or something else than its name says: told by name, and the good file beside it waits too."""
    bad = tmp_path / name
    bad.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2] if content is None else content)
    good = tmp_path / "good.txt"
    good.write_bytes(b"never seen before " + name.encode())
    before = state_of(hub)
    done = hub.attempt("publish", "--title", "t", str(good), str(bad))
    assert (done.returncode, name in done.stderr, "Traceback" in done.stderr) == (1, True, False), done.stderr
    assert state_of(hub) == before


def test_names_of_files_are_for_people_only(hub: LiveHub, tmp_path: Path) -> None:
    """Newlines, dashes, 255 bytes of Chinese: nothing on disk or in a command is named after them."""
    for number, name in enumerate(("-rf", "a\nb.txt", "字" * 85, " lead", "$(id).txt")):
        path = tmp_path / name
        path.write_bytes(b"content %d" % number)
        item = items(hub, "all/content")
        out = hub.run("publish", "--title", "t", "--", str(path)).strip()
        assert out not in item
        assert items(hub, "all/content")[out].assets[0].name == name


def test_killed_in_the_middle_the_chain_holds_and_the_next_one_goes_out(hub: LiveHub, clip: Path) -> None:
    """A publisher's machine loses power too; no half item, and verify has nothing to say."""
    for delay_s in (0.1, 0.25, 0.4, 0.6):
        argv = [
            program("songshan-hub"),
            "--hub",
            str(hub.path),
            "publish",
            "--title",
            "killed",
            "--summary",
            str(delay_s),
            str(clip),
        ]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(delay_s)
            except subprocess.TimeoutExpired:
                process.kill()
    name = hub.run("publish", "--title", "after", "--summary", "s").strip()
    assert name in items(hub, "all/content")
    assert hub.facts("verify")["problems"] == []


def test_json_says_what_the_text_says(hub: LiveHub) -> None:
    """Scripts read it."""
    facts = json.loads(hub.run("publish", "--title", "t", "--summary", "s", "--json"))
    assert facts["item"] in items(hub, "all/content")
    assert facts["assets"] == []


def test_a_clock_that_went_back_does_not_publish_what_no_box_would_show(hub: LiveHub) -> None:
    """A recall stands against what was made before it; by a wrong clock the new version would vanish in silence."""
    item = Item("i-again", "重发", "news", "hub", "2026-11-24T06:00:00Z", body_html="<p>x</p>")
    hub.journals.append("all/control", "recall", item.id, records.Recall(item.id, "误发", "2026-11-24T07:00:00Z"))
    before = state_of(hub)
    with pytest.raises(Refused, match="recalled later"):
        send_item(hub.folder, item, "all", (), offer=False)
    assert state_of(hub) == before
    send_item(hub.folder, replace(item, created_at="2026-11-24T07:00:01Z"), "all", (), offer=False)
    assert item.id in items(hub, "all/content")


def test_a_version_is_made_after_the_one_before_whatever_the_clock_says(hub: LiveHub) -> None:
    """Else a box that hears of a recall before it hears of that version goes on showing the version before."""
    first = Item("i-versions", "初版", "news", "hub", "2026-11-24T06:00:00Z", body_html="<p>1</p>")
    send_item(hub.folder, first, "dengfeng", (), offer=False)
    send_item(hub.folder, replace(first, created_at="1970-01-01T00:01:00Z", title="改版"), "dengfeng", (), offer=False)
    versions = [record for record in hub.journals.stream("dengfeng/content").records() if record.header.key == first.id]
    made = [msgspec.json.decode(record.body or b"", type=Item).created_at for record in versions]
    assert made == ["2026-11-24T06:00:00Z", "2026-11-24T06:00:00.000001Z"]


def test_a_story_goes_on_without_the_picture_that_was_recalled(hub: LiveHub, tmp_path: Path) -> None:
    """As on every box: what else is in it stays to be fetched, also by who comes later."""
    for name in ("wrong.jpg", "right.jpg"):
        (tmp_path / name).write_bytes(JPEG + name.encode())
    hub.run("publish", str(tmp_path / "wrong.jpg"), str(tmp_path / "right.jpg"), "--title", "两图", "--to", "dengfeng")
    wrong, right = (digest_of(tmp_path / name) for name in ("wrong.jpg", "right.jpg"))
    hub.run("recall", wrong, "--reason", "图片有误")
    catalogue = Catalogue().read(hub.journals, ("dengfeng",))
    set_right(hub.library, catalogue, "dengfeng", hub.folder.now_us())
    readable = {path.name for path in hub.folder.site("dengfeng").readable.iterdir()}
    assert (wrong[7:] in readable, right[7:] in readable) == (False, True)
    assert (hub.library.holds(wrong), hub.library.holds(right)) == (False, True)


def test_a_recall_takes_what_a_clock_that_was_ahead_had_dated(quiet_hub: LiveHub) -> None:
    """The clock was an hour ahead when the story went out, and is set right: recalled is recalled."""
    clock = SimulatedClock()
    folder = HubFolder(quiet_hub.path, clock)
    ahead = to_text(clock.wall_us() + 3600 * US)
    HubJournals(folder).append("all/content", "offer", "i1", Item("i1", "误发", "news", "hub", ahead))
    recall(folder, "i1", "误发")
    assert Catalogue().read(HubJournals(folder), ()).live_offer("i1") is None
