"""Tables for spreadsheets: CSV (RFC 4180) in UTF-8 with a byte order mark, as Excel and WPS want it."""

import csv
from collections.abc import Iterable, Sequence
from typing import Final

FORMULA_MARKS: Final = ("=", "+", "-", "@", "\t", "\r")
BYTE_ORDER_MARK: Final = "\ufeff"


class _Lines:
    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> int:
        self.written.append(text)
        return len(text)


def table(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """The file's text. No cell is taken for a formula: titles come from anybody."""
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow(head)
    for row in rows:
        writer.writerow(_cell(value) for value in row)
    return BYTE_ORDER_MARK + "".join(lines.written)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_MARKS) else text
