"""Every page with titles, reasons and names that nobody wished for: escapes, flags, letters that join, any length."""

import dataclasses
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from appliance.core.errors import Text
from tests.tui.looks import EACH, screen, session_at, states_of_pages, text_of
from tests.tui.readings import LOOKS, PLAIN, WIDE
from tui.seen import Seen

HOSTILE = "\x1b[31m\x07\u202e早🇨🇳👍🏽e\u0301☰ﷺ\n\t“…─”%s{0}\\" + "长" * 90
STATES_MAX = 5
"""Of each page's own states so many are tried: what differs between them is mostly figures."""
OWN = re.compile(r"[\u4e00-\u9fff]")


def hostile(value: Any) -> Any:
    """The same with every text that is in Chinese, as titles and reasons are, replaced by what nobody wished for."""
    if isinstance(value, Text):
        return Text(HOSTILE, HOSTILE)
    if isinstance(value, str):
        return HOSTILE if OWN.search(value) else value
    if isinstance(value, tuple):
        return tuple(hostile(each) for each in value)
    if isinstance(value, dict):
        return {key: hostile(each) for key, each in value.items()}
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(
            value, **{name: hostile(getattr(value, name)) for name in value.__struct_fields__}
        )
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {each.name: hostile(getattr(value, each.name)) for each in dataclasses.fields(value) if each.init}
        return dataclasses.replace(value, **changed)
    return value


def states_of() -> Iterator[tuple[str, str, Seen]]:
    """Some of those of every page."""
    for page, found in states_of_pages().items():
        own = (name for name in found if name == "healthy" or name not in EACH)
        yield from ((page, name, found[name]) for name in islice(own, STATES_MAX))


ALL_STATES = list(states_of())
CASES = [pytest.param(page, each, id=f"{page}-{name}") for page, name, each in ALL_STATES]


@pytest.mark.parametrize(("page", "shown"), CASES)
def test_no_page_is_bent_by_what_it_is_told(page: str, shown: Seen) -> None:
    """Titles come from file names and from other counties; none may reach the terminal or move a column."""
    for look in (LOOKS["zh"], WIDE["en"], PLAIN):
        session = session_at(page, hostile(shown), look)
        for cells, lines in ((80, 25), (37, 11)):
            rows = screen(session, cells, lines)
            assert {cell_len(text_of(row)) for row in rows} <= {cells, cells - 2}
            assert not re.search(r"[\x00-\x1f\x7f\u202e]", "".join(map(text_of, rows)))
