"""`songshan tui`: the technician's screens."""

import ctypes
import os
import sys
from functools import partial
from typing import Any, Final

import click

from appliance.command import Box, language, pass_box
from appliance.core.errors import OperatorError, Text

_M_ARENA_MAX: Final = -8
"""mallopt(3)."""


@click.command()
@click.option("--lang", type=click.Choice(["zh", "en"]), help="the language; by default that of all commands")
@click.option("--eco/--no-eco", default=None, help="save bytes: fewer colours, a look every 5 s; by itself over SSH")
@click.option("--mouse", is_flag=True, help="ask for the mouse; a line that drops then leaves a terminal in disorder")
@pass_box
def tui(box: Box, lang: str | None, eco: bool | None, mouse: bool) -> None:
    """技术员终端。 The technician's screens: on air, what is wrong, what to do.

    Read-only until somebody says who they are (e). F1 explains each page, : finds one.

    Example: songshan tui --lang en
    """
    if not (sys.__stdin__ and sys.__stdin__.isatty() and sys.__stderr__ and sys.__stderr__.isatty()):
        raise OperatorError(
            Text("songshan tui 需要终端", "songshan tui needs a terminal"),
            hint=Text("非终端请用 songshan status --plain", "without one: songshan status --plain"),
        )
    # The looks at the box are made on a thread; a heap of its own would keep what the largest of them took.
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    # The screens take a moment to load; `--help` and the complaint above need none of it.
    from tui.app import TechnicianApp
    from tui.catalogue import looks
    from tui.gather.box import is_configured, look_at, zone_of
    from tui.gather.door import Door
    from tui.pages import FIRST_BOOT
    from tui.probe import probe
    from tui.terminal import Widths, needs_probe, terminal

    name = os.ttyname(sys.__stdin__.fileno())
    drawn = probe(sys.__stdin__.fileno(), sys.__stderr__.fileno()) if needs_probe(name, lang) else Widths()
    found = terminal(name, os.environ, language(), lang, drawn, eco)
    shown = looks(zone_of(box.home, os.environ), found.languages, found.plain, found.is_wide)
    start = "" if is_configured(box.home) else FIRST_BOOT
    notes: dict[str, Any] = {}
    eyes = partial(look_at, box.home, os.environ, notes=notes)
    app = TechnicianApp(eyes, Door(box.home, os.environ, notes), shown, found, start=start)
    # Without the mouse: there is nothing to click, and a dropped line would leave a terminal that sprays escapes.
    app.run(mouse=mouse)
    sys.exit(app.return_code or 0)
