"""docs/security.md and docs/operating.md say only what is there: tests that exist, alarms that the code raises."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs/security.md").read_text())))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda part: part.rsplit("/", 1)[-1])
def test_each_claim_names_a_test_that_is_there(path: str, name: str) -> None:
    """A claim whose test was renamed away is a claim that nothing shows any more."""
    defined = {
        node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)
    }
    assert name in defined


def test_the_page_names_tests_at_all() -> None:
    """Were the names written in another way, the check above would pass over them."""
    assert len(NAMED) > 40
    assert (ROOT / "docs/security.md").read_text().count("::test_") >= len(NAMED)


def test_every_alarm_is_in_the_operating_guide() -> None:
    """A technician looks up the alarm that stands on the screen, at night, and it must be there."""
    guide = (ROOT / "docs/operating.md").read_text()
    sources = (
        ROOT / "appliance/core/alarms.py",
        ROOT / "appliance/store/facts.py",
        *sorted((ROOT / "edge_agent").rglob("*.py")),
    )
    calls = (node for path in sources for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    raised = {identity for call in calls if (identity := _alarm_id(call))}
    assert {"agent", "ledger:"} <= raised
    assert {each for each in raised if f"`{each}" not in guide and f"`raised:{each}" not in guide} == set()


def _alarm_id(call: ast.Call) -> str | None:
    """The id of the alarm that this call makes; of one that names a channel, the part before it."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name in ("_red", "_amber"):
        given: ast.expr | None = call.args[0]
    elif name == "Finding":
        given = next((keyword.value for keyword in call.keywords if keyword.arg == "id"), None)
    else:
        return None
    if isinstance(given, ast.JoinedStr):
        given = given.values[0]
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None
