"""Lists of items: what may be asked for, and which items then come, a page at a time."""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode

from appliance.core.errors import Text
from appliance.core.item import SECTIONS
from appliance.web.problems import Wrong
from appliance.web.shapes import PAGE_MAX, PER_PAGE, PER_PAGE_MAX, WORDS_CHARS_MAX

_DIGITS_MAX: Final = 6


class Asked(NamedTuple):
    """A page of a list. `words` is what a reader searches for, None for a list without search."""

    page: int = 1
    per_page: int = PER_PAGE
    section: str | None = None
    words: str | None = None

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.per_page

    def address(self, path: str, page: int) -> str:
        """The same list at another page."""
        fields = {
            "section": self.section,
            "q": self.words,
            "page": page if page > 1 else None,
            "per_page": self.per_page if self.per_page != PER_PAGE else None,
        }
        query = urlencode({name: value for name, value in fields.items() if value is not None})
        return f"{path}?{query}" if query else path


def read_asked(args: Mapping[str, str]) -> Asked:
    """What a query string asks for; Wrong with all that cannot be answered."""
    problems: list[Text] = []
    page = _number(args, "page", 1, PAGE_MAX, problems)
    per_page = _number(args, "per_page", PER_PAGE, PER_PAGE_MAX, problems)
    section = args.get("section")
    if section is not None and section not in SECTIONS:
        choice = ", ".join(SECTIONS)
        problems.append(Text(f"section 须为 {choice} 之一", f"section is one of {choice}"))
    words = args.get("q")
    if words is not None and len(words) > WORDS_CHARS_MAX:
        problems.append(Text(f"q 至多 {WORDS_CHARS_MAX} 字", f"q has at most {WORDS_CHARS_MAX} characters"))
    if problems:
        raise Wrong(*problems)
    return Asked(page, per_page, section, words)


def _number(args: Mapping[str, str], name: str, default: int, high: int, problems: list[Text]) -> int:
    given = args.get(name)
    if given is None:
        return default
    if given.isascii() and given.isdigit() and len(given) <= _DIGITS_MAX and 1 <= int(given) <= high:
        return int(given)
    problems.append(Text(f"{name} 须为 1 至 {high} 的整数", f"{name} is a whole number from 1 to {high}"))
    return default
