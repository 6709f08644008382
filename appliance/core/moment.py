"""Moments: whole microseconds since 1970 inside, RFC 3339 UTC on the wire and in stores."""

from datetime import UTC, datetime, timedelta
from typing import Final

from appliance.core.errors import OperatorError, Text

US: Final = 1_000_000
"""Microseconds in a second."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_text(moment_us: int) -> str:
    """`2026-11-24T06:00:00Z`; with six decimals where the moment is not a whole second."""
    at = _EPOCH + timedelta(microseconds=moment_us)
    return at.replace(tzinfo=None).isoformat() + "Z"


def to_us(text: str) -> int:
    """The moment that an RFC 3339 text with a zone means; OperatorError for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise _not_a_moment(text) from error
    if at.tzinfo is None:
        raise _not_a_moment(text)
    return (at - _EPOCH) // timedelta(microseconds=1)


def _not_a_moment(text: str) -> OperatorError:
    return OperatorError(
        Text(f"不是带时区的时间：{text[:40]!r}", f"not a time with a zone: {text[:40]!r}"),
        hint=Text("例：2026-11-24T06:00:00+08:00", "for example 2026-11-24T06:00:00+08:00"),
    )
