"""Which of the senders of one output sends: the one that has the lead. docs/formats.md, section 7.

The lead is a small file that all of them have in memory. Who has it writes there, with every batch, that he lives and
up to which slot he has sent; and he keeps the file locked. Killed, he loses the lock, and the next one goes on from
that slot. Stuck, he says nothing for STALE_US; whoever takes the lead writes his own name, which the other sees before
he sends again.
"""

import fcntl
import mmap
import os
import secrets
from pathlib import Path
from typing import Final

from appliance.durable import disk_errors, make_folder

_OWNER, _BEAT_US, _SLOT, _LOCKED = range(4)
"""Owner, running clock in microseconds, slot, whether the owner has the lock: 64 bits each.

Each is read and written by itself, which a processor does in one piece. `struct.pack_into` does not: it clears all of
them first, and whoever looked at that moment took a lead that had been sent up to slot 0.
"""
STALE_US: Final = 150_000
"""A sender that has not said for so long that it lives is stuck. Less than is made up for without loss."""
PATIENCE_US: Final = 1_000_000
"""A standby leaves a box that has just started to the other one for so long."""
_BYTES: Final = 32


class Lead:
    """One sender's hold on the lead."""

    def __init__(self, path: Path, running_us: int, *, is_standby: bool) -> None:
        """Raises WorldError where the file cannot be made."""
        self._owner = secrets.randbits(63) | 1
        self._is_ours = self._is_locked = False
        self._patient_until_us = running_us + (PATIENCE_US if is_standby else 0)
        with disk_errors(path):
            make_folder(path.parent)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
            os.ftruncate(self._descriptor, _BYTES)
            self._memory = mmap.mmap(self._descriptor, _BYTES)
        self._fields = memoryview(self._memory).cast("Q")

    @property
    def slot(self) -> int:
        """Up to where the output was sent, by whomever."""
        return self._fields[_SLOT]

    def is_ours(self, running_us: int) -> bool:
        """Whether this sender is to send now; asked before each batch."""
        if self._is_ours:
            if self._fields[_OWNER] != self._owner:
                self._is_ours = False
                self._unlock()
            return self._is_ours
        # It may have sent since our clock was read. What is far ahead was written before this machine was started.
        if abs(running_us - self._fields[_BEAT_US]) <= STALE_US:
            # Whoever leads without the lock took the lead from one that is stuck and has it still.
            if not self._fields[_LOCKED] or not self._lock():
                return False
        elif running_us < self._patient_until_us:
            return False
        self._is_ours = True
        self._fields[_OWNER] = self._owner
        self.beat(running_us, self.slot)
        return True

    def beat(self, running_us: int, slot: int) -> None:
        """The slots up to this one are sent."""
        if self._fields[_OWNER] == self._owner:
            self._fields[_SLOT] = slot
            self._fields[_BEAT_US] = running_us
            self._fields[_LOCKED] = int(self._lock())

    def close(self) -> None:
        """Let the next one send."""
        self._unlock()
        self._fields.release()
        self._memory.close()
        os.close(self._descriptor)

    def _lock(self) -> bool:
        if not self._is_locked:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._is_locked = True
        return True

    def _unlock(self) -> None:
        if self._is_locked:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._is_locked = False
