"""A fault of ours that one record or one command brings to light must not end the agent again at every start.

It is told as a refusal: the record is parked, the command noted, each with the fault as its reason; all others go on.
After an upgrade that has mended it what was parked is applied.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from appliance.core.errors import Refused, SongshanError, Text

FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
)
"""What Python and SQLite raise for a mistake in a program; what the disk or the network did is not among them."""

log = structlog.get_logger()


@contextmanager
def as_refusals(subject: str) -> Iterator[None]:
    """Raise Refused in place of a fault; `subject` is for the log."""
    try:
        yield
    except SongshanError:
        raise
    except FAULTS as fault:
        log.exception("fault", subject=subject)
        told = f"{type(fault).__name__}: {fault}"[:200]
        raise Refused(Text(f"本版本的缺陷：{told}", f"a fault of this version: {told}")) from fault
