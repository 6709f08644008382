"""What `make appliance-test` prints in the end, and build/appliance-test.json beside it: a row a scenario. Pure."""

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

Outcome = Literal["passed", "failed", "not there", "not played"]
GOOD: Final[Outcome] = "passed"
_WHY_CHARS: Final = 160


@dataclass(frozen=True)
class Row:
    """A scenario: what came of it, how long it took, what was measured, and why not."""

    name: str
    title: str
    outcome: Outcome
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    why: str = ""


def exit_status(rows: list[Row]) -> int:
    """0 where every scenario that was asked for passed; what is not there did not."""
    return 0 if rows and all(row.outcome == GOOD for row in rows) else 1


def table(rows: list[Row]) -> str:
    """For people."""
    lines = [f"{'scenario':<12} {'outcome':<10} {'seconds':>8}  what was seen"]
    for row in rows:
        seen = "  ".join(f"{name}={_shown(value)}" for name, value in row.figures.items())
        lines.append(f"{row.name:<12} {row.outcome:<10} {row.seconds:>8.0f}  {row.title}")
        lines += [f"{'':<32}{text}" for text in (seen, _first_line(row.why)) if text]
    passed = sum(row.outcome == GOOD for row in rows)
    lines.append(f"{passed} passed, {len(rows) - passed} failed")
    return "\n".join(lines)


def document(rows: list[Row], about: dict[str, Any]) -> dict[str, Any]:
    """For programs: units in the names."""
    return {**about, "scenarios": [asdict(row) for row in rows]}


def _first_line(why: str) -> str:
    return why.strip().splitlines()[0][:_WHY_CHARS] if why.strip() else ""


def _shown(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
