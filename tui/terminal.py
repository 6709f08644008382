"""What the terminal that we were started on can do. PURE; the caller asks the system for the facts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

REFRESH_S: Final = 2.0
REFRESH_ECO_S: Final = 5.0
"""Over SSH: a poor line is paid by the byte, and somebody else's bulk transfer shares it."""

_NO_CHINESE: Final = re.compile(r"/dev/(tty(S|AMA|USB)?\d+|hvc\d+|console)")
"""The kernel's own consoles hold 256 or 512 glyphs, no Chinese among them; what hangs on a serial line is unknown.

The name tells, TERM does not: a console program that can draw Chinese gives its shells /dev/pts like any other.
"""


@dataclass(frozen=True)
class Widths:
    """How wide it draws: whether borders and the like take two cells, and whether Chinese takes its two."""

    is_wide: bool = False
    draws_chinese: bool = True


@dataclass(frozen=True)
class Terminal:
    """How to speak to it: in which languages, with which glyphs, how often."""

    languages: tuple[str, ...]
    """The first is the one to begin with; the key for the language goes through them."""
    plain: bool
    refresh_s: float
    is_wide: bool = False
    is_eco: bool = False
    few_colours: bool = False
    """The terminal's own background and its sixteen colours, or with NO_COLOR none."""


def widths(columns: Sequence[int]) -> Widths:
    """From the columns where the cursor stood behind a border's line and behind a Chinese character, from 1."""
    if len(columns) < 2:
        return Widths()
    border, chinese = columns
    return Widths(is_wide=border == 3, draws_chinese=chinese == 3)


def needs_probe(name: str, asked: str | None = None) -> bool:
    """Whether the terminal called `name` is one whose widths are not known."""
    return not _is_plain(name, asked)


def terminal(
    name: str,
    environ: Mapping[str, str],
    preferred: str,
    asked: str | None = None,
    drawn: Widths = Widths(),  # frozen
    eco: bool | None = None,
) -> Terminal:
    """The terminal called `name`, as in /dev. `preferred` is the language of this box's commands.

    `asked` is a language that the person named: it is believed, for they see what they see. `eco` is whether to save
    bytes; by itself over SSH.
    """
    plain = _is_plain(name, asked) or (not drawn.draws_chinese and asked != "zh")
    is_remote = bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))
    is_eco = is_remote if eco is None else eco
    first = asked or preferred
    languages = ("en",) if plain else (first, "zh" if first == "en" else "en")
    few_colours = is_eco or bool(environ.get("NO_COLOR"))
    return Terminal(languages, plain, REFRESH_ECO_S if is_eco else REFRESH_S, drawn.is_wide, is_eco, few_colours)


def _is_plain(name: str, asked: str | None) -> bool:
    return _NO_CHINESE.fullmatch(name) is not None and asked != "zh"
