"""A county whose line is cut for a month lives on a stick: real hub, real agent, two trips."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.edge_agent.county import County, county, digest_of, published, until
from tests.provisioning.live import LiveHub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LiveHub]:
    """It is served only for as long as the box joins; then the line is cut."""
    live = LiveHub(tmp_path / "hub")
    live.run("init")
    live.serve()
    yield live


@pytest.fixture
def box(hub: LiveHub, tmp_path: Path) -> Iterator[County]:
    with county(hub, tmp_path / "dengfeng") as made:
        hub.end()
        yield made


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    path = tmp_path / "usb"
    path.mkdir()
    return path


@pytest.fixture
def live_hub(tmp_path: Path) -> Iterator[LiveHub]:
    """One whose line is there, and goes and comes as the test wants."""
    live = LiveHub(tmp_path / "hub")
    live.run("init")
    live.serve()
    yield live
    live.end()


def to_hub(hub: LiveHub, stick: Path) -> dict[str, Any]:
    taken: dict[str, Any] = hub.facts("usb", "import", str(stick))
    return taken


def to_box(box: County, stick: Path) -> Any:
    """The command waits in the spool; the agent, run once, carries it out."""
    put = box.run("usb", "import", str(stick))
    assert put.returncode == 0, put.stderr
    done = box.once()
    assert done.returncode == 0, done.stderr
    return box.facts("status")["carrying"]


def receipts(box: County) -> list[tuple[str, str]]:
    return box.rows("SELECT title, state FROM submissions ORDER BY created_at_us")


def test_a_month_without_a_line_with_two_trips(hub: LiveHub, box: County, stick: Path, tmp_path: Path) -> None:
    """News, orders, a recall and receipts come by stick; stories, answers and tips go by it; each counts once."""
    news, recalled = secrets.token_bytes(3_000_000), secrets.token_bytes(10_000)
    _item, digest = published(hub, news, "秋收.bin", "--to", "dengfeng")
    gone, gone_digest = published(hub, recalled, "误发.bin", "--to", "dengfeng")
    order = hub.run("order", "dengfeng", "--title", "报送秋收画面").strip()

    first = hub.facts("usb", "export", "dengfeng", str(stick), "--label")
    assert first["loaded"]["assets"] == 2
    carried = to_box(box, stick)
    assert (carried["state"], carried["assets_done"], carried["assets_failed"]) == ("done", 2, 0)
    assert box.served() == {digest, gone_digest}

    story = tmp_path / "乡村.bin"
    story.write_bytes(secrets.token_bytes(2_000_000))
    assert box.run("submit", str(story), "--title", "乡村").returncode == 0
    assert box.run("answer", order, "done").returncode == 0
    assert box.once().returncode == 0
    exported = box.facts("usb", "export", str(stick))
    assert (exported["loaded"]["assets"], exported["wants"]) == (1, 0)

    taken = to_hub(hub, stick)
    assert (taken["assets"], taken["waiting"]) == (1, 0)
    assert [answer["answer"] for answer in hub.facts("orders")["orders"][0]["answers"]] == ["done"]
    assert [offer["title"] for offer in hub.facts("market")["offers"]] == ["乡村"]
    assert hub.library.path_of(digest_of(story.read_bytes())).read_bytes() == story.read_bytes()

    hub.run("recall", gone, "--reason", "误发")
    second = hub.facts("usb", "export", "dengfeng", str(stick))
    assert sum(second["records"].values()) < sum(first["records"].values()) + 3
    assert second["loaded"]["assets"] == 0, "the box has told that it holds the rest"
    to_box(box, stick)
    assert box.served() == {digest}
    assert receipts(box) == [("乡村", "accepted")]
    assert box.facts("usb", "export", str(stick))["loaded"]["assets"] == 0


def test_the_line_comes_back_in_the_middle_of_it(live_hub: LiveHub, stick: Path, tmp_path: Path) -> None:
    """What line and stick bring at once counts once; the command waits for the running agent and tells its answer."""
    hub = live_hub
    with county(hub, tmp_path / "dengfeng") as box:
        data = [secrets.token_bytes(400_000) for _number in range(3)]
        digests = {published(hub, each, f"{number}.bin", "--to", "dengfeng")[1] for number, each in enumerate(data)}
        refused = box.run("usb", "export", str(stick))
        assert (refused.returncode, "label" in refused.stderr) == (1, True)
        hub.run("usb", "export", "dengfeng", str(stick), "--label")
        hub.end()
        box.start()
        until(lambda: box.rows("SELECT 1 FROM status WHERE name = 'agent'"))
        hub.serve()
        done = box.run("usb", "import", str(stick), "--json", timeout_s=60)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["state"] == "done"
        until(lambda: box.served() == digests)
        assert box.rows("SELECT count(*) FROM journal WHERE state = 'applied'") == [(3,)]
        (stick / "songshan-usb.json").write_text("{}")
        foreign = box.run("usb", "import", str(stick))
        assert (foreign.returncode, "no label of ours" in foreign.stderr) == (1, True)
        for words in (("export", str(stick)), ("import", str(stick / "none"))):
            assert box.run("usb", *words).returncode == 1
