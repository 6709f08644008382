"""The harness itself, at a tiny size: what it counts is what was copied, and what does not end in time is ended."""

import sys
import time
from pathlib import Path

import pytest

from tests.bench.corpus import small
from tests.bench.oneshot import Rsync, account
from tests.bench.program import TooSlow, measured, run
from tests.simulators.link import link

FILES = 20


def test_a_first_copy_is_counted_byte_for_byte_and_a_change_is_seen(tmp_path: Path) -> None:
    """A line that rsync went past would count nothing, and every factor after it would be an invention."""
    corpus = small(tmp_path / "corpus", FILES)
    with account(tmp_path / "account") as ssh_account, link(ssh_account.port) as line:
        one = Rsync(ssh_account, tmp_path / "rsync", "rsync")
        one.connect(line.port)
        one.stock(corpus)
        first = measured(line, lambda: one.sync(30))
        assert one.holds(corpus)
        has_come = one.change(1)
        assert not has_come()
        again = measured(line, lambda: one.sync(30))
        assert has_come()
    assert corpus.size_bytes < first.wire_bytes < 2 * corpus.size_bytes + 50_000
    assert again.wire_bytes < corpus.size_bytes, "only what had changed"


def test_what_is_not_done_within_its_bound_is_ended(tmp_path: Path) -> None:
    """A bench that waits for a slow program never comes to its table."""
    began = time.monotonic()
    with pytest.raises(TooSlow):
        run([sys.executable, "-c", "import time; time.sleep(60)"], 0.2, tmp_path / "log")
    assert time.monotonic() - began < 30
