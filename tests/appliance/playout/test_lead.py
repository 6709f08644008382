"""The lead changes hands when it has to, and only then."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.playout.lead import STALE_US, Lead

NOW_US = 7_000_000_000
BEATING_S = 20
LOOKS = 200_000
BEATS = """
import sys, time
from pathlib import Path
from appliance.playout.lead import Lead
lead, until = Lead(Path(sys.argv[1]), 0, is_standby=False), time.monotonic() + float(sys.argv[2])
assert lead.is_ours(7_000_000_000)
print("beats", flush=True)
while time.monotonic() < until:
    lead.beat(7_000_000_000, 12_345_678)
"""


@contextmanager
def beating(path: Path) -> Iterator[None]:
    """Another process has the lead, and says so as often as it can."""
    argv = [sys.executable, "-c", BEATS, str(path), str(BEATING_S)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"beats\n"
        yield
        assert process.poll() is None, "it was looked at while it wrote"
    finally:
        process.kill()
        process.communicate(timeout=10)


def standby(path: Path) -> Lead:
    lead = Lead(path, 0, is_standby=True)
    assert not lead.is_ours(0)
    return lead


def test_who_looks_while_the_other_writes_sees_one_slot_or_the_next(tmp_path: Path) -> None:
    """Two senders wake at the same moments: one that reads half a word takes the lead as if nothing had been sent."""
    path = tmp_path / "lead"
    with beating(path):
        lead = standby(path)
        taken = sum(lead.is_ours(NOW_US) or lead.slot != 12_345_678 for _look in range(LOOKS))
        lead.close()
    assert taken == 0


@pytest.mark.parametrize(
    ("ahead_us", "is_ours"),
    [(1, False), (STALE_US, False), (STALE_US + 1, True), (-STALE_US, False), (-STALE_US - 1, True)],
)
def test_a_beat_since_the_clock_was_read_is_no_reason_to_take_the_lead(
    tmp_path: Path, ahead_us: int, is_ours: bool
) -> None:
    """Else both send the same packets, each time that the other one is the quicker by a hair."""
    main = Lead(tmp_path / "lead", 0, is_standby=False)
    assert main.is_ours(NOW_US)
    main.beat(NOW_US + ahead_us, 5)
    other = standby(tmp_path / "lead")
    assert other.is_ours(NOW_US) is is_ours
    for lead in (main, other):
        lead.close()
