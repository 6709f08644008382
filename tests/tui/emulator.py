"""A terminal for tests: what its cells show after the bytes that programs send. It knows no more than is needed."""

import re
import unicodedata

SEQUENCE = re.compile(r"\x1b\[([?]?)([\d;]*)([A-Za-z])|\x1b\][^\x07]*\x07|\x1b[=>]|(.)", re.DOTALL)


class Emulator:
    """`cells[y][x]` is a character and the style it is in; behind a character of two cells stands ""."""

    def __init__(self, cells: int, lines: int) -> None:
        self.size = cells, lines
        self.cells = [[(" ", "")] * cells for _ in range(lines)]
        self.row = self.column = 0
        self.style: tuple[str, ...] = ()

    def feed(self, data: str) -> None:
        for mode, numbers, end, character in SEQUENCE.findall(data):
            values = [int(each) for each in numbers.split(";") if each] or [0]
            if end == "H":
                self.row, self.column = max(0, values[0] - 1), max(0, (values[1] if len(values) > 1 else 1) - 1)
            elif end == "m":
                self._styled(numbers)
            elif end == "J" or (mode and end == "h" and 1049 in values):
                self.cells = [[(" ", "")] * self.size[0] for _ in range(self.size[1])]
            elif end == "K":
                for column in range(self.column, self.size[0]):
                    self._put(" ", self.row, column)
            elif character == "\n":
                self.row, self.column = self.row + 1, 0
            elif character == "\r":
                self.column = 0
            elif character >= " ":
                self._write(character)

    def _styled(self, numbers: str) -> None:
        codes = numbers.split(";")
        if codes[0] in ("", "0"):
            self.style, codes = (), codes[1:]
        self.style = (*self.style, *codes)

    def _write(self, character: str) -> None:
        wide = unicodedata.east_asian_width(character) in "WF"
        if self.row < self.size[1] and self.column + wide < self.size[0]:
            self._put(character, self.row, self.column)
            if wide:
                self._put("", self.row, self.column + 1)
        self.column += 1 + wide

    def _put(self, character: str, row: int, column: int) -> None:
        line = self.cells[row]
        # Half of a character that took two cells is a blank.
        if line[column][0] == "" and column and character != "":
            line[column - 1] = (" ", line[column - 1][1])
        if column + 1 < len(line) and line[column + 1][0] == "":
            line[column + 1] = (" ", line[column + 1][1])
        line[column] = (character, ";".join(self.style))

    @property
    def text(self) -> str:
        return "\n".join("".join(character for character, _style in line).rstrip() for line in self.cells)

    @property
    def seen(self) -> list[list[tuple[str, str]]]:
        """What the eye sees: of a blank only its background."""
        return [
            [(character, style if character.strip() else _ground(style)) for character, style in line]
            for line in self.cells
        ]


def _ground(style: str) -> str:
    found = re.search(r"(48;5;\d+|48;2;\d+;\d+;\d+|4[0-7]|\b7\b)", style)
    return found[0] if found else ""
