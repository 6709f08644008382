"""Both languages are complete, and there is no text beside the catalogue."""

import ast
import gettext
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import tui
from tests.tui.readings import LOOKS, PLAIN
from tui.catalogue import CATALOGUE, DOMAIN, LOCALE
from tui.keys import KEYS, RESERVED
from tui.page import Page
from tui.pages import PAGES
from tui.view.frame import FOOTER_KEYS_MAX, footer

SOURCES = sorted(Path(tui.__file__).parent.rglob("*.py"))
Message = str | tuple[str, str]


def said_in_code() -> set[Message]:
    """Every text that stands as a literal in a call of `say` or `count`."""
    found: set[Message] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in ("say", "count"):
                words = [
                    each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
                ]
                found |= {words[0] if len(words) == 1 else (words[0], words[1])} if words else set()
    return found


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def catalogue() -> dict[Message, tuple[str, ...]]:
    with CATALOGUE.open("rb") as file:
        messages = read_po(file)
    return {
        message.id: (message.string,) if isinstance(message.string, str) else tuple(message.string)
        for message in messages
        if message.id
    }


def test_the_catalogue_holds_what_the_code_says_and_nothing_else() -> None:
    """A missing text shows in English on a Chinese screen; a left-over one wastes a translator's day."""
    assert set(catalogue()) == said_in_code()


def test_the_tool_that_collects_texts_finds_them_all() -> None:
    """It passes over what stands inside an f-string: whoever updates the catalogue with it must lose nothing."""
    found = extract_from_dir(Path(tui.__file__).parent, [("**.py", "python")], keywords={"say": None, "count": (1, 2)})
    assert {message[2] for message in found} == said_in_code()


def test_every_text_is_translated() -> None:
    """Chinese comes first here."""
    assert {message for message, strings in catalogue().items() if not strings or not all(strings)} == set()


def test_translations_have_the_same_fields() -> None:
    """A field misspelt in one language takes the screen down in that language only."""

    def fields(text: str) -> set[str | None]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}

    for message, strings in catalogue().items():
        original = message if isinstance(message, str) else message[1]
        assert all(fields(text) == fields(original) for text in strings), message


def test_what_is_compiled_is_what_is_written() -> None:
    """The screens read the compiled catalogue; a stale one shows last month's words."""
    compiled = gettext.translation(DOMAIN, LOCALE, languages=["zh_CN"])
    for message, strings in catalogue().items():
        said = compiled.gettext(message) if isinstance(message, str) else compiled.ngettext(*message, 2)
        assert said == strings[0]


def test_no_chinese_stands_in_the_code_of_the_screens() -> None:
    """What is written into the code in one language cannot be switched; a `Text` has both."""
    spoken = {
        (path.name, node.value)
        for path in SOURCES
        if path.name not in ("command.py", "keys.py", "rows.py", "finding.py", "probe.py")
        for node in _outside_texts(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"[\u4e00-\u9fff]", node.value)
    }
    assert spoken == {("cells.py", value) for _, value in spoken if value.startswith("Text measured")}


def _outside_texts(node: ast.AST) -> Iterator[ast.AST]:
    if not (isinstance(node, ast.Call) and _name(node.func) == "Text" and len(node.args) == 2):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from _outside_texts(child)


def test_no_key_does_two_things_and_no_key_is_one_that_some_terminal_does_not_send() -> None:
    """Alt is eaten by consoles, Ctrl with Enter by multiplexers; letters, F1 to F10, arrows and Esc come through."""
    names = [name for key in KEYS for name in key.names]
    assert len(names) == len(set(names))
    assert [
        name
        for name in names
        if not re.fullmatch(
            r"[a-z]|f([1-9]|10)|(page)?(up|down)|left|right|home|enter|escape|(shift\+)?tab"
            r"|question_mark|colon|slash|ctrl\+[bcflopq]",
            name,
        )
    ] == []


def test_pages_and_their_acts_have_keys_of_their_own() -> None:
    """A letter that means one thing here and another there is pressed by mistake once."""
    digits = [page.key for page in PAGES if page.key]
    assert len(digits) == len(set(digits))
    assert {key for key in digits if not re.fullmatch("[0-9]", key)} == set()
    for page in PAGES:
        letters = [act.key for act in page.acts]
        assert len(letters) == len(set(letters)), page.name
        assert [key for key in letters if not re.fullmatch("[a-z]", key) or key in RESERVED] == [], page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_foot_of_the_screen_names_at_most_six_keys(page: Page) -> None:
    """More than six are not read."""
    for look in (*LOOKS.values(), PLAIN):
        row = footer(page.acts, KEYS, 80, look)
        assert 1 <= sum(span.style == "key" for span in row) <= FOOTER_KEYS_MAX
