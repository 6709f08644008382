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
import struct
from pathlib import Path
from typing import Final

from appliance.durable import disk_errors, make_folder

STALE_US: Final = 150_000
"""A sender that has not said for so long that it lives is stuck. Less than is made up for without loss."""
PATIENCE_US: Final = 1_000_000
"""A standby leaves a box that has just started to the other one for so long."""
_FIELDS: Final = struct.Struct("<QQQQ")
"""Owner, running clock in microseconds, slot, whether the owner has the lock."""


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
            os.ftruncate(self._descriptor, _FIELDS.size)
            self._memory = mmap.mmap(self._descriptor, _FIELDS.size)

    @property
    def slot(self) -> int:
        """Up to where the output was sent, by whomever."""
        return int(_FIELDS.unpack_from(self._memory)[2])

    def is_ours(self, running_us: int) -> bool:
        """Whether this sender is to send now; asked before each batch."""
        owner, beat_us, slot, is_locked = _FIELDS.unpack_from(self._memory)
        if self._is_ours:
            if owner != self._owner:
                self._is_ours = False
                self._unlock()
            return self._is_ours
        if 0 <= running_us - beat_us <= STALE_US:
            # Whoever leads without the lock took the lead from one that is stuck and has it still.
            if not is_locked or not self._lock():
                return False
        elif running_us < self._patient_until_us:
            return False
        self._is_ours = True
        self._write(running_us, slot)
        return True

    def beat(self, running_us: int, slot: int) -> None:
        """The slots up to this one are sent."""
        if _FIELDS.unpack_from(self._memory)[0] == self._owner:
            self._write(running_us, slot)

    def close(self) -> None:
        """Let the next one send."""
        self._unlock()
        self._memory.close()
        os.close(self._descriptor)

    def _write(self, running_us: int, slot: int) -> None:
        _FIELDS.pack_into(self._memory, 0, self._owner, running_us, slot, int(self._lock()))

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
