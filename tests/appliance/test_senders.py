"""What senders and probes tell of themselves, as screens read it."""

import dataclasses
import time
from pathlib import Path

import msgspec

from appliance import senders
from appliance.config import ChannelConfig, Config
from tests.appliance import boxes

NOW = time.time_ns() // 1000
SENDER = senders.Sender(
    role="main",
    pid=1,
    leads=True,
    at_us=NOW,
    started_at_us=NOW - 10,
    output="239.0.0.1:5000",
    bits_per_s=4_000_000,
    air_us=NOW,
    sent_datagrams=5,
    lost_datagrams=1,
    skipped_us=0,
    skips=0,
    leaps=0,
    pictures=1,
    late_pictures=0,
    lost_pictures=0,
    slate_segments=0,
    margin_ms=900.0,
)


def config(home: Path) -> Config:
    channels = (ChannelConfig("dengfeng-1", "登封综合", udp="239.0.0.1:5000"), ChannelConfig("dengfeng-2", "二"))
    return dataclasses.replace(boxes.box(home), channels=channels)


def test_who_sends_is_whoever_told_so_a_moment_ago(tmp_path: Path) -> None:
    """A file of yesterday is no sender; a channel without output is not asked about."""
    box = config(tmp_path)
    (silent,) = senders.outputs(box, NOW)
    assert (silent.channel, silent.sender, silent.standby) == ("dengfeng-1", None, "none")
    senders.tell(box, "dengfeng-1", SENDER)
    senders.tell(box, "dengfeng-1", msgspec.structs.replace(SENDER, role="standby", leads=False))
    (output,) = senders.outputs(box, NOW + 1_000_000)
    assert (output.sender, output.standby, output.lost_datagrams) == ("main", "ready", 2)
    senders.tell(box, "dengfeng-1", msgspec.structs.replace(SENDER, role="standby", at_us=NOW + 9_000_000))
    (later,) = senders.outputs(box, NOW + 10_000_000)
    assert (later.sender, later.standby) == ("standby", "gone")


def test_a_looker_that_is_slow_sees_who_sends_still(tmp_path: Path) -> None:
    """On a busy machine what is told is newer than the moment of the look; after an hour's leap back it is old."""
    box = config(tmp_path)
    senders.tell(box, "dengfeng-1", msgspec.structs.replace(SENDER, skipped_us=40_000))
    (slow,) = senders.outputs(box, NOW - 20_000_000)
    assert (slow.sender, slow.skipped_ms) == ("main", 40.0)
    (set_back,) = senders.outputs(box, NOW - 3600 * 1_000_000)
    assert set_back.sender is None


def test_a_file_that_is_none_is_nobody(tmp_path: Path) -> None:
    """Power goes while it is written, or somebody puts something else there."""
    box = config(tmp_path)
    senders.tell(box, "dengfeng-1", SENDER)
    (box.playout / "dengfeng-1.main.json").write_bytes(b'{"role":"main"')
    assert senders.told(box, "dengfeng-1") == (None, None, None)
