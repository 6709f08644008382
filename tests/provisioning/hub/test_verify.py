"""verify finds what is not as it was signed; fleet tells what the boxes said."""

import base64
import binascii
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.clock import SYSTEM_CLOCK
from appliance.core import records
from provisioning.fleet.core.row import row
from provisioning.hub.sites import Site
from provisioning.hub.status import Said, read_status, write_status
from provisioning.hub.verify import check
from tests.provisioning.live import LiveHub

SITE = Site("dengfeng", "登封", "Asia/Shanghai", (), "approved", "2026-11-24T00:00:00Z")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> LiveHub:
    """A hub with a few records and an asset."""
    folder = tmp_path_factory.mktemp("hub")
    live = LiveHub(folder / "hub")
    live.run("init")
    live.run("enrol", "dengfeng", "--out", str(folder / "b"))
    (folder / "a.txt").write_bytes(b"an asset")
    live.run("publish", "--title", "t", str(folder / "a.txt"))
    for number in range(3):
        live.journals.append("dengfeng/control", "order", f"o{number}", records.Order(f"o{number}", "x"))
    return live


def test_a_whole_hub_has_nothing_to_complain_of(hub: LiveHub) -> None:
    """Counts tell that something was looked at."""
    facts = hub.facts("verify")
    assert (facts["problems"], facts["records"], facts["assets"], facts["size_bytes"]) == ([], 4, 1, 8)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_bit_of_a_stream_is_detected(hub: LiveHub, data: st.DataObject) -> None:
    """Whoever changes one bit of what was said, or of who signed it, is found out."""
    files = sorted((hub.path / "journals").rglob("1.*"))
    path = data.draw(st.sampled_from(files))
    good = path.read_bytes()
    at, bit = data.draw(st.integers(0, len(good) - 1)), data.draw(st.integers(0, 7))
    changed = bytearray(good)
    changed[at] ^= 1 << bit
    path.write_bytes(changed)
    try:
        problems = check(hub.folder, with_assets=False).problems
    finally:
        path.write_bytes(good)
    # White space between and after the three words of a checkpoint file says nothing, nor do the bits of a base64
    # word's last digit that are behind its last byte.
    if not (path.suffix == ".checkpoint" and said(bytes(changed)) == said(good)):
        assert problems


def said(checkpoint: bytes) -> list[bytes]:
    """Its words, those in base64 as what they stand for."""
    words = []
    for word in checkpoint.split():
        try:
            words.append(base64.b64decode(word, validate=True))
        except binascii.Error:
            words.append(word)
    return words


def test_a_damaged_asset_is_named(hub: LiveHub) -> None:
    """A bad disk is found before a county airs it; exit status 1."""
    [path] = [path for path in hub.folder.assets.glob("*/*") if path.is_file()]
    path.chmod(0o644)
    path.write_bytes(b"an assex")
    try:
        assert path.name in hub.run("verify", status=1)
        assert hub.run("verify", "--journals-only")
    finally:
        path.write_bytes(b"an asset")


def test_a_damaged_asset_can_be_set_aside_and_published_anew(hub: LiveHub) -> None:
    """The links of the sites are names of the same bad bytes: published over them, the good file would reach nobody."""
    [path] = [path for path in hub.folder.assets.glob("*/*") if path.is_file()]
    readable = hub.folder.site("dengfeng").readable / path.name
    if not readable.exists():
        readable.hardlink_to(path)
    path.chmod(0o644)
    path.write_bytes(b"an assex")
    assert path.name in hub.run("verify", "--set-aside", status=1)
    assert (path.exists(), readable.exists()) == (False, False)
    good = hub.path.parent / "good"
    good.write_bytes(b"an asset")
    hub.run("publish", "--asset-only", "--to", "dengfeng", str(good))
    assert readable.read_bytes() == b"an asset"
    assert hub.facts("verify")["problems"] == []


def test_an_asset_that_a_site_is_told_of_and_that_is_gone_is_named(hub: LiveHub) -> None:
    """The box would ask for it for ever."""
    [path] = [path for path in hub.folder.assets.glob("*/*") if path.is_file()]
    aside = path.rename(hub.path / "aside")
    try:
        assert "missing" in hub.run("verify", status=1)
    finally:
        aside.rename(path)


def test_a_stream_signed_by_another_key_is_detected(hub: LiveHub, tmp_path: Path) -> None:
    """Somebody who can write the files but has not the key cannot write history."""
    other = LiveHub(tmp_path / "other")
    other.run("init")
    for number in range(3):
        other.journals.append("dengfeng/control", "order", f"o{number}", records.Order(f"o{number}", "forged"))
    kept = {path: path.read_bytes() for path in (hub.path / "journals" / "dengfeng" / "control").iterdir()}
    for path in kept:
        path.write_bytes((other.path / "journals" / "dengfeng" / "control" / path.name).read_bytes())
    try:
        assert "signature" in hub.run("verify", status=1)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_the_fleet_shows_what_a_box_said(hub: LiveHub) -> None:
    """One row per site, ages counted by the hub's clock."""
    status = {
        "version": "0.1.0",
        "on_air": [{"channel": "dengfeng-1", "title": "早间新闻", "planned": True}],
        "coming": [{"channel": "dengfeng-1", "state": "cannot"}],
        "storage": {"free_bytes": 5 * 1024**3},
        "clock": {"synchronised": True, "hub_offset_ms": 12.5},
        "alarms": [{"severity": "red"}, {"severity": "amber"}, {"severity": "amber"}],
    }
    write_status(hub.folder.site("dengfeng"), status, SYSTEM_CLOCK.wall_us())
    [shown] = hub.facts("fleet")["sites"]
    assert (shown["link"], shown["on_air"], shown["not_ready"]) == ("away", ["dengfeng-1: 早间新闻"], 1)
    assert (shown["alarms_red"], shown["alarms_amber"], shown["clock_offset_ms"]) == (1, 2, 12.5)
    assert 0 <= shown["sync_age_s"] < 60
    assert "早间新闻" in hub.run("fleet")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["on_air", "alarms", "clock", "storage", "coming", "version", "sync", "link"])


@given(st.dictionaries(KEYS, json_values))
def test_a_box_may_say_anything_and_the_fleet_still_has_its_row(status: dict[str, object]) -> None:
    """One strange box must not hide the other fifteen."""
    shown = row(SITE, Said("2026-11-24T00:00:00Z", status), True, SYSTEM_CLOCK.wall_us())
    assert (shown.site, shown.link) == ("dengfeng", "connected")


def test_a_site_that_never_spoke_has_a_row_too(hub: LiveHub) -> None:
    """The operator looks for exactly those."""
    assert row(SITE, None, False, 0).link == "never"
    assert read_status(hub.folder.site("zhongmu")) is None
