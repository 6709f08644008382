"""Brings the catalogue up to what the code says: python -m tests.tui.texts [PAIRS.tsv]

Texts that are said are added, texts that are not go; what is translated stays. PAIRS.tsv has `English<TAB>中文` lines,
one and many with a `|` between them for counted ones. Ends with 1 while a text has no Chinese, and names it. Run it
also after a merge of two catalogues.
"""

import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import tui
from tui.catalogue import CATALOGUE

HEADER = "# Texts of the technician's screens. The English stands in the code; `say` marks it."
Message = str | tuple[str, str]


def main(pairs: Path | None) -> int:
    known = {message.id: message.string for message in _read() if message.id}
    known |= dict(map(_pair, pairs.read_text().splitlines())) if pairs is not None else {}
    made = Catalog(locale="zh_CN", header_comment=HEADER, fuzzy=False)
    keywords = {"say": None, "count": (1, 2)}
    said = {found[2] for found in extract_from_dir(Path(tui.__file__).parent, [("**.py", "python")], keywords=keywords)}
    for message in said:
        string = known.get(message, "")
        made.add(message, string if isinstance(message, str) or isinstance(string, tuple | list) else (string,))
    with CATALOGUE.open("wb") as file:
        write_po(file, made, width=0, no_location=True, sort_output=True, omit_header=True)
    text = CATALOGUE.read_text()
    CATALOGUE.write_text(f'{HEADER}\nmsgid ""\nmsgstr ""\n{_FIELDS}\n{text}')
    with CATALOGUE.with_suffix(".mo").open("wb") as compiled:
        write_mo(compiled, _read())
    missing = sorted(str(message.id) for message in made if message.id and not any(message.string))
    for text in missing:
        print(text)
    return 1 if missing else 0


_FIELDS = (
    '"Language: zh_CN\\n"\n"Plural-Forms: nplurals=1; plural=0;\\n"\n"MIME-Version: 1.0\\n"\n'
    '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
)


def _read() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file)


def _pair(line: str) -> tuple[Message, str | tuple[str, ...]]:
    english, _tab, chinese = line.partition("\t")
    one, bar, many = english.partition("|")
    return ((one, many), (chinese,)) if bar else (english, chinese)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
