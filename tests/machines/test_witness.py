"""The witness tells when a machine stood still. Here its own process is stopped, which is the same to it."""

import os
import signal
import time
from pathlib import Path

from tests.machines.witness import STALL_S, Witness

STOPPED_S = 0.4
WAIT_S_MAX = 20


def test_a_stall_is_told_with_its_moment_and_length(tmp_path: Path) -> None:
    """And what was before it is left out."""
    with Witness(tmp_path / "stalls") as witness:
        assert witness._process is not None
        time.sleep(1.0)
        began = time.monotonic()
        os.kill(witness._process.pid, signal.SIGSTOP)
        time.sleep(STOPPED_S)
        os.kill(witness._process.pid, signal.SIGCONT)
        deadline = time.monotonic() + WAIT_S_MAX
        while not witness.stalls(began - STALL_S) and time.monotonic() < deadline:
            time.sleep(0.02)
        told = witness.stalls(began - STALL_S)
    assert told and told[0][1] >= STOPPED_S
    assert witness.stalls(time.monotonic()) == []
