"""Commands are checked before they are written and again when they are read."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.command import (
    COMMAND_BYTES_MAX,
    Answer,
    Asrun,
    Command,
    Did,
    Insert,
    Newdisk,
    Observed,
    Resume,
    Submit,
    Take,
    Tip,
    Untake,
    encode_command,
    kind_of,
    parse_command,
)
from appliance.core.errors import OperatorError
from tests.appliance.boxes import AT, digest

EACH: tuple[Command, ...] = (
    Submit(title="秋色", files=("a.mp4",), by="x", via="drop", at=AT),
    Take(item="i1", by="x", via="cli", at=AT),
    Untake(item="i1", by="x", via="tui", at=AT),
    Answer(order="o1", answer="done", note="好", by="x", via="cli", at=AT),
    Observed(
        channel="c",
        first_tick=0,
        last_tick=9,
        continuity_errors=0,
        output="239.0.0.1:5000",
        by="x",
        via="playout",
        at=AT,
    ),
    Insert(channel="c", digest=digest("a"), reason="防汛", at_air=AT, until=AT, by="x", via="cli", at=AT),
    Resume(channel="c", by="x", via="cli", at=AT),
    Newdisk(by="x", via="tui", at=AT, reason="换盘"),
    Did(what="reboot", by="x", via="tui", at=AT, reason="换内存"),
    Tip(text="路灯不亮", contact="138", by="x", via="web", at=AT),
    Asrun(channel="c", rows=({"start": AT, "duration_s": 60.0, "title": "新闻"},), by="x", via="playout", at=AT),
)


@pytest.mark.parametrize("command", EACH, ids=kind_of)
def test_what_was_written_is_read(command: Command) -> None:
    """And says its kind where anybody can read it."""
    data = encode_command(command)
    assert parse_command(data) == command
    assert msgspec.json.decode(data)["kind"] == kind_of(command)


@pytest.mark.parametrize(
    "command",
    [
        Submit(title="", files=("a",), by="x", via="cli", at=AT),
        Submit(title="t" * 201, files=("a",), by="x", via="cli", at=AT),
        Submit(title="t", files=(), by="x", via="cli", at=AT),
        Submit(title="t", files=("a",) * 65, by="x", via="cli", at=AT),
        Submit(title="t", files=("a",), section="sport", by="x", via="cli", at=AT),
        Take(item="../i1", by="x", via="cli", at=AT),
        Untake(item="", by="x", via="cli", at=AT),
        Answer(order="o1", answer="maybe", by="x", via="cli", at=AT),  # type: ignore[arg-type]
        Insert(channel="c", digest="../../keys/ssh", by="x", via="cli", at=AT),
        Observed(channel="c", first_tick=9, last_tick=8, continuity_errors=0, output="", by="x", via="playout", at=AT),
        Observed(
            channel="c", first_tick=0, last_tick=2**40, continuity_errors=0, output="", by="x", via="playout", at=AT
        ),
        Insert(channel="c", digest=digest("a"), until="25:00", by="x", via="cli", at=AT),
        Tip(text="", by="x", via="web", at=AT),
        Tip(text="t" * 4001, by="x", via="web", at=AT),
        Tip(text="t", by="x" * 201, via="web", at=AT),
        Tip(text="t", by="x", via="phone", at=AT),  # type: ignore[arg-type]
        Tip(text="t", by="x", via="web", at="2026-11-24 06:00"),
        Tip(text="\ud800", by="x", via="web", at=AT),
        Asrun(channel="c", rows=({"a": "b" * COMMAND_BYTES_MAX},), by="x", via="playout", at=AT),
        Asrun(channel="c", rows=({},) * 1001, by="x", via="playout", at=AT),
    ],
    ids=range(20),
)
def test_a_command_out_of_bounds_is_refused_where_it_is_made(command: Command) -> None:
    """Whoever makes the mistake is still there to be told."""
    with pytest.raises(OperatorError) as caught:
        encode_command(command)
    assert all(problem.zh and problem.en for problem in caught.value.problems)


@given(data=st.binary(max_size=300))
def test_bytes_of_any_kind_are_a_command_or_refused(data: bytes) -> None:
    """The spool is open to the group; nothing in it may bring the agent down."""
    try:
        parse_command(data)
    except OperatorError:
        return
    raise AssertionError(data)


def test_all_problems_are_told_at_once() -> None:
    """One correction, not three."""
    command = Insert(channel="c", digest="x", at_air="soon", until="later", by="x", via="cli", at=AT)
    with pytest.raises(OperatorError) as caught:
        encode_command(command)
    assert len(caught.value.problems) == 3
