"""One line of the table: what was measured, ours and the peer's, and the limit it is held to."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """`holds` is None where there is no limit."""

    what: str
    ours: str
    peer: str
    limit: str = ""
    holds: bool | None = None
    figures: dict[str, Any] | None = None
    """The bare numbers by program, units in their names; for programs that read bench.json."""

    def line(self) -> str:
        verdict = {True: "holds", False: "MISSED", None: ""}[self.holds]
        return f"{self.what:<58} {self.ours:>22} {self.peer:>30} {self.limit:>14} {verdict}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
