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


CARDS = (
    "off-air", "wrong-programme", "padded", "degraded", "missing", "schedule", "live", "modulator", "clock", "disk",
    "agent", "web",
)  # fmt: skip
CARD = re.compile(r"#### 卡 ([a-z-]+) · (.+)\n\n((?:- .+\n)+)")
PARTS = ("现象 signs:", "本机自动 by itself:", "处置 steps:", "恢复 back:")


def test_each_accident_has_its_card() -> None:
    """At night there is no time to read a chapter: signs, what the box does, at most five steps, how to go back."""
    cards = {card[1]: card[3] for card in CARD.finditer((ROOT / "docs/operating.md").read_text())}
    assert tuple(cards) == CARDS
    for name, card in cards.items():
        lines = card.splitlines()
        assert [line.startswith(f"- {part}") for line, part in zip(lines, PARTS, strict=True)] == [True] * 4, name
        steps = re.findall(r"(?<![\w.])(\d)\. ", lines[2])
        assert steps == [str(number) for number in range(1, len(steps) + 1)] and 1 <= len(steps) <= 5, name


def test_what_alarms_and_cards_name_is_there() -> None:
    """A line of the alarms that sends to a card, and a card that names an alarm or a command, name real ones."""
    guide = (ROOT / "docs/operating.md").read_text()
    cards = {card[1]: card[3] for card in CARD.finditer(guide)}
    assert set(re.findall(r"(?<![一-龥#])[ （(]卡 ([a-z-]+)", guide)) <= set(CARDS)
    alarms = {
        line.split("`")[1]
        for line in guide.splitlines()
        if re.match(r"\| `[a-z]+[:a-zA-Z0-9-]*`(, another one)? \|", line)
    }
    told = {each for text in cards.values() for each in re.findall(r"alarms? ((?:`[^`]+`(?:, | )?)+)", text)}
    assert {each for line in told for each in re.findall(r"`([^`]+)`", line)} <= alarms


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
