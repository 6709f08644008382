"""Makes the pictures of the documents from the real program: python -m tests.tui.pictures

docs/screen-<name>.svg: each a page in a state of its tests, at 80x25. Look at them before they are kept.
"""

import asyncio
import html
import re
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from rich.cells import cell_len

from tests.tui import test_doctor, test_first_boot, test_playout, test_storage, test_sync
from tests.tui.looks import seen
from tests.tui.readings import ALL, LOOKS, PLAIN
from tui.app import TechnicianApp
from tui.gather.door import Door
from tui.look import Look
from tui.seen import Seen
from tui.terminal import Terminal

CELL = 12.2
"""The width of a cell in the picture's own units."""
DOCS = Path(__file__).parent.parent.parent / "docs"
FONT = "'Sarasa Mono SC','Noto Sans Mono CJK SC','WenQuanYi Zen Hei Mono',monospace"
_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_TEXT = re.compile(
    r'<text (?P<before>[^>]*?) x="(?P<x>[\d.]+)"(?P<y>[^>]*?) textLength="[\d.]+"(?P<end>[^>]*)>(?P<text>[^<]*)</text>'
)
_FAMILY = re.compile(r"font-family: [^;]+;")


@dataclass(frozen=True)
class Picture:
    """A page in a state, in one language or on the bare console."""

    name: str
    page: str
    shown: Seen
    look: Look


def pictures() -> tuple[Picture, ...]:
    return (
        Picture("overview", "overview", seen(None, ALL["missing-tonight"]), LOOKS["zh"]),
        Picture("console", "overview", seen(None, ALL["agent-dead"]), PLAIN),
        Picture("playout", "playout", next(iter(test_playout.STATES.values())), LOOKS["zh"]),
        Picture("sync", "sync", next(iter(test_sync.STATES.values())), LOOKS["zh"]),
        Picture("storage", "storage", test_storage.STATES["a disk fails"], LOOKS["zh"]),
        Picture("doctor", "doctor", test_doctor.STATES["everything"], LOOKS["zh"]),
        Picture("first-boot", "first-boot", test_first_boot.STATES["one bundle, join"], LOOKS["zh"]),
    )


def main() -> None:
    for picture in pictures():
        path = DOCS / f"screen-{picture.name}.svg"
        path.write_text(asyncio.run(drawn(picture)))
        print(path)


async def drawn(picture: Picture) -> str:
    """The program itself, shown one state, as SVG that needs no font from elsewhere."""
    look = picture.look
    terminal = Terminal((look.language,), look.plain, refresh_s=3600)
    program = TechnicianApp(
        lambda _page, asked, _followed: Seen(picture.shown.reading, asked, picture.shown.found, picture.shown.troubles),
        Door(Path("/nowhere"), {}),
        {look.language: look},
        terminal,
        start=picture.page,
    )
    program.session.ask(picture.shown.asked)
    async with program.run_test(size=(80, 25)) as pilot:
        await program.workers.wait_for_complete()
        await pilot.pause()
        text = program.export_screenshot(title="songshan tui")
    return _TEXT.sub(_on_the_grid, _FAMILY.sub(f"font-family: {FONT};", _FACES.sub("", text)))


def _on_the_grid(text: re.Match[str]) -> str:
    """The toolkit counts characters; of Chinese each takes two cells, so each character is given its place."""
    shown = html.unescape(text["text"])
    if shown.isascii():
        return text[0]
    left, at = float(text["x"]), [0, *accumulate(cell_len(each) for each in shown)]
    places = " ".join(f"{left + cells * CELL:g}" for cells in at[:-1])
    return f'<text {text["before"]} x="{places}"{text["y"]}{text["end"]}>{text["text"]}</text>'


if __name__ == "__main__":
    main()
