"""What became of a letter that was tried: it arrived, it was refused, or its way out could not be reached."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Arrived:
    """The other side has said that it has it."""


@dataclass(frozen=True)
class NotTaken:
    """The other side does not want it: for all, or for those in `left`."""

    reason: str
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotReached:
    """The other side is not there, or asks to come again later."""

    reason: str


Outcome = Arrived | NotTaken | NotReached
