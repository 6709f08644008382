"""The Chinese catalogue holds a text for all that the pages say, and nothing else."""

import re
from pathlib import Path

import pytest
from babel.messages import pofile
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir

WEB = Path(__file__).parents[3] / "appliance" / "web"
KEYWORDS = {"say": None, "say_plural": (1, 2), "_": None, "gettext": None, "ngettext": (1, 2)}
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with (WEB / "locale/zh_CN/LC_MESSAGES/web.po").open("rb") as file:
        return pofile.read_po(file, locale="zh_CN")


def said() -> set[str]:
    """Every message id in the sources."""
    found = set()
    for _, _, message, _, _ in extract_from_dir(str(WEB), METHODS, {}, KEYWORDS, strip_comment_tags=True):
        found.add(message if isinstance(message, str) else message[0])
    return found


def test_every_text_has_its_chinese_and_no_chinese_is_left_over(catalogue: Catalog) -> None:
    """A page in two languages at once looks broken to everybody."""
    assert {
        message.id if isinstance(message.id, str) else message.id[0] for message in catalogue if message.id
    } == said()


def test_every_chinese_text_says_the_same_values(catalogue: Catalog) -> None:
    """A value that the Chinese forgets, or spells otherwise, is a crash on that page alone."""
    for message in catalogue:
        if message.id:
            source = message.id if isinstance(message.id, str) else message.id[1]
            texts = [message.string] if isinstance(message.string, str) else message.string
            for text in texts:
                assert text and not message.fuzzy, source
                assert sorted(re.findall(r"%\((\w+)\)", text)) == sorted(re.findall(r"%\((\w+)\)", source)), source
